#include "server.h"

#include <string.h>

/* The longest sleep; nothing depends on it. */
#define WAIT_MAX_MS 60000u

int qr_server_open(struct qr_server *server, const struct qr_net *net,
                   const struct qr_handler *handler, struct qr_stats *stats, uint16_t port)
{
    server->net = net;
    server->handler = handler;
    server->stats = stats;
    server->full = false;
    server->news = 0;
    server->news_again_ms = 0;
    server->sender = 0;
    server->accept_again_ms = 0;
    server->grace_ms = QR_GRACE_MS;
    server->grace_used_ms = 0;
    server->looked_ms = 0;
    server->n_polls = 0;
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        server->slots[i].socket = -1;
    }
    server->listener = net->listen(net->ctx, port);
    return server->listener < 0 ? server->listener : 0;
}

/* ---- slots ---- */

static void release(struct qr_server *server, struct qr_slot *slot)
{
    server->stats->connectionsWaiting -= qr_conn_waits(&slot->conn);
    if (slot->conn.cut_off) {
        server->net->abort(server->net->ctx, slot->socket);
    } else {
        server->net->close(server->net->ctx, slot->socket);
    }
    slot->socket = -1;
    server->stats->connectionsOpen--;
}

static struct qr_slot *free_slot(struct qr_server *server)
{
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        if (server->slots[i].socket < 0) {
            return &server->slots[i];
        }
    }
    return NULL;
}

/* How readily a connection is given up for a new one; DESIGN.md tells why in this order. */
enum standing { KEPT, WAITS, SLOW, IDLE_POLLER, WITHOUT_REQUEST, TOLD_TO_CLOSE };

static bool is_kept(const struct qr_conn *conn)
{
    /* At most QR_CONNS_MAX - QR_CONNS_SPARE are: they have had a reply without Connection: close.
     */
    return conn->use == QR_CONN_CALLER && conn->state != QR_CONN_CLOSING;
}

static enum standing standing_of(const struct qr_server *server, const struct qr_conn *conn)
{
    uint64_t now_ms = server->looked_ms;

    if (conn->state == QR_CONN_CLOSING) {
        return TOLD_TO_CLOSE;
    }
    if (is_kept(conn)) {
        return KEPT;
    }
    if (qr_conn_waits(conn)) {
        return WAITS;
    }
    if (conn->use == QR_CONN_POLLER && qr_conn_idle(conn)) {
        return IDLE_POLLER;
    }
    /* There is always a grace: nobody is slow before a poll has seen what came with it. */
    if (now_ms < conn->since_ms + server->grace_ms) {
        return KEPT;
    }
    return conn->state == QR_CONN_READING && now_ms >= conn->since_ms + QR_GRACE_MS
               ? WITHOUT_REQUEST
               : SLOW;
}

/* The connection to give up: of the highest standing, and of those the longest so. NULL: none. */
static struct qr_slot *find_victim(struct qr_server *server)
{
    struct qr_slot *victim = NULL;
    enum standing highest = KEPT;

    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        struct qr_slot *slot = &server->slots[i];
        enum standing standing = slot->socket < 0 ? KEPT : standing_of(server, &slot->conn);
        if (standing == KEPT || standing < highest) {
            continue;
        }
        if (standing > highest || slot->conn.since_ms < victim->conn.since_ms) {
            victim = slot;
            highest = standing;
        }
    }
    return victim;
}

static void shorten_grace(struct qr_server *server, const struct qr_now *now)
{
    uint32_t shorter_ms = server->grace_ms - server->grace_ms / 4;

    server->grace_ms = shorter_ms > QR_GRACE_LEAST_MS ? shorter_ms : QR_GRACE_LEAST_MS;
    server->grace_used_ms = now->uptime_ms;
}

/* Who takes no reply is cut off: what is kept for it to be sent would stay. */
static void give_up(struct qr_server *server, struct qr_slot *slot, const struct qr_now *now)
{
    enum standing standing = standing_of(server, &slot->conn);

    if (standing == SLOW || standing == WITHOUT_REQUEST) {
        shorten_grace(server, now);
    }
    slot->conn.cut_off = slot->conn.state == QR_CONN_REPLYING;
    server->stats->connectionsDropped++;
    release(server, slot);
}

/* ---- waiting ---- */

/* A poll that began at begin_ms has ended. A network that is behind with what came lets nobody look
 * slow, but for a while only: a flood may keep it so. */
static void note_looked(struct qr_server *server, uint64_t begin_ms, uint64_t looked_before_ms)
{
    uint64_t at_least_ms = begin_ms > QR_GRACE_MS ? begin_ms - QR_GRACE_MS : 0;

    if (!server->net->caught_up(server->net->ctx)) {
        server->looked_ms = looked_before_ms > at_least_ms ? looked_before_ms : at_least_ms;
    }
}

/* A listener that is not polled keeps connections in its backlog; accepting them without a slot
 * would reset them. */
static bool may_accept(struct qr_server *server, const struct qr_now *now)
{
    bool room;

    if (server->listener < 0 || now->uptime_ms < server->accept_again_ms) {
        return false;
    }
    if (now->uptime_ms - server->grace_used_ms >= QR_GRACE_REST_MS) {
        server->grace_ms = QR_GRACE_MS;
    }
    room = server->stats->connectionsOpen < QR_CONNS_MAX || find_victim(server) != NULL;
    if (!room && !server->full) {
        server->stats->connectionsFull++;
    }
    server->full = !room;
    return room;
}

static uint32_t until(uint64_t deadline_ms, const struct qr_now *now, uint32_t at_most_ms)
{
    if (deadline_ms <= now->uptime_ms) {
        return 0;
    }
    return deadline_ms - now->uptime_ms < at_most_ms ? (uint32_t)(deadline_ms - now->uptime_ms)
                                                     : at_most_ms;
}

/* When to look again whether there is room to accept; UINT64_MAX: when a connection is done. */
static uint64_t accept_look_ms(const struct qr_server *server)
{
    uint64_t earliest_ms = UINT64_MAX;

    if (server->listener < 0) {
        return UINT64_MAX;
    }
    if (!server->full) {
        return server->accept_again_ms;
    }
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        const struct qr_conn *conn = &server->slots[i].conn;
        if (!is_kept(conn) && conn->since_ms + server->grace_ms < earliest_ms) {
            earliest_ms = conn->since_ms + server->grace_ms;
        }
    }
    return earliest_ms;
}

/* Whether an event was stored that those who wait have not been told. */
static bool has_news(const struct qr_server *server)
{
    return server->handler->news != NULL && *server->handler->news != server->news &&
           server->stats->connectionsWaiting != 0;
}

static void add_poll(struct qr_server *server, int socket, bool want_read, bool want_write)
{
    server->polls[server->n_polls++] =
        (struct qr_net_poll){.socket = socket, .want_read = want_read, .want_write = want_write};
}

/* Returns how long it may take until the slot's next turn, at most timeout_ms. */
static uint32_t add_slot(struct qr_server *server, struct qr_slot *slot, const struct qr_now *now,
                         uint32_t timeout_ms)
{
    const char *tx;
    char *rx;
    bool sending = qr_conn_tx_pending(&slot->conn, &tx) != 0;

    add_poll(server, slot->socket, !sending && qr_conn_rx_room(&slot->conn, &rx) != 0, sending);
    if (server->listener < 0 && qr_conn_waits(&slot->conn)) {
        return 0; /* to be told that it is over */
    }
    return slot->conn.deadline_ms == 0 ? timeout_ms
                                       : until(slot->conn.deadline_ms, now, timeout_ms);
}

void qr_server_wait(struct qr_server *server, const struct qr_now *now, uint32_t max_ms)
{
    uint32_t timeout_ms = max_ms < WAIT_MAX_MS ? max_ms : WAIT_MAX_MS;
    size_t open = server->stats->connectionsOpen;
    uint64_t looked_before_ms = server->looked_ms;
    int result;

    server->n_polls = 0;
    server->looked_ms = now->uptime_ms;
    for (size_t i = 0; i < QR_CONNS_MAX && server->n_polls < open; i++) {
        if (server->slots[i].socket >= 0) {
            timeout_ms = add_slot(server, &server->slots[i], now, timeout_ms);
        }
    }
    if (has_news(server)) {
        timeout_ms = until(server->news_again_ms, now, timeout_ms);
    }
    if (may_accept(server, now)) {
        add_poll(server, server->listener, true, false);
    } else {
        timeout_ms = until(accept_look_ms(server), now, timeout_ms);
    }
    result = server->net->poll(server->net->ctx, server->polls, server->n_polls, timeout_ms);
    note_looked(server, now->uptime_ms, looked_before_ms);
    if (result < 0) {
        /* Nothing is known: look at everything, which finds out what is the matter. */
        server->stats->networkNoMemory += result == QR_NET_NO_MEMORY;
        for (size_t i = 0; i < server->n_polls; i++) {
            server->polls[i].ready = true;
        }
    }
}

/* ---- serving ---- */

static void count_failure(struct qr_server *server, struct qr_slot *slot, int result)
{
    if (result == QR_NET_AGAIN) {
        return;
    }
    if (result == QR_NET_NO_MEMORY) { /* passes; the connection's deadline is the limit */
        server->stats->networkNoMemory++;
        return;
    }
    server->stats->connectionsReset++;
    slot->conn.dead = true;
}

static void receive(struct qr_server *server, struct qr_slot *slot, const struct qr_now *now)
{
    char *room;
    size_t len = qr_conn_rx_room(&slot->conn, &room);
    int result;

    if (len == 0) {
        return;
    }
    result = server->net->recv(server->net->ctx, slot->socket, room, len);
    if (result > 0) {
        qr_conn_received(&slot->conn, (size_t)result, now);
    } else if (result == QR_NET_CLOSED) {
        qr_conn_received_fin(&slot->conn, now);
    } else {
        count_failure(server, slot, result);
    }
}

/* Sends what is pending, once. Returns whether all of it went out. */
static bool send_pending(struct qr_server *server, struct qr_slot *slot, const struct qr_now *now)
{
    const char *bytes;
    size_t len = qr_conn_tx_pending(&slot->conn, &bytes);
    int result = server->net->send(server->net->ctx, slot->socket, bytes, len);

    if (result <= 0) {
        count_failure(server, slot, result);
        return false;
    }
    qr_conn_sent(&slot->conn, (size_t)result, now);
    return (size_t)result == len;
}

static bool has_pending(const struct qr_slot *slot)
{
    const char *bytes;

    return qr_conn_tx_pending(&slot->conn, &bytes) != 0;
}

/* The replies that were made, of requests that came in one go. Of one that goes on, the rest is
 * send_on()'s. */
static void transmit(struct qr_server *server, struct qr_slot *slot, const struct qr_now *now)
{
    for (unsigned i = 0; i < QR_SENDS_A_TURN && !slot->conn.dead && has_pending(slot); i++) {
        bool goes_on = qr_conn_goes_on(&slot->conn);
        if (!send_pending(server, slot, now) || goes_on) {
            return;
        }
    }
}

static void finish(struct qr_server *server, struct qr_slot *slot)
{
    int result;

    if (!slot->conn.finish || slot->conn.dead) {
        return;
    }
    slot->conn.finish = false;
    result = server->net->finish(server->net->ctx, slot->socket);
    if (result < 0) {
        count_failure(server, slot, result);
    }
}

/* What the connection may do at its turn. */
static void permit(struct qr_server *server, struct qr_slot *slot)
{
    bool short_of_slots = QR_CONNS_MAX - server->stats->connectionsOpen < QR_CONNS_SPARE;
    bool stopping = server->listener < 0;

    slot->conn.announce_close = short_of_slots || stopping;
    slot->conn.may_wait = !stopping && (qr_conn_waits(&slot->conn) ||
                                        server->stats->connectionsWaiting < QR_WAITERS_MAX);
}

/* The end of a connection's turn; waited: whether it did before. */
static void end_turn(struct qr_server *server, struct qr_slot *slot, uint32_t waited)
{
    server->stats->connectionsWaiting += qr_conn_waits(&slot->conn) - waited;
    if (slot->conn.dead || (server->listener < 0 && qr_conn_idle(&slot->conn))) {
        release(server, slot);
    }
}

static void serve_slot(struct qr_server *server, struct qr_slot *slot, bool ready, bool news,
                       const struct qr_now *now)
{
    uint32_t waited = qr_conn_waits(&slot->conn);

    permit(server, slot);
    if (waited && server->listener < 0) {
        qr_conn_stop_waiting(&slot->conn, now);
    } else if (waited && news) {
        qr_conn_news(&slot->conn, now);
    } else if (ready) {
        receive(server, slot, now);
    }
    qr_conn_tick(&slot->conn, now);
    transmit(server, slot, now);
    finish(server, slot);
    end_turn(server, slot, waited);
}

/* A reply that was under way when the turn began: its time is that of send_on(). */
static void serve_sender(struct qr_server *server, struct qr_slot *slot, bool ready,
                         const struct qr_now *now)
{
    uint32_t waited = qr_conn_waits(&slot->conn);

    qr_conn_tick(&slot->conn, now);
    slot->sends_on = ready && !slot->conn.dead;
    server->senders += slot->sends_on;
    end_turn(server, slot, waited);
}

/* A few pieces of all the replies that are under way, one each, in turn: however many there are,
 * and however long, callers have their turn soon. */
static void send_on(struct qr_server *server, const struct qr_now *now)
{
    unsigned left = server->senders < QR_SENDS_A_TURN ? server->senders : QR_SENDS_A_TURN;

    while (left > 0) {
        struct qr_slot *slot = &server->slots[server->sender];
        server->sender = (server->sender + 1) % QR_CONNS_MAX;
        if (slot->socket < 0 || !slot->sends_on) {
            continue;
        }
        slot->sends_on = false;
        uint32_t waited = qr_conn_waits(&slot->conn);
        permit(server, slot);
        (void)send_pending(server, slot, now);
        finish(server, slot);
        end_turn(server, slot, waited);
        left--;
    }
}

/* Those who wait for events, when one was stored: behind all others, whose replies come first. */
static void serve_news(struct qr_server *server, const struct qr_now *now)
{
    if (!has_news(server) || now->uptime_ms < server->news_again_ms) {
        return;
    }
    server->news = *server->handler->news;
    server->news_again_ms = now->uptime_ms + QR_NEWS_REST_MS;
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        struct qr_slot *slot = &server->slots[i];
        if (slot->socket >= 0 && qr_conn_waits(&slot->conn) && !has_pending(slot)) {
            serve_slot(server, slot, false, true, now);
        }
    }
}

static bool accept_one(struct qr_server *server, const struct qr_now *now)
{
    struct qr_slot *slot = free_slot(server);
    int socket;

    if (slot == NULL) {
        slot = find_victim(server);
    }
    if (slot == NULL) {
        return false;
    }
    socket = server->net->accept(server->net->ctx, server->listener);
    if (socket < 0) {
        if (socket != QR_NET_AGAIN) {
            server->stats->networkNoMemory++;
            server->accept_again_ms = now->uptime_ms + QR_ACCEPT_REST_MS;
        }
        return false;
    }
    if (slot->socket >= 0) {
        give_up(server, slot, now);
    }
    slot->socket = socket;
    qr_conn_open(&slot->conn, server->handler, server->stats, now);
    server->stats->connectionsAccepted++;
    server->stats->connectionsOpen++;
    if (server->stats->connectionsOpen > server->stats->connectionsOpenMost) {
        server->stats->connectionsOpenMost = server->stats->connectionsOpen;
    }
    return true;
}

void qr_server_serve(struct qr_server *server, const struct qr_now *now)
{
    const struct qr_net_poll *poll = server->polls;
    const struct qr_net_poll *end = server->polls + server->n_polls;
    size_t left = server->stats->connectionsOpen;

    server->senders = 0;
    for (size_t i = 0; i < QR_CONNS_MAX && left > 0; i++) {
        struct qr_slot *slot = &server->slots[i];
        bool ready = false;
        if (slot->socket < 0) {
            continue;
        }
        left--;
        if (poll < end) {
            ready = poll->ready;
            poll++;
        }
        slot->sends_on = false;
        if (has_pending(slot)) {
            serve_sender(server, slot, ready, now);
        } else {
            serve_slot(server, slot, ready, false, now);
        }
    }
    send_on(server, now);
    if (poll < end && poll->ready) {
        for (size_t i = 0; i < QR_CONNS_MAX && accept_one(server, now); i++) {
        }
    }
    serve_news(server, now);
    server->n_polls = 0;
}

uint32_t qr_server_count(const struct qr_server *server, enum qr_conn_state state)
{
    uint32_t count = 0;

    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        count += server->slots[i].socket >= 0 && server->slots[i].conn.state == state;
    }
    return count;
}

/* ---- stopping ---- */

void qr_server_stop(struct qr_server *server)
{
    server->n_polls = 0;
    if (server->listener >= 0) {
        server->net->close(server->net->ctx, server->listener);
        server->listener = -1;
    }
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        if (server->slots[i].socket >= 0 && qr_conn_idle(&server->slots[i].conn)) {
            release(server, &server->slots[i]);
        }
    }
}

bool qr_server_stopped(const struct qr_server *server)
{
    return server->stats->connectionsOpen == 0;
}

void qr_server_close(struct qr_server *server)
{
    qr_server_stop(server);
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        if (server->slots[i].socket >= 0) {
            release(server, &server->slots[i]);
        }
    }
}

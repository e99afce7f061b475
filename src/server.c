#include "server.h"

/* The longest sleep; nothing depends on it. */
#define WAIT_MAX_MS 60000u

/* The network tells of a connection by its slot's number, and so of the listener. */
#define LISTENER QR_CONNS_MAX

int qr_server_open(struct qr_server *server, const struct qr_net *net,
                   const struct qr_handler *handler, struct qr_stats *stats, uint16_t port)
{
    server->net = net;
    server->handler = handler;
    server->stats = stats;
    server->full = false;
    server->news = 0;
    server->news_again_ms = 0;
    server->accept_again_ms = 0;
    server->due_ms = UINT64_MAX;
    server->sender = 0;
    server->n_ready = 0;
    qr_slots_init(&server->slots, stats);
    server->listener = net->listen(net->ctx, port, LISTENER);
    server->accepts = server->listener >= 0;
    return server->listener < 0 ? server->listener : 0;
}

static void note_until(uint64_t *earliest_ms, uint64_t at_ms)
{
    if (at_ms < *earliest_ms) {
        *earliest_ms = at_ms;
    }
}

/* ---- ending ---- */

static void release(struct qr_server *server, struct qr_slot *slot)
{
    if (slot->conn.cut_off) {
        server->net->abort(server->net->ctx, slot->socket);
    } else {
        server->net->close(server->net->ctx, slot->socket);
    }
    qr_slots_close(&server->slots, slot);
}

static void give_up(struct qr_server *server, struct qr_slot *slot, const struct qr_now *now)
{
    qr_slots_give_up(&server->slots, slot, now);
    release(server, slot);
}

/* ---- waiting ---- */

static bool has_pending(const struct qr_slot *slot)
{
    const char *bytes;

    return qr_conn_tx_pending(&slot->conn, &bytes) != 0;
}

/* When the connection has something to do that its socket does not tell; UINT64_MAX: never. */
static uint64_t due_ms(const struct qr_server *server, const struct qr_slot *slot)
{
    if (server->listener < 0 && qr_conn_waits(&slot->conn) && !has_pending(slot)) {
        return 0; /* to be told that it is over */
    }
    return slot->conn.deadline_ms == 0 ? UINT64_MAX : slot->conn.deadline_ms;
}

static void find_due(struct qr_server *server)
{
    server->due_ms = UINT64_MAX;
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        if (server->slots.all[i].socket >= 0) {
            note_until(&server->due_ms, due_ms(server, &server->slots.all[i]));
        }
    }
}

/* What has to be looked at later because of how a connection is now. */
static void note_times(struct qr_server *server, const struct qr_slot *slot)
{
    note_until(&server->due_ms, due_ms(server, slot));
    qr_slots_note(&server->slots, slot);
}

/* A listener that is not watched keeps connections in its backlog; accepting them without a slot
 * would reset them. */
static bool may_accept(struct qr_server *server, const struct qr_now *now)
{
    bool room;

    if (server->listener < 0 || now->uptime_ms < server->accept_again_ms) {
        return false;
    }
    room = qr_slots_have_room(&server->slots, now);
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
    if (server->listener < 0) {
        return UINT64_MAX;
    }
    return server->full ? server->slots.full_until_ms : server->accept_again_ms;
}

/* Whether an event was stored that those who wait have not been told. */
static bool has_news(const struct qr_server *server)
{
    return server->stats->connectionsWaiting != 0 && server->handler->news != NULL &&
           *server->handler->news != server->news;
}

/* The tags of all that is watched. */
static size_t all_watched(const struct qr_server *server, uint16_t *tags)
{
    size_t n = 0;

    for (uint16_t i = 0; i < QR_CONNS_MAX; i++) {
        if (server->slots.all[i].socket >= 0) {
            tags[n++] = i;
        }
    }
    if (server->accepts) {
        tags[n++] = LISTENER;
    }
    return n;
}

/* How long until something is to be done that no socket tells of, at most at_most_ms. */
static uint32_t timeout(struct qr_server *server, const struct qr_now *now, uint32_t at_most_ms)
{
    if (server->due_ms <= now->uptime_ms) {
        find_due(server);
    }
    at_most_ms = until(server->due_ms, now, at_most_ms);
    if (server->slots.n_wanting != 0) {
        at_most_ms = until(qr_slots_desk_look_ms(&server->slots), now, at_most_ms);
    }
    if (has_news(server)) {
        at_most_ms = until(server->news_again_ms, now, at_most_ms);
    }
    return server->accepts ? at_most_ms : until(accept_look_ms(server), now, at_most_ms);
}

void qr_server_wait(struct qr_server *server, const struct qr_now *now, uint32_t max_ms)
{
    uint64_t looked_before_ms = server->slots.looked_ms;
    bool accepts;
    int result;

    server->slots.looked_ms = now->uptime_ms;
    accepts = may_accept(server, now);
    if (accepts != server->accepts) {
        server->accepts = accepts;
        server->net->watch(server->net->ctx, server->listener, LISTENER, accepts, false);
    }
    result = server->net->wait(server->net->ctx, server->ready, QR_CONNS_MAX + 1,
                               timeout(server, now, max_ms < WAIT_MAX_MS ? max_ms : WAIT_MAX_MS));
    if (!server->net->caught_up(server->net->ctx)) {
        qr_slots_note_behind(&server->slots, now->uptime_ms, looked_before_ms);
    }
    if (result < 0) {
        /* Nothing is known: look at everything, which finds out what is the matter. */
        server->stats->networkNoMemory += result == QR_NET_NO_MEMORY;
    }
    server->n_ready = result < 0 ? all_watched(server, server->ready) : (size_t)result;
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

/* What has come is looked at in place: the last desk is for a whole callback. Returns how much that
 * is, or SIZE_MAX where receiving tells what has come instead; 0: it is none. */
static size_t try_last_desk(struct qr_server *server, struct qr_slot *slot,
                            const struct qr_now *now)
{
    char *room;
    size_t len = qr_conn_rx_room(&slot->conn, &room, now);
    int result = server->net->peek(server->net->ctx, slot->socket, room, len);

    return result <= 0 ? SIZE_MAX : qr_slots_try_last_desk(&server->slots, slot, (size_t)result);
}

/* How much it may receive: SIZE_MAX, or a callback's length. 0: it waits for a desk. */
static size_t may_receive(struct qr_server *server, struct qr_slot *slot, const struct qr_now *now)
{
    struct qr_slots *slots = &server->slots;
    size_t len = 0;

    if (slot->conn.desk != NULL || slot->conn.state != QR_CONN_READING) {
        return SIZE_MAX;
    }
    if (slots->n_wanting == 0 && qr_slots_have_desk(slots)) {
        return SIZE_MAX;
    }
    if (qr_slots_have_last_desk(slots)) {
        len = try_last_desk(server, slot, now);
    }
    if (len == 0) {
        qr_slots_want_desk(slots, slot, now);
    } else {
        qr_slots_want_no_desk(slots, slot);
    }
    return len;
}

static void receive(struct qr_server *server, struct qr_slot *slot, const struct qr_now *now)
{
    size_t at_most = may_receive(server, slot, now);
    char *room;
    size_t len = at_most != 0 ? qr_conn_rx_room(&slot->conn, &room, now) : 0;
    int result;

    if (len == 0) {
        return;
    }
    result = server->net->recv(server->net->ctx, slot->socket, room, len < at_most ? len : at_most);
    if (result > 0) {
        qr_conn_received(&slot->conn, (size_t)result, now);
    } else if (result == QR_NET_CLOSED) {
        qr_conn_received_fin(&slot->conn, now);
    } else {
        qr_conn_received(&slot->conn, 0, now);
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

/* Tells the network what the connection wants, where that has changed. */
static void watch(struct qr_server *server, struct qr_slot *slot)
{
    bool writes = has_pending(slot);
    bool reads = !writes && slot->wants_desk_ms == 0 && qr_conn_reads(&slot->conn);

    if (reads != slot->reads || writes != slot->writes) {
        slot->reads = reads;
        slot->writes = writes;
        server->net->watch(server->net->ctx, slot->socket, qr_slots_number(&server->slots, slot),
                           reads, writes);
    }
}

/* The end of a connection's turn; waited: whether it did before. */
static void end_turn(struct qr_server *server, struct qr_slot *slot, uint32_t waited)
{
    server->stats->connectionsWaiting += qr_conn_waits(&slot->conn) - waited;
    qr_slots_leave_last_desk(&server->slots, slot);
    if (slot->conn.dead || (server->listener < 0 && qr_conn_idle(&slot->conn))) {
        release(server, slot);
    } else {
        watch(server, slot);
        note_times(server, slot);
    }
}

static void serve_slot(struct qr_server *server, struct qr_slot *slot, bool ready, bool news,
                       const struct qr_now *now)
{
    uint32_t waited = qr_conn_waits(&slot->conn);

    qr_slots_permit(&server->slots, slot, server->listener < 0);
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

/* A reply that was under way when the turn began: its time is that of send_on(). Returns whether it
 * is among those. */
static bool serve_sender(struct qr_server *server, struct qr_slot *slot, bool ready,
                         const struct qr_now *now)
{
    uint32_t waited = qr_conn_waits(&slot->conn);
    bool sends_on;

    qr_conn_tick(&slot->conn, now);
    sends_on = ready && !slot->conn.dead;
    end_turn(server, slot, waited);
    return sends_on;
}

/* Of those with a reply under way, takes the next in turn from the list. */
static struct qr_slot *take_sender(struct qr_server *server, uint16_t *senders, size_t n)
{
    size_t next = 0;
    uint16_t number;

    for (size_t i = 1; i < n; i++) { /* numbers from server->sender on come before those below */
        bool wraps = senders[i] < server->sender, next_wraps = senders[next] < server->sender;
        if (wraps == next_wraps ? senders[i] < senders[next] : next_wraps) {
            next = i;
        }
    }
    number = senders[next];
    senders[next] = senders[n - 1];
    server->sender = (uint16_t)(number + 1);
    return &server->slots.all[number];
}

/* A few pieces of all the replies that are under way, one each, in turn: however many there are,
 * and however long, callers have their turn soon. */
static void send_on(struct qr_server *server, uint16_t *senders, size_t n, const struct qr_now *now)
{
    for (unsigned left = QR_SENDS_A_TURN; left > 0 && n > 0; left--) {
        struct qr_slot *slot = take_sender(server, senders, n--);
        uint32_t waited = qr_conn_waits(&slot->conn);
        qr_slots_permit(&server->slots, slot, server->listener < 0);
        (void)send_pending(server, slot, now);
        finish(server, slot);
        end_turn(server, slot, waited);
    }
}

/* Those whose time has come, be they ready or not. */
static void serve_due(struct qr_server *server, const struct qr_now *now)
{
    if (now->uptime_ms < server->due_ms) {
        return;
    }
    server->due_ms = UINT64_MAX;
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        struct qr_slot *slot = &server->slots.all[i];
        if (slot->socket < 0) {
            continue;
        }
        if (now->uptime_ms < due_ms(server, slot)) {
            note_until(&server->due_ms, due_ms(server, slot));
        } else if (has_pending(slot)) {
            (void)serve_sender(server, slot, false, now);
        } else {
            serve_slot(server, slot, false, false, now);
        }
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
        struct qr_slot *slot = &server->slots.all[i];
        if (slot->socket >= 0 && qr_conn_waits(&slot->conn) && !has_pending(slot)) {
            serve_slot(server, slot, false, true, now);
        }
    }
}

/* Those who wait for a desk, the longest first, as long as there is one. */
static void serve_wanting(struct qr_server *server, const struct qr_now *now)
{
    while (server->slots.n_wanting != 0) {
        struct qr_slot *slot = qr_slots_find_wanting(&server->slots);
        char *room;
        if (!qr_slots_have_desk(&server->slots)) {
            struct qr_slot *victim = qr_slots_find_desk_victim(&server->slots);
            if (victim == NULL) {
                return;
            }
            give_up(server, victim, now);
        }
        qr_slots_want_no_desk(&server->slots, slot);
        (void)qr_conn_rx_room(&slot->conn, &room, now); /* takes it */
        serve_slot(server, slot, true, false, now);
    }
}

static bool accept_one(struct qr_server *server, const struct qr_now *now)
{
    struct qr_slot *slot = qr_slots_for_newcomer(&server->slots);
    int socket;

    if (slot == NULL) {
        return false;
    }
    socket = server->net->accept(server->net->ctx, server->listener,
                                 qr_slots_number(&server->slots, slot));
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
    note_times(server, qr_slots_open(&server->slots, socket, server->handler, now));
    server->stats->connectionsAccepted++;
    return true;
}

void qr_server_serve(struct qr_server *server, const struct qr_now *now)
{
    uint16_t *senders = server->ready; /* written over those that had their turn */
    size_t n_senders = 0;
    bool knocks = false;

    for (size_t i = 0; i < server->n_ready; i++) {
        uint16_t number = server->ready[i];
        if (number == LISTENER) {
            knocks = true;
        } else if (!has_pending(&server->slots.all[number])) {
            serve_slot(server, &server->slots.all[number], true, false, now);
        } else if (serve_sender(server, &server->slots.all[number], true, now)) {
            senders[n_senders++] = number;
        }
    }
    server->n_ready = 0;
    serve_due(server, now);
    send_on(server, senders, n_senders, now);
    serve_wanting(server, now);
    for (size_t i = 0; knocks && i < QR_CONNS_MAX; i++) {
        knocks = accept_one(server, now);
    }
    serve_news(server, now);
}

uint32_t qr_server_count(const struct qr_server *server, enum qr_conn_state state)
{
    uint32_t count = 0;

    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        count += server->slots.all[i].socket >= 0 && server->slots.all[i].conn.state == state;
    }
    return count;
}

/* ---- stopping ---- */

void qr_server_stop(struct qr_server *server)
{
    server->n_ready = 0;
    server->due_ms = 0; /* those who wait are told */
    if (server->listener >= 0) {
        server->net->close(server->net->ctx, server->listener);
        server->listener = -1;
        server->accepts = false;
    }
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        if (server->slots.all[i].socket >= 0 && qr_conn_idle(&server->slots.all[i].conn)) {
            release(server, &server->slots.all[i]);
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
        if (server->slots.all[i].socket >= 0) {
            release(server, &server->slots.all[i]);
        }
    }
}

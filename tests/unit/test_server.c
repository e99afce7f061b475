/*
 * The server on a network in memory (fake_net.h), with the real api behind it. Time is a number
 * here: where poll finds nothing, the clock is set on by the time that poll was given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_net.h"
#include "src/api.h"
#include "src/server.h"
#include "wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define START_MS 100000u
#define FOREVER  UINT32_MAX

#define CALL_WITH(user, fields)                                                                    \
    "POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\n" fields                           \
    "Content-Length: 31\r\n\r\n{\"groupID\":\"g\",\"userID\":\"" user "\"}"
#define CALL_BY(user) CALL_WITH(user, "") /* user has 4 characters */
#define CALL          CALL_BY("user")
#define POLL          "GET /status?limit=1 HTTP/1.1\r\nHost: a\r\n\r\n"
#define POLL_ALL      "GET /status?limit=65535 HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEALTH        "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"

/* Connections at which replies do not announce a close yet, the new one counted. */
#define CONNS_AT_EASE (QR_CONNS_MAX - QR_CONNS_SPARE)

/* ---- the server ---- */

static uint8_t ring_bytes[QR_RING_MAX];
static uint32_t ring_marks[QR_RING_MARKS(QR_RING_MAX)];
static struct qr_ring ring;
static struct qr_stats stats;
static struct qr_api api;
static struct qr_handler handler;
static struct qr_server server;
static struct qr_now now;
static const struct qr_net *net;

static void start_without_listening(void)
{
    memset(&server, 0xa5, sizeof server); /* it counts on nothing */
    memset(&stats, 0, sizeof stats);
    memset(&api, 0, sizeof api);
    now = (struct qr_now){.uptime_ms = START_MS};
    qr_ring_init(&ring, ring_bytes, sizeof ring_bytes, ring_marks);
    api.ring = &ring;
    api.stats = &stats;
    api.status = (struct qr_status_source){
        .ring = &ring, .stats = &stats, .version = "1", .board = "test", .boot_id = "0"};
    qr_api_handler(&api, &handler);
    net = fake_start();
}

static void start(void)
{
    start_without_listening();
    assert_int_equal(qr_server_open(&server, net, &handler, &stats, 8080), 0);
}

static int setup(void **state)
{
    (void)state;
    start();
    return 0;
}

/* Whatever a test did: nothing was used wrongly, and nothing is left open. */
static int teardown(void **state)
{
    (void)state;
    assert_int_equal(stats.connectionsOpen, fake_open());
    qr_server_close(&server);
    assert_int_equal(fake_open(), 0);
    assert_int_equal(stats.connectionsOpen, 0);
    assert_int_equal(server.slots.n_wanting, 0);
    assert_false(fake_listening());
    assert_string_equal(fake_misuse(), "");
    return 0;
}

static void wait_for(uint32_t max_ms)
{
    qr_server_wait(&server, &now, max_ms);
    assert_true(fake_timeout_ms() <= max_ms);
}

static void serve(void)
{
    qr_server_serve(&server, &now);
    assert_int_equal(stats.connectionsOpen, fake_open());
    assert_true(stats.connectionsOpenMost >= stats.connectionsOpen);
}

static void turn(void)
{
    wait_for(FOREVER);
    serve();
}

/* Turns until nothing is left to do but to wait. Takes no time. */
static void settle(void)
{
    unsigned turns = 0;

    do {
        turn();
        assert_true(++turns < 10000);
    } while (fake_ready() != 0);
}

/* Lets ms pass as the server would sleep through them. */
static void pass(uint64_t ms)
{
    uint64_t end_ms = now.uptime_ms + ms;

    for (unsigned turns = 0; now.uptime_ms < end_ms; turns++) {
        uint64_t left_ms = end_ms - now.uptime_ms;
        wait_for(left_ms < FOREVER ? (uint32_t)left_ms : FOREVER);
        now.uptime_ms += fake_ready() == 0 ? fake_timeout_ms() : 0;
        serve();
        assert_true(turns < 10000); /* it sleeps, and does not spin */
    }
    settle();
}

/* ---- clients ---- */

static struct wire_reply reply;
static size_t read_off[FAKE_CLIENTS];

static int connect_client(void)
{
    int client = fake_connect();

    read_off[client] = 0;
    return client;
}

static void send_text(int client, const char *text)
{
    assert_true(fake_send(client, text, strlen(text)));
}

/* A client that has connected and sent this. */
static int client_with(const char *text)
{
    int client = connect_client();

    send_text(client, text);
    return client;
}

/* Whether a whole reply has come; it is then in reply, and the next one is next. */
static bool has_reply(int client)
{
    enum fake_state state = fake_state(client);
    size_t len;
    const char *bytes = fake_received(client, &len);
    enum wire_result result = wire_read(&reply, bytes + read_off[client], len - read_off[client],
                                        state == FAKE_FIN || state == FAKE_CLOSED, false);

    assert_int_not_equal(result, WIRE_BAD);
    if (result == WIRE_MORE) {
        return false;
    }
    read_off[client] += reply.taken;
    return true;
}

static void assert_reply(int client)
{
    if (!has_reply(client)) {
        fail_msg("client %d has no whole reply", client);
    }
    assert_int_equal(reply.status, 200);
}

static void assert_no_byte_more(int client)
{
    size_t len;

    (void)fake_received(client, &len);
    assert_int_equal(len, read_off[client]);
}

static void assert_state(int client, enum fake_state state)
{
    if (fake_state(client) != state) {
        fail_msg("client %d is in state %d, not %d", client, fake_state(client), state);
    }
}

/* A new client that has had its reply to this and stays. */
static int client_after(const char *request)
{
    int client = client_with(request);

    settle();
    assert_reply(client);
    assert_no_byte_more(client);
    assert_state(client, FAKE_OPEN);
    return client;
}

/* As many connections as there may be, none of which may be given up now: callers first, then some
 * in the middle of a request, within their grace. Returns the first client's number; the others
 * follow. */
static int fill_up(void)
{
    int first = -1;

    for (unsigned i = 0; i < QR_CONNS_MAX; i++) {
        int client = i < CONNS_AT_EASE ? client_after(CALL) : client_with("POST /");
        first = i == 0 ? client : first;
        settle();
        assert_state(client, FAKE_OPEN);
    }
    assert_int_equal(fake_open(), QR_CONNS_MAX);
    return first;
}

/* ---- the plain way ---- */

static void test_server_listens_on_the_port(void **state)
{
    (void)state;
    assert_true(fake_listening());
    assert_int_equal(fake_port(), 8080);
}

static void test_server_says_why_it_cannot_listen(void **state)
{
    static const int errors[] = {QR_NET_IN_USE, QR_NET_NO_MEMORY, QR_NET_FAILED};

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        start_without_listening();
        fake_fail(FAKE_LISTEN, 1, 0, errors[i]);
        assert_int_equal(qr_server_open(&server, net, &handler, &stats, 80), errors[i]);
        qr_server_close(&server);
        assert_string_equal(fake_misuse(), "");
    }
}

static void test_server_serves_several_clients(void **state)
{
    int clients[8];

    (void)state;
    for (size_t i = 0; i < COUNT(clients); i++) {
        clients[i] = client_with(CALL CALL HEALTH);
    }
    turn();
    assert_int_equal(fake_open(), COUNT(clients)); /* all that could be done */
    settle();
    for (size_t i = 0; i < COUNT(clients); i++) {
        assert_reply(clients[i]);
        assert_reply(clients[i]);
        assert_reply(clients[i]);
        assert_string_equal(reply.content, "ok\n");
        assert_state(clients[i], FAKE_OPEN);
    }
    assert_int_equal(ring.last_seq, 16);
    assert_int_equal(stats.connectionsAccepted, 8);
    assert_int_equal(stats.connectionsOpen, 8);
    assert_int_equal(stats.connectionsOpenMost, 8);
    for (size_t i = 0; i < COUNT(clients); i++) {
        fake_fin(clients[i]);
    }
    settle();
    for (size_t i = 0; i < COUNT(clients); i++) {
        assert_state(clients[i], FAKE_CLOSED);
    }
    assert_int_equal(stats.connectionsOpen, 0);
    assert_int_equal(stats.connectionsOpenMost, 8);
    assert_int_equal(stats.connectionsReset, 0);
    assert_int_equal(stats.connectionsDropped, 0);
}

static void test_server_answers_a_client_that_shuts_its_half(void **state)
{
    int client = client_with(POLL);

    (void)state;
    fake_fin(client);
    settle();
    assert_state(client, FAKE_CLOSED);
    assert_reply(client);
    assert_no_byte_more(client);
}

static void test_server_lets_the_client_close_first(void **state)
{
    int client = client_with(CALL_WITH("user", "Connection: close\r\n"));

    (void)state;
    settle();
    assert_reply(client);
    assert_true(reply.close);
    pass(QR_CLOSE_TIMEOUT_MS - 1);
    assert_state(client, FAKE_OPEN);
    fake_fin(client);
    settle();
    assert_state(client, FAKE_CLOSED);
    assert_int_equal(fake_calls(FAKE_FINISH), 0);
}

/* What it still sends is read, so that the close is no reset that takes the reply with it. */
static void test_server_closes_on_a_client_that_does_not(void **state)
{
    int client = client_with("nonsense\r\n\r\n");

    (void)state;
    settle();
    assert_true(has_reply(client));
    assert_int_equal(reply.status, 400);
    for (unsigned ms = 0; ms < QR_CLOSE_TIMEOUT_MS; ms += 100) {
        assert_state(client, FAKE_OPEN);
        send_text(client, "more nonsense that comes late");
        settle();
        assert_int_equal(fake_unread(client), 0);
        pass(100);
    }
    assert_state(client, FAKE_FIN);
    pass(QR_CLOSE_TIMEOUT_MS - 1);
    assert_state(client, FAKE_FIN);
    pass(1);
    assert_state(client, FAKE_CLOSED);
    assert_no_byte_more(client);
    assert_int_equal(stats.connectionsOpen, 0);
}

static void test_server_ends_a_streamed_reply_to_http_1_0_with_its_fin(void **state)
{
    int client = client_with("GET /status HTTP/1.0\r\n\r\n");

    (void)state;
    settle();
    assert_state(client, FAKE_FIN);
    assert_reply(client);
    assert_false(reply.chunked || reply.has_length);
    fake_fin(client);
    settle();
    assert_state(client, FAKE_CLOSED);
}

static void test_server_closes_idle_pollers_and_no_callers(void **state)
{
    int poller = client_after(POLL);
    int caller = client_after(CALL);

    (void)state;
    pass(QR_IDLE_TIMEOUT_MS - 1);
    assert_state(poller, FAKE_OPEN);
    pass(1);
    assert_state(poller, FAKE_CLOSED);
    assert_int_equal(stats.connectionsIdleClosed, 1);
    pass(UINT64_C(5) * 86400000);
    assert_state(caller, FAKE_OPEN);
    send_text(caller, CALL);
    settle();
    assert_reply(caller);
    assert_int_equal(ring.last_seq, 2);
}

static void test_server_frees_the_slot_of_a_client_that_resets(void **state)
{
    static const char *const before[] = {"", "GET /sta", CALL, POLL_ALL,
                                         CALL_WITH("user", "Connection: close\r\n")};

    (void)state;
    for (size_t i = 0; i < COUNT(before); i++) {
        int client = client_with(before[i]);
        fake_set_room(client, 50);
        settle();
        assert_int_equal(stats.connectionsOpen, 1);
        fake_reset(client);
        settle();
        assert_int_equal(stats.connectionsOpen, 0);
        assert_int_equal(stats.connectionsReset, i + 1);
        assert_int_equal(stats.connectionsAccepted, i + 1);
    }
}

static void test_server_survives_a_client_that_resets_before_accept(void **state)
{
    (void)state;
    fake_reset(client_with(CALL));
    (void)client_after(CALL);
    assert_int_equal(ring.last_seq, 1);
}

static void test_server_refuses_late_requests(void **state)
{
    int head = client_with("GET /status HTT");
    int content = client_with("POST /callbackXCommand HTTP/1.1\r\nHost: a\r\n"
                              "Content-Length: 5\r\n\r\n12");
    int silent = connect_client();

    (void)state;
    pass(QR_HEAD_TIMEOUT_MS - 1);
    assert_false(has_reply(head) || has_reply(content));
    assert_state(silent, FAKE_OPEN);
    pass(1);
    assert_true(has_reply(head));
    assert_int_equal(reply.status, 408);
    assert_true(has_reply(content));
    assert_int_equal(reply.status, 408);
    assert_state(silent, FAKE_CLOSED);
    assert_no_byte_more(silent);
}

/* Each way in which a caller's connection ends on our side, but for a stop: a reply says so first,
 * and the client has its time to close. */
static void test_server_closes_a_caller_only_with_a_word(void **state)
{
    static const struct {
        const char *sent;
        uint64_t until_ms;
        unsigned status;
    } rows[] = {
        {"nonsense\r\n\r\n", 0, 400},
        {CALL_WITH("user", "Connection: close\r\n"), 0, 200},
        {CALL_WITH("user", "Content-Length: 9\r\n"), 0, 400},
        {"POST /callback", QR_HEAD_TIMEOUT_MS, 408},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", QR_CONTENT_TIMEOUT_MS, 408},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int caller = client_after(CALL);
        pass(2 * QR_IDLE_TIMEOUT_MS);
        send_text(caller, rows[i].sent);
        settle();
        pass(rows[i].until_ms);
        assert_true(has_reply(caller));
        assert_int_equal(reply.status, rows[i].status);
        assert_true(reply.close);
        pass(QR_CLOSE_TIMEOUT_MS - 1);
        assert_state(caller, FAKE_OPEN);
        pass(1 + QR_CLOSE_TIMEOUT_MS);
        assert_state(caller, FAKE_CLOSED);
    }
    assert_int_equal(stats.connectionsIdleClosed, 0);
    assert_int_equal(stats.connectionsDropped, 0);
}

/* Nor does it lose its connection to a network that cannot do something now. */
static void test_server_keeps_an_idle_caller_through_failures_that_pass(void **state)
{
    static const struct {
        enum fake_call call;
        int result;
    } rows[] = {
        {FAKE_WAIT, QR_NET_NO_MEMORY},   {FAKE_WAIT, QR_NET_FAILED},   {FAKE_WAIT, FAKE_SHORT},
        {FAKE_ACCEPT, QR_NET_NO_MEMORY}, {FAKE_ACCEPT, QR_NET_FAILED},
    };
    int caller = client_after(CALL);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_fail(rows[i].call, 1, 0, rows[i].result);
        (void)client_with(HEALTH);
        for (int turns = 0; turns < 5; turns++) {
            turn();
        }
        assert_true(fake_has_failed());
        pass(QR_ACCEPT_REST_MS);
        assert_state(caller, FAKE_OPEN);
        send_text(caller, CALL);
        settle();
        assert_reply(caller);
        assert_false(reply.close);
    }
}

/* ---- more clients than slots ---- */

static void test_server_serves_waiting_clients_later(void **state)
{
    int first = fill_up();
    int waiting[3];

    (void)state;
    for (size_t i = 0; i < COUNT(waiting); i++) {
        waiting[i] = client_with("POST /");
    }
    pass(QR_GRACE_MS - 1);
    assert_int_equal(stats.connectionsFull, 1); /* one time, however long it lasts */
    for (size_t i = 0; i < COUNT(waiting); i++) {
        for (size_t j = i; j < COUNT(waiting); j++) {
            assert_state(waiting[j], FAKE_WAITING);
        }
        fake_fin(first + (int)i); /* one goes, one comes: who has waited longest */
        settle();
        assert_state(first + (int)i, FAKE_CLOSED);
        assert_state(waiting[i], FAKE_OPEN);
    }
    for (size_t i = 0; i < COUNT(waiting); i++) {
        send_text(waiting[i], &CALL[strlen("POST /")]);
    }
    settle();
    for (size_t i = 0; i < COUNT(waiting); i++) {
        assert_reply(waiting[i]);
    }
    for (int i = (int)COUNT(waiting); i < QR_CONNS_MAX; i++) {
        assert_state(first + i, FAKE_OPEN);
    }
    assert_int_equal(stats.connectionsDropped, 0);
    assert_int_equal(stats.connectionsReset, 0);
    assert_int_equal(stats.connectionsOpenMost, QR_CONNS_MAX);
    assert_int_equal(ring.last_seq, CONNS_AT_EASE + 3);
}

/* Who has its reply, and was told to close, makes room at once: all are served in no time. */
static void test_server_serves_a_crowd_through_one_slot(void **state)
{
    int first = fill_up();
    int waiting[20];

    (void)state;
    for (size_t i = 0; i < COUNT(waiting); i++) {
        waiting[i] = client_with(CALL);
    }
    fake_fin(first);
    settle();
    for (size_t i = 0; i < COUNT(waiting); i++) {
        assert_reply(waiting[i]);
        assert_true(reply.close);
        assert_state(waiting[i], i + 1 < COUNT(waiting) ? FAKE_CLOSED : FAKE_OPEN);
    }
    assert_int_equal(stats.connectionsDropped, COUNT(waiting) - 1);
}

static void test_server_counts_each_time_that_it_is_full(void **state)
{
    int first = fill_up();

    (void)state;
    assert_int_equal(stats.connectionsFull, 1);
    fake_fin(first);
    settle();
    assert_int_equal(stats.connectionsFull, 1);
    (void)client_with("GET ");
    settle();
    turn();
    assert_int_equal(fake_open(), QR_CONNS_MAX);
    assert_int_equal(stats.connectionsFull, 2);
}

/* The listener is left alone: an accept without a slot would be a reset. */
static void test_server_accepts_none_beyond_its_slots(void **state)
{
    unsigned accepts;

    (void)state;
    (void)fill_up();
    turn();
    accepts = fake_calls(FAKE_ACCEPT);
    (void)client_with(CALL);
    for (int i = 0; i < 5; i++) {
        turn();
        assert_false(fake_listener_watched());
        assert_int_equal(fake_ready(), 0); /* and does not spin */
    }
    assert_int_equal(fake_calls(FAKE_ACCEPT), accepts);
}

static void test_server_gives_up_the_most_expendable_first(void **state)
{
    int pollers[3], reader, fresh[2], closing[2], callers[CONNS_AT_EASE - 6],
        busy[QR_CONNS_SPARE - 2];
    int newcomer;

    (void)state;
    /* all kinds at once, so that the table is full: for longer, the smaller the index */
    for (size_t i = 0; i < COUNT(callers); i++) {
        callers[i] = client_after(CALL);
    }
    for (size_t i = 0; i < COUNT(pollers); i++) {
        now.uptime_ms += 10;
        pollers[i] = client_after(POLL);
    }
    reader = connect_client();
    fake_set_room(reader, 10);
    send_text(reader, POLL);
    for (size_t i = 0; i < COUNT(fresh); i++) {
        now.uptime_ms += 10;
        fresh[i] = connect_client();
        settle();
    }
    for (size_t i = 0; i < COUNT(busy); i++) {
        now.uptime_ms += 10;
        busy[i] = client_with(i % 2 == 0 ? "POST /" : "\r\nG");
        settle();
    }
    now.uptime_ms += QR_GRACE_MS;
    closing[1] = connect_client(); /* it came before the other, and asks later */
    settle();
    closing[0] = connect_client();
    for (size_t i = 0; i < COUNT(closing); i++) {
        now.uptime_ms += 10;
        send_text(closing[i], i == 0 ? CALL : POLL);
        settle();
        assert_reply(closing[i]);
        assert_true(reply.close);
    }
    assert_int_equal(fake_open(), QR_CONNS_MAX);
    {
        int order[COUNT(closing) + COUNT(fresh) + COUNT(busy) + COUNT(pollers) + 1];
        size_t n = 0;
        order[n++] = closing[0];
        order[n++] = closing[1];
        order[n++] = fresh[0];
        order[n++] = fresh[1];
        for (size_t i = 0; i < COUNT(busy); i++) {
            order[n++] = busy[i];
        }
        for (size_t i = 0; i < COUNT(pollers); i++) {
            order[n++] = pollers[i];
        }
        order[n++] = reader;
        for (size_t i = 0; i < n; i++) {
            assert_state(order[i], FAKE_OPEN);
            newcomer = client_with("POST /"); /* to be the next in mid-request */
            settle();
            assert_state(newcomer, FAKE_OPEN);
            assert_true(fake_state(order[i]) >= FAKE_CLOSED);
            assert_int_equal(stats.connectionsDropped, i + 1);
            for (size_t j = i + 1; j < n; j++) {
                assert_state(order[j], FAKE_OPEN);
            }
        }
    }
    newcomer = client_with(CALL);
    settle();
    assert_state(newcomer, FAKE_WAITING);
    assert_int_equal(stats.connectionsFull, 1);
    for (size_t i = 0; i < COUNT(callers); i++) {
        assert_state(callers[i], FAKE_OPEN);
    }
}

/* Not the slot counts, nor who came first, but how long ago the last reply was. */
static void test_server_gives_up_the_longest_idle_poller(void **state)
{
    int pollers[CONNS_AT_EASE];

    (void)state;
    for (size_t i = 0; i < COUNT(pollers); i++) {
        pollers[i] = client_after(POLL);
    }
    for (size_t i = COUNT(pollers); i-- > 0;) {
        now.uptime_ms += 10;
        send_text(pollers[i], POLL);
        settle();
        assert_reply(pollers[i]);
    }
    for (size_t i = COUNT(pollers); i < QR_CONNS_MAX; i++) {
        (void)client_with("POST /");
    }
    settle();
    for (size_t i = COUNT(pollers); i-- > 0;) {
        assert_state(pollers[i], FAKE_OPEN);
        (void)client_with("POST /");
        settle();
        assert_state(pollers[i], FAKE_CLOSED);
    }
    assert_int_equal(stats.connectionsDropped, COUNT(pollers));
    assert_int_equal(server.slots.grace_ms, QR_GRACE_MS); /* nobody was slow */
}

/* A table full of connections that bring no request, or take no reply. Returns the first one, which
 * is also the first to be given up. */
static int fill_with(const char *what, size_t room)
{
    int first = -1;

    for (int i = 0; i < QR_CONNS_MAX; i++) {
        int client = connect_client();
        first = i == 0 ? client : first;
        fake_set_room(client, room);
        send_text(client, what);
    }
    settle();
    assert_int_equal(fake_open(), QR_CONNS_MAX);
    assert_int_equal(stats.connectionsDropped, 0);
    return first;
}

static const struct {
    const char *sent;
    size_t room;
    enum fake_state end;
} stuck[] = {
    {"", SIZE_MAX, FAKE_CLOSED},           /* never speaks */
    {"POST /call", SIZE_MAX, FAKE_CLOSED}, /* a slow head */
    {"POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\n{",
     SIZE_MAX, FAKE_CLOSED}, /* slow content */
    {POLL, 10, FAKE_RESET},  /* a slow reader: what it has not taken is forgotten */
};

static void test_server_gives_up_nobody_within_the_grace_and_then_the_longest(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(stuck); i++) {
        int first, newcomer;
        start();
        first = fill_with(stuck[i].sent, stuck[i].room);
        newcomer = client_with(CALL);
        pass(QR_GRACE_MS - 1);
        assert_state(newcomer, FAKE_WAITING);
        assert_int_equal(stats.connectionsDropped, 0);
        assert_int_equal(stats.connectionsFull, 1);
        pass(1);
        assert_reply(newcomer);
        assert_state(first, stuck[i].end);
        assert_int_equal(stats.connectionsDropped, 1);
        assert_int_equal(fake_open(), QR_CONNS_MAX);
    }
}

/* A network that has not taken all that came lets nobody look slow; not for ever, since a flood may
 * keep it so. */
static void test_server_gives_up_nobody_of_whom_more_may_wait(void **state)
{
    int newcomer;

    (void)state;
    (void)fill_with("", SIZE_MAX);
    newcomer = client_with(CALL);
    fake_set_behind(true);
    for (unsigned ms = 0; ms < 2 * QR_GRACE_MS; ms++) {
        turn();
        assert_state(newcomer, FAKE_WAITING);
        now.uptime_ms++;
    }
    assert_int_equal(stats.connectionsDropped, 0);
    turn();
    turn();
    assert_reply(newcomer);
}

/* The grace of a request begins with it; that of a new connection's first one, with the connection.
 */
static void test_server_counts_the_grace_from_a_requests_first_byte(void **state)
{
    int poller = client_after(POLL);
    int fresh = connect_client();
    int newcomer;

    (void)state;
    for (int i = 2; i < QR_CONNS_MAX; i++) {
        (void)client_with(i < CONNS_AT_EASE ? CALL : "");
        settle();
    }
    now.uptime_ms += QR_GRACE_MS / 2;
    send_text(poller, "GET /");
    send_text(fresh, "GET /");
    settle();
    for (int i = CONNS_AT_EASE; i < QR_CONNS_MAX; i++) { /* all that came with fresh, and fresh */
        (void)client_with("");
    }
    newcomer = client_with("");
    pass(QR_GRACE_MS - QR_GRACE_MS / 2);
    assert_state(fresh, FAKE_CLOSED);
    assert_state(poller, FAKE_OPEN);
    assert_state(newcomer, FAKE_OPEN);
}

static void test_server_counts_a_readers_grace_from_its_reply(void **state)
{
    int reader = connect_client();
    int newcomer;

    (void)state;
    fake_set_room(reader, 10);
    for (int i = 1; i < CONNS_AT_EASE; i++) {
        (void)client_after(CALL);
    }
    pass(QR_GRACE_MS / 2);
    send_text(reader, POLL);
    for (int i = CONNS_AT_EASE; i < QR_CONNS_MAX; i++) {
        newcomer = client_with("POST /");
    }
    settle();
    newcomer = client_with(CALL);
    pass(QR_GRACE_MS - 1);
    assert_state(reader, FAKE_OPEN);
    assert_state(newcomer, FAKE_WAITING);
    pass(1);
    assert_reply(newcomer);
}

/* A flood of connections that use up the grace shortens it for those that follow: who comes with a
 * request soon need not wait. */
static void test_server_shortens_the_grace_while_many_use_it_up(void **state)
{
    uint64_t begin_ms;

    (void)state;
    for (size_t i = 0; i < COUNT(stuck); i++) {
        int newcomer = -1;
        start();
        (void)fill_with(stuck[i].sent, stuck[i].room);
        begin_ms = now.uptime_ms;
        for (int round = 0; round < 200; round++) { /* attackers, and one who is not, behind them */
            int attacker = connect_client();
            fake_set_room(attacker, stuck[i].room);
            send_text(attacker, stuck[i].sent);
        }
        newcomer = client_with(CALL);
        pass(QR_GRACE_MS);
        for (int turns = 0; !has_reply(newcomer); turns++) {
            pass(1);
            assert_true(turns < 1000);
        }
        assert_in_range(now.uptime_ms - begin_ms, QR_GRACE_MS, 3 * QR_GRACE_MS);
        assert_int_equal(server.slots.grace_ms, QR_GRACE_LEAST_MS);
    }
}

/* Within the whole grace they are alike: it is the longest so who goes, whatever it is slow at. */
static void test_server_gives_up_old_readers_rather_than_a_young_request(void **state)
{
    int half;

    (void)state;
    (void)fill_with(POLL, 10);
    for (int i = 0; i < 3 * QR_CONNS_MAX; i++) {
        int reader = client_with(POLL);
        fake_set_room(reader, 10);
    }
    pass(2 * QR_GRACE_MS);
    assert_int_equal(server.slots.grace_ms, QR_GRACE_LEAST_MS);
    half = client_with("POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 5; i++) {
        int reader = connect_client();
        fake_set_room(reader, 10);
        send_text(reader, POLL);
        pass(QR_GRACE_LEAST_MS);
    }
    send_text(half, "Content-Length: 31\r\n\r\n{\"groupID\":\"g\",\"userID\":\"user\"}");
    settle();
    assert_reply(half);
}

static void test_server_has_its_whole_grace_again_after_a_rest(void **state)
{
    int newcomer;

    (void)state;
    (void)fill_with("", SIZE_MAX);
    for (int i = 0; i < 3 * QR_CONNS_MAX; i++) {
        (void)connect_client();
    }
    pass(2 * QR_GRACE_MS);
    assert_int_equal(server.slots.grace_ms, QR_GRACE_LEAST_MS);
    now.uptime_ms += QR_HEAD_TIMEOUT_MS; /* all are late, and go */
    settle();
    assert_int_equal(fake_open(), 0);
    (void)fill_up();
    newcomer = client_with(CALL);
    pass(QR_GRACE_MS - 1);
    assert_state(newcomer, FAKE_WAITING);
    pass(1);
    assert_reply(newcomer);
}

/* However short the grace, and however many come at once: each is looked at. */
static void test_server_looks_at_each_before_it_is_given_up(void **state)
{
    int callers[8];

    (void)state;
    (void)fill_with("", SIZE_MAX);
    for (int i = 0; i < 2 * QR_CONNS_MAX; i++) {
        (void)connect_client();
    }
    pass(2 * QR_GRACE_MS);
    assert_int_equal(server.slots.grace_ms, QR_GRACE_LEAST_MS);
    for (size_t i = 0; i < COUNT(callers); i++) {
        callers[i] = client_with(CALL);
        for (int j = 0; j < QR_CONNS_MAX; j++) {
            (void)connect_client();
        }
    }
    pass(20 * QR_GRACE_LEAST_MS);
    for (size_t i = 0; i < COUNT(callers); i++) {
        assert_reply(callers[i]);
    }
}

/* ---- whoever comes, and does whatever, in any order ---- */

/* SplitMix64 */
static uint64_t random_state;

static unsigned random_below(unsigned n)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ z >> 31) % n);
}

/* Someone, who may be badly brought up. */
struct guest {
    int client;
    bool asked;  /* all of a request, and the reply is not there yet */
    bool caller; /* its last request was a callback; the reply promised to keep the connection */
};

static void guest_comes(struct guest *guest)
{
    *guest = (struct guest){.client = connect_client()};
    fake_set_room(guest->client, random_below(8) == 0 ? 20 : SIZE_MAX);
}

/* Sends something or nothing, or goes. */
static void guest_acts(struct guest *guest)
{
    static const char *const texts[] = {CALL, CALL, CALL, POLL, "POST /callback", "", "x\r\n\r\n"};
    unsigned what = random_below(COUNT(texts) + 2);

    if (fake_state(guest->client) >= FAKE_FIN || what == COUNT(texts)) {
        fake_fin(guest->client); /* at once, or when told to */
        guest_comes(guest);
    } else if (what > COUNT(texts)) {
        fake_reset(guest->client);
        guest_comes(guest);
    } else if (!guest->asked && texts[what][0] != '\0') {
        send_text(guest->client, texts[what]);
        guest->asked = true;
        guest->caller = false;
        if (what > 3) { /* never to be whole: a while to wait, and another comes */
            guest_comes(guest);
        }
    }
}

static void guest_looks(struct guest *guest)
{
    if (guest->asked && has_reply(guest->client)) {
        guest->asked = false;
        guest->caller = !reply.close && strstr(reply.content, "actionCode") != NULL;
    }
}

static unsigned callers_kept(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        const struct qr_slot *slot = &server.slots.all[i];
        n += slot->socket >= 0 && slot->conn.use == QR_CONN_CALLER &&
             slot->conn.state != QR_CONN_CLOSING;
    }
    return n;
}

/* Idle callers are never closed, and yet never so many that nobody else comes in. */
static void test_server_keeps_every_caller_and_a_slot_for_others_in_any_order(void **state)
{
    static struct guest guests[2 * QR_CONNS_MAX];

    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        unsigned most = 0;
        start();
        random_state = seed;
        for (size_t i = 0; i < COUNT(guests); i++) {
            guest_comes(&guests[i]);
        }
        for (unsigned step = 0; step < 500; step++) {
            guest_acts(&guests[random_below(COUNT(guests))]);
            pass(random_below(4) == 0 ? random_below(700) : 0);
            for (size_t i = 0; i < COUNT(guests); i++) {
                guest_looks(&guests[i]);
                if (guests[i].caller && !guests[i].asked) {
                    assert_state(guests[i].client, FAKE_OPEN);
                }
            }
            most = callers_kept() > most ? callers_kept() : most;
        }
        assert_in_range(most, 1, CONNS_AT_EASE);
        {
            int newcomer = client_with(CALL);
            pass((uint64_t)QR_GRACE_MS * COUNT(guests) / QR_CONNS_SPARE);
            assert_reply(newcomer);
        }
        assert_int_equal(stats.connectionsIdleClosed + stats.connectionsDropped > 0, true);
        (void)teardown(NULL);
    }
}

/* As OpenIM does it, with more services than there are slots; some of them stay away for long. */
static void test_server_serves_four_callers_for_each_slot_beside_pollers(void **state)
{
    enum { CALLERS = 4 * QR_CONNS_MAX, POLLERS = QR_CONNS_MAX / 2, ROUNDS = 6 };
    static struct guest guests[CALLERS + POLLERS];
    static uint64_t asks_ms[CALLERS + POLLERS];
    unsigned replies = 0;

    (void)state;
    random_state = 4;
    for (size_t i = 0; i < COUNT(guests); i++) {
        guests[i].client = -1;
        asks_ms[i] =
            now.uptime_ms + random_below(i % 2 == 0 ? 10 : 3000); /* half of them at once */
    }
    while (replies < CALLERS * ROUNDS) {
        for (size_t i = 0; i < COUNT(guests); i++) {
            struct guest *guest = &guests[i];
            if (guest->asked && has_reply(guest->client)) {
                assert_int_equal(reply.status, 200);
                replies += i < CALLERS;
                guest->asked = false;
                asks_ms[i] = now.uptime_ms + random_below(6000);
                if (reply.close) {
                    fake_fin(guest->client);
                    guest->client = -1;
                }
            } else if (guest->asked) {
                assert_true(fake_state(guest->client) < FAKE_CLOSED);
                assert_true(now.uptime_ms < asks_ms[i] + 5000); /* the caller's patience */
            } else if (asks_ms[i] <= now.uptime_ms) {
                if (guest->client < 0 || fake_state(guest->client) >= FAKE_FIN) {
                    assert_true(guest->client < 0 || i >= CALLERS);
                    guest->client = connect_client();
                }
                send_text(guest->client, i < CALLERS ? CALL : POLL);
                guest->asked = true;
                asks_ms[i] = now.uptime_ms;
            }
        }
        turn();
        now.uptime_ms += 5;
    }
    assert_int_equal(stats.connectionsReset, 0);
    assert_int_equal(ring.last_seq, stats.stored);
    assert_in_range(stats.stored, CALLERS * ROUNDS, CALLERS * (ROUNDS + 1));
}

/* Its bytes are there when the newcomer knocks: a request is not thrown away for a connection. */
static void test_server_reads_before_it_gives_up(void **state)
{
    int pollers[CONNS_AT_EASE];
    int newcomer;

    (void)state;
    for (size_t i = 0; i < COUNT(pollers); i++) {
        pollers[i] = client_after(POLL);
    }
    for (size_t i = COUNT(pollers); i < QR_CONNS_MAX; i++) {
        (void)client_with("POST /");
    }
    settle();
    for (size_t i = 0; i < COUNT(pollers); i++) {
        send_text(pollers[i], "POST /callback"); /* callers from now on */
    }
    newcomer = client_with(CALL);
    settle();
    assert_state(newcomer, FAKE_WAITING);
    for (size_t i = 0; i < COUNT(pollers); i++) {
        assert_state(pollers[i], FAKE_OPEN);
    }
}

static void test_server_announces_the_close_when_slots_run_short(void **state)
{
    int early = client_after(CALL);
    int late;

    (void)state;
    for (unsigned i = 1; i < CONNS_AT_EASE; i++) {
        int client = client_after(CALL);
        assert_false(reply.close); /* free slots: QR_CONNS_SPARE at least */
        assert_state(client, FAKE_OPEN);
    }
    late = client_with(CALL);
    settle();
    assert_reply(late);
    assert_true(reply.close);
    /* whoever asks now, however long it has been here */
    send_text(early, CALL);
    settle();
    assert_reply(early);
    assert_true(reply.close);
    fake_fin(late);
    fake_fin(early);
    settle();
    assert_state(late, FAKE_CLOSED);
    assert_state(early, FAKE_CLOSED);
    (void)client_after(CALL);
    assert_false(reply.close);
    assert_int_equal(stats.connectionsDropped, 0);
}

static void test_server_rests_when_the_network_has_no_memory_to_accept(void **state)
{
    static const int errors[] = {QR_NET_NO_MEMORY, QR_NET_FAILED};

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        int caller, client;
        unsigned accepts;
        start();
        caller = client_after(CALL);
        fake_fail(FAKE_ACCEPT, 1, 0, errors[i]);
        client = client_with(CALL);
        turn();
        accepts = fake_calls(FAKE_ACCEPT);
        assert_true(errors[i] != QR_NET_NO_MEMORY || stats.networkNoMemory == 1);
        wait_for(FOREVER);
        assert_int_equal(fake_ready(), 0);
        assert_false(fake_listener_watched());
        assert_int_equal(fake_timeout_ms(), QR_ACCEPT_REST_MS);
        serve();
        /* those who are in are served meanwhile */
        send_text(caller, CALL);
        settle();
        assert_reply(caller);
        pass(QR_ACCEPT_REST_MS - 1);
        assert_int_equal(fake_calls(FAKE_ACCEPT), accepts);
        assert_state(client, FAKE_WAITING);
        pass(1);
        assert_reply(client);
        assert_int_equal(stats.connectionsFull, 0);
    }
}

/* No connection is given up for one that then does not come. */
static void test_server_keeps_all_when_accept_gives_none(void **state)
{
    static const int errors[] = {QR_NET_NO_MEMORY, QR_NET_AGAIN};
    int poller = -1;

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        start();
        poller = client_after(POLL);
        for (int n = 1; n < QR_CONNS_MAX; n++) {
            (void)client_with("POST /");
        }
        settle();
        fake_fail(FAKE_ACCEPT, 1, 0, errors[i]);
        (void)client_with(CALL);
        turn();
        assert_true(fake_has_failed());
        assert_state(poller, FAKE_OPEN);
        assert_int_equal(stats.connectionsDropped, 0);
        pass(QR_ACCEPT_REST_MS);
        assert_state(poller, FAKE_CLOSED);
        assert_int_equal(stats.connectionsDropped, 1);
    }
}

/* ---- one client and the others ---- */

/* Fills the ring, so that the whole document is as large as it gets. */
static void fill_ring(void)
{
    struct qr_quit quit = {.group_id = "g", .user_id = "user", .group_id_len = 1, .user_id_len = 4};

    while (qr_ring_overwritten(&ring) == 0) {
        (void)qr_ring_put(&ring, &quit, &now);
    }
}

static void test_server_serves_others_beside_a_huge_document(void **state)
{
    int greedy = client_with("");
    int other = client_after(CALL);
    unsigned sends, turns = 0;

    (void)state;
    fill_ring();
    send_text(greedy, POLL_ALL); /* its turn comes before the other's */
    do {
        send_text(other, CALL);
        sends = fake_sends_to(greedy);
        turn();
        assert_reply(other); /* within this one turn */
        assert_in_range(fake_sends_to(greedy) - sends, 1, QR_SENDS_A_TURN);
        turns++;
    } while (!has_reply(greedy));
    assert_int_equal(reply.status, 200);
    assert_true(reply.content_len > 20000);
    assert_true(turns > 2);
}

static void test_server_serves_others_beside_many_pipelined_requests(void **state)
{
    enum { ASKED = 50 };
    int greedy = client_with("");
    int other = client_after(CALL);
    unsigned sends, turns = 0;

    (void)state;
    for (int i = 0; i < ASKED; i++) {
        send_text(greedy, HEALTH);
    }
    for (int got = 0; got < ASKED; turns++) {
        send_text(other, CALL);
        sends = fake_sends_to(greedy);
        turn();
        assert_reply(other);
        assert_true(fake_sends_to(greedy) - sends <= QR_SENDS_A_TURN);
        while (has_reply(greedy)) {
            got++;
        }
        assert_true(turns < 100);
    }
}

static void test_server_holds_nobody_up_for_a_slow_reader(void **state)
{
    int slow = connect_client();
    int other = client_after(CALL);

    (void)state;
    fill_ring();
    fake_set_room(slow, 1000);
    send_text(slow, POLL_ALL);
    turn();
    send_text(slow, HEALTH);
    for (int i = 0; i < 50; i++) {
        send_text(other, CALL);
        turn();
        assert_reply(other);
        turn();
        assert_int_equal(fake_ready(), 0); /* the slow one's next request does not make it spin */
    }
    /* one that reads on, though slowly, gets all of it */
    for (int i = 0; !has_reply(slow); i++) {
        fake_set_room(slow, 1500);
        pass(100);
        assert_true(i < 200);
    }
    fake_set_room(slow, SIZE_MAX);
    settle();
    assert_reply(slow);
    assert_string_equal(reply.content, "ok\n");
}

/* Where even a 100 (Continue) does not go out, its sender's bytes must not make the loop spin. */
static void test_server_sleeps_while_a_100_cannot_be_sent(void **state)
{
    static const char head[] = "POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\n"
                               "Expect: 100-continue\r\nContent-Length: 31\r\n\r\n";
    int client = connect_client();
    int fleeting = connect_client();

    (void)state;
    fake_set_room(client, 0);
    fake_set_room(fleeting, 0);
    send_text(client, head);
    send_text(fleeting, head);
    settle();
    fake_reset(fleeting);
    settle();
    assert_int_equal(fake_open(), 1);
    send_text(client, "{\"groupID\":\"g\",");
    for (int i = 0; i < 5; i++) {
        turn();
    }
    assert_int_equal(fake_ready(), 0);
    send_text(client, "\"userID\":\"user\"}");
    fake_set_room(client, SIZE_MAX);
    settle();
    assert_true(has_reply(client));
    assert_int_equal(reply.status, 100);
    assert_reply(client);
    assert_int_equal(ring.last_seq, 1);
}

static void test_server_cuts_off_a_reader_that_is_too_slow(void **state)
{
    int slow = connect_client();
    int other = client_after(CALL);
    uint64_t begin_ms = now.uptime_ms;

    (void)state;
    fake_set_room(slow, 10);
    send_text(slow, POLL);
    settle();
    while (now.uptime_ms < begin_ms + QR_REPLY_TIMEOUT_MS - 1) {
        assert_state(slow, FAKE_OPEN);
        fake_set_room(slow, 1);
        pass(now.uptime_ms + 1000 < begin_ms + QR_REPLY_TIMEOUT_MS ? 1000 : 999);
    }
    assert_state(slow, FAKE_OPEN);
    pass(1);
    assert_state(slow, FAKE_RESET); /* nothing of it is kept to be sent */
    assert_int_equal(stats.timeouts, 1);
    assert_state(other, FAKE_OPEN);
}

/* A call costs time on a small machine: nothing is done for those who have nothing to do. */
static void test_server_leaves_alone_who_is_not_ready(void **state)
{
    int busy = -1;
    unsigned recvs, sends, watches;

    (void)state;
    for (int i = 0; i < 5; i++) {
        busy = client_after(CALL);
        (void)connect_client();
    }
    settle();
    recvs = fake_calls(FAKE_RECV);
    sends = fake_calls(FAKE_SEND);
    watches = fake_calls(FAKE_WATCH);
    send_text(busy, CALL);
    turn();
    assert_reply(busy);
    assert_int_equal(fake_calls(FAKE_WATCH), watches);
    assert_int_equal(fake_calls(FAKE_RECV), recvs + 1);
    assert_int_equal(fake_calls(FAKE_SEND), sends + 1);
    turn();
    assert_int_equal(fake_calls(FAKE_RECV), recvs + 1);
    assert_int_equal(fake_calls(FAKE_SEND), sends + 1);
}

/* ---- how long it waits ---- */

static void assert_waits(uint32_t max_ms, uint32_t expected_ms)
{
    wait_for(max_ms);
    assert_int_equal(fake_ready(), 0);
    assert_int_equal(fake_timeout_ms(), expected_ms);
    serve();
}

static void test_server_waits_as_long_as_it_may_for_nothing(void **state)
{
    (void)state;
    assert_waits(1234, 1234);
    assert_waits(0, 0);
    (void)client_after(CALL); /* has no deadline */
    assert_waits(4321, 4321);
    wait_for(FOREVER);
    assert_true(fake_timeout_ms() >= 10000);
}

static void test_server_waits_until_the_deadline(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t expected_ms;
    } rows[] = {
        {"", QR_HEAD_TIMEOUT_MS},
        {"GET /sta", QR_HEAD_TIMEOUT_MS},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", QR_CONTENT_TIMEOUT_MS},
        {CALL "P", QR_HEAD_TIMEOUT_MS},
        {"nonsense\r\n\r\n", QR_CLOSE_TIMEOUT_MS},
        {"GET /status HTTP/1.0\r\n\r\n", QR_CLOSE_TIMEOUT_MS},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        start();
        (void)client_after(CALL);
        (void)client_with(rows[i].bytes);
        settle();
        assert_waits(FOREVER, rows[i].expected_ms);
        now.uptime_ms += 123;
        assert_waits(FOREVER, rows[i].expected_ms - 123);
        assert_waits(100, 100);
        now.uptime_ms += rows[i].expected_ms - 123 + 5; /* late: at once */
        wait_for(FOREVER);
        assert_int_equal(fake_timeout_ms(), 0);
        serve();
    }
}

static void test_server_waits_until_an_idle_poller_or_a_slow_reader_is_late(void **state)
{
    (void)state;
    now.uptime_ms += 7;
    (void)client_after(POLL);
    now.uptime_ms += 20000;
    assert_waits(FOREVER, QR_IDLE_TIMEOUT_MS - 20000);
    fake_set_room(client_with(POLL), 5);
    settle();
    now.uptime_ms += 30000;
    assert_waits(FOREVER, QR_IDLE_TIMEOUT_MS - 50000);
    pass(QR_IDLE_TIMEOUT_MS - 50000); /* the poller goes */
    assert_int_equal(fake_open(), 1);
    assert_waits(FOREVER, QR_REPLY_TIMEOUT_MS - 40000);
}

static void test_server_waits_until_the_nearest_deadline(void **state)
{
    static const uint32_t steps_ms[] = {500, 300, 100};

    (void)state;
    for (size_t i = 0; i < COUNT(steps_ms); i++) { /* the middle of the table is the nearest */
        (void)client_with(i == 1 ? "nonsense\r\n\r\n" : "");
        settle();
        now.uptime_ms += steps_ms[i];
    }
    assert_waits(FOREVER, QR_CLOSE_TIMEOUT_MS - 400);
    pass(QR_CLOSE_TIMEOUT_MS - 400); /* its FIN goes out */
    assert_waits(FOREVER, QR_CLOSE_TIMEOUT_MS);
}

static void test_server_looks_again_when_a_slot_may_have_come_free(void **state)
{
    (void)state;
    for (int i = 0; i < QR_CONNS_MAX; i++) {
        (void)connect_client();
    }
    settle();
    wait_for(FOREVER);
    assert_in_range(fake_timeout_ms(), 1, QR_GRACE_MS);
    serve();
}

/* ---- a network that fails ---- */

static void test_server_looks_at_all_when_poll_fails(void **state)
{
    static const int errors[] = {QR_NET_NO_MEMORY, QR_NET_FAILED};

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        int old, client;
        start();
        old = client_after(CALL);
        send_text(old, CALL);
        client = client_with(CALL);
        fake_fail(FAKE_WAIT, 1, 0, errors[i]);
        turn();
        assert_true(fake_has_failed());
        assert_reply(old);
        assert_state(client, FAKE_OPEN);
        assert_int_equal(stats.networkNoMemory, errors[i] == QR_NET_NO_MEMORY ? 1 : 0);
        fake_fail(FAKE_WAIT, 1, 1, errors[i]); /* and for ever */
        for (int turns = 0; turns < 5; turns++) {
            turn();
        }
        assert_reply(client);
        assert_int_equal(stats.connectionsReset, 0);
        fake_fail(FAKE_WAIT, 0, 0, 0);
    }
}

static void test_server_sends_all_by_single_bytes(void **state)
{
    int client = client_with(CALL POLL HEALTH);

    (void)state;
    fake_fail(FAKE_SEND, 1, 1, FAKE_SHORT);
    settle();
    assert_reply(client);
    assert_reply(client);
    assert_true(reply.chunked);
    assert_reply(client);
    assert_string_equal(reply.content, "ok\n");
    assert_no_byte_more(client);
}

static void test_server_counts_what_passes_and_goes_on(void **state)
{
    int client = client_with(CALL POLL);

    (void)state;
    fake_fail(FAKE_RECV, 1, 0, QR_NET_NO_MEMORY);
    settle();
    assert_int_equal(stats.networkNoMemory, 1);
    assert_reply(client);
    assert_reply(client);
    send_text(client, POLL);
    fake_fail(FAKE_SEND, 1, 0, QR_NET_NO_MEMORY);
    settle();
    assert_int_equal(stats.networkNoMemory, 2);
    assert_reply(client);
    send_text(client, POLL);
    fake_fail(FAKE_SEND, 1, 2, QR_NET_AGAIN);
    settle();
    assert_reply(client);
    assert_int_equal(stats.networkNoMemory, 2);
    assert_int_equal(stats.connectionsReset, 0);
    assert_state(client, FAKE_OPEN);
}

/* ---- any call fails in any way, in the middle of everything ---- */

/* A client that works through its requests, each when the reply before it is whole. A reply that
 * says close, or a connection closed before the request was sent, makes it connect anew. */
struct actor {
    const char *const *requests; /* NULL: no more; behind a "!": sent, and a reset at once */
    int client;                  /* -1: not connected */
    size_t next;
    bool asked;   /* requests[next] was sent, all of it */
    bool ended;   /* nothing more to do */
    bool cheated; /* it was closed or reset in the middle of a request */
    unsigned replies;
};

#define EXPECTING                                                                                  \
    "POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"          \
    "Content-Length: 31\r\n\r\n"

static const char *const scripts[][6] = {
    {CALL_BY("ua01"), CALL_BY("ua02"), CALL_BY("ua03"), CALL_BY("ua04"), NULL},
    {POLL_ALL, CALL_BY("ub01"), POLL, HEALTH, NULL},
    {"GET /status HTTP/1.0\r\n\r\n", CALL_BY("uc01"), NULL},
    {CALL_WITH("ud01", "Connection: close\r\n"), CALL_BY("ud02"), NULL},
    {"POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "1f\r\n{\"groupID\":\"g\",\"userID\":\"ue01\"}\r\n0\r\n\r\n",
     "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", CALL_BY("ue02"), NULL},
    {EXPECTING, "{\"groupID\":\"g\",\"userID\":\"uf01\"}", CALL_BY("uf02"), NULL},
    {CALL_BY("ug01"), "!POST /callback", NULL},
    {"nonsense\r\n\r\n", CALL_BY("uh01"), NULL},
};

#define ACTORS_MAX (QR_CONNS_MAX + 8)

static struct actor actors[ACTORS_MAX];
static size_t n_actors;

static void actor_done(struct actor *actor)
{
    if (actor->client >= 0) {
        fake_fin(actor->client);
    }
    actor->ended = true;
}

static void actor_send(struct actor *actor)
{
    const char *request = actor->requests[actor->next];

    if (request == NULL) {
        actor_done(actor);
        return;
    }
    if (actor->client < 0) {
        actor->client = connect_client();
    }
    send_text(actor->client, request + (request[0] == '!'));
    actor->asked = true;
    if (request[0] == '!') {
        fake_reset(actor->client);
        actor->ended = true;
    }
}

/* The status that is right for a request. */
static unsigned status_for(const char *request)
{
    if (strcmp(request, EXPECTING) == 0) {
        return 100;
    }
    if (strstr(request, "/nothing") != NULL) {
        return 404;
    }
    return request[0] == 'n' ? 400 : 200;
}

static void actor_take_reply(struct actor *actor)
{
    const char *request = actor->requests[actor->next];

    assert_int_equal(reply.status, status_for(request));
    assert_true(reply.status == 100 || reply.content_len > 0);
    actor->replies++;
    actor->next++;
    actor->asked = false;
    if (reply.close) {
        fake_fin(actor->client);
        actor->client = -1;
    }
}

/* Does what the client would do now. */
static void actor_act(struct actor *actor)
{
    if (actor->ended) {
        return;
    }
    if (actor->client >= 0) { /* one reads slowly, so that sends would block */
        fake_set_room(actor->client, actor->requests == scripts[1] ? 300 : SIZE_MAX);
    }
    if (actor->asked && has_reply(actor->client)) {
        actor_take_reply(actor);
    }
    if (actor->client >= 0 && fake_state(actor->client) >= FAKE_CLOSED) {
        const char *request = actor->requests[actor->next];
        if (actor->asked || (request != NULL && request[0] == '{')) {
            actor->cheated = actor->ended = true;
            return;
        }
        actor->client = -1; /* it was idle: the next request goes over a new one */
    }
    if (!actor->asked) {
        actor_send(actor);
    }
}

/* All clients act and the server serves until everyone has ended. Returns the turns. */
static void play(size_t n)
{
    n_actors = n;
    for (size_t i = 0; i < n; i++) {
        actors[i] = (struct actor){.requests = scripts[i % COUNT(scripts)], .client = -1};
    }
    for (unsigned turns = 0;; turns++) {
        bool all_ended = true;
        for (size_t i = 0; i < n; i++) {
            actor_act(&actors[i]);
            all_ended = all_ended && actors[i].ended;
        }
        wait_for(FOREVER);
        now.uptime_ms += fake_ready() == 0 ? fake_timeout_ms() : 1;
        serve();
        if (all_ended) {
            return;
        }
        assert_true(turns < 3000);
    }
}

static unsigned count_in_ring(const char *user)
{
    struct qr_ring_pos pos = qr_ring_find(&ring, 1);
    struct qr_event event;
    unsigned n = 0;

    while (qr_ring_next(&ring, &pos, &event) == 1) {
        n += event.user_id_len == 4 && memcmp(event.user_id, user, 4) == 0;
    }
    return n;
}

static const char *user_of(const char *request)
{
    const char *at = strstr(request, "\"userID\":\"");

    return at == NULL ? NULL : at + strlen("\"userID\":\"");
}

/* How many actors of a script got their reply to its i-th request, and how many sent it at least.
 */
static void count_actors(const char *const *script, size_t i, unsigned *answered, unsigned *sent)
{
    *answered = *sent = 0;
    for (size_t j = 0; j < n_actors; j++) {
        const struct actor *actor = &actors[j];
        if (actor->requests == script) {
            *answered += i < actor->next;
            *sent += i < actor->next || (i == actor->next && actor->asked);
        }
    }
}

/* What was answered with 200 is stored, once; what was not may be, once. */
static void assert_ring_right(void)
{
    for (size_t i = 0; i < COUNT(scripts); i++) {
        for (size_t j = 0; scripts[i][j] != NULL; j++) {
            const char *user = user_of(scripts[i][j]);
            unsigned answered, sent;
            if (user != NULL) {
                count_actors(scripts[i], j, &answered, &sent);
                assert_in_range(count_in_ring(user), answered, sent);
            }
        }
    }
    assert_int_equal(ring.first_seq, 1);
    assert_int_equal(ring.last_seq, stats.stored);
    assert_int_equal(stats.callbacks, stats.stored + stats.refused + stats.ignored);
}

static unsigned cheated(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < n_actors; i++) {
        n += actors[i].cheated;
    }
    return n;
}

/* After a play: the server is alive and has forgotten nothing. */
static void assert_alive_and_clean(void)
{
    int client;

    fake_fail(FAKE_WAIT, 0, 0, 0);
    pass(3 * QR_CLOSE_TIMEOUT_MS);
    assert_ring_right();
    client = client_with(HEALTH);
    pass(QR_ACCEPT_REST_MS);
    assert_reply(client);
    fake_fin(client);
    pass(QR_IDLE_TIMEOUT_MS);
    assert_int_equal(fake_open(), 0);
    (void)teardown(NULL);
}

static void play_with(size_t n, enum fake_call call, unsigned nth, unsigned period, int result)
{
    start();
    fake_fail(call, nth, period, result);
    play(n);
}

/* Passing failures cost nobody anything. */
static bool passes(enum fake_call call, int result)
{
    return result == QR_NET_AGAIN || result == QR_NET_NO_MEMORY || result == FAKE_SHORT ||
           call == FAKE_WAIT || call == FAKE_ACCEPT;
}

static const enum fake_call swept[] = {FAKE_ACCEPT, FAKE_RECV, FAKE_SEND, FAKE_FINISH, FAKE_WAIT};
static const int results[] = {QR_NET_AGAIN,     QR_NET_CLOSED, QR_NET_RESET,
                              QR_NET_NO_MEMORY, QR_NET_FAILED, FAKE_SHORT};

static unsigned calls_of_a_play(size_t n, enum fake_call call)
{
    unsigned calls;

    start();
    play(n);
    assert_int_equal(cheated(), 0);
    calls = fake_calls(call);
    assert_alive_and_clean();
    return calls;
}

static void sweep(size_t n)
{
    for (size_t i = 0; i < COUNT(swept) * COUNT(results); i++) {
        enum fake_call call = swept[i / COUNT(results)];
        int result = results[i % COUNT(results)];
        unsigned calls = calls_of_a_play(n, call);
        assert_true(calls > 0);
        for (unsigned k = 1; k <= calls; k++) {
            play_with(n, call, k, 0, result);
            assert_true(fake_has_failed());
            if (cheated() > (passes(call, result) ? 0u : 1u)) {
                fail_msg("%u clients without their replies: call %d, the %u-th, gave %d", cheated(),
                         call, k, result);
            }
            assert_alive_and_clean();
        }
    }
}

static void test_server_survives_each_call_failing_in_each_way(void **state)
{
    (void)state;
    sweep(COUNT(scripts));
}

static void test_server_survives_each_call_failing_when_slots_are_short(void **state)
{
    (void)state;
    sweep(ACTORS_MAX);
}

/* Failures that pass, but come again and again. */
static void test_server_serves_all_on_a_network_that_is_often_out_of_memory(void **state)
{
    static const int passing[] = {QR_NET_AGAIN, QR_NET_NO_MEMORY, FAKE_SHORT};

    (void)state;
    for (size_t i = 0; i < COUNT(swept) * COUNT(passing); i++) {
        for (unsigned period = 2; period < 5; period++) {
            play_with(ACTORS_MAX, swept[i / COUNT(passing)], 1, period,
                      passing[i % COUNT(passing)]);
            assert_true(fake_has_failed());
            assert_int_equal(cheated(), 0);
            assert_alive_and_clean();
        }
    }
}

/* ---- stopping ---- */

static void test_server_stops_at_once_when_all_are_idle(void **state)
{
    int fresh = connect_client();
    int poller = client_after(POLL);
    int caller = client_after(CALL);

    (void)state;
    assert_false(qr_server_stopped(&server));
    qr_server_stop(&server);
    assert_true(qr_server_stopped(&server));
    assert_false(fake_listening());
    assert_state(fresh, FAKE_CLOSED);
    assert_state(poller, FAKE_CLOSED);
    assert_state(caller, FAKE_CLOSED);
    assert_int_equal(stats.connectionsOpen, 0);
    turn();
}

static void test_server_lets_requests_under_way_end_when_it_stops(void **state)
{
    int idle = client_after(CALL);
    int half = client_with("POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\n");
    unsigned accepts;
    int late;

    (void)state;
    settle();
    accepts = fake_calls(FAKE_ACCEPT);
    late = connect_client();
    send_text(idle, "POST /");
    wait_for(FOREVER); /* a stop between wait and serve must not mix them up */
    assert_int_equal(fake_ready(), 2);
    qr_server_stop(&server);
    serve();
    assert_state(idle, FAKE_RESET); /* a stop is a stop */
    assert_state(half, FAKE_OPEN);
    assert_state(late, FAKE_RESET);
    assert_false(qr_server_stopped(&server));
    assert_state(connect_client(), FAKE_RESET);
    settle();
    assert_int_equal(fake_calls(FAKE_ACCEPT), accepts);
    send_text(half, "Content-Length: 31\r\n\r\n{\"groupID\":\"g\",\"userID\":\"user\"}");
    settle();
    assert_reply(half);
    assert_true(reply.close);
    assert_int_equal(ring.last_seq, 2);
    assert_false(qr_server_stopped(&server));
    fake_fin(half);
    settle();
    assert_true(qr_server_stopped(&server));
    assert_state(half, FAKE_CLOSED);
}

/* Its listener is closed, whatever the last poll said of it. */
static void test_server_accepts_none_once_it_stops(void **state)
{
    int half = client_with("POST /");
    int late;
    unsigned accepts;

    (void)state;
    settle();
    late = connect_client();
    wait_for(FOREVER);
    assert_int_equal(fake_ready(), 1);
    accepts = fake_calls(FAKE_ACCEPT);
    qr_server_stop(&server);
    serve();
    assert_int_equal(fake_calls(FAKE_ACCEPT), accepts);
    assert_state(late, FAKE_RESET);
    assert_state(half, FAKE_OPEN);
}

static void test_server_lets_replies_under_way_end_when_it_stops(void **state)
{
    int client = connect_client();

    (void)state;
    fill_ring();
    fake_set_room(client, 3000);
    send_text(client, POLL_ALL);
    settle();
    qr_server_stop(&server);
    assert_false(qr_server_stopped(&server));
    fake_set_room(client, SIZE_MAX);
    settle();
    assert_reply(client);
    assert_true(reply.content_len > 20000);
}

/* Its head was out before the stop: nothing announced the close, so it is idle now. */
static void test_server_closes_who_becomes_idle_after_the_stop(void **state)
{
    int client = connect_client();

    (void)state;
    fake_set_room(client, 100);
    send_text(client, POLL);
    settle();
    qr_server_stop(&server);
    fake_set_room(client, SIZE_MAX);
    settle();
    assert_reply(client);
    pass(2 * QR_CLOSE_TIMEOUT_MS);
    assert_state(client, FAKE_CLOSED);
    assert_true(qr_server_stopped(&server));
}

static void test_server_lets_clients_close_when_it_stops(void **state)
{
    int prompt = client_with("nonsense\r\n\r\n");
    int silent = client_with("nonsense\r\n\r\n");

    (void)state;
    settle();
    qr_server_stop(&server);
    fake_fin(prompt);
    settle();
    assert_state(prompt, FAKE_CLOSED);
    assert_state(silent, FAKE_OPEN);
    assert_false(qr_server_stopped(&server));
    pass(2 * QR_CLOSE_TIMEOUT_MS);
    assert_state(silent, FAKE_CLOSED);
    assert_true(qr_server_stopped(&server));
}

static void test_server_closes_everything(void **state)
{
    int idle = client_after(CALL);
    int half = client_with("POST /");
    int waiting;

    (void)state;
    settle();
    waiting = connect_client();
    qr_server_close(&server);
    assert_int_equal(fake_open(), 0);
    assert_false(fake_listening());
    assert_state(idle, FAKE_CLOSED);
    assert_state(half, FAKE_CLOSED);
    assert_state(waiting, FAKE_RESET);
    assert_true(qr_server_stopped(&server));
    qr_server_close(&server); /* a second time does nothing */
}

/* However many read, and however much, a turn sends few pieces of theirs, each in turn. */
static void test_server_sends_few_pieces_of_long_replies_a_turn(void **state)
{
    int readers[6];
    unsigned sent[6], all = 0;

    (void)state;
    fill_ring();
    for (size_t i = 0; i < COUNT(readers); i++) {
        readers[i] = client_with(POLL_ALL);
    }
    turn(); /* accepts them */
    turn(); /* each gets its first piece */
    for (size_t i = 0; i < COUNT(readers); i++) {
        sent[i] = fake_sends_to(readers[i]);
        assert_int_equal(sent[i], 1);
    }
    for (unsigned turns = 0; turns < 3 * COUNT(readers); turns++) {
        unsigned before = fake_calls(FAKE_SEND);
        turn();
        assert_int_equal(fake_calls(FAKE_SEND) - before, QR_SENDS_A_TURN);
        all += QR_SENDS_A_TURN;
    }
    for (size_t i = 0; i < COUNT(readers); i++) {
        assert_int_equal(fake_sends_to(readers[i]) - sent[i], all / COUNT(readers));
    }
    (void)client_after(CALL); /* beside them, at once */
}

/* Who has no room is not asked to take more. */
static void test_server_sends_nothing_to_who_has_no_room(void **state)
{
    int reader = client_with(POLL_ALL);
    unsigned before;

    (void)state;
    fill_ring();
    fake_set_room(reader, 2000);
    settle();
    before = fake_sends_to(reader);
    for (int i = 0; i < 10; i++) {
        (void)client_after(HEALTH);
    }
    assert_int_equal(fake_sends_to(reader), before);
    fake_set_room(reader, SIZE_MAX);
    settle();
    assert_reply(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- long polls and event streams ---- */

#define WAIT    "GET /status?since=0&wait=30 HTTP/1.1\r\nHost: a\r\n\r\n"
#define EVENTS  "GET /events HTTP/1.1\r\nHost: a\r\n\r\n"
#define WAIT_MS 30000u

static bool received(int client, const char *text)
{
    size_t len;
    const char *bytes = fake_received(client, &len);

    for (size_t at = 0; at + strlen(text) <= len; at++) {
        if (memcmp(bytes + at, text, strlen(text)) == 0) {
            return true;
        }
    }
    return false;
}

static int client_that_waits(const char *request)
{
    int client = client_with(request);

    settle();
    assert_false(has_reply(client));
    assert_state(client, FAKE_OPEN);
    return client;
}

static void test_server_answers_a_long_poll_when_an_event_is_stored(void **state)
{
    int waiter = client_that_waits(WAIT);
    int caller;

    (void)state;
    assert_int_equal(stats.connectionsWaiting, 1);
    pass(WAIT_MS - 1);
    assert_false(has_reply(waiter));
    caller = client_with(CALL);
    settle();
    assert_reply(caller);
    assert_reply(waiter);
    assert_non_null(strstr(reply.content, "\"seq\":1,"));
    assert_int_equal(stats.connectionsWaiting, 0);
    assert_int_equal(stats.polls, 1);
}

static void test_server_answers_a_long_poll_when_its_time_is_over(void **state)
{
    int waiter = client_that_waits(WAIT);

    (void)state;
    pass(WAIT_MS - 1);
    assert_false(has_reply(waiter));
    pass(1);
    assert_reply(waiter);
    assert_non_null(strstr(reply.content, "\"events\":[]"));
    assert_state(waiter, FAKE_OPEN);
}

static void test_server_tells_events_to_streams(void **state)
{
    int stream = client_that_waits(EVENTS);

    (void)state;
    assert_int_equal(stats.connectionsWaiting, 1);
    assert_true(received(stream, "event: start\n"));
    assert_false(received(stream, "id: "));
    for (int i = 1; i < 4; i++) {
        char id[20];
        (void)client_after(CALL);
        pass(QR_NEWS_REST_MS);
        snprintf(id, sizeof id, "id: %d\n", i);
        assert_true(received(stream, id));
    }
    pass(10 * (uint64_t)QR_REPLY_TIMEOUT_MS);
    assert_state(stream, FAKE_OPEN);
    assert_true(received(stream, ":\n\n"));
    fake_fin(stream);
    settle();
    assert_state(stream, FAKE_CLOSED);
    assert_int_equal(stats.connectionsWaiting, 0);
}

/* The reply to the caller goes out before any of those who wait is told. */
static void test_server_replies_to_callers_before_it_tells_who_waits(void **state)
{
    int streams[QR_WAITERS_MAX];
    int caller;

    (void)state;
    for (size_t i = 0; i < QR_WAITERS_MAX; i++) {
        streams[i] = client_that_waits(EVENTS);
    }
    caller = client_with(CALL);
    turn();                                   /* accepts it */
    fake_fail(FAKE_SEND, 2, 1, QR_NET_AGAIN); /* only one more is sent */
    wait_for(FOREVER);
    serve();
    fake_fail(FAKE_SEND, 0, 0, 0);
    assert_reply(caller);
    settle();
    for (size_t i = 0; i < QR_WAITERS_MAX; i++) {
        assert_true(received(streams[i], "id: 1\n"));
    }
}

/* So that callers have most of the time, however many wait. */
static void test_server_tells_who_waits_of_many_events_at_once(void **state)
{
    int stream = client_that_waits(EVENTS);
    unsigned sends;

    (void)state;
    (void)client_after(CALL);
    assert_true(received(stream, "id: 1\n"));
    sends = fake_sends_to(stream);
    for (int i = 0; i < 5; i++) {
        (void)client_after(CALL);
    }
    assert_int_equal(fake_sends_to(stream), sends);
    wait_for(FOREVER);
    assert_int_equal(fake_timeout_ms(), QR_NEWS_REST_MS); /* and no longer */
    now.uptime_ms += QR_NEWS_REST_MS;
    serve();
    settle();
    assert_true(received(stream, "id: 6\n"));
    assert_int_equal(fake_sends_to(stream), sends + 1);
    pass(1000);
    (void)client_after(CALL); /* at once */
    assert_true(received(stream, "id: 7\n"));
}

static void test_server_lets_a_third_wait_and_no_more(void **state)
{
    int waiter;

    (void)state;
    for (unsigned i = 0; i < QR_WAITERS_MAX; i++) {
        waiter = client_that_waits(i % 2 == 0 ? WAIT : EVENTS);
    }
    assert_int_equal(stats.connectionsWaiting, QR_WAITERS_MAX);
    int client = client_with(WAIT EVENTS POLL);
    settle();
    assert_reply(client); /* at once, with what there is */
    assert_non_null(strstr(reply.content, "\"events\":[]"));
    assert_true(has_reply(client));
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.content, "\"errCode\":5405"));
    assert_reply(client);
    assert_int_equal(stats.waitsRefused, 2);
    fake_reset(waiter);
    settle();
    assert_int_equal(stats.connectionsWaiting, QR_WAITERS_MAX - 1);
    (void)client_that_waits(EVENTS);
}

static void test_server_does_not_count_those_twice_that_come_at_once(void **state)
{
    unsigned waiting = 0;
    int first = connect_client();

    (void)state;
    send_text(first, EVENTS);
    for (unsigned i = 1; i < 2 * QR_WAITERS_MAX; i++) {
        (void)client_with(EVENTS);
    }
    settle();
    for (unsigned i = 0; i < 2 * QR_WAITERS_MAX; i++) {
        waiting += received(first + (int)i, "event: start\n");
    }
    assert_int_equal(waiting, QR_WAITERS_MAX);
    assert_int_equal(stats.connectionsWaiting, QR_WAITERS_MAX);
}

static void test_server_gives_up_others_before_who_waits(void **state)
{
    int stream = client_that_waits(EVENTS);
    int waiter = client_that_waits(WAIT);

    (void)state;
    for (unsigned i = 0; i < QR_CONNS_MAX + 5; i++) {
        (void)client_with(HEALTH);
        settle();
        pass(QR_GRACE_MS);
    }
    assert_state(stream, FAKE_OPEN);
    assert_state(waiter, FAKE_OPEN);
}

/* A caller comes first. Who waits has been told that it may lose its place, and asks again. */
static void test_server_gives_up_who_waits_where_all_others_are_kept(void **state)
{
    int stream = client_that_waits(EVENTS);
    int waiter, newcomer;

    (void)state;
    now.uptime_ms++;
    waiter = client_that_waits(WAIT);
    for (unsigned i = 2; i < QR_CONNS_MAX; i++) {
        (void)client_with("POST /");
        settle();
    }
    assert_int_equal(fake_open(), QR_CONNS_MAX);
    newcomer = client_with(CALL);
    settle();
    assert_true(has_reply(newcomer));
    assert_state(stream, FAKE_RESET); /* it has waited longest */
    assert_true(has_reply(waiter));   /* of the event */
    assert_int_equal(stats.connectionsDropped, 1);
}

static void test_server_cuts_off_a_stream_that_does_not_read(void **state)
{
    int stream = client_that_waits(EVENTS);

    (void)state;
    fake_set_room(stream, 10);
    (void)client_after(CALL);
    pass(QR_REPLY_TIMEOUT_MS - 1);
    assert_state(stream, FAKE_OPEN);
    pass(1);
    assert_state(stream, FAKE_RESET);
    assert_int_equal(stats.connectionsWaiting, 0);
}

static void test_server_ends_waiting_when_it_stops(void **state)
{
    int stream = client_that_waits(EVENTS);
    int waiter = client_that_waits(WAIT);

    (void)state;
    qr_server_stop(&server);
    assert_false(qr_server_stopped(&server));
    wait_for(FOREVER);
    assert_int_equal(fake_timeout_ms(), 0); /* it does not sleep over it */
    serve();
    settle();
    assert_reply(waiter);
    assert_true(reply.close);
    assert_true(has_reply(stream)); /* with its last chunk */
    fake_fin(waiter);
    fake_fin(stream);
    settle();
    assert_true(qr_server_stopped(&server));
    assert_int_equal(stats.connectionsWaiting, 0);
}

static void test_server_counts_connections_by_state(void **state)
{
    (void)state;
    (void)client_after(HEALTH);
    (void)client_that_waits(WAIT);
    (void)client_that_waits(EVENTS);
    (void)client_with("nonsense\r\n\r\n");
    settle();
    assert_int_equal(qr_server_count(&server, QR_CONN_READING), 1);
    assert_int_equal(qr_server_count(&server, QR_CONN_WAITING), 1);
    assert_int_equal(qr_server_count(&server, QR_CONN_REPLYING), 1);
    assert_int_equal(qr_server_count(&server, QR_CONN_CLOSING), 1);
}

/* ---- fewer desks than slots ---- */

#define SLOW_HEAD "POST /call"
#define TWO_PARTS                                                                                  \
    "POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\n"

static void with_desks(size_t n)
{
    start();
    qr_desks_init(&server.slots.desks, server.slots.all_desks, n);
    server.slots.desks_kept = 1;
}

/* Clients that hold all desks but the last. Returns the first one's number; the others follow. */
static int hold_desks(size_t n, const char *what, size_t room)
{
    int first = -1;

    for (size_t i = 1; i < n; i++) {
        int client = connect_client();
        first = i == 1 ? client : first;
        fake_set_room(client, room);
        send_text(client, what);
    }
    settle();
    assert_int_equal(server.slots.desks.n_free, 1);
    assert_int_equal(stats.desksFull, 0);
    return first;
}

static void test_server_lends_no_desk_to_who_is_idle(void **state)
{
    int callers[CONNS_AT_EASE];

    (void)state;
    with_desks(2);
    for (size_t i = 0; i < COUNT(callers); i++) {
        callers[i] = client_after(i % 3 == 0 ? POLL : CALL);
        assert_int_equal(server.slots.desks.n_free, 2);
    }
    for (size_t i = 0; i < COUNT(callers); i++) {
        send_text(callers[i], CALL CALL);
    }
    turn();
    for (size_t i = 0; i < COUNT(callers); i++) {
        assert_reply(callers[i]);
        assert_reply(callers[i]);
    }
    assert_int_equal(stats.desksFull, 0);
    for (size_t i = 0; i < COUNT(callers); i++) {
        send_text(callers[i], "\r\n"); /* nothing of a request */
        settle();
        assert_int_equal(server.slots.desks.n_free, 2);
    }
}

/* What ends, or was announced and did not come, costs none either. */
static void test_server_has_its_desks_back_whatever_happens(void **state)
{
    static const char *const sent[] = {"",
                                       SLOW_HEAD,
                                       TWO_PARTS,
                                       "\r",
                                       CALL,
                                       POLL,
                                       "GET / HTTP/1.0\r\n\r\n",
                                       "GET /events HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "nonsense\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < COUNT(sent); i++) {
        for (int how = 0; how < 3; how++) {
            int client;
            with_desks(3);
            client = client_with(sent[i]);
            settle();
            assert_true(server.slots.desks.n_free >= 2);
            if (how == 0) {
                fake_reset(client);
            } else if (how == 1) {
                fake_fin(client);
            } else {
                fake_fail(FAKE_RECV, 1, 0, QR_NET_NO_MEMORY);
                send_text(client, CALL);
                settle();
                fake_reset(client);
            }
            settle();
            assert_int_equal(server.slots.desks.n_free, 3);
            assert_int_equal(fake_open(), 0);
        }
    }
}

/* However the others hold on to theirs, and whether the caller was there before or not. */
static void test_server_serves_whole_callbacks_at_once_without_a_free_desk(void **state)
{
    (void)state;
    for (size_t i = 1; i < COUNT(stuck); i++) {
        int old[3];
        uint64_t begin_ms;
        with_desks(4);
        for (size_t j = 0; j < COUNT(old); j++) {
            old[j] = client_after(CALL);
        }
        (void)hold_desks(4, stuck[i].sent, stuck[i].room);
        begin_ms = now.uptime_ms;
        for (size_t j = 0; j < COUNT(old); j++) {
            int fresh = client_with(CALL CALL);
            send_text(old[j], CALL);
            settle();
            assert_reply(old[j]);
            assert_reply(fresh);
            assert_reply(fresh);
            assert_int_equal(server.slots.desks.n_free, 1);
        }
        assert_int_equal(now.uptime_ms, begin_ms);
        assert_int_equal(stats.desksFull, 0);
        assert_int_equal(stats.connectionsDropped, 0);
    }
}

/* Others wait, their bytes unread, until who had a desk for longest has used up its grace. */
static void test_server_takes_desks_back_from_who_is_slow(void **state)
{
    static const char *const wanting[] = {HEALTH, POLL, SLOW_HEAD, TWO_PARTS, "nonsense\r\n\r\n"};

    (void)state;
    for (size_t i = 1; i < COUNT(stuck); i++) {
        for (size_t j = 0; j < COUNT(wanting); j++) {
            int first, client;
            with_desks(3);
            first = hold_desks(3, stuck[i].sent, stuck[i].room);
            client = client_with(wanting[j]);
            pass(QR_GRACE_MS - 1);
            assert_int_equal(fake_unread(client), strlen(wanting[j]));
            assert_int_equal(stats.desksFull, 1);
            assert_int_equal(stats.connectionsDropped, 0);
            pass(1);
            assert_int_equal(fake_unread(client), 0);
            assert_int_equal(stats.connectionsDropped, 1);
            assert_state(first, stuck[i].end);
            assert_state(first + 1, FAKE_OPEN);
            assert_int_equal(stats.desksFull, 1);
        }
    }
}

static void test_server_lends_desks_in_the_order_of_coming(void **state)
{
    int first, clients[4];

    (void)state;
    with_desks(2);
    first = hold_desks(2, SLOW_HEAD, SIZE_MAX);
    for (size_t i = 0; i < COUNT(clients); i++) {
        now.uptime_ms += i == 0 ? 0 : 10;
        clients[i] = client_with(SLOW_HEAD);
        settle();
    }
    assert_int_equal(stats.desksFull, COUNT(clients));
    for (size_t i = 0; i < COUNT(clients); i++) {
        for (size_t j = 0; j < COUNT(clients); j++) {
            assert_int_equal(fake_unread(clients[j]), j < i ? 0 : strlen(SLOW_HEAD));
        }
        fake_fin(i == 0 ? first : clients[i - 1]); /* one goes, one comes */
        settle();
    }
    assert_int_equal(stats.connectionsDropped, 0);
}

/* Who is kept is not closed for being idle; but a desk is not to idle at. Its grace is never
 * shortened. */
static void test_server_takes_a_desk_back_from_a_slow_caller(void **state)
{
    int caller, client;

    (void)state;
    with_desks(2);
    caller = client_after(CALL);
    send_text(caller, SLOW_HEAD);
    settle();
    server.slots.grace_ms = QR_GRACE_LEAST_MS;
    server.slots.grace_used_ms = now.uptime_ms;
    client = client_with(HEALTH);
    pass(QR_GRACE_MS - 1);
    assert_state(caller, FAKE_OPEN);
    pass(1);
    assert_state(caller, FAKE_CLOSED);
    assert_reply(client);
}

static void test_server_shortens_the_grace_at_desks_while_many_use_it_up(void **state)
{
    uint64_t begin_ms;
    int caller;

    (void)state;
    with_desks(3);
    (void)hold_desks(3, SLOW_HEAD, SIZE_MAX);
    begin_ms = now.uptime_ms;
    for (int i = 0; i < CONNS_AT_EASE - 3; i++) {
        (void)client_with(SLOW_HEAD);
    }
    settle();
    caller = client_with(TWO_PARTS);
    while (fake_unread(caller) != 0) {
        pass(1);
    }
    assert_in_range(now.uptime_ms - begin_ms, QR_GRACE_MS, 4 * QR_GRACE_MS);
}

/* They are few, and have their place as long as they wait. */
static void test_server_takes_no_desk_from_who_waits_for_events(void **state)
{
    int waiting, client;

    (void)state;
    with_desks(2);
    waiting = client_with("GET /status?wait=30 HTTP/1.1\r\nHost: a\r\n\r\n");
    settle();
    assert_int_equal(stats.connectionsWaiting, 1);
    client = client_with(HEALTH);
    pass(4 * QR_GRACE_MS);
    assert_int_equal(fake_unread(client), strlen(HEALTH));
    assert_state(waiting, FAKE_OPEN);
    send_text(client_with(""), CALL);
    settle();
    assert_reply(waiting);
    assert_reply(client);
}

/* What it has said is not read, but the end is noticed. */
static void test_server_lets_go_who_waits_for_a_desk(void **state)
{
    int client;

    (void)state;
    with_desks(2);
    (void)hold_desks(2, SLOW_HEAD, SIZE_MAX);
    client = client_with(HEALTH);
    settle();
    fake_reset(client);
    settle();
    assert_int_equal(fake_open(), 1);
    assert_int_equal(server.slots.n_wanting, 0);
    (void)client_with(HEALTH);
    settle();
    qr_server_stop(&server);
    settle();
    assert_int_equal(server.slots.n_wanting, 0);
}

/* A poller whose request waits is not idle: it is not the first to go when slots are short. */
static void test_server_keeps_a_poller_whose_request_waits_for_a_desk(void **state)
{
    int poller, idle;

    (void)state;
    with_desks(2);
    poller = client_after(HEALTH);
    idle = client_after(HEALTH);
    (void)hold_desks(2, SLOW_HEAD, SIZE_MAX);
    now.uptime_ms += 1;
    send_text(poller, HEALTH);
    settle();
    for (int i = 3; i < QR_CONNS_MAX; i++) {
        (void)connect_client();
    }
    settle();
    assert_state(idle, FAKE_OPEN);
    (void)connect_client();
    settle();
    assert_state(idle, FAKE_CLOSED);
    assert_state(poller, FAKE_OPEN);
    pass(QR_GRACE_MS);
    assert_reply(poller);
}

/* The last desk is not for long replies, nor for those who do not take theirs. */
static void test_server_has_the_last_desk_back_at_once(void **state)
{
    int caller;

    (void)state;
    with_desks(2);
    (void)hold_desks(2, SLOW_HEAD, SIZE_MAX);
    caller = connect_client();
    fake_set_room(caller, 10);
    send_text(caller, CALL);
    settle();
    assert_state(caller, FAKE_RESET);
    assert_int_equal(stats.connectionsDropped, 1);
    assert_int_equal(server.slots.desks.n_free, 1);
    caller = client_with("POST /status HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    settle();
    assert_true(has_reply(caller));
    assert_int_equal(reply.status, 405);
    send_text(caller, CALL SLOW_HEAD); /* of which the second part waits */
    settle();
    assert_reply(caller);
    assert_int_equal(fake_unread(caller), strlen(SLOW_HEAD));
    assert_int_equal(server.slots.desks.n_free, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_server_sends_few_pieces_of_long_replies_a_turn),
        TEST(test_server_sends_nothing_to_who_has_no_room),
        TEST(test_server_answers_a_long_poll_when_an_event_is_stored),
        TEST(test_server_answers_a_long_poll_when_its_time_is_over),
        TEST(test_server_tells_events_to_streams),
        TEST(test_server_replies_to_callers_before_it_tells_who_waits),
        TEST(test_server_tells_who_waits_of_many_events_at_once),
        TEST(test_server_lets_a_third_wait_and_no_more),
        TEST(test_server_does_not_count_those_twice_that_come_at_once),
        TEST(test_server_gives_up_others_before_who_waits),
        TEST(test_server_gives_up_who_waits_where_all_others_are_kept),
        TEST(test_server_cuts_off_a_stream_that_does_not_read),
        TEST(test_server_ends_waiting_when_it_stops),
        TEST(test_server_counts_connections_by_state),
        TEST(test_server_listens_on_the_port),
        TEST(test_server_says_why_it_cannot_listen),
        TEST(test_server_serves_several_clients),
        TEST(test_server_answers_a_client_that_shuts_its_half),
        TEST(test_server_lets_the_client_close_first),
        TEST(test_server_closes_on_a_client_that_does_not),
        TEST(test_server_ends_a_streamed_reply_to_http_1_0_with_its_fin),
        TEST(test_server_closes_idle_pollers_and_no_callers),
        TEST(test_server_frees_the_slot_of_a_client_that_resets),
        TEST(test_server_survives_a_client_that_resets_before_accept),
        TEST(test_server_refuses_late_requests),
        TEST(test_server_closes_a_caller_only_with_a_word),
        TEST(test_server_keeps_an_idle_caller_through_failures_that_pass),
        TEST(test_server_serves_waiting_clients_later),
        TEST(test_server_serves_a_crowd_through_one_slot),
        TEST(test_server_counts_each_time_that_it_is_full),
        TEST(test_server_accepts_none_beyond_its_slots),
        TEST(test_server_gives_up_the_most_expendable_first),
        TEST(test_server_gives_up_the_longest_idle_poller),
        TEST(test_server_gives_up_nobody_within_the_grace_and_then_the_longest),
        TEST(test_server_gives_up_nobody_of_whom_more_may_wait),
        TEST(test_server_counts_the_grace_from_a_requests_first_byte),
        TEST(test_server_counts_a_readers_grace_from_its_reply),
        TEST(test_server_shortens_the_grace_while_many_use_it_up),
        TEST(test_server_gives_up_old_readers_rather_than_a_young_request),
        TEST(test_server_has_its_whole_grace_again_after_a_rest),
        TEST(test_server_looks_at_each_before_it_is_given_up),
        TEST(test_server_keeps_every_caller_and_a_slot_for_others_in_any_order),
        TEST(test_server_serves_four_callers_for_each_slot_beside_pollers),
        TEST(test_server_reads_before_it_gives_up),
        TEST(test_server_announces_the_close_when_slots_run_short),
        TEST(test_server_rests_when_the_network_has_no_memory_to_accept),
        TEST(test_server_keeps_all_when_accept_gives_none),
        TEST(test_server_serves_others_beside_a_huge_document),
        TEST(test_server_serves_others_beside_many_pipelined_requests),
        TEST(test_server_holds_nobody_up_for_a_slow_reader),
        TEST(test_server_sleeps_while_a_100_cannot_be_sent),
        TEST(test_server_cuts_off_a_reader_that_is_too_slow),
        TEST(test_server_leaves_alone_who_is_not_ready),
        TEST(test_server_waits_as_long_as_it_may_for_nothing),
        TEST(test_server_waits_until_the_deadline),
        TEST(test_server_waits_until_an_idle_poller_or_a_slow_reader_is_late),
        TEST(test_server_waits_until_the_nearest_deadline),
        TEST(test_server_looks_again_when_a_slot_may_have_come_free),
        TEST(test_server_looks_at_all_when_poll_fails),
        TEST(test_server_sends_all_by_single_bytes),
        TEST(test_server_counts_what_passes_and_goes_on),
        TEST(test_server_survives_each_call_failing_in_each_way),
        TEST(test_server_survives_each_call_failing_when_slots_are_short),
        TEST(test_server_serves_all_on_a_network_that_is_often_out_of_memory),
        TEST(test_server_stops_at_once_when_all_are_idle),
        TEST(test_server_lets_requests_under_way_end_when_it_stops),
        TEST(test_server_accepts_none_once_it_stops),
        TEST(test_server_lets_replies_under_way_end_when_it_stops),
        TEST(test_server_closes_who_becomes_idle_after_the_stop),
        TEST(test_server_lets_clients_close_when_it_stops),
        TEST(test_server_closes_everything),
        TEST(test_server_lends_no_desk_to_who_is_idle),
        TEST(test_server_has_its_desks_back_whatever_happens),
        TEST(test_server_serves_whole_callbacks_at_once_without_a_free_desk),
        TEST(test_server_takes_desks_back_from_who_is_slow),
        TEST(test_server_lends_desks_in_the_order_of_coming),
        TEST(test_server_takes_a_desk_back_from_a_slow_caller),
        TEST(test_server_shortens_the_grace_at_desks_while_many_use_it_up),
        TEST(test_server_takes_no_desk_from_who_waits_for_events),
        TEST(test_server_lets_go_who_waits_for_a_desk),
        TEST(test_server_keeps_a_poller_whose_request_waits_for_a_desk),
        TEST(test_server_has_the_last_desk_back_at_once),
    };

    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}

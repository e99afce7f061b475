/*
 * An hour of OpenIM, in virtual time: its services post callbacks over connections that idle in
 * between, along a path that takes 20 ms each way. They post once, wait for 5 s, and never again;
 * close where they are told to; and probe each 15 s, as Go does, whether we are still there.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "port_rig.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)

/* With a small board's table, which is that of slow machines' tests, it is five minutes. */
#define HOUR_MS (QR_CONNS_MAX < 24 ? 300000u : 3600000u)

#define SERVICES       8
#define CLIENTS_MAX    (SERVICES * 16)
#define PATH_MS        20
#define IDLE_MIN_MS    1000
#define IDLE_MAX_MS    120000
#define ANSWER_MS      5000 /* OpenIM's timeout */
#define PROBE_MS       15000
#define REPEAT_MS      300
#define LOOK_MS        50 /* a frame that our side sends by itself is seen this late, at most */
#define FIRST_PORT     1024
#define ON_THE_WAY_MAX 512

enum state { CLOSED, OPENING, OPEN, CLOSING };

/* One connection of a service's, and those that come after it. */
static struct client {
    enum state state;
    uint16_t port;
    uint32_t seq, next, ack; /* not acknowledged yet; to be sent next; wanted next */
    uint64_t repeat_ms;      /* when to send again what was not acknowledged; 0: all was */
    uint32_t repeat_after_ms;
    uint64_t post_ms, probe_ms; /* when to post, and to probe, next */
    uint64_t asked_ms;
    bool waits, fin;
    unsigned posts, stored, probes; /* the last post; that was stored; probes without an answer */
    size_t len, reply_len;
    char request[600], reply[600];
} clients[CLIENTS_MAX];
static size_t n_clients;

static struct {
    unsigned loss; /* of a hundred frames */
    unsigned answered, lost, closed;
    uint64_t worst_ms;
} hour;

/* ---- chance, and the path ---- */

static uint32_t chance;

static uint32_t any(uint32_t below)
{
    chance = chance * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)chance * below >> 32);
}

/* Frames in one direction. */
static struct path {
    size_t first, used;
    struct {
        uint64_t due_ms;
        size_t len;
        uint8_t bytes[WIRE_FRAME_MAX];
    } frames[ON_THE_WAY_MAX];
} to_us, from_us;

static void path_put(struct path *path, const uint8_t *frame, size_t len)
{
    size_t i = (path->first + path->used) % ON_THE_WAY_MAX;

    if (any(100) < hour.loss) {
        return;
    }
    assert_true(path->used < ON_THE_WAY_MAX);
    path->frames[i].due_ms = qr_board_uptime_ms() + PATH_MS;
    path->frames[i].len = len;
    memcpy(path->frames[i].bytes, frame, len);
    path->used++;
}

static bool path_is_due(const struct path *path)
{
    return path->used != 0 && path->frames[path->first].due_ms <= qr_board_uptime_ms();
}

static void path_take(struct path *path)
{
    path->first = (path->first + 1) % ON_THE_WAY_MAX;
    path->used--;
}

/* ---- a client ---- */

static void send_segment(const struct client *client, uint8_t flags, uint32_t seq, const char *data,
                         size_t len)
{
    static const uint8_t mss[] = {2, 4, WIRE_MSS >> 8, WIRE_MSS & 255};
    static struct peer from;
    uint8_t frame[WIRE_FRAME_MAX];

    from.addr = WIRE_HOST_ADDR;
    from.port = client->port;
    path_put(&to_us, frame,
             peer_frame(frame, &from,
                        &(struct wire_segment){.flags = flags,
                                               .seq = seq,
                                               .ack = client->ack,
                                               .window = 64240,
                                               .options = mss,
                                               .options_len = (flags & SYN) != 0 ? sizeof mss : 0,
                                               .data = data,
                                               .len = len}));
}

/* What was not acknowledged: a SYN, a request, or a FIN. */
static void send_again(struct client *client)
{
    size_t left = client->next - client->seq;

    if (client->state == OPENING) {
        send_segment(client, SYN, client->seq, NULL, 0);
    } else if (client->state == OPEN) {
        send_segment(client, ACK | PSH, client->seq, client->request + client->len - left, left);
    } else if (client->state == CLOSING) {
        send_segment(client, ACK | FIN, client->seq, NULL, 0);
    }
    client->repeat_ms = qr_board_uptime_ms() + client->repeat_after_ms;
    client->repeat_after_ms *= 2;
}

static void send_first(struct client *client, size_t len)
{
    client->next = client->seq + (uint32_t)len;
    client->repeat_after_ms = client->state == OPENING ? 1000 : REPEAT_MS;
    send_again(client);
}

static void open_connection(struct client *client)
{
    static uint16_t port = FIRST_PORT;

    client->state = OPENING;
    client->port = port = port == UINT16_MAX ? FIRST_PORT : (uint16_t)(port + 1);
    client->seq = any(UINT32_MAX);
    client->ack = 0;
    client->fin = false;
    client->probes = 0;
    send_first(client, 1);
}

static void post(struct client *client)
{
    char content[100];
    int len;

    client->posts++;
    len = snprintf(content, sizeof content, "{\"groupID\":\"G%zu\",\"userID\":\"%u\"}\n",
                   (size_t)(client - clients), client->posts);
    client->len = (size_t)snprintf(
        client->request, sizeof client->request,
        RIG_REQUEST "Host: 192.168.1.50\r\nUser-Agent: Go-http-client/1.1\r\n"
                    "Content-Length: %d\r\nContent-Type: application/json; charset=utf-8\r\n"
                    "Operationid: op-1\r\nAccept-Encoding: gzip\r\n\r\n%s",
        len, content);
    client->waits = true;
    client->reply_len = 0;
    client->asked_ms = qr_board_uptime_ms();
    if (client->state == OPEN) {
        send_first(client, client->len);
    } else {
        open_connection(client);
    }
}

static void rest(struct client *client)
{
    client->waits = false;
    client->post_ms = qr_board_uptime_ms() + IDLE_MIN_MS + any(IDLE_MAX_MS - IDLE_MIN_MS);
}

static void answered(struct client *client)
{
    uint64_t took_ms = qr_board_uptime_ms() - client->asked_ms;

    assert_ptr_equal(strstr(client->reply, "HTTP/1.1 200 OK\r\n"), client->reply);
    assert_int_equal(client->stored, client->posts);
    hour.answered++;
    hour.worst_ms = took_ms > hour.worst_ms ? took_ms : hour.worst_ms;
    rest(client);
    if (strstr(client->reply, "\r\nConnection: close\r\n") != NULL) {
        hour.closed++;
        client->state = CLOSING;
        send_first(client, 1);
    }
}

static void read_reply(struct client *client, const char *data, size_t len)
{
    static const char end[] = "\"nextCode\":0}";

    assert_true(client->waits && client->reply_len + len < sizeof client->reply);
    memcpy(client->reply + client->reply_len, data, len);
    client->reply_len += len;
    client->reply[client->reply_len] = '\0';
    if (strstr(client->reply, end) != NULL) {
        answered(client);
    }
}

/* Nobody closes who has not said so, and nobody resets. */
static void lose_connection(struct client *client)
{
    if (hour.loss == 0) {
        fail_msg("client %zu lost its connection", (size_t)(client - clients));
    }
    client->state = CLOSED;
    client->repeat_ms = 0;
}

static void receive_data(struct client *client, uint8_t flags, uint32_t seq, const char *data,
                         size_t len)
{
    bool fresh = seq == client->ack;

    if (fresh) {
        client->ack += (uint32_t)len + ((flags & FIN) != 0);
        client->fin = client->fin || (flags & FIN) != 0;
    }
    if (!fresh || len != 0 || (flags & FIN) != 0) {
        send_segment(client, ACK, client->next, NULL, 0);
    }
    if (fresh && len != 0) {
        read_reply(client, data, len);
    }
    if (client->fin && client->state == OPEN) {
        fail_msg("client %zu was closed unannounced", (size_t)(client - clients));
    }
}

static void receive(struct client *client, uint8_t flags, uint32_t seq, uint32_t ack,
                    const char *data, size_t len)
{
    client->probes = 0;
    if ((flags & RST) != 0) {
        lose_connection(client);
        return;
    }
    if ((int32_t)(ack - client->seq) > 0) {
        client->seq = ack;
        client->repeat_ms = client->seq == client->next ? 0 : client->repeat_ms;
    }
    if (client->state == OPENING && (flags & SYN) != 0 && client->seq == client->next) {
        client->state = OPEN;
        client->ack = seq + 1;
        client->probe_ms = qr_board_uptime_ms() + PROBE_MS;
        send_segment(client, ACK, client->next, NULL, 0);
        send_first(client, client->len);
    } else if (client->state != OPENING) {
        receive_data(client, flags, seq, data, len);
    }
    if (client->state == CLOSING && client->fin && client->repeat_ms == 0) {
        client->state = CLOSED;
    }
}

/* As in TIME_WAIT: our side has not heard that its end is known. */
static void acknowledge_end(uint16_t port, uint32_t seq, uint32_t ack, size_t len)
{
    struct client gone = {.port = port, .ack = seq + (uint32_t)len + 1};

    send_segment(&gone, ACK, ack, NULL, 0);
}

static void hand_over(const uint8_t *frame)
{
    const uint8_t *tcp = frame + AT_TCP;
    size_t head_len = (size_t)(tcp[12] >> 4) * 4;
    size_t len = wire_get16(frame + AT_IP + 2) - 20 - head_len;
    uint32_t seq = wire_get32(tcp + 4), ack = wire_get32(tcp + 8);
    uint16_t port = (uint16_t)wire_get16(tcp + 2);

    for (size_t i = 0; i < n_clients; i++) {
        if (clients[i].port == port && clients[i].state != CLOSED) {
            receive(&clients[i], tcp[13], seq, ack, (const char *)tcp + head_len, len);
            return;
        }
    }
    if ((tcp[13] & FIN) != 0) {
        acknowledge_end(port, seq, ack, len);
    }
}

/* ---- timers ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return b != 0 && b < a ? b : a;
}

/* When this client has something to do next. */
static uint64_t client_due_ms(const struct client *client, uint64_t due_ms)
{
    due_ms = earlier(due_ms, client->repeat_ms);
    if (client->waits) {
        return earlier(due_ms, client->asked_ms + ANSWER_MS);
    }
    due_ms = earlier(due_ms, client->post_ms);
    return client->state == OPEN ? earlier(due_ms, client->probe_ms) : due_ms;
}

/* OpenIM does not ask again. */
static void give_up(struct client *client)
{
    if (hour.loss == 0) {
        fail_msg("client %zu got no answer", (size_t)(client - clients));
    }
    hour.lost++;
    send_segment(client, RST | ACK, client->next, NULL, 0);
    client->state = CLOSED;
    client->repeat_ms = 0;
    rest(client);
}

static void do_what_is_due(struct client *client, uint64_t now_ms)
{
    if (client->waits && now_ms >= client->asked_ms + ANSWER_MS) {
        give_up(client);
    }
    if (client->repeat_ms != 0 && now_ms >= client->repeat_ms) {
        send_again(client);
    }
    if (!client->waits && now_ms >= client->post_ms) {
        client->state = client->state == CLOSING ? CLOSED : client->state;
        post(client);
    } else if (client->state == OPEN && !client->waits && now_ms >= client->probe_ms) {
        assert_true(client->probes < (hour.loss == 0 ? 1 : 9));
        client->probes++;
        client->probe_ms = now_ms + PROBE_MS;
        send_segment(client, ACK, client->next - 1, NULL, 0);
    }
}

/* ---- the loop ---- */

/* What was stored since is each client's next post, or a later one where some were lost. */
static void check_stored(void)
{
    static struct qr_ring_pos place;
    struct qr_event event;

    if (rig.ring.last_seq == 0 || place.seq > rig.ring.last_seq + 1) {
        place = qr_ring_find(&rig.ring, 1);
    }
    while (qr_ring_next(&rig.ring, &place, &event) != 0) {
        size_t i;
        unsigned n;
        event.group_id[event.group_id_len] = event.user_id[event.user_id_len] = '\0';
        i = (size_t)strtoul(event.group_id + 1, NULL, 10);
        n = (unsigned)strtoul(event.user_id, NULL, 10);
        assert_true(i < n_clients && n > clients[i].stored && n <= clients[i].posts);
        assert_true(hour.loss != 0 || n == clients[i].stored + 1);
        clients[i].stored = n;
    }
}

static void turn(uint64_t until_ms)
{
    uint64_t now_ms = qr_board_uptime_ms();
    struct qr_now now = {.uptime_ms = now_ms};

    until_ms = earlier(until_ms, fake_board_waiting() != 0 ? now_ms : now_ms + LOOK_MS);
    qr_server_wait(&rig.server, &now, until_ms > now_ms ? (uint32_t)(until_ms - now_ms) : 0);
    now.uptime_ms = qr_board_uptime_ms();
    qr_server_serve(&rig.server, &now);
    check_stored();
}

static void move_frames(void)
{
    uint8_t frame[WIRE_FRAME_MAX];
    size_t len;

    while ((len = fake_board_sent(frame)) != 0) {
        if (wire_get16(frame + 12) == 0x0806 && wire_get16(frame + 20) == 1) {
            /* Asking back tells our side the address. */
            wire_deliver(frame, wire_arp_request(frame, WIRE_HOST_ADDR, WIRE_OUR_ADDR));
        } else if (wire_get16(frame + 12) == 0x0800) {
            path_put(&from_us, frame, len);
        }
    }
    for (; path_is_due(&to_us); path_take(&to_us)) {
        wire_deliver(to_us.frames[to_us.first].bytes, to_us.frames[to_us.first].len);
    }
    for (; path_is_due(&from_us); path_take(&from_us)) {
        hand_over(from_us.frames[from_us.first].bytes);
    }
}

static uint64_t due_ms(uint64_t end_ms)
{
    uint64_t due = end_ms;

    due = to_us.used == 0 ? due : earlier(due, to_us.frames[to_us.first].due_ms);
    due = from_us.used == 0 ? due : earlier(due, from_us.frames[from_us.first].due_ms);
    for (size_t i = 0; i < n_clients; i++) {
        due = client_due_ms(&clients[i], due);
    }
    return due;
}

static void live_through(unsigned connections_a_service, unsigned loss)
{
    uint64_t end_ms = qr_board_uptime_ms() + HOUR_MS;

    memset(clients, 0, sizeof clients);
    memset(&hour, 0, sizeof hour);
    n_clients = (size_t)SERVICES * connections_a_service;
    hour.loss = loss;
    chance = 20260102 + connections_a_service;
    to_us.used = from_us.used = 0;
    for (size_t i = 0; i < n_clients; i++) {
        rest(&clients[i]);
    }
    while (qr_board_uptime_ms() < end_ms) {
        turn(due_ms(end_ms));
        move_frames();
        for (size_t i = 0; i < n_clients; i++) {
            do_what_is_due(&clients[i], qr_board_uptime_ms());
        }
    }
}

/* ---- tests ---- */

static void test_port_hour_loses_no_quit(void **state)
{
    static const unsigned connections[] = {2, 4, 16};

    (void)state;
    for (size_t i = 0; i < sizeof connections / sizeof connections[0]; i++) {
        unsigned stored = rig.stats.stored;
        live_through(connections[i], 0);
        /* Each has posted a minute after the last time, more or less. */
        assert_in_range(hour.answered, HOUR_MS / 90000 * n_clients, HOUR_MS / 40000 * n_clients);
        assert_in_range(rig.stats.stored - stored, hour.answered, hour.answered + n_clients);
        assert_in_range(hour.worst_ms, 2 * PATH_MS, 4 * PATH_MS + LOOK_MS);
        assert_int_equal(rig.stats.connectionsReset, 0);
        assert_int_equal(rig.stats.connectionsDropped, 0);
        assert_int_equal(rig.stats.timeouts, 0);
        assert_true((hour.closed != 0) == (n_clients > QR_CONNS_MAX - QR_CONNS_SPARE));
        (void)rig_close(state);
        (void)rig_open(state);
    }
}

static void test_port_hour_stores_once_what_it_answers_where_frames_get_lost(void **state)
{
    static const unsigned connections[] = {4};

    (void)state;
    for (size_t i = 0; i < sizeof connections / sizeof connections[0]; i++) {
        live_through(connections[i], 5);
        assert_in_range(hour.answered, HOUR_MS / 90000 * n_clients, HOUR_MS / 40000 * n_clients);
        assert_in_range(hour.lost, 0, hour.answered / 10);
        (void)rig_close(state);
        (void)rig_open(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_port_hour_loses_no_quit),
        TEST(test_port_hour_stores_once_what_it_answers_where_frames_get_lost),
    };

    return cmocka_run_group_tests_name("port_hour", tests, rig_start, NULL);
}

#include "port_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "lwip/memp.h"
#include "lwip/stats.h"

/* lwIP's TCP timer, which has memory of its own, ends this long behind the last connection. */
#define RIG_TIMERS_MS 500

/* Turns that no work takes. */
#define TURNS_MAX 100000

struct rig rig;

struct used {
    size_t heap, pools[MEMP_MAX];
};

/* After lwIP's start; and after that of the test's server. */
static struct used at_start, at_open;

/* ---- lwIP's memory ---- */

static struct used used_now(void)
{
    struct used used = {.heap = lwip_stats.mem.used};

    for (size_t i = 0; i < MEMP_MAX; i++) {
        used.pools[i] = lwip_stats.memp[i]->used;
    }
    return used;
}

static const struct used *at_rest(void)
{
    return rig.server.listener < 0 ? &at_start : &at_open;
}

bool rig_memory_is_back(void)
{
    struct used used = used_now();
    bool back = used.heap <= at_rest()->heap;

    for (size_t i = 0; i < MEMP_MAX; i++) {
        back = back && used.pools[i] <= at_rest()->pools[i];
    }
    return back;
}

void rig_check_memory(void)
{
    static const char *const names[] = {
#define LWIP_MEMPOOL(name, num, size, desc) #name,
#include "lwip/priv/memp_std.h"
    };
    struct used used;

    rig_run(RIG_TIMERS_MS);
    used = used_now();
    for (size_t i = 0; i < MEMP_MAX; i++) {
        if (used.pools[i] != at_rest()->pools[i]) {
            fail_msg("pool %s: %zu used, %zu at rest", names[i], used.pools[i],
                     at_rest()->pools[i]);
        }
        assert_int_equal(lwip_stats.memp[i]->illegal, 0);
    }
    if (used.heap != at_rest()->heap) {
        fail_msg("heap: %zu bytes used, %zu at rest", used.heap, at_rest()->heap);
    }
    assert_int_equal(lwip_stats.mem.illegal, 0);
    assert_int_equal(lwip_stats.memp[MEMP_SYS_TIMEOUT]->err, 0); /* lwIP ends the program */
}

/* ---- the loop ---- */

static struct qr_now clocks(void)
{
    return (struct qr_now){.uptime_ms = qr_board_uptime_ms(), .unix_ms = qr_board_unix_ms()};
}

void rig_turn(uint32_t max_ms)
{
    struct qr_now now = clocks();

    qr_server_wait(&rig.server, &now, max_ms);
    now = clocks();
    qr_server_serve(&rig.server, &now);
    wire_read();
}

/* A turn may do its work without a frame to show for it, so it takes some that show nothing. */
void rig_settle(void)
{
    unsigned quiet = 0;

    for (unsigned i = 0; quiet < 4; i++) {
        unsigned frames = wire.frames;
        assert_in_range(i, 0, TURNS_MAX);
        rig_turn(0);
        quiet = wire.frames != frames || fake_board_waiting() != 0 ? 0 : quiet + 1;
    }
}

void rig_run(uint32_t ms)
{
    uint64_t end_ms = qr_board_uptime_ms() + ms;

    for (unsigned i = 0; qr_board_uptime_ms() < end_ms; i++) {
        assert_in_range(i, 0, TURNS_MAX);
        rig_turn((uint32_t)(end_ms - qr_board_uptime_ms()));
    }
    rig_settle();
}

/* ---- start and end ---- */

void rig_at_rest(void)
{
    at_start = used_now();
}

void rig_start_with(const struct qr_net_config *config)
{
    fake_board_reset();
    rig.net = qr_net_lwip_start(config);
    rig_at_rest();
}

int rig_start(void **state)
{
    static const struct qr_net_config config = {
        .addr = WIRE_OUR_ADDR, .netmask = WIRE_NETMASK, .hostname = "quitring"};

    (void)state;
    rig_start_with(&config);
    return qr_net_lwip_addr() == WIRE_OUR_ADDR ? 0 : -1;
}

int rig_open(void **state)
{
    (void)state;
    if (fake_board_ended()) {
        fail_msg("the program ended in a test before this one");
    }
    fake_board_reset();
    wire_reset();
    memset(&rig.stats, 0, sizeof rig.stats);
    memset(&rig.api, 0, sizeof rig.api);
    qr_ring_init(&rig.ring, rig.ring_bytes, sizeof rig.ring_bytes, rig.ring_marks);
    rig.api.ring = &rig.ring;
    rig.api.stats = &rig.stats;
    rig.api.status = (struct qr_status_source){.ring = &rig.ring,
                                               .stats = &rig.stats,
                                               .version = "1.2.3",
                                               .board = qr_board_name,
                                               .boot_id = "0123456789abcdef"};
    qr_api_handler(&rig.api, &rig.handler);
    assert_int_equal(qr_server_open(&rig.server, rig.net, &rig.handler, &rig.stats, WIRE_OUR_PORT),
                     0);
    at_open = used_now();
    assert_int_equal(at_open.heap, at_start.heap); /* else the test before this one has failed */
    assert_int_equal(at_open.pools[MEMP_TCP_PCB], at_start.pools[MEMP_TCP_PCB]);
    rig_meet(WIRE_HOST_ADDR);
    return 0;
}

int rig_close(void **state)
{
    (void)state;
    if (fake_board_ended()) {
        return 0;
    }
    fake_board_refuse(false);
    fake_board_deliver_asleep(false);
    qr_server_close(&rig.server);
    wire.deaf_from = 0;
    wire.rejects = true;
    for (unsigned i = 0; i < RIG_REST_MS / 1000 && !rig_memory_is_back(); i++) {
        rig_run(1000);
    }
    rig_check_memory();
    return 0;
}

void rig_meet(uint32_t addr)
{
    uint8_t frame[WIRE_FRAME_MAX];

    wire_deliver(frame, wire_arp_request(frame, addr, WIRE_OUR_ADDR));
    rig_settle();
    assert_int_equal(wire.arp_replies, 1);
    wire.arp_replies = wire.frames = 0;
}

/* ---- what peers do ---- */

void rig_connect(struct peer *peer)
{
    peer_open(peer);
    rig_handshake(peer);
}

void rig_handshake(struct peer *peer)
{
    peer_send(peer, SYN, NULL, 0);
    rig_settle();
    assert_true(peer->syn);
    assert_int_equal(peer->frames, 1);
    peer_ack(peer);
    rig_settle();
    assert_false(peer->reset);
}

void rig_exchange(struct peer *peer, const char *request, const char *reply)
{
    size_t before = peer->len;

    peer_say(peer, request);
    rig_settle();
    assert_false(peer->reset);
    assert_string_equal(peer->bytes + before, reply);
}

void rig_callback_served(struct peer *peer)
{
    uint32_t stored = rig.stats.stored;

    rig_exchange(peer, RIG_CALLBACK, RIG_REPLY);
    assert_int_equal(rig.stats.stored, stored + 1);
}

void rig_leave(struct peer *peer)
{
    peer_send(peer, ACK | FIN, NULL, 0);
    rig_settle();
    assert_true(peer->fin);
    peer_ack(peer);
    rig_settle();
    assert_false(peer->reset);
}

void rig_fill_ring(unsigned n, uint8_t id_len)
{
    char id[UINT8_MAX];
    struct qr_now now = clocks();

    memset(id, 'x', sizeof id);
    for (unsigned i = 0; i < n; i++) {
        (void)qr_ring_put(&rig.ring,
                          &(struct qr_quit){.group_id = id,
                                            .user_id = id,
                                            .operation_id = "",
                                            .group_id_len = id_len,
                                            .user_id_len = id_len},
                          &now);
    }
}

char *rig_unchunk(struct peer *peer)
{
    char *in = strstr(peer->bytes, "\r\n\r\n"), *out = peer->bytes;

    assert_non_null(strstr(peer->bytes, "Transfer-Encoding: chunked\r\n"));
    assert_non_null(in);
    in += 4;
    for (;;) {
        size_t len = strtoul(in, &in, 16);
        assert_memory_equal(in, "\r\n", 2);
        in += 2;
        assert_true(len <= (size_t)(peer->bytes + peer->len - in));
        memmove(out, in, len);
        out += len;
        in += len;
        assert_memory_equal(in, "\r\n", 2);
        in += 2;
        if (len == 0) {
            break;
        }
    }
    assert_ptr_equal(in, peer->bytes + peer->len); /* nothing behind it */
    *out = '\0';
    return peer->bytes;
}

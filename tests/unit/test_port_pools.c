/*
 * The port by frames made by hand: lwIP's memory runs out, in each of its pools, and comes back.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "lwip/mem.h"
#include "lwip/memp.h"
#include "lwip/pbuf.h"
#include "lwip/stats.h"
#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include "port.h"
#include "port_rig.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

/* lwIP looks twice a second whether a connection can go on that found no memory. */
#define RETRY_MS 2000

static struct peer peer, other;
static struct peer crowd[QR_CONNS_MAX];

static const char callback[] = RIG_CALLBACK;
enum { CALLBACK_LEN = sizeof callback - 1 };

/* ---- what the test has taken away ---- */

static void *taken[MEMP_MAX][4096];
static size_t n_taken[MEMP_MAX];
static void *taken_heap[4096];
static size_t n_taken_heap;

/* All of a pool. Frames' buffers are such a pool, too. */
static void take(memp_t pool)
{
    void *block;

    LOCK_TCPIP_CORE();
    while ((block = memp_malloc(pool)) != NULL) {
        taken[pool][n_taken[pool]++] = block;
    }
    UNLOCK_TCPIP_CORE();
}

static void give_back(memp_t pool, size_t n)
{
    LOCK_TCPIP_CORE();
    for (; n != 0 && n_taken[pool] != 0; n--) {
        memp_free(pool, taken[pool][--n_taken[pool]]);
    }
    UNLOCK_TCPIP_CORE();
}

static void take_heap(void)
{
    LOCK_TCPIP_CORE();
    for (mem_size_t len = 8192; len >= 8; len /= 2) {
        void *block;
        while ((block = mem_malloc(len)) != NULL) {
            taken_heap[n_taken_heap++] = block;
        }
    }
    UNLOCK_TCPIP_CORE();
}

static void give_back_heap(void)
{
    LOCK_TCPIP_CORE();
    while (n_taken_heap != 0) {
        mem_free(taken_heap[--n_taken_heap]);
    }
    UNLOCK_TCPIP_CORE();
}

static void give_back_all(void)
{
    give_back_heap();
    for (memp_t pool = 0; pool < MEMP_MAX; pool++) {
        give_back(pool, SIZE_MAX);
    }
}

static int open_rig(void **state)
{
    return rig_open(state);
}

static int close_rig(void **state)
{
    give_back_all();
    return rig_close(state);
}

/* ---- no buffer for a received frame ---- */

static void test_port_pools_keeps_a_frame_for_a_turn_when_no_buffer_is_free(void **state)
{
    (void)state;
    rig_connect(&peer);
    take(MEMP_PBUF_POOL);
    peer_say(&peer, callback);
    rig_turn(0);
    assert_int_equal(rig.stats.stored, 0);
    give_back(MEMP_PBUF_POOL, SIZE_MAX);
    rig_settle();
    assert_string_equal(peer.bytes, RIG_REPLY);
    assert_int_equal(rig.stats.stored, 1);
}

static void test_port_pools_gives_up_a_frame_that_found_no_buffer_twice(void **state)
{
    uint32_t start;
    STAT_COUNTER dropped = lwip_stats.link.drop;

    (void)state;
    rig_connect(&peer);
    rig_connect(&other);
    take(MEMP_PBUF_POOL);
    start = peer.seq;
    peer_say(&peer, callback);
    peer_say(&other, RIG_HEALTH); /* small, behind a large one */
    for (unsigned i = 0; i < 4; i++) {
        rig_turn(0);
    }
    assert_int_equal(lwip_stats.link.drop - dropped, 1);
    assert_string_equal(other.bytes, RIG_HEALTH_REPLY);
    give_back(MEMP_PBUF_POOL, SIZE_MAX);
    rig_settle();
    assert_int_equal(rig.stats.stored, 0);
    peer_send_at(&peer, start, callback, CALLBACK_LEN);
    rig_settle();
    assert_string_equal(peer.bytes, RIG_REPLY);
    assert_int_equal(rig.stats.stored, 1);
}

static void test_port_pools_takes_small_frames_when_no_buffer_is_free(void **state)
{
    uint8_t frame[WIRE_FRAME_MAX];

    (void)state;
    rig_connect(&peer);
    rig_callback_served(&peer);
    take(MEMP_PBUF_POOL);
    peer_ack(&peer);
    rig_settle();
    peer.frames = 0;
    rig_run(20000);
    assert_int_equal(peer.frames, 0); /* it knows that the reply has arrived */
    wire_deliver(frame, wire_arp_request(frame, WIRE_HOST_ADDR, WIRE_OUR_ADDR));
    rig_settle();
    assert_int_equal(wire.arp_replies, 1);
    rig_connect(&other);
    rig_exchange(&other, RIG_HEALTH, RIG_HEALTH_REPLY);
    rig_leave(&other);
}

static void test_port_pools_survives_frames_when_nothing_at_all_is_free(void **state)
{
    (void)state;
    rig_connect(&peer);
    rig_callback_served(&peer);
    take(MEMP_PBUF_POOL);
    take_heap();
    for (unsigned i = 0; i < 20; i++) {
        peer_ack(&peer);
        peer_send_at(&peer, peer.seq, callback, CALLBACK_LEN);
        rig_turn(0);
    }
    rig_run(1000);
    assert_int_equal(rig.stats.stored, 1);
    give_back_all();
    rig_run(RETRY_MS);
    peer.len = 0;
    rig_callback_served(&peer);
}

/* The frame that waits was taken from the card, so the card does not wake anybody for it. */
static void test_port_pools_does_not_sleep_while_a_frame_waits_for_a_buffer(void **state)
{
    uint64_t before_ms;

    (void)state;
    rig_connect(&peer);
    rig_connect(&other);
    take(MEMP_PBUF_POOL);
    give_back(MEMP_PBUF_POOL, 1);
    fake_board_deliver_asleep(true);
    peer_say(&peer, callback);
    peer_say(&other, callback);
    before_ms = qr_board_uptime_ms();
    /* As the loop does; the first one's buffer is free when that has been read. */
    for (unsigned i = 0; i < 4 && rig.stats.stored < 2; i++) {
        rig_turn(10000);
    }
    assert_int_equal(rig.stats.stored, 2);
    assert_int_equal(qr_board_uptime_ms() - before_ms, 0);
}

/* Slow readers; two slots are left for others. */
enum { SLOW = QR_CONNS_MAX - 2 };

static void begin_slow(struct peer *reader, uint16_t mss, uint16_t window)
{
    peer_open(reader);
    reader->mss = mss;
    reader->window = window;
    peer_send(reader, SYN, NULL, 0);
    rig_settle();
    peer_say(reader, RIG_STATUS); /* whether it was accepted or not */
    rig_settle();
}

static void begin_slow_and_send(struct peer *reader, size_t part_len)
{
    static const char junk[WIRE_MSS];

    begin_slow(reader, 1460, 500);
    for (size_t len = part_len; len <= 5840; len += part_len) {
        peer_send(reader, ACK, junk, part_len);
    }
    rig_settle();
}

static void check_caller_served(void)
{
    uint32_t stored = rig.stats.stored;

    rig_connect(&peer);
    peer_say(&peer, callback);
    rig_settle();
    assert_int_equal(rig.stats.stored, stored + 1);
    assert_non_null(strstr(peer.bytes, "200 OK"));
    rig_leave(&peer);
}

/* Clients that read nothing, and send on, fill the buffers. They have until their replies are late;
 * then all is as before. */
static void test_port_pools_recover_from_clients_that_send_and_do_not_read(void **state)
{
    (void)state;
    rig_fill_ring(200, 20);
    rig_connect(&other);
    for (size_t i = 0; i < SLOW; i++) {
        begin_slow_and_send(&crowd[i], 400);
    }
    peer_say(&other, RIG_HEALTH); /* small ones get through meanwhile */
    rig_settle();
    assert_non_null(strstr(other.bytes, "200 OK"));
    rig_run(QR_REPLY_TIMEOUT_MS + 1000);
    assert_int_equal(rig.stats.connectionsOpen, 0); /* the idle poller's time was over, too */
    rig_connect(&peer);
    rig_callback_served(&peer);
}

static void test_port_pools_serve_callers_while_others_send_and_do_not_read(void **state)
{
    static const size_t part_lens[] = {1460, 1200, 640, 400, 100};

    (void)state;
    rig_fill_ring(200, 20);
    for (size_t i = 0; i < sizeof part_lens / sizeof part_lens[0]; i++) {
        wire_reset();
        for (size_t j = 0; j < SLOW; j++) {
            begin_slow_and_send(&crowd[j], part_lens[i]);
        }
        for (unsigned n = 0; n < 10; n++) {
            check_caller_served();
            rig_run(100);
        }
        for (size_t j = 0; j < SLOW; j++) {
            peer_send_at(&crowd[j], crowd[j].acked, NULL, 0); /* so that it tells where it is */
            rig_settle();
            crowd[j].seq = crowd[j].acked;
            peer_send(&crowd[j], RST | ACK, NULL, 0);
        }
        rig_settle();
        rig_check_memory();
    }
}

/* Readers that take next to nothing hold all memory for sending that they can get, and some of what
 * they send comes too early. */
static void test_port_pools_serve_callers_while_slow_readers_hold_what_they_can(void **state)
{
    static const struct {
        uint16_t mss, window;
    } cases[] = {{1460, 0},    {1460, 1},    {1460, 300}, {1460, 700}, {1460, 1500},
                 {1460, 3000}, {1460, 5000}, {536, 0},    {536, 2000}, {250, 0},
                 {200, 1000},  {100, 0},     {100, 500},  {92, 50}};

    (void)state;
    rig_fill_ring(200, 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wire_reset();
        for (size_t j = 0; j < SLOW; j++) {
            begin_slow(&crowd[j], cases[i].mss, cases[i].window);
            for (uint32_t n = 1; n <= 4; n++) {
                peer_send_at(&crowd[j], crowd[j].seq + 2 * n, "G", 1);
            }
        }
        for (unsigned n = 0; n < 10; n++) {
            check_caller_served();
            rig_run(100);
        }
        for (size_t j = 0; j < SLOW; j++) {
            peer_send(&crowd[j], RST | ACK, NULL, 0);
        }
        rig_settle();
        rig_check_memory();
    }
}

/* Fewer desks than connections: what others have sent waits in lwIP's buffers, and a callback that
 * has come whole does not. */
static void test_port_pools_serve_callers_while_all_desks_are_taken(void **state)
{
    static const struct {
        const char *head;
        uint16_t window;
        size_t len;
    } cases[] = {
        {"POST /call", 5840, 0},
        {"POST /call", 5840, 1460},
        {"POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
         5840, 0},
        {RIG_STATUS, 0, 0},
        {RIG_STATUS, 500, 1460}};
    static char head[WIRE_MSS];

    (void)state;
    rig_fill_ring(200, 20);
    qr_desks_init(&rig.server.slots.desks, rig.server.slots.all_desks, 4);
    rig.server.slots.desks_kept = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].head);
        wire_reset();
        memset(head, 'x', sizeof head);
        memcpy(head, cases[i].head, len);
        for (size_t j = 0; j < SLOW; j++) {
            peer_open(&crowd[j]);
            crowd[j].window = cases[i].window;
            rig_handshake(&crowd[j]);
            peer_send(&crowd[j], ACK | PSH, head, len > cases[i].len ? len : cases[i].len);
        }
        rig_settle();
        assert_int_equal(rig.server.slots.desks.n_free, 1);
        for (unsigned n = 0; n < 20; n++) {
            check_caller_served();
            rig_run(50);
        }
        assert_true(rig.stats.desksFull >= SLOW - 3);
        for (size_t j = 0; j < SLOW; j++) {
            peer_send_at(&crowd[j], crowd[j].acked, NULL, 0); /* so that it tells where it is */
            rig_settle();
            crowd[j].seq = crowd[j].acked;
            peer_send(&crowd[j], RST | ACK, NULL, 0);
        }
        rig_settle();
        assert_int_equal(rig.server.slots.desks.n_free, 4);
        rig_check_memory();
    }
}

/* Of each that has nothing unread, a segment as long as a callback can still come, and a longer one
 * only while there is more; none while there is little that comes too early. */
static void test_port_pools_take_what_a_callback_needs_when_buffers_are_few(void **state)
{
    static const struct {
        size_t left;
        bool early, full;
    } cases[] = {{QR_LWIP_PBUFS_KEPT + 4, true, true},
                 {QR_LWIP_PBUFS_KEPT - 1, false, true},
                 {QR_LWIP_PBUFS_LAST + 3, false, true},
                 {QR_LWIP_PBUFS_LAST - 1, false, false},
                 {3, false, false}};
    static const char junk[WIRE_MSS];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t start;
        wire_reset();
        rig_connect(&peer);
        rig_connect(&other);
        take(MEMP_PBUF_POOL);
        give_back(MEMP_PBUF_POOL, cases[i].left);
        peer_send_at(&other, other.seq + 10, junk, 100);
        rig_turn(0);
        assert_int_equal(PBUF_POOL_SIZE - lwip_stats.memp[MEMP_PBUF_POOL]->used,
                         cases[i].left - cases[i].early);
        start = peer.seq;
        peer_send(&peer, ACK, junk, sizeof junk);
        rig_settle();
        assert_int_equal(peer.reset || peer.acked != start, cases[i].full); /* it is no request */
        rig_connect(&crowd[0]);
        rig_callback_served(&crowd[0]);
        give_back_all();
        peer_send(&crowd[0], RST | ACK, NULL, 0);
        peer_send_at(&peer, peer.acked, NULL, 0);
        rig_settle();
        peer.seq = peer.acked;
        peer_send(&peer, RST | ACK, NULL, 0);
        peer_send(&other, RST | ACK, NULL, 0);
        rig_settle();
        rig_check_memory();
    }
}

/* While memory is low, who has something unacknowledged gets no more, and others have room. */
static void test_port_pools_send_little_while_memory_is_low(void **state)
{
    (void)state;
    rig_connect(&peer);
    rig_connect(&other);
    LOCK_TCPIP_CORE();
    taken_heap[n_taken_heap++] = mem_malloc((mem_size_t)(MEM_SIZE - lwip_stats.mem.used - 8192));
    UNLOCK_TCPIP_CORE();
    peer_say(&peer, RIG_HEALTH RIG_HEALTH);
    rig_settle();
    assert_string_equal(peer.bytes, RIG_HEALTH_REPLY);
    peer_say(&other, callback);
    rig_settle();
    assert_string_equal(other.bytes, RIG_REPLY);
    peer_ack(&peer);
    rig_run(RETRY_MS);
    assert_string_equal(peer.bytes, RIG_HEALTH_REPLY RIG_HEALTH_REPLY);
    peer_ack(&peer);
    rig_settle();
}

#define NOT_FOUND "GET /no HTTP/1.1\r\nHost: a\r\n\r\n"

/* Connections that were closed hold what their peers do not take, for long. */
static void test_port_pools_give_up_closed_ones_when_memory_is_low(void **state)
{
    (void)state;
    rig_fill_ring(12, 20);
    for (size_t n = 0; n < 40; n++) {
        struct peer *closed = &crowd[n % 8];
        peer_open(closed);
        peer_send(closed, SYN, NULL, 0);
        rig_settle();
        peer_say(closed, NOT_FOUND NOT_FOUND NOT_FOUND "GET /no HTTP/1.0\r\n\r\n");
        rig_settle();
        if (n % 8 == 7) {
            rig_run(3 * QR_CLOSE_TIMEOUT_MS);
        }
    }
    assert_int_equal(rig.stats.connectionsOpen, 0);
    LOCK_TCPIP_CORE();
    taken_heap[n_taken_heap++] = mem_malloc((mem_size_t)(MEM_SIZE - lwip_stats.mem.used - 16384));
    UNLOCK_TCPIP_CORE();
    check_caller_served();
    rig_connect(&peer);
    peer_say(&peer, RIG_STATUS);
    rig_settle();
    assert_in_range(peer.len, 1000, SIZE_MAX); /* all that is sent in one go */
    give_back_heap();
    peer_send(&peer, RST | ACK, NULL, 0);
    rig_settle();
    wire.rejects = true; /* those who left nobody knows any more */
    rig_run(RIG_REST_MS);
    wire_reset();
}

/* What comes too early is kept for a while, but not much of it. */
static void test_port_pools_hold_few_segments_that_come_too_early(void **state)
{
    static char part[300];
    size_t used;

    (void)state;
    for (size_t i = 0; i < SLOW; i++) {
        rig_connect(&crowd[i]);
        for (uint32_t n = 1; n <= 15; n++) {
            peer_send_at(&crowd[i], crowd[i].seq + 1 + 300 * n, part, sizeof part);
            rig_turn(0);
        }
    }
    rig_settle();
    used = lwip_stats.memp[MEMP_PBUF_POOL]->used;
    assert_in_range(used, 1, 4 * SLOW);
    rig_connect(&peer);
    peer_say(&peer, callback);
    rig_settle();
    assert_non_null(strstr(peer.bytes, "200 OK"));
    /* Nothing more of it is kept than the connection. */
    rig_run(QR_HEAD_TIMEOUT_MS);
    assert_int_equal(lwip_stats.memp[MEMP_PBUF_POOL]->used, 0);
}

static void test_port_pools_take_more_segments_at_once_than_a_connection_queues(void **state)
{
    uint32_t start;

    (void)state;
    rig_connect(&peer);
    start = peer.seq;
    for (size_t i = 0; i < CALLBACK_LEN; i++) {
        peer_send(&peer, ACK | PSH, callback + i, 1);
    }
    rig_run(1000);
    /* It takes what it can, and says how much that was. */
    for (unsigned i = 0; i < 100 && rig.stats.stored == 0; i++) {
        size_t at = peer.acked - start;
        assert_in_range(at, 0, CALLBACK_LEN);
        if (at == CALLBACK_LEN) {
            break;
        }
        peer_send_at(&peer, peer.acked, callback + at, CALLBACK_LEN - at);
        rig_run(1000);
    }
    assert_string_equal(peer.bytes, RIG_REPLY);
    assert_int_equal(rig.stats.stored, 1);
}

/* The server has its turn before the last of very many frames was looked at. */
static void test_port_pools_serve_in_the_middle_of_a_flood(void **state)
{
    uint8_t frame[WIRE_FRAME_MAX];
    size_t len = wire_ping(frame, 10);

    (void)state;
    rig_connect(&peer);
    peer_say(&peer, callback);
    for (unsigned i = 0; i < 500; i++) {
        fake_board_deliver(frame, len);
    }
    rig_turn(0);
    assert_string_equal(peer.bytes, RIG_REPLY);
    assert_true(fake_board_waiting() > 0);
    assert_true(wire.pings >= 10); /* but a turn does take some */
    rig_settle();
    assert_int_equal(wire.pings, 500);
}

/* ---- no memory to send ---- */

/* What sending needs, one at a time and all of it. */
static const struct lack {
    const char *what;
    bool heap;
    memp_t pool;
} lacks[] = {
    {"heap", true, MEMP_MAX},
    {"segments", false, MEMP_TCP_SEG},
    {"heap and segments", true, MEMP_TCP_SEG},
};
enum { LACKS = sizeof lacks / sizeof lacks[0] };

static void begin_lack(const struct lack *lack)
{
    if (lack->heap) {
        take_heap();
    }
    if (lack->pool != MEMP_MAX) {
        take(lack->pool);
    }
}

static void test_port_pools_send_a_reply_when_memory_is_there_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < LACKS; i++) {
        uint64_t before_ms = qr_board_uptime_ms();
        rig_connect(&peer);
        begin_lack(&lacks[i]);
        peer_say(&peer, callback);
        rig_settle();
        assert_int_equal(rig.stats.stored, i + 1);
        assert_int_equal(qr_board_uptime_ms(), before_ms); /* nothing waited */
        rig_run(5000);
        give_back_all();
        rig_run(RETRY_MS);
        assert_string_equal(peer.bytes, RIG_REPLY);
        assert_int_equal(rig.stats.stored, i + 1);
        rig_leave(&peer);
        rig_check_memory();
    }
}

static void test_port_pools_send_a_document_when_memory_is_there_again(void **state)
{
    (void)state;
    rig_fill_ring(200, 20);
    for (size_t i = 0; i < LACKS; i++) {
        size_t before;
        rig_connect(&peer);
        peer_say(&peer, RIG_STATUS);
        rig_settle();
        assert_true(peer.len > 1000);
        begin_lack(&lacks[i]);
        peer_ack(&peer);
        rig_settle();
        rig_run(5000);
        give_back_all();
        rig_run(RETRY_MS);
        do {
            before = peer.len;
            peer_ack(&peer);
            rig_run(RETRY_MS);
        } while (peer.len != before);
        assert_non_null(strstr(rig_unchunk(&peer), "{\"seq\":200,"));
        rig_leave(&peer);
        rig_check_memory();
    }
}

static void test_port_pools_close_without_waiting_for_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < LACKS; i++) {
        uint64_t before_ms;
        rig_connect(&peer);
        begin_lack(&lacks[i]);
        before_ms = qr_board_uptime_ms();
        peer_send(&peer, ACK | FIN, NULL, 0);
        rig_settle();
        assert_int_equal(rig.stats.connectionsOpen, 0);
        assert_int_equal(qr_board_uptime_ms(), before_ms);
        give_back_all();
        rig_run(RETRY_MS);
        assert_true(peer.fin || peer.reset);
        peer_ack(&peer);
        rig_settle();
        rig_check_memory();
    }
}

static void test_port_pools_cut_off_without_waiting_for_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < LACKS; i++) {
        uint32_t timeouts = rig.stats.timeouts;
        rig_connect(&peer);
        begin_lack(&lacks[i]);
        peer_say(&peer, callback);
        rig_run(QR_REPLY_TIMEOUT_MS + 1000);
        assert_int_equal(rig.stats.timeouts, timeouts + 1);
        assert_int_equal(rig.stats.connectionsOpen, 0);
        give_back_all();
        rig_run(RETRY_MS);
        rig_check_memory();
    }
}

/* ---- no room for a connection ---- */

static void test_port_pools_accept_when_memory_is_there_again(void **state)
{
    static const memp_t pools[] = {MEMP_NETCONN, MEMP_TCP_PCB, MEMP_TCP_SEG, MEMP_PBUF,
                                   MEMP_PBUF_POOL};

    (void)state;
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        rig_connect(&other);
        take(pools[i]);
        for (unsigned n = 0; n < 20; n++) {
            peer_open(&peer);
            peer_send(&peer, SYN, NULL, 0);
            rig_settle();
            if (peer.syn) {
                peer_ack(&peer);
                rig_settle();
                peer_send(&peer, RST | ACK, NULL, 0);
                rig_settle();
            }
        }
        give_back_all();
        rig_run(1000); /* accepting rests a moment for each connection that found no room */
        rig_callback_served(&other); /* it has not suffered */
        rig_connect(&peer);
        rig_callback_served(&peer);
        rig_leave(&peer);
        rig_leave(&other);
        rig_run(20000);
        rig_check_memory();
    }
}

static void test_port_pools_accept_without_any_heap_later(void **state)
{
    (void)state;
    take_heap();
    peer_open(&peer);
    peer_send(&peer, SYN, NULL, 0);
    rig_settle();
    assert_false(peer.syn);
    assert_false(peer.reset);
    give_back_heap();
    rig_check_memory();
    peer.seq--; /* it tries again */
    rig_handshake(&peer);
    rig_callback_served(&peer);
}

/* Replies to hosts that nobody knows wait for an address, but not for long, and not many. */
static void test_port_pools_forget_what_waits_for_an_address(void **state)
{
    (void)state;
    wire.deaf_from = WIRE_HOST_ADDR + 60;
    for (uint32_t i = 0; i < 6; i++) {
        peer_open(&crowd[i]);
        crowd[i].addr = WIRE_HOST_ADDR + 60 + i;
        peer_send(&crowd[i], SYN, NULL, 0);
        rig_settle();
    }
    rig_connect(&peer);
    rig_callback_served(&peer);
    rig_leave(&peer);
    rig_run(60000);
    rig_check_memory();
}

/* ---- lwIP's assertions ---- */

static void test_port_pools_say_what_assertion_failed_and_end(void **state)
{
    static jmp_buf place;

    (void)state;
    switch (setjmp(place)) {
    case 0:
        fake_board_on_exit(&place);
        LWIP_ASSERT("two and two are four", 2 + 2 == 5);
        fail_msg("it went on");
        break;
    case 1 + 1: break;
    default: fail_msg("another status than 1");
    }
    assert_string_equal(fake_board_logged(QR_LOG_ERROR), "two and two are four");
}

/* What an operator is told: connections, sockets, segments, frames, and the heap last. */
static void test_port_pools_tell_how_much_of_each_is_in_use(void **state)
{
    struct qr_net_pool before[5], pool;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(qr_net_lwip_pool(i, &before[i]));
    }
    assert_false(qr_net_lwip_pool(5, &pool));
    assert_string_equal(before[0].name, "connections");
    assert_int_equal(before[0].size, MEMP_NUM_TCP_PCB);
    assert_string_equal(before[4].name, "heap");
    rig_connect(&peer);
    peer_say(&peer, RIG_CALLBACK); /* its reply is not acknowledged yet */
    rig_settle();
    for (unsigned i = 0; i < 5; i++) {
        bool holds = i != 3; /* the frame was read */
        assert_true(qr_net_lwip_pool(i, &pool));
        assert_string_equal(pool.name, before[i].name);
        assert_int_equal(pool.used > before[i].used, holds);
        assert_true(pool.most >= pool.used && pool.size >= pool.most);
    }
    peer_ack(&peer);
    rig_leave(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_port_pools_keeps_a_frame_for_a_turn_when_no_buffer_is_free),
        TEST(test_port_pools_gives_up_a_frame_that_found_no_buffer_twice),
        TEST(test_port_pools_takes_small_frames_when_no_buffer_is_free),
        TEST(test_port_pools_survives_frames_when_nothing_at_all_is_free),
        TEST(test_port_pools_does_not_sleep_while_a_frame_waits_for_a_buffer),
        TEST(test_port_pools_recover_from_clients_that_send_and_do_not_read),
        TEST(test_port_pools_serve_callers_while_others_send_and_do_not_read),
        TEST(test_port_pools_serve_callers_while_slow_readers_hold_what_they_can),
        TEST(test_port_pools_serve_callers_while_all_desks_are_taken),
        TEST(test_port_pools_take_what_a_callback_needs_when_buffers_are_few),
        TEST(test_port_pools_send_little_while_memory_is_low),
        TEST(test_port_pools_give_up_closed_ones_when_memory_is_low),
        TEST(test_port_pools_hold_few_segments_that_come_too_early),
        TEST(test_port_pools_take_more_segments_at_once_than_a_connection_queues),
        TEST(test_port_pools_serve_in_the_middle_of_a_flood),
        TEST(test_port_pools_send_a_reply_when_memory_is_there_again),
        TEST(test_port_pools_send_a_document_when_memory_is_there_again),
        TEST(test_port_pools_close_without_waiting_for_memory),
        TEST(test_port_pools_cut_off_without_waiting_for_memory),
        TEST(test_port_pools_accept_when_memory_is_there_again),
        TEST(test_port_pools_accept_without_any_heap_later),
        TEST(test_port_pools_forget_what_waits_for_an_address),
        TEST(test_port_pools_say_what_assertion_failed_and_end),
        TEST(test_port_pools_tell_how_much_of_each_is_in_use),
    };

    return cmocka_run_group_tests_name("port_pools", tests, rig_start, NULL);
}

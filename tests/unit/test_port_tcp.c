/*
 * The port by frames made by hand: what clients get to see of the server on lwIP.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "lwip/opt.h"
#include "port_memory.h"
#include "port_rig.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TEST(name)   cmocka_unit_test_setup_teardown(name, rig_open, rig_close)

/* lwIP's timers are this coarse. */
#define TICK_MS 500

/* Time until lwIP sends something again: 3 s before it knows how long an answer takes. */
#define RESEND_MS (3000u + 2 * TICK_MS)

static struct peer peer, other;
static struct peer crowd[100];

static const char callback[] = RIG_CALLBACK;
enum { CALLBACK_LEN = sizeof callback - 1, CALLBACK_HEAD_LEN = sizeof RIG_REQUEST RIG_HEAD - 1 };

/* ---- ARP and ICMP ---- */

static void test_port_tcp_answers_arp_for_its_address(void **state)
{
    static const struct {
        uint32_t whose;
        size_t at; /* a byte of the request that is changed, and to what; 0: none */
        uint8_t to;
        unsigned replies;
    } cases[] = {
        {WIRE_OUR_ADDR, 0, 0, 1},          {WIRE_OUR_ADDR + 1, 0, 0, 0}, {WIRE_HOST_ADDR, 0, 0, 0},
        {WIRE_OUR_ADDR, AT_IP + 1, 6, 0},  /* hardware that is not Ethernet */
        {WIRE_OUR_ADDR, AT_IP + 2, 6, 0},  /* a protocol that is not IPv4 */
        {WIRE_OUR_ADDR, AT_IP + 4, 8, 0},  /* longer hardware addresses */
        {WIRE_OUR_ADDR, AT_IP + 5, 16, 0}, /* longer protocol addresses */
        {WIRE_OUR_ADDR, AT_IP + 7, 2, 0},  /* a reply */
        {WIRE_OUR_ADDR, AT_IP + 7, 9, 0},  /* an unknown operation */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t frame[WIRE_FRAME_MAX];
        size_t len = wire_arp_request(frame, WIRE_HOST_ADDR, cases[i].whose);
        if (cases[i].at != 0) {
            frame[cases[i].at] = cases[i].to;
        }
        wire.frames = wire.arp_replies = 0;
        wire_deliver(frame, len);
        rig_settle();
        assert_int_equal(wire.arp_replies, cases[i].replies);
        assert_int_equal(wire.frames, cases[i].replies);
    }
}

static void test_port_tcp_asks_for_an_address_it_does_not_know(void **state)
{
    (void)state;
    peer_open(&peer);
    peer.addr = WIRE_HOST_ADDR + 5;
    peer_send(&peer, SYN, NULL, 0);
    rig_settle();
    assert_int_equal(wire.arp_requests, 1);
    assert_true(peer.syn);
    peer_ack(&peer);
    rig_settle();
    rig_callback_served(&peer);
    assert_int_equal(wire.arp_requests, 1);
}

static void test_port_tcp_gives_up_a_client_whose_address_nobody_answers_for(void **state)
{
    (void)state;
    wire.deaf_from = WIRE_HOST_ADDR + 6;
    peer_open(&peer);
    peer.addr = WIRE_HOST_ADDR + 6;
    peer_send(&peer, SYN, NULL, 0);
    rig_settle();
    assert_in_range(wire.arp_requests, 1, 2);
    rig_run(60000);
    assert_false(peer.syn);
    rig_check_memory();
}

static void test_port_tcp_answers_ping(void **state)
{
    static const size_t lens[] = {0, 1, 56, 57, 600, 640, 1024, 1471, 1472};

    (void)state;
    for (size_t i = 0; i < COUNT(lens); i++) {
        uint8_t frame[WIRE_FRAME_MAX];
        wire_deliver(frame, wire_ping(frame, lens[i]));
        rig_settle();
        assert_int_equal(wire.pings, i + 1);
    }
    assert_int_equal(wire.frames, COUNT(lens));
}

/* ---- handshake ---- */

static void test_port_tcp_accepts_a_connection(void **state)
{
    (void)state;
    peer_open(&peer);
    peer_send(&peer, SYN, NULL, 0);
    rig_settle();
    assert_int_equal(peer.frames, 1);
    assert_int_equal(peer.last.flags, SYN | ACK);
    assert_int_equal(peer.acked, peer.seq);
    assert_int_equal(peer.our_mss, 1460);
    assert_int_equal(peer.last.window, 4 * 1460);
    assert_int_equal(rig.stats.connectionsOpen, 0);
    peer_ack(&peer);
    rig_settle();
    assert_int_equal(peer.frames, 1);
    assert_int_equal(rig.stats.connectionsOpen, 1);
}

static void test_port_tcp_begins_each_connection_at_a_number_of_its_own(void **state)
{
    uint32_t first;

    (void)state;
    rig_connect(&peer);
    first = peer.ack;
    rig_connect(&other);
    /* Not by a counter or a clock, which others could guess. */
    assert_true(other.ack - first > 1000000 && first - other.ack > 1000000);
}

static void test_port_tcp_repeats_a_syn_ack_that_was_lost(void **state)
{
    (void)state;
    peer_open(&peer);
    wire.lost = 1;
    peer_send(&peer, SYN, NULL, 0);
    rig_settle();
    assert_false(peer.syn);
    rig_run(RESEND_MS);
    assert_true(peer.syn);
    peer_ack(&peer);
    rig_settle();
    rig_callback_served(&peer);
}

static void test_port_tcp_takes_a_request_with_the_handshakes_last_segment(void **state)
{
    (void)state;
    peer_open(&peer);
    peer_send(&peer, SYN, NULL, 0);
    rig_settle();
    rig_callback_served(&peer); /* its segment is the first with an ACK */
}

static void test_port_tcp_resets_what_belongs_to_no_connection(void **state)
{
    static const struct {
        uint8_t flags;
        uint8_t port; /* ours */
        unsigned frames;
    } cases[] = {
        {SYN, WIRE_OUR_PORT + 1, 1},   {ACK, WIRE_OUR_PORT, 1}, {ACK | FIN, WIRE_OUR_PORT, 1},
        {SYN | ACK, WIRE_OUR_PORT, 1}, {RST, WIRE_OUR_PORT, 0}, {RST | ACK, WIRE_OUR_PORT + 1, 0},
        {0, WIRE_OUR_PORT, 0},         {FIN, WIRE_OUR_PORT, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t frame[WIRE_FRAME_MAX];
        size_t len;
        peer_open(&peer);
        len = peer_frame(frame, &peer,
                         &(struct wire_segment){
                             .flags = cases[i].flags, .seq = 1000, .ack = 2000, .window = 500});
        frame[AT_TCP + 3] = cases[i].port;
        wire_sum(frame, len);
        wire.frames = 0;
        wire_deliver(frame, len);
        rig_settle();
        assert_int_equal(wire.frames, cases[i].frames);
        assert_int_equal(peer.reset, cases[i].frames != 0 && cases[i].port == WIRE_OUR_PORT);
        rig_check_memory();
    }
}

/* ---- a callback ---- */

static void test_port_tcp_answers_a_callback_in_one_frame(void **state)
{
    (void)state;
    rig_connect(&peer);
    peer.frames = 0;
    rig_callback_served(&peer);
    assert_int_equal(peer.frames, 1);
    assert_int_equal(peer.acked, peer.seq);
    assert_int_equal(peer.last.flags, ACK | PSH);
    assert_int_equal(peer.len, strlen(RIG_REPLY));
    rig_leave(&peer);
    rig_check_memory();
}

/* A client acknowledges a reply with its next request, or by itself before it. */
static void test_port_tcp_sends_one_frame_a_callback_when_kept_alive(void **state)
{
    static const struct {
        uint32_t pause_ms;
        bool acks;
    } cases[] = {{0, false}, {10, false}, {10, true}, {400, true}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig_connect(&peer);
        wire.frames = 0;
        for (unsigned n = 1; n <= 100; n++) {
            rig_callback_served(&peer);
            if (cases[i].acks) {
                peer_ack(&peer);
            }
            rig_run(cases[i].pause_ms);
            assert_int_equal(peer.frames, n + 1); /* one is the handshake's */
        }
        assert_int_equal(wire.frames, 100);
        assert_int_equal(peer.repeated, 0);
        rig_leave(&peer);
    }
    rig_check_memory();
}

/* Each time is a few calls of the system on some boards, and a wake-up on others. */
static void test_port_tcp_waits_once_a_callback(void **state)
{
    unsigned waits;

    (void)state;
    rig_connect(&peer);
    rig_callback_served(&peer);
    fake_board_deliver_asleep(true);
    peer_say(&peer, callback);
    rig_turn(1000);
    waits = fake_board_waits();
    for (unsigned n = 1; n <= 20; n++) {
        peer_say(&peer, callback);
        rig_turn(1000);
        assert_int_equal(rig.stats.stored, 2 + n);
        assert_int_equal(fake_board_waits() - waits, n);
    }
}

static void test_port_tcp_serves_a_request_split_at_every_byte(void **state)
{
    (void)state;
    rig_connect(&peer);
    for (size_t cut = 1; cut < (size_t)CALLBACK_LEN; cut++) {
        size_t before = peer.len;
        uint32_t stored = rig.stats.stored;
        peer_send(&peer, ACK, callback, cut);
        rig_settle();
        assert_int_equal(peer.len, before);
        peer_send(&peer, ACK | PSH, callback + cut, (size_t)CALLBACK_LEN - cut);
        rig_settle();
        assert_string_equal(peer.bytes + before, RIG_REPLY);
        assert_int_equal(rig.stats.stored, stored + 1);
    }
}

static void test_port_tcp_serves_a_request_that_comes_byte_by_byte(void **state)
{
    (void)state;
    rig_connect(&peer);
    for (size_t i = 0; i < (size_t)CALLBACK_LEN; i++) {
        assert_int_equal(peer.len, 0);
        peer_send(&peer, ACK | PSH, callback + i, 1);
        rig_settle();
    }
    assert_string_equal(peer.bytes, RIG_REPLY);
    assert_int_equal(rig.stats.stored, 1);
    rig_leave(&peer);
    rig_check_memory();
}

static void test_port_tcp_serves_a_request_whose_segments_come_in_any_order(void **state)
{
    static const uint8_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const size_t third = (size_t)CALLBACK_LEN / 3;

    (void)state;
    for (size_t i = 0; i < COUNT(orders); i++) {
        uint32_t start;
        rig_connect(&peer);
        start = peer.seq;
        peer.seq += CALLBACK_LEN; /* so much may be acknowledged */
        for (size_t j = 0; j < 3; j++) {
            size_t at = orders[i][j] * third;
            assert_int_equal(peer.len, 0);
            peer_send_at(&peer, start + (uint32_t)at, callback + at,
                         orders[i][j] == 2 ? (size_t)CALLBACK_LEN - at : third);
            rig_settle();
        }
        assert_string_equal(peer.bytes, RIG_REPLY);
        assert_int_equal(rig.stats.stored, i + 1);
        rig_leave(&peer);
        rig_check_memory();
    }
}

/* Parts of a request, from byte to byte, in the order in which they come. */
static void test_port_tcp_stores_once_what_comes_twice(void **state)
{
    enum { END = CALLBACK_LEN };
    static const uint16_t cases[][4][2] = {
        {{0, END}, {0, END}},
        {{0, END}, {0, END}, {0, END}, {0, END}},
        {{0, 100}, {0, 100}, {100, END}, {100, END}},
        {{0, 100}, {50, END}},             /* the second begins with old bytes */
        {{0, 100}, {0, END}},              /* … is longer than the first */
        {{100, END}, {50, 120}, {0, 100}}, /* early ones overlap */
        {{100, END}, {100, END}, {0, 100}, {0, END}},
        {{50, 100}, {60, 90}, {100, END}, {0, END}},
        {{0, END}, {200, END}, {0, 1}, {END - 1, END}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t start;
        rig_connect(&peer);
        start = peer.seq;
        peer.seq += END;
        for (size_t j = 0; j < COUNT(cases[i]) && cases[i][j][1] != 0; j++) {
            const uint16_t *part = cases[i][j];
            peer_send_at(&peer, start + part[0], callback + part[0], (size_t)(part[1] - part[0]));
            rig_settle();
        }
        assert_string_equal(peer.bytes, RIG_REPLY);
        assert_int_equal(rig.stats.stored, i + 1);
        assert_int_equal(peer.acked, start + END);
        rig_leave(&peer);
        rig_check_memory();
    }
}

static void test_port_tcp_sends_a_lost_reply_again(void **state)
{
    (void)state;
    for (unsigned losses = 1; losses <= 3; losses++) {
        rig_connect(&peer);
        wire.lost = losses;
        peer_say(&peer, callback);
        rig_settle();
        assert_int_equal(peer.len, 0);
        rig_run(RESEND_MS << losses);
        assert_int_equal(wire.lost, 0);
        assert_string_equal(peer.bytes, RIG_REPLY);
        assert_int_equal(rig.stats.stored, losses);
        peer_ack(&peer);
        rig_settle();
        peer.frames = 0;
        rig_run(50000);
        assert_int_equal(peer.frames, 0); /* it has understood the acknowledgement */
        rig_leave(&peer);
        rig_check_memory();
    }
}

static void test_port_tcp_answers_once_when_the_client_repeats_its_request(void **state)
{
    uint32_t start;

    (void)state;
    rig_connect(&peer);
    start = peer.seq;
    wire.lost = 1;
    peer_say(&peer, callback);
    rig_settle();
    assert_int_equal(peer.len, 0);
    peer_send_at(&peer, start, callback, (size_t)CALLBACK_LEN);
    rig_settle();
    rig_run(RESEND_MS);
    assert_string_equal(peer.bytes, RIG_REPLY);
    assert_int_equal(rig.stats.stored, 1);
    rig_leave(&peer);
    rig_check_memory();
}

static void test_port_tcp_sends_a_frame_again_that_the_card_refused(void **state)
{
    (void)state;
    rig_connect(&peer);
    fake_board_refuse(true);
    peer_say(&peer, callback);
    rig_settle();
    fake_board_refuse(false);
    assert_int_equal(peer.len, 0);
    rig_run(RESEND_MS);
    assert_string_equal(peer.bytes, RIG_REPLY);
    assert_int_equal(rig.stats.stored, 1);
}

static void test_port_tcp_answers_pipelined_requests_in_order(void **state)
{
    (void)state;
    rig_connect(&peer);
    rig_exchange(&peer, RIG_HEALTH RIG_CALLBACK RIG_HEALTH,
                 RIG_HEALTH_REPLY RIG_REPLY RIG_HEALTH_REPLY);
    assert_int_equal(rig.stats.stored, 1);
}

/* ---- a document that takes many segments ---- */

/* Reads until no more comes, with an acknowledgement for each batch that does. */
static void download(struct peer *reader)
{
    size_t before;

    do {
        before = reader->len;
        peer_ack(reader);
        rig_settle();
    } while (reader->len != before);
}

/* What stands in a document from the events on, which does not depend on when it was asked for. */
static const char *events_of(struct peer *reader)
{
    const char *events = strstr(rig_unchunk(reader), "\"events\":[");

    assert_non_null(events);
    return events;
}

static unsigned count_events(const char *events)
{
    unsigned n = 0;

    for (const char *at = events; (at = strstr(at, "{\"seq\":")) != NULL; at++) {
        n++;
    }
    return n;
}

static void test_port_tcp_sends_a_large_document_whole(void **state)
{
    static const uint16_t segment_sizes[] = {1460, 536, 100};

    (void)state;
    rig_fill_ring(200, 20);
    for (size_t i = 0; i < COUNT(segment_sizes); i++) {
        rig_connect(&other);
        rig_leave(&other); /* meanwhile: its frames are counted apart */
        peer_open(&peer);
        peer.mss = segment_sizes[i];
        rig_handshake(&peer);
        peer_say(&peer, RIG_STATUS);
        rig_settle();
        download(&peer);
        assert_int_equal(peer.repeated, 0);
        assert_int_equal(count_events(events_of(&peer)), 200);
        rig_leave(&peer);
        rig_check_memory();
    }
}

/* Some kernels wait 40 ms before they acknowledge a segment alone, and not a second one. */
static void test_port_tcp_sends_another_piece_before_one_is_acknowledged(void **state)
{
    (void)state;
    rig_fill_ring(200, 20);
    rig_connect(&peer);
    peer_say(&peer, RIG_STATUS);
    for (unsigned acked = 0; acked < 5; acked++) {
        peer.frames = 0;
        rig_settle();
        assert_true(peer.frames >= 2);
        peer_ack(&peer);
    }
    peer_send(&peer, RST, NULL, 0);
    rig_settle();
    rig_check_memory();
}

static void test_port_tcp_waits_for_a_closed_window_and_serves_others(void **state)
{
    size_t got;

    (void)state;
    rig_fill_ring(200, 20);
    rig_connect(&other);
    peer_say(&other, RIG_STATUS);
    rig_settle();
    download(&other);

    peer_open(&peer);
    peer.window = 1000;
    rig_handshake(&peer);
    peer_say(&peer, RIG_STATUS);
    rig_settle();
    peer.window = 0;
    peer_ack(&peer);
    rig_settle();
    got = peer.len;
    assert_in_range(got, 1, 1000);
    peer.frames = 0;
    for (unsigned s = 0; s < 30; s++) {
        rig_run(1000);
        rig_connect(&crowd[s]);
        rig_callback_served(&crowd[s]);
        rig_leave(&crowd[s]);
    }
    /* It has only asked whether the window is open, ever less often, with a byte each time. */
    assert_in_range(peer.frames, 1, 10);
    assert_in_range(peer.len, got, got + 1);
    peer.window = 64000;
    peer_ack(&peer);
    rig_settle();
    download(&peer);
    assert_string_equal(events_of(&peer), events_of(&other));
}

/* The window opens by a few bytes after it was closed from the first segment on: lwIP then makes
 * segments that are larger than it expects later, and has an assertion about that. */
static void test_port_tcp_survives_a_window_that_opens_from_nothing_by_little(void **state)
{
    static const uint16_t openings[] = {1, 2, 10, 500, 1400, 2900, 64000};

    (void)state;
    rig_fill_ring(200, 20);
    for (size_t i = 0; i < COUNT(openings); i++) {
        peer_open(&peer);
        peer.window = 0;
        rig_handshake(&peer);
        peer_say(&peer, RIG_STATUS);
        rig_settle();
        for (unsigned s = 0; s < 20; s++) {
            peer.window = openings[i];
            peer_ack(&peer);
            rig_run(1000);
        }
        assert_true(peer.len >= (openings[i] < 2000 ? 5u * openings[i] : 20000));
        peer_send(&peer, RST, NULL, 0);
        rig_settle();
        rig_connect(&other);
        rig_callback_served(&other);
        rig_leave(&other);
    }
}

/* A segment for each byte would not fit lwIP's queue: it must not come to a standstill. */
static void test_port_tcp_serves_a_client_with_a_tiny_window(void **state)
{
    static const uint16_t windows[] = {200, 64, 16};

    (void)state;
    for (size_t i = 0; i < COUNT(windows); i++) {
        peer_open(&peer);
        peer.window = windows[i];
        rig_handshake(&peer);
        peer_say(&peer, callback);
        for (unsigned n = 0; n < 50 && peer.len < strlen(RIG_REPLY); n++) {
            rig_run(TICK_MS);
            peer_ack(&peer);
        }
        assert_string_equal(peer.bytes, RIG_REPLY);
        rig_leave(&peer);
    }
    rig_check_memory();
}

static void test_port_tcp_sends_a_document_in_tiny_segments(void **state)
{
    static const uint16_t sizes[] = {1, 2, 16, 48, 64, 88, 216};

    (void)state;
    rig_fill_ring(20, 20);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        peer_open(&peer);
        peer.mss = sizes[i];
        rig_handshake(&peer);
        peer_say(&peer, RIG_STATUS);
        rig_settle();
        download(&peer);
        assert_int_equal(count_events(events_of(&peer)), 20);
        rig_leave(&peer);
        rig_check_memory();
    }
}

static void test_port_tcp_cuts_off_a_client_that_never_reads(void **state)
{
    (void)state;
    rig_fill_ring(200, 20);
    peer_open(&peer);
    peer.window = 0;
    rig_handshake(&peer);
    peer_say(&peer, RIG_STATUS);
    rig_settle();
    for (unsigned s = 1; s < QR_REPLY_TIMEOUT_MS / 1000; s++) {
        rig_run(1000);
        peer_ack(&peer); /* it lives, and says so */
        assert_false(peer.reset);
    }
    rig_run(1000);
    assert_true(peer.reset);
    assert_int_equal(rig.stats.connectionsOpen, 0);
    assert_int_equal(rig.stats.timeouts, 1);
    rig_check_memory();
}

/* A few bytes now and then do not extend the time that a reply may take. */
static void test_port_tcp_cuts_off_a_client_that_reads_too_slowly(void **state)
{
    (void)state;
    rig_fill_ring(200, 20);
    peer_open(&peer);
    peer.window = 200;
    rig_handshake(&peer);
    peer_say(&peer, RIG_STATUS);
    for (unsigned s = 0; s < QR_REPLY_TIMEOUT_MS / 1000; s++) {
        rig_run(1000);
        peer_ack(&peer);
    }
    rig_run(1000);
    assert_true(peer.reset);
    assert_true(peer.len > 1000);
    rig_check_memory();
}

/* ---- closing ---- */

/* A connection breaks off after so many bytes of the request. */
static void test_port_tcp_forgets_a_client_that_resets(void **state)
{
    static const size_t afters[] = {0, 1, 20, CALLBACK_HEAD_LEN, (size_t)CALLBACK_LEN - 1};

    (void)state;
    for (size_t i = 0; i < COUNT(afters); i++) {
        rig_connect(&peer);
        peer_send(&peer, ACK | PSH, callback, afters[i]);
        rig_settle();
        peer_send(&peer, RST | ACK, NULL, 0);
        rig_settle();
        assert_int_equal(rig.stats.connectionsOpen, 0);
        assert_int_equal(rig.stats.connectionsReset, i + 1);
        assert_int_equal(rig.stats.stored, 0);
        assert_int_equal(peer.len, 0);
        rig_check_memory();
    }
}

static void test_port_tcp_forgets_a_client_that_resets_in_the_middle_of_a_reply(void **state)
{
    (void)state;
    rig_fill_ring(200, 20);
    peer_open(&peer);
    peer.window = 3000;
    rig_handshake(&peer);
    peer_say(&peer, RIG_STATUS);
    rig_settle();
    assert_in_range(peer.len, 1, 3000);
    peer_send(&peer, RST | ACK, NULL, 0);
    rig_settle();
    assert_int_equal(rig.stats.connectionsOpen, 0);
    assert_int_equal(rig.stats.connectionsReset, 1);
    rig_check_memory();
}

/* RFC 9293 section 3.5.3: one that nobody could know the numbers of. */
static void test_port_tcp_ignores_a_reset_from_outside_of_the_window(void **state)
{
    static const uint32_t offs[] = {UINT32_MAX, 0x80000000, 5840 + 1, 100000, UINT32_MAX - 5840};

    (void)state;
    rig_connect(&peer);
    for (size_t i = 0; i < COUNT(offs); i++) {
        uint32_t seq = peer.seq;
        peer.seq += offs[i];
        peer_send(&peer, RST | ACK, NULL, 0);
        peer.seq = seq;
        rig_settle();
        rig_callback_served(&peer);
    }
}

static void test_port_tcp_closes_when_the_client_closes_in_mid_request(void **state)
{
    static const size_t afters[] = {0, 1, 20, CALLBACK_HEAD_LEN, (size_t)CALLBACK_LEN - 1};

    (void)state;
    for (size_t i = 0; i < COUNT(afters); i++) {
        rig_connect(&peer);
        peer_send(&peer, ACK | PSH, callback, afters[i]);
        rig_leave(&peer);
        assert_int_equal(peer.len, 0);
        assert_int_equal(rig.stats.stored, 0);
        assert_int_equal(rig.stats.connectionsOpen, 0);
        rig_check_memory(); /* no TIME_WAIT on us */
    }
}

static void test_port_tcp_answers_a_client_that_has_closed_its_side(void **state)
{
    (void)state;
    for (unsigned together = 0; together < 2; together++) {
        rig_connect(&peer);
        if (together) {
            peer_send(&peer, ACK | PSH | FIN, callback, (size_t)CALLBACK_LEN);
        } else {
            peer_send(&peer, ACK | PSH, callback, (size_t)CALLBACK_LEN);
            peer_send(&peer, ACK | FIN, NULL, 0);
        }
        rig_settle();
        assert_string_equal(peer.bytes, RIG_REPLY);
        assert_true(peer.fin);
        peer_ack(&peer);
        rig_settle();
        assert_int_equal(rig.stats.stored, together + 1);
        rig_check_memory();
    }
}

static void test_port_tcp_sends_all_of_a_document_to_a_client_that_has_closed_its_side(void **state)
{
    (void)state;
    rig_fill_ring(200, 20);
    rig_connect(&peer);
    peer_send(&peer, ACK | PSH | FIN, RIG_STATUS, strlen(RIG_STATUS));
    rig_settle();
    download(&peer);
    assert_true(peer.fin);
    assert_int_equal(count_events(events_of(&peer)), 200);
    rig_check_memory();
}

#define LAST_REQUEST  "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
#define CLOSE_ANSWERS "Connection: close\r\n"

static void test_port_tcp_keeps_no_time_wait_when_the_client_closes_as_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        rig_connect(&peer);
        peer_say(&peer, LAST_REQUEST);
        rig_settle();
        assert_non_null(strstr(peer.bytes, CLOSE_ANSWERS));
        assert_false(peer.fin);
        rig_run(5);
        rig_leave(&peer);
        assert_int_equal(rig.stats.connectionsOpen, 0);
        rig_check_memory();
    }
}

static void test_port_tcp_closes_itself_when_the_client_does_not(void **state)
{
    (void)state;
    rig_connect(&peer);
    peer_say(&peer, LAST_REQUEST);
    rig_settle();
    rig_run(QR_CLOSE_TIMEOUT_MS - 10);
    assert_false(peer.fin);
    rig_run(20);
    assert_true(peer.fin);
    peer_send(&peer, ACK | FIN, NULL, 0);
    rig_settle();
    assert_int_equal(peer.acked, peer.seq);
    assert_int_equal(rig.stats.connectionsOpen, 0);
    /* RFC 9293 section 3.6: it is ours to wait for what is left on the way, for 2 minutes. */
    rig_run(119000);
    assert_false(rig_memory_is_back());
    rig_run(2000);
    rig_check_memory();
}

/* HTTP/1.0 without a length: only our FIN tells where the document ends. */
static void test_port_tcp_ends_a_document_without_length_by_closing(void **state)
{
    (void)state;
    rig_fill_ring(200, 20);
    rig_connect(&peer);
    peer_say(&peer, "GET /status?limit=65535 HTTP/1.0\r\n\r\n");
    rig_settle();
    download(&peer);
    assert_true(peer.fin);
    assert_int_equal(count_events(peer.bytes), 200);
    assert_string_equal(peer.bytes + peer.len - 2, "}\n");
    peer_send(&peer, ACK | FIN, NULL, 0);
    rig_settle();
    assert_int_equal(rig.stats.connectionsOpen, 0);
}

/* Until nothing more comes for longer than lwIP's own timer would take. Returns the longest time
 * between two frames. */
static unsigned seconds_between_tries(void)
{
    unsigned quiet_s = 0, longest_s = 0;

    while (quiet_s < 300) {
        unsigned frames = peer.frames;
        rig_run(1000);
        quiet_s++;
        if (peer.frames != frames) {
            longest_s = quiet_s > longest_s ? quiet_s : longest_s;
            quiet_s = 0;
        }
    }
    return longest_s;
}

static void test_port_tcp_gives_up_a_peer_that_is_gone(void **state)
{
    (void)state;
    rig_connect(&peer);
    peer_say(&peer, LAST_REQUEST);
    rig_settle();
    assert_in_range(seconds_between_tries(), 59, 61);
    rig_check_memory();
}

/* It had acknowledged a part of the reply, and then taken less than the rest of that segment. */
static void test_port_tcp_gives_up_a_peer_that_shrank_its_window(void **state)
{
    (void)state;
    rig_connect(&peer);
    peer_say(&peer, LAST_REQUEST);
    rig_settle();
    peer.ack -= (uint32_t)peer.len - 27;
    peer.window = 4;
    peer_ack(&peer);
    (void)seconds_between_tries();
    rig_check_memory();
}

static void test_port_tcp_closes_when_both_close_at_once(void **state)
{
    (void)state;
    rig_connect(&peer);
    peer_say(&peer, LAST_REQUEST);
    rig_settle();
    wire.lost = 1;
    rig_run(QR_CLOSE_TIMEOUT_MS);
    assert_int_equal(wire.lost, 0);
    peer_send(&peer, ACK | FIN, NULL, 0); /* it has not seen ours */
    rig_settle();
    assert_int_equal(peer.acked, peer.seq);
    rig_run(RESEND_MS);
    assert_true(peer.fin);
    peer_ack(&peer);
    rig_settle();
    assert_int_equal(rig.stats.connectionsOpen, 0);
    assert_false(peer.reset);
}

/* A caller waits for five seconds. */
static void
test_port_tcp_sends_a_reply_again_that_is_lost_twice_while_its_caller_waits(void **state)
{
    (void)state;
    rig_connect(&peer);
    wire.lost = 2;
    peer_say(&peer, RIG_CALLBACK);
    rig_run(4500);
    assert_int_equal(wire.lost, 0);
    assert_string_equal(peer.bytes, RIG_REPLY);
}

/* ---- many ---- */

/* Nobody is told "no", and nobody holds a place in the backlog by a SYN alone. */
static void test_port_tcp_serves_again_after_more_syns_than_there_is_room_for(void **state)
{
    unsigned answered = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(crowd); i++) {
        peer_open(&crowd[i]);
        peer_send(&crowd[i], SYN, NULL, 0);
        rig_run(QR_LWIP_HANDSHAKE_MS);
    }
    for (size_t i = 0; i < COUNT(crowd); i++) {
        answered += crowd[i].syn;
        assert_false(crowd[i].reset);
    }
    assert_int_equal(answered, COUNT(crowd));
    rig_run(30000); /* none of them says another word */
    rig_check_memory();
    rig_connect(&peer);
    rig_callback_served(&peer);
}

static void test_port_tcp_serves_again_after_more_clients_than_it_has_slots(void **state)
{
    unsigned connected = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(crowd); i++) {
        peer_open(&crowd[i]);
        peer_send(&crowd[i], SYN, NULL, 0);
        rig_settle();
        if (crowd[i].syn) {
            connected++;
            peer_ack(&crowd[i]);
            rig_settle();
        }
    }
    assert_in_range(connected, QR_CONNS_MAX + 1, COUNT(crowd) - 1);
    assert_int_equal(rig.stats.connectionsOpen, QR_CONNS_MAX);
    rig_run(QR_GRACE_MS / 2); /* it sleeps, though some wait to be accepted */
    assert_int_equal(rig.stats.connectionsOpen, QR_CONNS_MAX);
    for (size_t i = 0; i < COUNT(crowd); i++) {
        assert_false(crowd[i].reset);
        if (crowd[i].syn) {
            peer_send(&crowd[i], RST | ACK, NULL, 0);
        }
    }
    rig_settle();
    assert_int_equal(rig.stats.connectionsOpen, 0);
    rig_check_memory();
    rig_connect(&peer);
    rig_callback_served(&peer);
}

/* All slots hold callers, which are not closed for idleness, as long as they keep to the rules. */
static void test_port_tcp_serves_a_newcomer_when_every_slot_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        rig_connect(&crowd[i]);
        rig_exchange(&crowd[i], callback,
                     i < QR_CONNS_MAX - QR_CONNS_SPARE ? RIG_REPLY : crowd[i].bytes);
    }
    rig_connect(&peer);
    peer_say(&peer, callback);
    rig_run(3 * QR_CLOSE_TIMEOUT_MS);
    assert_non_null(strstr(peer.bytes, "200 OK"));
    assert_int_equal(rig.stats.stored, QR_CONNS_MAX + 1);
    rig_callback_served(&crowd[0]); /* the first ones are still there */
}

static void
test_port_tcp_serves_newcomers_while_closed_connections_wait_out_their_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(crowd); i++) {
        rig_connect(&crowd[i]);
        peer_say(&crowd[i], LAST_REQUEST);
        rig_settle();
        rig_run(QR_CLOSE_TIMEOUT_MS);
        assert_true(crowd[i].fin);
        peer_send(&crowd[i], ACK | FIN, NULL, 0); /* now TIME_WAIT is ours */
        rig_settle();
    }
    rig_connect(&peer);
    rig_callback_served(&peer);
}

/* The peer has a connection that we close first, and keep in TIME_WAIT. */
static void be_closed_first(void)
{
    rig_connect(&peer);
    peer_say(&peer, LAST_REQUEST);
    rig_settle();
    rig_run(QR_CLOSE_TIMEOUT_MS);
    assert_true(peer.fin);
    peer_send(&peer, ACK | FIN, NULL, 0);
    rig_settle();
}

/* It begins another one from the same port. */
static void begin_again(uint32_t seq_further)
{
    peer.seq += seq_further;
    peer.syn = peer.fin = false;
    peer.len = peer.frames = 0;
    peer_send(&peer, SYN, NULL, 0);
    rig_settle();
}

static void test_port_tcp_takes_a_new_connection_from_a_port_whose_last_one_we_closed(void **state)
{
    (void)state;
    be_closed_first();
    begin_again(64000);
    assert_true(peer.syn);
    assert_int_equal(peer.frames, 1);
    peer_ack(&peer);
    rig_settle();
    rig_callback_served(&peer);
}

/* RFC 1122 section 4.2.2.13: else segments of the old one could be taken for the new one's. */
static void test_port_tcp_takes_none_whose_numbers_the_last_one_has_used(void **state)
{
    (void)state;
    be_closed_first();
    wire.careless = true; /* what it is answered acknowledges what the new one has never sent */
    begin_again(UINT32_MAX - 1000);
    assert_false(peer.syn);
    rig_run(121000);
    wire.careless = false;
    peer.seq--;
    peer_send(&peer, SYN, NULL, 0); /* tries again, when it is over */
    rig_settle();
    assert_true(peer.syn);
}

/* What clients say that connect, and then leave a closed connection hanging in lwIP: for half an
 * hour where they are not heard of again, and for as long as they like where they are. */
static const struct leaver {
    const char *says;
    bool takes_fin, takes_nothing;
} leavers[] = {
    {"", false, false},           /* is never heard of again */
    {LAST_REQUEST, false, false}, /* nor this one */
    {LAST_REQUEST, true, false},  /* acknowledges our FIN, and sends none */
    {LAST_REQUEST, false, true},  /* closes its window, and answers when it is asked about it */
};

static void react(const struct leaver *leaver, struct peer *leaving)
{
    if (leaving->frames == 0) {
        return;
    }
    leaving->frames = 0;
    if (leaver->takes_nothing || (leaver->takes_fin && leaving->fin)) {
        peer_ack(leaving);
    }
}

static void test_port_tcp_serves_newcomers_while_closed_connections_hang(void **state)
{
    enum { LEAVING = 60 };

    (void)state;
    for (size_t c = 0; c < COUNT(leavers); c++) {
        wire_reset();
        for (size_t i = 0; i < LEAVING; i++) {
            peer_open(&crowd[i]);
            crowd[i].window = leavers[c].takes_nothing ? 0 : crowd[i].window;
            peer_send(&crowd[i], SYN, NULL, 0);
            rig_settle();
            if (crowd[i].syn) {
                peer_say(&crowd[i], leavers[c].says);
                peer_ack(&crowd[i]);
            }
            rig_run(1000);
            for (size_t j = 0; j < i; j++) {
                react(&leavers[c], &crowd[j]);
            }
        }
        rig_run(1000);
        rig_connect(&peer);
        peer_say(&peer, callback);
        rig_settle();
        assert_int_equal(rig.stats.stored, c + 1);
        assert_non_null(strstr(peer.bytes, "200 OK"));
    }
}

/* ---- keep-alive ---- */

static void test_port_tcp_drops_a_dead_caller_by_keep_alive(void **state)
{
    (void)state;
    rig_connect(&peer);
    rig_callback_served(&peer);
    peer_ack(&peer);
    rig_settle();
    peer.frames = 0;
    rig_run(QR_KEEP_IDLE_S * 1000 - 10);
    assert_int_equal(peer.frames, 0);
    for (unsigned probes = 1; probes <= QR_KEEP_COUNT; probes++) {
        rig_run(2 * TICK_MS);
        assert_int_equal(peer.frames, probes);
        assert_int_equal(peer.last.len, 0);
        assert_int_equal(peer.last.seq, peer.ack - 1);
        assert_int_equal(rig.stats.connectionsOpen, 1);
        rig_run(QR_KEEP_INTERVAL_S * 1000 - 2 * TICK_MS);
    }
    rig_run(2 * TICK_MS);
    assert_true(peer.reset);
    assert_int_equal(rig.stats.connectionsOpen, 0);
    assert_int_equal(rig.stats.connectionsReset, 1);
    rig_check_memory();
}

static void test_port_tcp_keeps_an_idle_caller_that_answers_probes(void **state)
{
    (void)state;
    rig_connect(&peer);
    rig_callback_served(&peer);
    peer.frames = 0;
    for (unsigned s = 0; s < 3600; s++) {
        unsigned frames = peer.frames;
        rig_run(1000);
        if (peer.frames != frames) {
            peer_ack(&peer);
        }
    }
    assert_in_range(peer.frames, 50, 60);
    assert_false(peer.fin || peer.reset);
    rig_callback_served(&peer);
}

static void test_port_tcp_drops_a_caller_that_died_before_its_reply(void **state)
{
    (void)state;
    rig_connect(&peer);
    peer_say(&peer, callback);
    rig_settle();
    rig_run((QR_KEEP_IDLE_S + QR_KEEP_INTERVAL_S * QR_KEEP_COUNT) * 1000 + 2 * TICK_MS);
    assert_int_equal(rig.stats.connectionsOpen, 0);
    rig_check_memory();
}

/* ---- what net.h promises besides ---- */

/* How the server's listener and the tests' sockets are told. */
enum { LISTENER_TAG = QR_CONNS_MAX, TAG = 7 };

/* The server has no turn here: the test does what it would do. */
static void turn_without_server(void)
{
    uint16_t tags[2];

    for (unsigned i = 0; i < 4; i++) {
        assert_true(rig.net->wait(rig.net->ctx, tags, COUNT(tags), 0) >= 0);
        wire_read();
    }
}

static int accept_from(struct peer *from, uint16_t tag)
{
    int socket;

    peer_open(from);
    peer_send(from, SYN, NULL, 0);
    turn_without_server();
    peer_ack(from);
    turn_without_server();
    socket = rig.net->accept(rig.net->ctx, rig.server.listener, tag);
    assert_true(socket >= 0);
    return socket;
}

static int accept_by_hand(void)
{
    return accept_from(&peer, TAG);
}

static void test_port_tcp_abort_resets_a_connection_in_any_state(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        int socket = accept_by_hand();
        if (i == 1) {
            assert_int_equal(rig.net->send(rig.net->ctx, socket, "reply", 5), 5);
        } else if (i == 2) {
            peer_say(&peer, "request");
        }
        turn_without_server();
        rig.net->abort(rig.net->ctx, socket);
        turn_without_server();
        assert_true(peer.reset);
        assert_false(peer.fin);
        rig_check_memory();
    }
}

static void test_port_tcp_listens_once_on_a_port(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(rig.net->listen(rig.net->ctx, WIRE_OUR_PORT, TAG), QR_NET_IN_USE);
    }
    assert_int_equal(rig.net->listen(rig.net->ctx, WIRE_OUR_PORT + 1, TAG), QR_NET_NO_MEMORY);
    rig_check_memory();
    rig_connect(&peer);
    rig_callback_served(&peer);
}

static void test_port_tcp_names_what_recv_and_send_find(void **state)
{
    char bytes[16];
    int socket = accept_by_hand();

    (void)state;
    assert_int_equal(rig.net->accept(rig.net->ctx, rig.server.listener, TAG), QR_NET_AGAIN);
    assert_int_equal(rig.net->recv(rig.net->ctx, socket, bytes, sizeof bytes), QR_NET_AGAIN);
    peer_say(&peer, "request");
    peer_send(&peer, ACK | FIN, NULL, 0);
    turn_without_server();
    assert_int_equal(rig.net->recv(rig.net->ctx, socket, bytes, 3), 3);
    assert_int_equal(rig.net->recv(rig.net->ctx, socket, bytes, sizeof bytes), 4);
    assert_memory_equal(bytes, "uest", 4);
    assert_int_equal(rig.net->recv(rig.net->ctx, socket, bytes, sizeof bytes), QR_NET_CLOSED);
    assert_int_equal(rig.net->send(rig.net->ctx, socket, "reply", 5), 5);
    assert_int_equal(rig.net->finish(rig.net->ctx, socket), 0);
    turn_without_server();
    assert_string_equal(peer.bytes, "reply");
    assert_true(peer.fin);
    assert_int_equal(rig.net->send(rig.net->ctx, socket, "reply", 5), QR_NET_RESET);
    rig.net->close(rig.net->ctx, socket);
    peer_ack(&peer);
}

static void test_port_tcp_names_a_reset_in_recv_and_send(void **state)
{
    char bytes[16];

    (void)state;
    for (unsigned lost = 0; lost < 2; lost++) {
        int socket = accept_by_hand();
        if (lost) { /* nobody answers any more, until keep-alive has noticed */
            uint16_t tag;
            assert_int_equal(rig.net->wait(rig.net->ctx, &tag, 1, 120000), 1);
        } else {
            peer_send(&peer, RST | ACK, NULL, 0);
        }
        turn_without_server();
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(rig.net->recv(rig.net->ctx, socket, bytes, sizeof bytes),
                             QR_NET_RESET);
            assert_int_equal(rig.net->send(rig.net->ctx, socket, "reply", 5), QR_NET_RESET);
        }
        assert_int_equal(rig.net->finish(rig.net->ctx, socket), QR_NET_RESET);
        rig.net->close(rig.net->ctx, socket);
        rig_check_memory();
    }
}

/* Waits for a second at most. Returns how many are ready, and the first two in order. */
static int ready(uint16_t tags[2])
{
    tags[0] = tags[1] = UINT16_MAX;
    return rig.net->wait(rig.net->ctx, tags, 2, 1000);
}

static void test_port_tcp_wait_tells_what_is_ready_until_it_is_not(void **state)
{
    int socket = accept_by_hand();
    uint64_t before_ms = qr_board_uptime_ms();
    uint16_t tags[2];
    char bytes[8];

    (void)state;
    assert_int_equal(ready(tags), 0);
    assert_int_equal(qr_board_uptime_ms() - before_ms, 1000);
    peer_say(&peer, "request");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ready(tags), 1);
        assert_int_equal(tags[0], TAG);
    }
    assert_int_equal(rig.net->recv(rig.net->ctx, socket, bytes, 3), 3);
    assert_int_equal(ready(tags), 1); /* lwIP has the rest of a buffer, and tells nothing of it */
    assert_int_equal(rig.net->recv(rig.net->ctx, socket, bytes, sizeof bytes), 4);
    assert_int_equal(qr_board_uptime_ms() - before_ms, 1000); /* it did not wait for any of it */
    assert_int_equal(ready(tags), 0);
    peer_send(&peer, ACK | FIN, NULL, 0);
    assert_int_equal(ready(tags), 1);
    rig.net->abort(rig.net->ctx, socket);
    before_ms = qr_board_uptime_ms();
    assert_int_equal(ready(tags), 0);
    assert_int_equal(qr_board_uptime_ms() - before_ms, 1000);
}

static void test_port_tcp_wait_goes_by_what_is_watched(void **state)
{
    int socket = accept_by_hand();
    uint16_t tags[2];

    (void)state;
    peer_say(&peer, "request");
    assert_int_equal(ready(tags), 1);
    rig.net->watch(rig.net->ctx, socket, TAG, false, false);
    assert_int_equal(ready(tags), 0);
    rig.net->watch(rig.net->ctx, socket, TAG + 1, false, true);
    assert_int_equal(ready(tags), 1);
    assert_int_equal(tags[0], TAG + 1);
    rig.net->watch(rig.net->ctx, socket, TAG, true, false); /* of what came long ago */
    assert_int_equal(ready(tags), 1);
    assert_int_equal(tags[0], TAG);
    rig.net->watch(rig.net->ctx, socket, TAG, false, false);
    assert_int_equal(ready(tags), 0);
    peer_send(&peer, RST | ACK, NULL, 0); /* is told in any case */
    assert_int_equal(ready(tags), 1);
    rig.net->close(rig.net->ctx, socket);
}

/* lwIP tells of room when a segment and more would go, or some time after it had no memory; before,
 * there may be some, and a server that went by that would spin. */
static void test_port_tcp_wait_tells_of_room_when_there_is_some_again(void **state)
{
    static const char piece[TCP_SND_BUF - TCP_SNDLOWAT];
    int socket = accept_by_hand();
    uint16_t tags[2];

    (void)state;
    rig.net->watch(rig.net->ctx, socket, TAG, false, true);
    assert_int_equal(ready(tags), 1);
    assert_int_equal(rig.net->send(rig.net->ctx, socket, piece, sizeof piece), sizeof piece);
    assert_int_equal(rig.net->wait(rig.net->ctx, tags, COUNT(tags), 0), 0);
    wire_read();
    peer_ack(&peer);
    assert_int_equal(ready(tags), 1);
    memory_fail(1);
    assert_int_equal(rig.net->send(rig.net->ctx, socket, "reply", 5), QR_NET_AGAIN);
    assert_true(memory_failed());
    assert_int_equal(rig.net->wait(rig.net->ctx, tags, COUNT(tags), 0), 0);
    assert_int_equal(rig.net->wait(rig.net->ctx, tags, COUNT(tags), 10000), 1);
    assert_int_equal(rig.net->send(rig.net->ctx, socket, "reply", 5), 5);
    rig.net->abort(rig.net->ctx, socket);
}

/* What came behind the handshake, before anybody had accepted the connection. */
static void test_port_tcp_wait_tells_what_came_before_accept(void **state)
{
    uint16_t tags[2];
    int socket;

    (void)state;
    peer_open(&peer);
    peer_send(&peer, SYN, NULL, 0);
    turn_without_server();
    peer_say(&peer, "request");
    turn_without_server();
    assert_int_equal(ready(tags), 1);
    assert_int_equal(tags[0], LISTENER_TAG);
    socket = rig.net->accept(rig.net->ctx, rig.server.listener, TAG);
    assert_true(socket >= 0);
    assert_int_equal(ready(tags), 1);
    assert_int_equal(tags[0], TAG);
    rig.net->abort(rig.net->ctx, socket);
}

/* Where there is room for fewer than are ready, all have their turn. */
static void test_port_tcp_wait_leaves_nobody_out_for_long(void **state)
{
    int socket = accept_by_hand(), second = accept_from(&other, TAG + 1);
    unsigned told[2] = {0, 0};
    uint16_t tag;

    (void)state;
    peer_say(&peer, "request");
    peer_say(&other, "request");
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(rig.net->wait(rig.net->ctx, &tag, 1, 0), 1);
        assert_in_range(tag, TAG, TAG + 1);
        told[tag - TAG]++;
    }
    assert_int_equal(told[0], 5);
    assert_int_equal(told[1], 5);
    rig.net->abort(rig.net->ctx, socket);
    rig.net->abort(rig.net->ctx, second);
}

/* A reader that is never satisfied must not starve the network. */
static void test_port_tcp_works_while_a_socket_is_always_ready(void **state)
{
    int socket = accept_by_hand();
    uint8_t frame[WIRE_FRAME_MAX];
    uint16_t tags[2];

    (void)state;
    rig.net->watch(rig.net->ctx, socket, TAG, false, true);
    for (unsigned i = 1; i <= 3; i++) {
        wire_deliver(frame, wire_ping(frame, 10));
        assert_int_equal(ready(tags), 1);
        wire_read();
        assert_int_equal(wire.pings, i);
    }
    rig.net->abort(rig.net->ctx, socket);
}

/* As when a signal has come: the loop looks whether it is to stop. */
static void test_port_tcp_wait_ends_when_the_program_is_to_stop(void **state)
{
    uint64_t before_ms = qr_board_uptime_ms();

    (void)state;
    fake_board_stop();
    rig_turn(10000);
    assert_in_range(qr_board_uptime_ms() - before_ms, 0, 1000);
}

/* ---- what lwIP has assertions about that a client can break ---- */

/* The reply's last byte goes out to ask for a window, and is taken; the window stays closed. */
static void test_port_tcp_survives_a_last_byte_that_a_closed_window_takes(void **state)
{
    const uint16_t len = sizeof RIG_HEALTH_REPLY - 1;

    (void)state;
    peer_open(&peer);
    peer.window = (uint16_t)(len - 1);
    rig_handshake(&peer);
    peer_say(&peer, RIG_HEALTH);
    rig_run(10000);
    assert_int_equal(peer.len, len - 1);
    peer.window = 0;
    peer_ack(&peer);
    rig_run(10000);
    assert_int_equal(peer.len, len);
    peer_ack(&peer);
    rig_run(10000);
    peer.window = 1000;
    rig_callback_served(&peer);
}

/* What it sent waits to be sent again when the window closes over it; then all of it is taken. */
static void test_port_tcp_survives_a_window_that_shrinks_over_what_was_sent(void **state)
{
    const uint16_t len = sizeof RIG_HEALTH_REPLY - 1;
    uint8_t frame[WIRE_FRAME_MAX];

    (void)state;
    rig_connect(&peer);
    rig_exchange(&peer, RIG_HEALTH, RIG_HEALTH_REPLY);
    wire_deliver(frame, peer_frame(frame, &peer,
                                   &(struct wire_segment){.flags = ACK,
                                                          .seq = peer.seq,
                                                          .ack = peer.ack - len,
                                                          .data = callback, /* so it is news */
                                                          .len = 1}));
    peer.seq++;
    peer.window = 0;
    rig_run(5000);
    peer_ack(&peer);
    rig_run(4000);
    peer.window = 1000;
    rig_exchange(&peer, callback + 1, RIG_REPLY);
}

/* The same with our FIN, which stands, with some windows, in the same segment as the last bytes. */
static void test_port_tcp_survives_a_window_that_shrinks_over_our_end(void **state)
{
    unsigned together = 0;

    (void)state;
    for (uint16_t window = 600; window <= 2600; window = (uint16_t)(window + 100)) {
        uint8_t frame[WIRE_FRAME_MAX];
        struct wire_segment shrinks = {.flags = ACK, .data = callback, .len = 1};
        peer_open(&peer);
        peer.window = window;
        rig_handshake(&peer);
        peer_say(&peer, "GET /status HTTP/1.0\r\n\r\n");
        rig_settle();
        while (!peer.fin) {
            size_t before = peer.len;
            peer_ack(&peer);
            rig_run(100);
            assert_true(peer.len > before || peer.fin);
        }
        together += peer.last.len != 0;
        shrinks.seq = peer.seq++;
        shrinks.ack = peer.ack - (uint32_t)peer.last.len - 1;
        wire_deliver(frame, peer_frame(frame, &peer, &shrinks));
        peer.window = 0;
        rig_run(5000);
        peer_ack(&peer);
        rig_run(4000);
    }
    assert_true(together > 0);
    rig_connect(&other);
    rig_callback_served(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_port_tcp_answers_arp_for_its_address),
        TEST(test_port_tcp_asks_for_an_address_it_does_not_know),
        TEST(test_port_tcp_gives_up_a_client_whose_address_nobody_answers_for),
        TEST(test_port_tcp_answers_ping),
        TEST(test_port_tcp_accepts_a_connection),
        TEST(test_port_tcp_begins_each_connection_at_a_number_of_its_own),
        TEST(test_port_tcp_repeats_a_syn_ack_that_was_lost),
        TEST(test_port_tcp_takes_a_request_with_the_handshakes_last_segment),
        TEST(test_port_tcp_resets_what_belongs_to_no_connection),
        TEST(test_port_tcp_answers_a_callback_in_one_frame),
        TEST(test_port_tcp_sends_one_frame_a_callback_when_kept_alive),
        TEST(test_port_tcp_waits_once_a_callback),
        TEST(test_port_tcp_serves_a_request_split_at_every_byte),
        TEST(test_port_tcp_serves_a_request_that_comes_byte_by_byte),
        TEST(test_port_tcp_serves_a_request_whose_segments_come_in_any_order),
        TEST(test_port_tcp_stores_once_what_comes_twice),
        TEST(test_port_tcp_sends_a_lost_reply_again),
        TEST(test_port_tcp_answers_once_when_the_client_repeats_its_request),
        TEST(test_port_tcp_sends_a_frame_again_that_the_card_refused),
        TEST(test_port_tcp_answers_pipelined_requests_in_order),
        TEST(test_port_tcp_sends_a_large_document_whole),
        TEST(test_port_tcp_sends_another_piece_before_one_is_acknowledged),
        TEST(test_port_tcp_waits_for_a_closed_window_and_serves_others),
        TEST(test_port_tcp_serves_a_client_with_a_tiny_window),
        TEST(test_port_tcp_sends_a_document_in_tiny_segments),
        TEST(test_port_tcp_cuts_off_a_client_that_never_reads),
        TEST(test_port_tcp_cuts_off_a_client_that_reads_too_slowly),
        TEST(test_port_tcp_forgets_a_client_that_resets),
        TEST(test_port_tcp_forgets_a_client_that_resets_in_the_middle_of_a_reply),
        TEST(test_port_tcp_ignores_a_reset_from_outside_of_the_window),
        TEST(test_port_tcp_closes_when_the_client_closes_in_mid_request),
        TEST(test_port_tcp_answers_a_client_that_has_closed_its_side),
        TEST(test_port_tcp_sends_all_of_a_document_to_a_client_that_has_closed_its_side),
        TEST(test_port_tcp_keeps_no_time_wait_when_the_client_closes_as_told),
        TEST(test_port_tcp_closes_itself_when_the_client_does_not),
        TEST(test_port_tcp_ends_a_document_without_length_by_closing),
        TEST(test_port_tcp_gives_up_a_peer_that_is_gone),
        TEST(test_port_tcp_gives_up_a_peer_that_shrank_its_window),
        TEST(test_port_tcp_closes_when_both_close_at_once),
        TEST(test_port_tcp_sends_a_reply_again_that_is_lost_twice_while_its_caller_waits),
        TEST(test_port_tcp_serves_again_after_more_syns_than_there_is_room_for),
        TEST(test_port_tcp_serves_again_after_more_clients_than_it_has_slots),
        TEST(test_port_tcp_serves_a_newcomer_when_every_slot_is_taken),
        TEST(test_port_tcp_serves_newcomers_while_closed_connections_wait_out_their_time),
        TEST(test_port_tcp_takes_a_new_connection_from_a_port_whose_last_one_we_closed),
        TEST(test_port_tcp_takes_none_whose_numbers_the_last_one_has_used),
        TEST(test_port_tcp_drops_a_dead_caller_by_keep_alive),
        TEST(test_port_tcp_keeps_an_idle_caller_that_answers_probes),
        TEST(test_port_tcp_drops_a_caller_that_died_before_its_reply),
        TEST(test_port_tcp_abort_resets_a_connection_in_any_state),
        TEST(test_port_tcp_listens_once_on_a_port),
        TEST(test_port_tcp_names_what_recv_and_send_find),
        TEST(test_port_tcp_names_a_reset_in_recv_and_send),
        TEST(test_port_tcp_wait_tells_what_is_ready_until_it_is_not),
        TEST(test_port_tcp_wait_goes_by_what_is_watched),
        TEST(test_port_tcp_wait_tells_of_room_when_there_is_some_again),
        TEST(test_port_tcp_wait_tells_what_came_before_accept),
        TEST(test_port_tcp_wait_leaves_nobody_out_for_long),
        TEST(test_port_tcp_works_while_a_socket_is_always_ready),
        TEST(test_port_tcp_wait_ends_when_the_program_is_to_stop),
        TEST(test_port_tcp_serves_newcomers_while_closed_connections_hang),
        TEST(test_port_tcp_survives_a_last_byte_that_a_closed_window_takes),
        TEST(test_port_tcp_survives_a_window_that_shrinks_over_what_was_sent),
        TEST(test_port_tcp_survives_a_window_that_shrinks_over_our_end),
        TEST(test_port_tcp_survives_a_window_that_opens_from_nothing_by_little),
    };

    return cmocka_run_group_tests_name("port_tcp", tests, rig_start, NULL);
}

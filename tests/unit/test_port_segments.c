/*
 * The port by segments that nobody may send on a connection, made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "lwip/opt.h"
#include "port_rig.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_segments, rig_close)

static struct peer peer;

static const char callback[] = RIG_CALLBACK;
enum { CALLBACK_LEN = sizeof callback - 1 };

/* A head that goes on for longer than our window. */
static char head[2 * TCP_WND] = "GET /healthz HTTP/1.1\r\nHost: a\r\nX: ";

static int open_segments(void **state)
{
    memset(head + strlen(head), 'x', sizeof head - 1 - strlen(head));
    return rig_open(state);
}

/* What the peer sends besides, so many bytes ahead of its next one; nobody has read it yet. */
static void send_ahead(uint8_t flags, uint32_t ahead, size_t len)
{
    uint8_t frame[WIRE_FRAME_MAX];

    wire_deliver(frame, peer_frame(frame, &peer,
                                   &(struct wire_segment){.flags = flags,
                                                          .seq = peer.seq + ahead,
                                                          .ack = peer.ack,
                                                          .window = peer.window,
                                                          .data = head + ahead,
                                                          .len = len}));
}

/* The bytes from there to there, in full segments, in one turn. */
static void fill(uint32_t from, uint32_t to)
{
    wire.careless = true;
    while (from < to) {
        size_t len = to - from < TCP_MSS ? to - from : TCP_MSS;
        send_ahead(ACK | PSH, from, len);
        from += (uint32_t)len;
    }
    rig_turn(0);
}

static void check_alive(void)
{
    rig_run(1000);
    peer_send(&peer, RST | ACK, NULL, 0);
    rig_settle();
    rig_check_memory();
    wire_reset();
    rig_connect(&peer);
    rig_callback_served(&peer);
    rig_leave(&peer);
}

/* What came too early counts against the window only when its turn comes: then lwIP asserts that it
 * has room for it. */
static void test_port_segments_survive_an_early_one_that_ends_behind_the_window(void **state)
{
    static const uint32_t begins[] = {TCP_WND - 1, TCP_WND - 500, TCP_WND - 1000, TCP_WND - 1199};

    (void)state;
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        rig_connect(&peer);
        send_ahead(ACK | PSH, begins[i], 1200);
        fill(0, begins[i]);
        check_alive();
    }
}

static void test_port_segments_survive_an_early_end_that_is_behind_the_window(void **state)
{
    (void)state;
    rig_connect(&peer);
    send_ahead(ACK | FIN, TCP_WND - 100, 100); /* the end itself is outside */
    fill(0, TCP_WND - 100);
    check_alive();
}

/* The same where the window is full, and the end is in the middle of it. */
static void test_port_segments_survive_bytes_behind_an_end_that_came_early(void **state)
{
    static const uint32_t ends[] = {TCP_WND - TCP_MSS + 1, TCP_WND - 500, TCP_WND - 11};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        rig_connect(&peer);
        send_ahead(ACK | FIN, ends[i], 10);
        fill(0, TCP_WND);
        check_alive();
    }
}

static void test_port_segments_take_early_ones_that_fill_the_window(void **state)
{
    uint32_t start;

    (void)state;
    rig_connect(&peer);
    start = peer.seq;
    send_ahead(ACK | PSH, TCP_WND - 1200, 1200);
    fill(0, TCP_WND - 1200);
    rig_run(1000);
    assert_int_equal(peer.seq - start, TCP_WND);
    check_alive();
}

/* RFC 9293 section 3.10.7.4: only a SYN or a reset may do without an acknowledgement. */
static void test_port_segments_drop_data_that_acknowledges_nothing(void **state)
{
    static const uint8_t flags[] = {PSH, 0, FIN | PSH, FIN};

    (void)state;
    for (size_t i = 0; i < sizeof flags; i++) {
        rig_connect(&peer);
        peer_send(&peer, flags[i], callback, CALLBACK_LEN);
        rig_settle();
        assert_int_equal(rig.stats.stored, i);
        peer.seq -= CALLBACK_LEN + ((flags[i] & FIN) != 0 ? 1u : 0u);
        rig_callback_served(&peer);
        rig_leave(&peer);
    }
}

/* RFC 9293 section 3.10.7.4: it is told what we have sent, and not believed. */
static void test_port_segments_drop_data_that_acknowledges_what_was_never_sent(void **state)
{
    static const uint32_t too_much[] = {1, 1000, 0x7fff0000};

    (void)state;
    for (size_t i = 0; i < sizeof too_much / sizeof too_much[0]; i++) {
        unsigned frames;
        rig_connect(&peer);
        frames = peer.frames;
        peer.ack += too_much[i];
        peer_send(&peer, ACK | PSH, callback, CALLBACK_LEN);
        rig_settle();
        peer.ack -= too_much[i];
        peer.seq -= CALLBACK_LEN;
        assert_int_equal(rig.stats.stored, i);
        assert_int_equal(peer.frames, frames + 1);
        assert_int_equal(peer.last.seq, peer.ack);
        assert_int_equal(peer.acked, peer.seq);
        rig_callback_served(&peer);
        rig_leave(&peer);
    }
}

/* Else two sides that both do so would answer each other for ever. */
static void
test_port_segments_do_not_answer_a_bare_acknowledgement_of_what_was_never_sent(void **state)
{
    (void)state;
    rig_connect(&peer);
    peer.frames = 0;
    peer.ack += 1000;
    peer_ack(&peer);
    rig_settle();
    peer.ack -= 1000;
    assert_int_equal(peer.frames, 0);
    rig_callback_served(&peer);
}

/* ---- at random, the same in every run ---- */

static uint32_t any(uint32_t below)
{
    static uint32_t chance = 20260102;

    chance = chance * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)chance * below >> 32);
}

/* A piece from around what is wanted next, or from around the window's end. */
static void send_any(void)
{
    static const uint8_t flags[] = {ACK, ACK | PSH, ACK, ACK | PSH, ACK | FIN, PSH, FIN, ACK | SYN};
    static const uint16_t lens[] = {0, 1, 10, 100, 640, 1000, 1200, WIRE_MSS};
    uint32_t from = any(3) == 0 ? TCP_WND - any(1500) : any(2) == 0 ? any(1500) : any(TCP_WND + 50);
    uint8_t frame[WIRE_FRAME_MAX];

    wire_deliver(frame, peer_frame(frame, &peer,
                                   &(struct wire_segment){
                                       .flags = flags[any(sizeof flags)],
                                       .seq = peer.seq + from - (any(4) == 0 ? any(300) : 0),
                                       .ack = peer.ack - (any(8) == 0 ? any(3000) : 0),
                                       .window = (uint16_t)any(any(4) == 0 ? 2 : 4000),
                                       .data = head + 100,
                                       .len = lens[any(sizeof lens / sizeof lens[0])]}));
}

static void test_port_segments_take_no_harm_from_pieces_at_random(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        rig_connect(&peer);
        peer_send(&peer, ACK | PSH, head, 100);
        wire.careless = true;
        for (unsigned n = 0; n < 20 && wire.careless; n++) {
            for (uint32_t burst = any(9); burst != 0; burst--) {
                send_any();
            }
            if (any(2) == 0) {
                fill(0, any(TCP_WND));
            }
            rig_turn(any(4) == 0 ? any(500) : 0);
        }
        rig_run(300);
        peer_send(&peer, RST | ACK, NULL, 0);
        rig_settle();
        wire_reset();
    }
    wire.rejects = true;
    rig_run(QR_HEAD_TIMEOUT_MS * 3);
    wire_reset();
    rig_connect(&peer);
    rig_callback_served(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_port_segments_survive_an_early_one_that_ends_behind_the_window),
        TEST(test_port_segments_survive_an_early_end_that_is_behind_the_window),
        TEST(test_port_segments_survive_bytes_behind_an_end_that_came_early),
        TEST(test_port_segments_take_early_ones_that_fill_the_window),
        TEST(test_port_segments_drop_data_that_acknowledges_nothing),
        TEST(test_port_segments_drop_data_that_acknowledges_what_was_never_sent),
        TEST(test_port_segments_do_not_answer_a_bare_acknowledgement_of_what_was_never_sent),
        TEST(test_port_segments_take_no_harm_from_pieces_at_random),
    };

    return cmocka_run_group_tests_name("port_segments", tests, rig_start, NULL);
}

/*
 * The port by frames made by hand: what must not get through, and what must not do harm.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "guard.h"
#include "hooks.h"
#include "lwip/pbuf.h"
#include "lwip/prot/tcp.h"
#include "lwip/stats.h"
#include "lwip/tcp.h"
#include "port_rig.h"
#include "pump.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TEST(name)   cmocka_unit_test_setup_teardown(name, rig_open, rig_close)

#define OPTIONS_MAX 40
#define NOP4        1, 1, 1, 1
#define NOP36       NOP4, NOP4, NOP4, NOP4, NOP4, NOP4, NOP4, NOP4, NOP4

static struct peer peer;
static struct peer crowd[8];

static const char callback[] = RIG_CALLBACK;
enum { CALLBACK_LEN = sizeof callback - 1 };

/* ---- TCP options ---- */

/* As many bytes as a header can have: a multiple of 4. Behind the first end-of-list option anything
 * may stand. A segment size is good in a SYN; elsewhere it may be refused (RFC 9293 section 3.7.1).
 */
static const struct options {
    const char *what;
    bool good;
    uint8_t len;
    uint8_t bytes[OPTIONS_MAX];
} options[] = {
    {"none", true, 0, {0}},
    {"nothing but no-operation", true, 4, {NOP4}},
    {"segment size", true, 4, {2, 4, 5, 180}},
    {"time stamps", true, 12, {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}},
    {"what Linux sends in a SYN", true, 20, {2, 4, 5, 180, 4, 2, 8, 10, 1, 2,
                                             3, 4, 5, 6,   7, 8, 1, 3,  3, 7}},
    {"selective acknowledgement", true, 12, {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9}},
    {"unknown one without content", true, 4, {77, 2, 1, 1}},
    {"unknown one that ends with the header", true, 4, {1, 1, 77, 2}},
    {"40 bytes of unknown", true, 40, {253, 40}},
    {"no-operations and one at the 40-byte limit", true, 40, {NOP36, 253, 4, 0, 0}},
    {"end of list", true, 4, {0, 0, 0, 0}},
    {"end of list at the end", true, 4, {1, 1, 1, 0}},
    {"bad ones behind the end of list", true, 8, {2, 4, 5, 180, 0, 2, 0, 255}},

    {"length 0", false, 4, {2, 0, 5, 180}},
    {"length 1", false, 4, {2, 1, 5, 180}},
    {"length 1 in front of what would be good", false, 4, {77, 1, 1, 1}},
    {"length 0 of an unknown one", false, 4, {77, 0, 1, 1}},
    {"length 0 behind a good one", false, 8, {2, 4, 5, 180, 3, 0, 7, 1}},
    {"one past the end", false, 4, {2, 5, 5, 180}},
    {"one past the end behind a good one", false, 8, {2, 4, 5, 180, 1, 3, 4, 7}},
    {"far past the end", false, 4, {77, 255, 0, 0}},
    {"time stamps cut", false, 8, {1, 1, 8, 10, 1, 2, 3, 4}},
    {"no length byte", false, 4, {1, 1, 1, 2}},
    {"no length byte of an unknown one", false, 4, {1, 1, 1, 255}},
    {"no length byte at the 40-byte limit", false, 40, {NOP36, 1, 1, 1, 2}},
    {"one past the 40-byte limit", false, 40, {NOP36, 1, 1, 2, 4}},
    {"one past the 40-byte limit from the start", false, 40, {253, 41}},
    {"255 bytes from the start", false, 40, {253, 255}},
    {"length 0 at the 40-byte limit", false, 40, {NOP36, 1, 1, 8, 0}},
    {"nothing but the highest number", false, 4, {255, 255, 255, 255}},
};

static bool has_size(const struct options *o)
{
    return o->good && o->bytes[0] == 2;
}

static bool passes(const void *header, size_t len, size_t first_len, const u8_t *second)
{
    struct tcp_pcb pcb = {.state = ESTABLISHED};
    struct pbuf p = {0};

    (void)pcb;
    (void)p;
    return LWIP_HOOK_TCP_INPACKET_PCB(&pcb, (const struct tcp_hdr *)header, (u16_t)len,
                                      (u16_t)first_len, second, &p) == ERR_OK;
}

/* lwIP has the options in one piece or in two; either ends at a guard page. */
static void test_port_hooks_reads_options_in_one_piece_or_two(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(options); i++) {
        const struct options *o = &options[i];
        uint8_t segment[TCP_HLEN + OPTIONS_MAX] = {0};
        segment[13] = has_size(o) ? SYN : ACK;
        memcpy(segment + TCP_HLEN, o->bytes, o->len);
        for (size_t cut = 0; cut <= o->len; cut++) {
            const u8_t *second = cut == o->len ? NULL : o->bytes + cut;
            if (passes(guard_copy(segment, TCP_HLEN + cut), o->len, cut, second) != o->good) {
                fail_msg("%s, cut at %zu", o->what, cut);
            }
            second = (u8_t *)guard_copy(o->bytes + cut, o->len - cut);
            if (passes(segment, o->len, cut, second) != o->good) {
                fail_msg("%s, cut at %zu", o->what, cut);
            }
        }
    }
}

static void send_with(struct peer *from, const struct options *o, uint8_t flags, const char *data)
{
    uint8_t frame[WIRE_FRAME_MAX];

    wire_deliver(frame, peer_frame(frame, from,
                                   &(struct wire_segment){.flags = flags,
                                                          .seq = from->seq,
                                                          .ack = from->ack,
                                                          .window = from->window,
                                                          .options = o->bytes,
                                                          .options_len = o->len,
                                                          .data = data,
                                                          .len = strlen(data)}));
    rig_settle();
}

static void test_port_hooks_drops_a_syn_whose_options_do_not_add_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(options); i++) {
        peer_open(&peer);
        wire.frames = 0;
        peer.seq++; /* it may be acknowledged */
        send_with(
            &(struct peer){
                .addr = peer.addr, .port = peer.port, .seq = peer.seq - 1, .window = peer.window},
            &options[i], SYN, "");
        if (peer.syn != options[i].good || wire.frames != options[i].good) {
            fail_msg("%s: %u frames", options[i].what, wire.frames);
        }
        if (!options[i].good) {
            rig_check_memory();
        } else {
            peer_ack(&peer);
            rig_settle();
            rig_callback_served(&peer);
            rig_leave(&peer);
        }
    }
}

static void test_port_hooks_drops_data_whose_options_do_not_add_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(options); i++) {
        uint32_t stored = rig.stats.stored;
        if (has_size(&options[i])) {
            continue;
        }
        rig_connect(&peer);
        peer.frames = 0;
        peer.seq += CALLBACK_LEN;
        send_with(&(struct peer){.addr = peer.addr,
                                 .port = peer.port,
                                 .seq = peer.seq - CALLBACK_LEN,
                                 .ack = peer.ack,
                                 .window = peer.window},
                  &options[i], ACK | PSH, callback);
        if (rig.stats.stored - stored != options[i].good || peer.frames != options[i].good) {
            fail_msg("%s", options[i].what);
        }
        if (!options[i].good) { /* not even that it came is remembered */
            peer.seq -= CALLBACK_LEN;
            rig_callback_served(&peer);
        }
        rig_leave(&peer);
        rig_check_memory();
    }
}

static void test_port_hooks_drops_an_ending_whose_options_do_not_add_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(options); i++) {
        if (options[i].good) {
            continue;
        }
        rig_connect(&peer);
        peer.frames = 0;
        send_with(&peer, &options[i], RST | ACK, "");
        send_with(&peer, &options[i], FIN | ACK, "");
        send_with(&peer, &options[i], SYN, "");
        send_with(&peer, &options[i], ACK, "");
        assert_int_equal(peer.frames, 0);
        rig_callback_served(&peer);
        rig_leave(&peer);
        /* The same to a connection that is in TIME_WAIT. */
        rig_connect(&peer);
        rig_exchange(&peer, "GET /healthz HTTP/1.0\r\n\r\n", peer.bytes);
        rig_run(QR_CLOSE_TIMEOUT_MS);
        rig_leave(&peer);
        peer.frames = 0;
        send_with(&peer, &options[i], FIN | ACK, "");
        assert_int_equal(peer.frames, 0);
    }
}

/* lwIP takes a segment size from any segment, and has an assertion that a smaller one breaks while
 * longer segments wait to be sent. RFC 9293 section 3.7.1: it belongs into a SYN. */
static void test_port_hooks_survives_a_segment_size_that_shrinks(void **state)
{
    static const uint16_t windows[] = {300, 700, 1459, 1460, 1636, 2000, 2919, 4000};

    (void)state;
    rig_fill_ring(100, 20);
    for (size_t i = 0; i < COUNT(windows); i++) {
        struct options shrunk = {.len = 4, .bytes = {2, 4}};
        peer_open(&peer);
        peer.window = windows[i];
        rig_handshake(&peer);
        peer_say(&peer, RIG_STATUS);
        rig_settle();
        for (unsigned n = 0; n < 100; n++) {
            wire_put16(shrunk.bytes + 2, 1450 - 14 * n);
            send_with(&peer, &shrunk, ACK, "");
            peer_ack(&peer);
            rig_run(500);
        }
        peer.window = 60000;
        for (unsigned n = 0; n < 20; n++) {
            peer_ack(&peer);
            rig_settle();
        }
        assert_non_null(strstr(rig_unchunk(&peer), "{\"seq\":100,"));
        rig_leave(&peer);
        rig_check_memory();
    }
}

/* ---- IPv4 fragments ---- */

/* How the 16 bits of flags and offset (in 8 bytes) stand in an IPv4 header. */
enum { MORE = 0x2000, DONT = 0x4000, RESERVED = 0x8000 };

static void deliver_as_fragment(uint8_t *frame, size_t len, unsigned bits)
{
    wire_put16(frame + AT_IP + 6, bits);
    wire_sum(frame, len);
    wire_deliver(frame, len);
    rig_settle();
}

static void test_port_hooks_drops_fragments_and_holds_none(void **state)
{
    static const uint16_t bits[] = {MORE,        MORE | 1,      1,         MORE | 100, 0x1fff,
                                    DONT | MORE, MORE | 0x1fff, DONT | 185};
    uint8_t frame[WIRE_FRAME_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(bits); i++) {
        size_t len = wire_ping(frame, 600);
        deliver_as_fragment(frame, len, bits[i]);
        peer_open(&peer);
        len = peer_frame(frame, &peer, &(struct wire_segment){.flags = SYN, .window = 1000});
        deliver_as_fragment(frame, len, bits[i]);
        assert_int_equal(wire.frames, 0);
        assert_true(rig_memory_is_back());
    }
    rig_run(30000);
    assert_int_equal(wire.frames, 0);
}

static void test_port_hooks_does_not_put_fragments_together(void **state)
{
    const size_t half = 160;
    uint8_t frame[WIRE_FRAME_MAX], first[WIRE_FRAME_MAX];
    size_t len;

    (void)state;
    rig_connect(&peer);
    peer.frames = 0;
    len = peer_frame(frame, &peer,
                     &(struct wire_segment){.flags = ACK | PSH,
                                            .seq = peer.seq,
                                            .ack = peer.ack,
                                            .window = peer.window,
                                            .data = callback,
                                            .len = CALLBACK_LEN});
    memcpy(first, frame, len);
    wire_put16(first + AT_IP + 2, (unsigned)(20 + half));
    wire_put16(first + AT_IP + 6, MORE);
    memmove(frame + AT_TCP, frame + AT_TCP + half, len - AT_TCP - half);
    wire_put16(frame + AT_IP + 2, (unsigned)(len - AT_IP - half));
    wire_put16(frame + AT_IP + 6, (unsigned)half / 8);
    /* Only the IPv4 checksums are written anew: the segment's is right once both are together. */
    frame[AT_IP + 9] = first[AT_IP + 9] = 0;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *at = i == 0 ? first : frame;
        size_t at_len = i == 0 ? AT_TCP + half : len - half;
        unsigned sum;
        wire_sum(at, at_len);
        at[AT_IP + 9] = 6;
        sum = wire_get16(at + AT_IP + 10);
        wire_put16(at + AT_IP + 10, sum < 6 ? sum + 0xffff - 6 : sum - 6);
        wire_deliver(at, at_len);
        rig_settle();
    }
    rig_run(5000);
    assert_int_equal(peer.frames, 0);
    assert_int_equal(rig.stats.stored, 0);
    rig_callback_served(&peer);
}

static void test_port_hooks_takes_datagrams_that_are_whole_whatever_their_flags(void **state)
{
    static const uint16_t bits[] = {0, DONT, RESERVED, DONT | RESERVED};
    uint8_t frame[WIRE_FRAME_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(bits); i++) {
        size_t len = wire_ping(frame, 600);
        deliver_as_fragment(frame, len, bits[i]);
        assert_int_equal(wire.pings, i + 1);
    }
}

/* ---- frames that lie about themselves ---- */

static size_t udp_frame(uint8_t *frame, unsigned port, size_t content_len)
{
    size_t len = wire_ping(frame, content_len);

    wire_put16(frame + AT_TCP, 67);
    wire_put16(frame + AT_TCP + 2, port);
    wire_put16(frame + AT_TCP + 4, (unsigned)(8 + content_len));
    wire_put16(frame + AT_TCP + 6, 0); /* no checksum */
    frame[AT_IP + 9] = 17;
    wire_sum(frame, len);
    return len;
}

static size_t callback_frame(uint8_t *frame, const struct peer *from)
{
    return peer_frame(frame, from,
                      &(struct wire_segment){.flags = ACK | PSH,
                                             .seq = from->seq,
                                             .ack = from->ack,
                                             .window = from->window,
                                             .data = callback,
                                             .len = CALLBACK_LEN});
}

static size_t syn_frame(uint8_t *frame, const struct peer *from)
{
    return peer_frame(frame, from,
                      &(struct wire_segment){.flags = SYN,
                                             .seq = from->seq,
                                             .window = from->window,
                                             .options = options[4].bytes,
                                             .options_len = options[4].len});
}

/* One of each kind; the last one belongs to a connection. */
enum { KINDS = 6 };

static size_t frame_of_kind(uint8_t *frame, size_t kind, const struct peer *from)
{
    switch (kind) {
    case 0: return wire_arp_request(frame, WIRE_HOST_ADDR, WIRE_OUR_ADDR);
    case 1: return wire_ping(frame, 56);
    case 2: return udp_frame(frame, 68, 300);
    case 3: return udp_frame(frame, 9, 20);
    case 4: return syn_frame(frame, from);
    default: return callback_frame(frame, from);
    }
}

static void check_alive(void)
{
    static struct peer visitor;

    wire_reset();
    rig_connect(&visitor);
    rig_callback_served(&visitor);
    rig_leave(&visitor);
}

static void test_port_hooks_takes_no_harm_from_frames_cut_at_every_length(void **state)
{
    uint8_t frame[WIRE_FRAME_MAX];

    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        rig_connect(&peer);
        peer.frames = 0;
        for (size_t cut = 0; cut < frame_of_kind(frame, kind, &peer); cut++) {
            fake_board_deliver(frame, cut); /* no padding */
            rig_turn(0);
        }
        rig_settle();
        assert_int_equal(peer.frames, 0);
        rig_callback_served(&peer);
        rig_leave(&peer);
        rig_check_memory();
    }
}

/* The same, and the lengths and checksums in them are right again. */
static void test_port_hooks_takes_no_harm_from_small_frames(void **state)
{
    uint8_t frame[WIRE_FRAME_MAX];

    (void)state;
    for (size_t kind = 1; kind < KINDS; kind++) {
        size_t len = frame_of_kind(frame, kind, &peer);
        for (size_t cut = AT_IP + 1; cut < len; cut++) {
            rig_connect(&peer);
            (void)frame_of_kind(frame, kind, &peer);
            wire_put16(frame + AT_IP + 2, (unsigned)(cut - AT_IP));
            wire_sum(frame, cut);
            wire.careless = true;
            fake_board_deliver(frame, cut);
            rig_turn(0);
            peer_send(&peer, RST | ACK, NULL, 0);
            peer.seq += kind == 5 && cut > AT_TCP_OPTIONS ? (uint32_t)(cut - AT_TCP_OPTIONS) : 0;
            peer_send(&peer, RST | ACK, NULL, 0);
            rig_turn(0);
            wire_reset();
        }
        check_alive();
    }
}

/* RFC 791 section 3.1, RFC 9293 section 3.1; a byte or two, the checksums right again or not. */
static const struct lie {
    const char *what;
    size_t at;
    unsigned value;
    bool wide, summed;
} lies[] = {
    {"an Ethernet type of nobody", 12, 0x1234, true, true},
    {"IPv6", 12, 0x86dd, true, true},
    {"ARP", 12, 0x0806, true, true},
    {"VLAN", 12, 0x8100, true, true},
    {"version 0", AT_IP, 0x05, false, true},
    {"version 6", AT_IP, 0x65, false, true},
    {"header length 0", AT_IP, 0x40, false, true},
    {"header length 16", AT_IP, 0x44, false, true},
    {"header length 24", AT_IP, 0x46, false, true},
    {"header length 60", AT_IP, 0x4f, false, true},
    {"total length 0", AT_IP + 2, 0, true, true},
    {"total length 19", AT_IP + 2, 19, true, true},
    {"total length 20", AT_IP + 2, 20, true, true},
    {"total length 39", AT_IP + 2, 39, true, true},
    {"total length one more", AT_IP + 2, 40 + CALLBACK_LEN + 1, true, true},
    {"total length 1500", AT_IP + 2, 1500, true, true},
    {"total length 65535", AT_IP + 2, 65535, true, true},
    {"protocol 0", AT_IP + 9, 0, false, true},
    {"ICMP", AT_IP + 9, 1, false, true},
    {"IGMP", AT_IP + 9, 2, false, true},
    {"UDP", AT_IP + 9, 17, false, true},
    {"another checksum", AT_IP + 10, 0x1234, true, false},
    {"no checksum", AT_IP + 10, 0, true, false},
    {"somebody else's address", AT_IP + 18, (WIRE_OUR_ADDR + 1) & 0xffff, true, true},
    {"the broadcast address", AT_IP + 18, 0x01ff, true, true},
    {"a group's address", AT_IP + 16, 0xe000, true, true},
    {"from another client", AT_TCP, 1234, true, true},
    {"to another port", AT_TCP + 2, 8080, true, true},
    {"an old byte", AT_TCP + 4, 0x7fff, true, true},
    {"data offset 0", AT_TCP + 12, 0x00, false, true},
    {"data offset 16", AT_TCP + 12, 0x40, false, true},
    {"another TCP checksum", AT_TCP + 16, 0x1234, true, false},
    {"no TCP checksum", AT_TCP + 16, 0, true, false},
};

static void test_port_hooks_drops_frames_that_lie(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lies); i++) {
        uint8_t frame[WIRE_FRAME_MAX];
        size_t len;
        rig_connect(&peer);
        len = callback_frame(frame, &peer);
        if (lies[i].wide) {
            wire_put16(frame + lies[i].at, lies[i].value);
        } else {
            frame[lies[i].at] = (uint8_t)lies[i].value;
        }
        if (lies[i].summed) {
            wire_sum(frame, len);
        }
        wire_deliver(frame, len);
        rig_settle();
        if (rig.stats.stored != i || peer.len != 0) {
            fail_msg("taken: %s", lies[i].what);
        }
        rig_callback_served(&peer);
        rig_leave(&peer);
        rig_check_memory();
    }
}

static void test_port_hooks_answers_nobody_who_is_not_a_host(void **state)
{
    static const uint32_t froms[] = {
        WIRE_HOST_ADDR | 0xff, 0xffffffff, 0xe0000001, 0xefffffff, 0x7f000001,
        WIRE_OUR_ADDR,         0,          1,          0xf0000001};
    uint8_t frame[WIRE_FRAME_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(froms); i++) {
        size_t len = wire_ping(frame, 56);
        wire_put32(frame + AT_IP + 12, froms[i]);
        wire_sum(frame, len);
        wire_deliver(frame, len);
        peer_open(&peer);
        peer.addr = froms[i];
        wire_deliver(frame, syn_frame(frame, &peer));
        len = udp_frame(frame, 9, 20);
        wire_put32(frame + AT_IP + 12, froms[i]);
        wire_sum(frame, len);
        wire_deliver(frame, len);
        rig_settle();
        assert_int_equal(wire.frames, 0);
    }
    rig_run(60000);
    rig_check_memory();
    check_alive();
}

static void test_port_hooks_drops_a_frame_with_any_bit_changed(void **state)
{
    uint8_t frame[WIRE_FRAME_MAX];
    size_t len;

    (void)state;
    rig_connect(&peer);
    wire.frames = 0;
    len = callback_frame(frame, &peer);
    for (size_t bit = 8 * AT_IP; bit < 8 * len; bit++) {
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
        fake_board_deliver(frame, len);
        rig_turn(0);
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    rig_settle();
    assert_int_equal(wire.frames, 0);
    assert_int_equal(rig.stats.stored, 0);
    rig_callback_served(&peer);
}

/* ---- frames at random, the same in every run ---- */

static uint32_t chance = 20260102;

static uint32_t any(uint32_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^= chance << 5;
    return chance % below;
}

static void change_byte(uint8_t *frame, size_t len)
{
    static const uint8_t edges[] = {0, 1, 2, 4, 5, 0x7f, 0x80, 0xff};
    /* Most of the time in the headers, where it matters. */
    size_t at = AT_IP + any(any(4) == 0 ? (uint32_t)(len - AT_IP) : 60);

    if (at < len) {
        frame[at] = any(2) == 0 ? edges[any(COUNT(edges))] : (uint8_t)any(256);
    }
}

static size_t mutate(uint8_t *frame, size_t len)
{
    for (uint32_t n = any(6); n > 0; n--) {
        change_byte(frame, len);
    }
    if (any(6) == 0) {
        len = any((uint32_t)len + 1);
    } else if (any(6) == 0) {
        len += any((uint32_t)(WIRE_FRAME_MAX - len + 1));
    }
    if (any(8) == 0 && len > AT_IP + 4) {
        wire_put16(frame + AT_IP + 2, (unsigned)(len - AT_IP));
    }
    if (any(5) != 0) {
        wire_sum(frame, len);
    }
    return len;
}

/* What a client could send now, or one that has lost its mind. */
static size_t next_frame(uint8_t *frame, struct peer *from)
{
    static const uint8_t flags[] = {ACK, ACK, ACK | FIN, RST, SYN, SYN | ACK, ACK | PSH, FIN};
    static const char poll[] = RIG_STATUS;
    struct wire_segment segment = {.flags = ACK | PSH,
                                   .seq = from->seq,
                                   .ack = from->ack,
                                   .window = (uint16_t)any(any(4) == 0 ? 2 : 4000),
                                   .options = options[any(13)].bytes,
                                   .options_len = 4 * any(4),
                                   .data = callback,
                                   .len = CALLBACK_LEN};

    if (any(4) == 0) {
        return frame_of_kind(frame, any(KINDS), from);
    }
    if (!from->syn) {
        return syn_frame(frame, from);
    }
    switch (any(4)) {
    case 0: break;
    case 1:
        segment.data = poll;
        segment.len = sizeof poll - 1;
        break;
    default:
        segment.flags = flags[any(COUNT(flags))];
        segment.len = 0;
        break;
    }
    segment.seq += any(8) == 0 ? any(300) - 100 : 0;
    segment.ack -= any(8) == 0 ? any(3000) : 0;
    return peer_frame(frame, from, &segment);
}

/* Our side says what it has got, within a quarter of a second; then a reset from there is good. */
static void hang_up(struct peer *from)
{
    rig_run(300);
    peer_send(from, RST | ACK, NULL, 0);
    rig_settle();
    peer_send(from, RST | ACK, NULL, 0);
    rig_settle();
}

static void test_port_hooks_takes_no_harm_from_frames_at_random(void **state)
{
    (void)state;
    rig_fill_ring(100, 20);
    wire.careless = true;
    for (size_t i = 0; i < COUNT(crowd); i++) {
        peer_open(&crowd[i]);
        crowd[i].port = (uint16_t)(2000 * (i + 1));
    }
    for (unsigned n = 0; n < 6000; n++) {
        struct peer *from = &crowd[any(COUNT(crowd))];
        uint8_t frame[WIRE_FRAME_MAX] = {0};
        size_t len = next_frame(frame, from);
        if (any(4) != 0) {
            len = mutate(frame, len);
        }
        fake_board_deliver(frame, len);
        rig_turn(any(3) == 0 ? any(500) : 0);
        if (any(100) == 0) { /* another program on the same host */
            hang_up(from);
            from->syn = false;
            from->seq += 100000;
            from->port++;
        }
    }
    assert_in_range(rig.stats.stored, 50, 6000); /* or it was all in vain */
    assert_in_range(rig.stats.connectionsReset, 1, 6000);
    for (size_t i = 0; i < COUNT(crowd); i++) {
        hang_up(&crowd[i]);
    }
    rig_run(QR_REPLY_TIMEOUT_MS * 3);
    wire_reset();
    rig_meet(WIRE_HOST_ADDR); /* somebody may have told it another address */
    check_alive();
}

/* ---- floods of SYNs ---- */

static void test_port_hooks_gives_the_oldest_unfinished_handshakes_place_to_a_new_one(void **state)
{
    unsigned used = lwip_stats.memp[MEMP_TCP_PCB]->used;

    (void)state;
    assert_int_equal(COUNT(crowd), QR_LWIP_BACKLOG);
    for (size_t i = 0; i < COUNT(crowd); i++) {
        peer_open(&crowd[i]);
        peer_send(&crowd[i], SYN, NULL, 0);
        rig_settle();
        assert_true(crowd[i].syn);
    }
    peer_open(&peer);
    peer_send(&peer, SYN, NULL, 0);
    rig_settle();
    assert_false(peer.syn); /* they may be under way */
    rig_run(QR_LWIP_HANDSHAKE_MS);
    crowd[3].seq--; /* one that is repeated takes no other's place */
    peer_send(&crowd[3], SYN, NULL, 0);
    rig_settle();
    assert_int_equal(crowd[3].frames, 2);
    assert_int_equal(lwip_stats.memp[MEMP_TCP_PCB]->used, used + COUNT(crowd));
    peer.seq--; /* tries again */
    rig_handshake(&peer);
    rig_callback_served(&peer);
    for (size_t i = 0; i < COUNT(crowd); i++) {
        peer_ack(&crowd[i]);
        rig_settle();
        assert_int_equal(crowd[i].reset, i == 0); /* it is told, should it be there after all */
    }
    rig_callback_served(&crowd[1]);
    rig_callback_served(&crowd[3]);
}

/* What ends them may wait among the frames that were not taken yet. */
static void test_port_hooks_gives_no_handshakes_place_away_while_frames_wait(void **state)
{
    uint8_t frame[WIRE_FRAME_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(crowd); i++) {
        peer_open(&crowd[i]);
        peer_send(&crowd[i], SYN, NULL, 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        wire_deliver(frame, wire_ping(frame, 8));
    }
    peer_open(&peer);
    peer_send(&peer, SYN, NULL, 0);
    qr_pump(0);
    wire_read();
    fake_board_pass(2 * QR_LWIP_HANDSHAKE_MS);
    for (size_t i = 0; i < COUNT(crowd); i++) {
        peer_ack(&crowd[i]);
    }
    rig_settle();
    assert_false(peer.syn);
    for (size_t i = 0; i < COUNT(crowd); i++) {
        assert_false(crowd[i].reset);
        rig_callback_served(&crowd[i]);
    }
}

static void test_port_hooks_lets_a_caller_in_through_a_flood_of_syns(void **state)
{
    static struct peer flood;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t frame[WIRE_FRAME_MAX];
        struct wire_segment syn = {.flags = SYN, .seq = i, .window = 5840};
        flood = (struct peer){.addr = WIRE_HOST_ADDR + 1 + i % 7, .port = (uint16_t)(1024 + i)};
        wire_deliver(frame, peer_frame(frame, &flood, &syn));
        rig_run(QR_LWIP_HANDSHAKE_MS / QR_LWIP_BACKLOG + 1);
        if (i % 100 == 99) {
            rig_connect(&peer);
            rig_callback_served(&peer);
            rig_leave(&peer);
        }
    }
    assert_int_equal(rig.stats.stored, 10);
}

/* Who has finished it stays, though it waits to be accepted. */
static void test_port_hooks_gives_no_finished_handshakes_place_away(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(crowd); i++) {
        peer_open(&crowd[i]);
        peer_send(&crowd[i], SYN, NULL, 0);
    }
    qr_pump(0);
    wire_read();
    for (size_t i = 0; i < COUNT(crowd); i++) {
        peer_ack(&crowd[i]);
    }
    peer_open(&peer);
    peer_send(&peer, SYN, NULL, 0);
    qr_pump(0);
    wire_read();
    assert_false(peer.syn);
    rig_settle();
    for (size_t i = 0; i < COUNT(crowd); i++) {
        rig_callback_served(&crowd[i]);
    }
    peer.seq--; /* tries again */
    rig_handshake(&peer);
    rig_callback_served(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_hooks_reads_options_in_one_piece_or_two),
        TEST(test_port_hooks_drops_a_syn_whose_options_do_not_add_up),
        TEST(test_port_hooks_drops_data_whose_options_do_not_add_up),
        TEST(test_port_hooks_drops_an_ending_whose_options_do_not_add_up),
        TEST(test_port_hooks_drops_fragments_and_holds_none),
        TEST(test_port_hooks_does_not_put_fragments_together),
        TEST(test_port_hooks_takes_datagrams_that_are_whole_whatever_their_flags),
        TEST(test_port_hooks_takes_no_harm_from_frames_cut_at_every_length),
        TEST(test_port_hooks_takes_no_harm_from_small_frames),
        TEST(test_port_hooks_drops_frames_that_lie),
        TEST(test_port_hooks_answers_nobody_who_is_not_a_host),
        TEST(test_port_hooks_drops_a_frame_with_any_bit_changed),
        TEST(test_port_hooks_takes_no_harm_from_frames_at_random),
        TEST(test_port_hooks_survives_a_segment_size_that_shrinks),
        TEST(test_port_hooks_gives_the_oldest_unfinished_handshakes_place_to_a_new_one),
        TEST(test_port_hooks_gives_no_handshakes_place_away_while_frames_wait),
        TEST(test_port_hooks_lets_a_caller_in_through_a_flood_of_syns),
        TEST(test_port_hooks_gives_no_finished_handshakes_place_away),
    };

    return cmocka_run_group_tests_name("port_hooks", tests, rig_start, NULL);
}

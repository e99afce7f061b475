/* IPv6 as a host has it: addresses by itself (RFC 4862), neighbours (RFC 4861), ping and TCP; and
 * frames that lwIP must not see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "port_link.h"

enum {
    TOO_BIG = 2,
    ECHO = 128,
    ECHO_REPLY = 129,
    LISTENER_QUERY = 130,
    LISTENER_REPORT = 131,
    ROUTER_SOLICIT = 133,
    ROUTER_ADVERT = 134,
    NEIGHBOR_SOLICIT = 135,
    NEIGHBOR_ADVERT = 136,
    REDIRECT = 137
};

/* fd77::/64 with our identifier. */
static const uint8_t ours_global[16] = {0xfd, 0x77, [8] = 0, 0x51, 0x52, 0xff, 0xfe, 0, 0, 1};

static const struct qr_net *net;
static int listener;

static int start(void **state)
{
    (void)state;
    net = link_start((struct qr_net_config){.hostname = "quitring", .ipv6 = true});
    listener = net->listen(net->ctx, WIRE_OUR_PORT, 0);
    if (listener < 0) {
        return -1;
    }
    net->watch(net->ctx, listener, 0, false, false); /* a wait is for the network's work alone */
    return 0;
}

/* ---- frames ---- */

static void send6(const uint8_t *to, uint8_t protocol, const void *content, size_t len)
{
    uint8_t frame[WIRE_FRAME_MAX];

    link_deliver(frame, link_put_ip6(frame, to, protocol, 255, content, len));
}

/* Who has the address? With an option that says so of the router's own. Returns its length. */
static size_t put_solicit(uint8_t *message, const uint8_t *target)
{
    static const uint8_t option[] = {1, 1, 0x02, 0xaa, 0, 0, 0, 2};

    memset(message, 0, 8);
    message[0] = NEIGHBOR_SOLICIT;
    memcpy(message + 8, target, 16);
    memcpy(message + 24, option, sizeof option);
    return 32;
}

static void put_echo(uint8_t *message, size_t len)
{
    memset(message, 'p', len);
    memset(message, 0, 8);
    message[0] = ECHO;
}

/* The router knows us, and we know it. */
static void meet(void)
{
    uint8_t message[32];

    send6(link_ours6, LINK_ICMP6, message, put_solicit(message, link_ours6));
    assert_non_null(link_icmp6(NEIGHBOR_ADVERT, 0));
    link_forget();
}

static bool pings(const uint8_t *to, size_t len)
{
    static uint8_t message[1400];

    link_forget();
    put_echo(message, 8 + len);
    send6(to, LINK_ICMP6, message, 8 + len);
    return link_icmp6(ECHO_REPLY, 0) != NULL && link_icmp6(ECHO_REPLY, 0)->len == 62 + len;
}

/* ---- tests ---- */

static void test_port_ip6_asks_whether_its_address_is_taken_then_for_routers(void **state)
{
    (void)state;
    link_run(6000);
    const struct link_frame *solicit = link_icmp6(NEIGHBOR_SOLICIT, 0);
    assert_non_null(solicit);
    assert_memory_equal(solicit->bytes + LINK_IP6_CONTENT + 8, link_ours6, 16);
    assert_non_null(link_icmp6(ROUTER_SOLICIT, 0));
}

static void test_port_ip6_tells_who_asks_for_its_address(void **state)
{
    (void)state;
    uint8_t message[32];
    size_t len = put_solicit(message, link_ours6);
    link_forget();
    send6(link_ours6, LINK_ICMP6, message, len);
    const struct link_frame *advert = link_icmp6(NEIGHBOR_ADVERT, 0);
    assert_non_null(advert);
    assert_memory_equal(advert->bytes + LINK_IP6_CONTENT + 8, link_ours6, 16);
    assert_memory_equal(advert->bytes + LINK_IP6_CONTENT + 26, qr_board_mac(), 6);
    link_forget();
    message[23] ^= 1;
    send6(link_ours6, LINK_ICMP6, message, len);
    assert_null(link_icmp6(NEIGHBOR_ADVERT, 0));
}

static void test_port_ip6_answers_ping_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 56, 564, 565, 580, 1224, 1392};
    meet();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_true(pings(link_ours6, sizes[i]));
    }
}

/* 1280 bytes pass every link: 1220 of them are TCP's. */
static void test_port_ip6_takes_connections_and_asks_for_segments_that_pass_every_link(void **state)
{
    (void)state;
    uint8_t syn[24] = {0xc0,        0, 0,    WIRE_OUR_PORT, 0,        0, 0,         9,
                       [12] = 0x60, 2, 0xff, 0xff,          [20] = 2, 4, 1440 >> 8, 1440 & 255};
    link_forget();
    send6(link_ours6, LINK_TCP, syn, sizeof syn);
    const uint8_t *tcp = link_tcp6(0)->bytes + LINK_IP6_CONTENT;
    assert_int_equal(tcp[13], SYN | ACK);
    assert_int_equal(wire_get32(tcp + 8), 10);
    assert_int_equal(wire_get16(tcp + 20), 0x0204);
    assert_int_equal(wire_get16(tcp + 22), 1220);
}

static void test_port_ip6_drops_segments_whose_options_do_not_add_up(void **state)
{
    (void)state;
    uint8_t syn[24] = {
        0xc1, 0, 0, WIRE_OUR_PORT, 0, 0, 0, 9, [12] = 0x60, 2, 0xff, 0xff, [20] = 2, 40, 0, 0};
    link_forget();
    send6(link_ours6, LINK_TCP, syn, sizeof syn);
    assert_null(link_tcp6(0));
}

/* A segment from a port of the router's; the options of a SYN are none. */
static void send_tcp(uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack)
{
    uint8_t segment[20] = {[12] = 0x50, [13] = flags, [14] = 0xff, [15] = 0xff};

    wire_put16(segment, port);
    wire_put16(segment + 2, WIRE_OUR_PORT);
    wire_put32(segment + 4, seq);
    wire_put32(segment + 8, ack);
    link_forget();
    send6(link_ours6, LINK_TCP, segment, sizeof segment);
}

/* The last segment of ours; NULL: none. */
static const uint8_t *answer_tcp(void)
{
    const struct link_frame *frame = link_tcp6(0);

    return frame == NULL ? NULL : frame->bytes + LINK_IP6_CONTENT;
}

/* We are the first to close, and so keep TIME_WAIT. Returns the peer's next sequence number. */
static uint32_t be_closed_first(uint16_t port)
{
    uint32_t ours;

    send_tcp(port, SYN, 1000, 0);
    ours = wire_get32(answer_tcp() + 4) + 1;
    send_tcp(port, ACK, 1001, ours);
    net->close(net->ctx, net->accept(net->ctx, listener, 0));
    link_forget();
    link_run(0);
    assert_int_equal(answer_tcp()[13] & FIN, FIN);
    send_tcp(port, ACK | FIN, 1001, ours + 1);
    assert_int_equal(wire_get32(answer_tcp() + 8), 1002);
    return 1002;
}

/* RFC 9293 section 3.10.7.4: as over IPv4. */
static void test_port_ip6_takes_a_new_connection_from_a_port_whose_last_one_we_closed(void **state)
{
    (void)state;
    uint32_t next = be_closed_first(3000);
    send_tcp(3000, SYN, next + 64000, 0);
    assert_int_equal(answer_tcp()[13], SYN | ACK);
    assert_int_equal(wire_get32(answer_tcp() + 8), next + 64001);
    send_tcp(3000, RST, next + 64001, 0);
}

static void test_port_ip6_takes_none_whose_numbers_the_last_one_has_used(void **state)
{
    (void)state;
    uint32_t next = be_closed_first(3001);
    send_tcp(3001, SYN, next - 500, 0);
    assert_int_equal(answer_tcp()[13], ACK); /* it is told where the last one was */
    assert_int_equal(wire_get32(answer_tcp() + 8), next);
    send_tcp(3002, SYN, next + 64000, 0); /* from elsewhere */
    assert_int_equal(answer_tcp()[13], SYN | ACK);
    send_tcp(3002, RST, next + 64001, 0);
}

/* A length of 0 would have it read a MAC address behind the message. */
static void test_port_ip6_drops_neighbor_messages_whose_options_do_not_add_up(void **state)
{
    (void)state;
    static const uint8_t lengths[] = {0, 2, 3, 255};
    uint8_t message[32];
    for (size_t i = 0; i < sizeof lengths; i++) {
        size_t len = put_solicit(message, link_ours6);
        message[25] = lengths[i];
        link_forget();
        send6(link_ours6, LINK_ICMP6, message, len);
        send6(link_ours6, LINK_ICMP6, message, 26);
        assert_null(link_icmp6(NEIGHBOR_ADVERT, 0));
    }
    meet();
}

static size_t put_advert(uint8_t *message, uint8_t prefix_units)
{
    static const uint8_t head[] = {ROUTER_ADVERT, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t prefix[] = {3, 4,  64, 0xc0, 0, 0, 14, 16,   0,
                                     0, 14, 16, 0,    0, 0, 0,  0xfd, 0x77};

    memset(message, 0, 48);
    memcpy(message, head, sizeof head);
    memcpy(message + 16, prefix, sizeof prefix);
    message[17] = prefix_units;
    return 48;
}

static void test_port_ip6_makes_no_address_of_a_broken_advertisement(void **state)
{
    (void)state;
    static const uint8_t units[] = {0, 5, 255};
    uint8_t message[48];
    for (size_t i = 0; i < sizeof units; i++) {
        send6(link_all6, LINK_ICMP6, message, put_advert(message, units[i]));
    }
    link_run(4000);
    assert_false(pings(ours_global, 56));
}

static void test_port_ip6_makes_an_address_of_the_router_s_prefix(void **state)
{
    (void)state;
    uint8_t message[48];
    send6(link_all6, LINK_ICMP6, message, put_advert(message, 4));
    link_run(4000);
    assert_true(pings(ours_global, 56));
    assert_memory_equal(link_icmp6(ECHO_REPLY, 0)->bytes + LINK_IP6 + 8, ours_global, 16);
}

/* Else the next segment would have no room for a byte. */
static void test_port_ip6_lets_nobody_make_its_packets_smaller(void **state)
{
    (void)state;
    uint8_t message[8 + 40] = {TOO_BIG, 0, 0, 0, 0, 0, 0, 1, 0x60, [14] = LINK_TCP};
    memcpy(message + 16, link_ours6, 16);
    memcpy(message + 32, link_router6, 16);
    assert_true(pings(link_ours6, 56));
    send6(link_ours6, LINK_ICMP6, message, sizeof message);
    uint8_t syn[24] = {0xc2,        0, 0,    WIRE_OUR_PORT, 0,        0, 0,         9,
                       [12] = 0x60, 2, 0xff, 0xff,          [20] = 2, 4, 1440 >> 8, 1440 & 255};
    link_forget();
    send6(link_ours6, LINK_TCP, syn, sizeof syn);
    assert_int_equal(wire_get16(link_tcp6(0)->bytes + LINK_IP6_CONTENT + 22), 1220);
}

static void test_port_ip6_lets_nobody_redirect_it(void **state)
{
    (void)state;
    uint8_t message[40 + 8] = {REDIRECT, [40] = 2, 1, 0x02, 0xbb, 0, 0, 0, 9};
    memcpy(message + 8, link_ours6, 16); /* through ourselves */
    memcpy(message + 24, link_router6, 16);
    send6(link_ours6, LINK_ICMP6, message, sizeof message);
    assert_true(pings(link_ours6, 56));
    assert_memory_equal(link_icmp6(ECHO_REPLY, 0)->bytes, "\x02\xaa\0\0\0\x02", 6);
}

/* To all hosts, as the owner of an address does when somebody asks whether he may take it. */
static void test_port_ip6_gives_up_no_address_that_it_has(void **state)
{
    (void)state;
    static const uint8_t *const ours[] = {link_ours6, ours_global};
    for (size_t i = 0; i < 2; i++) {
        uint8_t message[32] = {NEIGHBOR_ADVERT, [4] = 0x20, [24] = 2, 1, 0x02, 0xbb, 0, 0, 0, 9};
        memcpy(message + 8, ours[i], 16);
        send6(link_all6, LINK_ICMP6, message, sizeof message);
        link_run(1000);
        assert_true(pings(ours[i], 56));
    }
}

static void test_port_ip6_drops_extension_headers(void **state)
{
    (void)state;
    static const uint8_t headers[] = {0, 43, 44, 51, 60, 135, 59, 253};
    for (size_t i = 0; i < sizeof headers; i++) {
        uint8_t content[64] = {LINK_ICMP6, 0, 1, 4};
        link_forget();
        put_echo(content + 8, 56);
        send6(link_ours6, headers[i], content, sizeof content);
        assert_null(link_icmp6(ECHO_REPLY, 0));
        assert_null(link_icmp6(4, 0)); /* parameter problem */
    }
}

/* A switch's question who listens to which group; it has a header of its own (RFC 2710 section 3).
 * Returns its length. */
static size_t put_listener_query(uint8_t *content)
{
    static const uint8_t begin[] = {LINK_ICMP6, 0, 5, 2, 0, 0, 1, 0, LISTENER_QUERY, [12] = 1, 0};
    uint32_t sum = 24 + LINK_ICMP6 + (LISTENER_QUERY << 8) + 0x0100;

    memset(content, 0, 32);
    memcpy(content, begin, sizeof begin);
    for (size_t i = 0; i < 16; i += 2) { /* the checksum is that of the message behind the header */
        sum += wire_get16(link_router6 + i) + wire_get16(link_all6 + i);
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    wire_put16(content + 10, ~sum & 0xffff);
    return 32;
}

static void test_port_ip6_tells_its_groups_to_switches(void **state)
{
    (void)state;
    uint8_t content[32];
    link_forget();
    send6(link_all6, 0, content, put_listener_query(content));
    link_run(2000);
    const struct link_frame *report = link_hop_by_hop(0);
    assert_non_null(report);
    assert_int_equal(report->bytes[LINK_IP6_CONTENT + 8], LISTENER_REPORT);
}

static void test_port_ip6_drops_switches_questions_that_do_not_add_up(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{0, LINK_TCP}, {0, 0}, {1, 1}, {1, 255}, {2, 0xc2}, {8, LISTENER_REPORT}};
    uint8_t content[32];
    link_run(20000);
    link_forget();
    for (size_t len = 1; len < put_listener_query(content); len++) {
        send6(link_all6, 0, content, len);
    }
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        (void)put_listener_query(content);
        content[changes[i].at] = changes[i].value;
        send6(link_all6, 0, content, sizeof content);
    }
    link_run(20000);
    assert_null(link_hop_by_hop(0));
    assert_null(link_icmp6(4, 0)); /* parameter problem */
}

/* RFC 8200 section 8.1. */
static void test_port_ip6_drops_datagrams_without_a_checksum_or_of_another_length(void **state)
{
    (void)state;
    static const uint8_t lens[] = {0, 7, 15, 17, 255};
    uint8_t datagram[16] = {0x10, 0, 0x20, 0, 0, sizeof datagram};
    uint8_t frame[WIRE_FRAME_MAX];
    link_forget();
    send6(link_ours6, LINK_UDP, datagram, sizeof datagram);
    assert_non_null(link_icmp6(1, 0)); /* nobody is at that port */
    link_forget();
    size_t len = link_put_ip6(frame, link_ours6, LINK_UDP, 64, datagram, sizeof datagram);
    wire_put16(frame + LINK_IP6_CONTENT + 6, 0);
    link_deliver(frame, len);
    for (size_t i = 0; i < sizeof lens; i++) {
        datagram[5] = lens[i];
        send6(link_ours6, LINK_UDP, datagram, sizeof datagram);
    }
    assert_null(link_icmp6(1, 0));
}

/* Cut at every length, and each byte changed, with a good checksum. */
static void send6_broken(uint8_t protocol, uint8_t *content, size_t len)
{
    static const uint8_t values[] = {0, 1, 2, 0x3f, 0x80, 0xff};

    for (size_t cut = 0; cut < len; cut++) {
        send6(link_ours6, protocol, content, cut);
    }
    for (size_t at = 0; at < len; at++) {
        uint8_t byte = content[at];
        for (size_t i = 0; i < sizeof values; i++) {
            content[at] = values[i];
            send6(link_ours6, protocol, content, len);
        }
        content[at] = byte;
    }
}

static void test_port_ip6_takes_no_harm_from_broken_content(void **state)
{
    (void)state;
    uint8_t content[64] = {0};
    send6_broken(0, content, put_listener_query(content));
    send6_broken(LINK_ICMP6, content + 8, 24);
    put_echo(content, 16);
    send6_broken(LINK_ICMP6, content, 16);
    uint8_t datagram[16] = {0x10, 0, 0x20, 0, 0, sizeof datagram};
    send6_broken(LINK_UDP, datagram, sizeof datagram);
    uint8_t syn[24] = {0xc9,        0, 0,    WIRE_OUR_PORT, 0,        0, 0,         9,
                       [12] = 0x60, 2, 0xff, 0xff,          [20] = 2, 4, 1440 >> 8, 1440 & 255};
    send6_broken(LINK_TCP, syn, sizeof syn);
    link_run(60000);
    meet();
    assert_true(pings(link_ours6, 56));
}

/* Each cut, and each byte wrong in turn, of what lwIP reads. */
static void test_port_ip6_takes_no_harm_from_broken_frames(void **state)
{
    (void)state;
    uint8_t message[64], whole[WIRE_FRAME_MAX], frame[WIRE_FRAME_MAX];
    size_t lens[] = {put_solicit(message, link_ours6), put_advert(message, 4)};
    for (size_t which = 0; which < 2; which++) {
        size_t len = which == 0 ? put_solicit(message, link_ours6) : put_advert(message, 4);
        assert_int_equal(len, lens[which]);
        for (size_t cut = 0; cut < len; cut++) {
            link_deliver(frame, link_put_ip6(frame, link_ours6, LINK_ICMP6, 255, message, cut));
            wire_put16(frame + LINK_IP6 + 4, (unsigned)len); /* says that it is whole */
            fake_board_deliver(frame, LINK_IP6_CONTENT + cut);
            link_run(0);
        }
        for (size_t at = 0; at < len; at++) {
            uint8_t byte = message[at];
            for (unsigned value = 0; value < 256; value += 51) {
                message[at] = (uint8_t)value;
                send6(link_ours6, LINK_ICMP6, message, len);
            }
            message[at] = byte;
        }
        size_t whole_len = link_put_ip6(whole, link_ours6, LINK_ICMP6, 255, message, len);
        for (size_t at = 12; at < LINK_IP6_CONTENT; at++) {
            for (unsigned value = 0; value < 256; value += 51) {
                memcpy(frame, whole, whole_len);
                frame[at] = (uint8_t)value;
                link_deliver(frame, whole_len);
            }
        }
    }
    link_run(60000);
    meet();
    assert_true(pings(link_ours6, 56));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_ip6_asks_whether_its_address_is_taken_then_for_routers),
        cmocka_unit_test(test_port_ip6_tells_who_asks_for_its_address),
        cmocka_unit_test(test_port_ip6_answers_ping_of_any_size),
        cmocka_unit_test(
            test_port_ip6_takes_connections_and_asks_for_segments_that_pass_every_link),
        cmocka_unit_test(test_port_ip6_takes_a_new_connection_from_a_port_whose_last_one_we_closed),
        cmocka_unit_test(test_port_ip6_takes_none_whose_numbers_the_last_one_has_used),
        cmocka_unit_test(test_port_ip6_drops_segments_whose_options_do_not_add_up),
        cmocka_unit_test(test_port_ip6_drops_neighbor_messages_whose_options_do_not_add_up),
        cmocka_unit_test(test_port_ip6_makes_no_address_of_a_broken_advertisement),
        cmocka_unit_test(test_port_ip6_makes_an_address_of_the_router_s_prefix),
        cmocka_unit_test(test_port_ip6_lets_nobody_make_its_packets_smaller),
        cmocka_unit_test(test_port_ip6_lets_nobody_redirect_it),
        cmocka_unit_test(test_port_ip6_gives_up_no_address_that_it_has),
        cmocka_unit_test(test_port_ip6_drops_extension_headers),
        cmocka_unit_test(test_port_ip6_tells_its_groups_to_switches),
        cmocka_unit_test(test_port_ip6_drops_switches_questions_that_do_not_add_up),
        cmocka_unit_test(test_port_ip6_drops_datagrams_without_a_checksum_or_of_another_length),
        cmocka_unit_test(test_port_ip6_takes_no_harm_from_broken_content),
        cmocka_unit_test(test_port_ip6_takes_no_harm_from_broken_frames),
    };

    return cmocka_run_group_tests_name("port_ip6", tests, start, NULL);
}

/* ARP (RFC 826), ICMP, IGMP (RFC 2236) and UDP over IPv4, with frames made by hand that are not as
 * they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "port_link.h"

#define ALL_HOSTS  0xe0000001u
#define MDNS_GROUP 0xe00000fbu

enum { ICMP = 1, IGMP = 2, IGMP_QUERY = 0x11, IGMP_REPORT = 0x16 };

static int start(void **state)
{
    (void)state;
    return link_start((struct qr_net_config){
               .hostname = "quitring", .mdns = true, .page = "/status"}) == NULL;
}

/* ---- frames ---- */

/* An IPv4 packet from the host, its options in front of its content. */
static size_t put_ip(uint8_t *frame, uint8_t protocol, uint32_t to, const void *options,
                     size_t options_len, const void *content, size_t len)
{
    uint8_t *ip = frame + AT_IP;

    (void)link_put_udp4(frame, WIRE_HOST_ADDR, to, 0, 0, "", 0);
    ip[0] = (uint8_t)(0x45 + options_len / 4);
    wire_put16(ip + 2, (unsigned)(20 + options_len + len));
    ip[9] = protocol;
    memcpy(ip + 20, options, options_len);
    memcpy(ip + 20 + options_len, content, len);
    wire_sum(frame, AT_TCP + options_len + len);
    return AT_TCP + options_len + len;
}

static size_t put_ping(uint8_t *frame, const void *options, size_t options_len)
{
    static const uint8_t ping[8 + 56] = {8};

    return put_ip(frame, ICMP, WIRE_OUR_ADDR, options, options_len, ping, sizeof ping);
}

/* Who listens to the group (0: to any)? Within so many tenths of a second. */
static size_t put_query(uint8_t *frame, uint32_t to, uint32_t group, uint8_t within)
{
    static const uint8_t router_alert[] = {0x94, 4, 0, 0};
    uint8_t query[8] = {IGMP_QUERY, within};

    wire_put32(query + 4, group);
    return put_ip(frame, IGMP, to, router_alert, sizeof router_alert, query, sizeof query);
}

static bool pings(void)
{
    uint8_t frame[WIRE_FRAME_MAX];

    link_forget();
    link_deliver(frame, put_ping(frame, "", 0));
    return link_ip4(ICMP, 0) != NULL && link_ip4(ICMP, 0)->bytes[AT_TCP] == 0;
}

/* ---- tests ---- */

static void test_port_ip4_drops_packets_with_options(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint8_t bytes[40];
    } options[] = {
        {4, {1, 1, 1, 0}},
        {4, {0x94, 4, 0, 0}},                /* router alert */
        {12, {0x83, 11, 4, 192, 168, 1, 9}}, /* by way of */
        {40, {7, 39, 4}},                    /* record the way */
        {40, {68, 40, 5}},                   /* and when */
        {8, {7, 255, 4}},
    };
    assert_true(pings());
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        uint8_t frame[WIRE_FRAME_MAX];
        link_forget();
        link_deliver(frame, put_ping(frame, options[i].bytes, options[i].len));
        assert_null(link_ip4(ICMP, 0));
    }
    assert_true(pings());
}

static void test_port_ip4_tells_its_group_to_switches(void **state)
{
    (void)state;
    static const struct {
        uint32_t to, group;
        uint8_t within;
    } queries[] = {{ALL_HOSTS, 0, 100},          {ALL_HOSTS, 0, 0},
                   {ALL_HOSTS, 0, 255},          {ALL_HOSTS, MDNS_GROUP, 10},
                   {MDNS_GROUP, MDNS_GROUP, 10}, {MDNS_GROUP, MDNS_GROUP, 0}};
    link_run(30000);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        uint8_t frame[WIRE_FRAME_MAX];
        link_forget();
        link_deliver(frame, put_query(frame, queries[i].to, queries[i].group, queries[i].within));
        link_run(30000);
        assert_non_null(link_ip4(IGMP, 0));
        assert_int_equal(link_ip4(IGMP, 0)->bytes[AT_TCP + 4], IGMP_REPORT);
        assert_int_equal(wire_get32(link_ip4(IGMP, 0)->bytes + AT_TCP + 8), MDNS_GROUP);
        assert_null(link_ip4(IGMP, 1));
    }
}

/* A querier without an address of its own has 0.0.0.0 (RFC 4541 section 2.1.1). */
static void test_port_ip4_tells_its_group_to_a_switch_without_an_address(void **state)
{
    (void)state;
    uint8_t frame[WIRE_FRAME_MAX];
    size_t len = put_query(frame, ALL_HOSTS, 0, 10);
    wire_put32(frame + AT_IP + 12, 0);
    wire_sum(frame, len);
    link_forget();
    link_deliver(frame, len);
    link_run(2000);
    assert_non_null(link_ip4(IGMP, 0));
}

static void test_port_ip4_drops_datagrams_of_another_length_than_their_packet_s(void **state)
{
    (void)state;
    static const uint8_t content[32];
    static const int lies[] = {-1, 1, -32, -33, -40, 8, 1000, 65000};
    uint8_t frame[WIRE_FRAME_MAX];
    size_t len =
        link_put_udp4(frame, WIRE_HOST_ADDR, WIRE_OUR_ADDR, 1000, 9, content, sizeof content);
    link_forget();
    link_deliver(frame, len);
    assert_non_null(link_ip4(ICMP, 0)); /* nobody is at that port */
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        link_forget();
        wire_put16(frame + AT_TCP + 4, (unsigned)(40 + lies[i]) & 0xffff);
        link_deliver(frame, len);
        assert_null(link_ip4(ICMP, 0));
    }
}

static void test_port_ip4_takes_no_harm_from_broken_frames(void **state)
{
    (void)state;
    static const uint8_t report[8] = {IGMP_REPORT, 0, 0, 0, 224, 0, 0, 251};
    uint8_t frame[WIRE_FRAME_MAX];
    link_deliver_broken(frame, wire_arp_request(frame, WIRE_HOST_ADDR + 5, WIRE_OUR_ADDR));
    link_deliver_broken(frame, put_ping(frame, "", 0));
    link_deliver_broken(frame, put_query(frame, ALL_HOSTS, 0, 10));
    link_deliver_broken(frame, put_ip(frame, IGMP, MDNS_GROUP, "", 0, report, sizeof report));
    link_deliver_broken(
        frame, link_put_udp4(frame, WIRE_HOST_ADDR, WIRE_OUR_ADDR, 1000, 9, report, sizeof report));
    link_run(60000);
    /* Somebody may have told it another hardware address of the host. */
    link_deliver(frame, wire_arp_request(frame, WIRE_HOST_ADDR, WIRE_OUR_ADDR));
    assert_true(pings());
    link_forget();
    link_deliver(frame, put_query(frame, ALL_HOSTS, 0, 10));
    link_run(2000);
    assert_non_null(link_ip4(IGMP, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_ip4_drops_packets_with_options),
        cmocka_unit_test(test_port_ip4_tells_its_group_to_switches),
        cmocka_unit_test(test_port_ip4_tells_its_group_to_a_switch_without_an_address),
        cmocka_unit_test(test_port_ip4_drops_datagrams_of_another_length_than_their_packet_s),
        cmocka_unit_test(test_port_ip4_takes_no_harm_from_broken_frames),
    };

    return cmocka_run_group_tests_name("port_ip4", tests, start, NULL);
}

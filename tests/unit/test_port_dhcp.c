/* The address that a DHCP server gives (RFC 2131), with servers made by hand: good ones, and such
 * as no client should believe. What one test leaves behind, an address or none, is the next one's
 * begin: so the tests stand in the order in which they run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "port_link.h"
#include "port_memory.h"

#define SERVER_PORT 67
#define CLIENT_PORT 68
#define LEASE_S     100u

/* Where things are in a message; its fixed part. */
enum {
    XID = 4,
    YIADDR = 16,
    CHADDR = 28,
    SNAME = 44,
    FILE_NAME = 108,
    COOKIE = 236,
    OPTIONS = 240
};

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACKNOWLEDGED = 5, REFUSED = 6, RELEASE = 7 };

/* 63 bytes, the longest that a setting takes. */
static const char hostname[] = "a123456789b123456789c123456789d123456789e123456789f123456789xyz";

static int start(void **state)
{
    (void)state;
    return link_start((struct qr_net_config){.hostname = hostname, .dhcp = true, .ntp = "dhcp"}) ==
           NULL;
}

/* ---- messages ---- */

struct message {
    size_t len;
    uint8_t bytes[1400];
};

/* The i-th message since link_forget() that went out; NULL: none. */
static const uint8_t *asked(unsigned i)
{
    const struct link_frame *frame = link_udp(SERVER_PORT, i);

    return frame == NULL ? NULL : frame->bytes + LINK_UDP4_CONTENT;
}

/* Its type, which is the first option; 0: there is no such message. */
static uint8_t asked_type(unsigned i)
{
    const uint8_t *message = asked(i);

    return message == NULL ? 0 : message[OPTIONS + 2];
}

/* Runs until a message of this type goes out. */
static void wait_for(uint8_t type, uint32_t within_ms)
{
    for (uint32_t ms = 0; ms <= within_ms; ms += 100) {
        for (unsigned i = 0; asked(i) != NULL; i++) {
            if (asked_type(i) == type) {
                return;
            }
        }
        link_run(100);
    }
    fail_msg("no message of type %u", type);
}

static void put_option(struct message *message, uint8_t kind, const void *content, size_t len)
{
    message->bytes[message->len] = kind;
    message->bytes[message->len + 1] = (uint8_t)len;
    memcpy(message->bytes + message->len + 2, content, len);
    message->len += 2 + len;
}

static void put_number(struct message *message, uint8_t kind, uint32_t number)
{
    uint8_t bytes[4];

    wire_put32(bytes, number);
    put_option(message, kind, bytes, 4);
}

/* An answer to what was asked last; options, but that for its type and the server, are to come. */
static uint32_t xid;
static void begin(struct message *message, uint8_t type, uint32_t addr)
{
    for (unsigned i = 0; asked(i) != NULL; i++) {
        xid = wire_get32(asked(i) + XID);
    }
    memset(message, 0, sizeof *message);
    message->bytes[0] = 2;
    message->bytes[1] = 1;
    message->bytes[2] = 6;
    wire_put32(message->bytes + XID, xid);
    wire_put32(message->bytes + YIADDR, addr);
    memcpy(message->bytes + CHADDR, qr_board_mac(), 6);
    wire_put32(message->bytes + COOKIE, 0x63825363);
    message->len = OPTIONS;
    put_option(message, 53, &type, 1);
    put_number(message, 54, WIRE_HOST_ADDR);
}

static void end(struct message *message)
{
    message->bytes[message->len++] = 255;
}

static size_t put_frame(uint8_t *frame, const struct message *message)
{
    return link_put_udp4(frame, WIRE_HOST_ADDR, WIRE_OUR_ADDR, SERVER_PORT, CLIENT_PORT,
                         message->bytes, message->len);
}

/* To the broadcast address: we may have none yet. */
static void send(const struct message *message)
{
    uint8_t frame[WIRE_FRAME_MAX];

    link_forget();
    link_deliver(frame, link_put_udp4(frame, WIRE_HOST_ADDR, 0xffffffff, SERVER_PORT, CLIENT_PORT,
                                      message->bytes, message->len));
}

static void put_good(struct message *message, uint8_t type, uint32_t lease_s)
{
    begin(message, type, WIRE_OUR_ADDR);
    put_number(message, 51, lease_s);
    put_number(message, 1, WIRE_NETMASK);
    put_number(message, 3, WIRE_HOST_ADDR);
    put_number(message, 6, WIRE_HOST_ADDR);
    put_number(message, 42, WIRE_HOST_ADDR);
    end(message);
}

/* It asks anew, and gets an address. */
static void get_address(uint32_t lease_s)
{
    struct message message;

    wait_for(DISCOVER, 70000);
    put_good(&message, OFFER, lease_s);
    send(&message);
    assert_int_equal(asked_type(0), REQUEST);
    put_good(&message, ACKNOWLEDGED, lease_s);
    send(&message);
    assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
}

/* What it asks for again before its lease is over gets this answer. */
static void renew(uint8_t type, uint32_t lease_s, uint32_t within_ms)
{
    struct message message;

    wait_for(REQUEST, within_ms);
    put_good(&message, type, lease_s);
    send(&message);
}

static void lose_address(void)
{
    renew(REFUSED, LEASE_S, LEASE_S * 1000);
    assert_int_equal(qr_net_lwip_addr(), 0);
}

/* ---- tests ---- */

static void test_port_dhcp_asks_with_the_longest_host_name(void **state)
{
    (void)state;
    uint8_t option[2 + sizeof hostname - 1] = {12, sizeof hostname - 1};
    memcpy(option + 2, hostname, sizeof hostname - 1);
    struct message message;
    wait_for(DISCOVER, 1000);
    put_good(&message, OFFER, LEASE_S);
    send(&message);
    const struct link_frame *request = link_udp(SERVER_PORT, 0);
    assert_int_equal(asked_type(0), REQUEST);
    bool found = false;
    for (size_t at = LINK_UDP4_CONTENT + OPTIONS; at + sizeof option <= request->len; at++) {
        found = found || memcmp(request->bytes + at, option, sizeof option) == 0;
    }
    assert_true(found);
    put_good(&message, ACKNOWLEDGED, LEASE_S);
    send(&message);
    assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
    lose_address();
}

/* An offer that is good, but for bytes written over it, in the order of the message. */
static const struct broken {
    const char *what;
    size_t at, len;
    uint8_t bytes[8];
} broken[] = {
    {"a question", 0, 1, {1}},
    {"another question's answer", XID, 1, {0xaa}},
    {"somebody else's address", CHADDR + 5, 1, {9}},
    {"no cookie", COOKIE, 4, {0}},
    {"a type of no bytes", OPTIONS, 3, {53, 0, 2}},
    {"a type of two bytes", OPTIONS, 4, {53, 2, 2, 0}},
    {"a server of 255 bytes", OPTIONS + 4, 1, {255}},
    {"a server of 3 bytes", OPTIONS + 4, 1, {3}},
    {"a lease of 5 bytes", OPTIONS + 10, 1, {5}},
    {"a lease of no bytes", OPTIONS + 10, 1, {0}},
    {"a mask of 8 bytes", OPTIONS + 16, 1, {8}},
    {"a router of 3 bytes", OPTIONS + 22, 1, {3}},
    {"name servers of 5 bytes", OPTIONS + 28, 1, {5}},
    {"time servers that go on behind the end", OPTIONS + 34, 1, {8}},
    {"no end", OPTIONS + 39, 1, {0}},
    {"an option at the end without a length", OPTIONS + 39, 1, {77}},
    {"overload of two bytes", OPTIONS + 33, 4, {52, 2, 1, 1}},
    {"overload of both names without options there", OPTIONS + 33, 4, {52, 1, 3, 255}},
    {"overload of the file's name without options there", OPTIONS + 33, 4, {52, 1, 1, 255}},
};

static void test_port_dhcp_drops_answers_that_do_not_add_up(void **state)
{
    (void)state;
    struct message message;
    wait_for(DISCOVER, 70000);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        put_good(&message, OFFER, LEASE_S);
        memcpy(message.bytes + broken[i].at, broken[i].bytes, broken[i].len);
        send(&message);
        if (asked(0) != NULL) {
            fail_msg("believed: %s", broken[i].what);
        }
    }
    get_address(LEASE_S);
    lose_address();
}

/* What stands in the file's name, where the options say that options do; the last one's length
 * leads beyond it, and so beyond the first buffer where that is short. */
static void test_port_dhcp_drops_options_that_go_on_behind_a_name(void **state)
{
    (void)state;
    static const uint8_t both = 3;
    struct message message;
    wait_for(DISCOVER, 70000);
    for (size_t at = FILE_NAME; at < COOKIE; at++) {
        begin(&message, OFFER, WIRE_OUR_ADDR);
        put_number(&message, 51, LEASE_S);
        put_option(&message, 52, &both, 1);
        end(&message);
        message.bytes[SNAME] = 255;
        message.bytes[at] = 77;
        message.bytes[at + 1] = 255;
        send(&message);
        assert_null(asked(0));
    }
    get_address(LEASE_S);
    lose_address();
}

static void test_port_dhcp_takes_options_in_place_of_names_and_in_further_buffers(void **state)
{
    (void)state;
    static const uint8_t both = 3, junk[255];
    for (size_t pad = 250; pad <= 252; pad++) {
        for (uint8_t type = OFFER; type <= ACKNOWLEDGED; type += ACKNOWLEDGED - OFFER) {
            struct message message;
            wait_for(type == OFFER ? DISCOVER : REQUEST, 70000);
            begin(&message, type, WIRE_OUR_ADDR);
            put_option(&message, 52, &both, 1);
            put_option(&message, 43, junk, pad);
            put_option(&message, 43, junk, 255);
            end(&message);
            message.bytes[FILE_NAME] = 51; /* the lease */
            message.bytes[FILE_NAME + 1] = 4;
            wire_put32(message.bytes + FILE_NAME + 2, LEASE_S);
            message.bytes[FILE_NAME + 6] = 255;
            message.bytes[SNAME] = 1; /* the mask */
            message.bytes[SNAME + 1] = 4;
            wire_put32(message.bytes + SNAME + 2, WIRE_NETMASK);
            message.bytes[SNAME + 6] = 255;
            send(&message);
        }
        assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
        lose_address();
        link_run(20000);
    }
}

/* Addresses that no host can have; masks of no network; for no time. */
static const struct nonsense {
    uint32_t addr, mask, lease_s;
} nonsense[] = {
    {0, WIRE_NETMASK, LEASE_S},          {1, WIRE_NETMASK, LEASE_S},
    {0x7f000001, 0xff000000, LEASE_S},   {0xe0000001, WIRE_NETMASK, LEASE_S},
    {0xf0000001, WIRE_NETMASK, LEASE_S}, {0xffffffff, WIRE_NETMASK, LEASE_S},
    {0xc0a80100, WIRE_NETMASK, LEASE_S}, {0xc0a801ff, WIRE_NETMASK, LEASE_S},
    {WIRE_OUR_ADDR, 0, LEASE_S},         {WIRE_OUR_ADDR, 0xff00ff00, LEASE_S},
    {WIRE_OUR_ADDR, 0xff, LEASE_S},      {WIRE_OUR_ADDR, WIRE_NETMASK, 0},
};

static void put_nonsense(struct message *message, uint8_t type, const struct nonsense *what)
{
    begin(message, type, what->addr);
    put_number(message, 51, what->lease_s);
    put_number(message, 1, what->mask);
    end(message);
}

static void test_port_dhcp_believes_no_offer_that_no_host_can_use(void **state)
{
    (void)state;
    struct message message;
    wait_for(DISCOVER, 70000);
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        put_nonsense(&message, OFFER, &nonsense[i]);
        send(&message);
        assert_null(asked(0));
    }
    assert_string_equal(fake_board_logged(QR_LOG_WARNING),
                        "a DHCP server is not believed, who gives for no time the address "
                        "192.168.1.50");
    put_nonsense(&message, OFFER, &nonsense[3]);
    send(&message);
    assert_string_equal(fake_board_logged(QR_LOG_WARNING),
                        "a DHCP server is not believed, whose address no host can have: 224.0.0.1");
    get_address(LEASE_S);
}

/* The address that it has stays, as long as it was given for. */
static void test_port_dhcp_believes_no_answer_that_no_host_can_use(void **state)
{
    (void)state;
    struct message message;
    wait_for(REQUEST, LEASE_S * 1000);
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        put_nonsense(&message, ACKNOWLEDGED, &nonsense[i]);
        send(&message);
        assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
    }
    begin(&message, ACKNOWLEDGED, WIRE_OUR_ADDR); /* for how long? */
    put_number(&message, 1, WIRE_NETMASK);
    end(&message);
    send(&message);
    link_run(20000);
    assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
    renew(ACKNOWLEDGED, LEASE_S, LEASE_S * 1000);
    assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
}

static void test_port_dhcp_takes_networks_of_one_and_of_two(void **state)
{
    (void)state;
    static const uint32_t masks[] = {0xffffffff, 0xfffffffe, 0xfffffffc};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        struct message message;
        wait_for(REQUEST, LEASE_S * 1000);
        put_nonsense(&message, ACKNOWLEDGED,
                     &(struct nonsense){WIRE_OUR_ADDR - 1, masks[i], LEASE_S});
        send(&message);
        assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR - 1);
    }
    renew(ACKNOWLEDGED, LEASE_S, LEASE_S * 1000);
}

/* RFC 2131 section 4.4.5: it asks the server, then everybody, and then has no address any more; it
 * goes on to ask for one. */
static void test_port_dhcp_has_no_address_when_its_lease_is_over(void **state)
{
    (void)state;
    renew(ACKNOWLEDGED, 120, LEASE_S * 1000);
    link_run(109000);
    assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
    assert_int_equal(asked_type(0), REQUEST);
    assert_int_equal(asked_type(1), REQUEST);
    link_run(12000);
    assert_int_equal(qr_net_lwip_addr(), 0);
    link_forget();
    get_address(LEASE_S);
}

static void test_port_dhcp_renews_leases_of_less_than_a_minute(void **state)
{
    (void)state;
    renew(ACKNOWLEDGED, 40, LEASE_S * 1000);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
        renew(ACKNOWLEDGED, 40, 35000);
    }
}

/* Of a second, which it has for a step of its clock; then it asks anew. */
static void test_port_dhcp_survives_a_lease_of_a_second(void **state)
{
    (void)state;
    renew(ACKNOWLEDGED, 1, 35000);
    link_run(11000);
    assert_int_equal(qr_net_lwip_addr(), 0);
    get_address(40);
}

/* Numbers near what stands for ever, and that itself; the lease before would be over soon. */
static void test_port_dhcp_keeps_a_lease_that_lasts(void **state)
{
    (void)state;
    static const uint32_t leases_s[] = {0x7fffffff, 40, 0xfffffff0, 40, 0xfffffffe, 40, 0xffffffff};
    for (size_t i = 0; i < sizeof leases_s / sizeof leases_s[0]; i++) {
        struct message message;
        wait_for(REQUEST, 35000);
        begin(&message, ACKNOWLEDGED, WIRE_OUR_ADDR);
        put_number(&message, 51, leases_s[i]);
        put_number(&message, 58, 20); /* when to renew */
        put_number(&message, 1, WIRE_NETMASK);
        end(&message);
        send(&message);
        link_run(leases_s[i] == 40 ? 0 : 100000);
        assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
    }
    lose_address();
}

/* RFC 2131 says nothing of a server that offers, and then refuses, for ever. */
static void test_port_dhcp_rests_where_all_is_refused(void **state)
{
    (void)state;
    unsigned refusals = 0;
    for (uint32_t ms = 0; ms < 60000; ms += 100) {
        struct message message;
        if (asked(0) != NULL) {
            bool discover = asked_type(0) == DISCOVER;
            put_good(&message, discover ? OFFER : REFUSED, LEASE_S);
            refusals += !discover;
            send(&message);
        } else {
            link_run(100);
        }
    }
    assert_in_range(refusals, 2, 10);
    link_run(10000);
    get_address(40);
}

/* Each of its allocations fails once: the question is asked again. */
static void test_port_dhcp_asks_again_where_it_found_no_memory(void **state)
{
    (void)state;
    bool came = true;
    unsigned n;
    for (n = 1; came; n++) {
        lose_address();
        memory_fail(n);
        for (uint32_t ms = 0; ms < 100000 && qr_net_lwip_addr() == 0; ms += 100) {
            struct message message;
            if (asked(0) != NULL) {
                put_good(&message, asked_type(0) == DISCOVER ? OFFER : ACKNOWLEDGED, LEASE_S);
                send(&message);
            } else {
                link_run(100);
            }
        }
        came = memory_failed();
        memory_fail(0);
        assert_int_equal(qr_net_lwip_addr(), WIRE_OUR_ADDR);
    }
    assert_in_range(n, 5, 100);
}

/* Whatever comes, it has an address that a host can have, or none. */
static void check_address(void)
{
    uint32_t first = qr_net_lwip_addr() >> 24;

    assert_true(qr_net_lwip_addr() == 0 || (first != 0 && first != 127 && first < 224));
}

static void test_port_dhcp_takes_no_harm_from_broken_answers(void **state)
{
    (void)state;
    uint8_t frame[WIRE_FRAME_MAX];
    struct message message;
    lose_address();
    wait_for(DISCOVER, 70000);
    put_good(&message, OFFER, 40);
    link_deliver_broken(frame, put_frame(frame, &message));
    assert_int_equal(qr_net_lwip_addr(), 0);
    wait_for(REQUEST, 0);
    put_good(&message, REFUSED, 40);
    send(&message);
    link_run(10000);
    get_address(40);
    wait_for(REQUEST, 35000);
    put_good(&message, ACKNOWLEDGED, 40);
    link_deliver_broken(frame, put_frame(frame, &message));
    check_address();
    link_run(100000);
    check_address();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_dhcp_asks_with_the_longest_host_name),
        cmocka_unit_test(test_port_dhcp_drops_answers_that_do_not_add_up),
        cmocka_unit_test(test_port_dhcp_drops_options_that_go_on_behind_a_name),
        cmocka_unit_test(test_port_dhcp_takes_options_in_place_of_names_and_in_further_buffers),
        cmocka_unit_test(test_port_dhcp_believes_no_offer_that_no_host_can_use),
        cmocka_unit_test(test_port_dhcp_believes_no_answer_that_no_host_can_use),
        cmocka_unit_test(test_port_dhcp_takes_networks_of_one_and_of_two),
        cmocka_unit_test(test_port_dhcp_has_no_address_when_its_lease_is_over),
        cmocka_unit_test(test_port_dhcp_renews_leases_of_less_than_a_minute),
        cmocka_unit_test(test_port_dhcp_survives_a_lease_of_a_second),
        cmocka_unit_test(test_port_dhcp_keeps_a_lease_that_lasts),
        cmocka_unit_test(test_port_dhcp_rests_where_all_is_refused),
        cmocka_unit_test(test_port_dhcp_asks_again_where_it_found_no_memory),
        cmocka_unit_test(test_port_dhcp_takes_no_harm_from_broken_answers),
    };

    return cmocka_run_group_tests_name("port_dhcp", tests, start, NULL);
}

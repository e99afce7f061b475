/* The time server's name, asked of a name server (RFC 1035), with answers made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "lwip/dns.h"
#include "port_link.h"

#define DNS_PORT  53
#define NTP_PORT  123
#define TIME_ADDR 0xc0a80107u /* 192.168.1.7 */

enum { HEAD = 12 };

/* 63 bytes, the longest that a setting takes; and how it stands in a message. */
static const char name[] = "a123456789b123456789c123456789d.e123456789f123456789g123456789h";
static const char labels[] = "\x1f"
                             "a123456789b123456789c123456789d\x1f"
                             "e123456789f123456789g123456789h";
enum { NAME_LEN = sizeof name - 1, LABELS_LEN = sizeof labels };

static int start(void **state)
{
    ip_addr_t server;

    (void)state;
    (void)ipaddr_aton("192.168.1.2", &server);
    dns_setserver(0, &server);
    return link_start((struct qr_net_config){.hostname = "quitring", .ntp = name}) == NULL;
}

/* ---- messages ---- */

struct message {
    size_t len;
    uint8_t bytes[1400];
};

static void put(struct message *message, const void *bytes, size_t len)
{
    memcpy(message->bytes + message->len, bytes, len);
    message->len += len;
}

static void put16(struct message *message, unsigned value)
{
    wire_put16(message->bytes + message->len, value);
    message->len += 2;
}

/* Runs until it asks; its question. */
static const uint8_t *question(void)
{
    for (uint32_t ms = 0; ms < 200000 && link_udp(DNS_PORT, 0) == NULL; ms += 100) {
        link_run(100);
    }
    assert_non_null(link_udp(DNS_PORT, 0));
    return link_udp(DNS_PORT, 0)->bytes + LINK_UDP4_CONTENT;
}

/* The head of an answer that repeats the question, whose name is to come; so many records follow.
 */
static void begin(struct message *message, unsigned records)
{
    const uint8_t *asked = question();

    memset(message, 0, sizeof *message);
    put(message, asked, 2);
    put16(message, 0x8180);
    put16(message, 1);
    put16(message, records);
    message->len = HEAD;
}

static void put_question(struct message *message)
{
    put(message, labels, LABELS_LEN);
    put16(message, 1);
    put16(message, 1);
}

/* Behind a record's name: an address, of the type A and the class IN. */
static void put_addr(struct message *message, uint32_t addr)
{
    put16(message, 1);
    put16(message, 1);
    put16(message, 0);
    put16(message, 3600);
    put16(message, 4);
    put16(message, addr >> 16);
    put16(message, addr & 0xffff);
}

static size_t put_frame(uint8_t *frame, const struct message *message)
{
    uint16_t port = (uint16_t)wire_get16(link_udp(DNS_PORT, 0)->bytes + 34);

    return link_put_udp4(frame, WIRE_HOST_ADDR, WIRE_OUR_ADDR, DNS_PORT, port, message->bytes,
                         message->len);
}

static void send(const struct message *message)
{
    uint8_t frame[WIRE_FRAME_MAX];

    link_deliver(frame, put_frame(frame, message));
}

/* ---- tests ---- */

static void test_port_dns_asks_for_the_longest_name(void **state)
{
    (void)state;
    const uint8_t *asked = question();
    assert_int_equal(link_udp(DNS_PORT, 0)->len, LINK_UDP4_CONTENT + HEAD + LABELS_LEN + 4);
    assert_memory_equal(asked + HEAD, labels, LABELS_LEN);
    assert_int_equal(wire_get32(link_udp(DNS_PORT, 0)->bytes + 30), WIRE_HOST_ADDR);
}

/* Our name, and what stands behind it in memory, as one label: it is compared as far as it is the
 * same. */
static void test_port_dns_compares_no_further_than_its_own_name(void **state)
{
    (void)state;
    for (unsigned zeros = 1; zeros < 6; zeros++) {
        for (uint8_t other = 0; other < 5; other++) {
            struct message message;
            begin(&message, 0);
            message.bytes[message.len++] = 160;
            put(&message, name, NAME_LEN);
            message.len += zeros;
            message.bytes[message.len++] = other;
            message.len += 200;
            send(&message);
        }
    }
    assert_null(link_udp(NTP_PORT, 0));
}

/* What stands where a name should, in front of an address. */
static const struct bad {
    const char *what;
    size_t len;
    uint8_t bytes[16];
} bad[] = {
    {"a pointer to itself", 2, {0xc0, HEAD + LABELS_LEN + 4}},
    {"a pointer behind itself", 2, {0xc0, HEAD + LABELS_LEN + 4 + 2}},
    {"a pointer far behind the end", 2, {0xff, 0xff}},
    {"a pointer into the head", 2, {0xc0, 2}},
    {"a pointer to the label in front of it", 6, {3, 'a', 'b', 'c', 0xc0, HEAD + LABELS_LEN + 4}},
    {"a label of 64 bytes", 1, {64}},
    {"a label of 191 bytes", 1, {191}},
    {"a label with a NUL", 5, {3, 'a', 0, 'b', 0}},
};

static void test_port_dns_drops_names_that_are_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct message message;
        begin(&message, 1);
        put_question(&message);
        put(&message, bad[i].bytes, bad[i].len);
        put_addr(&message, TIME_ADDR);
        message.len += bad[i].len == 1 ? 300 : 0;
        send(&message);
        if (link_udp(NTP_PORT, 0) != NULL) {
            fail_msg("%s", bad[i].what);
        }
    }
}

static void test_port_dns_drops_names_that_are_too_long(void **state)
{
    (void)state;
    struct message message;
    begin(&message, 1);
    put_question(&message);
    for (size_t i = 0; i < 5; i++) {
        put(&message, labels, LABELS_LEN - 1);
    }
    put(&message, "", 1);
    put_addr(&message, TIME_ADDR);
    send(&message);
    assert_null(link_udp(NTP_PORT, 0));
}

static void test_port_dns_drops_counts_and_lengths_that_are_too_large(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        unsigned value;
    } lies[] = {{4, 2},
                {4, 0xffff},
                {6, 2},
                {8, 1},
                {8, 0xffff},
                {10, 0xffff},
                {HEAD + LABELS_LEN + 4 + 10, 5},
                {HEAD + LABELS_LEN + 4 + 10, 0xffff}};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct message message;
        begin(&message, 1);
        put_question(&message);
        put16(&message, 0xc000 | HEAD);
        put_addr(&message, TIME_ADDR);
        wire_put16(message.bytes + lies[i].at, lies[i].value);
        send(&message);
        if (link_udp(NTP_PORT, 0) != NULL) {
            fail_msg("lie %zu", i);
        }
    }
}

/* What goes on without harm is that the time server is asked; what is broken may be believed, too.
 */
static void test_port_dns_takes_no_harm_from_broken_answers(void **state)
{
    (void)state;
    uint8_t frame[WIRE_FRAME_MAX];
    struct message message;
    begin(&message, 2);
    put_question(&message);
    put16(&message, 0xc000 | HEAD);
    put16(&message, 5); /* an alias, of the same name */
    put16(&message, 1);
    put16(&message, 0);
    put16(&message, 3600);
    put16(&message, 2);
    put16(&message, 0xc000 | HEAD);
    put16(&message, 0xc000 | HEAD);
    put_addr(&message, TIME_ADDR);
    link_deliver_broken(frame, put_frame(frame, &message));
    link_run(4000000); /* what was learned is forgotten */
    link_forget();
}

static void test_port_dns_believes_a_good_answer(void **state)
{
    (void)state;
    struct message message;
    begin(&message, 1);
    put_question(&message);
    put16(&message, 0xc000 | HEAD);
    put_addr(&message, TIME_ADDR);
    send(&message);
    link_run(200);
    assert_non_null(link_udp(NTP_PORT, 0));
    assert_int_equal(wire_get32(link_udp(NTP_PORT, 0)->bytes + 30), TIME_ADDR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_dns_asks_for_the_longest_name),
        cmocka_unit_test(test_port_dns_compares_no_further_than_its_own_name),
        cmocka_unit_test(test_port_dns_drops_names_that_are_none),
        cmocka_unit_test(test_port_dns_drops_names_that_are_too_long),
        cmocka_unit_test(test_port_dns_drops_counts_and_lengths_that_are_too_large),
        cmocka_unit_test(test_port_dns_takes_no_harm_from_broken_answers),
        cmocka_unit_test(test_port_dns_believes_a_good_answer),
    };

    return cmocka_run_group_tests_name("port_dns", tests, start, NULL);
}

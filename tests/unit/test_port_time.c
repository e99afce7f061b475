/* The clock that a time server sets (RFC 4330), with answers made by hand. The clock, once set,
 * stays: so the tests stand in the order in which they run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "port_link.h"

#define NTP_PORT 123
#define NTP_LEN  48

/* 2026-01-02T03:04:05Z, and 2040-01-01T00:00:00Z. */
#define THIS_UNIX_S 1767323045u
#define ERA1_UNIX_S 2208988800u
#define NTP_UNIX_S  2208988800u /* from 1900 to 1970 */

static int start(void **state)
{
    (void)state;
    return link_start((struct qr_net_config){.hostname = "quitring", .ntp = "192.168.1.2"}) == NULL;
}

/* Runs until it asks; the question's transmit timestamp, of which ours to answer is made. */
static const uint8_t *question(uint32_t within_ms)
{
    link_forget();
    for (uint32_t ms = 0; ms < within_ms && link_udp(NTP_PORT, 0) == NULL; ms += 100) {
        link_run(100);
    }
    assert_non_null(link_udp(NTP_PORT, 0));
    assert_int_equal(link_udp(NTP_PORT, 0)->len, LINK_UDP4_CONTENT + NTP_LEN);
    return link_udp(NTP_PORT, 0)->bytes + LINK_UDP4_CONTENT;
}

/* The answer at unix_s and a half, which it took no time to find. */
static void put_answer(uint8_t *answer, const uint8_t *asked, uint32_t unix_s)
{
    memset(answer, 0, NTP_LEN);
    answer[0] = 0x24; /* version 4, server */
    answer[1] = 2;
    memcpy(answer + 24, asked + 40, 8);
    for (size_t at = 32; at <= 40; at += 8) {
        wire_put32(answer + at, unix_s + NTP_UNIX_S);
        wire_put32(answer + at + 4, 0x80000000u);
    }
}

static void answer_from(uint32_t from, const uint8_t *answer, size_t len)
{
    uint8_t frame[WIRE_FRAME_MAX];
    uint16_t port = (uint16_t)wire_get16(link_udp(NTP_PORT, 0)->bytes + 34);

    link_deliver(frame, link_put_udp4(frame, from, WIRE_OUR_ADDR, NTP_PORT, port, answer, len));
}

static uint64_t now_ms(void)
{
    return qr_net_lwip_unix_ms(qr_board_uptime_ms());
}

static void near(uint64_t unix_ms)
{
    assert_in_range(now_ms(), unix_ms - 2, unix_ms + 2);
}

static void test_port_time_asks_within_two_seconds(void **state)
{
    (void)state;
    assert_int_equal(now_ms(), 0);
    const uint8_t *asked = question(2100);
    assert_int_equal(asked[0], 0x23); /* version 4, client */
    assert_int_equal(wire_get32(link_udp(NTP_PORT, 0)->bytes + 30), WIRE_HOST_ADDR);
}

static void test_port_time_refuses_answers_that_are_none(void **state)
{
    (void)state;
    uint8_t good[NTP_LEN], bad[NTP_LEN + 20];
    put_answer(good, question(20000), THIS_UNIX_S);

    answer_from(WIRE_HOST_ADDR + 1, good, sizeof good);
    for (size_t at = 24; at < 32; at++) { /* to another question */
        memcpy(bad, good, sizeof good);
        bad[at] ^= 1;
        answer_from(WIRE_HOST_ADDR, bad, sizeof good);
    }
    memcpy(bad, good, sizeof good);
    bad[0] = 0x23; /* a client's */
    answer_from(WIRE_HOST_ADDR, bad, sizeof good);
    for (size_t len = 0; len < sizeof good; len++) {
        answer_from(WIRE_HOST_ADDR, good, len);
    }
    memset(bad, 0, sizeof bad);
    memcpy(bad, good, sizeof good);
    for (size_t len = sizeof good + 1; len <= sizeof bad; len++) {
        answer_from(WIRE_HOST_ADDR, bad, len);
    }
    assert_int_equal(now_ms(), 0);
}

/* RFC 4330 section 5: a server that says that it does not know the time; and one whose time of
 * arrival would have SNTP reckon beyond what 64 bits hold. */
static void test_port_time_refuses_a_server_that_does_not_know_it(void **state)
{
    (void)state;
    static const struct {
        size_t at, len;
        uint8_t bytes[8];
    } changes[] = {
        {0, 1, {0xe4}},                               /* the clock is not set */
        {1, 1, {16}},                                 /* too far from a clock */
        {1, 1, {255}},                                /* */
        {40, 8, {0}},                                 /* sent never */
        {32, 8, {0}},                                 /* got the question never, */
        {32, 8, {0x7f, 0xff, 0xff, 0xff, 0xff, 255}}, /* long after it was sent, */
        {32, 8, {0x80, 0, 0, 0, 0, 0, 0, 0}},         /* and long before */
    };
    uint8_t answer[NTP_LEN];
    const uint8_t *asked = question(40000);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        put_answer(answer, asked, THIS_UNIX_S);
        memcpy(answer + changes[i].at, changes[i].bytes, changes[i].len);
        answer_from(WIRE_HOST_ADDR, answer, sizeof answer);
        if (now_ms() != 0) {
            fail_msg("change %zu", i);
        }
    }
}

/* It asks whom it has, ever more slowly. */
static void test_port_time_survives_a_server_that_wants_to_be_left_alone(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        uint8_t answer[NTP_LEN];
        put_answer(answer, question(200000), THIS_UNIX_S);
        answer[1] = 0;
        for (int j = 0; j < 20; j++) {
            answer_from(WIRE_HOST_ADDR, answer, sizeof answer);
        }
        link_forget();
        link_run(2000);
        assert_null(link_udp(NTP_PORT, 0));
    }
    assert_int_equal(now_ms(), 0);
}

static void test_port_time_refuses_a_time_of_long_ago(void **state)
{
    (void)state;
    uint8_t answer[NTP_LEN];
    put_answer(answer, question(200000), 1700000000);
    answer_from(WIRE_HOST_ADDR, answer, sizeof answer);
    assert_int_equal(now_ms(), 0);
    assert_string_equal(fake_board_logged(QR_LOG_WARNING),
                        "a time before 2024 is refused from time server 192.168.1.2");
}

static void test_port_time_is_set_by_an_answer_and_runs_on(void **state)
{
    (void)state;
    uint8_t answer[NTP_LEN];
    put_answer(answer, question(4000000), THIS_UNIX_S);
    answer_from(WIRE_HOST_ADDR, answer, sizeof answer);
    near(THIS_UNIX_S * 1000ull + 500);
    assert_string_equal(fake_board_logged(QR_LOG_INFO),
                        "the clock is set by time server 192.168.1.2");
    link_run(30000);
    near(THIS_UNIX_S * 1000ull + 30500);
}

/* The answer is half a second old when it is here, if the way back took as long as the way there.
 */
static void test_port_time_makes_up_for_the_way(void **state)
{
    (void)state;
    uint8_t answer[NTP_LEN];
    put_answer(answer, question(4000000), THIS_UNIX_S + 9);
    fake_board_pass(1000); /* there and back */
    answer_from(WIRE_HOST_ADDR, answer, sizeof answer);
    assert_in_range(now_ms(), THIS_UNIX_S * 1000ull + 9500 + 350,
                    THIS_UNIX_S * 1000ull + 9500 + 550);
}

static void test_port_time_goes_on_beyond_2036(void **state)
{
    (void)state;
    uint8_t answer[NTP_LEN];
    put_answer(answer, question(4000000), ERA1_UNIX_S);
    answer_from(WIRE_HOST_ADDR, answer, sizeof answer);
    near(ERA1_UNIX_S * 1000ull + 500);
    put_answer(answer, question(4000000), ERA1_UNIX_S + 3600);
    answer_from(WIRE_HOST_ADDR, answer, sizeof answer);
    near((ERA1_UNIX_S + 3600) * 1000ull + 500);
}

/* Nobody who cannot see the question can guess it: a clock alone would be guessed. */
static void test_port_time_asks_with_chance_below_its_clock(void **state)
{
    (void)state;
    uint32_t before = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t fraction = wire_get32(question(4000000) + 44);
        assert_int_not_equal(fraction % 4294967, before);
        before = fraction % 4294967;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_time_asks_within_two_seconds),
        cmocka_unit_test(test_port_time_refuses_answers_that_are_none),
        cmocka_unit_test(test_port_time_refuses_a_server_that_does_not_know_it),
        cmocka_unit_test(test_port_time_survives_a_server_that_wants_to_be_left_alone),
        cmocka_unit_test(test_port_time_refuses_a_time_of_long_ago),
        cmocka_unit_test(test_port_time_is_set_by_an_answer_and_runs_on),
        cmocka_unit_test(test_port_time_makes_up_for_the_way),
        cmocka_unit_test(test_port_time_goes_on_beyond_2036),
        cmocka_unit_test(test_port_time_asks_with_chance_below_its_clock),
    };

    return cmocka_run_group_tests_name("port_time", tests, start, NULL);
}

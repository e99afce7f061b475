#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/rates.h"

#define MINUTE_MS 60000u
#define HOUR_MS   3600000u

static struct qr_rates rates;
static struct qr_now now;
static char document[4000];

static int setup(void **state)
{
    (void)state;
    memset(&rates, 0, sizeof rates);
    now = (struct qr_now){.uptime_ms = 5};
    return 0;
}

static void count(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        qr_rates_count(&rates, &now);
    }
}

static void write_document(size_t cap)
{
    static const char nothing[2000];
    struct qr_rates_text text = {.now = now};
    struct qr_progress progress = {0};
    size_t len = 0;

    while (!progress.done) {
        char *bytes = guard_copy(nothing, cap);
        size_t n = qr_rates_produce(&text, &rates, "b007", bytes, cap, &progress);
        assert_true(n != 0 && n <= cap && len + n < sizeof document);
        memcpy(document + len, bytes, n);
        len += n;
    }
    document[len] = '\0';
}

/* The numbers of that list. */
static void read_list(const char *name, uint32_t *numbers, size_t n)
{
    char *at = strstr(document, name);

    assert_non_null(at);
    at += strlen(name);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(*at, i == 0 ? '[' : ',');
        numbers[i] = (uint32_t)strtoul(at + 1, &at, 10);
    }
    assert_int_equal(*at, ']');
}

static uint32_t minutes[QR_RATES_MINUTES], hours[QR_RATES_HOURS];

static void read_all(void)
{
    write_document(700);
    read_list("\"minutes\":", minutes, QR_RATES_MINUTES);
    read_list("\"hours\":", hours, QR_RATES_HOURS);
}

/* All are 0, but those from the end that are given. */
static void assert_minutes(size_t ago, uint32_t number)
{
    for (size_t i = 0; i < QR_RATES_MINUTES; i++) {
        assert_int_equal(minutes[QR_RATES_MINUTES - 1 - i], i == ago ? number : 0);
    }
}

static void assert_hours(size_t ago, uint32_t number)
{
    for (size_t i = 0; i < QR_RATES_HOURS; i++) {
        assert_int_equal(hours[QR_RATES_HOURS - 1 - i], i == ago ? number : 0);
    }
}

static void test_rates_begin_with_none(void **state)
{
    (void)state;
    read_all();
    assert_minutes(0, 0);
    assert_hours(0, 0);
    assert_memory_equal(document, "{\"bootId\":\"b007\",\"uptimeMs\":5,\"time\":null,\"minutes\":[",
                        53);
    assert_string_equal(document + strlen(document) - 3, "]}\n");
}

static void test_rates_move_back_with_time(void **state)
{
    (void)state;
    count(7);
    for (unsigned i = 0; i < 30 * 60; i++) {
        now.uptime_ms = i * (uint64_t)MINUTE_MS + 59999;
        read_all();
        assert_minutes(i, 7);
        assert_hours(i / 60, 7);
    }
}

/* The same where nobody looks in between. */
static void test_rates_forget_after_any_silence(void **state)
{
    static const uint32_t silences[] = {MINUTE_MS,      59 * MINUTE_MS, 60 * MINUTE_MS,
                                        61 * MINUTE_MS, 5 * HOUR_MS,    23 * HOUR_MS,
                                        24 * HOUR_MS,   25 * HOUR_MS,   500 * HOUR_MS};

    for (size_t i = 0; i < sizeof silences / sizeof *silences; i++) {
        (void)setup(state);
        now.uptime_ms = 100 * (uint64_t)HOUR_MS;
        count(3);
        now.uptime_ms += silences[i];
        read_all();
        assert_minutes(silences[i] / MINUTE_MS, 3);
        assert_hours(silences[i] / HOUR_MS, 3);
        count(2);
        read_all();
        assert_int_equal(minutes[QR_RATES_MINUTES - 1], 2);
    }
}

static void test_rates_add_up_minutes_in_hours(void **state)
{
    uint32_t sum = 0;

    (void)state;
    for (unsigned i = 0; i < 3 * 60; i++) {
        now.uptime_ms = i * (uint64_t)MINUTE_MS;
        count(i);
    }
    read_all();
    for (size_t i = 0; i < QR_RATES_MINUTES; i++) {
        assert_int_equal(minutes[i], 120 + i);
        sum += minutes[i];
    }
    assert_int_equal(hours[QR_RATES_HOURS - 1], sum);
    assert_int_equal(hours[QR_RATES_HOURS - 2], sum - 60 * 60);
    assert_int_equal(hours[QR_RATES_HOURS - 4], 0);
}

static void test_rates_of_a_minute_stay_at_their_most(void **state)
{
    (void)state;
    count(UINT16_MAX + 5);
    read_all();
    assert_int_equal(minutes[QR_RATES_MINUTES - 1], UINT16_MAX);
    assert_int_equal(hours[QR_RATES_HOURS - 1], UINT16_MAX + 5);
}

static void test_rates_document_is_the_same_at_every_cap(void **state)
{
    static char whole[sizeof document];

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        now.uptime_ms = i * (uint64_t)MINUTE_MS;
        count(10000 + i);
    }
    now.unix_ms = 1767323045678;
    write_document(2000);
    strcpy(whole, document);
    for (size_t cap = 512; cap < 600; cap++) {
        write_document(cap);
        assert_string_equal(document, whole);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_rates_begin_with_none),
        TEST(test_rates_move_back_with_time),
        TEST(test_rates_forget_after_any_silence),
        TEST(test_rates_add_up_minutes_in_hours),
        TEST(test_rates_of_a_minute_stay_at_their_most),
        TEST(test_rates_document_is_the_same_at_every_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

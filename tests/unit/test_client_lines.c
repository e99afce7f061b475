#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "guard.h"
#include "boards/linux-client/lines.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define CUT "\xe2\x80\xa6"

static char bytes[QR_LINES_MAX + 1];
static struct qr_out out;

static void begin(void)
{
    qr_out_init(&out, bytes, sizeof bytes - 1);
}

static const char *end(void)
{
    assert_false(out.full);
    bytes[out.len] = '\0';
    return bytes;
}

static void test_text_shows_what_a_terminal_would_obey(void **state)
{
    static const struct {
        const char *text, *shown;
        size_t columns;
    } cases[] = {
        {"user123", "user123", 7},
        {"", "", 0},
        {"a b", "a b", 3},
        {"\x1b[2J\x1b]0;x\a", "\\u001b[2J\\u001b]0;x\\u0007", 25},
        {"a\tb\r\nc", "a\\u0009b\\u000d\\u000ac", 21},
        {"\x7f", "\\u007f", 6},
        {"\xc2\x9b"
         "2J",
         "\\u009b2J", 8}, /* CSI in one character */
        {"\xe2\x80\xae"
         "abc",
         "\\u202eabc", 9},                                  /* right to left from here on */
        {"\xe2\x81\xa6\xef\xbb\xbf", "\\u2066\\ufeff", 12}, /* isolates, byte order mark */
        {"\xf3\xa0\x81\x81", "\\U000e0041", 10},            /* a tag, which nobody sees */
        {"\\u001b", "\\\\u001b", 7},                        /* no escape of ours */
        {"\xe7\xbe\xa4\xe7\xbb\x84", "\xe7\xbe\xa4\xe7\xbb\x84", 4}, /* two wide characters */
        {"e\xcc\x81", "e\xcc\x81", 1},                               /* an accent on the e */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 2},
        {"\xff\xc3", "\\xff\\xc3", 8}, /* no UTF-8 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].text);
        begin();
        size_t columns =
            qr_lines_text(&out, (struct qr_span){guard_copy(cases[i].text, len), len}, SIZE_MAX);
        assert_string_equal(end(), cases[i].shown);
        assert_int_equal(columns, cases[i].columns);
    }
}

static void test_text_is_cut_at_a_column(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *shown;
    } cases[] = {
        {"abcdef", 6, "abcdef"},
        {"abcdef", 5, "abcd" CUT},
        {"abcdef", 1, CUT},
        {"\xe7\xbe\xa4\xe7\xbb\x84", 4, "\xe7\xbe\xa4\xe7\xbb\x84"},
        {"\xe7\xbe\xa4\xe7\xbb\x84", 3, "\xe7\xbe\xa4" CUT},
        {"\xe7\xbe\xa4\xe7\xbb\x84", 2, CUT}, /* no half of one */
        {"ab\x1b", 8, "ab\\u001b"},
        {"ab\x1b", 7, "ab" CUT}, /* nor of an escape */
        {"abe\xcc\x81", 3, "abe\xcc\x81"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].text);
        begin();
        size_t columns = qr_lines_text(&out, (struct qr_span){guard_copy(cases[i].text, len), len},
                                       cases[i].max);
        assert_string_equal(end(), cases[i].shown);
        assert_true(columns <= cases[i].max);
    }
}

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static void test_durations_and_times(void **state)
{
    static const struct {
        uint64_t ms;
        const char *shown;
    } durations[] = {
        {0, "00:00:00"},
        {999, "00:00:00"},
        {86399999, "23:59:59"},
        {86400000, "1d 00:00:00"},
        {UINT64_MAX, "213503982334d 14:25:51"},
    };
    static const struct {
        const char *time, *shown;
    } times[] = {
        {"2026-01-02T03:04:05.678Z", "2026-01-02 08:34:05"},
        {"2025-12-31T23:59:59Z", "2026-01-01 05:29:59"},
        {"yesterday", "yesterday"},
        {"2026-01-02T03:04:05+01:00", "2026-01-02T03:04:05+01:00"},
        {"\x1b[2J", "\\u001b[2J"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(durations); i++) {
        begin();
        qr_lines_duration(&out, durations[i].ms);
        assert_string_equal(end(), durations[i].shown);
    }
    set_zone("IST-5:30");
    for (size_t i = 0; i < COUNT(times); i++) {
        begin();
        qr_lines_time(&out, times[i].time);
        assert_string_equal(end(), times[i].shown);
    }
}

static struct qr_quit make_quit(const char *time, const char *group, const char *user,
                                const char *operation)
{
    struct qr_quit quit = {.seq = 12345,
                           .uptime_ms = 61000,
                           .group_id = {group, strlen(group)},
                           .user_id = {user, strlen(user)},
                           .operation_id = {operation, strlen(operation)}};

    memcpy(quit.time, time, strlen(time) + 1);
    return quit;
}

static const char *row(const struct qr_quit *quit, uint64_t now_ms, size_t columns)
{
    begin();
    qr_lines_quit(&out, quit, now_ms, columns);
    return end();
}

static void test_rows_stand_in_columns(void **state)
{
    static const char time[] = "2026-01-02T03:04:05.678Z";
    struct qr_quit quit = make_quit(time, "G001", "user123", "op");

    (void)state;
    set_zone("UTC0");
    assert_string_equal(row(&quit, 0, SIZE_MAX),
                        "  12345  2026-01-02 03:04:05  G001              user123           op\n");
    begin();
    qr_lines_heading(&out, SIZE_MAX);
    assert_string_equal(
        end(), "    SEQ  TIME                 GROUP             USER              OPERATION\n");
    quit = make_quit(time, "G001", "user123", "");
    assert_string_equal(row(&quit, 0, 80),
                        "  12345  2026-01-02 03:04:05  G001             user123\n");
    quit = make_quit(time, "a-group-that-is-long", "a-user-that-is-longer",
                     "2b0c9f52-1111-2222-3333-444455556666");
    assert_string_equal(row(&quit, 0, 80), "  12345  2026-01-02 03:04:05  a-group-that-i" CUT
                                           "  a-user-that-is" CUT "  2b0c9f52-1111-2" CUT "\n");
    assert_string_equal(
        row(&quit, 0, SIZE_MAX),
        "  12345  2026-01-02 03:04:05  a-group-that-is-long  a-user-that-is-longer  "
        "2b0c9f52-1111-2222-3333-444455556666\n");
    assert_string_equal(row(&quit, 0, 10), /* a terminal too narrow for all */
                        "  12345  2026-01-02 03:04:05  a-group" CUT "  a-user-" CUT "  2b0c9f5" CUT
                        "\n");
}

static void test_rows_without_a_clock_tell_when(void **state)
{
    struct qr_quit quit = make_quit("", "g", "u", "");

    (void)state;
    assert_string_equal(row(&quit, 3661000, 80),
                        "  12345  01:00:00 ago         g                u\n");
    assert_string_equal(row(&quit, 0, 80), "  12345  up 00:01:01          g                u\n");
}

static void test_rows_of_the_longest_ids_fit(void **state)
{
    static char id[QR_ID_MAX];
    struct qr_span whole = {id, sizeof id};
    struct qr_quit quit = make_quit("", "", "", "");

    (void)state;
    memset(id, 0x1b, sizeof id);
    quit.seq = quit.uptime_ms = UINT64_MAX;
    quit.group_id = quit.user_id = quit.operation_id = whole;
    size_t len = strlen(row(&quit, 0, SIZE_MAX));
    assert_true(len > (size_t)3 * 6 * QR_ID_MAX && len < QR_LINES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_shows_what_a_terminal_would_obey),
        cmocka_unit_test(test_text_is_cut_at_a_column),
        cmocka_unit_test(test_durations_and_times),
        cmocka_unit_test(test_rows_stand_in_columns),
        cmocka_unit_test(test_rows_without_a_clock_tell_when),
        cmocka_unit_test(test_rows_of_the_longest_ids_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "utf8.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* RFC 3629 section 4, its grammar row by row: the ranges of a character's bytes. */
static const struct row {
    size_t len;
    uint8_t low[4], high[4];
} rows[] = {
    {1, {0x00}, {0x7f}},
    {2, {0xc2, 0x80}, {0xdf, 0xbf}},
    {3, {0xe0, 0xa0, 0x80}, {0xe0, 0xbf, 0xbf}},
    {3, {0xe1, 0x80, 0x80}, {0xec, 0xbf, 0xbf}},
    {3, {0xed, 0x80, 0x80}, {0xed, 0x9f, 0xbf}},
    {3, {0xee, 0x80, 0x80}, {0xef, 0xbf, 0xbf}},
    {4, {0xf0, 0x90, 0x80, 0x80}, {0xf0, 0xbf, 0xbf, 0xbf}},
    {4, {0xf1, 0x80, 0x80, 0x80}, {0xf3, 0xbf, 0xbf, 0xbf}},
    {4, {0xf4, 0x80, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}},
};

static bool row_takes(const struct row *row, const uint8_t *s, size_t len)
{
    if (len < row->len) {
        return false;
    }
    for (size_t i = 0; i < row->len; i++) {
        if (s[i] < row->low[i] || s[i] > row->high[i]) {
            return false;
        }
    }
    return true;
}

static size_t char_by_grammar(const uint8_t *s, size_t len)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (row_takes(&rows[i], s, len)) {
            return rows[i].len;
        }
    }
    return 0;
}

static void assert_char_as_grammar(const uint8_t *s, size_t len)
{
    size_t wanted = char_by_grammar(s, len);
    size_t got = qr_utf8_char((const char *)s, len);

    if (got != wanted) {
        fail_msg("%zu bytes %02x %02x %02x %02x: got %zu, wanted %zu", len, s[0],
                 len > 1 ? s[1] : 0u, len > 2 ? s[2] : 0u, len > 3 ? s[3] : 0u, got, wanted);
    }
}

static void test_utf8_char_is_grammar_for_first_two_bytes(void **state)
{
    (void)state;
    for (unsigned two = 0; two <= 0xffff; two++) {
        const uint8_t s[4] = {(uint8_t)(two >> 8), (uint8_t)two, 0x80, 0xbf};
        for (size_t len = 1; len <= sizeof s; len++) {
            assert_char_as_grammar(s, len);
        }
    }
}

static void test_utf8_char_is_grammar_for_last_two_bytes(void **state)
{
    static const uint8_t starts[][2] = {{0xe0, 0xa0}, {0xed, 0x9f}, {0xef, 0xbf},
                                        {0xf0, 0x90}, {0xf3, 0xbf}, {0xf4, 0x8f}};
    (void)state;
    for (size_t i = 0; i < COUNT(starts); i++) {
        for (unsigned two = 0; two <= 0xffff; two++) {
            const uint8_t s[4] = {starts[i][0], starts[i][1], (uint8_t)(two >> 8), (uint8_t)two};
            assert_char_as_grammar(s, sizeof s);
        }
    }
}

/* Nothing behind the given length may be read, whatever the first byte promises. */
static void test_utf8_char_reads_no_byte_past_the_length(void **state)
{
    (void)state;
    for (unsigned lead = 0; lead <= 0xff; lead++) {
        const uint8_t s[4] = {(uint8_t)lead, 0x90, 0x80, 0x80};
        for (size_t len = 0; len <= sizeof s; len++) {
            const char *at_guard = guard_copy(s, len);
            assert_int_equal(qr_utf8_char(at_guard, len), char_by_grammar(s, len));
        }
    }
}

/* ---- encode ---- */

static const struct {
    uint32_t code_point;
    const char *form;
} forms[] = {
    {0x01, "\x01"},
    {0x24, "$"},
    {0x7f, "\x7f"},
    {0x80, "\xc2\x80"},
    {0xa3, "\xc2\xa3"},
    {0x7ff, "\xdf\xbf"},
    {0x800, "\xe0\xa0\x80"},
    {0x20ac, "\xe2\x82\xac"},
    {0xd7ff, "\xed\x9f\xbf"},
    {0xe000, "\xee\x80\x80"},
    {0xffff, "\xef\xbf\xbf"},
    {0x10000, "\xf0\x90\x80\x80"},
    {0x1f600, "\xf0\x9f\x98\x80"},
    {0x10ffff, "\xf4\x8f\xbf\xbf"},
};

static void test_utf8_encode_writes_known_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        char out[4];
        size_t len = qr_utf8_encode(forms[i].code_point, out);
        assert_int_equal(len, strlen(forms[i].form));
        assert_memory_equal(out, forms[i].form, len);
    }
}

static void test_utf8_encode_writes_nul_as_one_byte(void **state)
{
    char out[4] = "xxx";

    (void)state;
    assert_int_equal(qr_utf8_encode(0, out), 1);
    assert_memory_equal(out, "\0xx", 3);
}

/* Each code point has a form that is a character, longer ones never come before shorter ones, and
 * (as RFC 3629 section 1 says) the forms sort as the code points do. */
static void test_utf8_encode_keeps_order_for_all_code_points(void **state)
{
    char last[4] = {0};
    size_t last_len = 1;

    (void)state;
    for (uint32_t code_point = 1; code_point <= 0x10ffff; code_point++) {
        char out[4] = {0};
        if (code_point == 0xd800) {
            code_point = 0xe000;
        }
        size_t len = qr_utf8_encode(code_point, out);
        if (len < last_len || memcmp(last, out, sizeof out) >= 0 || qr_utf8_char(out, len) != len) {
            fail_msg("U+%04X", (unsigned)code_point);
        }
        memcpy(last, out, sizeof out);
        last_len = len;
    }
    assert_memory_equal(last, "\xf4\x8f\xbf\xbf", 4);
}

/* ---- cut ---- */

/* cuts[i] is the digit of the length that max = i gives. */
static const struct {
    const char *what;
    const char *text;
    const char *cuts;
} cut_cases[] = {
    {"empty", "", "0000"},
    {"ASCII", "abc", "012333"},
    {"2 bytes", "a\xc3\xa9z", "0113444"},
    {"3 bytes", "\xe2\x82\xac\xe2\x82\xac", "00033366"},
    {"4 bytes",
     "a\xf0\x9f\x98\x80"
     "b",
     "01111566"},
    {"all lengths", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "0022255559"},
    {"continuation bytes alone", "\x80\x80\x80\x80\x80", "01234555"},
    {"a character and continuation bytes", "\xc3\xa9\x80\x80", "0023444"},
    {"last character is not whole", "ab\xe2\x82", "01234444"},
    {"character cut short by the next", "\xf0\x9f\xc3\xa9", "0122444"},
    {"overlong form", "\xc0\x80z", "012333"},
    {"surrogate", "\xed\xa0\x80z", "0123444"},
    {"over U+10FFFF", "\xf4\x90\x80\x80z", "01234555"},
    {"not a first byte", "\xff\xfe\xfdz", "0123444"},
};

static void test_utf8_cut_never_halves_a_character(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cut_cases); i++) {
        size_t len = strlen(cut_cases[i].text);
        const char *text = guard_copy(cut_cases[i].text, len);
        for (size_t max = 0; cut_cases[i].cuts[max] != '\0'; max++) {
            size_t wanted = (size_t)(cut_cases[i].cuts[max] - '0');
            size_t got = qr_utf8_cut(text, len, max);
            if (got != wanted) {
                fail_msg("%s, max %zu: got %zu, wanted %zu", cut_cases[i].what, max, got, wanted);
            }
        }
    }
}

/* Of each byte, in each place of texts longer than what is looked at in one turn. */
static void test_utf8_skip_plain_stops_where_a_json_string_needs_more(void **state)
{
    char text[10];

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
        for (size_t place = 0; place < sizeof text; place++) {
            memset(text, 'a', sizeof text);
            text[place] = (char)byte;
            const char *copy = guard_copy(text, sizeof text);
            size_t wanted = plain ? sizeof text : place;
            assert_int_equal(qr_utf8_skip_plain(copy, copy + sizeof text) - copy, wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_char_is_grammar_for_first_two_bytes),
        cmocka_unit_test(test_utf8_char_is_grammar_for_last_two_bytes),
        cmocka_unit_test(test_utf8_char_reads_no_byte_past_the_length),
        cmocka_unit_test(test_utf8_skip_plain_stops_where_a_json_string_needs_more),
        cmocka_unit_test(test_utf8_encode_writes_known_forms),
        cmocka_unit_test(test_utf8_encode_writes_nul_as_one_byte),
        cmocka_unit_test(test_utf8_encode_keeps_order_for_all_code_points),
        cmocka_unit_test(test_utf8_cut_never_halves_a_character),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "src/err.h"
#include "src/reply.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The numbers are part of the product: a row here is never changed and never taken away. */
static const struct {
    const char *name;
    enum qr_err err;
    int number;
    unsigned status;
} rows[] = {
#define ROW(name, number, status) #name, QR_ERR_##name, number, status
    {ROW(REQUEST_LINE, 5100, 400)},
    {ROW(METHOD_UNKNOWN, 5101, 501)},
    {ROW(TARGET, 5102, 400)},
    {ROW(TARGET_TOO_LONG, 5103, 414)},
    {ROW(VERSION, 5104, 400)},
    {ROW(VERSION_UNSUPPORTED, 5105, 505)},
    {ROW(LINE_ENDING, 5106, 400)},
    {ROW(FIELD_NAME, 5107, 400)},
    {ROW(FIELD_VALUE, 5108, 400)},
    {ROW(HEAD_TOO_LARGE, 5109, 431)},
    {ROW(HOST, 5110, 400)},
    {ROW(CONTENT_LENGTH, 5111, 400)},
    {ROW(TRANSFER_ENCODING, 5112, 400)},
    {ROW(TRANSFER_CODING, 5113, 501)},
    {ROW(CONTENT_CODING, 5114, 415)},
    {ROW(CONTENT_TOO_LARGE, 5115, 413)},
    {ROW(CHUNK, 5116, 400)},
    {ROW(EXPECTATION, 5117, 417)},
    {ROW(MISDIRECTED, 5118, 421)},
    {ROW(CHUNK_EXT_TOO_LARGE, 5119, 400)},
    {ROW(HEAD_TIMEOUT, 5150, 408)},
    {ROW(CONTENT_TIMEOUT, 5151, 408)},
    {ROW(JSON_SYNTAX, 5200, 400)},
    {ROW(JSON_TRUNCATED, 5201, 400)},
    {ROW(JSON_UTF8, 5202, 400)},
    {ROW(JSON_CONTROL, 5203, 400)},
    {ROW(JSON_ESCAPE, 5204, 400)},
    {ROW(JSON_DEPTH, 5205, 400)},
    {ROW(JSON_TOKENS, 5206, 400)},
    {ROW(JSON_SURROGATE, 5207, 422)},
    {ROW(NOT_OBJECT, 5300, 422)},
    {ROW(FIELD_MISSING, 5301, 422)},
    {ROW(FIELD_TYPE, 5302, 422)},
    {ROW(ID_EMPTY, 5303, 422)},
    {ROW(ID_TOO_LONG, 5304, 422)},
    {ROW(ID_NUL, 5305, 422)},
    {ROW(COMMAND_MISMATCH, 5306, 422)},
    {ROW(NOT_FOUND, 5400, 404)},
    {ROW(METHOD_NOT_ALLOWED, 5401, 405)},
    {ROW(PARAM_UNKNOWN, 5402, 400)},
    {ROW(PARAM_REPEATED, 5403, 400)},
    {ROW(PARAM_VALUE, 5404, 400)},
    {ROW(WAITERS, 5405, 503)},
#undef ROW
};

/* What is told of an error that nobody outside should see, and of a number that is none. */
static const char *internal_text(void)
{
    return qr_err_text(QR_ERR_NO_SPACE);
}

static void test_err_number_is_the_published_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if ((int)rows[i].err != -rows[i].number) {
            fail_msg("%s is %d, not %d", rows[i].name, (int)rows[i].err, -rows[i].number);
        }
    }
    assert_int_equal(QR_OK, 0);
    assert_int_equal(QR_ERR_NO_SPACE, -5900);
}

/* OpenIM leaves 5000 to 9999 to the servers that it calls. */
static void test_err_number_is_within_openims_range_and_used_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if ((int)rows[i].err > -5000 || (int)rows[i].err < -9999) {
            fail_msg("%s is %d", rows[i].name, (int)rows[i].err);
        }
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal((int)rows[i].err, (int)rows[k].err);
        }
    }
}

static void test_err_status_fits_the_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (qr_err_status(rows[i].err) != rows[i].status) {
            fail_msg("%s: %u, not %u", rows[i].name, qr_err_status(rows[i].err), rows[i].status);
        }
    }
}

static void test_err_status_has_a_phrase_in_a_reply(void **state)
{
    char bytes[QR_REPLY_HEAD_MAX + 1];

    (void)state;
    for (size_t i = 0; i <= COUNT(rows); i++) {
        enum qr_err err = i < COUNT(rows) ? rows[i].err : QR_ERR_NO_SPACE;
        struct qr_reply_head head = {.status = qr_err_status(err), .content_type = "a/b"};
        struct qr_out out;
        qr_out_init(&out, bytes, QR_REPLY_HEAD_MAX);
        qr_reply_head(&out, &head);
        bytes[out.len] = '\0';
        assert_true(head.status >= 400 && head.status <= 599);
        if (strncmp(bytes, "HTTP/1.1 ", 9) != 0 || strcspn(bytes, "\r") <= 13) {
            fail_msg("error %d: %s", (int)err, bytes);
        }
    }
}

static void test_err_text_is_its_own_and_plain_ascii(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *text = qr_err_text(rows[i].err);
        assert_true(strlen(text) >= 5);
        assert_string_not_equal(text, internal_text());
        for (const char *c = text; *c != '\0'; c++) {
            if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\') {
                fail_msg("%s: %s", rows[i].name, text);
            }
        }
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(text, qr_err_text(rows[k].err));
        }
    }
}

static void test_err_index_counts_all_in_order(void **state)
{
    (void)state;
    assert_int_equal(COUNT(rows), QR_ERRS);
    for (size_t i = 0; i < QR_ERRS; i++) {
        assert_int_equal(qr_err_index(rows[i].err), i);
        assert_int_equal(qr_err_at(i), rows[i].err);
    }
    assert_int_equal(qr_err_index(QR_ERR_NO_SPACE), QR_ERRS);
    assert_int_equal(qr_err_at(QR_ERRS), QR_OK);
}

static bool is_listed(int number)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        if ((int)rows[i].err == number) {
            return true;
        }
    }
    return false;
}

/* So that a new error gets its row above, and with it a number that stays. */
static void test_err_text_is_internal_for_every_other_number(void **state)
{
    (void)state;
    for (int number = -20000; number <= 20000; number++) {
        if (!is_listed(number) && (strcmp(qr_err_text((enum qr_err)number), internal_text()) != 0 ||
                                   qr_err_status((enum qr_err)number) != 500)) {
            fail_msg("%d is not in this test's table: %s", number,
                     qr_err_text((enum qr_err)number));
        }
    }
}

static void test_err_limit_unit_says_what_is_counted(void **state)
{
    static const struct {
        enum qr_err err;
        const char *unit;
    } units[] = {
        {QR_ERR_TARGET_TOO_LONG, "bytes"},   {QR_ERR_HEAD_TOO_LARGE, "bytes"},
        {QR_ERR_CONTENT_TOO_LARGE, "bytes"}, {QR_ERR_CHUNK, "bytes"},
        {QR_ERR_HEAD_TIMEOUT, "ms"},         {QR_ERR_CONTENT_TIMEOUT, "ms"},
        {QR_ERR_JSON_DEPTH, "levels"},       {QR_ERR_JSON_TOKENS, "values and names"},
        {QR_ERR_ID_TOO_LONG, "bytes"},       {QR_ERR_PARAM_VALUE, "as its value"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(units); i++) {
        assert_string_equal(qr_err_limit_unit(units[i].err), units[i].unit);
    }
}

/* Every member is set, whatever was in the fault before. */
static void test_err_fault_at_sets_all_members(void **state)
{
    struct qr_fault fault;

    (void)state;
    memset(&fault, 0xff, sizeof fault);
    assert_int_equal(qr_fault_at(&fault, QR_ERR_ID_NUL, "groupID", 17), QR_ERR_ID_NUL);
    assert_int_equal(fault.err, QR_ERR_ID_NUL);
    assert_int_equal(fault.offset, 17);
    assert_int_equal(fault.limit, 0);
    assert_int_equal(fault.part_len, 7);
    assert_string_equal(fault.part, "groupID");
}

static void test_err_fault_at_takes_no_part(void **state)
{
    struct qr_fault fault;

    (void)state;
    memset(&fault, 0xff, sizeof fault);
    assert_int_equal(qr_fault_at(&fault, QR_ERR_NOT_FOUND, NULL, QR_NO_OFFSET), QR_ERR_NOT_FOUND);
    assert_null(fault.part);
    assert_int_equal(fault.part_len, 0);
    assert_int_equal(fault.offset, QR_NO_OFFSET);
    assert_int_equal(fault.limit, 0);
}

static void test_err_fault_limit_sets_all_members(void **state)
{
    struct qr_fault fault;

    (void)state;
    memset(&fault, 0xff, sizeof fault);
    assert_int_equal(qr_fault_limit(&fault, QR_ERR_CONTENT_TOO_LARGE, "content", 4096),
                     QR_ERR_CONTENT_TOO_LARGE);
    assert_int_equal(fault.err, QR_ERR_CONTENT_TOO_LARGE);
    assert_int_equal(fault.offset, QR_NO_OFFSET);
    assert_int_equal(fault.limit, 4096);
    assert_int_equal(fault.part_len, 7);
    assert_string_equal(fault.part, "content");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_number_is_the_published_one),
        cmocka_unit_test(test_err_number_is_within_openims_range_and_used_once),
        cmocka_unit_test(test_err_status_fits_the_error),
        cmocka_unit_test(test_err_status_has_a_phrase_in_a_reply),
        cmocka_unit_test(test_err_text_is_its_own_and_plain_ascii),
        cmocka_unit_test(test_err_index_counts_all_in_order),
        cmocka_unit_test(test_err_text_is_internal_for_every_other_number),
        cmocka_unit_test(test_err_limit_unit_says_what_is_counted),
        cmocka_unit_test(test_err_fault_at_sets_all_members),
        cmocka_unit_test(test_err_fault_at_takes_no_part),
        cmocka_unit_test(test_err_fault_limit_sets_all_members),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}

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
#include "boards/linux-client/document.h"
#include "boards/linux-client/facts.h"
#include "boards/linux-client/stream.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- what was told, as one text ---- */

static char told[40000];
static size_t told_len;

static void tell(const char *kind, const char *bytes, size_t len)
{
    assert_true(told_len + len + 20 < sizeof told);
    told_len += (size_t)sprintf(told + told_len, "%s[%.*s]", kind, (int)len, bytes);
}

/* ---- the status document ---- */

static struct qr_document document;

static void tell_parts(const char *bytes, size_t len, size_t piece)
{
    static const char *const kinds[] = {"more", "facts", "event", "end", "bad"};
    enum qr_document_got got = QR_DOCUMENT_MORE;

    told_len = 0;
    told[0] = '\0';
    memset(&document, 0xee, sizeof document);
    qr_document_begin(&document);
    for (size_t at = 0; at < len && got != QR_DOCUMENT_BAD; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        struct qr_span span = {guard_copy(bytes + at, n), n};
        while ((got = qr_document_take(&document, &span)) != QR_DOCUMENT_MORE &&
               got != QR_DOCUMENT_BAD) {
            tell(kinds[got], document.part, document.len);
        }
        assert_true(got == QR_DOCUMENT_BAD || span.len == 0);
    }
    if (got == QR_DOCUMENT_BAD) {
        tell("bad", "", 0);
    }
}

static void test_document_is_taken_apart_in_any_pieces(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"{\"a\":1,\"events\":[],\"missed\":0}\n",
         "facts[{\"a\":1,\"events\":[]}]end[{\"events\":[],\"missed\":0}]"},
        {"{\"a\":1,\"events\":[{\"s\":1},{\"s\":{\"x\":[2]}}],\"missed\":0}",
         "facts[{\"a\":1,\"events\":[]}]event[{\"s\":1}]event[{\"s\":{\"x\":[2]}}]"
         "end[{\"events\":[],\"missed\":0}]"},
        {" { \"a b\" : [ 1 ] , \"events\" : [ { \"s\" : 1 } , { } ] } \r\n",
         "facts[{\"a b\":[1],\"events\":[]}]event[{\"s\":1}]event[{}]end[{\"events\":[]}]"},
        {"{\"events\":[{\"s\":\"}],\\\"{[\\\\\"}]}",
         "facts[{\"events\":[]}]event[{\"s\":\"}],\\\"{[\\\\\"}]end[{\"events\":[]}]"},
        /* What only looks like the events. */
        {"{\"a\":{\"events\":[1]},\"b\":\",\\\"events\\\":[\",\"x,\\\"events\":[2],\"events\":[]}",
         "facts[{\"a\":{\"events\":[1]},\"b\":\",\\\"events\\\":[\",\"x,\\\"events\":[2],"
         "\"events\":[]}]end[{\"events\":[]}]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].text);
        for (size_t piece = 1; piece <= len; piece++) {
            tell_parts(cases[i].text, len, piece);
            assert_string_equal(told, cases[i].told);
        }
    }
}

static void test_document_refuses_what_is_none(void **state)
{
    static const char *const texts[] = {
        "<html>",
        "null",
        "{}",
        "]",
        "{\"a\":1}",
        "{\"events\":[1]}",
        "{\"events\":[[]]}",
        "{\"events\":[,]}",
        "{\"events\":[{},]}",
        "{\"events\":[{},,{}]}",
        "{\"events\":[{}{}]}",
        "{\"events\":[]}x",
        "{\"events\":[]}{",
        "{\"events\":[}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        tell_parts(texts[i], strlen(texts[i]), 1);
        if (strstr(told, "bad[]") == NULL) {
            fail_msg("%s is taken: %s", texts[i], told);
        }
    }
}

static void test_document_bounds_a_part(void **state)
{
    static char text[2 * QR_DOCUMENT_PART_MAX];

    (void)state;
    /* Two bytes are kept for the facts' end. */
    for (int more = 0; more <= 1; more++) {
        int len = sprintf(text, "{\"events\":[{\"a\":\"%0*d\"}]}",
                          QR_DOCUMENT_PART_MAX - 2 - 8 + more, 0);
        tell_parts(text, (size_t)len, (size_t)len);
        assert_int_equal(strstr(told, "bad[]") != NULL, more != 0);
    }
    memset(text, '[', sizeof text);
    memcpy(text, "{\"a\":", 5);
    tell_parts(text, 5 + 254, 1);
    assert_string_equal(told, "");
    tell_parts(text, 5 + 255, 1);
    assert_string_equal(told, "bad[]");
}

/* ---- event streams ---- */

static struct qr_stream stream;

static void test_stream_gives_messages(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"retry: 2000\nevent: start\ndata: {\"a\":1}\n\n", "start[{\"a\":1}]"},
        {"id: 7\ndata: {\"a\": 1}\n\n:\n\ndata:x\n\n", "[{\"a\": 1}][x]"},
        {"event: missed\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", "missed[1][2]"},
        {"event: gone\n\ndata: 1\n\n", "[1]"}, /* its type goes with a message without data */
        {":\n\n:\n\n\n\n", ""},
        {"data: 1\ndata: 2\n\n", "[12]"},
        {"data\nxdata: 1\n data: 2\n\n", ""},
        {"event: a-type-that-nobody-has\ndata: 1\n\n", "a-type-that-nob[1]"},
        {"data: never ended\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        told_len = 0;
        told[0] = '\0';
        qr_stream_begin(&stream);
        for (const char *at = cases[i].text; *at != '\0'; at++) {
            enum qr_stream_got got = qr_stream_take(&stream, *at);
            assert_int_not_equal(got, QR_STREAM_TOO_LONG);
            if (got == QR_STREAM_MESSAGE) {
                tell(stream.event, stream.bytes, stream.data_len);
            }
        }
        assert_string_equal(told, cases[i].told);
    }
}

static void test_stream_bounds_a_message(void **state)
{
    (void)state;
    qr_stream_begin(&stream);
    for (size_t i = 0; i < QR_STREAM_MAX; i++) {
        assert_int_equal(qr_stream_take(&stream, 'x'), QR_STREAM_MORE);
    }
    assert_int_equal(qr_stream_take(&stream, 'x'), QR_STREAM_TOO_LONG);
    qr_stream_begin(&stream);
    for (size_t i = 0; i < 2 * QR_STREAM_MAX; i++) { /* by its data, too, however short its lines */
        if (qr_stream_take(&stream, "data: x\n"[i % 8]) == QR_STREAM_TOO_LONG) {
            return;
        }
    }
    assert_true(stream.data_len <= QR_STREAM_MAX);
}

/* ---- facts and events ---- */

#define HEAD                                                                                       \
    "{\"service\":\"quitring\",\"version\":\"1.2.3\",\"board\":\"b\",\"bootId\":\"00ff\","         \
    "\"uptimeMs\":17,\"time\":null,"
#define RING                                                                                       \
    "\"ring\":{\"capacityBytes\":1024,\"usedBytes\":21,\"stored\":1,\"firstSeq\":18,"              \
    "\"lastSeq\":18,\"overwritten\":17},"
#define TAIL "\"next\":18,\"more\":false,\"reset\":true,\"events\":[]}"

static struct qr_span at_guard(const char *text)
{
    return (struct qr_span){guard_copy(text, strlen(text)), strlen(text)};
}

static void test_facts_are_read(void **state)
{
    struct qr_facts facts;

    (void)state;
    assert_true(qr_facts_read(&facts, at_guard(HEAD RING TAIL)));
    assert_string_equal(facts.version, "1.2.3");
    assert_string_equal(facts.board, "b");
    assert_string_equal(facts.boot_id, "00ff");
    assert_string_equal(facts.time, "");
    assert_true(facts.reset);
    assert_int_equal(facts.uptime_ms, 17);
    assert_int_equal(facts.next, 18);
    assert_int_equal(facts.capacity_bytes, 1024);
    assert_int_equal(facts.used_bytes, 21);
    assert_int_equal(facts.stored, 1);
    assert_int_equal(facts.first_seq, 18);
    assert_int_equal(facts.last_seq, 18);
    assert_int_equal(facts.overwritten, 17);
}

static void test_facts_of_somebody_else_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"service\":\"other\"}",
        "{\"service\":\"quitring2\"}",
        HEAD TAIL,
        HEAD "\"ring\":7," TAIL,
        HEAD RING "\"next\":1.5}",
        HEAD RING "\"next\":-1}",
        HEAD RING "\"next\":\"1\"}",
        HEAD RING "\"next\":18446744073709551616}",
        HEAD RING "\"time\":7," TAIL,
        HEAD RING "\"board\":\"a\\u0000b\"," TAIL,
        HEAD RING TAIL "x",
    };
    struct qr_facts facts;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (qr_facts_read(&facts, at_guard(texts[i]))) {
            fail_msg("%s is taken", texts[i]);
        }
    }
}

static void test_quit_is_read(void **state)
{
    struct qr_quit quit;

    (void)state;
    assert_true(qr_quit_read(
        &quit, at_guard("{\"seq\":18446744073709551615,\"time\":\"2026-01-02T03:04:05.678Z\","
                        "\"uptimeMs\":5,\"groupID\":\"g\\n\",\"userID\":\"\\ud83d\\ude00\","
                        "\"operationID\":\"\"}")));
    assert_true(quit.seq == UINT64_MAX);
    assert_string_equal(quit.time, "2026-01-02T03:04:05.678Z");
    assert_int_equal(quit.uptime_ms, 5);
    assert_true(qr_span_is(quit.group_id, "g\n"));
    assert_true(qr_span_is(quit.user_id, "\xf0\x9f\x98\x80"));
    assert_int_equal(quit.operation_id.len, 0);
}

static void test_quit_refuses_what_is_none(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"seq\":1,\"time\":null,\"uptimeMs\":5,\"groupID\":\"g\",\"userID\":\"u\"}",
        "{\"seq\":\"1\",\"time\":null,\"uptimeMs\":5,\"groupID\":\"g\",\"userID\":\"u\","
        "\"operationID\":\"\"}",
        "{\"seq\":1,\"time\":null,\"uptimeMs\":5,\"groupID\":1,\"userID\":\"u\","
        "\"operationID\":\"\"}",
        "{\"seq\":1,\"time\":null,\"uptimeMs\":5,\"groupID\":\"\\ud800\",\"userID\":\"u\","
        "\"operationID\":\"\"}",
    };
    char text[QR_ID_MAX + 200];
    struct qr_quit quit;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_false(qr_quit_read(&quit, at_guard(texts[i])));
    }
    for (int more = 0; more <= 1; more++) {
        (void)sprintf(text,
                      "{\"seq\":1,\"time\":null,\"uptimeMs\":5,\"groupID\":\"%0*d\","
                      "\"userID\":\"u\",\"operationID\":\"\"}",
                      QR_ID_MAX + more, 0);
        assert_int_equal(qr_quit_read(&quit, at_guard(text)), more == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document_is_taken_apart_in_any_pieces),
        cmocka_unit_test(test_document_refuses_what_is_none),
        cmocka_unit_test(test_document_bounds_a_part),
        cmocka_unit_test(test_stream_gives_messages),
        cmocka_unit_test(test_stream_bounds_a_message),
        cmocka_unit_test(test_facts_are_read),
        cmocka_unit_test(test_facts_of_somebody_else_are_refused),
        cmocka_unit_test(test_quit_is_read),
        cmocka_unit_test(test_quit_refuses_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

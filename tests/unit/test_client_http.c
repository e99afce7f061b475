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
#include "boards/linux-client/response.h"
#include "boards/linux-client/url.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- URLs ---- */

static struct qr_url url;

/* The text stands, with its NUL, at the guard page. */
static const char *read_url(const char *text)
{
    memset(&url, 0xee, sizeof url);
    return qr_url_read(&url, guard_copy(text, strlen(text) + 1));
}

static void test_url_takes_what_people_type(void **state)
{
    static const struct {
        const char *text, *host, *port, *shown;
    } cases[] = {
        {"http://127.0.0.1:8080", "127.0.0.1", "8080", "http://127.0.0.1:8080"},
        {"127.0.0.1:8080", "127.0.0.1", "8080", "http://127.0.0.1:8080"},
        {"HTTP://quitring.local", "quitring.local", "80", "http://quitring.local"},
        {"quitring.local/", "quitring.local", "80", "http://quitring.local"},
        {"http://[fd77::2]", "fd77::2", "80", "http://[fd77::2]"},
        {"[::1]:8080/a/b//", "::1", "8080", "http://[::1]:8080/a/b"},
        {"[::ffff:10.0.0.1]", "::ffff:10.0.0.1", "80", "http://[::ffff:10.0.0.1]"},
        {"h:65535/%7Ex", "h", "65535", "http://h:65535/%7Ex"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char shown[200];
        struct qr_out out;
        assert_null(read_url(cases[i].text));
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.port, cases[i].port);
        qr_out_init(&out, shown, sizeof shown - 1);
        qr_url_show(&url, &out);
        shown[out.len] = '\0';
        assert_string_equal(shown, cases[i].shown);
    }
}

static void test_url_refuses_what_is_none(void **state)
{
    static const char *const texts[] = {
        "",      "http://",     "https://h",   "ftp://h",   "//h",         "h:",
        "h:0",   "h:65536",     "h:8o",        "h:+80",     "h:000080",    "u@h",
        "u:p@h", "h?x",         "h#x",         "h/x?y",     "h/x#y",       "h/a b",
        "h/%4",  "h/%",         "h/%zz",       "fd77::2",   "fd77::2:80",  "[fd77::2",
        "[]",    "[fd77::2]80", "[fd77::2]x",  "[fd77::z]", "[fe80::1%1]", "h h",
        "h\n",   "h/\r\nX: y",  "http://h://", "h/\x1b[2J", "\xc3\xa4",    "http:/h",
    };
    char longest[QR_URL_PREFIX_MAX + 8];

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (read_url(texts[i]) == NULL) {
            fail_msg("%s is taken", texts[i]);
        }
    }
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "h/", 2);
    longest[1 + QR_URL_PREFIX_MAX] = '\0';
    assert_null(read_url(longest));
    longest[1 + QR_URL_PREFIX_MAX] = 'x';
    longest[2 + QR_URL_PREFIX_MAX] = '\0';
    assert_non_null(read_url(longest));
    memset(longest, 'h', sizeof longest);
    longest[QR_URL_HOST_MAX] = '\0';
    assert_null(read_url(longest));
    longest[QR_URL_HOST_MAX] = 'h';
    longest[QR_URL_HOST_MAX + 1] = '\0';
    assert_non_null(read_url(longest));
}

static void test_url_encodes_all_but_what_may_stand(void **state)
{
    char bytes[64];
    struct qr_out out;

    (void)state;
    qr_out_init(&out, bytes, sizeof bytes - 1);
    qr_url_encode(&out, "aZ0-._~ &=+%/?#\n\xc3\xa4");
    bytes[out.len] = '\0';
    assert_string_equal(bytes, "aZ0-._~%20%26%3D%2B%25%2F%3F%23%0A%C3%A4");
}

/* ---- responses ---- */

#define OK "HTTP/1.1 200 OK\r\n"

static struct qr_response response;

/* Whole, and pieces of it */
struct result {
    enum qr_response_got got; /* the last of it: MORE, END or BAD */
    bool head;
    char content[400];
    size_t content_len;
};

static void take_bytes(struct result *result, const char *bytes, size_t len)
{
    struct qr_span span = {guard_copy(bytes, len), len};
    struct qr_span content;

    do {
        result->got = qr_response_take(&response, &span, &content);
        if (result->got == QR_RESPONSE_HEAD) {
            assert_false(result->head);
            result->head = true;
        } else if (result->got == QR_RESPONSE_CONTENT) {
            assert_true(result->head && content.len > 0);
            memcpy(result->content + result->content_len, content.at, content.len);
            result->content_len += content.len;
        }
    } while (result->got == QR_RESPONSE_HEAD || result->got == QR_RESPONSE_CONTENT);
}

/* In pieces of that many bytes. */
static struct result take_response(const char *bytes, size_t len, size_t piece)
{
    struct result result = {.got = QR_RESPONSE_MORE};

    memset(&response, 0xee, sizeof response);
    qr_response_begin(&response);
    for (size_t at = 0; at < len && result.got == QR_RESPONSE_MORE; at += piece) {
        take_bytes(&result, bytes + at, len - at < piece ? len - at : piece);
    }
    return result;
}

static void test_response_is_read_in_any_pieces(void **state)
{
    static const struct {
        const char *bytes, *content;
        unsigned status;
        bool ends, json; /* ends: by itself */
    } cases[] = {
        {OK "Content-Length: 5\r\n\r\nhello", "hello", 200, true, false},
        {OK "content-length:0\r\nContent-Type: application/json\r\n\r\n", "", 200, true, true},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world\r\n!\r\n0\r\n\r\n",
         "hello, world\r\n!", 200, true, false},
        {OK "Transfer-Encoding: Chunked\r\n\r\n0001\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n", "x", 200, true,
         false},
        {"HTTP/1.0 404 \r\nContent-type: Application/JSON; charset=utf-8\r\n\r\nall of it",
         "all of it", 404, false, true},
        {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" OK "Content-Length: 1\r\n\r\n1", "1", 200, true,
         false},
        {OK "Content-Type: text/html\r\n\r\n", "", 200, false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].bytes);
        for (size_t piece = 1; piece <= len; piece++) {
            struct result result = take_response(cases[i].bytes, len, piece);
            assert_int_equal(result.got, cases[i].ends ? QR_RESPONSE_END : QR_RESPONSE_MORE);
            assert_true(result.head);
            assert_int_equal(response.status, cases[i].status);
            assert_int_equal(response.json, cases[i].json);
            assert_true(qr_response_ends(&response));
            result.content[result.content_len] = '\0';
            assert_string_equal(result.content, cases[i].content);
        }
        for (size_t cut = 0; cut < len && cases[i].ends; cut++) {
            struct result result = take_response(cases[i].bytes, cut, len);
            assert_int_equal(result.got, QR_RESPONSE_MORE);
            assert_false(qr_response_ends(&response));
        }
    }
}

static void test_response_refuses_what_others_read_differently(void **state)
{
    static const char *const texts[] = {
        "SSH-2.0-x\r\n",
        "HTTP/2 200 OK\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 200\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 200 OK\n",
        OK "Content-Length: 1\n",
        OK "A: b\rc\r\n",
        OK "A : b\r\n",
        OK ": b\r\n",
        OK "A\r\n",
        OK "A: b\r\n c\r\n",
        OK "A: \x01\r\n",
        OK "Content-Length: \r\n",
        OK "Content-Length: -1\r\n",
        OK "Content-Length: 1, 1\r\n",
        OK "Content-Length: 0x1\r\n",
        OK "Content-Length: 1\r\nContent-Length: 1\r\n",
        OK "Content-Length: 1234567890123456\r\n",
        OK "Transfer-Encoding: gzip, chunked\r\n",
        OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        OK "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\nx\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n+1\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n1\n",
        OK "Transfer-Encoding: chunked\r\n\r\n1234567890abcdef\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n0\r\nbad\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t len = strlen(texts[i]);
        for (size_t piece = 1; piece <= len; piece += len - 1) {
            if (take_response(texts[i], len, piece).got != QR_RESPONSE_BAD) {
                fail_msg("%s is taken", texts[i]);
            }
        }
    }
}

/* A head of that many bytes, in lines of 100. */
static size_t make_head(char *bytes, size_t len)
{
    size_t at = (size_t)sprintf(bytes, OK);

    while (len - at > 202) {
        at += (size_t)sprintf(bytes + at, "X: %095d\r\n", 0);
    }
    at += (size_t)sprintf(bytes + at, "X: %0*d\r\n", (int)(len - at - 7), 0);
    return at + (size_t)sprintf(bytes + at, "\r\n");
}

static void test_response_bounds_lines_and_heads(void **state)
{
    static char bytes[QR_RESPONSE_HEAD_MAX + 2000];

    (void)state;
    size_t len = make_head(bytes, QR_RESPONSE_HEAD_MAX);
    assert_int_equal(len, QR_RESPONSE_HEAD_MAX);
    assert_true(take_response(bytes, len, len).head);
    len = make_head(bytes, QR_RESPONSE_HEAD_MAX + 1);
    assert_int_equal(take_response(bytes, len, len).got, QR_RESPONSE_BAD);

    /* The line end's CR counts, its LF does not. */
    len = (size_t)sprintf(bytes, OK "X: %0*d\r\n\r\n", QR_RESPONSE_LINE_MAX - 4, 0);
    assert_true(take_response(bytes, len, len).head);
    len = (size_t)sprintf(bytes, OK "X: %0*d\r\n\r\n", QR_RESPONSE_LINE_MAX - 3, 0);
    assert_int_equal(take_response(bytes, len, len).got, QR_RESPONSE_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_takes_what_people_type),
        cmocka_unit_test(test_url_refuses_what_is_none),
        cmocka_unit_test(test_url_encodes_all_but_what_may_stand),
        cmocka_unit_test(test_response_is_read_in_any_pieces),
        cmocka_unit_test(test_response_refuses_what_others_read_differently),
        cmocka_unit_test(test_response_bounds_lines_and_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

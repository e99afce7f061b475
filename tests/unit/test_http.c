#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "http.h"

/* ---- one run of the parser over one input, and all that a caller sees of it ---- */

struct outcome {
    size_t taken; /* by successful calls */
    enum qr_http_phase phase;
    enum qr_err err;
    uint32_t offset, limit;
    char part[32];
    enum qr_method method;
    unsigned minor_version;
    bool keep_alive, expect_continue, operation_id_cut, has_query;
    char path[QR_TARGET_MAX + 1];
    char query[QR_TARGET_MAX + 1];
    char operation_id[QR_OPERATION_ID_MAX + 1];
    char if_none_match[QR_OPERATION_ID_MAX + 1];
    char last_event_id[QR_OPERATION_ID_MAX + 1];
    bool takes_gzip;
    size_t content_len;
    char content[QR_CONTENT_MAX];
};

#define CANARY_LEN 16

static struct qr_http http;
static char content[QR_CONTENT_MAX + CANARY_LEN];
static size_t content_cap = QR_CONTENT_MAX;

static void begin(void)
{
    memset(content, '#', sizeof content);
    qr_http_init(&http, content, content_cap);
}

/* Hands one piece over, at the guard page, until it is taken, the request is whole or an error. */
static int feed(const char *bytes, size_t len, size_t *taken)
{
    size_t off = 0;

    while (off < len && http.phase != QR_HTTP_DONE) {
        int n = qr_http_parse(&http, guard_copy(bytes + off, len - off), len - off);
        if (n < 0) {
            return n;
        }
        off += (size_t)n;
        *taken += (size_t)n;
        if (off < len && http.phase != QR_HTTP_DONE) { /* the one reason to stop earlier */
            assert_true(n > 0);
            assert_int_equal(http.phase, QR_HTTP_CONTENT);
            assert_true(http.request.expect_continue);
            assert_int_equal(http.request.content_len, 0);
        }
    }
    return 0;
}

static void keep_span(char *to, size_t cap, const char *span, size_t len)
{
    assert_true(len <= cap);
    if (len != 0) {
        assert_non_null(span);
        memcpy(to, span, len);
    }
}

static void look(struct outcome *outcome, int err, size_t taken)
{
    const struct qr_request *request = &http.request;

    memset(outcome, 0, sizeof *outcome);
    outcome->taken = taken;
    outcome->phase = http.phase;
    outcome->err = (enum qr_err)err;
    outcome->method = request->method;
    if (err < 0) {
        assert_int_equal(http.fault.err, err);
        outcome->offset = http.fault.offset;
        outcome->limit = http.fault.limit;
        keep_span(outcome->part, sizeof outcome->part - 1, http.fault.part, http.fault.part_len);
    }
    if (http.phase != QR_HTTP_DONE) {
        return;
    }
    outcome->minor_version = request->minor_version;
    outcome->keep_alive = request->keep_alive;
    outcome->expect_continue = request->expect_continue;
    outcome->operation_id_cut = request->operation_id_cut;
    outcome->has_query = request->query != NULL;
    keep_span(outcome->path, QR_TARGET_MAX, request->path, request->path_len);
    keep_span(outcome->query, QR_TARGET_MAX, request->query, request->query_len);
    keep_span(outcome->operation_id, QR_OPERATION_ID_MAX, request->operation_id,
              request->operation_id_len);
    keep_span(outcome->if_none_match, QR_OPERATION_ID_MAX, request->if_none_match.at,
              request->if_none_match.len);
    keep_span(outcome->last_event_id, QR_OPERATION_ID_MAX, request->last_event_id.at,
              request->last_event_id.len);
    outcome->takes_gzip = request->takes_gzip;
    outcome->content_len = request->content_len;
    keep_span(outcome->content, QR_CONTENT_MAX, request->content, request->content_len);
}

static void assert_canary_alive(void)
{
    for (size_t i = 0; i < CANARY_LEN; i++) {
        assert_int_equal(content[content_cap + i], '#');
    }
}

/* The input in pieces of step bytes, the first one of first bytes. */
static void run(struct outcome *outcome, const char *bytes, size_t len, size_t first, size_t step)
{
    size_t taken = 0;
    size_t at = 0;
    int err = 0;

    begin();
    for (size_t piece = first; err == 0 && at < len && http.phase != QR_HTTP_DONE; piece = step) {
        if (piece > len - at) {
            piece = len - at;
        }
        err = feed(bytes + at, piece, &taken);
        at += piece;
    }
    look(outcome, err, taken);
    outcome->taken = err < 0 ? 0 : taken; /* how much a failing call took is not told */
    assert_canary_alive();
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    return a->taken == b->taken && a->phase == b->phase && a->err == b->err &&
           a->offset == b->offset && a->limit == b->limit && strcmp(a->part, b->part) == 0 &&
           a->method == b->method && a->minor_version == b->minor_version &&
           a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue &&
           a->operation_id_cut == b->operation_id_cut && a->has_query == b->has_query &&
           strcmp(a->path, b->path) == 0 && strcmp(a->query, b->query) == 0 &&
           strcmp(a->operation_id, b->operation_id) == 0 &&
           strcmp(a->if_none_match, b->if_none_match) == 0 &&
           strcmp(a->last_event_id, b->last_event_id) == 0 && a->takes_gzip == b->takes_gzip &&
           a->content_len == b->content_len && memcmp(a->content, b->content, a->content_len) == 0;
}

static void assert_same(const struct outcome *whole, const struct outcome *cut, const char *bytes,
                        size_t len, const char *how, size_t at)
{
    if (!same(whole, cut)) {
        fail_msg("other outcome %s %zu: err %d, was %d\n%.*s", how, at, cut->err, whole->err,
                 (int)len, bytes);
    }
}

/* Runs the input whole, byte by byte, and in two pieces cut in every place (in every stride-th one
 * and near the end, where it is long). */
static void run_all_ways(struct outcome *whole, const char *bytes, size_t len)
{
    static struct outcome other;
    size_t stride = len < 600 ? 1 : 61;

    run(whole, bytes, len, len, len);
    run(&other, bytes, len, 1, 1);
    assert_same(whole, &other, bytes, len, "by pieces of", 1);
    for (size_t cut = 1; cut < len; cut += len - cut < 8 ? 1 : stride) {
        run(&other, bytes, len, cut, len);
        assert_same(whole, &other, bytes, len, "cut at", cut);
    }
}

/* ---- inputs ---- */

/* As many bytes as wanted of a text that repeats. */
static size_t fill(char *to, const char *unit, size_t len)
{
    size_t unit_len = strlen(unit);

    for (size_t i = 0; i < len; i++) {
        to[i] = unit[i % unit_len];
    }
    return len;
}

static size_t add(char *to, const char *text)
{
    memcpy(to, text, strlen(text));
    return strlen(text);
}

/* ---- requests that are taken ---- */

struct good {
    const char *bytes;
    const char *path;
    const char *query; /* NULL: none */
    const char *content;
    const char *rest; /* behind the request: not taken */
};

static struct outcome outcome;

static void assert_good(const struct good *good)
{
    size_t len = strlen(good->bytes);
    const char *rest = good->rest == NULL ? "" : good->rest;

    run_all_ways(&outcome, good->bytes, len);
    if (outcome.err != 0) {
        fail_msg("error %d at %.*s, byte %u in\n%s", outcome.err, 32, outcome.part, outcome.offset,
                 good->bytes);
    }
    assert_int_equal(outcome.phase, QR_HTTP_DONE);
    assert_int_equal(outcome.taken, len - strlen(rest));
    assert_string_equal(good->bytes + outcome.taken, rest);
    assert_string_equal(outcome.path, good->path);
    assert_int_equal(outcome.has_query, good->query != NULL);
    assert_string_equal(outcome.query, good->query == NULL ? "" : good->query);
    assert_int_equal(outcome.content_len, strlen(good->content));
    assert_memory_equal(outcome.content, good->content, outcome.content_len);
}

#define GET(rest)  "GET / HTTP/1.1\r\nHost: a\r\n" rest
#define POST(rest) "POST / HTTP/1.1\r\nHost: a\r\n" rest
#define CHUNKED    POST("Transfer-Encoding: chunked\r\n\r\n")

static const struct good goods[] = {
    /* targets */
    {GET("\r\n"), "/", NULL, "", NULL},
    {"GET /status?since=7&x HTTP/1.1\r\nHost: a\r\n\r\n", "/status", "since=7&x", "", NULL},
    {"GET /? HTTP/1.1\r\nHost: a\r\n\r\n", "/", "", "", NULL},
    {"GET /a?b?c/d HTTP/1.1\r\nHost: a\r\n\r\n", "/a", "b?c/d", "", NULL},
    {"GET //x/%41%fF/~!$&'()*+,;=:@-._[] HTTP/1.1\r\nHost: a\r\n\r\n",
     "//x/%41%fF/~!$&'()*+,;=:@-._[]", NULL, "", NULL},
    {"GET http://h/p?q HTTP/1.1\r\nHost: a\r\n\r\n", "/p", "q", "", NULL},
    {"GET HTTP://h HTTP/1.1\r\nHost: a\r\n\r\n", "/", NULL, "", NULL},
    {"GET hTTp://[::1]:8080?q HTTP/1.1\r\nHost: a\r\n\r\n", "/", "q", "", NULL},
    {"GET http://h%41.b:/ HTTP/1.1\r\nHost: a\r\n\r\n", "/", NULL, "", NULL},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", NULL, "", NULL},
    {"OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n", "/a", NULL, "", NULL},
    /* versions */
    {"GET / HTTP/1.0\r\n\r\n", "/", NULL, "", NULL},
    {"GET / HTTP/1.9\r\nHost: a\r\n\r\n", "/", NULL, "", NULL},
    /* empty lines before the request line (RFC 9112 section 2.2) */
    {"\r\n\r\n" GET("\r\n"), "/", NULL, "", NULL},
    /* field lines */
    {GET("X:\r\nY: \t \r\n!#$%&'*+-.^_`|~09azAZ:\tv \x80\xff\r\n\r\n"), "/", NULL, "", NULL},
    {GET("A-field-name-that-is-longer-than-any-that-means-something: v\r\n\r\n"), "/", NULL, "",
     NULL},
    {"GET / HTTP/1.1\r\nhOsT:\t a.b \t\r\n\r\n", "/", NULL, "", NULL},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "/", NULL, "", NULL},
    {"GET / HTTP/1.1\r\nHost:[1:2::f]:80\r\n\r\n", "/", NULL, "", NULL},
    {"GET / HTTP/1.1\r\nHost:[v1.a:b]\r\n\r\n", "/", NULL, "", NULL},
    {"GET / HTTP/1.1\r\nHost:a_b-c.d~%2a:\r\n\r\n", "/", NULL, "", NULL},
    /* content by length */
    {POST("Content-Length: 3\r\n\r\nabc"), "/", NULL, "abc", NULL},
    {POST("content-LENGTH:\t003 \t\r\n\r\nabcd"), "/", NULL, "abc", "d"},
    {POST("Content-Length: 0\r\n\r\nabc"), "/", NULL, "", "abc"},
    {POST("\r\nabc"), "/", NULL, "", "abc"},
    {GET("Content-Length: 2\r\n\r\n\r\n"), "/", NULL, "\r\n", NULL},
    {"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\n\n", "/", NULL, "\n", NULL},
    {POST("Content-Encoding: identity, ,Identity\r\nContent-Length: 1\r\n\r\nx"), "/", NULL, "x",
     NULL},
    {POST("Content-Encoding:\r\nContent-Length: 1\r\n\r\nx"), "/", NULL, "x", NULL},
    /* content by chunks */
    {CHUNKED "0\r\n\r\n", "/", NULL, "", NULL},
    {CHUNKED "3\r\nabc\r\n0\r\n\r\nrest", "/", NULL, "abc", "rest"},
    {CHUNKED "1\r\na\r\n0a\r\n\r\n345678\r\n\r\n00\r\n\r\n", "/", NULL, "a\r\n345678\r\n", NULL},
    {CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "/", NULL, "01234567890123456789",
     NULL},
    {CHUNKED "1;a=b;c=\"d \t;\xff\"\r\na\r\n1 \t; x\r\nb\r\n0;last\r\n\r\n", "/", NULL, "ab", NULL},
    {CHUNKED "1\r\na\r\n0\r\nContent-Length: x\r\nHost: b c\r\nConnection: close\r\nX:\r\n\r\n",
     "/", NULL, "a", NULL},
    {POST("Transfer-Encoding: ,\tCHUNKED ,\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n"), "/", NULL, "",
     NULL},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_http_takes_valid_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(goods); i++) {
        assert_good(&goods[i]);
    }
}

static void test_http_waits_for_more_after_each_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(goods); i++) {
        size_t rest = goods[i].rest == NULL ? 0 : strlen(goods[i].rest);
        size_t len = strlen(goods[i].bytes) - rest;
        for (size_t prefix = 0; prefix < len; prefix++) {
            size_t taken = 0;
            begin();
            assert_int_equal(feed(goods[i].bytes, prefix, &taken), 0);
            assert_int_equal(taken, prefix);
            assert_in_range(http.phase, QR_HTTP_IDLE, QR_HTTP_CONTENT);
        }
    }
}

/* What Go's client sends for OpenIM, and what is picked from it. */
static void test_http_takes_openims_request(void **state)
{
    static const char bytes[] =
        "POST /im/callbackAfterQuitGroupCommand?contenttype=json HTTP/1.1\r\n"
        "Host: 192.168.1.50:8080\r\n"
        "User-Agent: Go-http-client/1.1\r\n"
        "Content-Length: 84\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        "Operationid: 1700000000123\r\n"
        "Accept-Encoding: gzip\r\n"
        "\r\n"
        "{\"callbackCommand\":\"callbackAfterQuitGroupCommand\",\"groupID\":\"G1\",\"userID\":"
        "\"user1\"}"
        "\n";
    const char *text = strstr(bytes, "{");

    (void)state;
    run_all_ways(&outcome, bytes, sizeof bytes - 1);
    assert_int_equal(outcome.err, 0);
    assert_int_equal(outcome.phase, QR_HTTP_DONE);
    assert_int_equal(outcome.taken, sizeof bytes - 1);
    assert_int_equal(outcome.method, QR_METHOD_POST);
    assert_int_equal(outcome.minor_version, 1);
    assert_true(outcome.keep_alive);
    assert_false(outcome.expect_continue);
    assert_string_equal(outcome.path, "/im/callbackAfterQuitGroupCommand");
    assert_string_equal(outcome.query, "contenttype=json");
    assert_string_equal(outcome.operation_id, "1700000000123");
    assert_false(outcome.operation_id_cut);
    assert_int_equal(outcome.content_len, strlen(text));
    assert_memory_equal(outcome.content, text, strlen(text));
}

static void test_http_names_the_method(void **state)
{
    static const struct {
        const char *name;
        enum qr_method method;
    } methods[] = {{"GET", QR_METHOD_GET},      {"HEAD", QR_METHOD_HEAD},
                   {"POST", QR_METHOD_POST},    {"PUT", QR_METHOD_OTHER},
                   {"DELETE", QR_METHOD_OTHER}, {"OPTIONS", QR_METHOD_OTHER},
                   {"TRACE", QR_METHOD_OTHER},  {"PATCH", QR_METHOD_OTHER}};
    char bytes[64];

    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        size_t len = add(bytes, methods[i].name);
        len += add(bytes + len, " /a HTTP/1.1\r\nHost: a\r\n\r\n");
        run_all_ways(&outcome, bytes, len);
        assert_int_equal(outcome.phase, QR_HTTP_DONE);
        assert_int_equal(outcome.method, methods[i].method);
        assert_string_equal(outcome.path, "/a");
    }
}

static void test_http_names_the_minor_version(void **state)
{
    (void)state;
    run_all_ways(&outcome, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_int_equal(outcome.minor_version, 0);
    run_all_ways(&outcome, "GET / HTTP/1.7\r\nHost:\r\n\r\n", 25);
    assert_int_equal(outcome.phase, QR_HTTP_DONE);
    assert_int_equal(outcome.minor_version, 1);
}

static void test_http_says_the_method_of_a_refused_request(void **state)
{
    (void)state;
    run_all_ways(&outcome, "HEAD / HTTP/1.1\r\n\r\n", 19);
    assert_int_equal(outcome.err, QR_ERR_HOST);
    assert_int_equal(outcome.method, QR_METHOD_HEAD);
}

/* ---- persistence (RFC 9112 section 9.3) and expectations (RFC 9110 section 10.1.1) ---- */

static void test_http_keeps_alive_as_version_and_connection_say(void **state)
{
    static const struct {
        const char *bytes;
        bool keep_alive;
    } cases[] = {
        {GET("\r\n"), true},
        {GET("Connection: close\r\n\r\n"), false},
        {GET("Connection: CLOSE\r\n\r\n"), false},
        {GET("Connection: keep-alive\r\n\r\n"), true},
        {GET("Connection: keep-alive, close\r\n\r\n"), false},
        {GET("Connection: close\r\nConnection: keep-alive\r\n\r\n"), false},
        {GET("Connection: x, ,\tClose\t,y\r\n\r\n"), false},
        {GET("Connection: closed, xclose, close x, \"close\", clos, e\r\n\r\n"), true},
        {GET("Connection: x y,close\r\n\r\n"), false},
        {GET("Connection: x ,close\r\n\r\n"), false},
        {GET("X: close\r\nXConnection: close\r\n\r\n"), true},
        {GET("Connection: a-connection-option-that-is-long,close\r\n\r\n"), false},
        {CHUNKED "0\r\nConnection: close\r\n\r\n", true},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive \r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: x\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive,x\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep -alive\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        run_all_ways(&outcome, cases[i].bytes, strlen(cases[i].bytes));
        assert_int_equal(outcome.phase, QR_HTTP_DONE);
        if (outcome.keep_alive != cases[i].keep_alive) {
            fail_msg("keep_alive %d of\n%s", outcome.keep_alive, cases[i].bytes);
        }
    }
}

static void test_http_stops_at_the_heads_end_when_a_100_is_awaited(void **state)
{
    static const struct {
        const char *head;
        const char *tail;
    } cases[] = {
        {POST("Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"), "ab"},
        {POST("Expect:, 100-Continue ,\r\nTransfer-Encoding: chunked\r\n\r\n"),
         "2\r\nab\r\n0\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char bytes[256];
        size_t head_len = strlen(cases[i].head);
        size_t tail_len = strlen(cases[i].tail);
        size_t len = add(bytes, cases[i].head);
        len += add(bytes + len, cases[i].tail);
        begin();
        assert_int_equal(qr_http_parse(&http, bytes, len), head_len);
        assert_int_equal(http.phase, QR_HTTP_CONTENT);
        assert_true(http.request.expect_continue);
        assert_int_equal(qr_http_parse(&http, bytes + head_len, tail_len), tail_len);
        assert_int_equal(http.phase, QR_HTTP_DONE);
        run_all_ways(&outcome, bytes, len);
        assert_int_equal(outcome.taken, len);
        assert_memory_equal(outcome.content, "ab", 2);
    }
}

static void test_http_awaits_no_100_without_content_or_in_http_1_0(void **state)
{
    static const char *const cases[] = {
        GET("Expect: 100-continue\r\n\r\n"),
        POST("Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"),
        POST("Expect:\r\nContent-Length: 1\r\n\r\na"),
        POST("Content-Length: 1\r\n\r\na"),
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        assert_int_equal(qr_http_parse(&http, cases[i], strlen(cases[i])), strlen(cases[i]));
        assert_int_equal(http.phase, QR_HTTP_DONE);
        assert_false(http.request.expect_continue);
    }
}

/* No caller could tell from an early stop inside a head what to do. */
static void test_http_stops_nowhere_but_at_the_heads_end_when_a_100_is_awaited(void **state)
{
    static char bytes[QR_HEAD_MAX + 100];
    size_t len = add(bytes, POST("Expect: 100-continue\r\nX: "));

    (void)state;
    len += fill(bytes + len, "x", QR_HEAD_MAX);
    begin();
    assert_int_equal(qr_http_parse(&http, bytes, len), QR_ERR_HEAD_TOO_LARGE);
}

/* ---- what a poll may say of what it has and takes ---- */

static void test_http_keeps_what_a_poll_has(void **state)
{
    static const struct {
        const char *fields, *if_none_match, *last_event_id;
    } cases[] = {
        {"", "", ""},
        {"If-None-Match: W/\"a-1\"\r\n", "W/\"a-1\"", ""},
        {"if-none-match:\t *\t\r\n", "*", ""},
        {"IF-NONE-MATCH: \"a\" , W/\"b\"\r\n", "\"a\" , W/\"b\"", ""},
        {"If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n", "\"a\"", ""},
        {"If-None-Matcg: \"a\"\r\n", "", ""},
        {"Last-Event-ID: 17\r\n", "", "17"},
        {"last-event-id: 17\r\nLast-Event-ID: 18\r\n", "", "17"},
        {"Last-Event-Ie: 17\r\n", "", ""},
        {"Last-Event-ID: 17\r\nIf-None-Match: *\r\n", "", "17"},
        {"If-None-Match: \"longer\"\r\nLast-Event-ID: 17\r\n", "", "17"},
        {"Last-Event-ID:\r\nIf-None-Match: *\r\n", "", ""},
        {"Operationid: o\r\nIf-None-Match: *\r\n", "*", ""},
        {"If-None-Match: *\r\nOperationid: o\r\n", "*", ""},
    };
    static const char *const methods[] = {"GET", "HEAD"};
    char bytes[300];

    (void)state;
    for (size_t i = 0; i < COUNT(cases) * COUNT(methods); i++) {
        int len = snprintf(bytes, sizeof bytes, "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                           methods[i % 2], cases[i / 2].fields);
        run_all_ways(&outcome, bytes, (size_t)len);
        assert_int_equal(outcome.phase, QR_HTTP_DONE);
        assert_string_equal(outcome.if_none_match, cases[i / 2].if_none_match);
        assert_string_equal(outcome.last_event_id, cases[i / 2].last_event_id);
        assert_string_equal(outcome.operation_id, "");
    }
}

/* A part of it would be another tag. */
static void test_http_keeps_nothing_of_a_longer_tag(void **state)
{
    char bytes[1024];

    (void)state;
    for (size_t n = QR_OPERATION_ID_MAX - 1; n < QR_OPERATION_ID_MAX + 8; n++) {
        size_t len = add(bytes, GET("If-None-Match: "));
        len += fill(bytes + len, "x", n);
        len += add(bytes + len, "\r\n\r\n");
        run_all_ways(&outcome, bytes, len);
        assert_int_equal(outcome.phase, QR_HTTP_DONE);
        assert_int_equal(strlen(outcome.if_none_match), n <= QR_OPERATION_ID_MAX ? n : 0);
        assert_false(outcome.operation_id_cut);
    }
}

static void test_http_sees_whether_a_poll_takes_gzip(void **state)
{
    static const struct {
        const char *fields;
        bool takes;
    } cases[] = {
        {"", false},
        {"Accept-Encoding: gzip\r\n", true},
        {"accept-encoding:GZIP\r\n", true},
        {"Accept-Encoding: gzip, deflate, br, zstd\r\n", true},
        {"Accept-Encoding: br , gzip\r\n", true},
        {"Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", true},
        {"Accept-Encoding:\r\n", false},
        {"Accept-Encoding: identity\r\n", false},
        {"Accept-Encoding: gzip;q=0\r\n", false},
        {"Accept-Encoding: gzip gzip\r\n", false},
        {"Accept-Encoding: xgzip, gzipx\r\n", false},
        {"Accept-Encodinh: gzip\r\n", false},
        {"Content-Encoding: identity\r\n", false},
    };
    char bytes[300];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int len = snprintf(bytes, sizeof bytes, GET("%s\r\n"), cases[i].fields);
        run_all_ways(&outcome, bytes, (size_t)len);
        assert_int_equal(outcome.phase, QR_HTTP_DONE);
        if (outcome.takes_gzip != cases[i].takes) {
            fail_msg("%s", bytes);
        }
    }
}

static void test_http_asks_callbacks_for_none_of_it(void **state)
{
    static const char bytes[] =
        POST("Accept-Encoding: gzip\r\nIf-None-Match: *\r\nLast-Event-ID: 1\r\n"
             "Operationid: o\r\n\r\n");

    (void)state;
    run_all_ways(&outcome, bytes, sizeof bytes - 1);
    assert_int_equal(outcome.phase, QR_HTTP_DONE);
    assert_false(outcome.takes_gzip);
    assert_string_equal(outcome.if_none_match, "");
    assert_string_equal(outcome.last_event_id, "");
    assert_string_equal(outcome.operation_id, "o");
}

/* ---- operationID ---- */

static void run_operation_id(const char *value, size_t len)
{
    char bytes[1024];
    size_t n = add(bytes, POST("Operationid:"));

    memcpy(bytes + n, value, len);
    n += len;
    n += add(bytes + n, "\r\n\r\n");
    run_all_ways(&outcome, bytes, n);
    assert_int_equal(outcome.phase, QR_HTTP_DONE);
}

static void test_http_keeps_the_operation_id(void **state)
{
    static const struct {
        const char *value, *kept;
    } cases[] = {
        {"", ""},
        {" \t ", ""},
        {"a", "a"},
        {" a\t", "a"},
        {"a \t b", "a \t b"},
        {" a, \"b\";c=\xc3\xa9\xff ", "a, \"b\";c=\xc3\xa9\xff"},
        {"x\r\noperationID: y", "x"}, /* the first one counts */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        run_operation_id(cases[i].value, strlen(cases[i].value));
        assert_string_equal(outcome.operation_id, cases[i].kept);
        assert_false(outcome.operation_id_cut);
    }
    run_all_ways(&outcome, POST("\r\n"), strlen(POST("\r\n")));
    assert_string_equal(outcome.operation_id, "");
}

static void test_http_cuts_the_operation_id_past_its_limit(void **state)
{
    char value[400];

    (void)state;
    fill(value, "0123456789", sizeof value);
    run_operation_id(value, QR_OPERATION_ID_MAX);
    assert_int_equal(strlen(outcome.operation_id), QR_OPERATION_ID_MAX);
    assert_false(outcome.operation_id_cut);
    for (size_t over = 1; over < 8; over++) {
        run_operation_id(value, QR_OPERATION_ID_MAX + over);
        assert_int_equal(strlen(outcome.operation_id), QR_OPERATION_ID_MAX);
        assert_memory_equal(outcome.operation_id, value, QR_OPERATION_ID_MAX);
        assert_true(outcome.operation_id_cut);
    }
}

static void test_http_counts_no_white_space_around_a_long_operation_id(void **state)
{
    char value[400];
    size_t n = fill(value, " ", 40);

    (void)state;
    n += fill(value + n, "x", QR_OPERATION_ID_MAX);
    n += fill(value + n, " \t", 40);
    run_operation_id(value, n);
    assert_int_equal(strlen(outcome.operation_id), QR_OPERATION_ID_MAX);
    assert_false(outcome.operation_id_cut);
    value[n++] = 'y';
    run_operation_id(value, n);
    assert_int_equal(strlen(outcome.operation_id), QR_OPERATION_ID_MAX);
    assert_true(outcome.operation_id_cut);
}

static void test_http_cuts_the_operation_id_at_a_characters_end(void **state)
{
    static const char *const chars[] = {"\xc3\xa9", "\xe4\xbd\xa0", "\xf0\x9f\x98\x80"};
    char value[400];

    (void)state;
    for (size_t i = 0; i < COUNT(chars); i++) {
        size_t char_len = strlen(chars[i]);
        for (size_t before = 0; before < char_len; before++) {
            size_t n = fill(value, "x", before);
            n += fill(value + n, chars[i], char_len * (2 + QR_OPERATION_ID_MAX / char_len));
            run_operation_id(value, n);
            assert_true(outcome.operation_id_cut);
            assert_int_equal(strlen(outcome.operation_id),
                             QR_OPERATION_ID_MAX - (QR_OPERATION_ID_MAX - before) % char_len);
        }
    }
}

/* ---- what is refused: error and place ---- */

struct bad {
    const char *bytes;
    size_t len;
    const char *part;
    enum qr_err err;
    uint32_t offset; /* of the byte that shows it */
};

/* The part before `before` is right; the next byte shows the fault. Versions of clang-format write
 * braces in macros differently. */
/* clang-format off */
#define BAD(err, before, after) \
    {before after, sizeof(before after) - 1, "request", err, sizeof(before) - 1}
#define BAD_TARGET(offset, target) \
    {"GET " target " HTTP/1.1\r\n\r\n", sizeof("GET " target " HTTP/1.1\r\n\r\n") - 1, "target", \
     QR_ERR_TARGET, offset}
/* clang-format on */

static void assert_bad(const struct bad *bad)
{
    run_all_ways(&outcome, bad->bytes, bad->len);
    if (outcome.err != bad->err || outcome.offset != bad->offset ||
        strcmp(outcome.part, bad->part) != 0) {
        fail_msg("error %d at %s, byte %u; should be %d at %s, byte %u\n%s", outcome.err,
                 outcome.part, outcome.offset, bad->err, bad->part, bad->offset, bad->bytes);
    }
    assert_int_equal(outcome.phase, QR_HTTP_FAILED);
    assert_int_equal(outcome.limit, 0);
}

static void assert_all_bad(const struct bad *bads, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_bad(&bads[i]);
    }
}

static void test_http_rejects_malformed_request_lines(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_REQUEST_LINE, "", " GET / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_REQUEST_LINE, "\r\n", " GET / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_REQUEST_LINE, "", "\tGET / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_REQUEST_LINE, "GET", "\t/ HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_REQUEST_LINE, "GET", "\r\n\r\n"),
        BAD(QR_ERR_REQUEST_LINE, "GET ", " / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_REQUEST_LINE, "GET ", "\r\n\r\n"),
        BAD(QR_ERR_REQUEST_LINE, "GET /", "\r\n\r\n"), /* HTTP/0.9 */
        BAD(QR_ERR_REQUEST_LINE, "G", "\x80T / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_REQUEST_LINE, "", "\0GET / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_REQUEST_LINE, "", "\x16\x03\x01\x02\x05\x01"), /* TLS */
        BAD(QR_ERR_REQUEST_LINE, "", "{\"callbackCommand\":1}"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_unknown_methods_when_they_are_read(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_METHOD_UNKNOWN, "get", " / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_METHOD_UNKNOWN, "Get", " / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_METHOD_UNKNOWN, "GETT", " / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_METHOD_UNKNOWN, "GE", " / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_METHOD_UNKNOWN, "CONNECT", " h:443 HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_METHOD_UNKNOWN, "PRI", " * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        BAD(QR_ERR_METHOD_UNKNOWN, "!#$%&'*+-.^_`|~0a", " / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_METHOD_UNKNOWN, "AAAAAAAAAAAAAAAAAAAAAAAA", " / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_METHOD_UNKNOWN, "AAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAA"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_malformed_targets(void **state)
{
    static const struct bad bads[] = {
        BAD_TARGET(1, "/#"),
        BAD_TARGET(2, "/a\"b"),
        BAD_TARGET(1, "/<"),
        BAD_TARGET(1, "/\t"),
        BAD_TARGET(1, "/\xc3\xa9"),
        BAD_TARGET(2, "/%"),
        BAD_TARGET(3, "/%4"),
        BAD_TARGET(3, "/%4g"),
        BAD_TARGET(2, "/%%41"),
        BAD_TARGET(0, "status"),
        BAD_TARGET(0, "?a"),
        BAD_TARGET(0, "*"),
        BAD_TARGET(0, "h:80"),
        BAD_TARGET(0, "http:/h/"),
        BAD_TARGET(0, "ttp://h/"),
        BAD_TARGET(0, "ftp://h/"),
        BAD_TARGET(0, "https:/"),
        BAD_TARGET(7, "http://"),
        BAD_TARGET(7, "http:///a"),
        BAD_TARGET(8, "https://?a"),
        BAD_TARGET(7, "http://:80/"),
        BAD_TARGET(8, "http://u@h/"),
        BAD_TARGET(9, "http://u:p@h/"),
        BAD_TARGET(9, "http://h:x/"),
        BAD_TARGET(10, "http://h:1:2/"),
        BAD_TARGET(8, "http://[]/"),
        BAD_TARGET(9, "http://[1/"),
        BAD_TARGET(10, "http://[1]a/"),
        BAD_TARGET(8, "http://h[/"),
    };
    static const struct bad others[] = {
        {"OPTIONS ** HTTP/1.1\r\n", 21, "target", QR_ERR_TARGET, 0},
        {"GET /\0 HTTP/1.1\r\n", 17, "target", QR_ERR_TARGET, 1},
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
    assert_all_bad(others, COUNT(others));
}

/* RFC 9110 section 7.4 */
static void test_http_rejects_targets_that_want_a_secured_connection(void **state)
{
    static const struct bad bads[] = {
        {"GET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 37, "target", QR_ERR_MISDIRECTED, 0},
        {"POST HTTPS://h HTTP/1.0\r\n\r\n", 27, "target", QR_ERR_MISDIRECTED, 0},
        BAD_TARGET(8, "https:///"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_malformed_versions(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_VERSION, "GET / ", "\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / ", " HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / ", "x HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / ", "http/1.1\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / HTTP", " 1.1\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / HTTP/", ".1\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / HTTP/1", "\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / HTTP/1", "1.1\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / HTTP/1.", "x\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / HTTP/1.1", "0\r\n\r\n"),
        BAD(QR_ERR_VERSION, "GET / HTTP/1.1", " \r\n\r\n"),
        BAD(QR_ERR_VERSION_UNSUPPORTED, "GET / HTTP/2.0", "\r\n\r\n"),
        BAD(QR_ERR_VERSION_UNSUPPORTED, "GET / HTTP/0.9", "\r\n\r\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_line_ends_other_than_crlf(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_LINE_ENDING, "", "\nGET / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, "\r", "\rGET / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, "\r", "GET / HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, "GET", "\n/ HTTP/1.1\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, "GET /", "\n\n"),
        BAD(QR_ERR_LINE_ENDING, "GET / HTTP/1.1", "\nHost: a\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, "GET / HTTP/1.1\r", "Host: a\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, "GET / HTTP/1.1\r", "\r\nHost: a\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, GET("X"), "\n: a\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, GET("X: a"), "\nY: b\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, GET("X: a\r"), "Y: b\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, GET("Connection: x\r"), " close\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, GET("X: a\r"), "\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, GET(""), "\n"),
        BAD(QR_ERR_LINE_ENDING, GET("\r"), "\r\n"),
        BAD(QR_ERR_LINE_ENDING, CHUNKED "1", "\na\r\n0\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, CHUNKED "1\r", "a\r\n0\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, CHUNKED "1;x", "\na\r\n0\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, CHUNKED "1;x\r", "a\r\n0\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, CHUNKED "1\r\na\r", "0\r\n\r\n"),
        BAD(QR_ERR_LINE_ENDING, CHUNKED "0\r\n", "\n"),
        BAD(QR_ERR_LINE_ENDING, CHUNKED "0\r\n\r", "x"),
        BAD(QR_ERR_LINE_ENDING, CHUNKED "0\r\nX: a", "\n\r\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_malformed_field_names(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_FIELD_NAME, "GET / HTTP/1.1\r\n", " Host: a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, GET(""), "\tX: a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, GET("X: a\r\n"), " folded\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, GET(""), ": a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, GET("X"), " : a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, GET("Content-Length"), " : 1\r\n\r\na"),
        BAD(QR_ERR_FIELD_NAME, GET("X"), "\t: a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, GET("X"), "\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, GET("X"), "(y): a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, GET("X"), "\xc3\xa9: a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, CHUNKED "0\r\n", " X: a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, CHUNKED "0\r\nX", " : a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, CHUNKED "0\r\nX", "\r\n\r\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_nul_in_field_name(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_FIELD_NAME, GET("X"), "\0: a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, GET(""), "\0X: a\r\n\r\n"),
        BAD(QR_ERR_FIELD_NAME, "GET / HTTP/1.1\r\nHost", "\0: a\r\n\r\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_control_characters_in_field_values(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_FIELD_VALUE, GET("X: a"), "\0b\r\n\r\n"),
        BAD(QR_ERR_FIELD_VALUE, GET("X:"), "\x7f\r\n\r\n"),
        BAD(QR_ERR_FIELD_VALUE, GET("operationID: a"), "\x1b[m\r\n\r\n"),
        BAD(QR_ERR_FIELD_VALUE, GET("Content-Length: 1"), "\x0b\r\n\r\na"),
        BAD(QR_ERR_FIELD_VALUE, CHUNKED "0\r\nX: a", "\0\r\n\r\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_missing_repeated_and_malformed_host(void **state)
{
#define HOST(before, after) BAD(QR_ERR_HOST, "GET / HTTP/1.1\r\nHost:" before, after "\r\n\r\n")
    static const struct bad bads[] = {
        BAD(QR_ERR_HOST, "GET / HTTP/1.1\r\n\r", "\n"),
        BAD(QR_ERR_HOST, "GET / HTTP/1.1\r\nXHost: a\r\nHos: a\r\n\r", "\n"),
        BAD(QR_ERR_HOST, "GET http://h/ HTTP/1.1\r\n\r", "\n"),
        BAD(QR_ERR_HOST, GET("hOST"), ": a\r\n\r\n"),
        BAD(QR_ERR_HOST, GET("X: y\r\nHost"), ":\r\n\r\n"),
        BAD(QR_ERR_HOST, "GET / HTTP/1.0\r\nHost: a\r\nHost", ": a\r\n\r\n"),
        BAD(QR_ERR_HOST, "GET / HTTP/1.0\r\nHost: a", "/\r\n\r\n"),
        HOST("a ", "b"),
        HOST("a:1 ", "2"),
        HOST("a", "/b"),
        HOST("u", "@h"),
        HOST("a:", "x"),
        HOST("a:1", "x"),
        HOST("a:1", ":2"),
        HOST("a", "[1]"),
        HOST("[", "]"),
        HOST("[1", "/]"),
        HOST("[1", "%25eth0]"),
        HOST("[1]", "2"),
        HOST("[1]:", "]"),
        HOST("%4", "g"),
        HOST("%", "%41"),
        HOST("a", "\xc3\xa9"),
        HOST("", "\"a\""),
        /* what is missing shows at the line's end */
        BAD(QR_ERR_HOST, "GET / HTTP/1.1\r\nHost:[1\r", "\n\r\n"),
        BAD(QR_ERR_HOST, "GET / HTTP/1.1\r\nHost:[\r", "\n\r\n"),
        BAD(QR_ERR_HOST, "GET / HTTP/1.1\r\nHost:a%\r", "\n\r\n"),
        BAD(QR_ERR_HOST, "GET / HTTP/1.1\r\nHost:a%4\t\r", "\n\r\n"),
    };
#undef HOST

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_malformed_and_repeated_content_length(void **state)
{
#define LENGTH(before, after)                                                                      \
    BAD(QR_ERR_CONTENT_LENGTH, POST("Content-Length:" before), after "\r\n\r\nabc")
    static const struct bad bads[] = {
        LENGTH(" ", "+1"),
        LENGTH(" ", "-1"),
        LENGTH("1", "a"),
        LENGTH("0", "x1"),
        LENGTH("1", ".0"),
        LENGTH("1 ", "1"),
        LENGTH("1", ", 1"),
        LENGTH("", ",1"),
        LENGTH("1", ","),
        LENGTH("", "\"1\""),
        LENGTH("99999999999999999999999999999999", "x"), /* wins over too large */
        BAD(QR_ERR_CONTENT_LENGTH, POST("Content-Length:\r"), "\n\r\n"),
        BAD(QR_ERR_CONTENT_LENGTH, POST("Content-Length: \t \r"), "\n\r\n"),
        BAD(QR_ERR_CONTENT_LENGTH, POST("Content-Length: 1\r\nContent-Length"), ": 1\r\n\r\na"),
        BAD(QR_ERR_CONTENT_LENGTH, POST("Content-Length: 0\r\ncontent-length"), ": 1\r\n\r\na"),
    };
#undef LENGTH

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_ambiguous_transfer_encoding(void **state)
{
    static const struct bad bads[] = {
#define END(head) BAD(QR_ERR_TRANSFER_ENCODING, head "\r", "\n0\r\n\r\n")
        END(POST("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n")),
        END(POST("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")),
        END(POST("Transfer-Encoding: gzip\r\n")),
        END(POST("Transfer-Encoding: identity\r\n")),
        END(POST("Transfer-Encoding:\r\n")),
        END(POST("Transfer-Encoding: ,\r\n")),
        END(POST("Transfer-Encoding: chunke\r\n")),
        END(POST("Transfer-Encoding: xchunked\r\n")),
        END(POST("Transfer-Encoding: chunked;a=b\r\n")),
        END(POST("Transfer-Encoding: \"chunked\"\r\n")),
        END(POST("Transfer-Encoding: chunked x\r\n")),
        END(POST("Transfer-Encoding: chun ked\r\n")),
        END("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"),
        END("POST / HTTP/1.0\r\nTransfer-Encoding: gzip, chunked\r\n"),
        END(POST("Content-Length: 9999999\r\nTransfer-Encoding: chunked\r\n")),
#undef END
        BAD(QR_ERR_TRANSFER_ENCODING, POST("Transfer-Encoding: chunked, chunked\r"), "\n\r\n"),
        BAD(QR_ERR_TRANSFER_ENCODING, POST("Transfer-Encoding: chunked, gzip"), ", x\r\n\r\n"),
        BAD(QR_ERR_TRANSFER_ENCODING,
            POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r"), "\n\r\n"),
        BAD(QR_ERR_TRANSFER_ENCODING, POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r"),
            "\n\r\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_other_transfer_codings(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_TRANSFER_CODING, POST("Transfer-Encoding: gzip, chunked\r\n\r"), "\n0\r\n\r\n"),
        BAD(QR_ERR_TRANSFER_CODING, POST("Transfer-Encoding: x;y=\"z\",chunked\r\n\r"), "\n"),
        BAD(QR_ERR_TRANSFER_CODING,
            POST("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r"), "\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_content_codings(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_CONTENT_CODING, POST("Content-Encoding: gzip\r"), "\n\r\n"),
        BAD(QR_ERR_CONTENT_CODING, POST("Content-Encoding: identity, br"), ", identity\r\n\r\n"),
        BAD(QR_ERR_CONTENT_CODING, POST("Content-Encoding: identity\r\nContent-Encoding: x\r"),
            "\n\r\n"),
        BAD(QR_ERR_CONTENT_CODING, POST("Content-Encoding: identity-and-something-long\r"),
            "\n\r\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_other_expectations(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_EXPECTATION, POST("Expect: 200-ok\r"), "\n\r\n"),
        BAD(QR_ERR_EXPECTATION, POST("Expect: 100-continue, x\r"), "\n\r\n"),
        BAD(QR_ERR_EXPECTATION, POST("Expect: 100-continue;x=y\r"), "\n\r\n"),
        BAD(QR_ERR_EXPECTATION, POST("Expect: 100-continu"), ",e\r\n\r\n"),
        BAD(QR_ERR_EXPECTATION, "POST / HTTP/1.0\r\nExpect: x\r", "\n\r\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

static void test_http_rejects_malformed_chunks(void **state)
{
    static const struct bad bads[] = {
        BAD(QR_ERR_CHUNK, CHUNKED "", "\r\n0\r\n\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "", " 1\r\na\r\n0\r\n\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "", "-1\r\na\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "0", "x1\r\na\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "", ";a=b\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1", "g\r\na\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1 ", "\r\na\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1 ", "a\r\na\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1", ",a\r\na\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1;a", "\0\r\na\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1;\"a", "\x7f\"\r\na\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1\r\na", "b\r\n0\r\n\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1\r\na", "\n0\r\n\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1\r\n\r", "\n0\r\n\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1\r\na", "0\r\n\r\n"),
        BAD(QR_ERR_CHUNK, CHUNKED "1\r\na\r\n", "\r\n0\r\n\r\n"),
    };

    (void)state;
    assert_all_bad(bads, COUNT(bads));
}

/* ---- which bytes may stand where: each of the 256 in each place ---- */

#define ALNUM "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static bool stands_in(const char *set, unsigned byte)
{
    return byte != 0 && strchr(set, (int)byte) != NULL;
}

/* Whether before + byte + after is taken. */
static bool takes(const char *before, unsigned byte, const char *after)
{
    char bytes[256];
    size_t n = add(bytes, before);

    bytes[n++] = (char)byte;
    n += add(bytes + n, after);
    run(&outcome, bytes, n, n, n);
    return outcome.err == 0 && outcome.phase == QR_HTTP_DONE && outcome.taken == n;
}

static void test_http_takes_token_bytes_alone_in_field_names(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool token = stands_in(ALNUM "!#$%&'*+-.^_`|~", byte);
        assert_int_equal(takes(GET("X"), byte, ": a\r\n\r\n"), token || byte == ':');
        assert_int_equal(takes(GET(""), byte, "X: a\r\n\r\n"), token);
    }
}

static void test_http_takes_text_bytes_alone_in_field_values(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool text = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        assert_int_equal(takes(GET("X: a"), byte, "b\r\n\r\n"), text);
        assert_int_equal(takes(GET("Operationid:"), byte, "\r\n\r\n"), text);
        assert_int_equal(takes(CHUNKED "1;", byte, "\r\na\r\n0\r\n\r\n"), text);
    }
}

/* Values are looked at several bytes at a time, and what stands beside a byte must not count. */
static void test_http_takes_text_bytes_alone_wherever_they_stand_in_a_value(void **state)
{
    static const char *const neighbours[] = {"a", " ", "~", "\x80", "\x9f\xa0", "\xff"};
    char before[128], after[16];

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool text = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        for (size_t i = 0; i < sizeof neighbours / sizeof neighbours[0] * 8; i++) {
            const char *neighbour = neighbours[i / 8];
            size_t n = add(before, GET("X:"));
            n += fill(before + n, neighbour, i % 8);
            before[n] = '\0';
            n = fill(after, neighbour, 8);
            n += add(after + n, "\r\n\r\n");
            after[n] = '\0';
            assert_int_equal(takes(before, byte, after), text);
        }
    }
}

static void test_http_takes_uri_bytes_alone_in_targets(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool uri = stands_in(ALNUM "-._~!$&'()*+,;=:@/?[]", byte);
        bool hex = stands_in("0123456789ABCDEFabcdef", byte);
        assert_int_equal(takes("GET /a", byte, "x HTTP/1.0\r\n\r\n"), uri);
        assert_int_equal(takes("GET /%", byte, "0 HTTP/1.0\r\n\r\n"), hex);
        assert_int_equal(takes("GET /%0", byte, " HTTP/1.0\r\n\r\n"), hex);
    }
}

static void test_http_takes_host_bytes_alone_in_host(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool name = stands_in(ALNUM "-._~!$&'()*+,;=", byte);
        bool ows = stands_in(" \t", byte);
        bool hex = stands_in("0123456789ABCDEFabcdef", byte);
        bool digit = stands_in("0123456789", byte);
        assert_int_equal(takes("GET / HTTP/1.0\r\nHost: a", byte, "1\r\n\r\n"),
                         name || byte == ':');
        assert_int_equal(takes("GET / HTTP/1.0\r\nHost:", byte, "a\r\n\r\n"), name || ows);
        assert_int_equal(takes("GET / HTTP/1.0\r\nHost: [", byte, "1]:1\r\n\r\n"),
                         name || byte == ':');
        assert_int_equal(takes("GET / HTTP/1.0\r\nHost: [1]", byte, "\r\n\r\n"),
                         ows || byte == ':');
        assert_int_equal(takes("GET / HTTP/1.0\r\nHost: a:", byte, "\r\n\r\n"), digit || ows);
        assert_int_equal(takes("GET / HTTP/1.0\r\nHost: a%", byte, "a\r\n\r\n"), hex);
    }
}

static void test_http_takes_any_byte_in_content(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        assert_true(takes(POST("Content-Length: 1\r\n\r\n"), byte, ""));
        assert_int_equal((unsigned char)outcome.content[0], byte);
        assert_true(takes(CHUNKED "1\r\n", byte, "\r\n0\r\n\r\n"));
        assert_int_equal((unsigned char)outcome.content[0], byte);
    }
}

/* ---- limits: at the limit, and one past it ---- */

static char big[65536];

static void assert_limit(enum qr_err err, const char *part, uint32_t limit, size_t len)
{
    run_all_ways(&outcome, big, len);
    assert_int_equal(outcome.err, err);
    assert_int_equal(outcome.phase, QR_HTTP_FAILED);
    assert_int_equal(outcome.limit, limit);
    assert_string_equal(outcome.part, part);
    assert_int_equal(outcome.offset, QR_NO_OFFSET);
}

static void assert_whole(size_t len)
{
    run_all_ways(&outcome, big, len);
    assert_int_equal(outcome.err, 0);
    assert_int_equal(outcome.phase, QR_HTTP_DONE);
    assert_int_equal(outcome.taken, len);
}

static size_t with_target(size_t target_len)
{
    size_t n = add(big, "GET /");

    n += fill(big + n, "abcdefghi?", target_len - 1);
    return n + add(big + n, " HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void test_http_takes_targets_up_to_the_limit(void **state)
{
    (void)state;
    assert_whole(with_target(QR_TARGET_MAX));
    assert_string_equal(outcome.path, "/abcdefghi");
    assert_int_equal(strlen(outcome.query), QR_TARGET_MAX - strlen("/abcdefghi?"));
    assert_limit(QR_ERR_TARGET_TOO_LONG, "target", QR_TARGET_MAX, with_target(QR_TARGET_MAX + 1));
    assert_limit(QR_ERR_TARGET_TOO_LONG, "target", QR_TARGET_MAX, with_target(20000));
}

/* A head of head_len bytes, made so long by the unit. */
static size_t with_head(const char *before, const char *unit, const char *after, size_t head_len)
{
    size_t n = add(big, before);

    n += fill(big + n, unit, head_len - n - strlen(after));
    return n + add(big + n, after);
}

static void test_http_takes_heads_up_to_the_limit(void **state)
{
    static const struct {
        const char *before, *unit, *after;
    } cases[] = {
        {GET("X: "), "v", "\r\n\r\n"},
        {GET("X"), "n", ": v\r\n\r\n"},
        {GET("Connection: "), ",", "\r\n\r\n"},
        {GET("Operationid: "), " ", "\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *before = cases[i].before, *unit = cases[i].unit, *after = cases[i].after;
        assert_whole(with_head(before, unit, after, QR_HEAD_MAX));
        assert_limit(QR_ERR_HEAD_TOO_LARGE, "head", QR_HEAD_MAX,
                     with_head(before, unit, after, QR_HEAD_MAX + 1));
    }
    assert_whole(with_head("", "\r\n", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", QR_HEAD_MAX));
    fill(big, "\r\n", QR_HEAD_MAX + 2);
    begin();
    assert_int_equal(qr_http_parse(&http, big, QR_HEAD_MAX), QR_HEAD_MAX);
    assert_int_equal(http.phase, QR_HTTP_IDLE);
    assert_limit(QR_ERR_HEAD_TOO_LARGE, "head", QR_HEAD_MAX, QR_HEAD_MAX + 1);
}

static void test_http_counts_trailers_as_head_but_not_content(void **state)
{
    static const char chunk[] = "9\r\n123456789\r\n0\r\n";
    size_t most = QR_HEAD_MAX + strlen(chunk);
    const char *before = CHUNKED "9\r\n123456789\r\n0\r\nX: ";

    (void)state;
    assert_whole(with_head(before, "v", "\r\n\r\n", most));
    assert_int_equal(outcome.content_len, 9);
    assert_limit(QR_ERR_HEAD_TOO_LARGE, "head", QR_HEAD_MAX,
                 with_head(before, "v", "\r\n\r\n", most + 1));
}

static size_t with_length(const char *digits, size_t content_len)
{
    size_t n = add(big, POST("Content-Length: "));

    n += add(big + n, digits);
    n += add(big + n, "\r\n\r\n");
    return n + fill(big + n, "content ", content_len);
}

static void test_http_takes_content_up_to_the_limit(void **state)
{
    static const char *const too_large[] = {
        "4097",
        "65536",
        "4294967295",
        "4294967296",
        "4294967297",
        "18446744073709551617",
        "00000000000000000000000000000000000000000000000000000004097",
        "99999999999999999999999999999999999999999999999999999999999999999999",
    };

    (void)state;
    assert_int_equal(QR_CONTENT_MAX, 4096); /* the digits above */
    assert_whole(with_length("4096", 4096));
    assert_int_equal(outcome.content_len, 4096);
    assert_memory_equal(outcome.content, big + outcome.taken - 4096, 4096);
    for (size_t i = 0; i < COUNT(too_large); i++) {
        assert_limit(QR_ERR_CONTENT_TOO_LARGE, "content", QR_CONTENT_MAX,
                     with_length(too_large[i], 10));
    }
}

static void test_http_takes_content_up_to_the_callers_buffer(void **state)
{
    (void)state;
    content_cap = 10;
    assert_whole(with_length("10", 10));
    assert_limit(QR_ERR_CONTENT_TOO_LARGE, "content", 10, with_length("11", 11));
    assert_whole(add(big, CHUNKED "4\r\nabcd\r\n6\r\nefghij\r\n0\r\n\r\n"));
    assert_memory_equal(outcome.content, "abcdefghij", 10);
    assert_limit(QR_ERR_CONTENT_TOO_LARGE, "content", 10,
                 add(big, CHUNKED "4\r\nabcd\r\n7\r\nefghijk\r\n0\r\n\r\n"));
    content_cap = 0;
    assert_whole(with_length("0", 0));
    assert_limit(QR_ERR_CONTENT_TOO_LARGE, "content", 0, with_length("1", 1));
    assert_limit(QR_ERR_CONTENT_TOO_LARGE, "content", 0, add(big, CHUNKED "1\r\na\r\n0\r\n\r\n"));
    content_cap = QR_CONTENT_MAX;
}

static void test_http_says_too_large_when_the_head_is_whole(void **state)
{
    size_t head_len = with_length("4097", 0);
    size_t taken = 0;

    (void)state;
    begin();
    assert_int_equal(feed(big, head_len - 1, &taken), 0);
    assert_int_equal(feed(big + head_len - 1, 1, &taken), QR_ERR_CONTENT_TOO_LARGE);
}

static void test_http_takes_chunks_up_to_the_limit(void **state)
{
    size_t n = add(big, CHUNKED "800\r\n");

    (void)state;
    n += fill(big + n, "a", 0x800);
    n += add(big + n, "\r\n800\r\n");
    n += fill(big + n, "b", 0x800);
    size_t tail = n;
    n += add(big + n, "\r\n0\r\n\r\n");
    assert_whole(n);
    assert_int_equal(outcome.content_len, QR_CONTENT_MAX);
    n = tail + add(big + tail, "\r\n1\r\nc\r\n0\r\n\r\n");
    assert_limit(QR_ERR_CONTENT_TOO_LARGE, "content", QR_CONTENT_MAX, n);
}

static void test_http_rejects_chunk_sizes_of_any_number_of_digits(void **state)
{
    static const char *const sizes[] = {
        "1001",      "FFFFFFFF",          "100000000",
        "100000001", "10000000000000001", "fffffffffffffffffffffff"};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t n = add(big, CHUNKED);
        n += add(big + n, sizes[i]);
        n += add(big + n, "\r\na\r\n0\r\n\r\n");
        assert_limit(QR_ERR_CONTENT_TOO_LARGE, "content", QR_CONTENT_MAX, n);
    }
}

/* Two chunks and the last one, with bytes of the unit behind a size. */
static size_t with_extensions(size_t ext_len, const char *unit)
{
    size_t n = add(big, CHUNKED "1;x\r\na\r\n1"); /* two bytes of extension */

    n += fill(big + n, unit, ext_len - 2);
    return n + add(big + n, "\r\nb\r\n0\r\n\r\n");
}

static void test_http_takes_chunk_extensions_up_to_the_limit(void **state)
{
    (void)state;
    assert_whole(with_extensions(QR_CHUNK_EXT_MAX, ";a=b c"));
    assert_memory_equal(outcome.content, "ab", 2);
    assert_limit(QR_ERR_CHUNK_EXT_TOO_LARGE, "chunk extensions", QR_CHUNK_EXT_MAX,
                 with_extensions(QR_CHUNK_EXT_MAX + 1, ";a=b c"));
    assert_limit(QR_ERR_CHUNK_EXT_TOO_LARGE, "chunk extensions", QR_CHUNK_EXT_MAX,
                 with_extensions(QR_CHUNK_EXT_MAX + 1, " "));
}

static void test_http_bounds_needless_zeros_of_chunk_sizes(void **state)
{
    size_t n = add(big, CHUNKED);

    (void)state;
    n += fill(big + n, "0", QR_CHUNK_EXT_MAX);
    n += add(big + n, "1\r\na\r\n0\r\n\r\n");
    assert_whole(n);
    n = add(big, CHUNKED);
    n += fill(big + n, "0", QR_CHUNK_EXT_MAX + 2);
    n += add(big + n, "\r\n\r\n");
    assert_limit(QR_ERR_CHUNK_EXT_TOO_LARGE, "chunk extensions", QR_CHUNK_EXT_MAX, n);
}

/* ---- one request after the other ---- */

static void test_http_takes_pipelined_requests_one_by_one(void **state)
{
    static const char *const requests[] = {
        "POST /1?q HTTP/1.1\r\nHost: a\r\nOperationid: op\r\nConnection: close\r\n"
        "Content-Length: 3\r\n\r\nabc",
        "\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        CHUNKED "2\r\nde\r\n0\r\nX: y\r\n\r\n",
        "HEAD /4 HTTP/1.0\r\n\r\n",
    };
    static const char *const contents[] = {"abc", "", "de", ""};
    static const char *const paths[] = {"/1", "/2", "/", "/4"};
    char bytes[512];
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        len += add(bytes + len, requests[i]);
    }
    for (size_t step = 1; step <= len; step++) {
        size_t at = 0;
        begin();
        for (size_t i = 0; i < COUNT(requests); i++) {
            size_t start = at;
            while (http.phase != QR_HTTP_DONE) {
                size_t piece = step < len - at ? step : len - at;
                assert_int_equal(feed(bytes + at, piece, &at), 0);
            }
            assert_int_equal(at - start, strlen(requests[i]));
            assert_int_equal(http.request.path_len, strlen(paths[i]));
            assert_memory_equal(http.request.path, paths[i], strlen(paths[i]));
            assert_int_equal(http.request.query != NULL, i == 0);
            assert_int_equal(http.request.operation_id_len, i == 0 ? 2 : 0);
            assert_int_equal(http.request.keep_alive, i == 1 || i == 2);
            assert_int_equal(http.request.content_len, strlen(contents[i]));
            assert_memory_equal(http.request.content, contents[i], strlen(contents[i]));
            qr_http_next(&http);
        }
    }
}

/* What one request may have set must not reach the next one: its limits, flags and fields. */
static void test_http_next_forgets_the_last_request(void **state)
{
    static const char plain[] = GET("\r\n");
    size_t at = 0;

    (void)state;
    size_t n = with_head(CHUNKED "1;abcdefghijklmnopqrstuvwxyz\r\na\r\n0\r\nX: ", "v", "\r\n\r\n",
                         QR_HEAD_MAX - 100);
    begin();
    for (int i = 0; i < 20; i++) {
        at = 0;
        assert_int_equal(feed(big, n, &at), 0);
        assert_int_equal(http.phase, QR_HTTP_DONE);
        qr_http_next(&http);
        assert_int_equal(http.phase, QR_HTTP_IDLE);
    }
    at = 0;
    assert_int_equal(feed(plain, sizeof plain - 1, &at), 0);
    assert_int_equal(http.phase, QR_HTTP_DONE);
    assert_int_equal(http.request.content_len, 0);
    qr_http_next(&http);
    at = 0;
    assert_int_equal(feed("GET / HTTP/1.1\r\n\r\n", 18, &at), QR_ERR_HOST);
}

/* ---- heads that begin as the last one that had an operation ID ---- */

#define ALIKE                                                                                      \
    "POST /callbackQuit?a=b HTTP/1.1\r\nHost: h:80\r\nUser-Agent: Go\r\nContent-Length: 3\r\n"     \
    "Operationid: "

/* Whole, behind another one, it is what it is byte by byte. */
static void assert_alone(const char *before, const char *bytes, size_t len)
{
    static struct outcome behind, alone;

    run(&behind, before, strlen(before), SIZE_MAX, 1);
    assert_int_equal(behind.phase, QR_HTTP_DONE);
    run(&alone, bytes, len, 1, 1);
    for (int i = 0; i < 2; i++) {
        run(&behind, bytes, len, len, 1);
        assert_same(&alone, &behind, bytes, len, "whole, behind another and itself, time",
                    (size_t)i);
    }
}

static void test_http_reads_a_head_as_if_none_came_before(void **state)
{
    static const char before[] = ALIKE "op-1\r\n\r\nabc";
    static const char others[] = {'\0', '\t', '\r', '\n', ' ', ':',
                                  '1',  'x',  'X',  '/',  '%', '\x80'};
    static const char *const same[] = {
        ALIKE "op-1\r\n\r\nabc",
        ALIKE "op-2\r\nConnection: close\r\n\r\nxyz",
        ALIKE "\r\n\r\nxyz",
        ALIKE "op-2\r\nOperationid: op-3\r\n\r\nxyz",
        ALIKE "op-2\r\nHost: h\r\n\r\nxyz",
        "POST / HTTP/1.1\r\nHost: h\r\nOperationid: op-1\r\nHost: h\r\nOperationid: op-2\r\n\r\n",
        ALIKE "op-2\r\nContent-Length: 3\r\n\r\nxyz",
        ALIKE "op-2\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
        ALIKE "op-2\r\nExpect: 100-continue\r\n\r\nxyz",
        "\r\n" ALIKE "op-2\r\n\r\nabc",
        ALIKE,
    };
    char bytes[sizeof before];

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_alone(before, same[i], strlen(same[i]));
    }
    for (size_t at = 0; at < sizeof before - 1; at++) {
        for (size_t i = 0; i < sizeof others; i++) {
            memcpy(bytes, before, sizeof before);
            bytes[at] = others[i];
            assert_alone(before, bytes, sizeof before - 1);
        }
        assert_alone(before, before, at); /* and one that ends early */
    }
}

/* Up to the longest beginning that is kept, and beyond. */
static void test_http_reads_long_heads_that_begin_alike(void **state)
{
    char before[2 * QR_HEAD_ALIKE_MAX], bytes[sizeof before];

    (void)state;
    for (int fill = 150; fill < QR_HEAD_ALIKE_MAX; fill++) {
        (void)snprintf(before, sizeof before,
                       "POST / HTTP/1.1\r\nHost: h\r\nX: %0*d\r\nOperationid: 1\r\n\r\n", fill, 0);
        (void)snprintf(bytes, sizeof bytes,
                       "POST / HTTP/1.1\r\nHost: h\r\nX: %0*d\r\nOperationid: 23\r\n\r\n", fill, 0);
        assert_alone(before, bytes, strlen(bytes));
    }
}

/* Another connection's. */
static void test_http_keeps_requests_that_begin_alike_apart(void **state)
{
    static const char first[] = ALIKE "op-1\r\n\r\nabc", second[] = ALIKE "op-2\r\n\r\nxyz";
    static struct qr_http others[2];
    static char contents[2][8];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        qr_http_init(&others[i], contents[i], sizeof contents[i]);
        assert_int_equal(qr_http_parse(&others[i], i == 0 ? first : second, sizeof first - 1),
                         sizeof first - 1);
    }
    for (size_t i = 0; i < 2; i++) {
        const struct qr_request *request = &others[i].request;
        assert_ptr_equal(request->path, others[i].target);
        assert_int_equal(request->path_len, strlen("/callbackQuit"));
        assert_memory_equal(request->path, "/callbackQuit?a=b", strlen("/callbackQuit?a=b"));
        assert_ptr_equal(request->query, others[i].target + strlen("/callbackQuit?"));
        assert_ptr_equal(request->content, contents[i]);
        assert_memory_equal(request->content, i == 0 ? "abc" : "xyz", 3);
        assert_int_equal(request->operation_id_len, 4);
        assert_memory_equal(request->operation_id, i == 0 ? "op-1" : "op-2", 4);
    }
}

static void test_http_tells_offsets_from_each_requests_first_byte(void **state)
{
    static const char first[] = POST("Content-Length: 2\r\n\r\nab");
    static const char second[] = CHUNKED "2\r\nab!";
    size_t at = 0;

    (void)state;
    begin();
    assert_int_equal(feed(first, sizeof first - 1, &at), 0);
    qr_http_next(&http);
    assert_int_equal(feed(second, sizeof second - 1, &at), QR_ERR_CHUNK);
    assert_int_equal(http.fault.offset, sizeof second - 2);
}

static void test_http_tells_the_phase(void **state)
{
    static const char bytes[] = "\r\n\r\n" POST("Content-Length: 2\r\n\r\n") "ab";
    size_t line = 4;
    size_t head_end = sizeof bytes - 1 - 2;

    (void)state;
    begin();
    assert_int_equal(http.phase, QR_HTTP_IDLE);
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        enum qr_http_phase phase = QR_HTTP_DONE;
        assert_int_equal(qr_http_parse(&http, bytes + i, 1), 1);
        if (i < line) {
            phase = QR_HTTP_IDLE;
        } else if (i < head_end - 1) {
            phase = QR_HTTP_HEAD;
        } else if (i < sizeof bytes - 2) {
            phase = QR_HTTP_CONTENT;
        }
        assert_int_equal(http.phase, phase);
    }
}

static void test_http_takes_nothing_when_done_or_failed(void **state)
{
    size_t taken = 0;

    (void)state;
    begin();
    assert_int_equal(qr_http_parse(&http, "", 0), 0);
    assert_int_equal(feed(GET("\r\n"), strlen(GET("\r\n")), &taken), 0);
    assert_int_equal(qr_http_parse(&http, "GET", 3), 0);
    assert_int_equal(http.phase, QR_HTTP_DONE);
    begin();
    assert_int_equal(qr_http_parse(&http, "GET\r", 4), QR_ERR_REQUEST_LINE);
    assert_int_equal(http.phase, QR_HTTP_FAILED);
    assert_int_equal(qr_http_parse(&http, "GET", 3), QR_ERR_REQUEST_LINE);
    assert_int_equal(qr_http_parse(&http, "", 0), QR_ERR_REQUEST_LINE);
    assert_int_equal(http.fault.offset, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_takes_valid_requests),
        cmocka_unit_test(test_http_waits_for_more_after_each_prefix),
        cmocka_unit_test(test_http_takes_openims_request),
        cmocka_unit_test(test_http_names_the_method),
        cmocka_unit_test(test_http_names_the_minor_version),
        cmocka_unit_test(test_http_says_the_method_of_a_refused_request),
        cmocka_unit_test(test_http_keeps_alive_as_version_and_connection_say),
        cmocka_unit_test(test_http_stops_at_the_heads_end_when_a_100_is_awaited),
        cmocka_unit_test(test_http_stops_nowhere_but_at_the_heads_end_when_a_100_is_awaited),
        cmocka_unit_test(test_http_awaits_no_100_without_content_or_in_http_1_0),
        cmocka_unit_test(test_http_keeps_what_a_poll_has),
        cmocka_unit_test(test_http_keeps_nothing_of_a_longer_tag),
        cmocka_unit_test(test_http_sees_whether_a_poll_takes_gzip),
        cmocka_unit_test(test_http_asks_callbacks_for_none_of_it),
        cmocka_unit_test(test_http_keeps_the_operation_id),
        cmocka_unit_test(test_http_cuts_the_operation_id_past_its_limit),
        cmocka_unit_test(test_http_counts_no_white_space_around_a_long_operation_id),
        cmocka_unit_test(test_http_cuts_the_operation_id_at_a_characters_end),
        cmocka_unit_test(test_http_rejects_malformed_request_lines),
        cmocka_unit_test(test_http_rejects_unknown_methods_when_they_are_read),
        cmocka_unit_test(test_http_rejects_malformed_targets),
        cmocka_unit_test(test_http_rejects_targets_that_want_a_secured_connection),
        cmocka_unit_test(test_http_rejects_malformed_versions),
        cmocka_unit_test(test_http_rejects_line_ends_other_than_crlf),
        cmocka_unit_test(test_http_rejects_malformed_field_names),
        cmocka_unit_test(test_http_rejects_nul_in_field_name),
        cmocka_unit_test(test_http_rejects_control_characters_in_field_values),
        cmocka_unit_test(test_http_rejects_missing_repeated_and_malformed_host),
        cmocka_unit_test(test_http_rejects_malformed_and_repeated_content_length),
        cmocka_unit_test(test_http_rejects_ambiguous_transfer_encoding),
        cmocka_unit_test(test_http_rejects_other_transfer_codings),
        cmocka_unit_test(test_http_rejects_content_codings),
        cmocka_unit_test(test_http_rejects_other_expectations),
        cmocka_unit_test(test_http_rejects_malformed_chunks),
        cmocka_unit_test(test_http_takes_token_bytes_alone_in_field_names),
        cmocka_unit_test(test_http_takes_text_bytes_alone_in_field_values),
        cmocka_unit_test(test_http_takes_text_bytes_alone_wherever_they_stand_in_a_value),
        cmocka_unit_test(test_http_takes_uri_bytes_alone_in_targets),
        cmocka_unit_test(test_http_takes_host_bytes_alone_in_host),
        cmocka_unit_test(test_http_takes_any_byte_in_content),
        cmocka_unit_test(test_http_takes_targets_up_to_the_limit),
        cmocka_unit_test(test_http_takes_heads_up_to_the_limit),
        cmocka_unit_test(test_http_counts_trailers_as_head_but_not_content),
        cmocka_unit_test(test_http_takes_content_up_to_the_limit),
        cmocka_unit_test(test_http_takes_content_up_to_the_callers_buffer),
        cmocka_unit_test(test_http_says_too_large_when_the_head_is_whole),
        cmocka_unit_test(test_http_takes_chunks_up_to_the_limit),
        cmocka_unit_test(test_http_rejects_chunk_sizes_of_any_number_of_digits),
        cmocka_unit_test(test_http_takes_chunk_extensions_up_to_the_limit),
        cmocka_unit_test(test_http_bounds_needless_zeros_of_chunk_sizes),
        cmocka_unit_test(test_http_takes_pipelined_requests_one_by_one),
        cmocka_unit_test(test_http_next_forgets_the_last_request),
        cmocka_unit_test(test_http_reads_a_head_as_if_none_came_before),
        cmocka_unit_test(test_http_reads_long_heads_that_begin_alike),
        cmocka_unit_test(test_http_keeps_requests_that_begin_alike_apart),
        cmocka_unit_test(test_http_tells_offsets_from_each_requests_first_byte),
        cmocka_unit_test(test_http_tells_the_phase),
        cmocka_unit_test(test_http_takes_nothing_when_done_or_failed),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}

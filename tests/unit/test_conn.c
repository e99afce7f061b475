#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/conn.h"
#include "wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- a handler, so that connections are tested without routes ----
 *
 *   /echo…      fixed content: the request, as told() says it
 *   /call…      the same, and it was a callback
 *   /full       all of the work memory
 *   /empty      no content
 *   /stream?N   N bytes, made in pieces of at most piece_max; /late?N: the end comes by itself
 */

#define LOG_MAX 20000

static char handled[LOG_MAX]; /* what the handler was asked for, one line a request */
static size_t handled_len;
static unsigned refusals;
static struct qr_fault last_fault;
static size_t piece_max;
static size_t smallest_cap;

static void add_to_log(const char *text)
{
    assert_true(handled_len + strlen(text) < sizeof handled);
    strcpy(handled + handled_len, text);
    handled_len += strlen(text);
}

static void told(const struct qr_request *request, char *text, size_t cap)
{
    static const char *const methods[] = {"OTHER", "GET", "HEAD", "POST"};
    int n = snprintf(text, cap, "%s %.*s?%.*s=%.*s", methods[request->method],
                     (int)request->path_len, request->path, (int)request->query_len,
                     request->query == NULL ? "" : request->query, (int)request->content_len,
                     request->content);

    assert_true(n > 0 && (size_t)n < cap);
}

static bool path_begins(const struct qr_request *request, const char *word)
{
    return request->path_len >= strlen(word) && memcmp(request->path, word, strlen(word)) == 0;
}

static char pattern(size_t i)
{
    return (char)('a' + i % 23);
}

struct stream {
    size_t at, len;
    bool late;
};

static size_t produce(void *ctx, void *work, const struct qr_now *at, char *out, size_t cap,
                      struct qr_progress *progress)
{
    struct stream *stream = work;
    size_t n = stream->len - stream->at;

    assert_ptr_equal(ctx, handled);
    assert_true(at->uptime_ms != 0);
    assert_true(cap >= QR_PIECE_MIN);
    smallest_cap = cap < smallest_cap ? cap : smallest_cap;
    n = n < piece_max ? n : piece_max;
    n = n < cap ? n : cap;
    for (size_t i = 0; i < n; i++) {
        out[i] = pattern(stream->at + i);
    }
    stream->at += n;
    progress->done = stream->at == stream->len && (!stream->late || n == 0);
    return n;
}

static void begin_stream(const struct qr_request *request, void *work, struct qr_response *response)
{
    struct stream stream = {.late = path_begins(request, "/late")};

    for (size_t i = 0; i < request->query_len; i++) {
        stream.len = stream.len * 10 + (size_t)(request->query[i] - '0');
    }
    assert_int_equal((uintptr_t)work % sizeof(uint64_t), 0);
    memcpy(work, &stream, sizeof stream);
    response->produce = produce;
}

/* ---- replies that wait: /wait until it is told something, at AGAIN_MS at the latest; /events says
 * it when it is told, and a colon at AGAIN_MS ---- */

#define AGAIN_MS 9000u

static const char *tidings; /* NULL: none */
static uint64_t again_ms;

static size_t produce_event(void *ctx, void *work, const struct qr_now *at, char *out, size_t cap,
                            struct qr_progress *progress)
{
    const char *text = tidings != NULL ? tidings : at->uptime_ms >= again_ms ? ":" : "";
    size_t len = strlen(text);

    (void)work;
    assert_ptr_equal(ctx, handled);
    assert_true(len <= cap);
    memcpy(out, text, len);
    again_ms = at->uptime_ms >= again_ms ? at->uptime_ms + AGAIN_MS : again_ms;
    tidings = NULL;
    progress->again_ms = again_ms;
    return len;
}

static void answer_wait(const struct qr_now *at, char *work, struct qr_response *response)
{
    static const char untouched[] = "as it was left";

    if (response->again) {
        assert_string_equal(work, untouched);
    }
    memcpy(work, untouched, sizeof untouched);
    response->waits = response->may_wait && tidings == NULL && at->uptime_ms < AGAIN_MS;
    response->again_ms = AGAIN_MS;
    if (!response->waits) {
        response->content_len = strlen(tidings != NULL ? tidings : "late");
        memcpy(work, tidings != NULL ? tidings : "late", response->content_len);
    }
}

/* Returns whether the request was one of these. */
static bool answer_special(const struct qr_request *request, const struct qr_now *at, void *work,
                           struct qr_response *response)
{
    static char text[3 * QR_TX_SIZE + 1];

    if (path_begins(request, "/wait")) {
        answer_wait(at, work, response);
    } else if (path_begins(request, "/events")) {
        response->produce = produce_event;
        response->stream = true;
    } else if (path_begins(request, "/static")) {
        memset(text, 's', sizeof text - 1);
        response->content = text;
        response->content_len = sizeof text - 1;
        response->fields = "X-One: 1\r\nX-Two: 2\r\n\r\n";
    } else if (path_begins(request, "/long-head")) {
        memset(text, 'h', sizeof text - 1);
        memcpy(text, "X-Long: ", 8);
        memcpy(text + sizeof text - 5, "\r\n\r\n", 5);
        response->fields = text;
        response->content_len = 5;
        memcpy(work, "whole", 5);
    } else if (path_begins(request, "/unchanged")) {
        response->status = 304;
        response->content_type = NULL;
        response->etag = "boot";
        response->etag_seq = 7;
    } else {
        return false;
    }
    return true;
}

static void handle(void *ctx, const struct qr_request *request, const struct qr_now *now,
                   void *work, struct qr_response *response)
{
    struct qr_response zero = {.may_wait = response->may_wait, .again = response->again};
    static char text[QR_CONTENT_MAX + QR_TARGET_MAX];

    assert_ptr_equal(ctx, handled);
    assert_true(now->uptime_ms != 0);
    assert_memory_equal(response, &zero, sizeof zero);
    told(request, text, sizeof text);
    add_to_log(text);
    add_to_log("\n");
    response->status = 200;
    response->content_type = "text/plain";
    if (answer_special(request, now, work, response)) {
        return;
    }
    if (path_begins(request, "/stream") || path_begins(request, "/late")) {
        begin_stream(request, work, response);
    } else if (path_begins(request, "/full")) {
        memset(work, 'w', QR_WORK_SIZE);
        response->content_len = QR_WORK_SIZE;
    } else if (!path_begins(request, "/empty")) {
        memcpy(work, text, strlen(text));
        response->content_len = strlen(text);
    }
    response->callback = path_begins(request, "/call");
}

static void refuse(void *ctx, const struct qr_fault *fault, void *work,
                   struct qr_response *response)
{
    static const struct qr_response zero;

    assert_ptr_equal(ctx, handled);
    assert_memory_equal(response, &zero, sizeof zero);
    refusals++;
    last_fault = *fault;
    memcpy(work, "refused", 7);
    response->status = qr_err_status(fault->err);
    response->content_type = "text/plain";
    response->content_len = 7;
}

static const struct qr_handler handler = {.ctx = handled, .handle = handle, .refuse = refuse};

/* ---- a connection, and the client at its other end ---- */

#define START_MS 5000u
#define OUT_MAX  400000u

static struct qr_conn conn;
static struct qr_desks desks;
static struct qr_desk desk;
static struct qr_stats stats;
static struct qr_now now;
static char out[OUT_MAX]; /* what the client received */
static size_t out_len, out_read;

static void open_conn(void)
{
    memset(&conn, 0xa5, sizeof conn); /* it counts on nothing */
    memset(&desk, 0xa5, sizeof desk);
    qr_desks_init(&desks, &desk, 1);
    memset(&stats, 0, sizeof stats);
    now = (struct qr_now){.uptime_ms = START_MS};
    handled[0] = '\0';
    handled_len = out_len = out_read = 0;
    refusals = 0;
    piece_max = SIZE_MAX;
    smallest_cap = SIZE_MAX;
    tidings = NULL;
    again_ms = AGAIN_MS;
    qr_conn_open(&conn, &handler, &stats, &desks, &now);
}

static int setup(void **state)
{
    (void)state;
    open_conn();
    return 0;
}

/* Sends at most len of the pending bytes; says how many. */
static size_t take(size_t len)
{
    const char *bytes;
    size_t pending = qr_conn_tx_pending(&conn, &bytes);

    len = len < pending ? len : pending;
    if (len != 0) {
        assert_true(len < sizeof out - out_len);
        memcpy(out + out_len, bytes, len);
        out_len += len;
        qr_conn_sent(&conn, len, &now);
    }
    return len;
}

static void take_all_by(size_t step)
{
    while (!conn.dead && take(step) != 0) {
    }
}

static void take_all(void)
{
    take_all_by(SIZE_MAX);
}

/* One receive of all the bytes, which must have room. */
static void give(const char *bytes, size_t len)
{
    char *room;

    assert_true(qr_conn_rx_room(&conn, &room, &now) >= len);
    memcpy(room, bytes, len);
    qr_conn_received(&conn, len, &now);
}

static void give_text(const char *text)
{
    give(text, strlen(text));
}

/* As many receives as it takes, with replies taken where the connection wants them taken first. */
static void give_long(const char *bytes, size_t len, size_t take_step)
{
    size_t at = 0;

    while (at < len && !conn.dead) {
        char *room;
        size_t n = qr_conn_rx_room(&conn, &room, &now);
        if (n == 0) {
            assert_int_not_equal(take(take_step), 0);
            continue;
        }
        n = n < len - at ? n : len - at;
        memcpy(room, guard_copy(bytes + at, n), n);
        qr_conn_received(&conn, n, &now);
        at += n;
    }
}

static bool takes_input(void)
{
    return qr_conn_reads(&conn);
}

static size_t pending(void)
{
    const char *bytes;

    return qr_conn_tx_pending(&conn, &bytes);
}

static void tick_at(uint64_t uptime_ms)
{
    now.uptime_ms = uptime_ms;
    qr_conn_tick(&conn, &now);
}

static struct wire_reply reply;

/* The next of the replies that were received, which must be whole. */
static const struct wire_reply *next_reply_to(bool head_only, bool over)
{
    enum wire_result result =
        wire_read(&reply, out + out_read, out_len - out_read, over, head_only);

    if (result != WIRE_WHOLE) {
        fail_msg("no whole reply in\n%.*s", (int)(out_len - out_read), out + out_read);
    }
    out_read += reply.taken;
    return &reply;
}

static const struct wire_reply *next_reply(void)
{
    return next_reply_to(false, false);
}

static void assert_nothing_more(void)
{
    assert_int_equal(out_len, out_read);
}

/* A reply 200 with this content is next. */
static void assert_replies(const char *content)
{
    next_reply();
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.content, content);
}

/* One request, and all of its reply received. */
static void exchange(const char *request)
{
    give_text(request);
    take_all();
}

#define GET(path)                   "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD(path)                  "HEAD " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, fields, content) "POST " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n" content
#define CALL                        POST("/call", "Content-Length: 2\r\n", "hi")

/* ---- requests and replies ---- */

static void test_conn_serves_one_request_after_another(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        exchange(GET("/echo"));
        assert_replies("GET /echo?=");
        assert_nothing_more();
        assert_false(conn.dead);
        assert_true(qr_conn_idle(&conn));
    }
    assert_int_equal(stats.requests, 3);
}

static void test_conn_answers_pipelined_requests_in_order_one_at_a_time(void **state)
{
    (void)state;
    give_text(GET("/echo/1") POST("/echo/2", "Content-Length: 3\r\n", "abc") GET("/echo/3"));
    assert_string_equal(handled, "GET /echo/1?=\n");
    take(pending() - 1);
    assert_string_equal(handled, "GET /echo/1?=\n"); /* not before the last byte is out */
    take(1);
    assert_string_equal(handled, "GET /echo/1?=\nPOST /echo/2?=abc\n");
    take_all();
    assert_replies("GET /echo/1?=");
    assert_replies("POST /echo/2?=abc");
    assert_replies("GET /echo/3?=");
    assert_nothing_more();
    assert_int_equal(stats.requests, 3);
    assert_true(qr_conn_idle(&conn));
}

static void test_conn_reads_nothing_while_replying(void **state)
{
    (void)state;
    give_text(GET("/stream?5000") "GET /ec");
    do {
        assert_false(takes_input());
    } while (take(100) != 0 && out_len < 5000);
    take_all();
    assert_true(takes_input());
    give_text("ho HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_false(takes_input());
    take_all();
    assert_true(takes_input());
    assert_int_equal(next_reply()->content_len, 5000);
    assert_replies("GET /echo?=");
}

static void test_conn_hands_content_over_however_it_is_framed(void **state)
{
    static const struct {
        const char *request, *content;
    } rows[] = {
        {POST("/echo", "Content-Length: 5\r\n", "a\r\nbc"), "POST /echo?=a\r\nbc"},
        {POST("/echo", "Content-Length: 0\r\n", ""), "POST /echo?="},
        {POST("/echo", "", ""), "POST /echo?="},
        {POST("/echo", "Transfer-Encoding: chunked\r\n",
              "2\r\na\r\r\n3;x=y\r\n\nbc\r\n0\r\nTrailer: t\r\n\r\n"),
         "POST /echo?=a\r\nbc"},
        {POST("/echo", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), "POST /echo?="},
        {"GET /echo?q HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "GET /echo?q=x"},
        {"POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
         "POST /echo?=x"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        exchange(rows[i].request);
        assert_replies(rows[i].content);
        assert_nothing_more();
        assert_true(qr_conn_idle(&conn));
    }
}

static void test_conn_takes_content_of_the_largest_size(void **state)
{
    static char request[QR_CONTENT_MAX + 200];
    static char content[QR_CONTENT_MAX + 1];

    (void)state;
    memset(content, 'c', QR_CONTENT_MAX);
    snprintf(request, sizeof request,
             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", QR_CONTENT_MAX);
    strcat(request, content);
    give_long(request, strlen(request), SIZE_MAX);
    assert_int_equal(stats.requests, 1);
    assert_int_equal(handled_len, strlen("POST /echo?=\n") + QR_CONTENT_MAX);
    assert_non_null(strstr(handled, content));
}

static void test_conn_sends_content_of_all_sizes(void **state)
{
    (void)state;
    exchange(GET("/full"));
    assert_int_equal(next_reply()->content_len, QR_WORK_SIZE);
    for (size_t i = 0; i < QR_WORK_SIZE; i++) {
        assert_int_equal(reply.content[i], 'w');
    }
    exchange(GET("/empty"));
    assert_int_equal(next_reply()->status, 200);
    assert_true(wire_has_line(&reply, "Content-Length: 0"));
    assert_nothing_more();
    assert_true(qr_conn_idle(&conn));
}

static void test_conn_hands_the_response_over_as_it_is(void **state)
{
    (void)state;
    now.unix_ms = 784111777000;
    exchange(GET("/echo"));
    next_reply();
    assert_true(wire_has_line(&reply, "Content-Type: text/plain"));
    assert_true(wire_has_line(&reply, "Date: Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_false(wire_has_field(&reply, "Allow"));
    assert_false(wire_has_field(&reply, "Cache-Control"));
}

/* ---- persistence (RFC 9112 section 9.3) ---- */

static void test_conn_persists_as_version_and_client_say(void **state)
{
    static const struct {
        const char *version, *fields;
        bool stays;
        const char *line; /* of the reply; NULL: no Connection field */
    } rows[] = {
        {"1.1", "", true, NULL},
        {"1.1", "Connection: keep-alive\r\n", true, NULL},
        {"1.1", "Connection: close\r\n", false, "Connection: close"},
        {"1.1", "Connection: foo, Close\r\n", false, "Connection: close"},
        {"1.0", "", false, "Connection: close"},
        {"1.0", "Connection: close\r\n", false, "Connection: close"},
        {"1.0", "Connection: keep-alive\r\n", true, "Connection: keep-alive"},
        {"1.0", "Connection: Keep-Alive, close\r\n", false, "Connection: close"},
    };
    static const char *const paths[] = {"/echo", "/call", "/empty"};
    char request[200];

    (void)state;
    for (size_t i = 0; i < COUNT(rows) * COUNT(paths); i++) {
        size_t row = i / COUNT(paths);
        open_conn();
        snprintf(request, sizeof request, "GET %s HTTP/%s\r\nHost: a\r\n%s\r\n",
                 paths[i % COUNT(paths)], rows[row].version, rows[row].fields);
        exchange(request);
        assert_int_equal(next_reply()->status, 200);
        assert_true(reply.has_length);
        assert_nothing_more();
        if (rows[row].line == NULL) {
            assert_false(wire_has_field(&reply, "Connection"));
        } else {
            assert_true(wire_has_line(&reply, rows[row].line));
        }
        assert_int_equal(qr_conn_idle(&conn), rows[row].stays);
        assert_int_equal(conn.state == QR_CONN_CLOSING, !rows[row].stays);
    }
}

static void test_conn_announces_the_close_that_the_server_wants(void **state)
{
    static const char *const requests[] = {GET("/echo"), CALL, GET("/stream?3000"),
                                           "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        open_conn();
        exchange(GET("/echo"));
        assert_false(next_reply()->close);
        conn.announce_close = true;
        give_text(requests[i]);
        take_all();
        assert_int_equal(next_reply()->status, 200);
        assert_true(reply.close);
        assert_false(wire_has_line(&reply, "Connection: keep-alive"));
        assert_int_equal(conn.state, QR_CONN_CLOSING);
    }
}

/* Once the head is out without it, the client would take a close for a failure. */
static void test_conn_announces_no_close_behind_the_head(void **state)
{
    (void)state;
    give_text(GET("/stream?5000"));
    conn.announce_close = true;
    take_all();
    assert_false(next_reply()->close);
    assert_true(qr_conn_idle(&conn));
}

/* ---- HEAD (RFC 9110 section 9.3.2) ---- */

static void test_conn_answers_head_with_the_head_alone(void **state)
{
    static const struct {
        const char *path, *version;
    } rows[] = {
        {"/echo", "1.1"},        {"/echo", "1.0"}, {"/empty", "1.1"},    {"/stream?3000", "1.1"},
        {"/stream?3000", "1.0"}, {"/full", "1.1"}, {"/stream?0", "1.1"},
    };
    static char head[WIRE_HEAD_MAX + 1];
    char request[100];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int get = 1; get >= 0; get--) {
            open_conn();
            /* a path's echo must be as long for both */
            snprintf(request, sizeof request, "%s %s%s HTTP/%s\r\nHost: a\r\n\r\n",
                     get ? "GET" : "HEAD", rows[i].path,
                     get && strcmp(rows[i].path, "/echo") == 0 ? "/" : "", rows[i].version);
            exchange(request);
            next_reply_to(!get, true);
            assert_nothing_more();
            assert_int_equal(reply.status, 200);
            if (get) {
                strcpy(head, reply.head);
            }
        }
        assert_string_equal(reply.head, head);
        assert_int_equal(reply.content_len, 0);
        assert_int_equal(qr_conn_idle(&conn), strcmp(rows[i].version, "1.1") == 0);
    }
}

static void test_conn_goes_on_behind_a_head(void **state)
{
    (void)state;
    give_text(HEAD("/stream?3000") HEAD("/full") GET("/echo"));
    take_all();
    assert_true(next_reply_to(true, false)->chunked);
    assert_true(wire_has_line(next_reply_to(true, false), "Content-Length: 4096"));
    assert_replies("GET /echo?=");
    assert_nothing_more();
}

/* ---- replies made piece by piece ---- */

static void assert_pattern(size_t len)
{
    assert_int_equal(reply.content_len, len);
    for (size_t i = 0; i < len; i++) {
        if (reply.content[i] != pattern(i)) {
            fail_msg("byte %zu of %zu differs", i, len);
        }
    }
}

static void test_conn_streams_in_chunks(void **state)
{
    static const size_t lens[] = {0, 1, 511, 1030, 1400, 1401, 5000, 100000};
    static const size_t pieces[] = {1, 7, 512, SIZE_MAX};
    static const char *const paths[] = {"/stream", "/late"};
    char request[100];

    (void)state;
    for (size_t i = 0; i < COUNT(lens) * COUNT(pieces) * COUNT(paths); i++) {
        size_t len = lens[i % COUNT(lens)];
        open_conn();
        piece_max = pieces[i / COUNT(lens) % COUNT(pieces)];
        if (piece_max == 1 && len > 5000) {
            continue;
        }
        snprintf(request, sizeof request, "GET %s?%zu HTTP/1.1\r\nHost: a\r\n\r\n",
                 paths[i / COUNT(lens) / COUNT(pieces)], len);
        exchange(request);
        next_reply();
        assert_true(reply.chunked);
        assert_false(reply.close);
        assert_pattern(len);
        assert_nothing_more();
        assert_true(qr_conn_idle(&conn));
    }
}

static void test_conn_gives_a_producer_room(void **state)
{
    (void)state;
    exchange(GET("/stream?100000"));
    assert_in_range(smallest_cap, QR_PIECE_MIN, QR_TX_SIZE);
}

/* HTTP/1.0 has no chunks: only our FIN tells where the reply ends. */
static void test_conn_streams_to_http_1_0_until_its_fin(void **state)
{
    static const char *const fields[] = {"", "Connection: keep-alive\r\n"};
    char request[100];

    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        open_conn();
        snprintf(request, sizeof request, "GET /stream?9000 HTTP/1.0\r\n%s\r\n", fields[i]);
        give_text(request);
        while (pending() != 0) {
            assert_false(conn.finish);
            take(1000);
        }
        assert_true(conn.finish);
        conn.finish = false; /* the server took the wish */
        next_reply_to(false, true);
        assert_pattern(9000);
        assert_false(reply.chunked || reply.has_length);
        assert_true(reply.close);
        assert_false(conn.dead);
        tick_at(START_MS + QR_CLOSE_TIMEOUT_MS - 1);
        assert_false(conn.dead);
        tick_at(START_MS + QR_CLOSE_TIMEOUT_MS);
        assert_true(conn.dead);
        assert_false(conn.finish || conn.cut_off);
    }
}

static void test_conn_sends_its_fin_behind_a_piece_that_was_empty(void **state)
{
    (void)state;
    open_conn();
    give_text("GET /late?9000 HTTP/1.0\r\n\r\n");
    take_all();
    assert_true(conn.finish);
    next_reply_to(false, true);
    assert_pattern(9000);
}

static void test_conn_is_done_when_the_client_answers_its_fin(void **state)
{
    (void)state;
    exchange("GET /stream?9000 HTTP/1.0\r\n\r\n");
    assert_false(conn.dead);
    qr_conn_received_fin(&conn, &now);
    assert_true(conn.dead);
    assert_false(conn.cut_off);
}

/* ---- Expect: 100-continue (RFC 9110 section 10.1.1) ---- */

#define EXPECT(fields) "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" fields "\r\n"
#define LENGTH_4       EXPECT("Content-Length: 4\r\n")
#define IN_CHUNKS      EXPECT("Transfer-Encoding: chunked\r\n")

/* What comes back for each receive, in turn: 'c' for a 100, 'r' for the reply, 'e' for an error. */
static void assert_continues(const char *const *pieces, const char *expected)
{
    char seen[20] = "";

    open_conn();
    for (size_t i = 0; pieces[i] != NULL; i++) {
        give_text(pieces[i]);
        take_all();
        strcat(seen, i == 0 ? "" : " ");
        while (out_read < out_len) {
            unsigned status = next_reply()->status;
            assert_true(status != 100 || !wire_has_field(&reply, "Content-Length"));
            strcat(seen, status == 100 ? "c" : status == 200 ? "r" : "e");
        }
    }
    if (strcmp(seen, expected) != 0) {
        fail_msg("got [%s], not [%s], for\n%s", seen, expected, pieces[0]);
    }
}

static void test_conn_continues_a_client_that_waits(void **state)
{
    static const struct {
        const char *pieces[6];
        const char *expected;
    } rows[] = {
        {{LENGTH_4, "abcd"}, "c r"},
        {{LENGTH_4, "a", "b", "cd"}, "c   r"},
        {{IN_CHUNKS, "4\r\nabcd\r\n0\r\n\r\n"}, "c r"},
        {{IN_CHUNKS, "4", "\r\nabc", "d\r\n", "0\r\n\r\n"}, "c    r"},
        {{"POST /echo HTTP/1.1\r\nHost: a\r\nEx", "pect: 100-continue\r\nContent-Length: 4\r\n\r",
          "\n", "abcd"},
         "  c r"},
        /* each request anew */
        {{LENGTH_4, "abcd" LENGTH_4, "abcd", GET("/echo"), LENGTH_4, "abcd"}, "c rc r r c r"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *pieces[7] = {NULL};
        memcpy(pieces, rows[i].pieces, sizeof rows[i].pieces);
        assert_continues(pieces, rows[i].expected);
    }
}

static void test_conn_continues_nobody_who_has_sent_content(void **state)
{
    static const struct {
        const char *pieces[4];
        const char *expected;
    } rows[] = {
        {{LENGTH_4 "abcd"}, "r"},
        {{IN_CHUNKS "4\r\nabcd\r\n0\r\n\r\n"}, "r"},
        {{LENGTH_4 "a", "bcd"}, " r"},
        {{LENGTH_4 "a", "b", "cd"}, "  r"},
        {{IN_CHUNKS "4\r\nab", "cd\r\n0\r\n\r\n"}, " r"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *pieces[5] = {NULL};
        memcpy(pieces, rows[i].pieces, sizeof rows[i].pieces);
        assert_continues(pieces, rows[i].expected);
    }
}

static void test_conn_continues_nobody_who_is_refused_or_sends_none(void **state)
{
    static const struct {
        const char *pieces[4];
        const char *expected;
    } rows[] = {
        {{EXPECT("Content-Length: 4097\r\n")}, "e"},
        {{EXPECT("Transfer-Encoding: gzip, chunked\r\n")}, "e"},
        {{EXPECT("Content-Length: 4\r\nExpect: more\r\n")}, "e"},
        {{EXPECT("Content-Length: 0\r\n")}, "r"},
        {{EXPECT("")}, "r"},
        {{POST("/echo", "Content-Length: 4\r\n", ""), "abcd"}, " r"},
        /* RFC 9110: not to an HTTP/1.0 client */
        {{"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", "abcd"},
         " r"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *pieces[5] = {NULL};
        memcpy(pieces, rows[i].pieces, sizeof rows[i].pieces);
        assert_continues(pieces, rows[i].expected);
    }
}

static void test_conn_sends_its_reply_behind_a_100_that_is_still_pending(void **state)
{
    (void)state;
    give_text(LENGTH_4);
    take(10);
    give_text("abcd");
    take_all_by(3);
    assert_int_equal(next_reply()->status, 100);
    assert_replies("POST /echo?=abcd");
    give_text(IN_CHUNKS);
    give_text("1001\r\n"); /* one byte too many */
    take_all();
    assert_int_equal(next_reply()->status, 100);
    assert_int_equal(next_reply()->status, 413);
    assert_true(reply.close);
}

/* ---- errors ---- */

static const struct {
    const char *bytes;
    enum qr_err err;
} errors[] = {
    {"GARBAGE\r\n\r\n", QR_ERR_REQUEST_LINE},
    {"GET /echo HTTP/2.0\r\n\r\n", QR_ERR_VERSION_UNSUPPORTED},
    {"BREW /echo HTTP/1.1\r\n\r\n", QR_ERR_METHOD_UNKNOWN},
    {"GET /echo HTTP/1.1\r\n\r\n", QR_ERR_HOST},
    {POST("/echo", "Content-Length: 4097\r\n", "abc"), QR_ERR_CONTENT_TOO_LARGE},
    {POST("/echo", "Content-Length: x\r\n", ""), QR_ERR_CONTENT_LENGTH},
    {POST("/echo", "Transfer-Encoding: chunked\r\n", "x\r\n"), QR_ERR_CHUNK},
    {"GET /echo HTTP/1.0\r\nA : b\r\n\r\n", QR_ERR_FIELD_NAME},
};

static void test_conn_closes_behind_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        open_conn();
        give_text(GET("/echo/1"));
        take_all();
        next_reply();
        give_text(errors[i].bytes);
        take_all();
        next_reply();
        assert_int_equal(reply.status, qr_err_status(errors[i].err));
        assert_int_equal(last_fault.err, errors[i].err);
        assert_string_equal(reply.content, "refused");
        assert_true(reply.close);
        assert_int_equal(conn.state, QR_CONN_CLOSING);
        assert_int_equal(stats.requests, 1);
        assert_int_equal(refusals, 1);
    }
}

/* Where the next request begins is not known any more. */
static void test_conn_serves_nothing_behind_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        open_conn();
        give_text(errors[i].bytes);
        take_all();
        give_text(GET("/echo"));
        give_text("GARBAGE\r\n\r\n");
        take_all();
        next_reply();
        assert_nothing_more();
        assert_int_equal(refusals, 1);
        assert_string_equal(handled, "");
    }
    open_conn();
    give_text("BREW / HTTP/1.1\r\n\r\n" GET("/echo"));
    take_all();
    next_reply();
    assert_nothing_more();
    assert_string_equal(handled, "");
}

static void test_conn_refuses_head_without_content(void **state)
{
    (void)state;
    exchange("HEAD /echo HTTP/1.1\r\nNo host\r\n\r\n");
    assert_int_equal(next_reply_to(true, false)->status, 400);
    assert_nothing_more();
    assert_int_equal(conn.state, QR_CONN_CLOSING);
}

static void test_conn_serves_nothing_behind_a_close(void **state)
{
    (void)state;
    give_text(POST("/echo", "Connection: close\r\nContent-Length: 1\r\n", "x") GET("/echo"));
    take_all();
    give_text(GET("/echo"));
    take_all();
    assert_replies("POST /echo?=x");
    assert_nothing_more();
    assert_string_equal(handled, "POST /echo?=x\n");
}

/* ---- closing ---- */

static void test_conn_waits_for_the_clients_fin(void **state)
{
    (void)state;
    exchange("GET /echo HTTP/1.0\r\n\r\n");
    assert_false(conn.dead || conn.finish);
    tick_at(START_MS + QR_CLOSE_TIMEOUT_MS - 1);
    assert_false(conn.dead || conn.finish);
    assert_true(takes_input());
    qr_conn_received_fin(&conn, &now);
    assert_true(conn.dead);
    assert_false(conn.cut_off || conn.finish);
}

static void test_conn_sends_its_fin_to_a_client_that_sends_none(void **state)
{
    uint64_t at = START_MS + 7;

    (void)state;
    give_text("GET /echo HTTP/1.0\r\n\r\n");
    now.uptime_ms = at;
    take_all();
    tick_at(at + QR_CLOSE_TIMEOUT_MS - 1);
    assert_false(conn.finish || conn.dead);
    tick_at(at + QR_CLOSE_TIMEOUT_MS);
    assert_true(conn.finish);
    assert_false(conn.dead);
    conn.finish = false;
    tick_at(at + 2 * QR_CLOSE_TIMEOUT_MS - 1);
    assert_false(conn.finish || conn.dead);
    tick_at(at + 2 * QR_CLOSE_TIMEOUT_MS);
    assert_true(conn.dead);
    assert_false(conn.finish || conn.cut_off);
    assert_int_equal(stats.timeouts, 0);
}

static void test_conn_drops_what_comes_while_closing(void **state)
{
    static char junk[QR_DROP_SIZE];

    (void)state;
    exchange("GET /echo HTTP/1.0\r\n\r\n");
    memset(junk, 'j', sizeof junk);
    for (unsigned i = 1; i < QR_CLOSE_TIMEOUT_MS; i++) {
        tick_at(START_MS + i);
        give(junk, QR_DROP_SIZE); /* there is always room, and it extends nothing */
        assert_int_equal(pending(), 0);
        assert_false(conn.dead || conn.finish);
    }
    tick_at(START_MS + QR_CLOSE_TIMEOUT_MS);
    assert_true(conn.finish);
    assert_string_equal(handled, "GET /echo?=\n");
}

static void test_conn_ends_with_the_clients_fin(void **state)
{
    static const char *const before[] = {"", "GET /ec", POST("/echo", "Content-Length: 9\r\n", "a"),
                                         "\r\n", LENGTH_4};

    (void)state;
    for (size_t i = 0; i < COUNT(before); i++) {
        for (int second = 0; second < 2; second++) {
            open_conn();
            if (second) {
                exchange(CALL);
            }
            give_text(before[i]);
            qr_conn_received_fin(&conn, &now);
            assert_true(conn.dead);
            assert_false(conn.cut_off);
            assert_false(takes_input());
        }
    }
}

/* A client may close its half once it has asked (RFC 9112 section 9.6): it gets its reply. */
static void test_conn_replies_to_a_client_that_has_sent_its_fin(void **state)
{
    static const char *const requests[] = {
        GET("/stream?9000"), GET("/full"), CALL, "GET /stream?9000 HTTP/1.0\r\n\r\n",
        "GET /full HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        open_conn();
        give_text(requests[i]);
        qr_conn_received_fin(&conn, &now);
        assert_false(conn.dead);
        take_all();
        assert_int_equal(next_reply_to(false, true)->status, 200);
        assert_nothing_more();
        assert_true(conn.dead);
        assert_false(conn.cut_off);
    }
}

/* ---- deadlines: absolute, so that dripping bytes do not extend them ---- */

/* Gives one byte a second; returns the uptime at which it was refused (0: never). */
static uint64_t drip(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        give(bytes + i, 1);
        now.uptime_ms += 999;
        qr_conn_tick(&conn, &now);
        assert_int_equal(refusals, 0); /* deadlines here are whole seconds */
        assert_false(conn.dead);
        tick_at(now.uptime_ms + 1);
        if (refusals != 0) {
            return now.uptime_ms;
        }
    }
    return 0;
}

static void assert_late(enum qr_err err, uint32_t limit_ms)
{
    assert_int_equal(last_fault.err, err);
    assert_int_equal(last_fault.limit, limit_ms);
    assert_int_equal(stats.timeouts, 1);
    take_all();
    while (next_reply()->status == 100 || reply.status == 200) {
    }
    assert_int_equal(reply.status, 408);
    assert_true(reply.close);
    assert_nothing_more();
    assert_int_equal(conn.state, QR_CONN_CLOSING);
}

static const char slow_head[] = "GET /a-path-that-takes-long HTTP/1.1\r\n";

static void test_conn_refuses_a_dripping_first_head(void **state)
{
    (void)state;
    assert_int_equal(drip(slow_head, strlen(slow_head)), START_MS + QR_HEAD_TIMEOUT_MS);
    assert_late(QR_ERR_HEAD_TIMEOUT, QR_HEAD_TIMEOUT_MS);
}

/* The first head's deadline runs from accept, not from its first byte. */
static void test_conn_counts_the_first_head_from_accept(void **state)
{
    (void)state;
    tick_at(START_MS + 4000);
    assert_int_equal(drip(slow_head, strlen(slow_head)), START_MS + QR_HEAD_TIMEOUT_MS);
    open_conn();
    now.uptime_ms = START_MS + 4000;
    give_text("GET"); /* all of it at once changes nothing */
    tick_at(START_MS + QR_HEAD_TIMEOUT_MS - 1);
    assert_int_equal(refusals, 0);
    tick_at(START_MS + QR_HEAD_TIMEOUT_MS);
    assert_late(QR_ERR_HEAD_TIMEOUT, QR_HEAD_TIMEOUT_MS);
}

static void test_conn_refuses_a_dripping_later_head(void **state)
{
    static const char *const before[] = {GET("/echo"), CALL};

    (void)state;
    for (size_t i = 0; i < COUNT(before); i++) {
        open_conn();
        exchange(before[i]);
        now.uptime_ms += 30000; /* idle; its deadline runs from its first byte */
        qr_conn_tick(&conn, &now);
        assert_int_equal(drip(slow_head, strlen(slow_head)), START_MS + 30000 + QR_HEAD_TIMEOUT_MS);
        assert_late(QR_ERR_HEAD_TIMEOUT, QR_HEAD_TIMEOUT_MS);
    }
}

/* A head that has begun behind another request waits for the reply, not for its deadline. */
static void test_conn_counts_a_pipelined_head_from_the_replys_end(void **state)
{
    (void)state;
    give_text(CALL "GET /echo HT");
    now.uptime_ms = START_MS + 20000;
    take_all();
    tick_at(START_MS + 20000 + QR_HEAD_TIMEOUT_MS - 1);
    assert_int_equal(refusals, 0);
    tick_at(START_MS + 20000 + QR_HEAD_TIMEOUT_MS);
    assert_late(QR_ERR_HEAD_TIMEOUT, QR_HEAD_TIMEOUT_MS);
}

static void test_conn_refuses_dripping_content(void **state)
{
    static const char *const heads[] = {
        POST("/echo", "Content-Length: 90\r\n", ""),
        POST("/echo", "Transfer-Encoding: chunked\r\n", "50\r\n"),
        EXPECT("Content-Length: 90\r\n"),
    };
    static const char content[] = "content that takes much longer than that";

    (void)state;
    for (size_t i = 0; i < COUNT(heads) * 2; i++) {
        open_conn();
        if (i >= COUNT(heads)) {
            exchange(CALL);
        }
        now.uptime_ms += 9000; /* the head's time does not count */
        give_text(heads[i % COUNT(heads)]);
        assert_int_equal(drip(content, strlen(content)), START_MS + 9000 + QR_CONTENT_TIMEOUT_MS);
        assert_late(QR_ERR_CONTENT_TIMEOUT, QR_CONTENT_TIMEOUT_MS);
    }
}

static void test_conn_takes_a_slow_request_within_its_deadlines(void **state)
{
    (void)state;
    give_text("POST /echo HT");
    tick_at(START_MS + 9999);
    give_text("TP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    tick_at(START_MS + 19998);
    give_text("a");
    give_text("b");
    take_all();
    assert_replies("POST /echo?=ab");
    assert_int_equal(stats.timeouts, 0);
}

static void test_conn_cuts_off_a_slow_reader(void **state)
{
    static const char *const requests[] = {GET("/stream?9000"), GET("/full"),
                                           "GET /stream?9000 HTTP/1.0\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        open_conn();
        give_text(requests[i]);
        while (now.uptime_ms < START_MS + QR_REPLY_TIMEOUT_MS - 1000) {
            assert_int_equal(take(1), 1);
            tick_at(now.uptime_ms + 1000);
        }
        tick_at(START_MS + QR_REPLY_TIMEOUT_MS - 1);
        assert_false(conn.dead);
        tick_at(START_MS + QR_REPLY_TIMEOUT_MS);
        assert_true(conn.dead);
        assert_true(conn.cut_off);
        assert_int_equal(stats.timeouts, 1);
        assert_int_equal(refusals, 0);
    }
}

static void test_conn_gives_each_reply_its_own_deadline(void **state)
{
    (void)state;
    give_text(GET("/echo/1") GET("/echo/2"));
    tick_at(START_MS + QR_REPLY_TIMEOUT_MS - 1);
    take(pending());
    assert_int_not_equal(pending(), 0);
    tick_at(START_MS + QR_REPLY_TIMEOUT_MS);
    assert_false(conn.dead);
    tick_at(START_MS + 2 * QR_REPLY_TIMEOUT_MS - 1);
    assert_true(conn.dead);
    assert_true(conn.cut_off);
}

/* ---- idleness and use ---- */

static void test_conn_closes_an_idle_poller(void **state)
{
    static const char *const requests[] = {GET("/echo"), GET("/stream?3000"), HEAD("/full"),
                                           CALL GET("/echo")};

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        open_conn();
        give_text(requests[i]);
        now.uptime_ms += 5000; /* from the reply's last byte on */
        take_all();
        assert_int_equal(conn.use, QR_CONN_POLLER);
        assert_int_equal(conn.since_ms, START_MS + 5000);
        tick_at(START_MS + 5000 + QR_IDLE_TIMEOUT_MS - 1);
        assert_false(conn.dead);
        tick_at(START_MS + 5000 + QR_IDLE_TIMEOUT_MS);
        assert_true(conn.dead);
        assert_false(conn.cut_off);
        assert_int_equal(stats.connectionsIdleClosed, 1);
        assert_int_equal(stats.timeouts, 0);
        assert_int_equal(refusals, 0);
    }
}

static void test_conn_never_closes_an_idle_caller(void **state)
{
    static const char *const requests[] = {CALL, CALL CALL, GET("/echo") CALL};

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        open_conn();
        exchange(requests[i]);
        assert_int_equal(conn.use, QR_CONN_CALLER);
        assert_int_equal(conn.deadline_ms, 0);
        for (uint64_t days = 1; days < 1000; days++) {
            tick_at(START_MS + days * 86400000);
        }
        give_text("\r\n"); /* an empty line is no request yet */
        tick_at(START_MS + UINT64_C(2000) * 86400000);
        assert_false(conn.dead);
        assert_true(qr_conn_idle(&conn));
        exchange(CALL);
        assert_int_equal(stats.connectionsIdleClosed, 0);
        assert_false(conn.dead);
    }
}

static void test_conn_closes_a_fresh_connection_that_sends_nothing(void **state)
{
    static const char *const before[] = {"", "\r\n", "\r\n\r"};

    (void)state;
    for (size_t i = 0; i < COUNT(before); i++) {
        open_conn();
        assert_int_equal(conn.use, QR_CONN_FRESH);
        assert_int_equal(conn.since_ms, START_MS);
        tick_at(START_MS + 1000);
        give_text(before[i]);
        assert_int_equal(conn.use, QR_CONN_FRESH);
        assert_true(qr_conn_idle(&conn));
        tick_at(START_MS + QR_HEAD_TIMEOUT_MS - 1);
        assert_false(conn.dead);
        tick_at(START_MS + QR_HEAD_TIMEOUT_MS);
        assert_true(conn.dead);
        assert_false(conn.cut_off);
        assert_int_equal(stats.connectionsIdleClosed, 1);
        assert_int_equal(pending(), 0);
    }
}

static void test_conn_counts_empty_lines_as_idleness(void **state)
{
    (void)state;
    exchange(GET("/echo"));
    for (unsigned s = 1; s < QR_IDLE_TIMEOUT_MS / 1000; s++) {
        tick_at(START_MS + s * 1000);
        give_text("\r\n");
    }
    tick_at(START_MS + QR_IDLE_TIMEOUT_MS);
    assert_true(conn.dead);
    assert_int_equal(stats.connectionsIdleClosed, 1);
}

static void test_conn_is_idle_only_between_requests(void **state)
{
    (void)state;
    assert_true(qr_conn_idle(&conn));
    give_text("P");
    assert_false(qr_conn_idle(&conn));
    give_text("OST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
    assert_false(qr_conn_idle(&conn));
    give_text("x");
    assert_false(qr_conn_idle(&conn));
    take(pending() - 1);
    assert_false(qr_conn_idle(&conn));
    take(1);
    assert_true(qr_conn_idle(&conn));
    exchange("x y z\r\n\r\n");
    assert_false(qr_conn_idle(&conn));
}

static void test_conn_is_fresh_until_it_was_answered(void **state)
{
    (void)state;
    give_text("GET /echo HTTP/1.1\r\n");
    assert_int_equal(conn.use, QR_CONN_FRESH);
    give_text("Host: a\r\n\r\n");
    assert_int_equal(conn.use, QR_CONN_POLLER);
    open_conn();
    give_text("x y z\r\n\r\n");
    assert_int_not_equal(conn.use, QR_CONN_FRESH);
    open_conn();
    give_text("x");
    tick_at(START_MS + QR_HEAD_TIMEOUT_MS);
    assert_int_not_equal(conn.use, QR_CONN_FRESH);
}

/* ---- whichever way the bytes come ---- */

static const char *const streams[] = {
    GET("/echo"),
    CALL GET("/stream?2500") HEAD("/stream?10") "\r\n" POST(
        "/call", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nX: y\r\n\r\n") GET("/full"),
    GET("/echo/1") GET("/echo/2") "GET /echo/3 HTTP/1.0\r\n\r\n" GET("/echo/4"),
    "GET /stream?3000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET("/echo"),
    GET("/stream?0") "BREW / HTTP/1.1\r\n\r\n" GET("/echo"),
    POST("/echo", "Content-Length: 10\r\n", "0123456789") "GET /unfinished HTTP/1.1\r\nHos",
    CALL POST("/echo", "Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n"),
    HEAD("/echo") "\r\n\r\n" POST("/echo", "Connection: close\r\n", "") "more",
};

struct outcome {
    size_t out_len, handled_len;
    enum qr_conn_state state;
    enum qr_conn_use use;
    bool dead, idle, finish;
    uint32_t requests;
    unsigned refusals;
};

/* The stream in pieces of step bytes, the first of first bytes; replies taken by take_step. */
static struct outcome run(const char *bytes, size_t len, size_t first, size_t step,
                          size_t take_step)
{
    open_conn();
    for (size_t at = 0, piece = first; at < len; at += piece, piece = step) {
        piece = piece < len - at ? piece : len - at;
        give_long(bytes + at, piece, take_step);
    }
    take_all_by(take_step);
    return (struct outcome){.out_len = out_len,
                            .handled_len = handled_len,
                            .state = conn.state,
                            .use = conn.use,
                            .dead = conn.dead,
                            .idle = qr_conn_idle(&conn),
                            .finish = conn.finish,
                            .requests = stats.requests,
                            .refusals = refusals};
}

static char whole_out[OUT_MAX], whole_handled[LOG_MAX];

static void assert_same(const struct outcome *whole, const struct outcome *cut, const char *bytes,
                        const char *how, size_t at)
{
    if (whole->out_len != cut->out_len || whole->handled_len != cut->handled_len ||
        whole->state != cut->state || whole->use != cut->use || whole->dead != cut->dead ||
        whole->idle != cut->idle || whole->finish != cut->finish ||
        whole->requests != cut->requests || whole->refusals != cut->refusals ||
        memcmp(out, whole_out, out_len) != 0 || strcmp(handled, whole_handled) != 0) {
        fail_msg("other outcome %s %zu of\n%s\nreplies:\n%.*s", how, at, bytes, (int)out_len, out);
    }
}

static void test_conn_gives_the_same_output_however_input_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(streams); i++) {
        size_t len = strlen(streams[i]);
        struct outcome whole = run(streams[i], len, len, len, SIZE_MAX);
        struct outcome cut;
        memcpy(whole_out, out, out_len);
        strcpy(whole_handled, handled);
        cut = run(streams[i], len, 1, 1, SIZE_MAX);
        assert_same(&whole, &cut, streams[i], "by pieces of", 1);
        for (size_t at = 1; at < len; at++) {
            cut = run(streams[i], len, at, len, SIZE_MAX);
            assert_same(&whole, &cut, streams[i], "cut at", at);
        }
    }
}

static void test_conn_gives_the_same_output_however_it_is_sent(void **state)
{
    static const size_t steps[] = {1, 2, 3, 7, 100, 1399};

    (void)state;
    for (size_t i = 0; i < COUNT(streams); i++) {
        size_t len = strlen(streams[i]);
        struct outcome whole = run(streams[i], len, len, len, SIZE_MAX);
        memcpy(whole_out, out, out_len);
        strcpy(whole_handled, handled);
        for (size_t j = 0; j < COUNT(steps); j++) {
            struct outcome cut = run(streams[i], len, len, len, steps[j]);
            assert_same(&whole, &cut, streams[i], "sent by", steps[j]);
        }
    }
}

/* What the streams above are answered with, in full. */
static void test_conn_answers_a_mixed_stream(void **state)
{
    size_t len = strlen(streams[1]);
    struct outcome outcome = run(streams[1], len, len, len, SIZE_MAX);

    (void)state;
    assert_replies("POST /call?=hi");
    next_reply();
    assert_pattern(2500);
    next_reply_to(true, false);
    assert_replies("POST /call?=abc");
    assert_int_equal(next_reply()->content_len, QR_WORK_SIZE);
    assert_nothing_more();
    assert_true(outcome.idle);
    assert_int_equal(outcome.requests, 5);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

/* ---- replies that wait ---- */

static void begin_wait(const char *request)
{
    open_conn();
    conn.may_wait = true;
    give_text(request);
}

/* The server's part: it says so, and sends what there is. */
static void tell(const char *text)
{
    tidings = text;
    qr_conn_news(&conn, &now);
    take_all();
}

static void test_conn_holds_a_reply_until_there_is_news(void **state)
{
    (void)state;
    begin_wait(GET("/wait"));
    assert_int_equal(pending(), 0);
    assert_true(qr_conn_waits(&conn));
    assert_false(qr_conn_idle(&conn));
    assert_int_equal(conn.deadline_ms, AGAIN_MS);
    qr_conn_news(&conn, &now); /* of no interest */
    assert_int_equal(pending(), 0);
    tell("news");
    assert_replies("news");
    assert_nothing_more();
    assert_false(qr_conn_waits(&conn));
    assert_int_equal(stats.requests, 1);
    exchange(GET("/echo"));
    assert_replies("GET /echo?=");
}

static void test_conn_answers_at_last_without_news(void **state)
{
    (void)state;
    begin_wait(GET("/wait"));
    tick_at(AGAIN_MS - 1);
    assert_int_equal(pending(), 0);
    tick_at(AGAIN_MS);
    take_all();
    assert_replies("late");
    assert_true(qr_conn_idle(&conn));
    assert_int_equal(stats.timeouts, 0);
}

static void test_conn_holds_no_reply_where_it_may_not_wait(void **state)
{
    (void)state;
    begin_wait(GET("/echo"));
    take_all();
    next_reply();
    conn.may_wait = false;
    exchange(GET("/wait"));
    assert_replies("late");
}

static void test_conn_answers_requests_behind_one_that_waits_in_order(void **state)
{
    (void)state;
    begin_wait(GET("/wait") GET("/echo/1"));
    give_text(GET("/echo/2"));
    assert_int_equal(pending(), 0);
    tell("news");
    assert_replies("news");
    assert_replies("GET /echo/1?=");
    assert_replies("GET /echo/2?=");
    assert_nothing_more();
}

static void test_conn_answers_at_once_when_the_client_sends_its_fin(void **state)
{
    (void)state;
    begin_wait(GET("/wait"));
    qr_conn_received_fin(&conn, &now);
    assert_false(conn.dead);
    take_all();
    assert_replies("late");
    assert_true(conn.dead);
}

static void test_conn_answers_at_once_when_waiting_is_to_end(void **state)
{
    (void)state;
    begin_wait(GET("/wait"));
    conn.announce_close = true;
    qr_conn_stop_waiting(&conn, &now);
    take_all();
    assert_replies("late");
    assert_true(reply.close);
}

static void test_conn_stream_says_what_there_is_and_waits(void **state)
{
    (void)state;
    begin_wait(GET("/events"));
    take_all();
    assert_true(qr_conn_waits(&conn));
    assert_int_equal(conn.deadline_ms, AGAIN_MS);
    tell("one");
    assert_int_equal(conn.deadline_ms, AGAIN_MS);
    tell("two");
    tick_at(AGAIN_MS);
    take_all();
    assert_int_equal(conn.deadline_ms, 2 * AGAIN_MS);
    qr_conn_stop_waiting(&conn, &now);
    take_all();
    next_reply();
    assert_true(reply.chunked);
    assert_string_equal(reply.content, "onetwo:");
    assert_nothing_more();
    assert_false(qr_conn_waits(&conn));
}

static void test_conn_stream_has_no_deadline_but_for_each_piece(void **state)
{
    (void)state;
    begin_wait(GET("/events"));
    take_all();
    for (unsigned i = 1; i < 100; i++) { /* far longer than any reply may take */
        tick_at(START_MS + i * (uint64_t)QR_REPLY_TIMEOUT_MS);
        assert_false(conn.dead);
        take_all();
    }
    tidings = "held";
    qr_conn_news(&conn, &now);
    assert_int_not_equal(pending(), 0);
    take(1); /* dripping does not extend it */
    tick_at(now.uptime_ms + QR_REPLY_TIMEOUT_MS - 1);
    assert_false(conn.dead);
    take(1);
    tick_at(now.uptime_ms + 1);
    assert_true(conn.dead && conn.cut_off);
    assert_int_equal(stats.timeouts, 1);
}

static void test_conn_stream_is_not_disturbed_while_a_piece_is_under_way(void **state)
{
    (void)state;
    begin_wait(GET("/events"));
    take_all();
    tidings = "one";
    qr_conn_news(&conn, &now);
    tidings = "two";
    qr_conn_news(&conn, &now);
    assert_string_equal(tidings, "two");
    take_all();
    assert_null(tidings);
    qr_conn_stop_waiting(&conn, &now);
    take_all();
    next_reply();
    assert_string_equal(reply.content, "onetwo");
}

static void test_conn_stream_ends_with_the_clients_fin_and_ignores_its_bytes(void **state)
{
    char *room;

    (void)state;
    begin_wait(GET("/events"));
    take_all();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(qr_conn_rx_room(&conn, &room, &now), QR_RX_SIZE);
        memset(room, 'x', QR_RX_SIZE);
        qr_conn_received(&conn, QR_RX_SIZE, &now);
    }
    assert_false(conn.dead);
    qr_conn_received_fin(&conn, &now);
    assert_true(conn.dead);
}

/* What stands behind the stream's request fills rx: else the client's FIN would never be seen. */
static void test_conn_stream_has_room_whatever_came_behind_its_request(void **state)
{
    char bytes[QR_RX_SIZE + 1];
    char *room;

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, GET("/events"), strlen(GET("/events")));
    bytes[QR_RX_SIZE] = '\0';
    begin_wait(bytes);
    take_all();
    assert_true(qr_conn_waits(&conn));
    assert_int_not_equal(qr_conn_rx_room(&conn, &room, &now), 0);
}

/* Where a request that follows would begin is then not known any more. */
static void test_conn_stream_that_dropped_bytes_is_the_connections_last_reply(void **state)
{
    (void)state;
    begin_wait(GET("/events") "GET /ec");
    take_all();
    give_text("ho HTTP/1.1\r\n");
    qr_conn_stop_waiting(&conn, &now);
    take_all();
    next_reply();
    give_text("Host: a\r\n\r\n" GET("/echo"));
    take_all();
    assert_nothing_more();
    assert_int_equal(conn.state, QR_CONN_CLOSING);
}

static void test_conn_stream_to_http_1_0_ends_with_our_fin(void **state)
{
    (void)state;
    begin_wait("GET /events HTTP/1.0\r\n\r\n");
    take_all();
    tell("one");
    assert_false(conn.finish);
    qr_conn_stop_waiting(&conn, &now);
    assert_true(conn.finish);
    take_all();
    next_reply_to(false, true);
    assert_string_equal(reply.content, "one");
    assert_true(reply.close);
}

static void test_conn_head_of_a_stream_is_its_head(void **state)
{
    (void)state;
    begin_wait(HEAD("/events"));
    take_all();
    next_reply_to(true, false);
    assert_int_equal(reply.status, 200);
    assert_nothing_more();
    assert_false(qr_conn_waits(&conn));
    assert_true(qr_conn_idle(&conn));
}

/* ---- more fields, content that is static, and no content ---- */

static void test_conn_sends_more_fields_and_static_content(void **state)
{
    (void)state;
    for (size_t step = 1; step < 3000; step += step) {
        open_conn();
        give_text(GET("/static"));
        take_all_by(step);
        next_reply();
        assert_true(wire_has_line(&reply, "X-One: 1"));
        assert_true(wire_has_line(&reply, "X-Two: 2"));
        assert_int_equal(reply.content_len, 3 * QR_TX_SIZE);
        assert_int_equal(strspn(reply.content, "s"), reply.content_len);
        assert_nothing_more();
        assert_true(qr_conn_idle(&conn));
    }
    exchange(HEAD("/static"));
    next_reply_to(true, false);
    assert_true(wire_has_line(&reply, "X-Two: 2"));
    assert_int_equal(reply.length, 3 * QR_TX_SIZE);
    assert_nothing_more();
}

static void test_conn_sends_a_head_longer_than_its_buffer(void **state)
{
    (void)state;
    exchange(GET("/long-head"));
    assert_true(out_len > 3 * QR_TX_SIZE);
    assert_memory_equal(out + out_len - 11, "hh\r\n\r\nwhole", 11);
    assert_true(qr_conn_idle(&conn));
}

static void test_conn_says_of_304_neither_type_nor_length(void **state)
{
    static const char *const requests[] = {GET("/unchanged"), HEAD("/unchanged")};

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        open_conn();
        exchange(requests[i]);
        next_reply_to(true, false); /* no content, as with HEAD */
        assert_int_equal(reply.status, 304);
        assert_true(wire_has_line(&reply, "ETag: W/\"boot-7\""));
        assert_false(wire_has_field(&reply, "Content-Length") || reply.chunked);
        assert_false(wire_has_field(&reply, "Content-Type"));
        assert_nothing_more();
        assert_true(qr_conn_idle(&conn));
    }
}

/* ---- how long callers wait ---- */

static void test_conn_counts_callers_by_the_time_to_their_reply(void **state)
{
    static const struct {
        uint32_t ms;
        size_t bucket;
    } cases[] = {{0, 0}, {1, 0}, {2, 1}, {3, 2}, {100, 6}, {101, 7}, {5000, 11}, {5001, 12}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        open_conn();
        give_text(CALL);
        now.uptime_ms += cases[i].ms;
        take_all();
        for (size_t b = 0; b <= QR_LATENCY_BOUNDS; b++) {
            assert_int_equal(stats.latency[b], b == cases[i].bucket);
        }
        assert_int_equal(stats.latency_sum_ms, cases[i].ms);
        exchange(GET("/echo")); /* no caller's */
        assert_int_equal(stats.latency_sum_ms, cases[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_conn_holds_a_reply_until_there_is_news),
        TEST(test_conn_answers_at_last_without_news),
        TEST(test_conn_holds_no_reply_where_it_may_not_wait),
        TEST(test_conn_answers_requests_behind_one_that_waits_in_order),
        TEST(test_conn_answers_at_once_when_the_client_sends_its_fin),
        TEST(test_conn_answers_at_once_when_waiting_is_to_end),
        TEST(test_conn_stream_says_what_there_is_and_waits),
        TEST(test_conn_stream_has_no_deadline_but_for_each_piece),
        TEST(test_conn_stream_is_not_disturbed_while_a_piece_is_under_way),
        TEST(test_conn_stream_ends_with_the_clients_fin_and_ignores_its_bytes),
        TEST(test_conn_stream_has_room_whatever_came_behind_its_request),
        TEST(test_conn_stream_that_dropped_bytes_is_the_connections_last_reply),
        TEST(test_conn_stream_to_http_1_0_ends_with_our_fin),
        TEST(test_conn_head_of_a_stream_is_its_head),
        TEST(test_conn_sends_more_fields_and_static_content),
        TEST(test_conn_sends_a_head_longer_than_its_buffer),
        TEST(test_conn_says_of_304_neither_type_nor_length),
        TEST(test_conn_counts_callers_by_the_time_to_their_reply),
        TEST(test_conn_serves_one_request_after_another),
        TEST(test_conn_answers_pipelined_requests_in_order_one_at_a_time),
        TEST(test_conn_reads_nothing_while_replying),
        TEST(test_conn_hands_content_over_however_it_is_framed),
        TEST(test_conn_takes_content_of_the_largest_size),
        TEST(test_conn_sends_content_of_all_sizes),
        TEST(test_conn_hands_the_response_over_as_it_is),
        TEST(test_conn_persists_as_version_and_client_say),
        TEST(test_conn_announces_the_close_that_the_server_wants),
        TEST(test_conn_announces_no_close_behind_the_head),
        TEST(test_conn_answers_head_with_the_head_alone),
        TEST(test_conn_goes_on_behind_a_head),
        TEST(test_conn_streams_in_chunks),
        TEST(test_conn_gives_a_producer_room),
        TEST(test_conn_streams_to_http_1_0_until_its_fin),
        TEST(test_conn_sends_its_fin_behind_a_piece_that_was_empty),
        TEST(test_conn_is_done_when_the_client_answers_its_fin),
        TEST(test_conn_continues_a_client_that_waits),
        TEST(test_conn_continues_nobody_who_has_sent_content),
        TEST(test_conn_continues_nobody_who_is_refused_or_sends_none),
        TEST(test_conn_sends_its_reply_behind_a_100_that_is_still_pending),
        TEST(test_conn_closes_behind_an_error),
        TEST(test_conn_serves_nothing_behind_an_error),
        TEST(test_conn_refuses_head_without_content),
        TEST(test_conn_serves_nothing_behind_a_close),
        TEST(test_conn_waits_for_the_clients_fin),
        TEST(test_conn_sends_its_fin_to_a_client_that_sends_none),
        TEST(test_conn_drops_what_comes_while_closing),
        TEST(test_conn_ends_with_the_clients_fin),
        TEST(test_conn_replies_to_a_client_that_has_sent_its_fin),
        TEST(test_conn_refuses_a_dripping_first_head),
        TEST(test_conn_counts_the_first_head_from_accept),
        TEST(test_conn_refuses_a_dripping_later_head),
        TEST(test_conn_counts_a_pipelined_head_from_the_replys_end),
        TEST(test_conn_refuses_dripping_content),
        TEST(test_conn_takes_a_slow_request_within_its_deadlines),
        TEST(test_conn_cuts_off_a_slow_reader),
        TEST(test_conn_gives_each_reply_its_own_deadline),
        TEST(test_conn_closes_an_idle_poller),
        TEST(test_conn_never_closes_an_idle_caller),
        TEST(test_conn_closes_a_fresh_connection_that_sends_nothing),
        TEST(test_conn_counts_empty_lines_as_idleness),
        TEST(test_conn_is_idle_only_between_requests),
        TEST(test_conn_is_fresh_until_it_was_answered),
        TEST(test_conn_gives_the_same_output_however_input_is_cut),
        TEST(test_conn_gives_the_same_output_however_it_is_sent),
        TEST(test_conn_answers_a_mixed_stream),
    };

    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}

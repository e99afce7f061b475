/*
 * The HTTP parser, wherever it is in whatever request: of a parser for which the invariant below
 * holds, each step touches no byte outside, takes at least a byte, and leaves a parser for which it
 * holds, or an error. It holds of a new one, and so always; the length of a request is no bound.
 *
 * Bound: pieces of up to 4 bytes; a target of 8 bytes, an operation ID of 2, content of 5, a head
 * of 64. Not here: the loops that call the steps, in take_head() and qr_http_parse().
 * Assumed: a request of less than 2^31 bytes; of one that is kept, its target stands behind its
 * method.
 *
 * src/syntax.c and src/utf8.c are replaced by what is proved of them in files of their own, with
 * any answer that this leaves open; src/alike.c by one that gives any state that it may be given.
 *
 * CBMC's options: --unwind 25 --unwindset memcpy.0:10,strlen.0:18,take_list.0:6,qr_syntax_skip.0:6
 */
#define QR_TARGET_MAX  8
#define QR_HEAD_MAX    64
#define QR_CONTENT_MAX 5
#include "src/limits.h"
#undef QR_OPERATION_ID_MAX
#define QR_OPERATION_ID_MAX 2

#include "src/syntax.h"
#include "tests/prove/prove.h"

/* Of the other kinds it matters only that no NUL is of them. */
static bool is_of_kind(enum qr_kind kind, char c)
{
    bool any;
    bool digit = c >= '0' && c <= '9';
    bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'f';

    if (kind == QR_DIGIT) {
        return digit;
    }
    if (kind == QR_HEX) {
        return digit || letter;
    }
    return kind == QR_TEXT ? c == '\t' || ((uint8_t)c >= 0x20 && c != 0x7f) : any && c != '\0';
}

#define qr_syntax_is is_of_kind
#include "src/err.c"
#include "src/http.c"

#define PIECE  4
#define PLACES 8 /* within a host; of other things there are fewer */

size_t qr_syntax_skip(enum qr_kind kind, const char *bytes, size_t at, size_t end)
{
    size_t stop;

    assert(at <= end && __CPROVER_r_ok(bytes, end));
    prove_assume(stop >= at && stop <= end);
    prove_assume(kind != QR_TEXT || stop == end || !is_of_kind(kind, bytes[stop]));
    for (size_t i = at; i < stop; i++) {
        prove_assume(bytes[i] != '\0');
    }
    return stop;
}

size_t qr_syntax_skip_text(const char *bytes, size_t at, size_t end)
{
    return qr_syntax_skip(QR_TEXT, bytes, at, end);
}

size_t qr_syntax_find(char c, const char *bytes, size_t at, size_t end)
{
    size_t stop;

    assert(at <= end && __CPROVER_r_ok(bytes, end));
    prove_assume(stop >= at && stop <= end && (stop == end || bytes[stop] == c));
    return stop;
}

size_t qr_syntax_host(uint8_t *place, const char *bytes, size_t at, size_t end)
{
    size_t stop;

    assert(at <= end && __CPROVER_r_ok(bytes, end) && *place <= PLACES);
    prove_assume(stop >= at && stop <= end);
    if (stop != at) {
        uint8_t after;
        prove_assume(after <= PLACES);
        *place = after;
    }
    return stop;
}

bool qr_syntax_host_whole(uint8_t place)
{
    bool any;

    (void)place;
    return any;
}

bool qr_syntax_target(bool asterisk, const char *target, size_t len, size_t *at)
{
    bool good;
    size_t begin;

    (void)asterisk;
    assert(len > 0 && __CPROVER_r_ok(target, len));
    prove_assume(begin <= len);
    for (size_t i = 0; i < begin; i++) {
        prove_assume(!good || target[i] != '?');
    }
    *at = begin;
    return good;
}

size_t qr_utf8_cut(const char *s, size_t len, size_t max)
{
    size_t cut;

    assert(__CPROVER_r_ok(s, len));
    prove_assume(cut <= len && cut <= max);
    return cut;
}

/* ---- the invariant ---- */

static bool target_holds(const struct qr_http *http)
{
    size_t path_end = http->query_at == 0 ? http->target_len : http->query_at - 1u;

    return http->target_len <= QR_TARGET_MAX && http->query_at <= http->target_len &&
           http->path_at <= path_end &&
           (http->query_at == 0 || http->target[http->query_at - 1] == '?') &&
           (http->state != VERSION || http->target_len > 0);
}

/* Of the method, what has come is in text. */
static bool text_holds(const struct qr_http *http)
{
    bool whole = true;

    for (size_t i = 0; i < sizeof http->text; i++) {
        whole &= i >= http->text_len || http->text[i] != '\0' || http->state != METHOD;
    }
    return whole && http->text_len <= sizeof http->text;
}

/* Which phases a state has; what is left of the content has its place. */
static bool content_holds(const struct qr_http *http)
{
    uint32_t limit = content_limit(http);
    size_t len = http->request.content_len;

    if (http->phase == QR_HTTP_DONE) {
        return len <= limit;
    }
    if (http->state <= HEAD_LF) {
        return http->left <= 10 * QR_CONTENT_MAX + 9 && len <= limit &&
               (http->phase == QR_HTTP_CONTENT ? http->state >= NAME && http->chunked : len == 0);
    }
    return http->phase == QR_HTTP_CONTENT && len <= limit && http->left <= limit - len &&
           (http->state == DATA ? http->left > 0 : http->chunked);
}

static bool holds(const struct qr_http *http)
{
    return http->state <= DATA_LF && http->phase <= QR_HTTP_DONE && http->place <= PLACES &&
           http->field <= ACCEPT_ENCODING && http->head_left <= QR_HEAD_MAX &&
           http->ext_bytes <= QR_CHUNK_EXT_MAX && http->kept_len <= sizeof http->kept &&
           target_holds(http) && text_holds(http) && content_holds(http);
}

/* ---- what a head before it has led to ---- */

/* Of a parser's first len bytes. */
static bool may_be_kept(const struct qr_http *http, size_t len)
{
    return http->state == VALUE && http->field == OPERATION_ID && http->phase <= QR_HTTP_HEAD &&
           http->offset == 0 && len <= QR_HEAD_MAX && len > TARGET_AT + http->target_len &&
           holds(http);
}

void qr_alike_keep(const char *bytes, size_t len, const void *state, size_t state_len)
{
    assert(__CPROVER_r_ok(bytes, len) && state_len == offsetof(struct qr_http, text));
    assert(may_be_kept(state, len));
}

size_t qr_alike_find(const char *bytes, size_t len, void *state, size_t state_len)
{
    struct qr_http any, *http = state;
    size_t found;

    assert(__CPROVER_r_ok(bytes, len) && state_len == offsetof(struct qr_http, text));
    prove_assume(found <= len);
    if (found != 0) {
        any.content = http->content;
        any.content_cap = http->content_cap;
        *http = any;
        prove_assume(may_be_kept(http, found));
        for (size_t i = 0; i < http->target_len; i++) {
            prove_assume(bytes[TARGET_AT + i] == http->target[i]);
        }
    }
    return found;
}

/* Any parser that waits for bytes. Its content buffer has the array's last bytes. */
static void any_http(struct qr_http *http, char *content)
{
    prove_assume(http->content_cap <= QR_CONTENT_MAX + 1);
    http->content = content + QR_CONTENT_MAX + 1 - http->content_cap;
    http->request.path = NULL;
    http->request.query = NULL;
    prove_assume(holds(http) && http->phase != QR_HTTP_DONE && http->offset >> 31 == 0);
}

/* What must hold of what a call left that took the bytes from at to before stop. */
static void assert_step(const struct qr_http *http, size_t at, int stop, size_t end)
{
    const struct qr_request *request = &http->request;

    if (stop < 0) {
        assert(http->fault.err == stop);
        return;
    }
    assert((size_t)stop > at && (size_t)stop <= end);
    assert(holds(http));
    if (request->path != NULL) { /* these bytes ended the head */
        assert(__CPROVER_r_ok(request->path, request->path_len));
        assert(request->query == NULL || __CPROVER_r_ok(request->query, request->query_len));
    }
}

PROOF(http_init, "a new parser")
{
    char content[QR_CONTENT_MAX];
    struct qr_http http;

    qr_http_init(&http, content, sizeof content);
    assert(holds(&http) && http.phase == QR_HTTP_IDLE && http.request.path == NULL);
}

PROOF(http_alike, "any new request that begins as one before it")
{
    char content[QR_CONTENT_MAX + 1], bytes[QR_HEAD_MAX];
    struct qr_http http;
    size_t len;

    any_http(&http, content);
    prove_assume(len <= sizeof bytes);
    size_t skipped = skip_alike(&http, bytes + sizeof bytes - len, len);
    assert(skipped <= len && holds(&http));
    assert(skipped == 0 || http.head_left == QR_HEAD_MAX - skipped);
}

/* A step in this state of the head, in this field's line. */
static void prove_head(enum state state, enum field field)
{
    char content[QR_CONTENT_MAX + 1], bytes[PIECE];
    struct qr_http http;
    size_t at, end;

    http.state = (uint8_t)state;
    http.field = (uint8_t)field;
    any_http(&http, content);
    prove_assume(at < end && end <= PIECE);
    int stop = head_step(&http, bytes + PIECE - end, at, end);
    assert_step(&http, at, stop, end);
}

#define HEAD_PROOF(name, bound, state, field)                                                      \
    PROOF(name, bound)                                                                             \
    {                                                                                              \
        prove_head(state, field);                                                                  \
    }

HEAD_PROOF(http_method, "any step in a method", METHOD, UNKNOWN)
HEAD_PROOF(http_empty_lf, "any step in an empty line before it", EMPTY_LF, UNKNOWN)
HEAD_PROOF(http_target, "any step in a target", TARGET, UNKNOWN)
HEAD_PROOF(http_version, "any step in a version", VERSION, UNKNOWN)
HEAD_PROOF(http_version_lf, "any step in the end of a request line", VERSION_LF, UNKNOWN)
HEAD_PROOF(http_name, "any step in a field's name", NAME, UNKNOWN)
HEAD_PROOF(http_unknown, "any step in an unknown field's value", VALUE, UNKNOWN)
HEAD_PROOF(http_host, "any step in a Host", VALUE, HOST)
HEAD_PROOF(http_length, "any step in a Content-Length", VALUE, LENGTH)
HEAD_PROOF(http_list, "any step in a list of codings", VALUE, TRANSFER)
HEAD_PROOF(http_id, "any step in an operation ID", VALUE, OPERATION_ID)
HEAD_PROOF(http_unknown_lf, "any step in an unknown field's end", VALUE_LF, UNKNOWN)
HEAD_PROOF(http_host_lf, "any step in a Host's end", VALUE_LF, HOST)
HEAD_PROOF(http_length_lf, "any step in a Content-Length's end", VALUE_LF, LENGTH)
HEAD_PROOF(http_codings_lf, "any step in the end of a list of codings", VALUE_LF, TRANSFER)
HEAD_PROOF(http_coding_lf, "any step in a Content-Encoding's end", VALUE_LF, CODING)
HEAD_PROOF(http_connection_lf, "any step in a Connection's end", VALUE_LF, CONNECTION)
HEAD_PROOF(http_expect_lf, "any step in an Expect's end", VALUE_LF, EXPECT)
HEAD_PROOF(http_accept_lf, "any step in an Accept-Encoding's end", VALUE_LF, ACCEPT_ENCODING)
HEAD_PROOF(http_tag_lf, "any step in an If-None-Match's end", VALUE_LF, IF_NONE_MATCH)
HEAD_PROOF(http_event_lf, "any step in a Last-Event-ID's end", VALUE_LF, LAST_EVENT_ID)
HEAD_PROOF(http_id_lf, "any step in an operation ID's end", VALUE_LF, OPERATION_ID)
HEAD_PROOF(http_head_lf, "any step in the end of a head or of trailers", HEAD_LF, UNKNOWN)

PROOF(http_content, "any step in a content")
{
    char content[QR_CONTENT_MAX + 1], bytes[PIECE];
    struct qr_http http;
    size_t at, end;

    any_http(&http, content);
    prove_assume(http.state > HEAD_LF && at < end && end <= PIECE);
    int stop = take_content(&http, bytes + PIECE - end, at, end);
    assert_step(&http, at, stop, end);
}

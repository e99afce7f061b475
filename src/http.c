/*
 * A machine of states. Each step takes a run of bytes of one kind, as far as the piece at hand
 * goes, or the one byte that ends a run; so it does not matter where the stream was cut. The states
 * called …_LF wait for the LF behind a CR.
 *
 *   METHOD -> TARGET -> VERSION -> VERSION_LF -> NAME -> VALUE -> VALUE_LF -> NAME …
 *   METHOD -> EMPTY_LF -> METHOD                 NAME -> HEAD_LF -> DATA (of a known length)
 *                                                                -> CHUNK_SIZE (chunked)
 *                                                                -> the end (none, or trailers)
 *   CHUNK_SIZE [-> CHUNK_EXT] -> CHUNK_LF -> DATA -> DATA_CR -> DATA_LF -> CHUNK_SIZE …
 *                                         -> NAME (size 0: trailers)
 *
 * Where RFC 9112 lets a server choose between repairing and refusing, this one refuses: two readers
 * of one stream that repair it differently are what request smuggling is made of (section 11.2).
 */
#include "http.h"

#include <assert.h>
#include <string.h>

#include "alike.h"
#include "syntax.h"
#include "utf8.h"

_Static_assert(offsetof(struct qr_http, text) <= QR_ALIKE_STATE_MAX,
               "what stands before it is kept");

enum state {
    METHOD, /* the first: see qr_http_next() */
    EMPTY_LF,
    TARGET,
    VERSION,
    VERSION_LF,
    NAME,
    VALUE,
    VALUE_LF,
    HEAD_LF, /* the last one whose bytes count against QR_HEAD_MAX */
    CHUNK_SIZE,
    CHUNK_EXT,
    CHUNK_LF,
    DATA,
    DATA_CR,
    DATA_LF
};

/* The functions below get the bytes at hand, and which of them: from `at` to before `end`. Those
 * called take_… return where they stopped, or an error; the others 0 or an error. */

static int fail(struct qr_http *http, size_t at, enum qr_err err)
{
    return qr_fault_at(&http->fault, err, "request", http->offset + (uint32_t)at);
}

/* A byte that does not belong where it stands. A line's end that is no CRLF is named as such. */
static int refuse(struct qr_http *http, const char *bytes, size_t at, enum qr_err err)
{
    return fail(http, at, bytes[at] == '\n' ? QR_ERR_LINE_ENDING : err);
}

static void enter(struct qr_http *http, enum state state)
{
    http->state = (uint8_t)state;
    http->text_len = 0;
    http->place = 0;
    http->gap = false;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- words: read where they stand, or put together in text where they were cut ---- */

struct word {
    const char *bytes;
    size_t len;
};

static void keep(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    size_t room = sizeof http->text - http->text_len;
    size_t len = end - at < room ? end - at : room;

    memcpy(http->text + http->text_len, bytes + at, len);
    http->text_len += (uint8_t)len;
}

/* The one that ends before `end`. */
static struct word whole_word(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    if (http->text_len == 0) {
        return (struct word){bytes + at, end - at};
    }
    keep(http, bytes, at, end);
    return (struct word){http->text, http->text_len};
}

static uint32_t four(const char *bytes)
{
    uint32_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Whether four bytes are those of a known word, in any case: letters are those of its bytes that
 * have 0x40, and their case is 0x20. */
static bool is_known_four(const char *bytes, const char *known)
{
    uint32_t letters = four(known) & 0x40404040;

    return ((four(bytes) ^ four(known)) & ~(letters >> 1)) == 0;
}

/* Whether it is the known word of the same length, in any case. By four bytes at a time, the last
 * four perhaps once more: no word that we know is shorter. */
static bool is_known(struct word word, const char *known)
{
    size_t last = word.len - 4;

    for (size_t i = 0; i < last; i += 4) {
        if (!is_known_four(word.bytes + i, known + i)) {
            return false;
        }
    }
    return is_known_four(word.bytes + last, known + last);
}

/* ---- request line (RFC 9112 section 3) ---- */

/* CONNECT is as unknown as any other word: it asks for a tunnel, and what comes behind its head has
 * no framing that two readers must agree about (RFC 9110 section 9.3.6). */
static int method_end(struct qr_http *http, size_t at, struct word word)
{
    static const struct {
        char name[8];
        uint8_t method;
        bool asterisk;
    } methods[] = {
        {"POST", QR_METHOD_POST, false},    {"GET", QR_METHOD_GET, false},
        {"HEAD", QR_METHOD_HEAD, false},    {"PUT", QR_METHOD_OTHER, false},
        {"DELETE", QR_METHOD_OTHER, false}, {"TRACE", QR_METHOD_OTHER, false},
        {"PATCH", QR_METHOD_OTHER, false},  {"OPTIONS", QR_METHOD_OTHER, true},
    };

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strncmp(methods[i].name, word.bytes, word.len) == 0 &&
            methods[i].name[word.len] == '\0') {
            http->request.method = (enum qr_method)methods[i].method;
            http->asterisk = methods[i].asterisk;
            enter(http, TARGET);
            return 0;
        }
    }
    return fail(http, at, QR_ERR_METHOD_UNKNOWN);
}

/* Section 2.2: an empty line before a request line is the tail of a sloppy client's last one. */
static int take_method(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    size_t stop = qr_syntax_skip(QR_TOKEN, bytes, at, end);
    size_t room = sizeof http->text - http->text_len;

    if (stop - at > room) {
        return fail(http, at + room, QR_ERR_METHOD_UNKNOWN);
    }
    if (stop != at) {
        http->phase = QR_HTTP_HEAD;
    }
    if (stop == end) {
        keep(http, bytes, at, end);
        return (int)end;
    }
    if (bytes[stop] == '\r' && http->phase == QR_HTTP_IDLE) {
        http->state = EMPTY_LF;
        return (int)stop + 1;
    }
    if (bytes[stop] != ' ' || http->phase == QR_HTTP_IDLE) {
        return refuse(http, bytes, stop, QR_ERR_REQUEST_LINE);
    }
    int err = method_end(http, stop, whole_word(http, bytes, at, stop));
    return err < 0 ? err : (int)stop + 1;
}

static int target_fault(struct qr_http *http, size_t at)
{
    return qr_fault_at(&http->fault, QR_ERR_TARGET, "target", (uint32_t)at);
}

static int target_end(struct qr_http *http)
{
    size_t at;

    if (!qr_syntax_target(http->asterisk, http->target, http->target_len, &at)) {
        return target_fault(http, at);
    }
    if (at != 0 && http->target[4] != ':') { /* https: RFC 9110 section 7.4 */
        return qr_fault_at(&http->fault, QR_ERR_MISDIRECTED, "target", 0);
    }
    http->path_at = (uint16_t)at;
    enter(http, VERSION);
    return 0;
}

/* When the head is whole. */
static void tell_target(struct qr_http *http)
{
    struct qr_request *request = &http->request;
    size_t end = http->target_len;

    if (http->query_at != 0) {
        request->query = http->target + http->query_at;
        request->query_len = end - http->query_at;
        end = http->query_at - 1u;
    }
    request->path = http->target + http->path_at;
    request->path_len = end - http->path_at;
    if (http->path_at == end) { /* only in absolute-form; RFC 9110 section 4.2.3 */
        request->path = "/";
        request->path_len = 1;
    }
}

/* Whether a byte that ends a run may stand in a target; place counts the hex digits that a % still
 * needs. */
static bool target_takes(struct qr_http *http, char c)
{
    if (http->place != 0) {
        http->place--;
        return qr_syntax_is(QR_HEX, c);
    }
    if (c == '%') {
        http->place = 2;
    } else if (c == '?' && http->query_at == 0) {
        http->query_at = (uint16_t)(http->target_len + 1);
    }
    return c == '%' || c == '?';
}

static int target_byte(struct qr_http *http, const char *bytes, size_t at)
{
    char c = bytes[at];

    if (c == '\r' || c == '\n' || (c == ' ' && http->target_len == 0)) {
        return refuse(http, bytes, at, QR_ERR_REQUEST_LINE);
    }
    if (c == ' ' && http->place == 0) {
        return target_end(http);
    }
    if (http->target_len == QR_TARGET_MAX) {
        return qr_fault_limit(&http->fault, QR_ERR_TARGET_TOO_LONG, "target", QR_TARGET_MAX);
    }
    if (!target_takes(http, c)) {
        return target_fault(http, http->target_len);
    }
    http->target[http->target_len++] = c;
    return 0;
}

static int take_target(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    size_t room = QR_TARGET_MAX - http->target_len;
    size_t most = end - at < room ? end : at + room;
    size_t stop = http->place != 0 ? at : qr_syntax_skip(QR_TARGET, bytes, at, most);

    memcpy(http->target + http->target_len, bytes + at, stop - at);
    http->target_len += (uint16_t)(stop - at);
    if (stop == end) {
        return (int)end;
    }
    int err = target_byte(http, bytes, stop);
    return err < 0 ? err : (int)stop + 1;
}

/* Where the usual version came in one piece: takes it at once. */
static size_t take_usual_version(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    if (http->text_len != 0 || end - at < 8 || four(bytes + at) != four("HTTP") ||
        four(bytes + at + 4) != four("/1.1")) {
        return at;
    }
    memcpy(http->text, bytes + at, 8);
    http->text_len = 8;
    return at + 8;
}

static int take_version(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    static const char form[] = "HTTP/0.0"; /* 0: a digit */

    at = take_usual_version(http, bytes, at, end);
    size_t n = http->text_len;
    for (; at < end && n < sizeof form - 1; at++, n++) {
        if (bytes[at] != form[n] && (form[n] != '0' || !qr_syntax_is(QR_DIGIT, bytes[at]))) {
            return refuse(http, bytes, at, QR_ERR_VERSION);
        }
        http->text[n] = bytes[at];
    }
    http->text_len = (uint8_t)n;
    if (at == end) {
        return (int)end;
    }
    if (bytes[at] != '\r') {
        return refuse(http, bytes, at, QR_ERR_VERSION);
    }
    if (http->text[5] != '1') {
        return fail(http, at, QR_ERR_VERSION_UNSUPPORTED);
    }
    http->request.minor_version = http->text[7] != '0';
    http->state = VERSION_LF;
    return (int)at + 1;
}

/* ---- fields that we know: each has a function for a piece of its value, or shares it ---- */

enum field {
    UNKNOWN,
    HOST,
    LENGTH,
    TRANSFER,
    CODING,
    CONNECTION,
    EXPECT,
    OPERATION_ID, /* from here on the value is kept … */
    IF_NONE_MATCH,
    LAST_EVENT_ID, /* … to here */
    ACCEPT_ENCODING,
    USER_AGENT, /* from here on: it says nothing to us, but comes so often that it is known sooner
                 */
    CONTENT_TYPE,
    ACCEPT
};

static const struct {
    const char *name;
    size_t len;
    enum qr_err err; /* malformed, or there twice (RFC 9112 sections 3.2, 6.3); OK: may be */
} fields[] = {
#define NAME(name) (name), sizeof(name) - 1
    [HOST] = {NAME("host"), QR_ERR_HOST},
    [LENGTH] = {NAME("content-length"), QR_ERR_CONTENT_LENGTH},
    [TRANSFER] = {NAME("transfer-encoding"), QR_OK},
    [CODING] = {NAME("content-encoding"), QR_OK},
    [CONNECTION] = {NAME("connection"), QR_OK},
    [EXPECT] = {NAME("expect"), QR_OK},
    [OPERATION_ID] = {NAME("operationid"), QR_OK},
    [IF_NONE_MATCH] = {NAME("if-none-match"), QR_OK},
    [LAST_EVENT_ID] = {NAME("last-event-id"), QR_OK},
    [ACCEPT_ENCODING] = {NAME("accept-encoding"), QR_OK},
    [USER_AGENT] = {NAME("user-agent"), QR_OK},
    [CONTENT_TYPE] = {NAME("content-type"), QR_OK},
    [ACCEPT] = {NAME("accept"), QR_OK},
#undef NAME
};

/* No two names have the same sum of their length and their first letter's place in the alphabet,
 * modulo 32: that is where to look. None has fewer than four bytes. */
#define PLACE(len, letter) (((len) + ((unsigned char)(letter)&31u)) & 31u)
static const uint8_t field_by_place[32] = {
    [PLACE(sizeof "host" - 1, 'h')] = HOST,
    [PLACE(sizeof "content-length" - 1, 'c')] = LENGTH,
    [PLACE(sizeof "transfer-encoding" - 1, 't')] = TRANSFER,
    [PLACE(sizeof "content-encoding" - 1, 'c')] = CODING,
    [PLACE(sizeof "connection" - 1, 'c')] = CONNECTION,
    [PLACE(sizeof "expect" - 1, 'e')] = EXPECT,
    [PLACE(sizeof "operationid" - 1, 'o')] = OPERATION_ID,
    [PLACE(sizeof "if-none-match" - 1, 'i')] = IF_NONE_MATCH,
    [PLACE(sizeof "last-event-id" - 1, 'l')] = LAST_EVENT_ID,
    [PLACE(sizeof "accept-encoding" - 1, 'a')] = ACCEPT_ENCODING,
    [PLACE(sizeof "user-agent" - 1, 'u')] = USER_AGENT,
    [PLACE(sizeof "content-type" - 1, 'c')] = CONTENT_TYPE,
    [PLACE(sizeof "accept" - 1, 'a')] = ACCEPT,
};

/* A callback is not asked for what a poll may say, nor the other way. */
static bool concerns(enum field field, enum qr_method method)
{
    bool poll = method == QR_METHOD_GET || method == QR_METHOD_HEAD;

    return field < OPERATION_ID || (poll == (field != OPERATION_ID) && field < USER_AGENT);
}

static enum field find_field(struct word name)
{
    enum field field = (enum field)field_by_place[PLACE(name.len, name.bytes[0])];

    return field != UNKNOWN && name.len == fields[field].len && is_known(name, fields[field].name)
               ? field
               : UNKNOWN;
}

static bool has(const struct qr_http *http, enum field field)
{
    return (http->seen >> field & 1) != 0;
}

/* RFC 9110 section 7.2 */
static size_t skip_host(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    for (; at < end; at++) {
        if (!http->gap) {
            at = qr_syntax_host(&http->place, bytes, at, end);
        }
        if (at == end || !is_ows(bytes[at])) {
            return at;
        }
        http->gap = http->place != 0;
    }
    return end;
}

/* RFC 9110 section 8.6. Stops counting past the limit, so that no number of digits overflows. */
static size_t skip_length(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    for (; at < end; at++) {
        if (is_ows(bytes[at])) {
            http->gap = http->place != 0;
        } else if (http->gap || !qr_syntax_is(QR_DIGIT, bytes[at])) {
            return at;
        } else {
            http->place = 1;
            if (http->left <= QR_CONTENT_MAX) {
                http->left = http->left * 10 + (uint32_t)(bytes[at] - '0');
            }
        }
    }
    return end;
}

static bool text_is(const struct qr_http *http, const char *known)
{
    return http->text_len == strlen(known) &&
           is_known((struct word){http->text, http->text_len}, known);
}

static int list_element(struct qr_http *http, size_t at)
{
    enum qr_err err = QR_OK;

    if (http->text_len == 0) {
        return 0;
    }
    switch (http->field) {
    case TRANSFER: /* RFC 9112 section 7: chunked comes last and once, so nothing may follow it */
        err = http->chunked ? QR_ERR_TRANSFER_ENCODING : QR_OK;
        http->chunked = text_is(http, "chunked");
        http->coding_unknown |= !http->chunked;
        break;
    case CODING: err = text_is(http, "identity") ? QR_OK : QR_ERR_CONTENT_CODING; break;
    case EXPECT:
        http->request.expect_continue = true;
        err = text_is(http, "100-continue") ? QR_OK : QR_ERR_EXPECTATION;
        break;
    case ACCEPT_ENCODING: http->request.takes_gzip |= text_is(http, "gzip"); break;
    default: /* CONNECTION */
        http->close_wanted |= text_is(http, "close");
        http->keep_wanted |= text_is(http, "keep-alive");
        break;
    }
    return err == QR_OK ? 0 : fail(http, at, err);
}

/* RFC 9110 section 5.6.1. No word that we know has white space in it, or fills text. */
static int take_list(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    for (; at < end && qr_syntax_is(QR_TEXT, bytes[at]); at++) {
        if (bytes[at] == ',') {
            int err = list_element(http, at);
            if (err < 0) {
                return err;
            }
            enter(http, VALUE);
        } else if (is_ows(bytes[at])) {
            http->gap = http->text_len != 0;
        } else if (http->gap) {
            http->text_len = sizeof http->text;
        } else {
            keep(http, bytes, at, at + 1);
        }
    }
    return (int)at;
}

/* Of what does not fit, only the white space at the end may be missing. */
static size_t skip_kept(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    size_t stop = qr_syntax_skip_text(bytes, at, end);

    while (at < stop && http->kept_len == 0 && is_ows(bytes[at])) {
        at++;
    }
    size_t room = sizeof http->kept - http->kept_len;
    size_t len = stop - at < room ? stop - at : room;
    memcpy(http->kept + http->kept_len, bytes + at, len);
    http->kept_len += (uint8_t)len;
    for (at += len; at < stop; at++) {
        http->kept_cut |= !is_ows(bytes[at]);
    }
    return stop;
}

/* Of an operation ID as much as there is room for: people look for it. Of others all or nothing. */
static void kept_end(struct qr_http *http)
{
    struct qr_request *request = &http->request;
    size_t len = http->kept_len;

    while (len > 0 && is_ows(http->kept[len - 1])) {
        len--;
    }
    http->kept_cut |= len > QR_OPERATION_ID_MAX;
    if (http->field == OPERATION_ID) {
        request->operation_id_cut = http->kept_cut;
        request->operation_id_len = qr_utf8_cut(http->kept, len, QR_OPERATION_ID_MAX);
        return;
    }
    struct qr_span value = {http->kept, http->kept_cut ? 0 : len};
    *(http->field == LAST_EVENT_ID ? &request->last_event_id : &request->if_none_match) = value;
}

/* How far the value goes on as it should. */
static int take_known(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    switch (http->field) {
    case UNKNOWN: return (int)qr_syntax_skip_text(bytes, at, end);
    case HOST: return (int)skip_host(http, bytes, at, end);
    case LENGTH: return (int)skip_length(http, bytes, at, end);
    case OPERATION_ID:
    case IF_NONE_MATCH:
    case LAST_EVENT_ID: return (int)skip_kept(http, bytes, at, end);
    default: return take_list(http, bytes, at, end);
    }
}

static int value_end(struct qr_http *http, size_t at)
{
    bool whole = true;

    switch (http->field) {
    case UNKNOWN: break;
    case HOST: whole = qr_syntax_host_whole(http->place); break;
    case LENGTH: whole = http->place != 0; break;
    case OPERATION_ID:
    case IF_NONE_MATCH:
    case LAST_EVENT_ID: kept_end(http); break;
    default: return list_element(http, at);
    }
    return whole ? 0 : fail(http, at, fields[http->field].err);
}

/* ---- field lines and trailers (RFC 9112 sections 5 and 7.1.2) ---- */

/* Whether the value is not to be kept: one of that name was, or, since there is room for one, that
 * of a field that matters more. */
static bool is_kept_out(const struct qr_http *http, enum field field)
{
    return field >= OPERATION_ID && field <= LAST_EVENT_ID &&
           (has(http, field) || has(http, LAST_EVENT_ID));
}

static void begin_kept(struct qr_http *http)
{
    http->kept_len = 0;
    http->kept_cut = false;
    http->request.if_none_match.len = 0;
}

/* Trailers are dropped, as unknown fields are. */
static int name_end(struct qr_http *http, size_t at, enum field field)
{
    if (http->phase == QR_HTTP_CONTENT || !concerns(field, http->request.method) ||
        is_kept_out(http, field)) {
        field = UNKNOWN;
    }
    if (has(http, field) && fields[field].err != QR_OK) {
        return fail(http, at, fields[field].err);
    }
    if (field >= OPERATION_ID && field <= LAST_EVENT_ID) {
        begin_kept(http);
    }
    http->seen |= (uint16_t)(1u << field);
    http->field = (uint8_t)field;
    enter(http, VALUE);
    return 0;
}

/* Behind a CR. */
static int take_lf(struct qr_http *http, const char *bytes, size_t at, enum state next)
{
    if (bytes[at] != '\n') {
        return fail(http, at, QR_ERR_LINE_ENDING);
    }
    enter(http, next);
    return (int)at + 1;
}

static int take_value_lf(struct qr_http *http, const char *bytes, size_t at)
{
    int err = bytes[at] == '\n' ? value_end(http, at) : 0;

    return err < 0 ? err : take_lf(http, bytes, at, NAME);
}

static int take_value(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    int stop = take_known(http, bytes, at, end);

    if (stop < 0 || (size_t)stop == end) {
        return stop;
    }
    at = (size_t)stop;
    if (bytes[at] == '\r') {
        http->state = VALUE_LF; /* what the value left in text and place still counts */
        return at + 1 < end ? take_value_lf(http, bytes, at + 1) : stop + 1;
    }
    return qr_syntax_is(QR_TEXT, bytes[at]) ? fail(http, at, fields[http->field].err)
                                            : refuse(http, bytes, at, QR_ERR_FIELD_VALUE);
}

/* ---- heads that begin alike: a caller's do, up to the operation ID ---- */

static const char alike_method[] = "POST ";
#define TARGET_AT (sizeof alike_method - 1)

/* What is a parser's own, and no other's, of a request that has just begun. */
static void own(struct qr_http *http)
{
    http->request.operation_id = http->kept;
    http->request.content = http->content;
}

/* A request's first len bytes have led to the value of its operation ID. */
static void keep_alike(const struct qr_http *http, const char *bytes, size_t len)
{
    if (http->request.method == QR_METHOD_POST && bytes[0] == alike_method[0] &&
        len > TARGET_AT + http->target_len && len <= QR_HEAD_MAX) {
        qr_alike_keep(bytes, len, http, offsetof(struct qr_http, text));
    }
}

/* Returns how many bytes of a new request need not be read; 0: it begins otherwise, or has begun.
 */
static size_t skip_alike(struct qr_http *http, const char *bytes, size_t len)
{
    if (http->phase != QR_HTTP_IDLE || http->offset != 0) {
        return 0;
    }
    size_t skipped = qr_alike_find(bytes, len, http, offsetof(struct qr_http, text));
    if (skipped != 0) {
        own(http);
        memcpy(http->target, bytes + TARGET_AT, http->target_len);
        http->head_left = QR_HEAD_MAX - (uint32_t)skipped;
    }
    return skipped;
}

/* ---- the name of a field line ---- */

/* The known field whose name came in one piece and ends at *stop: nothing else of it need be looked
 * at. */
static enum field find_whole_name(const struct qr_http *http, const char *bytes, size_t at,
                                  size_t end, size_t *stop)
{
    if (http->text_len != 0 || bytes[at] == '\r') {
        return UNKNOWN;
    }
    *stop = qr_syntax_find(':', bytes, at, end);
    return *stop == end ? UNKNOWN : find_field((struct word){bytes + at, *stop - at});
}

/* At the colon behind a name. */
static int take_colon(struct qr_http *http, const char *bytes, size_t at, enum field field)
{
    int err = name_end(http, at, field);

    if (err < 0) {
        return err;
    }
    if (http->field == OPERATION_ID && http->offset == 0) {
        keep_alike(http, bytes, at + 1);
    }
    return (int)at + 1;
}

/* White space is no part of a token: none before the colon, no folded lines (section 5.2). */
static int take_other_name(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    size_t stop = qr_syntax_skip(QR_TOKEN, bytes, at, end);

    if (stop == end) {
        keep(http, bytes, at, end);
        return (int)end;
    }
    struct word name = whole_word(http, bytes, at, stop);
    if (bytes[stop] == '\r' && name.len == 0) {
        http->state = HEAD_LF;
        return (int)stop + 1;
    }
    if (bytes[stop] != ':' || name.len == 0) {
        return refuse(http, bytes, stop, QR_ERR_FIELD_NAME);
    }
    return take_colon(http, bytes, stop, find_field(name));
}

static int take_name(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    size_t stop = at;
    enum field field = find_whole_name(http, bytes, at, end, &stop);

    return field == UNKNOWN ? take_other_name(http, bytes, at, end)
                            : take_colon(http, bytes, stop, field);
}

static uint32_t content_limit(const struct qr_http *http)
{
    return http->content_cap < QR_CONTENT_MAX ? (uint32_t)http->content_cap : QR_CONTENT_MAX;
}

static int content_too_large(struct qr_http *http)
{
    return qr_fault_limit(&http->fault, QR_ERR_CONTENT_TOO_LARGE, "content", content_limit(http));
}

/* Sections 3.2, 6.1 and 6.3: what the fields say together. */
static int check_head(struct qr_http *http, size_t at)
{
    uint8_t minor = http->request.minor_version;

    if (minor != 0 && !has(http, HOST)) {
        return fail(http, at, QR_ERR_HOST);
    }
    if (has(http, TRANSFER) && (minor == 0 || has(http, LENGTH) || !http->chunked)) {
        return fail(http, at, QR_ERR_TRANSFER_ENCODING);
    }
    if (http->coding_unknown) {
        return fail(http, at, QR_ERR_TRANSFER_CODING);
    }
    return http->left > content_limit(http) ? content_too_large(http) : 0;
}

static int head_end(struct qr_http *http, size_t at)
{
    struct qr_request *request = &http->request;

    if (http->phase == QR_HTTP_CONTENT) { /* these were trailers */
        http->phase = QR_HTTP_DONE;
        return 0;
    }
    tell_target(http);
    if (request->minor_version == 0) {
        request->expect_continue = false;
        http->close_wanted |= !http->keep_wanted;
    }
    request->keep_alive = !http->close_wanted;
    if (http->chunked || http->left != 0) {
        http->phase = QR_HTTP_CONTENT;
    } else {
        http->phase = QR_HTTP_DONE;
        request->expect_continue = false;
    }
    return check_head(http, at);
}

static int take_head_lf(struct qr_http *http, const char *bytes, size_t at)
{
    int stop = take_lf(http, bytes, at, http->chunked ? CHUNK_SIZE : DATA);
    int err = stop < 0 ? stop : head_end(http, at);

    return err < 0 ? err : stop;
}

static int head_step(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    switch (http->state) {
    case METHOD: return take_method(http, bytes, at, end);
    case TARGET: return take_target(http, bytes, at, end);
    case VERSION: return take_version(http, bytes, at, end);
    case NAME: return take_name(http, bytes, at, end);
    case VALUE: return take_value(http, bytes, at, end);
    case EMPTY_LF: return take_lf(http, bytes, at, METHOD);
    case VERSION_LF: return take_lf(http, bytes, at, NAME);
    case VALUE_LF: return take_value_lf(http, bytes, at);
    default: return take_head_lf(http, bytes, at);
    }
}

/* ---- chunked content (RFC 9112 section 7.1) ---- */

static int take_extension(struct qr_http *http, size_t at)
{
    if (++http->ext_bytes > QR_CHUNK_EXT_MAX) {
        return qr_fault_limit(&http->fault, QR_ERR_CHUNK_EXT_TOO_LARGE, "chunk extensions",
                              QR_CHUNK_EXT_MAX);
    }
    return (int)at + 1;
}

/* Extensions mean nothing to us; section 7.1.1 wants them ignored and bounded. They begin with a
 * semicolon (place 2: it has come), perhaps behind white space. */
static int take_chunk_ext(struct qr_http *http, const char *bytes, size_t at)
{
    char c = bytes[at];

    if (c == '\r' && http->place == 2) {
        http->state = CHUNK_LF;
        return (int)at + 1;
    }
    if (c == ';') {
        http->place = 2;
    }
    if (!is_ows(c) && (!qr_syntax_is(QR_TEXT, c) || http->place != 2)) {
        return refuse(http, bytes, at, QR_ERR_CHUNK);
    }
    return take_extension(http, at);
}

/* left is at most the limit before each digit, so it cannot overflow. */
static int take_size_digit(struct qr_http *http, const char *bytes, size_t at)
{
    char c = bytes[at];
    bool needless = http->place != 0 && http->left == 0; /* zeros came before it */
    int value = qr_syntax_is(QR_DIGIT, c) ? c - '0' : (c | 0x20) - 'a' + 10;

    http->place = 1;
    http->left = http->left * 16 + (uint32_t)value;
    if (http->left > content_limit(http) - http->request.content_len) {
        return content_too_large(http);
    }
    return needless ? take_extension(http, at) : (int)at + 1;
}

static int take_chunk_size(struct qr_http *http, const char *bytes, size_t at)
{
    if (qr_syntax_is(QR_HEX, bytes[at])) {
        return take_size_digit(http, bytes, at);
    }
    if (http->place == 0) {
        return refuse(http, bytes, at, QR_ERR_CHUNK);
    }
    http->state = bytes[at] == '\r' ? CHUNK_LF : CHUNK_EXT;
    return http->state == CHUNK_LF ? (int)at + 1 : take_chunk_ext(http, bytes, at);
}

static int take_data(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    struct qr_request *request = &http->request;
    size_t len = end - at < http->left ? end - at : http->left;

    memcpy(http->content + request->content_len, bytes + at, len);
    request->content_len += len;
    http->left -= (uint32_t)len;
    if (http->left == 0 && http->chunked) {
        http->state = DATA_CR;
    } else if (http->left == 0) {
        http->phase = QR_HTTP_DONE;
    }
    return (int)(at + len);
}

/* ---- the machine ---- */

/* As far as the head, or the trailers, go. */
static int take_head(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    size_t most = end - at < http->head_left ? end : at + http->head_left;
    size_t start = at;

    if (most == at) {
        return qr_fault_limit(&http->fault, QR_ERR_HEAD_TOO_LARGE, "head", QR_HEAD_MAX);
    }
    while (at < most && http->state <= HEAD_LF) {
        int stop = head_step(http, bytes, at, most);
        if (stop < 0) {
            return stop;
        }
        at = (size_t)stop;
    }
    http->head_left -= (uint32_t)(at - start);
    return (int)at;
}

static int take_content(struct qr_http *http, const char *bytes, size_t at, size_t end)
{
    switch (http->state) {
    case CHUNK_SIZE: return take_chunk_size(http, bytes, at);
    case CHUNK_EXT: return take_chunk_ext(http, bytes, at);
    case CHUNK_LF: return take_lf(http, bytes, at, http->left == 0 ? NAME : DATA);
    case DATA: return take_data(http, bytes, at, end);
    case DATA_CR:
        http->state = DATA_LF;
        return bytes[at] == '\r' ? (int)at + 1 : fail(http, at, QR_ERR_CHUNK);
    default: return take_lf(http, bytes, at, CHUNK_SIZE);
    }
}

int qr_http_parse(struct qr_http *http, const char *bytes, size_t len)
{
    enum qr_http_phase before = http->phase;
    size_t at = 0;

    assert(len <= INT32_MAX);
    if (http->phase == QR_HTTP_FAILED) {
        return http->fault.err;
    }
    at = skip_alike(http, bytes, len);
    while (at < len && http->phase != QR_HTTP_DONE) {
        int stop = http->state <= HEAD_LF ? take_head(http, bytes, at, len)
                                          : take_content(http, bytes, at, len);
        if (stop < 0) {
            http->phase = QR_HTTP_FAILED;
            return stop;
        }
        at = (size_t)stop;
        if (before != QR_HTTP_CONTENT && http->phase == QR_HTTP_CONTENT &&
            http->request.expect_continue) {
            break; /* it is time to send a 100 */
        }
    }
    http->offset += (uint32_t)at;
    return (int)at;
}

void qr_http_next(struct qr_http *http)
{
    memset(http, 0, offsetof(struct qr_http, text));
    http->head_left = QR_HEAD_MAX;
    own(http);
}

void qr_http_init(struct qr_http *http, char *content, size_t content_cap)
{
    http->content = content;
    http->content_cap = content_cap;
    qr_http_next(http);
}

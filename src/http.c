/*
 * A machine of states that takes one byte a step, whatever pieces the bytes come in; only content
 * is copied in bulk. Each state is a row of the table at the end, and one function; the ones called
 * …_LF wait for the LF behind a CR.
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

#include "utf8.h"

enum state {
    METHOD, /* the first: see qr_http_next() */
    EMPTY_LF,
    TARGET,
    VERSION,
    VERSION_LF,
    NAME,
    VALUE,
    VALUE_LF,
    HEAD_LF,
    CHUNK_SIZE,
    CHUNK_EXT,
    CHUNK_LF,
    DATA,
    DATA_CR,
    DATA_LF
};

/* What a state's function returns when it is time to send a 100 (RFC 9110 section 10.1.1). */
#define PAUSE 1

/* ---- bytes (RFC 9110 section 5.6, RFC 3986 section 2) ---- */

static bool is_in(const char *set, unsigned char c)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

static bool is_hex(unsigned char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

static bool is_alnum(unsigned char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool is_token(unsigned char c)
{
    return is_alnum(c) || is_in("-_!#$%&'*+.^`|~", c);
}

/* unreserved and sub-delims: what a reg-name is made of, besides percent-encoding */
static bool is_name(unsigned char c)
{
    return is_alnum(c) || is_in("-._~!$&'()*+,;=", c);
}

static bool is_ows(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* HTAB, SP, VCHAR, obs-text */
static bool is_text(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

/* ---- common to the states ---- */

static int fail(struct qr_http *http, enum qr_err err)
{
    return qr_fault_at(&http->fault, err, "request", http->offset);
}

/* A byte that does not belong where it stands. A line's end that is no CRLF is named as such. */
static int refuse(struct qr_http *http, unsigned char c, enum qr_err err)
{
    return fail(http, c == '\n' ? QR_ERR_LINE_ENDING : err);
}

static void enter(struct qr_http *http, enum state state)
{
    http->state = (uint8_t)state;
    http->text_len = 0;
    http->place = 0;
    http->gap = false;
}

static void push(struct qr_http *http, unsigned char c)
{
    if (http->text_len < sizeof http->text) {
        http->text[http->text_len++] = (char)c;
    } else {
        http->text_len = sizeof http->text + 1;
    }
}

static bool text_is(const struct qr_http *http, const char *word)
{
    return strlen(word) == http->text_len && memcmp(word, http->text, http->text_len) == 0;
}

static uint32_t content_limit(const struct qr_http *http)
{
    return http->content_cap < QR_CONTENT_MAX ? (uint32_t)http->content_cap : QR_CONTENT_MAX;
}

static int content_too_large(struct qr_http *http)
{
    return qr_fault_limit(&http->fault, QR_ERR_CONTENT_TOO_LARGE, "content", content_limit(http));
}

/* ---- uri-host [ ":" port ] (RFC 3986 section 3.2), of Host and of request targets ---- */

enum host_place {
    HOST_FIRST, /* nothing yet */
    HOST_NAME,
    HOST_HEX_1, /* behind a % */
    HOST_HEX_2,
    HOST_LITERAL_FIRST, /* behind [ */
    HOST_LITERAL,
    HOST_LITERAL_END, /* behind ] */
    HOST_COLON,
    HOST_PORT,
    HOST_BAD
};

static enum host_place after_name(unsigned char c)
{
    if (c == ':') {
        return HOST_COLON;
    }
    if (c == '%') {
        return HOST_HEX_1;
    }
    return is_name(c) ? HOST_NAME : HOST_BAD;
}

static enum host_place after_literal(enum host_place place, unsigned char c)
{
    if (c == ']' && place == HOST_LITERAL) {
        return HOST_LITERAL_END;
    }
    return is_name(c) || c == ':' ? HOST_LITERAL : HOST_BAD;
}

static enum host_place host_next(enum host_place place, unsigned char c)
{
    switch (place) {
    case HOST_FIRST: return c == '[' ? HOST_LITERAL_FIRST : after_name(c);
    case HOST_NAME: return after_name(c);
    case HOST_HEX_1: return is_hex(c) ? HOST_HEX_2 : HOST_BAD;
    case HOST_HEX_2: return is_hex(c) ? HOST_NAME : HOST_BAD;
    case HOST_LITERAL_FIRST:
    case HOST_LITERAL: return after_literal(place, c);
    case HOST_LITERAL_END: return c == ':' ? HOST_COLON : HOST_BAD;
    default: return is_digit(c) ? HOST_PORT : HOST_BAD;
    }
}

static bool host_whole(enum host_place place)
{
    return place == HOST_FIRST || place == HOST_NAME || place == HOST_LITERAL_END ||
           place == HOST_COLON || place == HOST_PORT;
}

/* ---- request line (RFC 9112 section 3) ---- */

static int method_end(struct qr_http *http)
{
    static const struct {
        const char *name;
        enum qr_method method;
    } methods[] = {
        {"GET", QR_METHOD_GET},       {"HEAD", QR_METHOD_HEAD},    {"POST", QR_METHOD_POST},
        {"PUT", QR_METHOD_OTHER},     {"DELETE", QR_METHOD_OTHER}, {"CONNECT", QR_METHOD_OTHER},
        {"OPTIONS", QR_METHOD_OTHER}, {"TRACE", QR_METHOD_OTHER},  {"PATCH", QR_METHOD_OTHER},
    };

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (text_is(http, methods[i].name)) {
            http->request.method = methods[i].method;
            http->state = TARGET; /* text keeps the method: it says which targets it may have */
            return 0;
        }
    }
    return fail(http, QR_ERR_METHOD_UNKNOWN);
}

/* Section 2.2: an empty line before a request line is the tail of a sloppy client's last one. */
static int take_method(struct qr_http *http, unsigned char c)
{
    if (is_token(c)) {
        http->phase = QR_HTTP_HEAD;
        push(http, c);
        return http->text_len > sizeof http->text ? fail(http, QR_ERR_METHOD_UNKNOWN) : 0;
    }
    if (c == '\r' && http->text_len == 0) {
        http->state = EMPTY_LF;
        return 0;
    }
    return c == ' ' && http->text_len != 0 ? method_end(http)
                                           : refuse(http, c, QR_ERR_REQUEST_LINE);
}

static int target_fault(struct qr_http *http, size_t at)
{
    return qr_fault_at(&http->fault, QR_ERR_TARGET, "target", (uint32_t)at);
}

static int target_path(struct qr_http *http, size_t at)
{
    struct qr_request *request = &http->request;
    const char *path = http->target + at;
    const char *end = http->target + http->target_len;
    const char *mark = memchr(path, '?', (size_t)(end - path));

    if (mark != NULL) {
        request->query = mark + 1;
        request->query_len = (size_t)(end - request->query);
        end = mark;
    }
    request->path = path;
    request->path_len = (size_t)(end - path);
    if (path == end) { /* only in absolute-form; RFC 9110 section 4.2.3 */
        request->path = "/";
        request->path_len = 1;
    }
    return 0;
}

/* host [ ":" port ] at [at, end) of the target. RFC 9110 sections 4.2.1 and 4.2.4: an empty host
 * must be, and user information should be refused. */
static int target_authority(struct qr_http *http, size_t at, size_t end, bool port_needed)
{
    enum host_place place = HOST_FIRST;

    if (at == end || http->target[at] == ':') {
        return target_fault(http, at);
    }
    for (; at < end; at++) {
        place = host_next(place, (unsigned char)http->target[at]);
        if (place == HOST_BAD) {
            return target_fault(http, at);
        }
    }
    return !host_whole(place) || (port_needed && place != HOST_PORT) ? target_fault(http, end) : 0;
}

static bool target_begins(const struct qr_http *http, const char *scheme)
{
    size_t len = strlen(scheme);

    for (size_t i = 0; i < len; i++) {
        if (i == http->target_len ||
            lower((unsigned char)http->target[i]) != (unsigned char)scheme[i]) {
            return false;
        }
    }
    return true;
}

static int target_absolute(struct qr_http *http)
{
    size_t at = strlen("http://");

    if (target_begins(http, "https://")) {
        at = strlen("https://");
    } else if (!target_begins(http, "http://")) {
        return target_fault(http, 0);
    }
    size_t end = at;
    while (end < http->target_len && !is_in("/?", (unsigned char)http->target[end])) {
        end++;
    }
    int err = target_authority(http, at, end, false);
    return err < 0 ? err : target_path(http, end);
}

static int target_end(struct qr_http *http)
{
    struct qr_request *request = &http->request;

    if (text_is(http, "CONNECT")) {
        request->path = http->target;
        request->path_len = http->target_len;
        return target_authority(http, 0, http->target_len, true);
    }
    if (http->target[0] == '/' ||
        (http->target[0] == '*' && http->target_len == 1 && text_is(http, "OPTIONS"))) {
        return target_path(http, 0);
    }
    return target_absolute(http);
}

/* Whether the byte may stand in a target; place counts the hex digits that a % still needs. */
static bool target_takes(struct qr_http *http, unsigned char c)
{
    if (http->place != 0) {
        http->place--;
        return is_hex(c);
    }
    if (c == '%') {
        http->place = 2;
        return true;
    }
    return is_name(c) || is_in("/?:@[]", c);
}

static int take_target(struct qr_http *http, unsigned char c)
{
    if (is_in("\r\n", c) || (c == ' ' && http->target_len == 0)) {
        return refuse(http, c, QR_ERR_REQUEST_LINE);
    }
    if (c == ' ' && http->place == 0) {
        int err = target_end(http);
        enter(http, VERSION);
        return err;
    }
    if (http->target_len == QR_TARGET_MAX) {
        return qr_fault_limit(&http->fault, QR_ERR_TARGET_TOO_LONG, "target", QR_TARGET_MAX);
    }
    if (!target_takes(http, c)) {
        return target_fault(http, http->target_len);
    }
    http->target[http->target_len++] = (char)c;
    return 0;
}

static int take_version(struct qr_http *http, unsigned char c)
{
    static const char form[] = "HTTP/0.0"; /* 0: a digit */

    if (http->text_len < sizeof form - 1) {
        unsigned char due = (unsigned char)form[http->text_len];
        push(http, c);
        return c == due || (due == '0' && is_digit(c)) ? 0 : refuse(http, c, QR_ERR_VERSION);
    }
    if (c != '\r') {
        return refuse(http, c, QR_ERR_VERSION);
    }
    if (http->text[5] != '1') {
        return fail(http, QR_ERR_VERSION_UNSUPPORTED);
    }
    http->request.minor_version = http->text[7] != '0';
    http->state = VERSION_LF;
    return 0;
}

/* ---- values of the fields that we know; each gets LF when the value is over ---- */

enum field { UNKNOWN, HOST, LENGTH, TRANSFER, CODING, CONNECTION, EXPECT, OPERATION_ID };

static bool has(const struct qr_http *http, enum field field)
{
    return (http->seen >> field & 1) != 0;
}

static int value_unknown(struct qr_http *http, unsigned char c)
{
    (void)http;
    (void)c;
    return 0;
}

/* RFC 9110 section 7.2 */
static int value_host(struct qr_http *http, unsigned char c)
{
    if (c == '\n') {
        return host_whole(http->place) ? 0 : fail(http, QR_ERR_HOST);
    }
    if (is_ows(c)) {
        http->gap = http->place != HOST_FIRST;
        return 0;
    }
    http->place = (uint8_t)host_next(http->place, c);
    return http->gap || http->place == HOST_BAD ? fail(http, QR_ERR_HOST) : 0;
}

/* RFC 9110 section 8.6. Stops counting past the limit, so that no number of digits overflows. */
static int value_length(struct qr_http *http, unsigned char c)
{
    if (c == '\n') {
        return http->place != 0 ? 0 : fail(http, QR_ERR_CONTENT_LENGTH);
    }
    if (is_ows(c)) {
        http->gap = http->place != 0;
        return 0;
    }
    if (http->gap || !is_digit(c)) {
        return fail(http, QR_ERR_CONTENT_LENGTH);
    }
    http->place = 1;
    if (http->left <= QR_CONTENT_MAX) {
        http->left = http->left * 10 + (uint32_t)(c - '0');
    }
    return 0;
}

/* RFC 9112 section 7: chunked comes last and once, so nothing may follow it. */
static int transfer_coding(struct qr_http *http)
{
    if (http->chunked) {
        return fail(http, QR_ERR_TRANSFER_ENCODING);
    }
    http->chunked = text_is(http, "chunked");
    http->coding_unknown = http->coding_unknown || !http->chunked;
    return 0;
}

static int list_element(struct qr_http *http)
{
    if (http->text_len == 0) {
        return 0;
    }
    switch (http->field) {
    case TRANSFER: return transfer_coding(http);
    case CODING: return text_is(http, "identity") ? 0 : fail(http, QR_ERR_CONTENT_CODING);
    case EXPECT:
        http->request.expect_continue = true;
        return text_is(http, "100-continue") ? 0 : fail(http, QR_ERR_EXPECTATION);
    default: /* CONNECTION */
        http->close_wanted = http->close_wanted || text_is(http, "close");
        http->keep_wanted = http->keep_wanted || text_is(http, "keep-alive");
        return 0;
    }
}

/* RFC 9110 section 5.6.1. No word that we know has white space in it. */
static int value_list(struct qr_http *http, unsigned char c)
{
    if (c == ',' || c == '\n') {
        int err = list_element(http);
        enter(http, http->state);
        return err;
    }
    if (is_ows(c)) {
        http->gap = http->text_len != 0;
        return 0;
    }
    if (http->gap) {
        http->text_len = sizeof http->text;
    }
    push(http, lower(c));
    return 0;
}

static int operation_id_end(struct qr_http *http)
{
    struct qr_request *request = &http->request;
    size_t len = request->operation_id_len;

    while (len > 0 && is_ows((unsigned char)http->operation_id[len - 1])) {
        len--;
    }
    request->operation_id_cut = request->operation_id_cut || len > QR_OPERATION_ID_MAX;
    request->operation_id_len = qr_utf8_cut(http->operation_id, len, QR_OPERATION_ID_MAX);
    return 0;
}

static int value_operation_id(struct qr_http *http, unsigned char c)
{
    struct qr_request *request = &http->request;

    if (c == '\n') {
        return operation_id_end(http);
    }
    if (is_ows(c) && request->operation_id_len == 0) {
        return 0;
    }
    if (request->operation_id_len < sizeof http->operation_id) {
        http->operation_id[request->operation_id_len++] = (char)c;
    } else {
        request->operation_id_cut = request->operation_id_cut || !is_ows(c);
    }
    return 0;
}

/* By enum field. repeated: the error that a second line of it is (RFC 9112 sections 3.2, 6.3). */
static const struct {
    const char *name;
    int (*value)(struct qr_http *http, unsigned char c);
    enum qr_err repeated;
} fields[] = {
    {"", value_unknown, QR_OK},
    {"host", value_host, QR_ERR_HOST},
    {"content-length", value_length, QR_ERR_CONTENT_LENGTH},
    {"transfer-encoding", value_list, QR_OK},
    {"content-encoding", value_list, QR_OK},
    {"connection", value_list, QR_OK},
    {"expect", value_list, QR_OK},
    {"operationid", value_operation_id, QR_OK},
};

/* ---- field lines and trailers (RFC 9112 sections 5 and 7.1.2) ---- */

/* Trailers are dropped, as unknown fields are; so are operation IDs but the first. */
static int name_end(struct qr_http *http)
{
    uint8_t field = OPERATION_ID;

    while (field != UNKNOWN && !text_is(http, fields[field].name)) {
        field--;
    }
    if (http->phase == QR_HTTP_CONTENT || (field == OPERATION_ID && has(http, field))) {
        field = UNKNOWN;
    }
    if (has(http, field) && fields[field].repeated != QR_OK) {
        return fail(http, fields[field].repeated);
    }
    http->seen |= (uint8_t)(1u << field);
    http->field = field;
    enter(http, VALUE);
    return 0;
}

/* White space is no part of a token: none before the colon, no folded lines (section 5.2). */
static int take_name(struct qr_http *http, unsigned char c)
{
    if (is_token(c)) {
        push(http, lower(c));
        return 0;
    }
    if (c == '\r' && http->text_len == 0) {
        http->state = HEAD_LF;
        return 0;
    }
    return c == ':' && http->text_len != 0 ? name_end(http) : refuse(http, c, QR_ERR_FIELD_NAME);
}

static int take_value(struct qr_http *http, unsigned char c)
{
    if (c == '\r') {
        http->state = VALUE_LF; /* what the value left in text and place still counts */
        return 0;
    }
    return is_text(c) ? fields[http->field].value(http, c) : refuse(http, c, QR_ERR_FIELD_VALUE);
}

static int value_end(struct qr_http *http)
{
    int err = fields[http->field].value(http, '\n');

    enter(http, NAME);
    return err;
}

/* Sections 3.2, 6.1 and 6.3: what the fields say together. */
static int check_head(struct qr_http *http)
{
    uint8_t minor = http->request.minor_version;

    if (minor != 0 && !has(http, HOST)) {
        return fail(http, QR_ERR_HOST);
    }
    if (has(http, TRANSFER) && (minor == 0 || has(http, LENGTH) || !http->chunked)) {
        return fail(http, QR_ERR_TRANSFER_ENCODING);
    }
    if (http->coding_unknown) {
        return fail(http, QR_ERR_TRANSFER_CODING);
    }
    return http->left > content_limit(http) ? content_too_large(http) : 0;
}

static int head_end(struct qr_http *http)
{
    struct qr_request *request = &http->request;
    bool one_one = request->minor_version != 0;

    if (http->phase == QR_HTTP_CONTENT) { /* these were trailers */
        http->phase = QR_HTTP_DONE;
        return 0;
    }
    int err = check_head(http);
    if (err < 0) {
        return err;
    }
    request->keep_alive = !http->close_wanted && (one_one || http->keep_wanted);
    if (!http->chunked && http->left == 0) {
        request->expect_continue = false;
        http->phase = QR_HTTP_DONE;
        return 0;
    }
    request->expect_continue = request->expect_continue && one_one;
    http->phase = QR_HTTP_CONTENT;
    enter(http, http->chunked ? CHUNK_SIZE : DATA);
    return request->expect_continue ? PAUSE : 0;
}

/* ---- chunked content (RFC 9112 section 7.1) ---- */

static int count_extension(struct qr_http *http)
{
    if (++http->ext_bytes > QR_CHUNK_EXT_MAX) {
        return qr_fault_limit(&http->fault, QR_ERR_CHUNK, "chunk extensions", QR_CHUNK_EXT_MAX);
    }
    return 0;
}

/* left is at most the limit before each digit, so it cannot overflow. */
static int size_digit(struct qr_http *http, unsigned char c)
{
    bool needless = http->place != 0 && http->left == 0; /* zeros came before it */
    uint32_t value = is_digit(c) ? (uint32_t)(c - '0') : (uint32_t)(lower(c) - 'a' + 10);

    http->place = 1;
    http->left = http->left * 16 + value;
    if (http->left > content_limit(http) - http->request.content_len) {
        return content_too_large(http);
    }
    return needless ? count_extension(http) : 0;
}

/* Extensions mean nothing to us; section 7.1.1 wants them ignored and bounded. They begin with a
 * semicolon (place 2: it has come), perhaps behind white space. */
static int take_chunk_ext(struct qr_http *http, unsigned char c)
{
    if (c == '\r' && http->place == 2) {
        http->state = CHUNK_LF;
        return 0;
    }
    if (c == ';') {
        http->place = 2;
    }
    if (!is_ows(c) && (!is_text(c) || http->place != 2)) {
        return refuse(http, c, QR_ERR_CHUNK);
    }
    return count_extension(http);
}

static int take_chunk_size(struct qr_http *http, unsigned char c)
{
    if (is_hex(c)) {
        return size_digit(http, c);
    }
    if (http->place == 0) {
        return refuse(http, c, QR_ERR_CHUNK);
    }
    if (c == '\r') {
        http->state = CHUNK_LF;
        return 0;
    }
    http->state = CHUNK_EXT;
    return take_chunk_ext(http, c);
}

static size_t copy_data(struct qr_http *http, const char *bytes, size_t len)
{
    struct qr_request *request = &http->request;
    size_t n = len < http->left ? len : http->left;

    memcpy(http->content + request->content_len, bytes, n);
    request->content_len += n;
    http->left -= (uint32_t)n;
    if (http->left == 0 && http->chunked) {
        http->state = DATA_CR;
    } else if (http->left == 0) {
        http->phase = QR_HTTP_DONE;
    }
    return n;
}

static int take_data_cr(struct qr_http *http, unsigned char c)
{
    http->state = DATA_LF;
    return c == '\r' ? 0 : fail(http, QR_ERR_CHUNK);
}

/* ---- the machine ---- */

/* Behind a CR. */
static int take_lf(struct qr_http *http, unsigned char c)
{
    if (c != '\n') {
        return fail(http, QR_ERR_LINE_ENDING);
    }
    switch (http->state) {
    case EMPTY_LF: enter(http, METHOD); return 0;
    case VERSION_LF: enter(http, NAME); return 0;
    case VALUE_LF: return value_end(http);
    case HEAD_LF: return head_end(http);
    case CHUNK_LF: enter(http, http->left == 0 ? NAME : DATA); return 0;
    default: enter(http, CHUNK_SIZE); return 0;
    }
}

static const struct {
    int (*take)(struct qr_http *http, unsigned char c);
    bool head; /* its bytes count against QR_HEAD_MAX */
} states[] = {
    [METHOD] = {take_method, true},
    [EMPTY_LF] = {take_lf, true},
    [TARGET] = {take_target, true},
    [VERSION] = {take_version, true},
    [VERSION_LF] = {take_lf, true},
    [NAME] = {take_name, true},
    [VALUE] = {take_value, true},
    [VALUE_LF] = {take_lf, true},
    [HEAD_LF] = {take_lf, true},
    [CHUNK_SIZE] = {take_chunk_size, false},
    [CHUNK_EXT] = {take_chunk_ext, false},
    [CHUNK_LF] = {take_lf, false},
    [DATA] = {NULL, false}, /* copy_data() */
    [DATA_CR] = {take_data_cr, false},
    [DATA_LF] = {take_lf, false},
};

static int take(struct qr_http *http, unsigned char c)
{
    if (states[http->state].head && ++http->head_bytes > QR_HEAD_MAX) {
        return qr_fault_limit(&http->fault, QR_ERR_HEAD_TOO_LARGE, "head", QR_HEAD_MAX);
    }
    return states[http->state].take(http, c);
}

int qr_http_parse(struct qr_http *http, const char *bytes, size_t len)
{
    size_t taken = 0;
    int result = 0;

    assert(len <= INT32_MAX);
    if (http->phase == QR_HTTP_FAILED) {
        return http->fault.err;
    }
    while (taken < len && http->phase != QR_HTTP_DONE && result != PAUSE) {
        size_t n = 1;
        if (http->state == DATA) {
            n = copy_data(http, bytes + taken, len - taken);
        } else {
            result = take(http, (unsigned char)bytes[taken]);
        }
        if (result < 0) {
            http->phase = QR_HTTP_FAILED;
            return result;
        }
        taken += n;
        http->offset += (uint32_t)n;
    }
    return (int)taken;
}

void qr_http_next(struct qr_http *http)
{
    memset(http, 0, offsetof(struct qr_http, text));
    http->request.operation_id = http->operation_id;
    http->request.content = http->content;
}

void qr_http_init(struct qr_http *http, char *content, size_t content_cap)
{
    http->content = content;
    http->content_cap = content_cap;
    qr_http_next(http);
}

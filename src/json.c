#include "json.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "utf8.h"

/* jsmn is one header with all its code in it, written for fewer warnings than ours. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#define JSMN_STRICT
#include <jsmn.h>
#pragma GCC diagnostic pop

static_assert(QR_JSON_DEPTH_MAX >= 1 && QR_JSON_DEPTH_MAX <= 32, "one bit each in a uint32_t");
static_assert(QR_JSON_TOKENS_MAX >= 1 && QR_JSON_TOKENS_MAX <= INT16_MAX, "qr_json_ref");

/* The text that was read last. No tokens: none was, or it was refused. */
static const char *read_text;
static bool read_escapes; /* a string in it has an escape */
static jsmntok_t tokens[QR_JSON_TOKENS_MAX];
static int tokens_len;

/* ---- the check ----
 *
 *   text    a value, then items until no array and no object is open
 *   value   a scalar; or [ or {, which opens one
 *   item    of the innermost that is open: ] or }, which closes it; or, behind a comma unless it is
 *           the first, a value, in an object behind a name and a colon
 *
 * White space may stand before each. Which of the open ones are objects stands in a word, one bit
 * each: nesting takes no recursion.
 */
struct check {
    const char *text;
    const char *end;
    unsigned depth;   /* arrays and objects that are open */
    uint32_t objects; /* a bit for each of them, the innermost the lowest: it is an object */
    bool first;       /* nothing has come in the innermost one */
    bool escapes;     /* a string has an escape */
    int tokens;       /* as jsmn counts: each value and each name is one */
    struct qr_fault *fault;
};

/* The functions called check_… get where they are to look and return where they stopped; NULL: what
 * is there is refused. */

static const char *refuse(const struct check *check, enum qr_err err, const char *at)
{
    (void)qr_fault_at(check->fault, err, "content", (uint32_t)(at - check->text));
    return NULL;
}

/* What stands there cannot stand there. The end of the text is another matter: with more bytes the
 * text could have become JSON. */
static const char *refuse_here(const struct check *check, const char *at)
{
    return refuse(check, at == check->end ? QR_ERR_JSON_TRUNCATED : QR_ERR_JSON_SYNTAX, at);
}

static const char *count_token(struct check *check, const char *at)
{
    if (check->tokens == QR_JSON_TOKENS_MAX) {
        (void)qr_fault_limit(check->fault, QR_ERR_JSON_TOKENS, "content", QR_JSON_TOKENS_MAX);
        return NULL;
    }
    check->tokens++;
    return at;
}

/* The byte there; 0 at the end. Only for asking whether it is a byte that is not 0. */
static uint8_t peek(const struct check *check, const char *at)
{
    return at < check->end ? (uint8_t)*at : 0;
}

/* RFC 8259 section 2. Nearly no byte is as low as a space. */
static bool is_space(uint8_t byte)
{
    return byte <= ' ' && (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r');
}

static const char *skip_spaces(const struct check *check, const char *at)
{
    while (is_space(peek(check, at))) {
        at++;
    }
    return at;
}

/* Mostly there is none. */
static const char *skip_space(const struct check *check, const char *at)
{
    return at < check->end && (uint8_t)*at <= ' ' ? skip_spaces(check, at) : at;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* -1: not a hexadecimal digit */
static int hex_value(uint8_t byte)
{
    if (is_digit(byte)) {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* true, false, null */
static const char *check_word(struct check *check, const char *at, const char *word)
{
    at = count_token(check, at);
    for (; at != NULL && *word != '\0'; word++) {
        at = peek(check, at) == (uint8_t)*word ? at + 1 : refuse_here(check, at);
    }
    return at;
}

/* One digit or more. */
static const char *check_digits(const struct check *check, const char *at)
{
    if (!is_digit(peek(check, at))) {
        return refuse_here(check, at);
    }
    while (is_digit(peek(check, at))) {
        at++;
    }
    return at;
}

static const char *check_fraction(const struct check *check, const char *at)
{
    return peek(check, at) == '.' ? check_digits(check, at + 1) : at;
}

static const char *check_exponent(const struct check *check, const char *at)
{
    if (peek(check, at) != 'e' && peek(check, at) != 'E') {
        return at;
    }
    at++;
    if (peek(check, at) == '+' || peek(check, at) == '-') {
        at++;
    }
    return check_digits(check, at);
}

/* RFC 8259 section 6, or no value at all. A digit behind a leading zero is left to whoever looks at
 * what follows a value, as any other byte that does not belong there. */
static const char *check_number(struct check *check, const char *at)
{
    if (peek(check, at) != '-' && !is_digit(peek(check, at))) {
        return refuse_here(check, at);
    }
    at = count_token(check, at);
    if (at != NULL && peek(check, at) == '-') {
        at++;
    }
    if (at != NULL) {
        at = peek(check, at) == '0' ? at + 1 : check_digits(check, at);
    }
    if (at != NULL) {
        at = check_fraction(check, at);
    }
    return at == NULL ? NULL : check_exponent(check, at);
}

/* At a backslash (RFC 8259 section 7). */
static const char *check_escape(struct check *check, const char *at)
{
    const char *start = at++;
    int digits = peek(check, at) == 'u' ? 4 : 0;
    bool allowed = peek(check, at) != 0 && strchr("\"\\/bfnrtu", peek(check, at)) != NULL;

    check->escapes = true;
    for (; allowed && digits > 0; digits--) {
        at++;
        allowed = hex_value(peek(check, at)) >= 0;
    }
    if (!allowed) {
        return at == check->end ? refuse_here(check, at) : refuse(check, QR_ERR_JSON_ESCAPE, start);
    }
    return at + 1;
}

/* Whether bytes could follow that make a character of the text's last 1 to 3 bytes. What a first
 * byte asks of the second is a range that holds 0x80 or 0xbf, and the others may be either. */
static bool begins_char(const char *s, size_t len)
{
    char low[4] = {'\x80', '\x80', '\x80', '\x80'};
    char high[4] = {'\xbf', '\xbf', '\xbf', '\xbf'};

    if (len >= sizeof low) {
        return false;
    }
    memcpy(low, s, len);
    memcpy(high, s, len);
    return qr_utf8_char(low, sizeof low) > len || qr_utf8_char(high, sizeof high) > len;
}

/* At a byte of a string that is not plain, or at the end of the text. */
static const char *check_char(struct check *check, const char *at)
{
    size_t left = (size_t)(check->end - at);

    if (left == 0) {
        return refuse_here(check, at);
    }
    if (*at == '\\') {
        return check_escape(check, at);
    }
    if ((uint8_t)*at < 0x20) {
        return refuse(check, QR_ERR_JSON_CONTROL, at);
    }
    size_t char_len = qr_utf8_char(at, left);
    if (char_len == 0) {
        return begins_char(at, left) ? refuse(check, QR_ERR_JSON_TRUNCATED, check->end)
                                     : refuse(check, QR_ERR_JSON_UTF8, at);
    }
    return at + char_len;
}

/* In a string, at a byte that is not plain: not inlined, since it is rare, and needs more registers
 * than all others. */
__attribute__((noinline)) static const char *check_chars(struct check *check, const char *at)
{
    while (peek(check, at) != '"') {
        at = check_char(check, at);
        if (at == NULL) {
            return NULL;
        }
        at = qr_utf8_skip_plain(at, check->end);
    }
    return at + 1;
}

/* At the opening quote. Nearly every byte of a text is a plain one. */
static const char *check_string(struct check *check, const char *at)
{
    at = count_token(check, at);
    if (at == NULL) {
        return NULL;
    }
    at = qr_utf8_skip_plain(at + 1, check->end);
    return peek(check, at) == '"' ? at + 1 : check_chars(check, at);
}

static const char *open_nested(struct check *check, const char *at, bool object)
{
    at = count_token(check, at);
    if (at == NULL) {
        return NULL;
    }
    if (check->depth == QR_JSON_DEPTH_MAX) {
        (void)qr_fault_limit(check->fault, QR_ERR_JSON_DEPTH, "content", QR_JSON_DEPTH_MAX);
        return NULL;
    }
    check->depth++;
    check->objects = check->objects << 1 | object;
    check->first = true;
    return at + 1;
}

static const char *check_value(struct check *check, const char *at)
{
    at = skip_space(check, at);
    switch (peek(check, at)) {
    case '{': return open_nested(check, at, true);
    case '[': return open_nested(check, at, false);
    case '"': return check_string(check, at);
    case 't': return check_word(check, at, "true");
    case 'f': return check_word(check, at, "false");
    case 'n': return check_word(check, at, "null");
    default: return check_number(check, at);
    }
}

/* With its colon. */
static const char *check_name(struct check *check, const char *at)
{
    at = skip_space(check, at);
    if (peek(check, at) != '"') {
        return refuse_here(check, at);
    }
    at = check_string(check, at);
    if (at == NULL) {
        return NULL;
    }
    at = skip_space(check, at);
    return peek(check, at) == ':' ? at + 1 : refuse_here(check, at);
}

static const char *check_item(struct check *check, const char *at)
{
    bool object = (check->objects & 1) != 0;
    bool first = check->first;

    at = skip_space(check, at);
    check->first = false;
    if (peek(check, at) == (object ? '}' : ']')) {
        check->depth--;
        check->objects >>= 1;
        return at + 1;
    }
    if (!first) {
        if (peek(check, at) != ',') {
            return refuse_here(check, at);
        }
        at++;
    }
    if (object) {
        at = check_name(check, at);
    }
    return at == NULL ? NULL : check_value(check, at);
}

static bool check_text(struct check *check)
{
    const char *at = check_value(check, check->text);

    while (at != NULL && check->depth > 0) {
        at = check_item(check, at);
    }
    if (at == NULL) {
        return false;
    }
    at = skip_space(check, at);
    return at == check->end || refuse_here(check, at) != NULL;
}

/* ---- tokens ---- */

/* Returns the number of tokens, or what jsmn says. */
static int tokenize(const char *text, size_t len)
{
    jsmn_parser parser;

    jsmn_init(&parser);
    int found = jsmn_parse(&parser, text, len, tokens, QR_JSON_TOKENS_MAX);
    if (found == JSMN_ERROR_PART) {
        /* Strict jsmn wants something behind a number or word, so it stays before one that is the
         * whole text: that one gets its token here. */
        tokens[0] = (jsmntok_t){.type = JSMN_PRIMITIVE, .start = (int)parser.pos, .end = (int)len};
        found = 1;
    }
    return found;
}

int qr_json_read(const char *text, size_t len, struct qr_fault *fault)
{
    struct check check = {.text = text, .end = text + len, .fault = fault};

    assert(len <= INT32_MAX);
    tokens_len = 0;
    if (!check_text(&check)) {
        return fault->err;
    }
    int found = tokenize(text, len);
    if (found != check.tokens) {
        (void)refuse(&check, QR_ERR_JSON_SYNTAX, text);
        return fault->err;
    }
    read_text = text;
    read_escapes = check.escapes;
    tokens_len = found;
    return 0;
}

static const jsmntok_t *token_of(qr_json_ref value)
{
    assert(value >= 0 && value < tokens_len);
    return &tokens[value];
}

enum qr_json_type qr_json_type(qr_json_ref value)
{
    const jsmntok_t *token = token_of(value);

    switch (token->type) {
    case JSMN_OBJECT: return QR_JSON_OBJECT;
    case JSMN_ARRAY: return QR_JSON_ARRAY;
    case JSMN_STRING: return QR_JSON_STRING;
    default: break;
    }
    switch (read_text[token->start]) {
    case 't': return QR_JSON_TRUE;
    case 'f': return QR_JSON_FALSE;
    case 'n': return QR_JSON_NULL;
    default: return QR_JSON_NUMBER;
    }
}

uint32_t qr_json_offset(qr_json_ref value)
{
    const jsmntok_t *token = token_of(value);

    /* jsmn's string begins behind the quote */
    return (uint32_t)token->start - (token->type == JSMN_STRING ? 1 : 0);
}

/* ---- strings ---- */

/* The inside of a string that passed the check. */
struct span {
    const char *at;
    const char *end;
};

static struct span span_of(const jsmntok_t *string)
{
    return (struct span){read_text + string->start, read_text + string->end};
}

static const jsmntok_t *string_of(qr_json_ref value)
{
    const jsmntok_t *token = token_of(value);

    assert(token->type == JSMN_STRING);
    return token;
}

/* Whether a \u escape is next. */
static bool at_u_escape(const struct span *span)
{
    return span->end - span->at >= 6 && span->at[0] == '\\' && span->at[1] == 'u';
}

/* Takes the \u escape that is next. */
static int32_t take_u_escape(struct span *span)
{
    uint32_t unit = 0;

    for (size_t i = 2; i < 6; i++) {
        unit = unit << 4 | (uint32_t)hex_value((uint8_t)span->at[i]);
    }
    span->at += 6;
    return (int32_t)unit;
}

/* Takes one \u escape, or two that are a surrogate pair (RFC 8259 section 7). Returns the code
 * point, or QR_ERR_JSON_SURROGATE. */
static int32_t take_code_point(struct span *span)
{
    int32_t unit = take_u_escape(span);

    if (unit < 0xd800 || unit > 0xdfff) {
        return unit;
    }
    if (unit > 0xdbff || !at_u_escape(span)) {
        return QR_ERR_JSON_SURROGATE;
    }
    int32_t low = take_u_escape(span);
    if (low < 0xdc00 || low > 0xdfff) {
        return QR_ERR_JSON_SURROGATE;
    }
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/* Takes an escape. Returns the code point, or QR_ERR_JSON_SURROGATE. */
static int32_t take_escape(struct span *span)
{
    static const char letters[] = "bfnrt";
    static const char controls[] = "\b\f\n\r\t";

    if (at_u_escape(span)) {
        return take_code_point(span);
    }
    const char *letter = strchr(letters, span->at[1]);
    int32_t code_point = letter == NULL ? span->at[1] : controls[letter - letters];
    span->at += 2;
    return code_point;
}

/* As qr_json_string(). */
static int decode(struct span span, char *out, size_t cap)
{
    size_t len = 0;

    while (span.at < span.end) {
        char piece[4] = {*span.at};
        size_t piece_len = 1;
        if (*span.at == '\\') {
            int32_t code_point = take_escape(&span);
            if (code_point < 0) {
                return code_point;
            }
            piece_len = qr_utf8_encode((uint32_t)code_point, piece);
        } else {
            span.at++;
        }
        if (piece_len > cap - len) {
            return QR_ERR_NO_SPACE;
        }
        memcpy(out + len, piece, piece_len);
        len += piece_len;
    }
    return (int)len;
}

int qr_json_string(qr_json_ref string, char *out, size_t cap)
{
    struct span span = span_of(string_of(string));
    size_t len = (size_t)(span.end - span.at);

    if (read_escapes) {
        return decode(span, out, cap);
    }
    if (len > cap) {
        return QR_ERR_NO_SPACE;
    }
    memcpy(out, span.at, len);
    return (int)len;
}

static bool equals(const jsmntok_t *string, const char *text, size_t len)
{
    struct span span = span_of(string);
    char decoded[QR_JSON_EQUALS_MAX];

    if (read_escapes) {
        int decoded_len = decode(span, decoded, sizeof decoded);
        return decoded_len == (int)len && memcmp(decoded, text, len) == 0;
    }
    return (size_t)(span.end - span.at) == len && memcmp(span.at, text, len) == 0;
}

bool qr_json_equals(qr_json_ref string, const char *text, size_t len)
{
    assert(len <= QR_JSON_EQUALS_MAX);
    return equals(string_of(string), text, len);
}

/* ---- members ---- */

/* jsmn's tokens stand in the order of the text: the next one that is not inside this value. */
static int next_sibling(int value)
{
    int next = value + 1;

    if (tokens[value].size == 0) {
        return next;
    }
    while (next < tokens_len && tokens[next].start < tokens[value].end) {
        next++;
    }
    return next;
}

void qr_json_members(qr_json_ref object, struct qr_json_member *members, size_t n)
{
    bool is_object = object >= 0 && token_of(object)->type == JSMN_OBJECT;
    int at = object + 1;

    for (size_t i = 0; i < n; i++) {
        assert(members[i].name.len <= QR_JSON_EQUALS_MAX);
        members[i].value = -1;
    }
    for (int left = is_object ? tokens[object].size : 0; left > 0; left--) {
        for (size_t i = 0; i < n; i++) {
            if (equals(&tokens[at], members[i].name.at, members[i].name.len)) {
                members[i].value = (qr_json_ref)(at + 1);
            }
        }
        at = next_sibling(at + 1);
    }
}

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
    size_t len;
    size_t pos;
    unsigned depth;   /* arrays and objects that are open */
    uint32_t objects; /* a bit for each of them, the innermost the lowest: it is an object */
    bool first;       /* nothing has come in the innermost one */
    bool escapes;     /* a string has an escape */
    int tokens;       /* as jsmn counts: each value and each name is one */
    struct qr_fault *fault;
};

static int refuse(const struct check *check, enum qr_err err, size_t offset)
{
    return qr_fault_at(check->fault, err, "content", (uint32_t)offset);
}

/* What stands at pos cannot stand there. The end of the text is another matter: with more bytes the
 * text could have become JSON. */
static int refuse_here(const struct check *check)
{
    bool at_end = check->pos == check->len;

    return refuse(check, at_end ? QR_ERR_JSON_TRUNCATED : QR_ERR_JSON_SYNTAX, check->pos);
}

static int count_token(struct check *check)
{
    if (check->tokens == QR_JSON_TOKENS_MAX) {
        return qr_fault_limit(check->fault, QR_ERR_JSON_TOKENS, "content", QR_JSON_TOKENS_MAX);
    }
    check->tokens++;
    return 0;
}

/* The byte at pos; 0 past the end. Only for asking whether it is a byte that is not 0. */
static uint8_t peek(const struct check *check)
{
    return check->pos < check->len ? (uint8_t)check->text[check->pos] : 0;
}

/* The same behind white space (RFC 8259 section 2). */
static uint8_t peek_behind_space(struct check *check)
{
    uint8_t byte = peek(check);

    while (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
        check->pos++;
        byte = peek(check);
    }
    return byte;
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
static int check_word(struct check *check, const char *word)
{
    int err = count_token(check);

    for (; err == 0 && *word != '\0'; word++) {
        if (peek(check) != (uint8_t)*word) {
            return refuse_here(check);
        }
        check->pos++;
    }
    return err;
}

/* One digit or more. */
static int check_digits(struct check *check)
{
    if (!is_digit(peek(check))) {
        return refuse_here(check);
    }
    while (is_digit(peek(check))) {
        check->pos++;
    }
    return 0;
}

static int check_fraction(struct check *check)
{
    if (peek(check) != '.') {
        return 0;
    }
    check->pos++;
    return check_digits(check);
}

static int check_exponent(struct check *check)
{
    if (peek(check) != 'e' && peek(check) != 'E') {
        return 0;
    }
    check->pos++;
    if (peek(check) == '+' || peek(check) == '-') {
        check->pos++;
    }
    return check_digits(check);
}

/* RFC 8259 section 6, or no value at all. A digit behind a leading zero is left to whoever looks at
 * what follows a value, as any other byte that does not belong there. */
static int check_number(struct check *check)
{
    if (peek(check) != '-' && !is_digit(peek(check))) {
        return refuse_here(check);
    }
    int err = count_token(check);
    if (err == 0 && peek(check) == '-') {
        check->pos++;
    }
    if (err == 0 && peek(check) == '0') {
        check->pos++;
    } else if (err == 0) {
        err = check_digits(check);
    }
    if (err == 0) {
        err = check_fraction(check);
    }
    return err == 0 ? check_exponent(check) : err;
}

/* At a backslash (RFC 8259 section 7). */
static int check_escape(struct check *check)
{
    size_t start = check->pos;

    check->escapes = true;
    check->pos++;
    int digits = peek(check) == 'u' ? 4 : 0;
    bool allowed = peek(check) != 0 && strchr("\"\\/bfnrtu", peek(check)) != NULL;
    for (; allowed && digits > 0; digits--) {
        check->pos++;
        allowed = hex_value(peek(check)) >= 0;
    }
    if (!allowed) {
        bool at_end = check->pos == check->len;
        return at_end ? refuse_here(check) : refuse(check, QR_ERR_JSON_ESCAPE, start);
    }
    check->pos++;
    return 0;
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
static int check_char(struct check *check)
{
    const char *s = check->text + check->pos;
    size_t left = check->len - check->pos;

    if (left == 0) {
        return refuse_here(check);
    }
    if (*s == '\\') {
        return check_escape(check);
    }
    if ((uint8_t)*s < 0x20) {
        return refuse(check, QR_ERR_JSON_CONTROL, check->pos);
    }
    size_t char_len = qr_utf8_char(s, left);
    if (char_len == 0) {
        return begins_char(s, left) ? refuse(check, QR_ERR_JSON_TRUNCATED, check->len)
                                    : refuse(check, QR_ERR_JSON_UTF8, check->pos);
    }
    check->pos += char_len;
    return 0;
}

/* 1: an ASCII character that stands for itself in a string, which is all but controls, quote and
 * backslash. Nearly every byte of a text is one; looking it up is the quickest way to tell. */
static const uint8_t plain[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x10 */
    1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x20 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x30 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x40 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, /* 0x50 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x60 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x70 */
};

static void skip_plain(struct check *check)
{
    const char *s = check->text + check->pos;
    const char *end = check->text + check->len;

    while (s < end && plain[(uint8_t)*s]) {
        s++;
    }
    check->pos = (size_t)(s - check->text);
}

/* At the opening quote. */
static int check_string(struct check *check)
{
    int err = count_token(check);

    check->pos++;
    skip_plain(check);
    while (err == 0 && peek(check) != '"') {
        err = check_char(check);
        skip_plain(check);
    }
    check->pos++;
    return err;
}

static int open_nested(struct check *check, bool object)
{
    int err = count_token(check);

    if (err == 0 && check->depth == QR_JSON_DEPTH_MAX) {
        err = qr_fault_limit(check->fault, QR_ERR_JSON_DEPTH, "content", QR_JSON_DEPTH_MAX);
    }
    check->pos++;
    check->depth++;
    check->objects = check->objects << 1 | object;
    check->first = true;
    return err;
}

static int check_value(struct check *check)
{
    switch (peek_behind_space(check)) {
    case '{': return open_nested(check, true);
    case '[': return open_nested(check, false);
    case '"': return check_string(check);
    case 't': return check_word(check, "true");
    case 'f': return check_word(check, "false");
    case 'n': return check_word(check, "null");
    default: return check_number(check);
    }
}

/* With its colon. */
static int check_name(struct check *check)
{
    if (peek_behind_space(check) != '"') {
        return refuse_here(check);
    }
    int err = check_string(check);
    if (err == 0 && peek_behind_space(check) != ':') {
        err = refuse_here(check);
    }
    check->pos++;
    return err;
}

static int check_item(struct check *check)
{
    bool object = (check->objects & 1) != 0;
    bool first = check->first;
    uint8_t byte = peek_behind_space(check);

    check->first = false;
    if (byte == (object ? '}' : ']')) {
        check->pos++;
        check->depth--;
        check->objects >>= 1;
        return 0;
    }
    if (!first && byte != ',') {
        return refuse_here(check);
    }
    check->pos += !first;
    int err = object ? check_name(check) : 0;
    return err == 0 ? check_value(check) : err;
}

static int check_text(struct check *check)
{
    int err = check_value(check);

    while (err == 0 && check->depth > 0) {
        err = check_item(check);
    }
    if (err != 0) {
        return err;
    }
    (void)peek_behind_space(check);
    return check->pos == check->len ? 0 : refuse_here(check);
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
    struct check check = {.text = text, .len = len, .fault = fault};

    assert(len <= INT32_MAX);
    tokens_len = 0;
    int err = check_text(&check);
    if (err != 0) {
        return err;
    }
    int found = tokenize(text, len);
    if (found != check.tokens) {
        return refuse(&check, QR_ERR_JSON_SYNTAX, 0);
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

    while (next < tokens_len && tokens[next].start < tokens[value].end) {
        next++;
    }
    return next;
}

qr_json_ref qr_json_member(qr_json_ref object, const char *name)
{
    size_t name_len = strlen(name);
    int found = -1;

    if (object < 0 || token_of(object)->type != JSMN_OBJECT) {
        return -1;
    }
    assert(name_len <= QR_JSON_EQUALS_MAX);
    int at = object + 1;
    for (int left = tokens[object].size; left > 0; left--) {
        if (equals(&tokens[at], name, name_len)) {
            found = at + 1;
        }
        at = next_sibling(at + 1);
    }
    return (qr_json_ref)found;
}

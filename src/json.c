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
static jsmntok_t tokens[QR_JSON_TOKENS_MAX];
static int tokens_len;

/* ---- the check ----
 *
 *   expected      what comes, white space aside    expected then
 *   VALUE         a scalar                         AFTER_VALUE
 *                 [   {                            FIRST_ITEM   FIRST_NAME
 *   FIRST_ITEM    ]                                AFTER_VALUE
 *                 as VALUE                         as VALUE
 *   FIRST_NAME    }                                AFTER_VALUE
 *                 as NAME                          as NAME
 *   NAME          a string                         COLON
 *   COLON         :                                VALUE
 *   AFTER_VALUE   ,                                VALUE in an array, NAME in an object
 *                 ]   } (which one was opened)     AFTER_VALUE
 *   END           the end of the text
 *
 * END takes AFTER_VALUE's place where no array and no object is open. Which of the open ones are
 * objects stands in a word, one bit each: nesting takes no recursion.
 */
enum expect { VALUE, FIRST_ITEM, FIRST_NAME, NAME, COLON, AFTER_VALUE, END };

struct check {
    const char *text;
    size_t len;
    size_t pos;
    enum expect expect;
    uint32_t objects; /* bit n: what is open at depth n + 1 is an object, not an array */
    unsigned depth;
    int tokens; /* as jsmn counts: each value and each name is one */
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

/* The byte that is `ahead` bytes behind pos; 0 past the end. Only for asking whether it is a byte
 * that is not 0. */
static uint8_t peek(const struct check *check, size_t ahead)
{
    return ahead < check->len - check->pos ? (uint8_t)check->text[check->pos + ahead] : 0;
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

static int count_token(struct check *check)
{
    if (check->tokens == QR_JSON_TOKENS_MAX) {
        return qr_fault_limit(check->fault, QR_ERR_JSON_TOKENS, "content", QR_JSON_TOKENS_MAX);
    }
    check->tokens++;
    return 0;
}

static void value_done(struct check *check)
{
    check->expect = check->depth == 0 ? END : AFTER_VALUE;
}

static bool in_object(const struct check *check)
{
    return (check->objects >> (check->depth - 1) & 1) != 0;
}

static int open_nested(struct check *check, bool object)
{
    if (check->depth == QR_JSON_DEPTH_MAX) {
        return qr_fault_limit(check->fault, QR_ERR_JSON_DEPTH, "content", QR_JSON_DEPTH_MAX);
    }
    uint32_t bit = (uint32_t)1 << check->depth;
    check->objects = object ? check->objects | bit : check->objects & ~bit;
    check->depth++;
    check->pos++;
    check->expect = object ? FIRST_NAME : FIRST_ITEM;
    return 0;
}

static int close_nested(struct check *check)
{
    check->pos++;
    check->depth--;
    value_done(check);
    return 0;
}

/* true, false, null */
static int check_word(struct check *check, const char *word)
{
    for (; *word != '\0'; word++) {
        if (peek(check, 0) != (uint8_t)*word) {
            return refuse_here(check);
        }
        check->pos++;
    }
    value_done(check);
    return 0;
}

/* One digit or more. */
static int check_digits(struct check *check)
{
    if (!is_digit(peek(check, 0))) {
        return refuse_here(check);
    }
    while (is_digit(peek(check, 0))) {
        check->pos++;
    }
    return 0;
}

static int check_fraction(struct check *check)
{
    if (peek(check, 0) != '.') {
        return 0;
    }
    check->pos++;
    return check_digits(check);
}

static int check_exponent(struct check *check)
{
    if (peek(check, 0) != 'e' && peek(check, 0) != 'E') {
        return 0;
    }
    check->pos++;
    if (peek(check, 0) == '+' || peek(check, 0) == '-') {
        check->pos++;
    }
    return check_digits(check);
}

/* RFC 8259 section 6. A digit behind a leading zero is left to whoever looks at what follows a
 * value, as any other byte that does not belong there. */
static int check_number(struct check *check)
{
    int err = 0;

    if (peek(check, 0) == '-') {
        check->pos++;
    }
    if (peek(check, 0) == '0') {
        check->pos++;
    } else {
        err = check_digits(check);
    }
    if (err == 0) {
        err = check_fraction(check);
    }
    if (err == 0) {
        err = check_exponent(check);
    }
    if (err == 0) {
        value_done(check);
    }
    return err;
}

static bool is_escape_letter(uint8_t byte)
{
    return byte != 0 && strchr("\"\\/bfnrt", byte) != NULL;
}

/* Whether what is there of an escape, from its backslash on, can be one (RFC 8259 section 7). */
static bool begins_escape(const struct check *check, size_t left)
{
    if (left < 2) {
        return true;
    }
    if (peek(check, 1) != 'u') {
        return is_escape_letter(peek(check, 1));
    }
    for (size_t i = 2; i < 6 && i < left; i++) {
        if (hex_value(peek(check, i)) < 0) {
            return false;
        }
    }
    return true;
}

/* At a backslash. */
static int check_escape(struct check *check)
{
    size_t left = check->len - check->pos;
    size_t escape_len = peek(check, 1) == 'u' ? 6 : 2;

    if (!begins_escape(check, left)) {
        return refuse(check, QR_ERR_JSON_ESCAPE, check->pos);
    }
    if (left < escape_len) {
        return refuse(check, QR_ERR_JSON_TRUNCATED, check->len);
    }
    check->pos += escape_len;
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

/* A character that needs no escape. */
static int check_char(struct check *check)
{
    const char *s = check->text + check->pos;
    size_t left = check->len - check->pos;

    if ((uint8_t)*s < 0x20) {
        return refuse(check, QR_ERR_JSON_CONTROL, check->pos);
    }
    size_t char_len = qr_utf8_char(s, left);
    if (char_len == 0 && begins_char(s, left)) {
        return refuse(check, QR_ERR_JSON_TRUNCATED, check->len);
    }
    if (char_len == 0) {
        return refuse(check, QR_ERR_JSON_UTF8, check->pos);
    }
    check->pos += char_len;
    return 0;
}

/* At the opening quote. */
static int check_string(struct check *check)
{
    int err = 0;

    check->pos++;
    while (err == 0 && check->pos < check->len && check->text[check->pos] != '"') {
        err = check->text[check->pos] == '\\' ? check_escape(check) : check_char(check);
    }
    if (err != 0) {
        return err;
    }
    if (check->pos == check->len) {
        return refuse_here(check);
    }
    check->pos++;
    value_done(check);
    return 0;
}

static int check_value(struct check *check)
{
    uint8_t byte = peek(check, 0);

    if (byte == 0 || (strchr("{[\"tfn-", byte) == NULL && !is_digit(byte))) {
        return refuse_here(check);
    }
    int err = count_token(check);
    if (err != 0) {
        return err;
    }
    switch (byte) {
    case '{': return open_nested(check, true);
    case '[': return open_nested(check, false);
    case '"': return check_string(check);
    case 't': return check_word(check, "true");
    case 'f': return check_word(check, "false");
    case 'n': return check_word(check, "null");
    default: return check_number(check);
    }
}

static int check_name(struct check *check)
{
    if (peek(check, 0) != '"') {
        return refuse_here(check);
    }
    int err = count_token(check);
    if (err == 0) {
        err = check_string(check);
    }
    check->expect = COLON;
    return err;
}

static int check_colon(struct check *check)
{
    if (peek(check, 0) != ':') {
        return refuse_here(check);
    }
    check->pos++;
    check->expect = VALUE;
    return 0;
}

static int check_after_value(struct check *check)
{
    bool object = in_object(check);

    if (peek(check, 0) == (object ? '}' : ']')) {
        return close_nested(check);
    }
    if (peek(check, 0) != ',') {
        return refuse_here(check);
    }
    check->pos++;
    check->expect = object ? NAME : VALUE;
    return 0;
}

static int check_next(struct check *check)
{
    switch (check->expect) {
    case FIRST_ITEM: return peek(check, 0) == ']' ? close_nested(check) : check_value(check);
    case FIRST_NAME: return peek(check, 0) == '}' ? close_nested(check) : check_name(check);
    case NAME: return check_name(check);
    case COLON: return check_colon(check);
    case AFTER_VALUE: return check_after_value(check);
    case END: return refuse_here(check);
    case VALUE: break;
    }
    return check_value(check);
}

/* RFC 8259 section 2 */
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(const char *text, size_t len, size_t pos)
{
    while (pos < len && is_space(text[pos])) {
        pos++;
    }
    return pos;
}

static int check_text(struct check *check)
{
    for (;;) {
        check->pos = skip_space(check->text, check->len, check->pos);
        if (check->pos == check->len && check->expect == END) {
            return 0;
        }
        int err = check_next(check);
        if (err != 0) {
            return err;
        }
    }
}

/* ---- tokens ---- */

/* Returns the number of tokens, or what jsmn says. Strict jsmn wants something behind a number or
 * word, so it does not take one that is the whole text: that one gets its token here. */
static int tokenize(const char *text, size_t len)
{
    size_t start = skip_space(text, len, 0);
    jsmn_parser parser;

    if (strchr("{[\"", text[start]) == NULL) {
        tokens[0] = (jsmntok_t){.type = JSMN_PRIMITIVE, .start = (int)start, .end = (int)len};
        return 1;
    }
    jsmn_init(&parser);
    return jsmn_parse(&parser, text, len, tokens, QR_JSON_TOKENS_MAX);
}

int qr_json_read(const char *text, size_t len, struct qr_fault *fault)
{
    struct check check = {.text = text, .len = len, .expect = VALUE, .fault = fault};

    assert(len <= INT32_MAX);
    tokens_len = 0;
    int err = check_text(&check);
    if (err != 0) {
        return err;
    }
    int found = tokenize(text, len);
    assert(found == check.tokens);
    if (found != check.tokens) {
        return refuse(&check, QR_ERR_JSON_SYNTAX, 0);
    }
    read_text = text;
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

static struct span span_of(qr_json_ref string)
{
    const jsmntok_t *token = token_of(string);

    assert(token->type == JSMN_STRING);
    return (struct span){read_text + token->start, read_text + token->end};
}

/* Whether a \u escape is next. */
static bool at_u_escape(const struct span *span)
{
    return span->end - span->at >= 6 && span->at[0] == '\\' && span->at[1] == 'u';
}

/* Takes the \u escape that is next. */
static uint32_t take_u_escape(struct span *span)
{
    uint32_t unit = 0;

    for (size_t i = 2; i < 6; i++) {
        unit = unit << 4 | (uint32_t)hex_value((uint8_t)span->at[i]);
    }
    span->at += 6;
    return unit;
}

/* Takes one \u escape, or two that are a surrogate pair (RFC 8259 section 7). Returns the bytes
 * written to out, or QR_ERR_JSON_SURROGATE. */
static int decode_u_escape(struct span *span, char out[4])
{
    uint32_t unit = take_u_escape(span);

    if (unit < 0xd800 || unit > 0xdfff) {
        return (int)qr_utf8_encode(unit, out);
    }
    if (unit > 0xdbff || !at_u_escape(span)) {
        return QR_ERR_JSON_SURROGATE;
    }
    uint32_t low = take_u_escape(span);
    if (low < 0xdc00 || low > 0xdfff) {
        return QR_ERR_JSON_SURROGATE;
    }
    return (int)qr_utf8_encode(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), out);
}

/* Takes a byte or an escape off the span. Returns the bytes written to out, or
 * QR_ERR_JSON_SURROGATE. */
static int decode_next(struct span *span, char out[4])
{
    static const char letters[] = "bfnrt";
    static const char controls[] = "\b\f\n\r\t";

    if (at_u_escape(span)) {
        return decode_u_escape(span, out);
    }
    if (*span->at == '\\') {
        span->at++;
        const char *letter = strchr(letters, *span->at);
        out[0] = letter == NULL ? *span->at : controls[letter - letters];
    } else {
        out[0] = *span->at;
    }
    span->at++;
    return 1;
}

int qr_json_string(qr_json_ref string, char *out, size_t cap)
{
    struct span span = span_of(string);
    size_t len = 0;

    while (span.at < span.end) {
        char piece[4];
        int piece_len = decode_next(&span, piece);
        if (piece_len < 0) {
            return piece_len;
        }
        if ((size_t)piece_len > cap - len) {
            return QR_ERR_NO_SPACE;
        }
        memcpy(out + len, piece, (size_t)piece_len);
        len += (size_t)piece_len;
    }
    return (int)len;
}

/* ---- members ---- */

/* A name with half a surrogate pair is none that can be asked for. */
static bool name_equals(qr_json_ref string, const char *name)
{
    struct span span = span_of(string);
    size_t left = strlen(name);

    while (span.at < span.end) {
        char piece[4];
        int piece_len = decode_next(&span, piece);
        if (piece_len < 0 || (size_t)piece_len > left ||
            memcmp(name, piece, (size_t)piece_len) != 0) {
            return false;
        }
        name += piece_len;
        left -= (size_t)piece_len;
    }
    return left == 0;
}

/* jsmn's tokens stand in the order of the text: the next one that is not inside this value. */
static qr_json_ref next_sibling(qr_json_ref value)
{
    int end = token_of(value)->end;
    int next = value + 1;

    while (next < tokens_len && tokens[next].start < end) {
        next++;
    }
    return (qr_json_ref)next;
}

qr_json_ref qr_json_member(qr_json_ref object, const char *name)
{
    qr_json_ref found = -1;

    if (object < 0 || token_of(object)->type != JSMN_OBJECT) {
        return -1;
    }
    int end = token_of(object)->end;
    qr_json_ref at = (qr_json_ref)(object + 1);
    while (at < tokens_len && tokens[at].start < end) {
        qr_json_ref value = (qr_json_ref)(at + 1);
        if (name_equals(at, name)) {
            found = value;
        }
        at = next_sibling(value);
    }
    return found;
}

#include "json_text.h"

#include <stdlib.h>
#include <string.h>

#include "input.h"

struct json_token json_tokens[JSON_TEXT_TOKENS_MAX];

/* The text, what is read of it, and how many tokens that has. */
static struct {
    const char *bytes;
    size_t len, at;
    int tokens;
} text;

static bool value(int parent, unsigned depth);

static int peek(void)
{
    return text.at < text.len ? (unsigned char)text.bytes[text.at] : -1;
}

static bool take(const char *word)
{
    size_t len = strlen(word);

    if (text.len - text.at < len || memcmp(text.bytes + text.at, word, len) != 0) {
        return false;
    }
    text.at += len;
    return true;
}

static bool take_one_of(const char *set)
{
    bool found = peek() > 0 && strchr(set, peek()) != NULL;

    text.at += found;
    return found;
}

static void space(void)
{
    while (take_one_of(" \t\r\n")) {
    }
}

static int begin(char kind, int parent, unsigned depth)
{
    FUZZ_HOLDS(text.tokens < JSON_TEXT_TOKENS_MAX);
    json_tokens[text.tokens] =
        (struct json_token){.kind = kind, .at = text.at, .parent = parent, .depth = depth};
    return text.tokens++;
}

static bool end(int token)
{
    json_tokens[token].end = text.at;
    return true;
}

/* RFC 3629 section 4, by reckoning: the first byte says how many follow and how many are needed. */
static bool utf8_char(void)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    int first = peek();
    int more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t code = (uint32_t)first & (0x3fu >> more);

    if (first < 0xc2 || first > 0xf4) {
        return false;
    }
    text.at++;
    for (int i = 0; i < more; i++, text.at++) {
        if ((peek() & ~0x3f) != 0x80) {
            return false;
        }
        code = code << 6 | ((uint32_t)peek() & 0x3f);
    }
    return code >= least[more] && code <= 0x10ffff && code >> 11 != 0xd800 >> 11;
}

static bool escape(void)
{
    if (take_one_of("\"\\/bfnrt")) {
        return true;
    }
    bool good = take("u");
    for (int i = 0; good && i < 4; i++) {
        good = take_one_of("0123456789abcdefABCDEF");
    }
    return good;
}

static bool string(char kind, int parent, unsigned depth)
{
    int token = begin(kind, parent, depth);
    bool good = take("\"");

    while (good && peek() != '"') {
        if (peek() == '\\') {
            text.at++;
            good = escape();
        } else if (peek() < 0x80) {
            good = peek() >= 0x20;
            text.at++;
        } else {
            good = utf8_char();
        }
    }
    return good && take("\"") && end(token);
}

static bool digits(void)
{
    size_t start = text.at;

    while (take_one_of("0123456789")) {
    }
    return text.at != start;
}

static bool number(int parent, unsigned depth)
{
    int token = begin('0', parent, depth);
    bool good;

    (void)take("-");
    good = take("0") || digits();
    if (good && take(".")) {
        good = digits();
    }
    if (good && take_one_of("eE")) {
        (void)take_one_of("+-");
        good = digits();
    }
    return good && end(token);
}

static bool member(int object, unsigned depth)
{
    bool good;

    space();
    good = string('N', object, depth);
    space();
    return good && take(":") && value(object, depth);
}

static bool nested(char open, const char *close, int parent, unsigned depth)
{
    int token = begin(open, parent, depth);

    text.at++;
    space();
    if (take(close)) {
        return end(token);
    }
    do {
        if (!(open == '{' ? member(token, depth + 1) : value(token, depth + 1))) {
            return false;
        }
    } while (take(","));
    return take(close) && end(token);
}

static bool word(const char *letters, int parent, unsigned depth)
{
    int token = begin(*letters, parent, depth);

    return take(letters) && end(token);
}

static bool value(int parent, unsigned depth)
{
    bool good;

    space();
    switch (peek()) {
    case '{': good = nested('{', "}", parent, depth); break;
    case '[': good = nested('[', "]", parent, depth); break;
    case '"': good = string('"', parent, depth); break;
    case 't': good = word("true", parent, depth); break;
    case 'f': good = word("false", parent, depth); break;
    case 'n': good = word("null", parent, depth); break;
    default: good = number(parent, depth); break;
    }
    space();
    return good;
}

int json_text_read(const char *bytes, size_t len)
{
    text.bytes = bytes;
    text.len = len;
    text.at = 0;
    text.tokens = 0;
    return value(-1, 0) && text.at == text.len ? text.tokens : -1;
}

/* ---- strings ---- */

static uint32_t hex(const char *digits4)
{
    char copy[5] = {digits4[0], digits4[1], digits4[2], digits4[3], '\0'};

    return (uint32_t)strtoul(copy, NULL, 16);
}

static size_t put_utf8(uint32_t code, char *out)
{
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = len; i-- > 1; code >>= 6) {
        out[i] = (char)(0x80 | (code & 0x3f));
    }
    out[0] = (char)(heads[len] | code);
    return len;
}

/* At a \u; *in moves on. Returns the code point, or -1. */
static int32_t unescape_u(const char **in)
{
    uint32_t high = hex(*in + 2), low;

    *in += 6;
    if (high >> 11 != 0xd800 >> 11) {
        return (int32_t)high;
    }
    if (high >= 0xdc00 || (*in)[0] != '\\' || (*in)[1] != 'u') {
        return -1;
    }
    low = hex(*in + 2);
    *in += 6;
    return low >> 10 == 0xdc00 >> 10 ? (int32_t)(0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff))
                                     : -1;
}

int json_text_decode(int token, char *out)
{
    static const char names[] = "\"\\/bfnrt", chars[] = "\"\\/\b\f\n\r\t";
    const char *in = text.bytes + json_tokens[token].at + 1;
    const char *last = text.bytes + json_tokens[token].end - 1;
    size_t len = 0;

    while (in < last) {
        if (in[0] == '\\' && in[1] == 'u') {
            int32_t code = unescape_u(&in);
            if (code < 0) {
                return -1;
            }
            len += put_utf8((uint32_t)code, out + len);
        } else if (in[0] == '\\') {
            out[len++] = chars[strchr(names, in[1]) - names];
            in += 2;
        } else {
            out[len++] = *in++;
        }
    }
    return (int)len;
}

int json_text_member(int object, const char *name)
{
    static char decoded[1 << 16];
    int found = -1;

    for (int i = object + 1; i < text.tokens && json_tokens[i].at < json_tokens[object].end; i++) {
        if (json_tokens[i].kind == 'N' && json_tokens[i].parent == object &&
            json_tokens[i].end - json_tokens[i].at <= sizeof decoded) {
            int len = json_text_decode(i, decoded);
            found = len == (int)strlen(name) && memcmp(decoded, name, strlen(name)) == 0 ? i + 1
                                                                                         : found;
        }
    }
    return found;
}

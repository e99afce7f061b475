/*
 * JSON texts (RFC 8259): a strict check of our own, since jsmn is a tokenizer and no validator,
 * then jsmn's tokens, then typed getters. src/json.c is the only includer of jsmn.h.
 *
 * Takes all that RFC 8259 takes up to QR_JSON_DEPTH_MAX and QR_JSON_TOKENS_MAX, and nothing else: a
 * byte order mark, text behind the value, a control character in a string, or what is not UTF-8 are
 * errors. Escapes of half a surrogate pair are in RFC 8259's grammar, so the check takes them; a
 * getter that would have to turn one into UTF-8 refuses it.
 */
#ifndef QR_JSON_H
#define QR_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "err.h"
#include "limits.h"
#include "span.h"

enum qr_json_type {
    QR_JSON_OBJECT,
    QR_JSON_ARRAY,
    QR_JSON_STRING,
    QR_JSON_NUMBER,
    QR_JSON_TRUE,
    QR_JSON_FALSE,
    QR_JSON_NULL
};

/* A value: its index among the tokens of the text that was read last. */
typedef int16_t qr_json_ref;

/* Checks and tokenizes the len bytes at text, which stay the caller's and must stay unchanged while
 * getters are used. There is one text at a time: its tokens stand in static memory until the next
 * call. Returns 0, or a negative enum qr_err with *fault saying where in "content": at which byte,
 * an escape's or a character's first, the text can be JSON no more; JSON_TRUNCATED, at the text's
 * end, where it still could; for JSON_DEPTH and JSON_TOKENS the limit and no place. The text's own
 * value is 0, a qr_json_ref. */
int qr_json_read(const char *text, size_t len, struct qr_fault *fault);

enum qr_json_type qr_json_type(qr_json_ref value);

/* A member that is looked for: its name, compared decoded, byte for byte; and its value. */
struct qr_json_member {
    struct qr_span name; /* at most QR_JSON_EQUALS_MAX bytes */
    qr_json_ref value;
};
#define QR_JSON_MEMBER(literal)                                                                    \
    {                                                                                              \
        .name = { literal, sizeof(literal) - 1 }                                                   \
    }

/* Fills in the values of n members of the object; of the last one where several have that name, as
 * ECMAScript and Go take it. -1: no such member, or no object. */
void qr_json_members(qr_json_ref object, struct qr_json_member *members, size_t n);

/* The same of one. */
static inline qr_json_ref qr_json_member(qr_json_ref object, const char *name)
{
    struct qr_json_member member = {.name = {name, strlen(name)}};

    qr_json_members(object, &member, 1);
    return member.value;
}

/* Byte offset of the value in the text, for faults. For a string: of its opening quote. */
uint32_t qr_json_offset(qr_json_ref value);

/* Decodes a string into the caller's buffer as UTF-8, not terminated. Returns the length;
 * QR_ERR_NO_SPACE where it is more than cap bytes; QR_ERR_JSON_SURROGATE. */
int qr_json_string(qr_json_ref string, char *out, size_t cap);

/* The most bytes that a string or a name is compared with. */
#define QR_JSON_EQUALS_MAX 64

/* Whether the string is, decoded, the len bytes at text. Half a surrogate pair equals nothing. */
bool qr_json_equals(qr_json_ref string, const char *text, size_t len);

#endif

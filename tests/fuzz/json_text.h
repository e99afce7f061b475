/*
 * A second reader of JSON (RFC 8259), written from its grammar and unlike src/json: recursive, and
 * without limits. What it says of a text, src/json must say, and what quitring writes must please
 * it.
 */
#ifndef QR_FUZZ_JSON_TEXT_H
#define QR_FUZZ_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values and names in a text; one with more is cut short by whoever gives it. */
#define JSON_TEXT_TOKENS_MAX 20000

struct json_token {
    char kind;      /* { [ " 0 t f n, and N for a member's name */
    size_t at, end; /* in the text; of a string with its quotes */
    int parent;     /* of a member its object, of an element its array; -1: none */
    unsigned depth; /* arrays and objects that are open where it stands, without itself */
};

/* In the order of the text; of the text that was read last. */
extern struct json_token json_tokens[JSON_TEXT_TOKENS_MAX];

/* Returns how many tokens the text has, or -1: it is not JSON. */
int json_text_read(const char *text, size_t len);

/* Decodes a string or a name of that text. out has as many bytes as the token. Returns the length,
 * or -1: half a surrogate pair. */
int json_text_decode(int token, char *out);

/* The value of the object's last member whose name is, decoded, this; -1: none. */
int json_text_member(int object, const char *name);

#endif

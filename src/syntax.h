/*
 * The syntax of what a request's head is made of: bytes, hosts, targets (RFC 9110 section 5.6, RFC
 * 9112 section 3.2, RFC 3986). Pure.
 */
#ifndef QR_SYNTAX_H
#define QR_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a byte may be part of. */
enum qr_kind {
    QR_TEXT = 1,   /* a field value: HTAB, SP, VCHAR, obs-text */
    QR_TOKEN = 2,  /* a method, a field name */
    QR_TARGET = 4, /* a target, besides percent-encoding and the question mark */
    QR_NAMING = 8, /* a host's name, besides percent-encoding: unreserved, sub-delims */
    QR_HEX = 16,   /* a hexadecimal number */
    QR_DIGIT = 32  /* a decimal number */
};

/* For each byte: the kinds that it is of. */
extern const uint8_t qr_syntax_kinds[256];

static inline bool qr_syntax_is(enum qr_kind kind, char c)
{
    return (qr_syntax_kinds[(unsigned char)c] & kind) != 0;
}

/* The index of the first byte, from at on and below end, that is not of that kind; end: all are. */
size_t qr_syntax_skip(enum qr_kind kind, const char *bytes, size_t at, size_t end);

/* The same for QR_TEXT, sooner. */
size_t qr_syntax_skip_text(const char *bytes, size_t at, size_t end);

/* The index of the first byte, from at on and below end, that is c, which is ASCII; end: none is.
 */
size_t qr_syntax_find(char c, const char *bytes, size_t at, size_t end);

/* As qr_syntax_skip(), for uri-host [ ":" port ] (RFC 3986 section 3.2), piece by piece. *place is
 * 0 before the first piece. */
size_t qr_syntax_host(uint8_t *place, const char *bytes, size_t at, size_t end);

/* Whether it may end there; an empty one may. */
bool qr_syntax_host_whole(uint8_t place);

/* Whether a target whose bytes may all stand in one is in origin-form or absolute-form, or is the
 * asterisk where that may be (RFC 9112 section 3.2). *at is then where its path begins, and
 * otherwise the byte that shows the fault. */
bool qr_syntax_target(bool asterisk, const char *target, size_t len, size_t *at);

#endif

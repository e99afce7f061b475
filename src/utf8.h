/*
 * UTF-8 (RFC 3629), shared by who reads text (json, callback) and who writes it (reply). Pure.
 */
#ifndef QR_UTF8_H
#define QR_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length in bytes (1 to 4) of the well-formed UTF-8 character at s, which has len bytes left;
 * 0 when there is none: an overlong form, a surrogate, over U+10FFFF, cut short, or len is 0. */
size_t qr_utf8_char(const char *s, size_t len);

/* Behind the ASCII characters, from s on and before end, that stand for themselves in a JSON
 * string: all but controls, quote and backslash. */
const char *qr_utf8_skip_plain(const char *s, const char *end);

/* Writes the UTF-8 form of a code point (not a surrogate, at most 0x10FFFF) to out, which has at
 * least 4 bytes. Returns the bytes written, 1 to 4. */
size_t qr_utf8_encode(uint32_t code_point, char *out);

/* The largest length, at most max, at which the len bytes at s may be cut without halving a
 * character; len where len <= max. Bytes that are not UTF-8 may be cut anywhere. */
size_t qr_utf8_cut(const char *s, size_t len, size_t max);

#endif

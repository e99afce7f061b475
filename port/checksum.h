/*
 * The Internet's checksum (RFC 1071), which lwIP makes of all that it sends and takes.
 */
#ifndef QR_PORT_CHECKSUM_H
#define QR_PORT_CHECKSUM_H

#include <stdint.h>

/* The sum, in one's complement, of len bytes as 16-bit numbers in this machine's order of bytes; a
 * last single byte is the first of its two. Not inverted. */
uint16_t qr_checksum(const void *bytes, int len);

#endif

/*
 * Streams that begin alike: of the last one it is kept how it began, and what that led its reader
 * to. Who reads one that begins with the same bytes is led there, too, without reading them. There
 * is one such memory, which is static; nothing of it can be seen but how long reading takes.
 */
#ifndef QR_ALIKE_H
#define QR_ALIKE_H

#include <stddef.h>

#include "limits.h"

/* Bytes of what a reader was led to. */
#define QR_ALIKE_STATE_MAX (14 * sizeof(void *) + 80)

/* Keeps a copy of both, in place of what was kept before: a stream that begins with these len bytes
 * leads any reader to this state, which has at most QR_ALIKE_STATE_MAX bytes. A longer beginning
 * than QR_HEAD_ALIKE_MAX is not kept. */
void qr_alike_keep(const char *bytes, size_t len, const void *state, size_t state_len);

/* Where the len bytes at bytes begin with what is kept: how many that are, and the state is copied
 * to state, which has the same length. 0: they do not; then state stays. */
size_t qr_alike_find(const char *bytes, size_t len, void *state, size_t state_len);

#endif

/*
 * Test inputs that end at an inaccessible page, so that reading one byte too many is a crash and
 * not luck.
 */
#ifndef QR_TEST_GUARD_H
#define QR_TEST_GUARD_H

#include <stddef.h>

/* A copy of the bytes whose last byte touches an inaccessible page. Valid until the next call. At
 * most 64 KiB. */
char *guard_copy(const void *bytes, size_t len);

#endif

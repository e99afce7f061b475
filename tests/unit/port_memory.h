/*
 * lwIP's memory under watch, for the tests of the port: its allocator's functions are wrapped by
 * the linker. With a sanitizer, what stands behind the bytes of a received frame in its buffers may
 * not be read. And an allocation can be made to fail.
 */
#ifndef QR_PORT_MEMORY_H
#define QR_PORT_MEMORY_H

#include <stdbool.h>

/* From now on the n-th allocation fails, and only that; 0: none does. lwIP's timers are not
 * counted: their pool is made large enough for all of them (MEMP_NUM_SYS_TIMEOUT). */
void memory_fail(unsigned n);

/* Whether that one has come. */
bool memory_failed(void);

#endif

/*
 * lwIP's view of compiler and platform. All of it is standard C11; what needs a platform goes
 * through the board.
 */
#ifndef QR_ARCH_CC_H
#define QR_ARCH_CC_H

#include <stdint.h>
#include <sys/time.h> /* struct timeval */

#define LWIP_TIMEVAL_PRIVATE  0
#define LWIP_ERRNO_STDINCLUDE 1
#define LWIP_NO_CTYPE_H       1 /* lwIP's own ASCII ctype: no locale */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BYTE_ORDER BIG_ENDIAN
#else
#define BYTE_ORDER LITTLE_ENDIAN
#endif

/* Says what, and does not return: an assertion in lwIP is a fault of its caller, us. */
_Noreturn void qr_port_assert_failed(const char *what);
#define LWIP_PLATFORM_ASSERT(what) qr_port_assert_failed(what)
#define LWIP_PLATFORM_DIAG(text)

#include "checksum.h"
#define LWIP_CHKSUM qr_checksum

uint32_t qr_port_random(void);
#define LWIP_RAND() qr_port_random()

/* SNTP's clock (port/wall_clock.c): seconds since 2036-02-07T06:28:16Z and 2^-32 of them. */
void qr_port_time_set(int32_t seconds, uint32_t fraction);
void qr_port_time_get(int32_t *seconds, uint32_t *fraction);

#endif

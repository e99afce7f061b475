/*
 * The program's stack, which sections.ld places. It is painted before main(): what is not paint any
 * more has been used. A debugger, or QEMU's monitor, reads the peak so.
 */
#ifndef QR_START_H
#define QR_START_H

#include <stdint.h>

#define QR_STACK_PAINT 0xa5

/* Of sections.ld; the size is an address. */
extern uint8_t qr_stack[], qr_stack_size[];

#endif

/* Division of 64 bits, in place of the compiler's own, which is made for speed and six times as
 * long. It has the compiler's name: what its code for / and % calls. */
#ifndef QR_MPS2_DIVIDE_H
#define QR_MPS2_DIVIDE_H

#include <stdint.h>

/* Returns the quotient. The divisor is not 0. */
uint64_t qr_divide(uint64_t dividend, uint64_t divisor,
                   uint64_t *remainder) __asm__("__udivmoddi4");

#endif

#include "divide.h"

#include <stdbool.h>

static bool is_word(uint64_t number)
{
    return number >> 32 == 0;
}

/* The processor divides words. Of longer ones, a bit of the quotient a turn, from the first that
 * can be one. */
__attribute__((used)) uint64_t qr_divide(uint64_t dividend, uint64_t divisor, uint64_t *remainder)
{
    uint64_t quotient = 0;

    if (is_word(dividend) && is_word(divisor)) {
        *remainder = (uint32_t)dividend % (uint32_t)divisor;
        return (uint32_t)dividend / (uint32_t)divisor;
    }
    if (dividend >= divisor) {
        int shift = __builtin_clzll(divisor) - __builtin_clzll(dividend);
        for (divisor <<= shift; shift >= 0; shift--) {
            quotient <<= 1;
            if (dividend >= divisor) {
                dividend -= divisor;
                quotient |= 1;
            }
            divisor >>= 1;
        }
    }
    *remainder = dividend;
    return quotient;
}

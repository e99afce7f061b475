#include "checksum.h"

#include <string.h>

static uint32_t word_at(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* As much as goes into whole turns of the loop, and so is taken off *at and *len. */
#ifdef __thumb2__

/* In assembly, since C has no word for adding with carry; from whole words on, where frames stand.
 */
static uint64_t sum_of_turns(const uint8_t **at, size_t *len)
{
    const uint8_t *end = *at + (*len & ~(size_t)31);
    uint32_t sum = 0, carry = 0;

    if (*at == end || (uintptr_t)*at % sizeof(uint32_t) != 0) {
        return 0;
    }
    __asm__("   adds    %[sum], #0      \n" /* no carry yet */
            "1: ldmia   %[at]!, {r3-r6} \n"
            "   adcs    %[sum], r3      \n"
            "   adcs    %[sum], r4      \n"
            "   adcs    %[sum], r5      \n"
            "   adcs    %[sum], r6      \n"
            "   ldmia   %[at]!, {r3-r6} \n"
            "   adcs    %[sum], r3      \n"
            "   adcs    %[sum], r4      \n"
            "   adcs    %[sum], r5      \n"
            "   adcs    %[sum], r6      \n"
            "   teq     %[at], %[end]   \n" /* leaves the carry */
            "   bne     1b              \n"
            "   adc     %[carry], #0    \n"
            : [at] "+r"(*at), [sum] "+r"(sum), [carry] "+r"(carry)
            : [end] "r"(end)
            : "r3", "r4", "r5", "r6", "cc", "memory");
    *len &= 31;
    return (uint64_t)carry << 32 | sum;
}

#else

static uint64_t add_eight(uint64_t sum, const uint8_t *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof eight);
    sum += eight;
    return sum + (sum < eight); /* the carry */
}

static uint64_t sum_of_turns(const uint8_t **at, size_t *len)
{
    const uint8_t *from = *at, *end = from + (*len & ~(size_t)31);
    uint64_t sum = 0;

    for (; from != end; from += 32) {
        sum = add_eight(sum, from);
        sum = add_eight(sum, from + 8);
        sum = add_eight(sum, from + 16);
        sum = add_eight(sum, from + 24);
    }
    *at = end;
    *len &= 31;
    return (sum & UINT32_MAX) + (sum >> 32);
}

#endif

/* By words of the machine, whose carries wait in the upper half: the order of bytes, and where a
 * sum of 16 bits is cut off, do not matter to it (RFC 1071 section 2). */
uint16_t qr_checksum(const void *bytes, int len)
{
    const uint8_t *at = bytes;
    size_t left = (size_t)len;
    uint64_t sum = sum_of_turns(&at, &left);

    for (; left >= sizeof(uint32_t); left -= sizeof(uint32_t), at += sizeof(uint32_t)) {
        sum += word_at(at);
    }
    if (left > 0) {
        uint32_t rest = 0;
        memcpy(&rest, at, left);
        sum += rest;
    }

    uint32_t low = (uint32_t)sum, high = (uint32_t)(sum >> 32);
    low = (low & UINT16_MAX) + (low >> 16) + (high & UINT16_MAX) + (high >> 16);
    low = (low & UINT16_MAX) + (low >> 16);
    return (uint16_t)((low & UINT16_MAX) + (low >> 16));
}

/*
 * Copying, filling and comparing, in place of the C library's, which is built for size and goes
 * byte by byte. Each frame is copied three times on its way, so that this is felt.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A Cortex-M3 loads and stores words at any address (Armv7-M, A3.2.1). */
struct word {
    uint32_t bits;
} __attribute__((packed, may_alias));

/* The compiler must not take a loop for what it is, and call the function that it stands in. */
#define AS_WRITTEN __attribute__((used, optimize("no-tree-loop-distribute-patterns")))

/* The assembly has no names for its arguments. */
#define UNNAMED __attribute__((unused))

/* In assembly, since gcc makes half as many steps again of it: 32 bytes a turn where both sides
 * stand at whole words, as frames do; otherwise 16. Then the lowest four bits of what is left,
 * shifted into carry and sign two at a time, tell whether 8, 4, 2 and 1 bytes follow. */
__attribute__((used, naked)) void *memcpy(void *restrict to UNNAMED,
                                          const void *restrict from UNNAMED, size_t len UNNAMED)
{
    __asm__ volatile("   mov     r12, r0       \n"
                     "   subs    r2, #16       \n"
                     "   blo     4f            \n"
                     "   orr     r3, r12, r1   \n"
                     "   lsls    r3, #30       \n"
                     "   bne     3f            \n"
                     "   subs    r2, #16       \n"
                     "   blo     2f            \n"
                     "   push    {r4-r10}      \n"
                     "1: ldmia   r1!, {r3-r10} \n"
                     "   stmia   r12!, {r3-r10}\n"
                     "   subs    r2, #32       \n"
                     "   bhs     1b            \n"
                     "   pop     {r4-r10}      \n"
                     "2: adds    r2, #16       \n"
                     "   blo     4f            \n"
                     "3: ldr     r3, [r1], #4  \n"
                     "   str     r3, [r12], #4 \n"
                     "   ldr     r3, [r1], #4  \n"
                     "   str     r3, [r12], #4 \n"
                     "   ldr     r3, [r1], #4  \n"
                     "   str     r3, [r12], #4 \n"
                     "   ldr     r3, [r1], #4  \n"
                     "   str     r3, [r12], #4 \n"
                     "   subs    r2, #16       \n"
                     "   bhs     3b            \n"
                     "4: lsls    r2, #29       \n"
                     "   itttt   cs            \n"
                     "   ldrcs   r3, [r1], #4  \n"
                     "   strcs   r3, [r12], #4 \n"
                     "   ldrcs   r3, [r1], #4  \n"
                     "   strcs   r3, [r12], #4 \n"
                     "   itt     mi            \n"
                     "   ldrmi   r3, [r1], #4  \n"
                     "   strmi   r3, [r12], #4 \n"
                     "   lsls    r2, #2        \n"
                     "   itt     cs            \n"
                     "   ldrhcs  r3, [r1], #2  \n"
                     "   strhcs  r3, [r12], #2 \n"
                     "   itt     mi            \n"
                     "   ldrbmi  r3, [r1]      \n"
                     "   strbmi  r3, [r12]     \n"
                     "   bx      lr            \n" ::
                         : "memory");
}

AS_WRITTEN void *memset(void *to, int byte, size_t len)
{
    struct word *words = to;
    struct word word = {(uint8_t)byte * 0x01010101u};

    for (; len >= 4 * sizeof word; len -= 4 * sizeof word) {
        *words++ = word;
        *words++ = word;
        *words++ = word;
        *words++ = word;
    }
    for (uint8_t *bytes = (uint8_t *)words; len > 0; len--) {
        *bytes++ = (uint8_t)byte;
    }
    return to;
}

/* Where words differ, their bytes tell. */
AS_WRITTEN int memcmp(const void *a, const void *b, size_t len)
{
    const struct word *left = a, *right = b;

    for (; len >= 4 * sizeof *left; len -= 4 * sizeof *left) {
        if (((left[0].bits ^ right[0].bits) | (left[1].bits ^ right[1].bits) |
             (left[2].bits ^ right[2].bits) | (left[3].bits ^ right[3].bits)) != 0) {
            break;
        }
        left += 4;
        right += 4;
    }
    for (; len >= sizeof *left && left->bits == right->bits; len -= sizeof *left) {
        left++;
        right++;
    }
    const uint8_t *last_left = (const uint8_t *)left, *last_right = (const uint8_t *)right;
    for (; len > 0 && *last_left == *last_right; len--) {
        last_left++;
        last_right++;
    }
    return len == 0 ? 0 : *last_left - *last_right;
}

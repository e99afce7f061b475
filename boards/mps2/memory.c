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

/* In assembly, since gcc makes half as many steps again of it: 16 bytes a turn; then the lowest
 * four bits of what is left, shifted into carry and sign two at a time, tell whether 8, 4, 2 and 1
 * bytes follow. */
AS_WRITTEN void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    void *out = to;
    uint32_t word;

    __asm__ volatile("   subs    %[len], #16             \n"
                     "   blo     2f                      \n"
                     "1: ldr     %[word], [%[in]], #4    \n"
                     "   str     %[word], [%[out]], #4   \n"
                     "   ldr     %[word], [%[in]], #4    \n"
                     "   str     %[word], [%[out]], #4   \n"
                     "   ldr     %[word], [%[in]], #4    \n"
                     "   str     %[word], [%[out]], #4   \n"
                     "   ldr     %[word], [%[in]], #4    \n"
                     "   str     %[word], [%[out]], #4   \n"
                     "   subs    %[len], #16             \n"
                     "   bhs     1b                      \n"
                     "2: lsls    %[len], #29             \n"
                     "   itttt   cs                      \n"
                     "   ldrcs   %[word], [%[in]], #4    \n"
                     "   strcs   %[word], [%[out]], #4   \n"
                     "   ldrcs   %[word], [%[in]], #4    \n"
                     "   strcs   %[word], [%[out]], #4   \n"
                     "   itt     mi                      \n"
                     "   ldrmi   %[word], [%[in]], #4    \n"
                     "   strmi   %[word], [%[out]], #4   \n"
                     "   lsls    %[len], #2              \n"
                     "   itt     cs                      \n"
                     "   ldrhcs  %[word], [%[in]], #2    \n"
                     "   strhcs  %[word], [%[out]], #2   \n"
                     "   itt     mi                      \n"
                     "   ldrbmi  %[word], [%[in]]        \n"
                     "   strbmi  %[word], [%[out]]       \n"
                     : [out] "+r"(out), [in] "+r"(from), [len] "+r"(len), [word] "=&r"(word)
                     :
                     : "cc", "memory");
    return to;
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

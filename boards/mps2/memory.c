/*
 * Copying, in place of the C library's memcpy(), which is built for size and copies byte by byte.
 * Each frame is copied three times on its way, so that this is felt.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A Cortex-M3 loads and stores words at any address (Armv7-M, A3.2.1). */
struct word {
    uint32_t bits;
} __attribute__((packed, may_alias));

/* The compiler must not take these loops for what they are, and call memcpy(). */
__attribute__((used, optimize("no-tree-loop-distribute-patterns"))) void *
memcpy(void *restrict to, const void *restrict from, size_t len)
{
    struct word *out = to;
    const struct word *in = from;

    for (; len >= 4 * sizeof *in; len -= 4 * sizeof *in) {
        out[0] = in[0];
        out[1] = in[1];
        out[2] = in[2];
        out[3] = in[3];
        out += 4;
        in += 4;
    }
    for (; len >= sizeof *in; len -= sizeof *in) {
        *out++ = *in++;
    }

    uint8_t *last_out = (uint8_t *)out;
    const uint8_t *last_in = (const uint8_t *)in;
    while (len-- > 0) {
        *last_out++ = *last_in++;
    }
    return to;
}

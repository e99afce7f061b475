#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void fuzz_does_not_hold(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, condition);
    abort();
}

uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->at++;
}

uint32_t fuzz_number(struct fuzz_input *input, uint32_t most)
{
    uint32_t number = 0;

    for (uint32_t rest = most; rest != 0; rest >>= 8) {
        number = number << 8 | fuzz_byte(input);
    }
    return most == UINT32_MAX ? number : number % (most + 1);
}

size_t fuzz_bytes(struct fuzz_input *input, uint32_t most, const uint8_t **bytes)
{
    size_t len = fuzz_number(input, most);

    len = len < input->left ? len : input->left;
    *bytes = input->at;
    input->at += len;
    input->left -= len;
    return len;
}

size_t fuzz_until(struct fuzz_input *input, char end, const char **text)
{
    const uint8_t *found = input->left == 0 ? NULL : memchr(input->at, end, input->left);
    size_t len = found == NULL ? input->left : (size_t)(found - input->at);

    *text = (const char *)input->at;
    input->at += len + (found != NULL);
    input->left -= len + (found != NULL);
    return len;
}

void *fuzz_exact(const void *bytes, size_t len)
{
    void *copy = malloc(len);

    FUZZ_HOLDS(copy != NULL);
    if (len != 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

/* FNV-1a. */
uint32_t fuzz_hash(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++) {
        hash = (uint32_t)((uint64_t)(hash ^ at[i]) * 16777619u);
    }
    return hash;
}

/* Knuth's MMIX constants would want 64 bits; these are those of the C standard's example. */
uint32_t fuzz_next(uint32_t *state)
{
    *state = (uint32_t)((uint64_t)*state * 1103515245u + 12345);
    return *state >> 16;
}

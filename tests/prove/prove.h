/*
 * What the proofs in this folder are written with. Each is a function that CBMC takes the place of
 * a caller in: locals without a value have any, prove_assume() says which of them matter, and
 * assert() says what must hold then. Besides, CBMC looks at each access to memory, each operation
 * on numbers and each loop of the code that is called.
 *
 * A file includes the .c files that it is about, with limits small enough for each state of the
 * memory to be looked at.
 */
#ifndef QR_PROVE_H
#define QR_PROVE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A proof: its name, and what it holds for, as tests/prove/run.py reads them; CBMC's options stand
 * in the file's opening comment. */
#define PROOF(name, bound)                                                                         \
    void prove_##name(void);                                                                       \
    void prove_##name(void)

void __CPROVER_assume(_Bool condition);

static inline void prove_assume(bool condition)
{
    __CPROVER_assume(condition);
}

/* CBMC's own copies by means of an array of any size, which takes it long. */
void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    assert(__CPROVER_r_ok(from, len) && __CPROVER_w_ok(to, len));
    for (size_t i = 0; i < len; i++) {
        ((char *)to)[i] = ((const char *)from)[i];
    }
    return to;
}

#endif

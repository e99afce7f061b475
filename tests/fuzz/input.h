/*
 * What the fuzz targets share: reading an input piece by piece, and saying what does not hold.
 *
 * A target is fuzz_NAME.c, with LLVMFuzzerTestOneInput() in it, which libFuzzer calls with one
 * input after the other. Nothing of an input may outlive its call, so that each reproduces by
 * itself.
 */
#ifndef QR_FUZZ_INPUT_H
#define QR_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Ends the program, so that libFuzzer keeps the input, unless it holds. */
#define FUZZ_HOLDS(condition)                                                                      \
    ((condition) ? (void)0 : fuzz_does_not_hold(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_does_not_hold(const char *file, int line, const char *condition);

/* What is left of an input. Behind its end there are zeros, so that every input is whole. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

uint8_t fuzz_byte(struct fuzz_input *input);

/* A number from 0 to most, from as many bytes as most has. */
uint32_t fuzz_number(struct fuzz_input *input, uint32_t most);

/* As many bytes as a number says that stands before them, at most `most`; *bytes points into the
 * input. Returns how many are there. */
size_t fuzz_bytes(struct fuzz_input *input, uint32_t most, const uint8_t **bytes);

/* What stands before the next such byte, without it; all that is left where there is none. */
size_t fuzz_until(struct fuzz_input *input, char end, const char **text);

/* A copy that ends, and begins, where memory is poisoned; free() it. */
void *fuzz_exact(const void *bytes, size_t len);

/* A number that depends on all of the bytes. */
uint32_t fuzz_hash(const void *bytes, size_t len);

/* The next of a row of numbers that depends on *state alone. */
uint32_t fuzz_next(uint32_t *state);

#endif

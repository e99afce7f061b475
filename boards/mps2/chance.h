/*
 * Random bytes from a seed: ChaCha20 (RFC 8439 section 2.3) as a generator that takes a new key
 * from itself each time, so that who sees its memory later learns nothing about what it gave
 * before. The memory is the caller's. Pure.
 */
#ifndef QR_CHANCE_H
#define QR_CHANCE_H

#include <stddef.h>
#include <stdint.h>

#define QR_CHANCE_KEY_BYTES 32

/* At first all zero. */
struct qr_chance {
    uint32_t key[QR_CHANCE_KEY_BYTES / 4];
};

/* Adds at most QR_CHANCE_KEY_BYTES of seed. What others know does no harm, and what they do not
 * know helps; several seeds must not follow from each other. */
void qr_chance_stir(struct qr_chance *chance, const void *seed, size_t len);

void qr_chance_bytes(struct qr_chance *chance, void *bytes, size_t len);

/* The block function: constants, key, counter and nonce in, the key stream's next 64 bytes out. */
void qr_chance_block(const uint32_t in[16], uint32_t out[16]);

#endif

#include "chance.h"

#include <string.h>

#define WORDS  16
#define ROUNDS 20

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

/* RFC 8439 section 2.1 */
static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b, *d = rotate(*d ^ *a, 16);
    *c += *d, *b = rotate(*b ^ *c, 12);
    *a += *b, *d = rotate(*d ^ *a, 8);
    *c += *d, *b = rotate(*b ^ *c, 7);
}

/* RFC 8439 section 2.3: columns and diagonals in turn. */
void qr_chance_block(const uint32_t in[16], uint32_t out[16])
{
    uint32_t s[WORDS];

    memcpy(s, in, sizeof s);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned turn = (unsigned)round % 2;
        for (unsigned i = 0; i < 4; i++) {
            quarter_round(&s[i], &s[4 + (i + turn) % 4], &s[8 + (i + 2 * turn) % 4],
                          &s[12 + (i + 3 * turn) % 4]);
        }
    }
    for (int i = 0; i < WORDS; i++) {
        out[i] = s[i] + in[i];
    }
}

void qr_chance_stir(struct qr_chance *chance, const void *seed, size_t len)
{
    const uint8_t *from = seed;
    uint8_t key[QR_CHANCE_KEY_BYTES];

    memcpy(key, chance->key, sizeof key);
    for (size_t i = 0; i < len && i < sizeof key; i++) {
        key[i] ^= from[i];
    }
    memcpy(chance->key, key, sizeof key);
}

/* The first half of a block is the next key, the second half is given. */
void qr_chance_bytes(struct qr_chance *chance, void *bytes, size_t len)
{
    uint32_t in[WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, out[WORDS];
    uint8_t *to = bytes;

    while (len > 0) {
        size_t n = len < QR_CHANCE_KEY_BYTES ? len : QR_CHANCE_KEY_BYTES;
        memcpy(in + 4, chance->key, sizeof chance->key);
        qr_chance_block(in, out);
        memcpy(chance->key, out, sizeof chance->key);
        memcpy(to, out + WORDS / 2, n);
        to += n;
        len -= n;
    }
}

/* Bytes by as many as the machine takes at once: all of them are looked at by one number. */
#ifndef QR_WORDS_H
#define QR_WORDS_H

#include <stddef.h>
#include <string.h>

typedef unsigned long qr_word;

/* A byte in each of a word's places; the top bit of each. */
#define QR_WORD_OF(byte) (~(qr_word)0 / 255 * (byte))
#define QR_WORD_TOPS     QR_WORD_OF(0x80)

static inline qr_word qr_word_swapped(qr_word word)
{
    return sizeof word == 8 ? (qr_word)__builtin_bswap64(word)
                            : (qr_word)__builtin_bswap32((unsigned)word);
}

/* The bytes at at, the first one the lowest. */
static inline qr_word qr_word_at(const char *at)
{
    qr_word word;

    memcpy(&word, at, sizeof word);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : qr_word_swapped(word);
}

/* Of each byte that is less than most (at most 0x80), the top bit of its place. Of the bytes behind
 * the first such one, and of those from 0x80 on, it may be set, too. */
static inline qr_word qr_word_below(qr_word word, unsigned char most)
{
    return word - QR_WORD_OF(most);
}

/* The same of each byte that is byte. */
static inline qr_word qr_word_is(qr_word word, unsigned char byte)
{
    return (word ^ QR_WORD_OF(byte)) - QR_WORD_OF(1);
}

/* Which byte is the first one whose top bit is set in tops; one is. */
static inline size_t qr_word_first(qr_word tops)
{
    return (size_t)__builtin_ctzl(tops) / 8;
}

#endif

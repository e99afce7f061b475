#include "checksum.h"

#include <string.h>

static uint32_t word_at(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* By words of the machine, whose carries wait in the upper half: the order of bytes, and where a
 * sum of 16 bits is cut off, do not matter to it (RFC 1071 section 2). */
uint16_t qr_checksum(const void *bytes, int len)
{
    const uint8_t *at = bytes;
    uint64_t sum = 0;

    for (; len >= 16; len -= 16, at += 16) {
        sum += word_at(at);
        sum += word_at(at + 4);
        sum += word_at(at + 8);
        sum += word_at(at + 12);
    }
    for (; len >= 4; len -= 4, at += 4) {
        sum += word_at(at);
    }
    if (len > 0) {
        uint32_t rest = 0;
        memcpy(&rest, at, (size_t)len);
        sum += rest;
    }

    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16 & UINT16_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

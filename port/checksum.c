#include "checksum.h"

#include <string.h>

/* By words of the machine, whose carries wait in the upper half: the order of bytes, and where a
 * sum of 16 bits is cut off, do not matter to it (RFC 1071 section 2). */
uint16_t qr_checksum(const void *bytes, int len)
{
    const uint8_t *at = bytes;
    uint64_t sum = 0;
    uint32_t words[4];

    for (; len >= (int)sizeof words; len -= (int)sizeof words) {
        memcpy(words, at, sizeof words);
        sum += words[0];
        sum += words[1];
        sum += words[2];
        sum += words[3];
        at += sizeof words;
    }
    memset(words, 0, sizeof words);
    memcpy(words, at, (size_t)len);
    sum += (uint64_t)words[0] + words[1] + words[2] + words[3];

    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16 & UINT16_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

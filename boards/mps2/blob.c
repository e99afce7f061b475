#include "blob.h"

#include <string.h>

#define VERSION 1

#define AT_CRC     4
#define AT_VERSION 8
#define AT_LEN     12
#define AT_SEED    16

static const char magic[4] = {'q', 'r', 'n', 'g'};

static uint32_t number(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* IEEE 802.3, bit by bit: a table would take more than the milliseconds that it saves once. */
static uint32_t crc32(const uint8_t *at, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
        }
    }
    return ~crc;
}

enum qr_blob_state qr_blob_read(struct qr_blob *blob, const uint8_t *bytes, size_t len)
{
    if (len < QR_BLOB_HEAD_BYTES || memcmp(bytes, magic, sizeof magic) != 0) {
        return QR_BLOB_ABSENT;
    }
    if (number(bytes + AT_VERSION) != VERSION) {
        return QR_BLOB_VERSION;
    }
    size_t text_len = number(bytes + AT_LEN);
    if (text_len > len - QR_BLOB_HEAD_BYTES) {
        return QR_BLOB_LENGTH;
    }
    if (number(bytes + AT_CRC) !=
        crc32(bytes + AT_VERSION, QR_BLOB_HEAD_BYTES - AT_VERSION + text_len)) {
        return QR_BLOB_CHECKSUM;
    }
    *blob = (struct qr_blob){
        .seed = bytes + AT_SEED, .text = (const char *)bytes + QR_BLOB_HEAD_BYTES, .len = text_len};
    return QR_BLOB_FINE;
}

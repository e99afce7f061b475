/*
 * The settings blob: settings and a random seed at a fixed address, where a programmer, or QEMU's
 * loader, puts them; boards/mps2/blob.py makes one. Numbers have their low byte first.
 *
 *   bytes
 *    0.. 3  magic: "qrng"
 *    4.. 7  CRC-32 (IEEE 802.3) of everything behind it
 *    8..11  version of this format: 1
 *   12..15  length of the text
 *   16..47  seed: 32 bytes that differ from board to board, and nobody else knows
 *   48..    text: lines of name=value
 *
 * Pure; nothing is copied.
 */
#ifndef QR_BLOB_H
#define QR_BLOB_H

#include <stddef.h>
#include <stdint.h>

#define QR_BLOB_HEAD_BYTES 48
#define QR_BLOB_SEED_BYTES 32

struct qr_blob {
    const uint8_t *seed; /* QR_BLOB_SEED_BYTES */
    const char *text;
    size_t len;
};

enum qr_blob_state {
    QR_BLOB_FINE,
    QR_BLOB_ABSENT,
    QR_BLOB_VERSION,  /* not one that is known here */
    QR_BLOB_LENGTH,   /* the text is said to be longer than what is there */
    QR_BLOB_CHECKSUM, /* something else than what was made */
};

/* Reads a blob of at most len bytes. *blob is set when it is fine, and valid as long as the bytes
 * are. */
enum qr_blob_state qr_blob_read(struct qr_blob *blob, const uint8_t *bytes, size_t len);

#endif

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boards/mps2/blob.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define TEXT "net=card\nring=4K\n"

/* The checksum is another program's: Python's zlib.crc32(). */
static const uint8_t made[] = "qrng"
                              "\xf3\xf3\xc0\x8a"
                              "\x01\0\0\0"
                              "\x11\0\0\0"
                              "0123456789abcdefghijklmnopqrstuv" TEXT;
#define MADE_BYTES (sizeof made - 1)

static enum qr_blob_state read_copy(struct qr_blob *blob, const uint8_t *bytes, size_t len)
{
    return qr_blob_read(blob, (const uint8_t *)guard_copy(bytes, len), len);
}

static void test_blob_gives_text_and_seed(void **state)
{
    struct qr_blob blob;

    (void)state;
    assert_int_equal(read_copy(&blob, made, MADE_BYTES), QR_BLOB_FINE);
    assert_int_equal(blob.len, strlen(TEXT));
    assert_memory_equal(blob.text, TEXT, strlen(TEXT));
    assert_memory_equal(blob.seed, "0123456789abcdefghijklmnopqrstuv", QR_BLOB_SEED_BYTES);
}

static void test_blob_may_have_more_behind_it(void **state)
{
    uint8_t bytes[MADE_BYTES + 100];
    struct qr_blob blob;

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    memcpy(bytes, made, MADE_BYTES);
    assert_int_equal(read_copy(&blob, bytes, sizeof bytes), QR_BLOB_FINE);
    assert_int_equal(blob.len, strlen(TEXT));
}

static void test_blob_is_absent_in_blank_memory(void **state)
{
    static const uint8_t blanks[] = {0x00, 0xff, 'q'};
    uint8_t bytes[256];
    struct qr_blob blob;

    (void)state;
    for (size_t i = 0; i < COUNT(blanks); i++) {
        memset(bytes, blanks[i], sizeof bytes);
        assert_int_equal(read_copy(&blob, bytes, sizeof bytes), QR_BLOB_ABSENT);
    }
}

static void test_blob_is_not_fine_when_cut_at_any_length(void **state)
{
    struct qr_blob blob;

    (void)state;
    for (size_t len = 0; len < MADE_BYTES; len++) {
        enum qr_blob_state wanted = len < QR_BLOB_HEAD_BYTES ? QR_BLOB_ABSENT : QR_BLOB_LENGTH;
        assert_int_equal(read_copy(&blob, made, len), wanted);
    }
}

static enum qr_blob_state state_when_damaged_at(size_t byte)
{
    if (byte < 4) {
        return QR_BLOB_ABSENT;
    }
    return byte >= 8 && byte < 12 ? QR_BLOB_VERSION : QR_BLOB_CHECKSUM;
}

static void test_blob_is_not_fine_with_any_bit_changed(void **state)
{
    uint8_t bytes[MADE_BYTES];
    struct qr_blob blob;

    (void)state;
    for (size_t bit = 0; bit < 8 * MADE_BYTES; bit++) {
        size_t byte = bit / 8;
        memcpy(bytes, made, MADE_BYTES);
        bytes[byte] ^= (uint8_t)(1u << bit % 8);
        enum qr_blob_state found = read_copy(&blob, bytes, MADE_BYTES);
        if (byte >= 12 && byte < 16) { /* the length: a shorter one is a checksum's matter */
            assert_true(found == QR_BLOB_LENGTH || found == QR_BLOB_CHECKSUM);
        } else {
            assert_int_equal(found, state_when_damaged_at(byte));
        }
    }
}

static void test_blob_refuses_lengths_beyond_its_memory(void **state)
{
    static const uint32_t lens[] = {18, 4096, INT32_MAX, UINT32_MAX - QR_BLOB_HEAD_BYTES + 1,
                                    UINT32_MAX};
    uint8_t bytes[MADE_BYTES];
    struct qr_blob blob;

    (void)state;
    memcpy(bytes, made, MADE_BYTES);
    for (size_t i = 0; i < COUNT(lens); i++) {
        for (int at = 0; at < 4; at++) {
            bytes[12 + at] = (uint8_t)(lens[i] >> 8 * at);
        }
        assert_int_equal(read_copy(&blob, bytes, MADE_BYTES), QR_BLOB_LENGTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blob_gives_text_and_seed),
        cmocka_unit_test(test_blob_may_have_more_behind_it),
        cmocka_unit_test(test_blob_is_absent_in_blank_memory),
        cmocka_unit_test(test_blob_is_not_fine_when_cut_at_any_length),
        cmocka_unit_test(test_blob_is_not_fine_with_any_bit_changed),
        cmocka_unit_test(test_blob_refuses_lengths_beyond_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

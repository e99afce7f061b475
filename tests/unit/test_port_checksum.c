/* The checksum against the plainest way to reckon it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "port/checksum.h"

#define BYTES_MAX 1600

/* RFC 1071 section 4.1, with each addition's carry put back at once. */
static uint16_t reference(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i += 2) {
        uint8_t pair[2] = {bytes[i], i + 1 < len ? bytes[i + 1] : 0};
        uint16_t number;
        memcpy(&number, pair, sizeof number);
        sum += number;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* 0 and 0xffff are the same number in one's complement; lwIP must see it as the plain way has it,
 * since it compares with it. */
static void check_all_lengths(const uint8_t *bytes, size_t step)
{
    for (size_t len = 0; len <= BYTES_MAX; len += len < 70 ? 1 : step) {
        for (size_t offset = 0; offset < 4 && offset + len <= BYTES_MAX; offset++) {
            assert_int_equal(qr_checksum(bytes + offset, (int)len), reference(bytes + offset, len));
        }
    }
}

static void test_checksum_is_that_of_rfc_1071(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    static const uint8_t sum[] = {0xdd, 0xf2}; /* section 3 */
    uint16_t number;

    (void)state;
    memcpy(&number, sum, sizeof number);
    assert_int_equal(qr_checksum(bytes, sizeof bytes), number);
}

static void test_checksum_of_any_length_and_place(void **state)
{
    static uint8_t bytes[BYTES_MAX];
    uint32_t draw = 1;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        draw = draw * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(draw >> 24);
    }
    check_all_lengths(bytes, 37);
}

static void test_checksum_with_all_the_carries_there_are(void **state)
{
    static uint8_t bytes[BYTES_MAX];

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    check_all_lengths(bytes, 1);
    memset(bytes, 0, sizeof bytes);
    check_all_lengths(bytes, 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksum_is_that_of_rfc_1071),
        cmocka_unit_test(test_checksum_of_any_length_and_place),
        cmocka_unit_test(test_checksum_with_all_the_carries_there_are),
    };

    return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}

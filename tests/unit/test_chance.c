#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boards/mps2/chance.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* RFC 8439 section 2.3.2 */
static void test_chance_block_is_that_of_the_rfc(void **state)
{
    static const uint32_t in[16] = {
        0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, 0x03020100, 0x07060504,
        0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c,
        0x00000001, 0x09000000, 0x4a000000, 0x00000000,
    };
    static const uint32_t wanted[16] = {
        0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033,
        0x9aaa2204, 0x4e6cd4c3, 0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
        0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2,
    };
    uint32_t out[16];

    (void)state;
    qr_chance_block(in, out);
    assert_memory_equal(out, wanted, sizeof wanted);
}

static struct qr_chance seeded(const char *seed)
{
    struct qr_chance chance = {0};

    qr_chance_stir(&chance, seed, strlen(seed));
    return chance;
}

static void test_chance_follows_from_every_byte_of_the_seed(void **state)
{
    char seed[QR_CHANCE_KEY_BYTES + 1] = "0123456789abcdefghijklmnopqrstuv";
    struct qr_chance same = seeded(seed), again = seeded(seed);
    uint8_t wanted[8], got[8];

    (void)state;
    qr_chance_bytes(&same, wanted, sizeof wanted);
    qr_chance_bytes(&again, got, sizeof got);
    assert_memory_equal(got, wanted, sizeof got);
    for (size_t i = 0; i < QR_CHANCE_KEY_BYTES; i++) {
        seed[i] ^= 1;
        struct qr_chance other = seeded(seed);
        qr_chance_bytes(&other, got, sizeof got);
        assert_memory_not_equal(got, wanted, sizeof got);
        seed[i] ^= 1;
    }
}

static void test_chance_gives_each_byte_asked_for_and_no_more(void **state)
{
    static const size_t lens[] = {0, 1, 3, 8, 16, 31, 32, 33, 64, 100};
    uint8_t bytes[102], blank[102];

    (void)state;
    for (size_t i = 0; i < COUNT(lens); i++) {
        struct qr_chance chance = seeded("a seed");
        size_t zeros = 0;
        memset(bytes, 0, sizeof bytes);
        memset(blank, 0, sizeof blank);
        qr_chance_bytes(&chance, bytes + 1, lens[i]);
        for (size_t at = 1; at <= lens[i]; at++) {
            zeros += bytes[at] == 0;
        }
        assert_true(zeros <= 2); /* with this seed 0 or 1 of 100 */
        assert_int_equal(bytes[0], 0);
        assert_memory_equal(bytes + 1 + lens[i], blank, sizeof bytes - 1 - lens[i]);
    }
}

static void test_chance_never_repeats_and_forgets_its_key(void **state)
{
    struct qr_chance chance = seeded("a seed"), before;
    uint8_t last[32] = {0}, bytes[32];

    (void)state;
    for (int i = 0; i < 100; i++) {
        before = chance;
        qr_chance_bytes(&chance, bytes, sizeof bytes);
        assert_memory_not_equal(bytes, last, sizeof bytes);
        assert_memory_not_equal(chance.key, before.key, sizeof before.key);
        assert_memory_not_equal(chance.key, bytes, sizeof bytes);
        memcpy(last, bytes, sizeof bytes);
    }
}

static void test_chance_takes_no_more_seed_than_fits(void **state)
{
    struct qr_chance one = seeded("0123456789abcdefghijklmnopqrstuv");
    struct qr_chance two = seeded("0123456789abcdefghijklmnopqrstuv and more");

    (void)state;
    assert_memory_equal(one.key, two.key, sizeof one.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chance_block_is_that_of_the_rfc),
        cmocka_unit_test(test_chance_follows_from_every_byte_of_the_seed),
        cmocka_unit_test(test_chance_gives_each_byte_asked_for_and_no_more),
        cmocka_unit_test(test_chance_never_repeats_and_forgets_its_key),
        cmocka_unit_test(test_chance_takes_no_more_seed_than_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

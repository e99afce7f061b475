/* Division as boards/mps2 has it, against this machine's own. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "boards/mps2/divide.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void assert_divides(uint64_t dividend, uint64_t divisor)
{
    uint64_t remainder;
    uint64_t quotient = qr_divide(dividend, divisor, &remainder);

    if (quotient != dividend / divisor || remainder != dividend % divisor) {
        fail_msg("%llu / %llu", (unsigned long long)dividend, (unsigned long long)divisor);
    }
}

/* Around each power of two, and around each of ten. */
static void test_divide_gives_quotient_and_remainder(void **state)
{
    static uint64_t numbers[3 * (64 + 20)];
    size_t n = 0;
    uint64_t ten = 1;

    (void)state;
    for (unsigned i = 0; i < 64 + 20; i++) {
        uint64_t number = i < 64 ? (uint64_t)1 << i : ten;
        ten = i < 64 ? ten : ten * 10;
        for (uint64_t k = 0; k < 3; k++) {
            numbers[n++] = number - 1 + k;
        }
    }
    for (size_t i = 0; i < COUNT(numbers); i++) {
        for (size_t k = 0; k < COUNT(numbers); k++) {
            if (numbers[k] != 0) {
                assert_divides(numbers[i], numbers[k]);
            }
        }
        assert_divides(numbers[i], UINT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_divide_gives_quotient_and_remainder),
    };

    return cmocka_run_group_tests_name("divide", tests, NULL, NULL);
}

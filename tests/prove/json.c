/*
 * JSON texts: any bytes, also such as are no JSON, through the check, and what passes as a string
 * through what decodes it. Not jsmn, which is included code: it takes CBMC too long.
 *
 * Bound: texts of up to LEN bytes, of up to 5 values and names, nested up to 3 deep. The check is
 * looked at from any place in a text on, with anything open, one item at a time.
 *
 * CBMC's options: --unwind 6 --unwindset strchr.0:11,strlen.0:12
 */
#define QR_JSON_TOKENS_MAX 5
#define QR_JSON_DEPTH_MAX  3
#define LEN                5

#include "src/err.c"
#include "src/json.c"
/* Looks at eight bytes at once by numbers that wrap, as unsigned ones may. */
#pragma CPROVER check push
#pragma CPROVER check disable "unsigned-overflow"
#include "src/utf8.c"
#pragma CPROVER check pop
#include "tests/prove/prove.h"

/* A check of any text, whose last byte is the array's: the byte behind it is none. */
static struct check any_check(const char *array, struct qr_fault *fault)
{
    struct check check;
    size_t len;

    prove_assume(len <= LEN);
    check.text = array + LEN - len;
    check.end = array + LEN;
    check.fault = fault;
    prove_assume(check.depth <= QR_JSON_DEPTH_MAX);
    prove_assume(check.tokens >= 0 && check.tokens <= QR_JSON_TOKENS_MAX);
    return check;
}

/* Anywhere in it. */
static const char *any_place(const struct check *check)
{
    size_t pos;

    prove_assume(pos <= (size_t)(check->end - check->text));
    return check->text + pos;
}

/* What must hold then of what a step left: it is anywhere in the text, further on. */
static void assert_step(const struct check *check, const char *before, const char *at)
{
    const struct qr_fault *fault = check->fault;

    if (at == NULL) {
        assert(fault->err < 0);
        assert(fault->limit != 0 || fault->offset <= (size_t)(check->end - check->text));
        return;
    }
    assert(at > before && at <= check->end);
    assert(check->depth <= QR_JSON_DEPTH_MAX && check->tokens <= QR_JSON_TOKENS_MAX);
}

PROOF(json_value, "any value, anywhere in any text of up to 5 bytes")
{
    char array[LEN];
    struct qr_fault fault;
    struct check check = any_check(array, &fault);
    const char *at = any_place(&check);

    assert_step(&check, at, check_value(&check, at));
}

/* An item of an array, or of an object. */
static void prove_item(uint32_t objects)
{
    char array[LEN];
    struct qr_fault fault;
    struct check check = any_check(array, &fault);
    const char *at = any_place(&check);

    check.objects = objects;
    prove_assume(check.depth > 0);
    assert_step(&check, at, check_item(&check, at));
}

PROOF(json_element, "any element, anywhere in any text of up to 5 bytes")
{
    prove_item(0);
}

PROOF(json_member, "any member, anywhere in any text of up to 5 bytes")
{
    prove_item(1);
}

/* What passed as a string is decoded into any buffer. */
PROOF(json_decode, "any string in any text of up to 5 bytes")
{
    char array[LEN], out[LEN];
    struct qr_fault fault;
    struct check check = any_check(array, &fault);
    const char *at = any_place(&check);
    size_t cap;

    prove_assume(peek(&check, at) == '"' && cap <= LEN);
    const char *end = check_string(&check, at);
    if (end != NULL) {
        struct span span = {at + 1, end - 1};
        int len = decode(span, out + LEN - cap, cap);
        assert(len == QR_ERR_NO_SPACE || len == QR_ERR_JSON_SURROGATE ||
               (len >= 0 && (size_t)len <= cap && len <= end - at - 2));
    }
}

PROOF(json_hex, "any byte")
{
    uint8_t byte;
    int value = hex_value(byte);
    bool digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
                 (byte >= 'A' && byte <= 'F');

    assert(digit ? value >= 0 && value < 16 : value == -1);
}

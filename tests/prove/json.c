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
#include "src/utf8.c"
#include "tests/prove/prove.h"

/* Any text. Its last byte is the array's, so that the byte behind it is none. */
static const char *any_text(char *array, size_t len)
{
    prove_assume(len <= LEN);
    return array + LEN - len;
}

/* A check that is anywhere in a text. */
static struct check any_check(char *array, struct qr_fault *fault)
{
    struct check check;

    check.text = any_text(array, check.len);
    check.fault = fault;
    prove_assume(check.pos <= check.len && check.depth <= QR_JSON_DEPTH_MAX);
    prove_assume(check.tokens >= 0 && check.tokens <= QR_JSON_TOKENS_MAX);
    return check;
}

/* What must hold then of what a step left: it is anywhere in the text, further on. */
static void assert_step(const struct check *check, const struct check *before, int err)
{
    const struct qr_fault *fault = check->fault;

    if (err != 0) {
        assert(err < 0 && fault->err == err);
        assert(fault->limit != 0 ? fault->offset == QR_NO_OFFSET : fault->offset <= check->len);
        return;
    }
    assert(check->pos > before->pos && check->pos <= check->len);
    assert(check->depth <= QR_JSON_DEPTH_MAX && check->tokens >= before->tokens);
    assert(check->tokens <= QR_JSON_TOKENS_MAX);
}

PROOF(json_value, "any value, anywhere in any text of up to 5 bytes")
{
    char array[LEN];
    struct qr_fault fault;
    struct check check = any_check(array, &fault);
    struct check before = check;

    assert_step(&check, &before, check_value(&check));
}

/* An item of an array, or of an object. */
static void prove_item(uint32_t objects)
{
    char array[LEN];
    struct qr_fault fault;
    struct check check = any_check(array, &fault);

    check.objects = objects;
    prove_assume(check.depth > 0);
    struct check before = check;
    assert_step(&check, &before, check_item(&check));
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
    size_t start = check.pos, cap;

    prove_assume(peek(&check) == '"' && cap <= LEN);
    if (check_string(&check) == 0) {
        struct span span = {check.text + start + 1, check.text + check.pos - 1};
        int len = decode(span, out + LEN - cap, cap);
        assert(len == QR_ERR_NO_SPACE || len == QR_ERR_JSON_SURROGATE ||
               (len >= 0 && (size_t)len <= cap && (size_t)len <= check.pos - start - 2));
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

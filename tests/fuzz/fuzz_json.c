/*
 * src/json: the input is a text. It must be taken or refused as json_text.h's reader does, its
 * tokens must be the same ones, and its strings must decode alike.
 */
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "json.h"
#include "json_text.h"

#define TEXT_MAX 4096

static const char kinds[] = {
    [QR_JSON_OBJECT] = '{', [QR_JSON_ARRAY] = '[', [QR_JSON_STRING] = '"', [QR_JSON_NUMBER] = '0',
    [QR_JSON_TRUE] = 't',   [QR_JSON_FALSE] = 'f', [QR_JSON_NULL] = 'n',
};

static bool too_deep(int n)
{
    for (int i = 0; i < n; i++) {
        bool opens = json_tokens[i].kind == '{' || json_tokens[i].kind == '[';
        if (json_tokens[i].depth + opens > QR_JSON_DEPTH_MAX) {
            return true;
        }
    }
    return false;
}

/* Refused for what it is, or for a limit that it passes: where depends on which of them came
 * first. */
static void check_refused(const char *text, size_t len, int n, const struct qr_fault *fault)
{
    FUZZ_HOLDS(fault->part_len == strlen("content"));
    FUZZ_HOLDS(memcmp(fault->part, "content", fault->part_len) == 0);
    FUZZ_HOLDS(qr_err_status(fault->err) == 400);
    if (fault->limit == 0) {
        FUZZ_HOLDS(n < 0);
        FUZZ_HOLDS(fault->offset <= len);
        FUZZ_HOLDS((fault->err == QR_ERR_JSON_TRUNCATED) == (fault->offset == len));
        /* What jsmn and the check disagree about would be said to be wrong from the start on. */
        FUZZ_HOLDS(fault->offset != 0 || len == 0 ||
                   memchr(" \t\r\n{[\"-0123456789tfn", text[0], 21) == NULL);
        return;
    }
    FUZZ_HOLDS(fault->offset == QR_NO_OFFSET);
    FUZZ_HOLDS(fault->err == QR_ERR_JSON_DEPTH || fault->err == QR_ERR_JSON_TOKENS);
    FUZZ_HOLDS(n < 0 || too_deep(n) || n > QR_JSON_TOKENS_MAX);
}

/* Into memory that holds just so much. */
static void check_string(qr_json_ref value, const char *expected, int len)
{
    char *out;

    if (len < 0) {
        char any[TEXT_MAX];
        FUZZ_HOLDS(qr_json_string(value, any, sizeof any) == QR_ERR_JSON_SURROGATE);
        return;
    }
    out = malloc((size_t)len);
    FUZZ_HOLDS(qr_json_string(value, out, (size_t)len) == len);
    FUZZ_HOLDS(len == 0 || memcmp(out, expected, (size_t)len) == 0);
    FUZZ_HOLDS(len == 0 || qr_json_string(value, out, (size_t)len - 1) == QR_ERR_NO_SPACE);
    free(out);
    if (len <= QR_JSON_EQUALS_MAX) {
        FUZZ_HOLDS(qr_json_equals(value, expected, (size_t)len));
        FUZZ_HOLDS(len == 0 || !qr_json_equals(value, expected, (size_t)len - 1));
    }
}

static void check_member(int name, const char *decoded, int len)
{
    char text[QR_JSON_EQUALS_MAX + 1];

    if (len < 0 || len > QR_JSON_EQUALS_MAX || memchr(decoded, '\0', (size_t)len) != NULL) {
        return;
    }
    memcpy(text, decoded, (size_t)len);
    text[len] = '\0';
    FUZZ_HOLDS(qr_json_member((qr_json_ref)json_tokens[name].parent, text) ==
               json_text_member(json_tokens[name].parent, text));
}

static void check_token(int i, size_t len)
{
    bool name = json_tokens[i].kind == 'N';
    qr_json_ref value = (qr_json_ref)i;
    char *decoded;
    int decoded_len;

    FUZZ_HOLDS(kinds[qr_json_type(value)] == (name ? '"' : json_tokens[i].kind));
    FUZZ_HOLDS(qr_json_offset(value) == json_tokens[i].at);
    if (qr_json_type(value) != QR_JSON_STRING) {
        return;
    }
    decoded = malloc(len);
    decoded_len = json_text_decode(i, decoded);
    check_string(value, decoded, decoded_len);
    if (name) {
        check_member(i, decoded, decoded_len);
    }
    free(decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct qr_fault fault = {0};
    char *text;
    int n, err;

    if (len > TEXT_MAX) {
        return 0;
    }
    text = fuzz_exact(bytes, len);
    n = json_text_read(text, len);
    err = qr_json_read(text, len, &fault);

    if (err < 0) {
        FUZZ_HOLDS((int)fault.err == err);
        check_refused(text, len, n, &fault);
    } else {
        FUZZ_HOLDS(n > 0 && n <= QR_JSON_TOKENS_MAX && !too_deep(n));
        for (int i = 0; i < n; i++) {
            check_token(i, len);
        }
    }
    free(text);
    return 0;
}

/*
 * src/callback: the input is a path, an operation ID and a content, a line each but for the
 * content. What json_text.h's reader finds in the content decides whether it is a quit, and which.
 * The reply must be JSON with OpenIM's five fields, whatever was wrong.
 */
#include <stdlib.h>
#include <string.h>

#include "callback.h"
#include "input.h"
#include "json_text.h"
#include "utf8.h"

#define CONTENT_MAX 4096

static const char *const fields[] = {"actionCode", "errCode", "errMsg", "errDlt", "nextCode"};

static void check_reply(const struct qr_fault *fault)
{
    char *bytes = malloc(QR_CALLBACK_REPLY_MAX);
    struct qr_out out;
    char number[8] = "";
    int n;

    qr_out_init(&out, bytes, QR_CALLBACK_REPLY_MAX);
    qr_callback_reply(&out, fault);
    FUZZ_HOLDS(!out.full);
    n = json_text_read(bytes, out.len);
    FUZZ_HOLDS(n == 11 && json_tokens[0].kind == '{');
    for (int i = 0; i < 5; i++) {
        int value = json_text_member(0, fields[i]);
        FUZZ_HOLDS(value == 2 * i + 2);
        FUZZ_HOLDS(json_tokens[value].kind == (i == 2 || i == 3 ? '"' : '0'));
    }
    FUZZ_HOLDS(bytes[json_tokens[2].at] == (fault == NULL ? '0' : '1'));
    FUZZ_HOLDS(bytes[json_tokens[10].at] == '0');
    memcpy(number, bytes + json_tokens[4].at, json_tokens[4].end - json_tokens[4].at);
    FUZZ_HOLDS(atoi(number) == (fault == NULL ? 0 : -(int)fault->err));
    FUZZ_HOLDS((json_tokens[6].end - json_tokens[6].at == 2) == (fault == NULL)); /* errMsg */
    free(bytes);
}

/* What the reader says of an ID: its length where it is one, else 0. */
static int expected_id(const char *name, char *decoded)
{
    int value = json_text_member(0, name);
    int len;

    if (value < 0 || json_tokens[value].kind != '"') {
        return 0;
    }
    len = json_text_decode(value, decoded);
    return len > 0 && len <= QR_ID_MAX && memchr(decoded, '\0', (size_t)len) == NULL ? len : 0;
}

static bool expected_command(const char *path, size_t path_len)
{
    static char decoded[CONTENT_MAX];
    int value = json_text_member(0, "callbackCommand");
    int len;

    if (value < 0) {
        return true;
    }
    if (json_tokens[value].kind != '"') {
        return false;
    }
    len = json_text_decode(value, decoded);
    return len >= 0 && (size_t)len < path_len &&
           memcmp(path + path_len - (size_t)len, decoded, (size_t)len) == 0 &&
           path[path_len - (size_t)len - 1] == '/' && memchr(decoded, '/', (size_t)len) == NULL;
}

static void check_id(const char *id, uint8_t len, const char *expected, int expected_len)
{
    FUZZ_HOLDS(len != 0 && len == expected_len && memcmp(id, expected, len) == 0);
    for (size_t i = 0, char_len; i < len; i += char_len) {
        char_len = qr_utf8_char(id + i, len - i);
        FUZZ_HOLDS(char_len != 0);
    }
}

static void check_content(const struct qr_request *request)
{
    static char ids[2][CONTENT_MAX];
    struct qr_callback_quit *quit = malloc(sizeof *quit);
    struct qr_fault fault = {0};
    int result = qr_callback_read(request, quit, &fault);
    bool good = json_text_read(request->content, request->content_len) > 0 &&
                json_tokens[0].kind == '{' && expected_command(request->path, request->path_len);
    int group_len = good ? expected_id("groupID", ids[0]) : 0;
    int user_len = good ? expected_id("userID", ids[1]) : 0;

    if (result < 0) {
        FUZZ_HOLDS((int)fault.err == result);
        FUZZ_HOLDS(fault.err == QR_ERR_JSON_DEPTH || fault.err == QR_ERR_JSON_TOKENS ||
                   group_len == 0 || user_len == 0);
        FUZZ_HOLDS(fault.offset == QR_NO_OFFSET || fault.offset <= request->content_len);
        check_reply(&fault);
    } else {
        FUZZ_HOLDS(result == 0);
        check_id(quit->quit.group_id, quit->quit.group_id_len, ids[0], group_len);
        check_id(quit->quit.user_id, quit->quit.user_id_len, ids[1], user_len);
        FUZZ_HOLDS(quit->quit.operation_id == request->operation_id);
        FUZZ_HOLDS(quit->quit.operation_id_len == request->operation_id_len);
        check_reply(NULL);
    }
    free(quit);
}

/* A fault in a part that somebody else has named, as a parameter's name is. */
static void check_any_fault(const char *part, size_t part_len, uint32_t chance)
{
    static const enum qr_err errs[] = {QR_ERR_PARAM_UNKNOWN, QR_ERR_PARAM_VALUE, QR_ERR_NOT_FOUND,
                                       QR_ERR_HEAD_TOO_LARGE};
    char *exact = fuzz_exact(part, part_len);
    struct qr_fault fault = {.err = errs[chance % 4],
                             .offset = chance % 8 < 4 ? QR_NO_OFFSET : chance,
                             .limit = chance % 16 < 8 ? 0 : UINT32_MAX,
                             .part = exact,
                             .part_len = part_len};

    check_reply(&fault);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct fuzz_input input = {bytes, len};
    struct qr_request request = {.method = QR_METHOD_POST};
    char *path, *content;
    int command;

    if (len > CONTENT_MAX) {
        return 0;
    }
    request.path_len = fuzz_until(&input, '\n', &request.path);
    request.operation_id_len = fuzz_until(&input, '\n', &request.operation_id);
    request.content_len = input.left;
    check_any_fault(request.path, request.path_len, fuzz_hash(bytes, len));
    if (request.operation_id_len > QR_OPERATION_ID_MAX) {
        request.operation_id_len = QR_OPERATION_ID_MAX;
    }
    request.path = path = fuzz_exact(request.path, request.path_len);
    request.content = content = fuzz_exact(input.at, input.left);
    command = qr_callback_command(request.path, request.path_len);
    FUZZ_HOLDS(command >= QR_CALLBACK_NONE && command < QR_CALLBACK_NAMES);
    if (command == QR_CALLBACK_QUIT) {
        check_content(&request);
    }
    free(content);
    free(path);
    return 0;
}

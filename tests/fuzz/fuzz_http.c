/*
 * src/http: the input is a stream of requests. However it is cut into pieces, the same requests
 * must come out of it, and the same fault; what they say must lie where it may lie, and pass no
 * limit.
 */
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "input.h"
#include "syntax.h"

#define STREAM_MAX 4096

/* What a stream is: its requests and their end, as bytes that can be compared. */
struct story {
    size_t len;
    uint8_t bytes[16 * STREAM_MAX];
};

static void tell(struct story *story, const void *bytes, size_t len)
{
    FUZZ_HOLDS(len <= sizeof story->bytes - story->len);
    if (len != 0) {
        memcpy(story->bytes + story->len, bytes, len);
    }
    story->len += len;
}

static void tell_number(struct story *story, uint64_t number)
{
    tell(story, &number, sizeof number);
}

static bool lies_in(const char *at, size_t len, const char *whole, size_t whole_len)
{
    return at >= whole && len <= whole_len && (size_t)(at - whole) <= whole_len - len;
}

static void check_target(const struct qr_http *http)
{
    const struct qr_request *request = &http->request;
    size_t path_len = request->path_len, query_len = request->query_len;
    bool is_slash = path_len == 1 && request->path[0] == '/';

    FUZZ_HOLDS(path_len > 0);
    FUZZ_HOLDS(is_slash || lies_in(request->path, path_len, http->target, http->target_len));
    FUZZ_HOLDS(http->target_len <= QR_TARGET_MAX);
    FUZZ_HOLDS(request->query == NULL ||
               lies_in(request->query, query_len, http->target, http->target_len));
    for (size_t i = 0; i < http->target_len; i++) {
        FUZZ_HOLDS(http->target[i] > ' ' && http->target[i] < 0x7f);
    }
}

/* A field's value that is kept. */
static void check_kept(const struct qr_http *http, const char *at, size_t len)
{
    FUZZ_HOLDS(len <= QR_OPERATION_ID_MAX);
    FUZZ_HOLDS(len == 0 || lies_in(at, len, http->kept, sizeof http->kept));
    for (size_t i = 0; i < len; i++) {
        FUZZ_HOLDS(qr_syntax_is(QR_TEXT, at[i]));
    }
}

static void check_request(const struct qr_http *http, size_t cap)
{
    const struct qr_request *request = &http->request;

    check_target(http);
    FUZZ_HOLDS(request->content == http->content);
    FUZZ_HOLDS(request->content_len <= cap && request->content_len <= QR_CONTENT_MAX);
    check_kept(http, request->operation_id, request->operation_id_len);
    check_kept(http, request->if_none_match.at, request->if_none_match.len);
    check_kept(http, request->last_event_id.at, request->last_event_id.len);
    FUZZ_HOLDS(request->if_none_match.len == 0 || request->last_event_id.len == 0);
    FUZZ_HOLDS(request->minor_version <= 1);
}

static void tell_request(struct story *story, const struct qr_request *request, size_t end)
{
    tell_number(story, end);
    tell_number(story, (uint64_t)request->method << 8 | request->minor_version);
    tell_number(story, request->keep_alive);
    tell_number(story, request->expect_continue);
    tell_number(story, request->operation_id_cut);
    tell_number(story, request->path_len);
    tell(story, request->path, request->path_len);
    tell_number(story, request->query == NULL ? UINT64_MAX : request->query_len);
    tell(story, request->query, request->query_len);
    tell_number(story, request->operation_id_len);
    tell(story, request->operation_id, request->operation_id_len);
    tell_number(story, request->if_none_match.len);
    tell(story, request->if_none_match.at, request->if_none_match.len);
    tell_number(story, request->last_event_id.len);
    tell(story, request->last_event_id.at, request->last_event_id.len);
    tell_number(story, request->takes_gzip);
    tell_number(story, request->content_len);
    tell(story, request->content, request->content_len);
}

/* fed: bytes of this request so far, all of the piece in which it failed included. */
static void tell_fault(struct story *story, struct qr_http *http, int err, size_t fed)
{
    const struct qr_fault *fault = &http->fault;

    FUZZ_HOLDS(http->phase == QR_HTTP_FAILED && (int)fault->err == err);
    FUZZ_HOLDS(qr_err_status(fault->err) >= 400 && qr_err_status(fault->err) != 500);
    FUZZ_HOLDS((fault->offset == QR_NO_OFFSET) == (fault->limit != 0));
    FUZZ_HOLDS(fault->offset == QR_NO_OFFSET || fault->offset < fed);
    FUZZ_HOLDS(qr_http_parse(http, "x", 1) == err); /* and so it stays */
    tell_number(story, (uint64_t)-err);
    tell_number(story, fault->offset);
    tell_number(story, fault->limit);
    tell(story, fault->part, fault->part_len);
}

/* The next piece's length: all, always one byte, or what chance says. */
static size_t piece(uint32_t *chance, uint32_t most, size_t left)
{
    size_t len = most <= 1 ? most : 1 + fuzz_next(chance) % most;

    return len == 0 || len > left ? left : len;
}

static size_t feed(struct qr_http *http, const uint8_t *bytes, size_t len, int *result)
{
    char *copy = fuzz_exact(bytes, len);

    *result = qr_http_parse(http, copy, len);
    free(copy);
    FUZZ_HOLDS(*result <= (int)len);
    /* It stops before the end only for a reason. */
    FUZZ_HOLDS(*result < 0 || *result == (int)len || http->phase == QR_HTTP_DONE ||
               (http->phase == QR_HTTP_CONTENT && http->request.expect_continue));
    return *result < 0 ? 0 : (size_t)*result;
}

static void parse(struct story *story, const uint8_t *bytes, size_t len, uint32_t most, size_t cap)
{
    static struct qr_http http;
    uint32_t chance = fuzz_hash(bytes, len);
    char *content = malloc(cap);
    size_t start = 0, at = 0;
    int result = 0;

    qr_http_init(&http, content, cap);
    story->len = 0;
    while (at < len && result >= 0) {
        size_t want = piece(&chance, most, len - at);
        at += feed(&http, bytes + at, want, &result);
        if (result < 0) {
            tell_fault(story, &http, result, at + want - start);
        } else if (http.phase == QR_HTTP_DONE) {
            check_request(&http, cap);
            tell_request(story, &http.request, at);
            qr_http_next(&http);
            start = at;
        }
    }
    tell_number(story, http.phase);
    free(content);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const uint32_t cuts[] = {0, 1, 4, 40, 400}; /* 0: it begins as the last one */
    static struct story whole, other;

    if (len > STREAM_MAX) {
        return 0;
    }
    parse(&whole, bytes, len, 0, QR_CONTENT_MAX);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        parse(&other, bytes, len, cuts[i], QR_CONTENT_MAX);
        FUZZ_HOLDS(other.len == whole.len && memcmp(other.bytes, whole.bytes, whole.len) == 0);
    }
    parse(&other, bytes, len, 7, 1 + fuzz_hash(bytes, len) % 64); /* a caller with less room */
    return 0;
}

#include "replies.h"

#include <stdlib.h>
#include <string.h>

#include "callback.h"
#include "http.h"
#include "input.h"
#include "json_text.h"
#include "tests/unit/wire.h"

#define QUITS_MAX 4096

/* A quit that somebody sent. */
static struct {
    uint32_t ids; /* a hash of them */
    bool told;    /* that it was stored */
} quits[QUITS_MAX];
static size_t n_quits;

static struct wire_reply reply;

static uint32_t hash_ids(const char *group_id, size_t group_id_len, const char *user_id,
                         size_t user_id_len)
{
    return fuzz_hash(group_id, group_id_len) * 31 + fuzz_hash(user_id, user_id_len);
}

void replies_begin(void)
{
    n_quits = 0;
}

/* ---- replies ---- */

static bool is_stream(void)
{
    return wire_has_line(&reply, "Content-Type: text/event-stream");
}

/* An event stream: lines of which each is one that it may have, data being JSON and ids rising. It
 * may be cut anywhere. */
static void check_stream(void)
{
    uint64_t id = 0;

    for (const char *at = reply.content, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        if (strncmp(at, "data: ", 6) == 0) {
            FUZZ_HOLDS(json_text_read(at + 6, (size_t)(end - at) - 6) > 0);
        } else if (strncmp(at, "id: ", 4) == 0) {
            uint64_t before = id;
            id = strtoull(at + 4, NULL, 10);
            FUZZ_HOLDS(id > before);
        } else {
            FUZZ_HOLDS(at == end || *at == ':' || strncmp(at, "event: ", 7) == 0 ||
                       strncmp(at, "retry: ", 7) == 0);
        }
    }
}

/* A reply as it is, be it whole or not. */
static enum wire_result read_reply(const char *got, size_t left, bool ended, bool head_only)
{
    enum wire_result result = wire_read(&reply, got, left, ended, head_only);

    if (result == WIRE_WHOLE && reply.status == 408 && reply.taken != left) {
        /* The time was over before the server knew that it is a HEAD. */
        result = wire_read(&reply, got, left, ended, false);
    } else if (result != WIRE_BAD && reply.status == 304) { /* RFC 9110 section 15.4.5 */
        result = wire_read(&reply, got, left, ended, true);
    }
    FUZZ_HOLDS(result != WIRE_BAD);
    if (is_stream()) {
        check_stream();
    }
    return result;
}

/* The next one that is no 100 (Continue). Returns false when there is no whole one. A stream is
 * whole only where the server had a mind to end it. */
static bool next_reply(const char **got, size_t *left, bool ended, bool head_only)
{
    do {
        if (*left == 0) {
            return false;
        }
        if (read_reply(*got, *left, ended, head_only) == WIRE_MORE) {
            FUZZ_HOLDS(!ended || is_stream());
            *left = 0;
            return false;
        }
        *got += reply.taken;
        *left -= reply.taken;
    } while (reply.status == 100);
    return true;
}

static void check_content(bool head_only)
{
    if (!head_only && wire_has_line(&reply, "Content-Type: application/json")) {
        FUZZ_HOLDS(json_text_read(reply.content, reply.content_len) > 0);
    }
}

static bool says_stored(void)
{
    static const char stored[] =
        "{\"actionCode\":0,\"errCode\":0,\"errMsg\":\"\",\"errDlt\":\"\",\"nextCode\":0}";

    return reply.status == 200 && strcmp(reply.content, stored) == 0;
}

static void note_quit(const struct qr_request *request, bool answered)
{
    static struct qr_callback_quit quit;
    struct qr_fault fault;
    bool is_quit = request->method == QR_METHOD_POST &&
                   qr_callback_command(request->path, request->path_len) == QR_CALLBACK_QUIT;

    if (!is_quit) {
        return;
    }
    if (qr_callback_read(request, &quit, &fault) < 0) {
        FUZZ_HOLDS(!answered || !says_stored());
        return;
    }
    FUZZ_HOLDS(!answered || says_stored());
    FUZZ_HOLDS(n_quits < QUITS_MAX);
    quits[n_quits].ids =
        hash_ids(quit.group_id, quit.quit.group_id_len, quit.user_id, quit.quit.user_id_len);
    quits[n_quits++].told = answered;
}

void replies_check(const char *sent, size_t sent_len, const char *got, size_t got_len, bool ended)
{
    static char content[QR_CONTENT_MAX];
    static struct qr_http http;
    bool closed = false;
    int taken = 0;

    qr_http_init(&http, content, sizeof content);
    for (size_t at = 0; at < sent_len && taken >= 0;) {
        taken = qr_http_parse(&http, sent + at, sent_len - at);
        at += taken < 0 ? 0 : (size_t)taken;
        if (http.phase == QR_HTTP_DONE) {
            bool head_only = http.request.method == QR_METHOD_HEAD;
            bool answered = !closed && next_reply(&got, &got_len, ended, head_only);
            bool in_time = answered && reply.status != 408; /* else it came after all, too late */
            note_quit(&http.request, in_time);
            if (answered) {
                check_content(head_only);
            }
            closed = closed || !answered || reply.close;
            qr_http_next(&http);
        }
    }
    if (!closed && /* of what was no request */
        next_reply(&got, &got_len, ended, http.request.method == QR_METHOD_HEAD)) {
        check_content(http.request.method == QR_METHOD_HEAD && reply.content_len == 0);
        FUZZ_HOLDS(reply.status >= 400 && reply.close);
    }
    FUZZ_HOLDS(got_len == 0);
}

/* ---- the ring ---- */

void replies_check_ring(const struct qr_ring *ring)
{
    struct qr_ring_pos pos = qr_ring_find(ring, 0);
    struct qr_event event;
    static uint32_t stored[QUITS_MAX];
    size_t n = 0;

    FUZZ_HOLDS(qr_ring_overwritten(ring) == 0);
    while (qr_ring_next(ring, &pos, &event) == 1) {
        stored[n++] =
            hash_ids(event.group_id, event.group_id_len, event.user_id, event.user_id_len);
    }
    for (size_t i = 0; i < n + n_quits; i++) {
        uint32_t ids = i < n ? stored[i] : quits[i - n].ids;
        size_t in_ring = 0, sent = 0, told = 0;
        for (size_t j = 0; j < n; j++) {
            in_ring += stored[j] == ids;
        }
        for (size_t j = 0; j < n_quits; j++) {
            sent += quits[j].ids == ids;
            told += quits[j].ids == ids && quits[j].told;
        }
        FUZZ_HOLDS(told <= in_ring && in_ring <= sent);
    }
}

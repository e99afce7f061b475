/*
 * Who answers a request, as a connection sees it: src/api is one, which main hands in. A reply is
 * described, and its content made when there is room for it; or it waits for events.
 */
#ifndef QR_HANDLER_H
#define QR_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "err.h"
#include "http.h"
#include "limits.h"
#include "reply.h"

/* Bytes of a connection's work memory: a request's content, then what makes the reply. */
#define QR_WORK_SIZE QR_CONTENT_MAX

/* A reply, as the handler describes it. What is static lasts for ever. */
struct qr_response {
    bool may_wait; /* in: the answer may wait, or be a stream; there are slots enough */
    bool again;    /* in: it has waited; work is as the handler left it */

    /* Either there is no answer yet (and nothing else counts): the handler is asked again when an
     * event was stored, and at again_ms (uptime; 0: at once) at the latest. */
    bool waits;
    uint64_t again_ms;

    /* … or this is its head … */
    unsigned status;
    const char *content_type; /* static; NULL: none */
    const char *allow;        /* static; NULL: none */
    const char *etag;         /* static, with etag_seq: W/"etag-etag_seq"; NULL: none */
    uint64_t etag_seq;
    const char *fields; /* static: other field lines, and the head's last CRLF; NULL: none */
    bool no_cache;
    bool callback; /* this was a callback: the connection is not to be closed for idleness */

    /* … and the content are content_len bytes … */
    const char *content; /* static; NULL: the first of work */
    size_t content_len;

    /* … or it is made piece by piece: writes at most cap bytes to out; cap is at least
     * QR_PIECE_MIN. work is as the handler, and the calls before, left it. */
    size_t (*produce)(void *ctx, void *work, const struct qr_now *now, char *out, size_t cap,
                      struct qr_progress *progress);
    bool stream; /* it has no end: each piece has a deadline, and not all of it */
};
#define QR_PIECE_MIN 512

/* Who answers. Both fill in *response (zeroed before, but for what is "in"). work has QR_WORK_SIZE
 * bytes, aligned for any type; the request's content stands in it, and is gone once the handler
 * writes there. The request's spans may be kept in work, for as long as the reply is being made; no
 * other pointer may be kept. now is valid during the call. */
struct qr_handler {
    void *ctx;
    void (*handle)(void *ctx, const struct qr_request *request, const struct qr_now *now,
                   void *work, struct qr_response *response);
    /* The bytes were no request, or came too late. */
    void (*refuse)(void *ctx, const struct qr_fault *fault, void *work,
                   struct qr_response *response);
    /* Changes when an event was stored: then who waits is asked again. NULL: nobody waits. */
    const uint64_t *news;
};

#endif

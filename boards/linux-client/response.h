/*
 * A response of HTTP/1.1 (RFC 9112), read strictly from bytes as they come. Pure: the bytes are the
 * caller's, and content is given as where it lies among them.
 *
 *   STATUS -> FIELD -> COUNTED ------------------> DONE    Content-Length
 *                   -> SIZE -> CHUNK -> CHUNK_END -> SIZE  chunked
 *                         `--> TRAILER ----------> DONE
 *                   -> UNTIL_CLOSE                         neither
 */
#ifndef QR_RESPONSE_H
#define QR_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/span.h"

#define QR_RESPONSE_LINE_MAX 1024 /* bytes of a line: far more than of a proxy's longest */
#define QR_RESPONSE_HEAD_MAX 8192 /* bytes of the head, and again of trailers */

struct qr_response {
    unsigned status;
    bool json; /* Content-Type is application/json */

    /* below: response.c's own */
    uint8_t step;
    bool chunked, counted;
    uint64_t left; /* bytes of the content, or of the chunk, to come */
    size_t head_len;
    size_t line_len;
    char line[QR_RESPONSE_LINE_MAX];
};

enum qr_response_got {
    QR_RESPONSE_MORE,    /* all bytes are taken, and others must come */
    QR_RESPONSE_HEAD,    /* the head has ended: status is known */
    QR_RESPONSE_CONTENT, /* some content */
    QR_RESPONSE_END,     /* it is whole */
    QR_RESPONSE_BAD      /* it is no response of HTTP/1.1 */
};

void qr_response_begin(struct qr_response *response);

/* Takes from the front of *bytes up to the next thing to tell. *content is set for CONTENT. */
enum qr_response_got qr_response_take(struct qr_response *response, struct qr_span *bytes,
                                      struct qr_span *content);

/* Whether it is whole when the connection ends here. */
bool qr_response_ends(const struct qr_response *response);

#endif

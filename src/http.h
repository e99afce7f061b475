/*
 * HTTP/1.0 and HTTP/1.1 requests (RFC 9112), from bytes as they arrive. Strict, incremental, pure:
 * it knows no sockets and no time, and keeps nothing of a request but what struct qr_request holds.
 *
 *   REQUEST_LINE -> FIELDS -> CONTENT (by length, or by chunks and trailers) -> DONE
 *
 * Feed bytes to qr_http_parse() until it reports DONE, use the request, qr_http_next(), go on with
 * the bytes that follow. After an error the stream has no known boundary any more: answer and
 * close.
 */
#ifndef QR_HTTP_H
#define QR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "limits.h"
#include "span.h"

enum qr_method { QR_METHOD_OTHER, QR_METHOD_GET, QR_METHOD_HEAD, QR_METHOD_POST };

enum qr_http_phase {
    QR_HTTP_IDLE,    /* not a byte of the request was seen yet (empty lines do not count) */
    QR_HTTP_HEAD,    /* inside request line or fields */
    QR_HTTP_CONTENT, /* the head is complete, the content is not */
    QR_HTTP_DONE,    /* the request is complete */
    QR_HTTP_FAILED   /* qr_http_parse() returned an error */
};

/* A request. The spans point into struct qr_http, or into the content buffer, and are valid from
 * DONE until qr_http_next(). */
struct qr_request {
    enum qr_method method; /* OTHER: one of RFC 9110 or RFC 5789 that we serve nowhere */
    uint8_t minor_version; /* HTTP/1.minor: 0, or 1 for 1 and above */
    bool keep_alive;       /* the client wants the connection to persist (RFC 9112 section 9.3) */
    bool expect_continue;  /* it waits for a 100 before it sends the content (RFC 9110 10.1.1) */
    bool operation_id_cut; /* it was longer than QR_OPERATION_ID_MAX; cut at a character's end */
    const char *path;      /* begins with a slash, or is "*"; still percent-encoded */
    size_t path_len;
    const char *query; /* behind the question mark; still percent-encoded; NULL: no question mark */
    size_t query_len;
    const char *operation_id; /* the field value, not checked for UTF-8; empty where absent */
    size_t operation_id_len;
    struct qr_span if_none_match; /* likewise, of a GET or HEAD; empty where longer than … */
    struct qr_span last_event_id; /* … QR_OPERATION_ID_MAX; with this one, the other is empty */
    bool takes_gzip; /* Accept-Encoding of a GET or HEAD names gzip, without a weight */
    const char *content;
    size_t content_len;
};

struct qr_http {
    struct qr_request request;
    struct qr_fault fault; /* set when qr_http_parse() fails */
    enum qr_http_phase phase;

    /* Below: src/http.c's own. What stands before text is zeroed for each request. */
    uint8_t state;       /* these four are set together */
    uint8_t text_len;    /* bytes in text; full: it is none of the words that we know */
    uint8_t place;       /* within a part: hex digits owed, place in a Host, digits have come */
    bool gap;            /* white space has come behind the word being read */
    uint8_t field;       /* which known field the current line is */
    uint8_t kept_len;    /* bytes in kept */
    bool kept_cut;       /* the value was longer */
    uint16_t seen;       /* bit set of the known fields that have come */
    bool asterisk;       /* the method is OPTIONS, whose target may be one */
    bool chunked;        /* a transfer coding was named: chunked */
    bool coding_unknown; /* a transfer coding was named: another one */
    bool close_wanted;   /* Connection: close */
    bool keep_wanted;    /* Connection: keep-alive */
    uint16_t target_len;
    uint16_t path_at;   /* in target: behind scheme and authority, if they came */
    uint16_t query_at;  /* in target, behind the first question mark; 0: there is none */
    uint32_t head_left; /* bytes that head and trailers may still have */
    uint32_t offset;    /* bytes of the whole request so far, for faults */
    uint32_t ext_bytes; /* bytes of chunk extensions and needless zeros so far */
    uint32_t left;      /* content bytes still to come, of all or of this chunk */
    char text[24];      /* the version; a list element; the beginning of a word that was cut */
    char target[QR_TARGET_MAX];
    char kept[QR_OPERATION_ID_MAX + 3]; /* 3 more: to see where a character may be cut */
    char *content;                      /* the caller's */
    size_t content_cap;
};

/* Makes a parser that puts content into the caller's buffer of content_cap bytes. */
void qr_http_init(struct qr_http *http, char *content, size_t content_cap);

/* Ready for the next request on the same connection. Spans of the last one end here. */
void qr_http_next(struct qr_http *http);

/* Takes up to len bytes. Returns how many it took: all of them, or fewer when the request is DONE
 * before them or when phase became CONTENT with request.expect_continue set and no content taken
 * yet (so that the caller can send the 100; call again with the rest). A negative enum qr_err is an
 * error, with http->fault set and phase FAILED; request.method is valid if it was read. The fault's
 * offset counts in the whole "request" or in its "target"; the limits are those of "target",
 * "head", "content" and "chunk extensions".
 * How the stream is cut into calls never changes the result. */
int qr_http_parse(struct qr_http *http, const char *bytes, size_t len);

#endif

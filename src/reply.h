/*
 * What a reply is written with: text, numbers, times, JSON strings and the HTTP head (RFC 9112
 * section 4), all into a buffer that the caller owns. Pure; what it keeps of the last head changes
 * no result.
 *
 * Writing is all or nothing for each call: what does not fit is left out whole, and the flag `full`
 * stays set, so that a caller checks once, at the end.
 */
#ifndef QR_REPLY_H
#define QR_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "clock.h"
#include "err.h"

struct qr_out {
    char *bytes;
    size_t cap;
    size_t len;
    bool full; /* something did not fit */
};

void qr_out_init(struct qr_out *out, char *bytes, size_t cap);
void qr_out_bytes(struct qr_out *out, const char *bytes, size_t len);

/* Inline, so that the compiler knows the length of a text that it knows. */
static inline void qr_out_text(struct qr_out *out, const char *text)
{
    qr_out_bytes(out, text, strlen(text));
}

void qr_out_u64(struct qr_out *out, uint64_t value);

/* RFC 3339 with milliseconds: 2026-01-02T03:04:05.678Z; and as JSON, in quotes, or null where
 * unix_ms is 0. */
void qr_out_timestamp(struct qr_out *out, uint64_t unix_ms);
void qr_out_time(struct qr_out *out, uint64_t unix_ms);

/* The bytes as a JSON string, in quotes. Control characters, quote and backslash are escaped; what
 * is not UTF-8 comes out as \ufffd, byte by byte, so that the document is always valid. */
void qr_out_json(struct qr_out *out, const char *bytes, size_t len);

/* The inside of a JSON string, without quotes: as many whole characters as fit. Returns how many of
 * the len bytes that took (len when done); never sets full. */
size_t qr_out_json_part(struct qr_out *out, const char *bytes, size_t len);

/* Text in HTML, and in an attribute in double quotes: as many whole characters as fit. What would
 * be markup is escaped; control characters and what is not UTF-8 come out as U+FFFD. Returns how
 * many of the len bytes that took (len when done); never sets full. */
size_t qr_out_html_part(struct qr_out *out, const char *bytes, size_t len);

/* How content that is made in pieces goes on. A piece of no bytes that is not the last one: there
 * is nothing to say now; ask again at that time, or when an event was stored. */
struct qr_progress {
    bool done;         /* this was the last piece */
    uint64_t again_ms; /* uptime; 0: at once, when others have had their turn */
};

enum qr_framing {
    QR_FRAMING_LENGTH,  /* Content-Length */
    QR_FRAMING_CHUNKED, /* Transfer-Encoding: chunked; HTTP/1.1 only */
    QR_FRAMING_CLOSE,   /* until the connection closes (HTTP/1.0) */
    QR_FRAMING_NONE     /* the status has no content */
};

/* The most bytes that qr_reply_head() writes. */
#define QR_REPLY_HEAD_MAX 372

struct qr_reply_head {
    unsigned status;
    const char *content_type; /* static; NULL: no Content-Type field */
    const char *allow;        /* static; NULL: no Allow field */
    const char *etag;         /* static: W/"etag-etag_seq"; NULL: no ETag field */
    uint64_t etag_seq;
    bool open; /* other field lines follow: the empty line is left out */
    bool no_cache;
    enum qr_framing framing;
    size_t content_length; /* QR_FRAMING_LENGTH */
    bool close;            /* Connection: close */
    bool keep_alive;       /* Connection: keep-alive (to an HTTP/1.0 client that asked for it) */
    uint64_t unix_ms;      /* for Date; 0: no clock, no Date (RFC 9110 section 6.6.1) */
};

void qr_reply_head(struct qr_out *out, const struct qr_reply_head *head);

/* A weak entity tag (RFC 9110 section 8.8.3): W/"etag-seq", of at most QR_REPLY_ETAG_MAX bytes
 * where etag has at most 32. */
#define QR_REPLY_ETAG_MAX 64
void qr_out_etag(struct qr_out *out, const char *etag, uint64_t seq);

/* What errDlt says of where a fault is: "groupID, at most 255 bytes", "content, byte 17". */
void qr_out_fault_place(struct qr_out *out, const struct qr_fault *fault);

#endif

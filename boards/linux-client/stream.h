/*
 * An event stream (Server-Sent Events, WHATWG HTML section 9.2), read byte by byte. Pure.
 */
#ifndef QR_STREAM_H
#define QR_STREAM_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a message: an event has at most 4 KB, all of its IDs escaped. */
#define QR_STREAM_MAX 8192

struct qr_stream {
    char event[16]; /* the message's type; "" where it has none */
    size_t data_len;
    char bytes[QR_STREAM_MAX]; /* the message's data, and behind it the line under way */

    /* below: stream.c's own */
    bool whole;
    size_t line_len;
};

enum qr_stream_got { QR_STREAM_MORE, QR_STREAM_MESSAGE, QR_STREAM_TOO_LONG };

void qr_stream_begin(struct qr_stream *stream);

/* MESSAGE: one is whole; event and data hold it until the next byte. */
enum qr_stream_got qr_stream_take(struct qr_stream *stream, char byte);

#endif

/*
 * A status document, however large, taken apart as it comes: what stands before the events, each
 * event, what stands behind them. Each part is handed over as a JSON text that src/json can read;
 * whether it is one is for the reader to see. Pure.
 */
#ifndef QR_DOCUMENT_H
#define QR_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/span.h"

/* Bytes of a part. All counters, and each callback's name, are 4 KB; so is an event. */
#define QR_DOCUMENT_PART_MAX 16384

struct qr_document {
    size_t len;
    char part[QR_DOCUMENT_PART_MAX]; /* without white space between its values */

    /* below: document.c's own */
    uint8_t step;
    uint8_t depth;
    bool in_string, escaped, given, comma, first;
};

enum qr_document_got {
    QR_DOCUMENT_MORE,  /* all bytes are taken, and others must come */
    QR_DOCUMENT_FACTS, /* part is the object, with no events in it, and without what is behind */
    QR_DOCUMENT_EVENT, /* part is an event */
    QR_DOCUMENT_END,   /* part is the object of what stands behind the events */
    QR_DOCUMENT_BAD    /* it is no status document */
};

void qr_document_begin(struct qr_document *document);

/* Takes from the front of *bytes up to the end of the next part, which stands until the next call.
 * White space alone may follow the END. */
enum qr_document_got qr_document_take(struct qr_document *document, struct qr_span *bytes);

#endif

/* Text that lies somewhere else: not terminated, and valid as long as what it lies in. */
#ifndef QR_SPAN_H
#define QR_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct qr_span {
    const char *at;
    size_t len;
};

static inline bool qr_span_is(struct qr_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

/* Whether part stands somewhere in it. */
static inline bool qr_span_holds(struct qr_span span, struct qr_span part)
{
    for (size_t i = 0; i + part.len <= span.len; i++) {
        if (memcmp(span.at + i, part.at, part.len) == 0) {
            return true;
        }
    }
    return false;
}

#endif

/*
 * The counters as Prometheus scrapes them (text exposition format 0.0.4), made piece by piece. No
 * ID stands in a label.
 */
#ifndef QR_METRICS_H
#define QR_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "reply.h"
#include "status.h"

/* What rooms above know: a value, and what it is called. The strings are static. */
struct qr_gauge {
    const char *name; /* without "quitring_"; one that ends in _total only rises */
    const char *help;
    const char *label; /* NULL: none */
    const char *value;
    uint64_t number;
};

struct qr_metrics_source {
    const struct qr_status_source *status;

    /* Fills in the i-th, counted from 0. Returns false when there are no more. Those of one name
     * stand together. NULL: there are none. */
    bool (*gauge)(unsigned i, struct qr_gauge *gauge);
};

/* A document under way; zeroed before, but for now. */
struct qr_metrics {
    struct qr_now now; /* when it began */
    uint8_t part;
    uint16_t index;       /* of the next line in it */
    const char *name;     /* of the last metric */
    uint64_t latency_sum; /* of the histogram's lines so far */
};

/* Writes the next bytes, at most cap; cap is at least 512. */
size_t qr_metrics_produce(struct qr_metrics *metrics, const struct qr_metrics_source *source,
                          char *bytes, size_t cap, struct qr_progress *progress);

#endif

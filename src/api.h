/*
 * Routes: which request goes where, and what all others get. It is the handler that main hands to
 * src/server.
 */
#ifndef QR_API_H
#define QR_API_H

#include "callback.h"
#include "handler.h"
#include "metrics.h"
#include "rates.h"
#include "ring.h"
#include "stats.h"
#include "status.h"

struct qr_api {
    struct qr_ring *ring;
    struct qr_stats *stats;
    struct qr_status_source status;
    struct qr_metrics_source metrics; /* its status is filled in */
    struct qr_rates rates;

    uint32_t ignored_counts[QR_CALLBACK_NAMES];

    /* Told one line of ASCII about each request, for a log; NULL: nobody listens. */
    void (*note)(const char *line);
};

/* handler is filled in; api must outlive it. */
void qr_api_handler(struct qr_api *api, struct qr_handler *handler);

#endif

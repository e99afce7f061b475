/*
 * What /metrics tells besides the counters: connections by state, and lwIP's memory.
 */
#ifndef QR_GAUGES_H
#define QR_GAUGES_H

#include <stdbool.h>

#include "src/metrics.h"
#include "src/server.h"

/* The server is the caller's, for as long as anybody asks. */
void qr_gauges_start(const struct qr_server *server);

/* As struct qr_metrics_source wants it. */
bool qr_gauge(unsigned i, struct qr_gauge *gauge);

#endif

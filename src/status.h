/*
 * The status document: the facts about the device, and the events that a poll asks for, made piece
 * by piece from the ring as it is when each piece is made. An event that was overwritten before its
 * turn is counted in "missed", which therefore stands behind the events.
 */
#ifndef QR_STATUS_H
#define QR_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "cursor.h"
#include "event.h"
#include "query.h"
#include "reply.h"
#include "ring.h"
#include "stats.h"

/* Where a document's facts come from. All of it outlives every document; the strings are static. */
struct qr_status_source {
    const struct qr_ring *ring;
    const struct qr_stats *stats;
    const char *version;
    const char *board;
    const char *boot_id; /* differs after each start */

    /* Counters with names of their own, of which those that are not 0 are shown. */
    const char *const *ignored_names;
    const uint32_t *ignored_counts;
    size_t ignored_n;
};

/* The parameters that it takes. */
#define QR_STATUS_PARAMS                                                                           \
    (QR_PARAM_SINCE | QR_PARAM_LIMIT | QR_PARAM_GROUP_ID | QR_PARAM_USER_ID | QR_PARAM_WAIT)

/* A document under way. It may lie in any memory. */
struct qr_status {
    struct qr_now now; /* when it began */
    struct qr_cursor cursor;
    bool first;     /* the next element is the first of its list */
    uint8_t step;   /* which part comes next */
    uint16_t index; /* which element of that part */
    struct qr_event_text text;
};

/* The query's spans must stay until the document is whole. */
void qr_status_begin(struct qr_status *status, const struct qr_status_source *source,
                     const struct qr_query *query, const struct qr_now *now);

/* Writes the next bytes of the document, at most cap; cap is at least 512. */
size_t qr_status_produce(struct qr_status *status, const struct qr_status_source *source,
                         char *bytes, size_t cap, struct qr_progress *progress);

#endif

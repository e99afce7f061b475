/*
 * The status document: what a poll asks for, and the answer, made piece by piece from the ring as
 * it is when each piece is made. Each event is copied out of the ring before its first byte is
 * written, so a slow reader never sees a torn one; one that was overwritten before its turn is
 * counted in "missed", which therefore stands behind the events.
 */
#ifndef QR_STATUS_H
#define QR_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "err.h"
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

struct qr_status_query {
    bool since_given;
    uint64_t since;
    uint32_t limit; /* 1 to QR_STATUS_LIMIT_MAX */
};

/* A document under way. It holds copies only, so it may lie in any memory. */
struct qr_status {
    struct qr_now now;
    struct qr_ring_pos pos; /* of the next event */
    uint64_t last;          /* the last seq to be given; pos.seq - 1: none */
    uint64_t missed;        /* events that were asked for and are gone, so far */
    bool more, reset;
    bool first;      /* the next element is the first of its list */
    uint8_t step;    /* which part comes next */
    uint16_t index;  /* which element of that part */
    size_t text_off; /* bytes done of the string under way */
    struct qr_event event;
};

/* Reads a query ("since=5&limit=10"; no text: none). Returns 0, or a negative enum qr_err with
 * *fault naming the parameter; the fault's part points into text, or says "query" where a name is
 * missing. */
int qr_status_read_query(struct qr_status_query *query, const char *text, size_t len,
                         struct qr_fault *fault);

void qr_status_begin(struct qr_status *status, const struct qr_status_source *source,
                     const struct qr_status_query *query, const struct qr_now *now);

/* Writes the next bytes of the document, at most cap, at least one; cap is at least 512. Sets *done
 * with the last. */
size_t qr_status_produce(struct qr_status *status, const struct qr_status_source *source,
                         char *bytes, size_t cap, bool *done);

#endif

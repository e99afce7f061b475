/*
 * The events that a query asks for, one after the other, from the ring as it is at each step. It
 * holds no pointer into the ring: records that are overwritten before their turn are counted as
 * missed. No step looks at more than QR_LOOKS_A_TURN records, so that a filter that takes few of
 * many holds nobody up.
 *
 * Either all that stand in the ring when it begins, up to the query's limit:
 *
 *   qr_cursor_begin() -> qr_cursor_settle() until it says yes -> qr_cursor_next() until the end
 *
 * or all from a place on, for ever:
 *
 *   qr_cursor_follow() -> qr_cursor_next(), again when something was stored
 */
#ifndef QR_CURSOR_H
#define QR_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "query.h"
#include "ring.h"

struct qr_cursor {
    struct qr_query query;
    struct qr_ring_pos pos; /* of the next record to look at */
    uint64_t last;          /* the last seq to be given; once settled, what to ask for next */
    uint64_t missed;        /* events that were asked for and are gone, so far */
    bool more;              /* others that were asked for come behind the last */
    bool reset;             /* the query's since was beyond the newest: all are given */

    /* below: src/cursor.c's own */
    uint8_t phase;
    struct qr_ring_pos start; /* of the first record to look at, as far as that is known */
    uint64_t end;             /* the newest seq when it began */
    uint64_t count;           /* events found so far; then those that are still to be left out */
};

/* The query's spans must stay as long as the cursor is used. */
void qr_cursor_begin(struct qr_cursor *cursor, const struct qr_ring *ring,
                     const struct qr_query *query);

/* Finds out which is the first and which the last to be given. *event is the caller's, for work.
 * Returns false where it has to be called again. */
bool qr_cursor_settle(struct qr_cursor *cursor, const struct qr_ring *ring, struct qr_event *event);

/* From the event behind seq on. */
void qr_cursor_follow(struct qr_cursor *cursor, const struct qr_ring *ring,
                      const struct qr_query *query, uint64_t seq);

enum qr_cursor_found {
    QR_CURSOR_END, /* there is none; of a followed ring: not yet */
    QR_CURSOR_EVENT,
    QR_CURSOR_AGAIN /* it has looked at so many that others should have their turn */
};

/* Copies the next one to *event, which is the caller's. */
enum qr_cursor_found qr_cursor_next(struct qr_cursor *cursor, const struct qr_ring *ring,
                                    struct qr_event *event);

#endif

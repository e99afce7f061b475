/*
 * The events as a stream (Server-Sent Events, HTML Living Standard section 9.2), for as long as the
 * reader stays:
 *
 *   event: start                      on each connection first
 *   data: {"bootId":"…","lastSeq":17,"reset":false}
 *
 *   id: 18                            each event; the id is its seq
 *   data: {"seq":18,…}
 *
 *   event: missed                     so many were overwritten before their turn
 *   data: {"missed":12}
 *
 *   :                                 nothing new for QR_HEARTBEAT_MS
 */
#ifndef QR_EVENTS_H
#define QR_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "cursor.h"
#include "event.h"
#include "query.h"
#include "reply.h"
#include "ring.h"

/* The parameters that it takes. */
#define QR_EVENTS_PARAMS (QR_PARAM_SINCE | QR_PARAM_GROUP_ID | QR_PARAM_USER_ID)

/* A stream under way. It may lie in any memory. */
struct qr_events {
    struct qr_cursor cursor;
    uint64_t told_missed; /* of cursor.missed */
    uint64_t said_ms;     /* uptime at which something was said last */
    uint8_t step;
    struct qr_event_text text;
};

/* Begins with the event behind the query's since, or, where none is given, with the next one to be
 * stored. The query's spans must stay until the stream's end. */
void qr_events_begin(struct qr_events *events, const struct qr_ring *ring,
                     const struct qr_query *query, const struct qr_now *now);

/* Writes what there is to say, at most cap bytes; cap is at least 512. It is never done. boot_id
 * differs after each start. */
size_t qr_events_produce(struct qr_events *events, const struct qr_ring *ring, const char *boot_id,
                         const struct qr_now *now, char *bytes, size_t cap,
                         struct qr_progress *progress);

#endif

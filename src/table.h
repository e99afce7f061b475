/*
 * The events as a plain HTML table, for browsers without JavaScript and clients that take no
 * compressed page. IDs are hostile text: none of them can become markup.
 */
#ifndef QR_TABLE_H
#define QR_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "cursor.h"
#include "query.h"
#include "reply.h"
#include "ring.h"
#include "status.h"

/* The parameters that it takes. */
#define QR_TABLE_PARAMS (QR_PARAM_SINCE | QR_PARAM_LIMIT | QR_PARAM_GROUP_ID | QR_PARAM_USER_ID)

/* A document under way. It may lie in any memory. */
struct qr_table {
    struct qr_now now; /* when it began */
    struct qr_cursor cursor;
    uint8_t step;
    size_t off; /* bytes done of the cell under way */
    struct qr_event event;
};

/* What its head says besides: field lines, and the head's last CRLF. Static. */
extern const char qr_table_fields[];

/* The query's spans must stay until the document is whole. */
void qr_table_begin(struct qr_table *table, const struct qr_status_source *source,
                    const struct qr_query *query, const struct qr_now *now);

/* Writes the next bytes of the document, at most cap; cap is at least 512. */
size_t qr_table_produce(struct qr_table *table, const struct qr_status_source *source, char *bytes,
                        size_t cap, struct qr_progress *progress);

#endif

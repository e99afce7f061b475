/*
 * What a poll asks for: the query behind the question mark, "since=5&groupID=G001". Pure; the
 * values that are text stay where they are.
 */
#ifndef QR_QUERY_H
#define QR_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "limits.h"
#include "span.h"

/* The parameters, as bits: which a resource takes, and which were given. */
enum qr_param {
    QR_PARAM_SINCE = 1,
    QR_PARAM_LIMIT = 2,
    QR_PARAM_GROUP_ID = 4,
    QR_PARAM_USER_ID = 8,
    QR_PARAM_WAIT = 16
};

struct qr_query {
    unsigned given;          /* bits of enum qr_param */
    uint64_t since;          /* 0 where it was not given */
    uint32_t limit;          /* 1 to QR_STATUS_LIMIT_MAX */
    uint32_t wait_s;         /* 0 to QR_WAIT_MAX_S; 0 where it was not given */
    struct qr_span group_id; /* percent-encoded, as it was sent; given tells whether it counts */
    struct qr_span user_id;
};

/* Reads len bytes of text, which a target may consist of (RFC 3986); takes the parameters in
 * allowed. Returns 0, or a negative enum qr_err with *fault naming the parameter. The fault's part,
 * and the query's spans, point into text; where a name is missing, the part is "query". */
int qr_query_read(struct qr_query *query, unsigned allowed, const char *text, size_t len,
                  struct qr_fault *fault);

/* Decimal digits only. Returns false where there are none, others, or too many for *value. */
bool qr_query_number(struct qr_span text, uint64_t *value);

/* Whether these IDs are what was asked for: all are that were not given. */
bool qr_query_takes(const struct qr_query *query, struct qr_span group_id, struct qr_span user_id);

#endif

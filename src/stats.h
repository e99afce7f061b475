/*
 * Counters since start. Each is written in one room only, named in its comment, and shown by
 * src/status. One table (QR_STATS) gives the struct's members and the names in the document.
 */
#ifndef QR_STATS_H
#define QR_STATS_H

#include <stdint.h>

#include "err.h"

/* X(name): the member and, in the status document's "counters", the member name */
#define QR_STATS(X)                                                                                \
    X(requests)              /* conn: whole requests */                                            \
    X(callbacks)             /* api: POSTs to a command */                                         \
    X(stored)                /* api: callbacks now in the ring */                                  \
    X(refused)               /* api: callbacks answered with a 4xx or 5xx */                       \
    X(ignored)               /* api: callbacks of other commands */                                \
    X(polls)                 /* api: GET or HEAD of a status document */                           \
    X(badRequests)           /* api: all other requests answered with a 4xx or 5xx */              \
    X(targetTooLong)         /* api: over QR_TARGET_MAX */                                         \
    X(headTooLarge)          /* api: over QR_HEAD_MAX */                                           \
    X(contentTooLarge)       /* api: over QR_CONTENT_MAX */                                        \
    X(chunkExtTooLarge)      /* api: over QR_CHUNK_EXT_MAX */                                      \
    X(jsonTooDeep)           /* api: over QR_JSON_DEPTH_MAX */                                     \
    X(jsonTooManyTokens)     /* api: over QR_JSON_TOKENS_MAX */                                    \
    X(idTooLong)             /* api: over QR_ID_MAX */                                             \
    X(operationIDsCut)       /* api: over QR_OPERATION_ID_MAX */                                   \
    X(timeouts)              /* conn: head, content or reply took too long */                      \
    X(connectionsAccepted)   /* server */                                                          \
    X(connectionsOpen)       /* server: a gauge */                                                 \
    X(connectionsOpenMost)   /* server: the highest that connectionsOpen has been */               \
    X(connectionsReset)      /* server: by the peer, or given up by the network */                 \
    X(connectionsIdleClosed) /* conn: closed for idleness */                                       \
    X(connectionsDropped)    /* server: closed to make room for another */                         \
    X(connectionsFull)       /* server: times that no slot was free and none could be freed */     \
    X(desksFull)             /* server: requests that had to wait for a desk */                    \
    X(connectionsWaiting)    /* server: a gauge: whose replies wait for events */                  \
    X(waitsRefused)          /* api: over QR_WAITERS_MAX */                                        \
    X(networkNoMemory)       /* server: times that the network was out of memory */

#define QR_LATENCY_BOUNDS 12

struct qr_stats {
#define QR_STATS_MEMBER(name) uint32_t name;
    QR_STATS(QR_STATS_MEMBER)
#undef QR_STATS_MEMBER

    /* api: replies with 4xx or 5xx, by error (qr_err_index()) */
    uint32_t refusals[QR_ERRS + 1];

    /* conn: callbacks by the time from the request's last byte to its reply's: how many took at
     * most so many milliseconds, but more than the bound before; the last: more. */
    uint32_t latency[QR_LATENCY_BOUNDS + 1];
    uint64_t latency_sum_ms;
};

/* The bounds. OpenIM waits 5 s. */
extern const uint16_t qr_latency_bounds_ms[QR_LATENCY_BOUNDS];

void qr_stats_latency(struct qr_stats *stats, uint64_t ms);

#endif

/*
 * Counters since start. Each is written in one room only, named in its comment, and shown by
 * src/status. One table (QR_STATS) gives the struct's members and the names in the document.
 */
#ifndef QR_STATS_H
#define QR_STATS_H

#include <stdint.h>

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
    X(networkNoMemory)       /* server: times that the network was out of memory */

struct qr_stats {
#define QR_STATS_MEMBER(name) uint32_t name;
    QR_STATS(QR_STATS_MEMBER)
#undef QR_STATS_MEMBER
};

#endif

/*
 * The listener, the table of connections, and one turn of the loop: wait, then serve. What to do
 * when slots run short is decided here and nowhere else.
 */
#ifndef QR_SERVER_H
#define QR_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "conn.h"
#include "limits.h"
#include "net.h"
#include "stats.h"

struct qr_slot {
    int socket;             /* -1: free */
    uint16_t next_free;     /* of a free one; QR_CONNS_MAX: none */
    bool reads, writes;     /* what the network watches it for */
    uint64_t wants_desk_ms; /* uptime since which it waits for a desk; 0: it does not */
    struct qr_conn conn;
};

struct qr_server {
    const struct qr_net *net;
    const struct qr_handler *handler;
    struct qr_stats *stats;
    int listener;             /* -1: not listening (any more) */
    bool accepts;             /* the network watches the listener */
    bool full;                /* no slot is free, and none can be freed */
    uint64_t news;            /* of the handler, as it was when those who wait were asked last */
    uint64_t news_again_ms;   /* uptime until which they are left alone */
    uint64_t accept_again_ms; /* uptime until which accept rests, after the network had no memory */
    uint32_t grace_ms;        /* QR_GRACE_MS; less while many use it up */
    uint64_t grace_used_ms;   /* uptime at which one was last given up for having used it up */
    uint64_t looked_ms;       /* uptime until which all that came was seen */
    uint64_t due_ms;          /* uptime before which no deadline of a connection is over */
    uint64_t full_until_ms;   /* uptime before which nobody but victim may be given up */
    struct qr_slot *victim; /* may be given up, unless it has changed since; NULL: none is known */
    uint16_t free;          /* the first free slot; QR_CONNS_MAX: none */
    uint16_t sender;        /* the slot whose reply under way has its turn next */
    size_t n_ready;
    uint16_t ready[QR_CONNS_MAX + 1]; /* slots, and QR_CONNS_MAX for the listener */
    struct qr_slot slots[QR_CONNS_MAX];
    size_t n_wanting;             /* slots that wait for a desk */
    size_t desks_kept;            /* free desks that are only for whole callbacks */
    struct qr_slot *at_last_desk; /* of these, whose turn it is; NULL: nobody's */
    struct qr_desks desks;
    struct qr_desk all_desks[QR_DESKS_MAX];
};

/* Starts to listen. The caller owns all of it, until the end. Returns 0 or a negative
 * enum qr_net_err. */
int qr_server_open(struct qr_server *server, const struct qr_net *net,
                   const struct qr_handler *handler, struct qr_stats *stats, uint16_t port);

/* Waits until a connection can go on, or the earliest deadline, or at most max_ms. */
void qr_server_wait(struct qr_server *server, const struct qr_now *now, uint32_t max_ms);

/* Does all that can be done now, without waiting. */
void qr_server_serve(struct qr_server *server, const struct qr_now *now);

/* How many connections are in that state. */
uint32_t qr_server_count(const struct qr_server *server, enum qr_conn_state state);

/* Stops: no new connections, idle ones closed, replies under way say Connection: close. Serve on
 * until qr_server_stopped(), or as long as you like, then qr_server_close(). */
void qr_server_stop(struct qr_server *server);
bool qr_server_stopped(const struct qr_server *server);

/* Closes every socket. */
void qr_server_close(struct qr_server *server);

#endif

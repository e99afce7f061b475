/*
 * The listener, and one turn of the loop: wait, then serve. What to do when slots run short,
 * src/slots decides, and it is done here.
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
#include "slots.h"
#include "stats.h"

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
    uint64_t due_ms;          /* uptime before which no deadline of a connection is over */
    uint16_t sender;          /* the slot whose reply under way has its turn next */
    size_t n_ready;
    uint16_t ready[QR_CONNS_MAX + 1]; /* slots, and QR_CONNS_MAX for the listener */
    struct qr_slots slots;
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

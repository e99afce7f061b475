/*
 * One connection: bytes in, requests to the handler, bytes out, deadlines. It knows no sockets and
 * no routes: src/server moves the bytes, and the handler (handler.h) answers.
 *
 *            received                 reply made                 all sent
 *   READING ----------> (a request) ------------> REPLYING -----------------> READING
 *                          |  ^                      |  to be closed
 *         no answer yet    v  |  an event, or late   v
 *                         WAITING     CLOSING: reads and drops, for the client's FIN; then ours
 *
 * One request at a time: bytes of the next one (pipelining) wait in rx until the reply is out. A
 * reply may be a stream, which waits for events between its pieces.
 */
#ifndef QR_CONN_H
#define QR_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "handler.h"
#include "http.h"
#include "limits.h"
#include "reply.h"
#include "stats.h"

enum qr_conn_state { QR_CONN_READING, QR_CONN_WAITING, QR_CONN_REPLYING, QR_CONN_CLOSING };

/* How a connection is used: who goes first when slots run short. */
enum qr_conn_use { QR_CONN_FRESH, QR_CONN_POLLER, QR_CONN_CALLER };

/* What a connection works at while it has a request or a reply: src/conn.c's own, but for … */
struct qr_desk {
    struct qr_desk *next; /* of those that are free */
    uint64_t since_ms;    /* … uptime since which somebody has it */
    uint64_t reply_by_ms; /* uptime at which all of the reply, or a stream's piece, must be sent */
    enum qr_framing framing;
    bool reply_done;     /* all of the reply is in tx or sent */
    bool half_line;      /* in front of a request: an empty line, not all of which has come */
    bool stream;         /* of the reply under way, as the response said … */
    const char *fields;  /* … and what of it has not gone to tx: of its head; NULL: none … */
    const char *content; /* … and of its content: content_left bytes … */
    size_t content_left;
    size_t (*produce)(void *ctx, void *work, const struct qr_now *now, char *out, size_t cap,
                      struct qr_progress *progress); /* … or what this makes; NULL: it does not */
    size_t rx_off, rx_len; /* bytes received and not parsed: rx_off to rx_len */
    size_t tx_off, tx_len; /* bytes to send */
    struct qr_http http;
    union {
        uint64_t align;
        char bytes[QR_WORK_SIZE];
    } work;
    char rx[QR_RX_SIZE];
    char tx[QR_TX_SIZE];
};

/* All desks. A connection takes one when bytes come, and gives it back as soon as it waits for a
 * request of which nothing has come, or for nothing but the end. */
struct qr_desks {
    struct qr_desk *free;
    size_t n_free;
    char dropped[QR_DROP_SIZE]; /* what nobody reads */
};

struct qr_conn {
    const struct qr_handler *handler;
    struct qr_stats *stats;
    struct qr_desks *desks;
    struct qr_desk *desk; /* NULL: it has none */
    enum qr_conn_state state;
    enum qr_conn_use use; /* FRESH: no request yet; CALLER: the last one was a callback */
    bool announce_close;  /* the server's wish: the next reply says Connection: close */
    bool may_wait;        /* the server's word: an answer may wait, or go on doing so */
    bool finish;          /* send a FIN, once; the server takes the wish back */
    bool dead;            /* nothing more to do: close the socket … */
    bool cut_off;         /* … with a reset, since what was sent is not worth waiting for */
    bool eof;             /* src/conn.c's own: the peer has sent its FIN … */
    bool finished;        /* … ours was asked for … */
    bool close_after;     /* … and the reply under way says Connection: close */
    uint64_t since_ms;    /* uptime since which it is here, idle, in a request, or in a reply */
    uint64_t deadline_ms; /* uptime at which qr_conn_tick() acts; 0: none */
};

/* These n are free. The caller owns them, for as long as there are connections. */
void qr_desks_init(struct qr_desks *desks, struct qr_desk *all, size_t n);

/* A connection was accepted. The rest stays the caller's and outlives it. */
void qr_conn_open(struct qr_conn *conn, const struct qr_handler *handler, struct qr_stats *stats,
                  struct qr_desks *desks, const struct qr_now *now);

/* It gives back what it holds. */
void qr_conn_close(struct qr_conn *conn);

/* Whether it wants to receive. */
bool qr_conn_reads(const struct qr_conn *conn);

/* Room to receive into; 0 bytes when it wants none now. Valid until the next call. It takes a desk,
 * if it reads a request and has none: one must be free. */
size_t qr_conn_rx_room(struct qr_conn *conn, char **room, const struct qr_now *now);

/* len bytes stand in that room that were not received yet, the first of a request. Returns how many
 * of them are a whole POST; 0: they are none, and it has given its desk back. */
size_t qr_conn_try(struct qr_conn *conn, size_t len);

/* len bytes were received into that room; 0: there were none after all. */
void qr_conn_received(struct qr_conn *conn, size_t len, const struct qr_now *now);

/* The peer has sent its FIN: no more will be received. */
void qr_conn_received_fin(struct qr_conn *conn, const struct qr_now *now);

/* Bytes to send; 0 when there are none. Valid until the next call. */
size_t qr_conn_tx_pending(const struct qr_conn *conn, const char **bytes);

/* The first len of them were sent. */
void qr_conn_sent(struct qr_conn *conn, size_t len, const struct qr_now *now);

/* Whether the reply under way has more to come than what is pending. */
bool qr_conn_goes_on(const struct qr_conn *conn);

/* Looks at the deadline. */
void qr_conn_tick(struct qr_conn *conn, const struct qr_now *now);

/* Whether its reply waits for events: none has begun, or it is a stream. */
bool qr_conn_waits(const struct qr_conn *conn);

/* An event was stored. */
void qr_conn_news(struct qr_conn *conn, const struct qr_now *now);

/* What waits is to end: the reply is made now, the stream closed. */
void qr_conn_stop_waiting(struct qr_conn *conn, const struct qr_now *now);

/* Whether it waits for a request of which nothing has come yet. */
bool qr_conn_idle(const struct qr_conn *conn);

#endif

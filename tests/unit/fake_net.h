/*
 * A net.h in memory, with the clients at its other end: a test connects, sends, reads and resets as
 * they would, and plans which call fails and how. No time passes in it: wait never sleeps, it notes
 * the time that it was given. Socket numbers are never used twice, so that a use after close is
 * seen; fake_misuse() says what the server did that net.h does not allow.
 */
#ifndef QR_TEST_FAKE_NET_H
#define QR_TEST_FAKE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/net.h"

#define FAKE_CLIENTS 2048

/* A new, empty network; what was before is gone. */
const struct qr_net *fake_start(void);

/* ---- the clients ---- */

enum fake_state {
    FAKE_WAITING, /* in the listener's backlog */
    FAKE_OPEN,
    FAKE_FIN,    /* the server has sent its FIN and may still read */
    FAKE_CLOSED, /* the server closed it, and all that it sent came */
    FAKE_RESET   /* by either side */
};

/* A new client, which waits to be accepted; what it sends waits likewise. Clients are numbered from
 * 0. Without a listener it is FAKE_RESET at once. */
int fake_connect(void);

/* Returns false when the connection is gone, so that the bytes are lost. */
bool fake_send(int client, const char *bytes, size_t len);
void fake_fin(int client);
void fake_reset(int client);

/* All that it has received since it connected. Valid until fake_start(). */
const char *fake_received(int client, size_t *len);
enum fake_state fake_state(int client);

/* How many more bytes the client takes before the server's send would block; without bound at
 * first. */
void fake_set_room(int client, size_t bytes);

/* Whether waits have not taken all that came: what net.h's caught_up() says. */
void fake_set_behind(bool behind);

/* Bytes that it sent and the server has not read. */
size_t fake_unread(int client);

/* ---- what shall fail ---- */

enum fake_call {
    FAKE_LISTEN,
    FAKE_ACCEPT,
    FAKE_RECV,
    FAKE_SEND,
    FAKE_FINISH,
    FAKE_WAIT,
    FAKE_WATCH
};
#define FAKE_N_CALLS 7

/* In place of an error: a recv or send of one byte, a wait that comes back early with none. */
#define FAKE_SHORT 1

/* FAKE_WATCH cannot fail, and is only counted. The nth of these calls from now on (1: the next),
 * and each period-th after it (0: only that one), gives that result instead of doing its work.
 * After a RESET, FAILED or, where it is no recv, CLOSED the connection is gone, at the client's end
 * too. One plan at a time. */
void fake_fail(enum fake_call call, unsigned nth, unsigned period, int result);
bool fake_has_failed(void);

/* ---- what the server did ---- */

unsigned fake_calls(enum fake_call call);
unsigned fake_sends_to(int client);
unsigned fake_open(void); /* connections accepted and not closed */
bool fake_listening(void);
uint16_t fake_port(void);

/* Of the last wait. One that failed counts as one that found something. */
uint32_t fake_timeout_ms(void);
unsigned fake_ready(void);
bool fake_listener_watched(void);

/* The first thing that net.h does not allow; empty: none. */
const char *fake_misuse(void);

#endif

/*
 * The clients of a session on tests/unit/fake_net.h, numbered from 0 as there, and what each of
 * them has sent.
 */
#ifndef QR_FUZZ_CLIENTS_H
#define QR_FUZZ_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring.h"

/* Forgets all clients. */
void clients_begin(void);
int clients_n(void);

/* One more, as long as there is room for it. */
void clients_connect(void);

/* After its FIN a client sends nothing more. */
void clients_send(int client, const void *bytes, size_t len);
void clients_fin(int client);

/* A callback of a quit that no other has; cut says whether and where it ends too early. */
void clients_send_quit(int client, uint8_t cut);

/* One of some other requests. */
void clients_send_other(int client, uint8_t which);

/* One of those whose replies may wait for quits, or have no end; or of another document. */
void clients_send_poll(int client, uint8_t which);

/* How much the client takes from now on, as far as fake_net.h has room for it. */
void clients_set_room(int client, size_t room);

/* Whether the connection is over. */
bool clients_gone(int client);

/* When all connections are over: whether their replies, and the ring, are as they must be. */
void clients_check(const struct qr_ring *ring);

#endif

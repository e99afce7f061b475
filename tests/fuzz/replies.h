/*
 * What clients have sent and got, read again at the end of a session: whether every reply is HTTP
 * and answers its request, and whether what was said to be stored is in the ring, once.
 */
#ifndef QR_FUZZ_REPLIES_H
#define QR_FUZZ_REPLIES_H

#include <stdbool.h>
#include <stddef.h>

#include "ring.h"

/* Forgets all clients. */
void replies_begin(void);

/* A client's whole connection. ended: the server has ended it, with a FIN; else it was reset, so
 * that the last reply may be cut short. */
void replies_check(const char *sent, size_t sent_len, const char *got, size_t got_len, bool ended);

/* After all clients: no quit was stored that nobody sent, none more often than it was sent, and
 * none less often than clients were told. */
void replies_check_ring(const struct qr_ring *ring);

#endif

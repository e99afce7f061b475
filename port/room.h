/*
 * What of lwIP's memory one connection may take, so that those who take no replies, or send what
 * nobody can read yet, leave enough for the others. The core is locked.
 */
#ifndef QR_PORT_ROOM_H
#define QR_PORT_ROOM_H

#include <stdbool.h>
#include <stddef.h>

struct tcp_pcb;
struct pbuf;

/* Of len bytes, how many may be queued on the connection now; at most as many as lwIP queues in one
 * go. 0: none until what it has queued is acknowledged. Where memory is low, closed connections
 * that hang and hold some are given up for it. */
size_t qr_room_to_send(const struct tcp_pcb *pcb, size_t len);

/* Whether a segment's data, from seqno on, may be kept until it is read. */
bool qr_room_to_receive(const struct tcp_pcb *pcb, unsigned long seqno, const struct pbuf *p);

#endif

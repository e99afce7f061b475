/*
 * Frames as an input says, in three parts: what a well-formed one holds; some bytes of it changed,
 * and its end cut; and whether its checksums are right nevertheless.
 */
#ifndef QR_FUZZ_PORT_FRAMES_H
#define QR_FUZZ_PORT_FRAMES_H

#include <stddef.h>

#include "input.h"
#include "tests/unit/port_wire.h"

/* Delivers the next one: a segment of one of the n peers, or UDP, ICMP, IGMP, ICMPv6, ARP, or of
 * any protocol. */
void frames_deliver(struct fuzz_input *input, const struct peer *peers, size_t n);

/* Delivers bytes that need not be anything. */
void frames_deliver_raw(struct fuzz_input *input);

#endif

/*
 * A session of the real server on lwIP on the fake board (tests/unit/port_rig.h), with all that a
 * host does: IPv6, mDNS, names and time. lwIP starts once; each session begins from that moment,
 * since all of its memory is static and is put back to what it was.
 */
#ifndef QR_FUZZ_PORT_SESSION_H
#define QR_FUZZ_PORT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Before all sessions: starts lwIP. */
void session_prepare(void);

void session_begin(void);

/* Asks for an address by DHCP, in addition to the one that is there. */
void session_ask_dhcp(void);

/* From now on whoever is asked at that UDP port, of DHCP, DNS or SNTP, answers with these bytes, in
 * which stands what an answer must repeat. Several answers to one port are given in turn. They must
 * stay until the session ends. */
void session_answer(uint16_t port, const uint8_t *bytes, size_t len);

/* The next byte that we want to be acknowledged over IPv6. */
uint32_t session_tcp6_ack(void);

/* Whether neighbours answer over IPv6, as they do over ARP. */
void session_neighbours(bool answer);

/* Everybody goes, and time passes: lwIP's memory must be back, and a callback be served. */
void session_end(void);

#endif

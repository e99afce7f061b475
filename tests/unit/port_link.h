/*
 * The other hosts of a link, made by hand, for the tests of the port that are not about TCP: ARP,
 * UDP over IPv4 and IPv6, and ICMPv6. One host answers ARP; all else is the test's to say. lwIP
 * starts once a program.
 */
#ifndef QR_PORT_LINK_H
#define QR_PORT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/port.h"
#include "port_wire.h"

/* Where things begin in the frames. */
enum { LINK_IP6 = 14, LINK_IP6_CONTENT = 54, LINK_UDP4_CONTENT = 42, LINK_UDP6_CONTENT = 62 };

enum { LINK_TCP = 6, LINK_UDP = 17, LINK_ICMP6 = 58 };

struct link_frame {
    size_t len;
    uint8_t bytes[WIRE_FRAME_MAX];
};

/* fe80::2, a router, and fe80::1 of ours as the fake board's MAC address makes it; all hosts. */
extern const uint8_t link_router6[16], link_ours6[16], link_all6[16];

/* WIRE_OUR_ADDR, and what the test wants of config besides. Returns the sockets. */
const struct qr_net *link_start(struct qr_net_config config);

/* The loop runs for so long; frames that go out are kept, the latest 64. */
void link_run(uint32_t ms);

/* The i-th of the frames since the last call of link_forget() that is a UDP datagram to that port,
 * an IPv4 packet of that protocol, or an ICMPv6 message of that type; NULL: there is none. */
const struct link_frame *link_udp(uint16_t port, unsigned i);
const struct link_frame *link_ip4(uint8_t protocol, unsigned i);
const struct link_frame *link_icmp6(uint8_t type, unsigned i);
const struct link_frame *link_tcp6(unsigned i);
const struct link_frame *link_hop_by_hop(unsigned i);
void link_forget(void);

/* From WIRE_HOST_ADDR, or from addr, to us or to the group; from and to that port. */
size_t link_put_udp4(uint8_t *frame, uint32_t from, uint32_t to, uint16_t from_port,
                     uint16_t to_port, const void *content, size_t len);

/* An IPv6 packet from the router; checksums of ICMPv6, UDP and TCP are written. */
size_t link_put_ip6(uint8_t *frame, const uint8_t *to, uint8_t protocol, uint8_t hop_limit,
                    const void *content, size_t len);

/* Writes the checksum of an IPv6 packet's ICMPv6, UDP or TCP anew, by the length that stands in it
 * as far as it makes sense. */
void link_sum6(uint8_t *frame, size_t len);

/* Delivers it, and lets lwIP do what it does at once. */
void link_deliver(const uint8_t *frame, size_t len);

/* The same with the frame cut at every length, and with each of its bytes changed to some others;
 * in each, lengths of IPv4 and UDP, and checksums, are right again, but where they are what was
 * changed. */
void link_deliver_broken(const uint8_t *frame, size_t len);

#endif

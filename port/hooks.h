/* Where lwIP asks us: included by lwIP's own sources. */
#ifndef QR_PORT_HOOKS_H
#define QR_PORT_HOOKS_H

#include <stdbool.h>

#include "lwip/err.h"
#include "lwip/ip_addr.h"

struct tcp_pcb;
struct tcp_hdr;
struct netif;
struct pbuf;

/* Looks at each segment before lwIP 2.2.1 does, which would
 * - trust an option's length byte: a segment whose options do not add up is refused;
 * - take a new segment size at any time, and then assert that no segment in its queue is longer: a
 *   segment that has that option and no SYN is refused;
 * - take data from a segment that acknowledges nothing, or what was never sent: it is refused;
 * - keep a segment that comes too early and ends behind the window, or take bytes behind an end
 *   that came too early, and then assert that the window has room for them: it is refused;
 * - cut segments to half of the largest window so far, with the same assertion, which a window
 *   breaks that opens from nothing by little; and keep its queue full of very short ones for ever:
 *   for a largest window of nothing, or very little, it gets that of two full segments to reckon
 *   with. A segment longer than the window is split when it is sent;
 * - take data until its buffers are gone, so that a few who send and do not read keep the others
 *   out: when buffers are few, it is refused where some is unread already, where it comes too
 * early, and at last where it is longer than a callback (room.h). */
err_t qr_hook_tcp_in(struct tcp_pcb *pcb, const struct tcp_hdr *header, u16_t options_len,
                     u16_t first_len, const u8_t *second, const struct pbuf *p);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, options_len, first_len, second, p)                 \
    qr_hook_tcp_in(pcb, header, options_len, first_len, second, p)

/* lwIP keeps a connection that we were the first to close for two minutes (TIME_WAIT), and as long
 * refuses a new one from the same port. A SYN at header, from there, lets it go, if its sequence
 * number is behind all that the old one has used (RFC 9293 section 3.10.7.4, RFC 1122 section
 * 4.2.2.13).
 * It keeps a handshake that is never finished for twenty seconds, and takes no SYN while the
 * backlog is full of such: then a SYN takes the place of the oldest one that has had
 * QR_LWIP_HANDSHAKE_MS (RFC 4987 section 3.4). */
void qr_hook_tcp_syn(const ip_addr_t *from, const struct tcp_hdr *header);

/* Looks at each IPv4 packet, for that, and before lwIP 2.2.1 does, which would answer a sender that
 * is no host, or that has our own address. IGMP and DHCP may come from 0.0.0.0. Returns true when
 * it has dropped, and freed, the packet. */
bool qr_hook_ip4_in(struct pbuf *p, const struct netif *netif);
#define LWIP_HOOK_IP4_INPUT(p, netif) qr_hook_ip4_in(p, netif)

/* Looks at each IPv6 packet before lwIP 2.2.1 does, which would
 * - work through any number of extension headers, and answer to many of them;
 * - read a link-layer address behind the end of a neighbour discovery option of no length, and
 *   beyond the message;
 * - let anybody tell it a path MTU of nothing, or another way to a destination;
 * - give up an address for ever, whenever somebody tells all that it is his: that is for the time
 *   before it is used (RFC 4862 section 5.4), and is dropped later.
 *
 * What may pass is TCP, UDP, and of ICMPv6 what a host needs that routes nothing and sends no
 * packet that some link could not take: the options of neighbour discovery must add up; redirects
 * and Packet Too Big are dropped. Of extension headers there is only the one that multicast
 * listener queries have. Returns true when it has dropped, and freed, the packet. */
bool qr_hook_ip6_in(struct pbuf *p, const struct netif *netif);
#define LWIP_HOOK_IP6_INPUT(p, netif) qr_hook_ip6_in(p, netif)

/* Looks at the UDP datagram from at to end of an IP packet, for both, before lwIP 2.2.1 does, which
 * would
 * - not look at its length: it must be that of the packet;
 * - take the time from a server that says that it does not know it, and reckon beyond 64 bits where
 *   an answer's times are far apart (SNTP): such an answer is dropped.
 *
 * What is of DNS, mDNS and DHCP is for those below. False: it is to be dropped. */
bool qr_hook_udp_passes(const struct pbuf *p, u16_t at, u16_t end, const struct netif *netif);

/* The content of a datagram: len bytes of p from begin on. Below they are counted from there. */
struct qr_content {
    const struct pbuf *p;
    u16_t begin, len;
};

/* A byte, or a number in network order; 0 where there are none. */
u8_t qr_content_8(const struct qr_content *content, u16_t i);
u16_t qr_content_16(const struct qr_content *content, u16_t i);
u32_t qr_content_32(const struct qr_content *content, u16_t i);

/* A message of DNS or mDNS. lwIP 2.2.1 would
 * - compare a name in an answer beyond the end of the one that it has asked for, where NUL bytes
 *   stand in it;
 * - work through up to 65535 questions, and as many records, that are not there;
 * - follow a name's pointers round in a circle, for a while, and go back where a record's length
 *   is too large.
 * So all names and records must be there, as RFC 1035 has them. */
bool qr_hook_dns_passes(const struct qr_content *message);

/* A message for a DHCP client. lwIP 2.2.1 would
 * - read options beyond the end of a buffer, where those in place of a name do not end there;
 * - take an address that no host can have, or for no time, and be without one for as long as the
 *   server said: the server is not believed, and the log says so;
 * - ask a server that refuses all that it offers for ever, without a pause;
 * - end a lease for ever when the one before it would have ended. */
bool qr_hook_dhcp_passes(const struct qr_content *message, const struct netif *netif);

/* To be called, with the core locked, right before lwIP's TCP timers run. lwIP 2.2.1 would
 * - assert that a persist timer has something to send and nothing on the way, which a peer breaks
 *   that takes a window probe's byte, or shrinks its window: such a timer is stopped, as RFC 9293
 *   section 3.8.6.1 has it;
 * - wait for hours before it sends again to a peer that has acknowledged late: it is
 *   QR_LWIP_RTO_MAX_MS at most, and who is gone is given up in a quarter of an hour;
 * - keep for ever what it cuts off a segment whose begin was acknowledged, where the window then
 *   shrinks to less than that: such pieces are freed. */
void qr_hook_tcp_timers(void);

/* An initial sequence number that nobody can guess (RFC 6528). local_ip is a connection's. */
u32_t qr_hook_tcp_isn(const ip_addr_t *local_ip);
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) qr_hook_tcp_isn(local_ip)

#endif

/*
 * The networks that a server can run on: starting them, and their net.h.
 */
#ifndef QR_PORT_H
#define QR_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "src/net.h"

/* Addresses in host byte order: 127.0.0.1 is 0x7f000001. Texts must outlive the network. */
struct qr_net_config {
    bool dhcp;
    uint32_t addr, netmask, gateway; /* without dhcp; gateway 0: none */
    bool ipv6;                       /* addresses as routers announce them (SLAAC, RFC 4862) */
    const char *hostname;            /* for DHCP; its first label for mDNS */
    const char *ntp;  /* "dhcp": whom DHCP names; an address; a host name; NULL: nobody */
    bool mdns;        /* hostname.local, and a service _http._tcp */
    uint16_t port;    /* of that service, */
    const char *page; /* and where to look at it: "/" */
};

/* lwIP on the board's card, which is open. Call once. Never fails: all memory is static. */
const struct qr_net *qr_net_lwip_start(const struct qr_net_config *config);

/* Our IPv4 address under lwIP now; 0: none yet. */
uint32_t qr_net_lwip_addr(void);

/* Milliseconds since 1970 at that uptime, as a time server has told; 0: none has, yet. */
uint64_t qr_net_lwip_unix_ms(uint64_t uptime_ms);

/* One of the pools that connections under lwIP use: how much of it is in use, the most that ever
 * was, how much there is, and how often there was nothing left. In bytes for the heap. */
struct qr_net_pool {
    const char *name; /* static */
    uint32_t used, most, size;
    uint32_t failed;
};

/* Fills in the i-th, counted from 0. Returns false when there are no more; there are none before
 * lwIP was started. */
bool qr_net_lwip_pool(unsigned i, struct qr_net_pool *pool);

/* The kernel's sockets, listening on addr. NULL: this board has no kernel. */
const struct qr_net *qr_net_kernel_start(uint32_t addr);

#endif

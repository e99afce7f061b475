/*
 * The networks that a server can run on: starting them, and their net.h.
 */
#ifndef QR_PORT_H
#define QR_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "src/net.h"

/* Addresses in host byte order: 127.0.0.1 is 0x7f000001. */
struct qr_net_config {
    bool dhcp;
    uint32_t addr, netmask, gateway; /* without dhcp; gateway 0: none */
    const char *hostname;            /* for DHCP; must outlive the network */
};

/* lwIP on the board's card, which is open. Call once. Never fails: all memory is static. */
const struct qr_net *qr_net_lwip_start(const struct qr_net_config *config);

/* Our address under lwIP now; 0: none yet. */
uint32_t qr_net_lwip_addr(void);

/* The kernel's sockets, listening on addr. NULL: this board has no kernel. */
const struct qr_net *qr_net_kernel_start(uint32_t addr);

#endif

/*
 * Our name on the link without anybody's set-up: mDNS (RFC 6762) and DNS-SD (RFC 6763), by lwIP's
 * responder.
 */
#ifndef QR_PORT_MDNS_H
#define QR_PORT_MDNS_H

#include "lwip/netif.h"
#include "port.h"

/* Claims NAME.local, and a service NAME._http._tcp.local; when somebody else has the name, NAME-2,
 * and so on. With the core locked, after netif_add(). */
void qr_mdns_start(struct netif *netif, const struct qr_net_config *config);

/* The interface's IPv4 output. */
err_t qr_mdns_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *dest);

#endif

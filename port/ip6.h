/*
 * IPv6 beside IPv4: ip6.c; or none, in a build without it: no_ip6.c.
 */
#ifndef QR_PORT_IP6_H
#define QR_PORT_IP6_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/netif.h"
#include "lwip/sockets.h"

/* Writes down any address of ours, to listen on; returns its length. */
socklen_t qr_ip6_any(struct sockaddr_storage *any, uint16_t port);

/* Gives the interface what it sends with; routers: whether to take the addresses that they announce
 * (SLAAC, RFC 4862). With the core locked, right after netif_add(). */
void qr_ip6_init(struct netif *netif, bool routers);

/* Gives the interface an address for the link. With the core locked, after netif_set_up(). */
void qr_ip6_start(struct netif *netif);

/* Whether lwIP sends over IPv6, too, and cannot to all hosts of the link, for lack of an address.
 */
bool qr_ip6_waits(struct netif *netif);

/* Whether that is a new address, and not for the link only; as netif_ext_callback_fn has it. */
bool qr_ip6_is_new(struct netif *netif, netif_nsc_reason_t reason,
                   const netif_ext_callback_args_t *args);

#endif

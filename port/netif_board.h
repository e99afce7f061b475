/*
 * The board's network card as lwIP's network interface.
 */
#ifndef QR_PORT_NETIF_BOARD_H
#define QR_PORT_NETIF_BOARD_H

#include "lwip/netif.h"

/* Bytes of the largest IPv6 packet that we send, and of the largest TCP segment that we ask for:
 * what every link takes (RFC 8200 section 5). */
#define QR_NETIF_MTU6 1280

/* netif_add()'s init function. The card is open already. */
err_t qr_netif_board_init(struct netif *netif);

#endif

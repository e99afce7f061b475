/*
 * The board's network card as lwIP's network interface.
 */
#ifndef QR_PORT_NETIF_BOARD_H
#define QR_PORT_NETIF_BOARD_H

#include "lwip/netif.h"

/* netif_add()'s init function. The card is open already. */
err_t qr_netif_board_init(struct netif *netif);

#endif

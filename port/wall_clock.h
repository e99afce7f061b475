/*
 * The time of day, from a time server by lwIP's SNTP client.
 */
#ifndef QR_PORT_WALL_CLOCK_H
#define QR_PORT_WALL_CLOCK_H

/* Asks as soon as there is an address, and then hourly. ntp as in struct qr_net_config. With the
 * core locked, after netif_add(), before there is an address. */
void qr_wall_clock_start(const char *ntp);

#endif

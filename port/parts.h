/*
 * What of the network is in this build: make WITHOUT="ipv6 mdns ntp" leaves parts out.
 */
#ifndef QR_PORT_PARTS_H
#define QR_PORT_PARTS_H

#ifndef QR_WITH_IPV6
#define QR_WITH_IPV6 1
#endif
#ifndef QR_WITH_MDNS
#define QR_WITH_MDNS 1
#endif
#ifndef QR_WITH_NTP
#define QR_WITH_NTP 1
#endif

#endif

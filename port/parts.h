/*
 * What is in this build: make WITHOUT="ipv6 mdns ntp" leaves parts of the network out, and a board
 * without a command line has no use for its help.
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
#ifndef QR_WITH_HELP
#define QR_WITH_HELP 1
#endif

#endif

/*
 * lwIP's options: only those that differ from lwip/opt.h, each with its reason. Sizes follow from
 * the number of connections; a board may overrule those under #ifndef.
 */
#ifndef QR_LWIPOPTS_H
#define QR_LWIPOPTS_H

#include "parts.h"
#include "src/limits.h"

/* ---- one thread, sockets (DESIGN.md tells how) ---- */

#define NO_SYS                        0 /* lwIP has its socket API only so */
#define SYS_LIGHTWEIGHT_PROT          0 /* nothing runs beside this thread: nothing to protect from */
#define LWIP_TCPIP_CORE_LOCKING       1 /* the application calls the core itself … */
#define LWIP_TCPIP_CORE_LOCKING_INPUT 1
#define TCPIP_THREAD_TEST               /* … and drains the mailbox: tcpip_thread_poll_one() */
#define LWIP_NETCONN_SEM_PER_THREAD   1 /* one semaphore in all, not one a connection */
#define LWIP_NETCONN_FULLDUPLEX       0
#define LWIP_SOCKET                   1
#define LWIP_NETCONN                  1
#define LWIP_COMPAT_SOCKETS           0 /* no macros named send or close */
#define LWIP_POSIX_SOCKETS_IO_NAMES   0
#define LWIP_SOCKET_SELECT            0
#define LWIP_SOCKET_POLL              0 /* port/net_lwip.c knows who is ready by lwIP's events */
#define LWIP_SOCKET_MAX_MEMBERSHIPS   1 /* no socket joins a group; 0 does not compile */

/* ---- memory: all static ---- */

#define MEM_LIBC_MALLOC 0
#define MEMP_MEM_MALLOC 0
#define MEM_ALIGNMENT   __SIZEOF_POINTER__ /* nothing in lwIP asks for more */

/* Connections that wait in the backlog, at most 255. lwIP gives each a netconn as soon as its
 * handshake is done; one that finds none is reset. */
#ifndef QR_LWIP_BACKLOG
#define QR_LWIP_BACKLOG 8
#endif

/* Milliseconds that a handshake may take when the backlog is full and another one wants its place:
 * a LAN's take one or two, but of a crowd that comes at once, all wait in the same queue. So a
 * flood of QR_LWIP_BACKLOG SYNs in that time keeps newcomers out, and a slower one does not. */
#define QR_LWIP_HANDSHAKE_MS 50

/* Connections that are closed for us and still in TCP's closing states. When these run out, lwIP
 * gives up one of them for a new one (see net_close() in port/net_lwip.c). */
#ifndef QR_LWIP_CLOSING
#define QR_LWIP_CLOSING 8
#endif

/* Connections in the table, one accepted before the one that it replaces is closed, the backlog,
 * the listener. */
#define MEMP_NUM_NETCONN        (QR_CONNS_MAX + 1 + QR_LWIP_BACKLOG + 1)
#define MEMP_NUM_TCP_PCB        (QR_CONNS_MAX + 1 + QR_LWIP_BACKLOG + QR_LWIP_CLOSING)
#define MEMP_NUM_TCP_PCB_LISTEN 1
/* DHCP; DNS, SNTP; mDNS. lwIP ends the program where one is missing. */
#define MEMP_NUM_UDP_PCB       (1 + 2 * QR_WITH_NTP + QR_WITH_MDNS)
#define MEMP_NUM_NETBUF        1 /* no UDP sockets */
#define MEMP_NUM_NETDB         0 /* nobody asks for names by a socket call */
#define MEMP_NUM_PBUF          0 /* of memory that is not lwIP's: nobody sends any */
#define MEMP_NUM_TCPIP_MSG_API 1 /* that the pool for received frames is empty */
/* lwIP's own cyclic ones; SNTP has a request or a retry, and one that waits for the answer; mDNS
 * one to probe or announce, six for each of IPv4 and IPv6 to space what it sends, and one for each
 * question that is kept. lwIP ends the program where one is missing. */
#define MEMP_NUM_SYS_TIMEOUT                                                                       \
    (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 2 * QR_WITH_NTP +                                             \
     QR_WITH_MDNS * (1 + 6 * (1 + QR_WITH_IPV6) + MDNS_MAX_STORED_PKTS))
/* Connections whose replies may fill their send buffers at once. */
#ifndef QR_LWIP_SENDERS
#define QR_LWIP_SENDERS (QR_DESKS_MAX / 2)
#endif

/* Segments that are sent and not acknowledged: of those, whose queues may be full; of each
 * connection, where a small reply and a FIN have room (port/room.c); in the backlog, a SYN's
 * answer. What comes too early is kept while there are enough. */
#define QR_LWIP_SEGS 2
#define MEMP_NUM_TCP_SEG                                                                           \
    ((TCP_SND_QUEUELEN + TCP_OOSEQ_MAX_PBUFS) * QR_LWIP_SENDERS + QR_LWIP_SEGS * MEMP_NUM_TCP_PCB)
#define TCP_LISTEN_BACKLOG         1
#define TCP_DEFAULT_LISTEN_BACKLOG QR_LWIP_BACKLOG

/* Bytes for ARP, ICMP, DHCP, mDNS, and frames that are received when the pool for them is empty. */
#ifndef QR_LWIP_HEAP_BASE
#define QR_LWIP_HEAP_BASE (8 * 1024)
#endif

/* Bytes around a piece that is sent, in the heap; and of a piece that is always possible: a
 * callback's reply has some 150. */
#define QR_LWIP_AROUND 110
#define QR_LWIP_PIECE  192
#define QR_LWIP_REPLY  (QR_LWIP_PIECE + QR_LWIP_AROUND)

/* Bytes for that, and for what is sent and not yet acknowledged. A reader that takes nothing holds
 * a send buffer, in at most TCP_SND_QUEUELEN pieces: QR_LWIP_SENDERS may do so. When memory runs
 * low, who has something that is not acknowledged gets no more, and others a piece (port/room.c):
 * so whoever reads nothing never keeps a callback from its reply. */
#ifndef MEM_SIZE
#define MEM_SIZE                                                                                   \
    (QR_LWIP_HEAP_BASE + QR_CONNS_MAX * QR_LWIP_REPLY +                                            \
     QR_LWIP_SENDERS * (TCP_SND_BUF + QR_LWIP_AROUND * TCP_SND_QUEUELEN))
#endif

/* Received frames. A callback fits into one of these buffers, a full segment of 1460 bytes into
 * three. When they become few, a connection that has unread data gets no more, and none what comes
 * too early (port/room.c): QR_LWIP_PBUFS_KEPT are for a full segment of some of the others, and one
 * as long as a callback of each: when only those are left, there are no longer ones. Small frames,
 * such as bare acknowledgements, come from the heap where the pool is empty. */
#ifndef PBUF_POOL_BUFSIZE
#define PBUF_POOL_BUFSIZE 512
#endif
#define QR_LWIP_PBUFS(len)  (((len) + PBUF_POOL_BUFSIZE - 1) / PBUF_POOL_BUFSIZE)
#define QR_LWIP_FULL_PBUFS  QR_LWIP_PBUFS(TCP_MSS + 54 + ETH_PAD_SIZE)
#define QR_LWIP_SMALL_PBUFS QR_LWIP_PBUFS(512)
#define QR_LWIP_PBUFS_LAST  (QR_LWIP_SMALL_PBUFS * QR_CONNS_MAX)
#define QR_LWIP_PBUFS_KEPT                                                                         \
    (QR_LWIP_PBUFS_LAST + (QR_LWIP_FULL_PBUFS - QR_LWIP_SMALL_PBUFS) * QR_LWIP_SENDERS)
#ifndef PBUF_POOL_SIZE
#define PBUF_POOL_SIZE (16 + QR_LWIP_SENDERS + QR_LWIP_PBUFS_KEPT)
#endif

/* Slots of a mailbox: segments that wait to be read on a connection. lwIP keeps what finds no slot,
 * and offers it again. The listener's holds the whole backlog: what found none would be reset. */
#define QR_LWIP_MBOX_SIZE         8
#define TCPIP_MBOX_SIZE           QR_LWIP_MBOX_SIZE
#define DEFAULT_TCP_RECVMBOX_SIZE QR_LWIP_MBOX_SIZE
#define DEFAULT_ACCEPTMBOX_SIZE   QR_LWIP_BACKLOG

/* ---- IPv4 and IPv6 on Ethernet ---- */

/* Hosts whose addresses on the link are kept: a LAN of callers and pollers, and the gateway. lwIP
 * looks through all of them for each one that it does not know. The one that was not needed for
 * longest gives way. */
#define QR_LWIP_HOSTS (QR_CONNS_MAX < 30 ? QR_CONNS_MAX + 2 : 32)

#define LWIP_IPV4                 1
#define LWIP_IPV6                 QR_WITH_IPV6
#define LWIP_ARP                  1
#define ARP_TABLE_SIZE            QR_LWIP_HOSTS
#define LWIP_ETHERNET             1
#define ETH_PAD_SIZE              2 /* what follows a frame's head stands at whole words (board.h) */
#define LWIP_ICMP                 1 /* ping finds it */
#define LWIP_RAW                  0
#define LWIP_UDP                  1            /* for DHCP, DNS, SNTP and mDNS */
#define LWIP_IGMP                 QR_WITH_MDNS /* over IPv4 */
#define MEMP_NUM_IGMP_GROUP       2            /* all systems, mDNS */
#define LWIP_DHCP                 1
#define LWIP_ACD                  0 /* no probing of an address for seconds before its use */
#define LWIP_DHCP_DOES_ACD_CHECK  0
#define LWIP_NETIF_HOSTNAME       1    /* shown by DHCP servers */
#define DHCP_OPTIONS_LEN          108u /* with a host name of 63 bytes */
#define LWIP_SINGLE_NETIF         1
#define IP_FORWARD                0
#define IP_OPTIONS_ALLOWED        0 /* nobody sends them; IGMP's may have one */
#define IP_REASSEMBLY             0 /* TCP does not fragment; nobody can then hold buffers with fragments */
#define IP_FRAG                   0
#define LWIP_NETIF_TX_SINGLE_PBUF 0 /* 1 takes a full frame of the heap for each reply */

/* A DHCP lease's time is counted in steps of this, so that one of a minute can be renewed, and to
 * more than 65535 of them. lwIP's own reckoning wraps near what stands for ever. */
#define DHCP_COARSE_TIMER_SECS 10
#define DHCP_TIMEOUT_SIZE_T    u32_t
#define DHCP_DEFINE_CUSTOM_TIMEOUTS
#define QR_LWIP_LEASE_STEPS(seconds)                                                               \
    ((seconds) < DHCP_COARSE_TIMER_SECS ? 1 : (seconds) / DHCP_COARSE_TIMER_SECS)
#define DHCP_SET_TIMEOUT_FROM_OFFERED_T0_LEASE(steps, dhcp)                                        \
    ((steps) = QR_LWIP_LEASE_STEPS((dhcp)->offered_t0_lease))
#define DHCP_SET_TIMEOUT_FROM_OFFERED_T1_RENEW(steps, dhcp)                                        \
    ((steps) = QR_LWIP_LEASE_STEPS((dhcp)->offered_t1_renew))
#define DHCP_SET_TIMEOUT_FROM_OFFERED_T2_REBIND(steps, dhcp)                                       \
    ((steps) = QR_LWIP_LEASE_STEPS((dhcp)->offered_t2_rebind))
/* RFC 2131 sections 4.4.5 and 4.1: a minute at least until a server is asked again to renew; until
 * one is asked again to give, 2 s, then twice as long each time, to a minute. */
#define DHCP_NEXT_TIMEOUT_THRESHOLD          (60 / DHCP_COARSE_TIMER_SECS)
#define DHCP_REQUEST_BACKOFF_SEQUENCE(tries) ((u16_t)((tries) < 6 ? 1000 << (tries) : 60000))

/* What we send over IPv6 has at most 1280 bytes (port/netif_board.h), so that it needs neither path
 * MTU discovery nor fragments. */
#define LWIP_IPV6_FRAG                 0
#define LWIP_IPV6_REASS                0
#define LWIP_IPV6_FORWARD              0
#define LWIP_IPV6_DHCP6                0
#define LWIP_IPV6_NUM_ADDRESSES        3 /* the link's, and of two prefixes (global and unique local) */
#define LWIP_IPV6_MLD                  QR_WITH_IPV6 /* switches want to know who listens to which group */
#define MEMP_NUM_MLD6_GROUP            2 /* of all our addresses, which end alike; mDNS */
#define LWIP_ND6_NUM_NEIGHBORS         QR_LWIP_HOSTS
#define LWIP_ND6_NUM_DESTINATIONS      QR_LWIP_HOSTS /* one for each caller, on the link or not */
#define LWIP_ND6_NUM_PREFIXES          2
#define LWIP_ND6_NUM_ROUTERS           2
#define LWIP_ND6_QUEUEING              0 /* one packet may wait for a neighbour's address: TCP repeats */
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS (QR_WITH_NTP * DNS_MAX_SERVERS)

/* ---- names and time ---- */

#define LWIP_DNS            QR_WITH_NTP /* for a time server that is given by name, and nothing else */
#define DNS_TABLE_SIZE      1
#define DNS_MAX_SERVERS     2  /* one that does not answer may be replaced */
#define DNS_MAX_NAME_LENGTH 66 /* a setting's text, and zeros behind it (see hooks.h) */

#define SNTP_SERVER_DNS           QR_WITH_NTP
#define SNTP_MAX_SERVERS          2 /* as many as DHCP may name */
#define LWIP_DHCP_GET_NTP_SRV     QR_WITH_NTP
#define LWIP_DHCP_MAX_NTP_SERVERS SNTP_MAX_SERVERS
#define SNTP_CHECK_RESPONSE       2 /* an answer is from whom was asked, to what was asked */
#define SNTP_COMP_ROUNDTRIP       1 /* else the clock would be late by the answer's way */
/* Milliseconds: between questions, in which a crystal of 50 ppm goes wrong by 180 ms; until the
 * next server's turn; from there to the next question at least (RFC 4330 section 10), twice as long
 * each time up to ten times this; before the first question, since a house's power may just be
 * back. */
#define SNTP_UPDATE_DELAY       3600000
#define SNTP_RECV_TIMEOUT       3000
#define SNTP_RETRY_TIMEOUT      15000
#define SNTP_STARTUP_DELAY_FUNC (1000 + LWIP_RAND() % 1000)

#define SNTP_SET_SYSTEM_TIME_NTP(seconds, fraction) qr_port_time_set(seconds, fraction)
#define SNTP_GET_SYSTEM_TIME_NTP(seconds, fraction) qr_port_time_get(&(seconds), &(fraction))

#define LWIP_MDNS_RESPONDER  QR_WITH_MDNS
#define LWIP_MDNS_SEARCH     0 /* we are found, and look for nobody */
#define MDNS_MAX_SERVICES    1
#define MDNS_MAX_STORED_PKTS 2 /* questions that came in parts, and those parts */
/* Bytes of a message, from the heap: all records of a name of 63 bytes with 3 IPv6 addresses take
 * 700.
 */
#define MDNS_OUTPUT_PACKET_SIZE        1024
#define LWIP_NUM_NETIF_CLIENT_DATA     QR_WITH_MDNS /* mDNS keeps its state there */
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1 /* addresses that come: mDNS, port/wall_clock.c */

/* ---- TCP ---- */

#define LWIP_TCP 1
#ifndef TCP_MSS
#define TCP_MSS 1460
#endif
#define TCP_WND                  (4 * TCP_MSS)
#define TCP_WND_UPDATE_THRESHOLD (2 * TCP_MSS) /* no bare one for each callback */
#define TCP_SND_BUF              (2 * TCP_MSS)
#ifndef TCP_SND_QUEUELEN
#define TCP_SND_QUEUELEN 8 /* pieces, short where the peer wants short segments */
#endif
#define LWIP_TCP_RTO_TIME 1000 /* RFC 6298; of 3 s, a caller waits for one in its 5 s */
/* Milliseconds to the next try at most, however late acknowledgements came before (RFC 6298 section
 * 2.4): twelve such, and the connection is given up. */
#define QR_LWIP_RTO_MAX_MS  60000
#define TCP_QUEUE_OOSEQ     1
#define TCP_OOSEQ_MAX_PBUFS 3 /* of a connection: one full segment; the rest is sent again */
#define LWIP_TCP_SACK_OUT   0
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_TCP_KEEPALIVE  1 /* dead callers go this way; the times are set by net_lwip.c */

/* A piece goes while the one before it is not acknowledged. lwIP's own waits until none is, and a
 * reader's kernel may wait 40 ms before it acknowledges one alone. */
#define TCP_SNDLOWAT (TCP_SND_BUF - TCP_MSS - 1)

/* ---- guards from the outside (port/hooks.c) ---- */

#define LWIP_HOOK_FILENAME "hooks.h"

/* ---- statistics: port/hooks.c and tests look at the pools ---- */

#define LWIP_STATS   1
#define LINK_STATS   1
#define MEM_STATS    1
#define MEMP_STATS   1
#define IP_STATS     0
#define ICMP_STATS   0
#define UDP_STATS    0
#define TCP_STATS    0
#define ETHARP_STATS 0
#define SYS_STATS    0

#endif

/*
 * lwIP's options for raw_server.c: without an operating system, and otherwise what port/lwipopts.h
 * has, where it bears on what a callback costs. Memory is plentiful.
 */
#ifndef QR_LWIPOPTS_H
#define QR_LWIPOPTS_H

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET          0
#define LWIP_NETCONN         0

#define MEM_ALIGNMENT        8
#define MEM_SIZE             (4 << 20)
#define MEMP_NUM_TCP_PCB     1024
#define MEMP_NUM_TCP_SEG     8192
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 4)
#define MEMP_NUM_PBUF        2048
#define PBUF_POOL_SIZE       2048
#define PBUF_POOL_BUFSIZE    640
#define MEMP_OVERFLOW_CHECK  0

#define LWIP_IPV4                 1
#define LWIP_IPV6                 1
#define LWIP_IPV6_FRAG            0
#define LWIP_IPV6_REASS           0
#define LWIP_IPV6_MLD             0
#define LWIP_ND6_QUEUEING         0
#define ETH_PAD_SIZE              2
#define LWIP_SINGLE_NETIF         1
#define IP_OPTIONS_ALLOWED        0
#define IP_REASSEMBLY             0
#define IP_FRAG                   0
#define LWIP_NETIF_TX_SINGLE_PBUF 0

#define TCP_MSS                    1460
#define TCP_WND                    (4 * TCP_MSS)
#define TCP_WND_UPDATE_THRESHOLD   (2 * TCP_MSS)
#define TCP_SND_BUF                (2 * TCP_MSS)
#define TCP_SND_QUEUELEN           8
#define TCP_LISTEN_BACKLOG         1
#define TCP_DEFAULT_LISTEN_BACKLOG 250
#define LWIP_TCP_SACK_OUT          0
#define LWIP_TCP_TIMESTAMPS        0
/* httpd closes first, and a caller's port that is still in TIME_WAIT there gets no connection. */
#define TCP_MSL 500UL

#define LWIP_STATS   1
#define LINK_STATS   1
#define MEM_STATS    1
#define MEMP_STATS   1
#define IP_STATS     0
#define ICMP_STATS   0
#define UDP_STATS    0
#define TCP_STATS    0
#define ETHARP_STATS 0
#define IP6_STATS    0
#define ICMP6_STATS  0
#define ND6_STATS    0

#define LWIP_HTTPD_SUPPORT_POST         1
#define LWIP_HTTPD_SUPPORT_V09          0
#define LWIP_HTTPD_SUPPORT_11_KEEPALIVE 1
#define LWIP_HTTPD_CUSTOM_FILES         1

#endif

#include "port.h"

#include <errno.h>
#include <string.h>

#include "src/limits.h"
#include "lwip/dhcp.h"
#include "lwip/api.h"
#include "lwip/netif.h"
#include "lwip/priv/sockets_priv.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sockets.h"
#include "lwip/tcp.h"
#include "lwip/tcpip.h"
#include "ip6.h"
#include "mdns.h"
#include "netif_board.h"
#include "netif/ethernet.h"
#include "pump.h"
#include "room.h"
#include "wall_clock.h"

static struct netif netif;

/* ---- errors ---- */

static int net_error(void)
{
    switch (errno) {
    case EWOULDBLOCK:
    case EINPROGRESS: return QR_NET_AGAIN;
    case ENOMEM:
    case ENOBUFS:
    case ENFILE: return QR_NET_NO_MEMORY;
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case EHOSTUNREACH:
    case ETIMEDOUT: return QR_NET_RESET;
    case EADDRINUSE: return QR_NET_IN_USE;
    default: return QR_NET_FAILED;
    }
}

/* The TCP connection below a socket; NULL: it is gone, or the socket listens. lwIP's sockets do not
 * tell how much it can take, and cannot reset it or say what it is worth. */
static struct tcp_pcb *pcb_of(int socket)
{
    const struct lwip_sock *sock = lwip_socket_dbg_get_socket(socket);
    struct tcp_pcb *pcb = sock == NULL || sock->conn == NULL ? NULL : sock->conn->pcb.tcp;

    return pcb == NULL || pcb->state == LISTEN ? NULL : pcb;
}

/* Non-blocking, replies go out at once, and dead peers are noticed. lwip_setsockopt() would bring
 * in all else that it can do, such as groups. */
static int prepare(int socket)
{
    struct tcp_pcb *pcb;

    LOCK_TCPIP_CORE();
    pcb = pcb_of(socket);
    if (pcb != NULL) {
        tcp_nagle_disable(pcb);
        ip_set_option(pcb, SOF_KEEPALIVE);
        pcb->keep_idle = QR_KEEP_IDLE_S * 1000;
        pcb->keep_intvl = QR_KEEP_INTERVAL_S * 1000;
        pcb->keep_cnt = QR_KEEP_COUNT;
    }
    UNLOCK_TCPIP_CORE();
    return pcb == NULL ? -1 : lwip_fcntl(socket, F_SETFL, O_NONBLOCK);
}

/* ---- who is ready ---- */

/* What the server watches, by the number of the socket. */
static struct {
    uint16_t tag;
    bool read, write;
    bool noted;
} watched[MEMP_NUM_NETCONN];

/* Sockets that may be ready: those of which lwIP has told something since they were looked at last,
 * and those that were ready then. */
static uint16_t noted[MEMP_NUM_NETCONN];
static size_t first_noted, n_noted;

_Static_assert(LWIP_SOCKET_OFFSET == 0, "a socket is an index");

static size_t wrapped(size_t place)
{
    return place < MEMP_NUM_NETCONN ? place : place - MEMP_NUM_NETCONN;
}

static void note(int socket)
{
    if (!watched[socket].noted) {
        watched[socket].noted = true;
        noted[wrapped(first_noted + n_noted)] = (uint16_t)socket;
        n_noted++;
    }
}

static int take_noted(void)
{
    int socket = noted[first_noted];

    first_noted = wrapped(first_noted + 1);
    n_noted--;
    watched[socket].noted = false;
    return socket;
}

/* lwIP has something to tell of a connection, which has no number before it is accepted. */
static void on_event(struct netconn *conn, enum netconn_evt event, u16_t len)
{
    (void)event;
    (void)len;
    if (conn->callback_arg.socket >= 0) {
        note(conn->callback_arg.socket);
    }
}

/* Data, a FIN or a connection: in a mailbox, or taken from there and not given out yet. */
static bool has_come(const struct lwip_sock *sock)
{
    const struct netconn *conn = sock->conn;

    return (sys_mbox_valid(&conn->recvmbox) && conn->recvmbox.used != 0) ||
           sock->lastdata.pbuf != NULL || (conn->flags & NETCONN_FIN_RX_PENDING) != 0 ||
           (sys_mbox_valid(&conn->acceptmbox) && conn->acceptmbox.used != 0);
}

/* By lwIP's own measure of when to tell that there is room again. */
static bool has_room(const struct netconn *conn)
{
    return (conn->flags & NETCONN_FLAG_CHECK_WRITESPACE) == 0 &&
           tcp_sndbuf(conn->pcb.tcp) > TCP_SNDLOWAT &&
           tcp_sndqueuelen(conn->pcb.tcp) < TCP_SNDQUEUELOWAT;
}

static bool is_ready(int socket)
{
    const struct lwip_sock *sock = lwip_socket_dbg_get_socket(socket);

    if (sock == NULL || sock->conn == NULL) {
        return false; /* it was freed */
    }
    return sock->conn->pcb.tcp == NULL || (watched[socket].read && has_come(sock)) ||
           (watched[socket].write && has_room(sock->conn));
}

/* Whether anyone is ready; forgets those before him who are not. */
static bool any_ready(void)
{
    while (n_noted != 0 && !is_ready(noted[first_noted])) {
        (void)take_noted();
    }
    return n_noted != 0;
}

static void net_watch(void *ctx, int socket, uint16_t tag, bool read, bool write)
{
    (void)ctx;
    watched[socket].tag = tag;
    watched[socket].read = read;
    watched[socket].write = write;
    note(socket);
}

static int net_wait(void *ctx, uint16_t *tags, size_t cap, uint32_t timeout_ms)
{
    uint32_t start_ms = sys_now();
    size_t n = 0;

    (void)ctx;
    if (timeout_ms == 0 || any_ready()) {
        qr_pump(0); /* a socket that is always ready must not starve the network */
    } else {
        while (qr_pump_more(start_ms, timeout_ms) && !any_ready()) {
        }
    }
    for (size_t left = n_noted; left > 0 && n < cap; left--) {
        int socket = take_noted();
        if (is_ready(socket)) {
            tags[n++] = watched[socket].tag;
            note(socket);
        }
    }
    return (int)n;
}

/* ---- net.h ---- */

static int net_listen(void *ctx, uint16_t port, uint16_t tag)
{
    struct sockaddr_storage any;
    socklen_t any_len = qr_ip6_any(&any, port);
    int socket = lwip_socket(any.ss_family, SOCK_STREAM, 0);
    int error;

    if (socket < 0) {
        return net_error();
    }
    /* Its connections inherit it. */
    lwip_socket_dbg_get_socket(socket)->conn->callback = on_event;
    net_watch(ctx, socket, tag, true, false);
    if (lwip_bind(socket, (struct sockaddr *)&any, any_len) != 0 ||
        lwip_listen(socket, QR_LWIP_BACKLOG) != 0 || lwip_fcntl(socket, F_SETFL, O_NONBLOCK) != 0) {
        error = net_error();
        (void)lwip_close(socket);
        return error;
    }
    return socket;
}

static int net_accept(void *ctx, int listener, uint16_t tag)
{
    int socket = lwip_accept(listener, NULL, NULL);

    if (socket < 0) {
        return net_error();
    }
    if (prepare(socket) != 0) { /* it was reset while it waited */
        (void)lwip_close(socket);
        return QR_NET_AGAIN;
    }
    net_watch(ctx, socket, tag, true, false);
    return socket;
}

static int take_in(int socket, void *bytes, size_t len, int flags)
{
    ssize_t result = lwip_recv(socket, bytes, len, flags);

    if (result == 0) {
        return QR_NET_CLOSED;
    }
    return result < 0 ? net_error() : (int)result;
}

static int net_recv(void *ctx, int socket, void *bytes, size_t len)
{
    (void)ctx;
    return take_in(socket, bytes, len, 0);
}

static int net_peek(void *ctx, int socket, void *bytes, size_t len)
{
    (void)ctx;
    return take_in(socket, bytes, len, MSG_PEEK);
}

/* Not before something was acknowledged, or lwIP's timer says so, twice a second. */
static void send_later(struct netconn *conn)
{
    netconn_set_flags(conn, NETCONN_FLAG_CHECK_WRITESPACE);
    API_EVENT(conn, NETCONN_EVT_SENDMINUS, 0);
}

/* Whether that is none, for now. */
static bool no_room_for(int socket, size_t *len)
{
    const struct tcp_pcb *pcb;

    LOCK_TCPIP_CORE();
    pcb = pcb_of(socket);
    if (pcb != NULL && pcb->snd_queuelen < TCP_SND_QUEUELEN) {
        *len = qr_room_to_send(pcb, *len);
    } /* else lwIP says what the matter is */
    if (*len == 0) {
        send_later(lwip_socket_dbg_get_socket(socket)->conn);
    }
    UNLOCK_TCPIP_CORE();
    return *len == 0;
}

static int net_send(void *ctx, int socket, const void *bytes, size_t len)
{
    ssize_t result;

    (void)ctx;
    if (no_room_for(socket, &len)) {
        return QR_NET_AGAIN;
    }
    result = lwip_send(socket, bytes, len, 0);
    if (result == 0) {
        return QR_NET_AGAIN;
    }
    return result < 0 ? net_error() : (int)result;
}

static int net_finish(void *ctx, int socket)
{
    (void)ctx;
    return lwip_shutdown(socket, SHUT_WR) != 0 ? net_error() : 0;
}

/* A connection that is closed for us may hang in its last states for half an hour, if its peer is
 * gone or wants that. So it gets the lowest priority: lwIP gives it up for a new one. What it has
 * received too early is of no use any more. */
static void net_close(void *ctx, int socket)
{
    struct tcp_pcb *pcb;

    (void)ctx;
    LOCK_TCPIP_CORE();
    pcb = pcb_of(socket);
    if (pcb != NULL) {
        tcp_setprio(pcb, TCP_PRIO_MIN);
        tcp_free_ooseq(pcb);
    }
    UNLOCK_TCPIP_CORE();
    (void)lwip_close(socket);
}

static void net_abort(void *ctx, int socket)
{
    struct tcp_pcb *pcb;

    (void)ctx;
    LOCK_TCPIP_CORE();
    pcb = pcb_of(socket);
    if (pcb != NULL) {
        tcp_abort(pcb);
    }
    UNLOCK_TCPIP_CORE();
    (void)lwip_close(socket);
}

static bool net_caught_up(void *ctx)
{
    (void)ctx;
    return qr_pump_caught_up();
}

/* ---- start ---- */

static const struct qr_net net = {
    .listen = net_listen,
    .accept = net_accept,
    .recv = net_recv,
    .peek = net_peek,
    .send = net_send,
    .finish = net_finish,
    .close = net_close,
    .abort = net_abort,
    .watch = net_watch,
    .wait = net_wait,
    .caught_up = net_caught_up,
};

/* The address comes last: mDNS and SNTP begin when it does. */
const struct qr_net *qr_net_lwip_start(const struct qr_net_config *config)
{
    ip4_addr_t addr = {lwip_htonl(config->addr)};
    ip4_addr_t netmask = {lwip_htonl(config->netmask)};
    ip4_addr_t gateway = {lwip_htonl(config->gateway)};

    LOCK_TCPIP_CORE();
    tcpip_init(NULL, NULL);
    (void)netif_add(&netif, NULL, NULL, NULL, NULL, qr_netif_board_init, ethernet_input);
    qr_ip6_init(&netif, config->ipv6);
    netif_set_hostname(&netif, config->hostname);
    netif_set_default(&netif);
    netif_set_up(&netif);
    netif_set_link_up(&netif);
    if (config->mdns) {
        qr_mdns_start(&netif, config);
    }
    if (config->ntp != NULL) {
        qr_wall_clock_start(config->ntp);
    }
    if (config->ipv6) {
        qr_ip6_start(&netif);
    }
    if (config->dhcp) {
        (void)dhcp_start(&netif);
    } else {
        netif_set_addr(&netif, &addr, &netmask, &gateway);
    }
    UNLOCK_TCPIP_CORE();
    return &net;
}

uint32_t qr_net_lwip_addr(void)
{
    return lwip_ntohl(netif_ip4_addr(&netif)->addr);
}

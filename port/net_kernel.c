/*
 * net.h on a kernel's sockets, for the setting net=host. The board blocks SIGINT and SIGTERM; they
 * get through only while this waits, so that none is lost between looking and sleeping.
 */
#define _GNU_SOURCE
#include "port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/limits.h"

/* Enough for a flood of connections until the server gives them up faster than they come. */
enum { BACKLOG = 1024 };

static uint32_t listen_addr;
static int epoll = -1;

static int net_error(void)
{
    switch (errno) {
    case EAGAIN:
    case EINTR: return QR_NET_AGAIN;
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC: /* no more may be watched */
    case ENFILE:
    case EMFILE: return QR_NET_NO_MEMORY;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT: return QR_NET_RESET;
    case EADDRINUSE: return QR_NET_IN_USE;
    default: return QR_NET_FAILED;
    }
}

static int set_option(int socket, int level, int name, int value)
{
    return setsockopt(socket, level, name, &value, sizeof value);
}

static int tell_epoll(int operation, int socket, uint16_t tag, bool read, bool write)
{
    struct epoll_event event = {.events = (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u),
                                .data.u32 = tag};

    return epoll_ctl(epoll, operation, socket, &event);
}

static int net_listen(void *ctx, uint16_t port, uint16_t tag)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(listen_addr)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    (void)ctx;
    if (fd < 0) {
        return net_error();
    }
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, BACKLOG) != 0 ||
        tell_epoll(EPOLL_CTL_ADD, fd, tag, true, false) != 0) {
        error = errno;
        (void)close(fd);
        errno = error;
        return net_error();
    }
    return fd;
}

static int net_accept(void *ctx, int listener, uint16_t tag)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)ctx;
    if (fd < 0) {
        return errno == ECONNABORTED ? QR_NET_AGAIN : net_error();
    }
    if (tell_epoll(EPOLL_CTL_ADD, fd, tag, true, false) != 0) {
        (void)close(fd);
        return QR_NET_NO_MEMORY;
    }
    /* These cannot fail on a TCP socket; without them it would only be slower to notice. */
    (void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    (void)set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, QR_KEEP_IDLE_S);
    (void)set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, QR_KEEP_INTERVAL_S);
    (void)set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, QR_KEEP_COUNT);
    return fd;
}

static int take_in(int socket, void *bytes, size_t len, int flags)
{
    ssize_t result = recv(socket, bytes, len, flags);

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

static int net_send(void *ctx, int socket, const void *bytes, size_t len)
{
    ssize_t result = send(socket, bytes, len, MSG_NOSIGNAL);

    (void)ctx;
    return result < 0 ? net_error() : (int)result;
}

static int net_finish(void *ctx, int socket)
{
    (void)ctx;
    return shutdown(socket, SHUT_WR) != 0 ? net_error() : 0;
}

static void net_close(void *ctx, int socket)
{
    (void)ctx;
    (void)close(socket);
}

static void net_abort(void *ctx, int socket)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    (void)ctx;
    (void)setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)close(socket);
}

/* Of a socket that is watched, this cannot fail. */
static void net_watch(void *ctx, int socket, uint16_t tag, bool read, bool write)
{
    (void)ctx;
    (void)tell_epoll(EPOLL_CTL_MOD, socket, tag, read, write);
}

static int net_wait(void *ctx, uint16_t *tags, size_t cap, uint32_t timeout_ms)
{
    static struct epoll_event events[QR_CONNS_MAX + 1];
    size_t room = cap < QR_CONNS_MAX + 1 ? cap : QR_CONNS_MAX + 1;
    sigset_t none;
    int n;

    (void)ctx;
    (void)sigemptyset(&none);
    n = epoll_pwait(epoll, events, (int)room, timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX,
                    &none);
    for (int i = 0; i < n; i++) {
        tags[i] = (uint16_t)events[i].data.u32;
    }
    return n < 0 && errno != EINTR ? net_error() : n < 0 ? 0 : n;
}

static bool net_caught_up(void *ctx)
{
    (void)ctx;
    return true;
}

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

const struct qr_net *qr_net_kernel_start(uint32_t addr)
{
    listen_addr = addr;
    if (epoll < 0) {
        epoll = epoll_create1(EPOLL_CLOEXEC); /* where there is none, listen fails */
    }
    return &net;
}

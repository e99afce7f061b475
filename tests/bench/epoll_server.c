/*
 * The least that a server on the kernel's sockets can do: one thread, epoll, one read and one write
 * a callback. It parses nothing: what has come is a request when its head has ended and as many
 * bytes of content as the one field says that it looks for, and every request gets the same reply.
 *
 *     epoll_server PORT
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX   2048
#define REQUEST_MAX 4096

struct conn {
    size_t len;
    char bytes[REQUEST_MAX + 1];
};

static const char reply[] =
    "HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 17:25:54 GMT\r\nContent-Type: application/json\r\n"
    "Content-Length: 65\r\n\r\n"
    "{\"actionCode\":0,\"errCode\":0,\"errMsg\":\"\",\"errDlt\":\"\",\"nextCode\":0}";

static struct conn conns[CONNS_MAX];

static bool whole(const struct conn *conn)
{
    static const char field[] = "\r\nContent-Length: ";
    const char *end = strstr(conn->bytes, "\r\n\r\n");
    const char *length = strstr(conn->bytes, field);
    size_t content = length == NULL ? 0 : strtoul(length + sizeof field - 1, NULL, 10);

    return end != NULL && (size_t)(end + 4 - conn->bytes) + content <= conn->len;
}

static void serve(int fd)
{
    struct conn *conn = &conns[fd];
    ssize_t n = read(fd, conn->bytes + conn->len, REQUEST_MAX - conn->len);
    if (n <= 0) {
        close(fd);
        return;
    }
    conn->len += (size_t)n;
    conn->bytes[conn->len] = '\0';
    if (!whole(conn)) {
        return;
    }
    conn->len = 0;
    if (write(fd, reply, sizeof reply - 1) != sizeof reply - 1) {
        close(fd);
    }
}

static void take(int poller, int listener)
{
    const int on = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (fd >= CONNS_MAX) {
        close(fd);
        return;
    }
    conns[fd].len = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
    const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)(argc == 2 ? atoi(argv[1]) : 0)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, SOMAXCONN) != 0 ||
        epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0) {
        perror("epoll_server");
        return 1;
    }
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                take(poller, listener);
            } else {
                serve(events[i].data.fd);
            }
        }
    }
}

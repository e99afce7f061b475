#include "exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "names.h"

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static int fail(struct qr_exchange *exchange, const char *what, const char *why)
{
    (void)snprintf(exchange->why, sizeof exchange->why, "%s%s%s", what, *why == '\0' ? "" : ": ",
                   why);
    return -1;
}

/* Waits for events of fd, -1: of none. Returns whether they have come before the deadline. */
static bool wait_for(int fd, short events, uint64_t deadline_ms)
{
    struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = STDOUT_FILENO}};
    uint64_t now = now_ms();

    while (now < deadline_ms) {
        int n = poll(fds, 2, (int)(deadline_ms - now));
        if (n > 0 && (fds[1].revents & POLLERR) != 0) {
            exit(0); /* as if it had been written to a reader that is gone */
        }
        if (n > 0 && fds[0].revents != 0) {
            return true;
        }
        if (n > 0) {
            fds[1].fd = -1; /* it has something else to tell, over and over */
        }
        now = now_ms();
    }
    return false;
}

void qr_exchange_pause(int ms)
{
    (void)wait_for(-1, 0, now_ms() + (uint64_t)ms);
}

/* Returns 0, or what errno would be. */
static int connect_to(struct qr_exchange *exchange, const struct qr_address *address)
{
    int error = 0;
    socklen_t len = sizeof error;

    exchange->fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (exchange->fd < 0) {
        return errno;
    }
    if (connect(exchange->fd, (const struct sockaddr *)&address->addr, address->len) == 0) {
        return 0;
    }
    if (errno != EINPROGRESS) {
        return errno;
    }
    if (!wait_for(exchange->fd, POLLOUT, now_ms() + QR_EXCHANGE_CONNECT_MS)) {
        return ETIMEDOUT;
    }
    return getsockopt(exchange->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

static int dial(struct qr_exchange *exchange, const struct qr_url *url)
{
    struct qr_address found[QR_NAMES_MAX];
    const char *why = "it has no address";
    int n = qr_names_find(url->host, url->port, found, &why);

    for (int i = 0; i < n; i++) {
        int error = connect_to(exchange, &found[i]);
        if (error == 0) {
            return 0;
        }
        qr_exchange_close(exchange);
        why = strerror(error);
    }
    return fail(exchange, "cannot reach it", why);
}

static int send_all(struct qr_exchange *exchange, const struct qr_out *request)
{
    uint64_t deadline_ms = now_ms() + QR_EXCHANGE_HEAD_MS;
    size_t sent = 0;

    while (sent < request->len) {
        if (!wait_for(exchange->fd, POLLOUT, deadline_ms)) {
            return fail(exchange, "it takes no request", "");
        }
        ssize_t n = send(exchange->fd, request->bytes + sent, request->len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return fail(exchange, "the connection is lost", strerror(errno));
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int ask(struct qr_exchange *exchange, const struct qr_url *url, const char *target)
{
    static char bytes[QR_EXCHANGE_TARGET_MAX + QR_URL_HOST_MAX + 256];
    struct qr_out out;

    qr_out_init(&out, bytes, sizeof bytes);
    qr_out_text(&out, "GET ");
    qr_out_text(&out, url->prefix);
    qr_out_text(&out, target);
    qr_out_text(&out, " HTTP/1.1\r\nHost: ");
    qr_url_authority(url, &out);
    qr_out_text(&out, "\r\nUser-Agent: quitring\r\nConnection: close\r\n\r\n");
    return out.full ? fail(exchange, "the request is too long", "") : send_all(exchange, &out);
}

/* Returns the bytes that have come; 0: the connection has ended; -1 with why. */
static ssize_t receive(struct qr_exchange *exchange, uint64_t deadline_ms)
{
    ssize_t n;

    do {
        if (!wait_for(exchange->fd, POLLIN, deadline_ms)) {
            return fail(exchange, "it says nothing", "");
        }
        n = recv(exchange->fd, exchange->bytes, sizeof exchange->bytes, 0);
    } while (n < 0 && (errno == EAGAIN || errno == EINTR));
    if (n < 0) {
        return fail(exchange, "the connection is lost", strerror(errno));
    }
    exchange->rest = (struct qr_span){exchange->bytes, (size_t)n};
    return n;
}

static enum qr_response_got next(struct qr_exchange *exchange, uint64_t deadline_ms,
                                 struct qr_span *content)
{
    enum qr_response_got got;

    while ((got = qr_response_take(&exchange->response, &exchange->rest, content)) ==
           QR_RESPONSE_MORE) {
        ssize_t n = receive(exchange, deadline_ms);
        if (n < 0) {
            return QR_RESPONSE_BAD;
        }
        if (n == 0 && qr_response_ends(&exchange->response)) {
            return QR_RESPONSE_END;
        }
        if (n == 0) {
            (void)fail(exchange, "the connection is lost", "");
            return QR_RESPONSE_BAD;
        }
    }
    if (got == QR_RESPONSE_BAD) {
        (void)fail(exchange, "it does not answer as HTTP does", "");
    }
    return got;
}

int qr_exchange_open(struct qr_exchange *exchange, const struct qr_url *url, const char *target)
{
    struct qr_span none;

    exchange->fd = -1;
    exchange->rest.len = 0;
    qr_response_begin(&exchange->response);
    if (dial(exchange, url) != 0 || ask(exchange, url, target) != 0) {
        return -1;
    }
    if (next(exchange, now_ms() + QR_EXCHANGE_HEAD_MS, &none) != QR_RESPONSE_HEAD) {
        return -1;
    }
    return (int)exchange->response.status;
}

int qr_exchange_read(struct qr_exchange *exchange, struct qr_span *content)
{
    switch (next(exchange, now_ms() + QR_EXCHANGE_SILENT_MS, content)) {
    case QR_RESPONSE_CONTENT: return 1;
    case QR_RESPONSE_END: return 0;
    default: return -1;
    }
}

void qr_exchange_close(struct qr_exchange *exchange)
{
    if (exchange->fd >= 0) {
        close(exchange->fd);
        exchange->fd = -1;
    }
}

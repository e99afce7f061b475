/*
 * libslirp: a network of our own inside the process, without any privilege. Its host is 10.0.2.2,
 * we are 10.0.2.15; one TCP port of the machine leads to ours, and nothing leads out.
 *
 * libslirp emits frames whenever it likes, also from inside slirp_input(), so they wait in a queue
 * until they are asked for. It has a heap of its own.
 */
#include "nic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libslirp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* A burst of new connections brings a frame each; one that is lost is sent again after 6 s only.
 * The memory is the system's until a burst needs it. */
#define FRAMES_MAX 1024
#define POLLS_MAX  1024 /* as many as a process may usually have open */

#define NETWORK    0x0a000200u /* 10.0.2.0 */
#define NETMASK    0xffffff00u
#define HOST       (NETWORK + 2u)
#define NAMESERVER (NETWORK + 3u) /* named in the set-up only: it is not there */
#define DHCP_START (NETWORK + 15u)

#define ETHER_BYTES      14
#define ETHER_IPV4       0x0800
#define ETHER_ARP        0x0806
#define TCP_SYN          0x02
#define TCP_ACK          0x10
#define DHCP_SERVER_PORT 67

/* Connections that may wait until libslirp takes them. */
#define BACKLOG 128

static const uint8_t our_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static Slirp *slirp;
static bool look_soon; /* libslirp has work that only slirp_pollfds_poll() does */

/* ---- frames from libslirp ---- */

static struct {
    size_t first, count;
    struct frame {
        size_t len;
        uint8_t bytes[QR_NIC_FRAME_BYTES];
    } frames[FRAMES_MAX];
} queue;

/* What does not fit is lost, as on a wire: TCP sends it again. */
static ssize_t queue_put(const void *bytes, size_t len, void *opaque)
{
    (void)opaque;
    if (queue.count < FRAMES_MAX && len <= QR_NIC_FRAME_BYTES) {
        struct frame *frame = &queue.frames[(queue.first + queue.count) % FRAMES_MAX];
        memcpy(frame->bytes, bytes, len);
        frame->len = len;
        queue.count++;
    }
    return (ssize_t)len;
}

static size_t user_frame_in(uint8_t *bytes)
{
    if (queue.count == 0) {
        queue.first = 0; /* to use the same few frames' memory again */
        return 0;
    }
    const struct frame *frame = &queue.frames[queue.first];
    queue.first = (queue.first + 1) % FRAMES_MAX;
    queue.count--;
    memcpy(bytes, frame->bytes, frame->len);
    return frame->len;
}

/* ---- what libslirp asks of its user ---- */

static void guest_error(const char *message, void *opaque)
{
    (void)opaque;
    qr_board_log(QR_LOG_DEBUG, message);
}

static int64_t clock_ns(void *opaque)
{
    struct timespec now;
    (void)opaque;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Timers serve IPv6 only, which is off. */
static void *timer_none(SlirpTimerCb callback, void *callback_opaque, void *opaque)
{
    (void)callback, (void)callback_opaque, (void)opaque;
    return NULL;
}

static void timer_free(void *timer, void *opaque)
{
    (void)timer, (void)opaque;
}

static void timer_mod(void *timer, int64_t expire_time, void *opaque)
{
    (void)timer, (void)expire_time, (void)opaque;
}

static void fd_ignore(int fd, void *opaque)
{
    (void)fd, (void)opaque; /* slirp_pollfds_fill() names them all each time */
}

static void notify(void *opaque)
{
    (void)opaque;
}

static const SlirpCb callbacks = {
    .send_packet = queue_put,
    .guest_error = guest_error,
    .clock_get_ns = clock_ns,
    .timer_new = timer_none,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = fd_ignore,
    .unregister_poll_fd = fd_ignore,
    .notify = notify,
};

/* ---- sleeping ---- */

static struct pollfd polls[POLLS_MAX];
static size_t polls_len;

/* libslirp's bits and poll()'s. */
static const struct {
    int slirp;
    short poll;
} events[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};
#define EVENTS_LEN (sizeof events / sizeof events[0])

static int poll_add(int fd, int wanted, void *opaque)
{
    (void)opaque;
    if (polls_len == POLLS_MAX) {
        return -1; /* which libslirp takes for: nothing has happened there */
    }
    struct pollfd *entry = &polls[polls_len];
    *entry = (struct pollfd){.fd = fd};
    for (size_t i = 0; i < EVENTS_LEN; i++) {
        if ((wanted & events[i].slirp) != 0) {
            entry->events = (short)(entry->events | events[i].poll);
        }
    }
    return (int)polls_len++;
}

static int poll_happened(int index, void *opaque)
{
    int happened = 0;
    (void)opaque;
    for (size_t i = 0; index >= 0 && i < EVENTS_LEN; i++) {
        if ((polls[index].revents & events[i].poll) != 0) {
            happened |= events[i].slirp;
        }
    }
    return happened;
}

static size_t user_sleep(struct pollfd **entries, uint32_t *timeout_ms)
{
    polls_len = 0;
    slirp_pollfds_fill(slirp, timeout_ms, poll_add, NULL);
    if (queue.count != 0 || look_soon) {
        *timeout_ms = 0;
    }
    look_soon = false;
    *entries = polls;
    return polls_len;
}

static void user_woken(bool interrupted)
{
    slirp_pollfds_poll(slirp, interrupted, poll_happened, NULL);
}

/* ---- opening ---- */

/* libslirp listens with a backlog of 1, so that of a burst of callers all but two would wait a
 * second and more. Its socket is only to be had by being asked to poll it. */
static int backlog_raise(int fd, int wanted, void *opaque)
{
    int listening = 0;
    socklen_t len = sizeof listening;

    (void)wanted, (void)opaque;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening != 0) {
        (void)listen(fd, BACKLOG);
    }
    return -1;
}

static int publish(const struct qr_board_nic_config *config)
{
    struct in_addr outside = {htonl(config->publish_addr)};
    struct in_addr inside = {htonl(config->addr == 0 ? DHCP_START : config->addr)};
    char shown[INET_ADDRSTRLEN], line[120];
    uint32_t timeout_ms = 0;

    if (config->publish_port == 0) {
        return 0;
    }
    if (slirp_add_hostfwd(slirp, 0, outside, config->publish_port, inside, config->port) != 0) {
        int error = errno;
        snprintf(line, sizeof line, "cannot publish %s:%u: %s; choose another with --publish",
                 inet_ntop(AF_INET, &outside, shown, sizeof shown), config->publish_port,
                 strerror(error));
        qr_board_log(QR_LOG_ERROR, line);
        return -1;
    }
    slirp_pollfds_fill(slirp, &timeout_ms, backlog_raise, NULL);
    return 0;
}

static int address_check(uint32_t addr)
{
    struct in_addr in = {htonl(addr)};
    char shown[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &in, shown, sizeof shown);
    if (addr != 0 && (addr & NETMASK) != NETWORK) {
        return qr_nic_refuse("address %s is not in its network; use 10.0.2.15/24,10.0.2.2 or dhcp",
                             shown);
    }
    if (addr == HOST || addr == NAMESERVER) {
        return qr_nic_refuse(
            "address %s is taken in its network; use 10.0.2.15/24,10.0.2.2 or dhcp", shown);
    }
    return 0;
}

static int user_open(const char *interface, const struct qr_board_nic_config *config,
                     uint8_t mac[6])
{
    (void)interface;
    const SlirpConfig network = {
        .version = 3,
        .in_enabled = true,
        .vnetwork = {htonl(NETWORK)},
        .vnetmask = {htonl(NETMASK)},
        .vhost = {htonl(HOST)},
        .vdhcp_start = {htonl(DHCP_START)},
        .vnameserver = {htonl(NAMESERVER)},
        .disable_dns = true,
    };

    if (address_check(config->addr) != 0) {
        return -1;
    }
    slirp = slirp_new(&network, &callbacks, NULL);
    if (slirp == NULL) {
        return qr_nic_refuse("libslirp %s did not start", slirp_version_string());
    }
    memcpy(mac, our_mac, sizeof our_mac);
    return publish(config);
}

/* ---- frames to libslirp ---- */

/* Whether libslirp may see an IPv4 frame: the answers of a server, and DHCP. What would open
 * something towards the outside is lost here, so that the process never calls anybody.
 *
 * libslirp can be restricted in that way by itself, but then its DHCP names no gateway, and callers
 * that are not on this machine, who show with their own address, could not be answered. */
static bool is_answer(const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + ETHER_BYTES;
    size_t head_len = (size_t)(ip[0] & 0x0f) * 4;
    if ((ip[6] & 0x1f) != 0 || ip[7] != 0 || len < ETHER_BYTES + head_len + 14) {
        return false; /* a fragment, or cut */
    }
    const uint8_t *segment = ip + head_len;
    switch (ip[9]) {
    case IPPROTO_TCP: return (segment[13] & (TCP_SYN | TCP_ACK)) != TCP_SYN;
    case IPPROTO_UDP: return segment[2] == 0 && segment[3] == DHCP_SERVER_PORT;
    default: return false;
    }
}

static void send_one(const uint8_t *frame, size_t len)
{
    unsigned type = (unsigned)frame[12] << 8 | frame[13];

    if (type == ETHER_ARP || (type == ETHER_IPV4 && is_answer(frame, len))) {
        slirp_input(slirp, frame, (int)len);
        /* Frames that waited for our ARP reply are only sent from slirp_pollfds_poll(). */
        look_soon = look_soon || type == ETHER_ARP;
    }
}

static void user_send(struct iovec *frames, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        send_one(frames[i].iov_base, frames[i].iov_len);
    }
}

const struct qr_nic qr_nic_user = {
    .open = user_open,
    .frame_in = user_frame_in,
    .send = user_send,
    .sleep = user_sleep,
    .woken = user_woken,
};

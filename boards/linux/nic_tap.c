/* A TAP device, prepared by somebody else: alone, or a port of a bridge. */
#include "nic.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* Frames too large for us that are skipped before the caller has its turn again. */
#define SKIPPED_MAX 64

static int tap = -1;

static int refuse_device(int error)
{
    if (error == ENOENT || error == ENODEV || error == ENXIO) {
        return qr_nic_refuse("/dev/net/tun is missing; load it with: modprobe tun");
    }
    return qr_nic_refuse("cannot open /dev/net/tun: %s; run as root, or let this user open it",
                         strerror(error));
}

static int refuse_attach(const char *interface, int error)
{
    switch (error) {
    case EPERM:
        return qr_nic_refuse("not permitted; run as root, give CAP_NET_ADMIN, or prepare it with: "
                             "ip tuntap add dev %s mode tap user NAME",
                             interface);
    case EBUSY: return qr_nic_refuse("in use by another process");
    case EINVAL: return qr_nic_refuse("not a TAP device of one queue");
    default: return qr_nic_refuse("cannot attach: %s", strerror(error));
    }
}

static int attach(const char *interface)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    memcpy(request.ifr_name, interface, strlen(interface));
    if (ioctl(tap, TUNSETIFF, &request) != 0) {
        return refuse_attach(interface, errno);
    }
    /* A persistent TAP keeps the offloads that its last user asked for; then frames would come
     * merged, and without checksums. */
    if (ioctl(tap, TUNSETOFFLOAD, 0) != 0) {
        qr_nic_warn("cannot switch its offloads off: %s", strerror(errno));
    }
    return 0;
}

static int tap_open(const char *interface, const struct qr_board_nic_config *config, uint8_t mac[6])
{
    struct qr_nic_interface found;
    char help[80];

    (void)config;
    snprintf(help, sizeof help, "create it with: ip tuntap add dev %.*s mode tap user NAME",
             IFNAMSIZ, interface);
    if (qr_nic_interface_find(&found, interface, help) != 0) {
        return -1;
    }
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0) {
        return refuse_device(errno);
    }
    if (attach(interface) != 0) {
        close(tap);
        tap = -1;
        return -1;
    }
    qr_nic_interface_warn(&found, interface);
    /* The kernel gives most TAPs a new random address each time they are made. */
    qr_nic_mac_make(mac, interface, found.mac, false);
    return 0;
}

static size_t tap_frame_in(uint8_t *frame)
{
    /* The kernel cuts what does not fit and does not tell: the byte behind tells. */
    uint8_t beyond;
    struct iovec parts[] = {{frame, QR_BOARD_FRAME_MAX}, {&beyond, sizeof beyond}};

    for (int skipped = 0; skipped < SKIPPED_MAX; skipped++) {
        ssize_t n = readv(tap, parts, 2);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR) {
                return 0;
            }
            /* The descriptor stays ready for ever, so going on would only spin. */
            qr_nic_refuse("the interface is gone: %s", strerror(errno));
            qr_board_exit(1);
        }
        if (n <= QR_BOARD_FRAME_MAX) {
            return (size_t)n;
        }
    }
    return 0;
}

static void tap_send(struct iovec *frames, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ssize_t sent = write(tap, frames[i].iov_base, frames[i].iov_len);
        (void)sent;
    }
}

static bool tap_waits(void)
{
    return qr_nic_has_input(tap);
}

static size_t tap_sleep(struct pollfd **polls, uint32_t *timeout_ms)
{
    static struct pollfd poll_tap;

    (void)timeout_ms;
    poll_tap = (struct pollfd){.fd = tap, .events = POLLIN};
    *polls = &poll_tap;
    return 1;
}

const struct qr_nic qr_nic_tap = {
    .open = tap_open,
    .frame_in = tap_frame_in,
    .send = tap_send,
    .waits = tap_waits,
    .sleep = tap_sleep,
};

/*
 * The network cards that a Linux process may have: one struct of functions each, of which
 * qr_board_nic_open() chooses one. Descriptors and buffers are static, in each card's file.
 */
#ifndef QR_LINUX_NIC_H
#define QR_LINUX_NIC_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "boards/board.h"

/* The largest frame that lwIP sends, and that fits a network of MTU 1500. */
#define QR_NIC_FRAME_BYTES 1514

struct qr_nic {
    /* Opens the card on interface ("" where the card takes none) and fills in mac. Returns 0, or -1
     * after qr_nic_refuse(). */
    int (*open)(const char *interface, const struct qr_board_nic_config *config, uint8_t mac[6]);

    /* As qr_board_frame_in(). */
    size_t (*frame_in)(uint8_t *frame);

    /* Sends n frames, in this order. What the card cannot take is lost. */
    void (*send)(struct iovec *frames, size_t n);

    /* Whether frame_in() has something to tell: a frame, or why there are no more. NULL: only a
     * sleep can find out. */
    bool (*waits)(void);

    /* What to sleep on: *polls, valid until woken() is over. Returns how many; may shorten
     * *timeout_ms. */
    size_t (*sleep)(struct pollfd **polls, uint32_t *timeout_ms);

    /* The sleep is over; interrupted: the polls' revents say nothing. NULL: of no interest. */
    void (*woken)(bool interrupted);
};

extern const struct qr_nic qr_nic_user, qr_nic_tap, qr_nic_packet;

/* Logs one line that begins with what was asked for: "tap:qr0: is down". refuse returns -1. */
__attribute__((format(printf, 1, 2))) int qr_nic_refuse(const char *format, ...);
__attribute__((format(printf, 1, 2))) void qr_nic_warn(const char *format, ...);

/* Whether a descriptor has something to read, or an error. */
bool qr_nic_has_input(int fd);

/* A network interface of this machine. */
struct qr_nic_interface {
    unsigned index;
    bool ethernet, up;
    uint8_t mac[6];
};

/* Looks at an interface. Returns 0, or -1 after qr_nic_refuse(); help is what to say where there is
 * none of that name. */
int qr_nic_interface_find(struct qr_nic_interface *found, const char *name, const char *help);

/* Warns when it is down: somebody may bring it up later. */
void qr_nic_interface_warn(const struct qr_nic_interface *found, const char *name);

/* Makes a MAC address for us behind an interface: locally administered, the same at each start
 * where this machine or card has anything lasting to make it of (else random), and not the
 * interface's own. own_lasts: the interface's own address may be relied on, too. */
void qr_nic_mac_make(uint8_t mac[6], const char *name, const uint8_t own[6], bool own_lasts);

#endif

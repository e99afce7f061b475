/*
 * The narrow seam to a socket API. Non-blocking TCP; a socket is a small number >= 0 of the
 * network's own. port/net_lwip.c makes one of lwIP's sockets, port/net_kernel.c one of the
 * kernel's, tests one that fails on purpose.
 */
#ifndef QR_NET_H
#define QR_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum qr_net_err {
    QR_NET_AGAIN = -1,     /* would block: try again when wait says so */
    QR_NET_CLOSED = -2,    /* recv: the peer has sent its FIN, and all before it was read */
    QR_NET_RESET = -3,     /* the connection is gone: reset, timed out; only close is left */
    QR_NET_NO_MEMORY = -4, /* out of buffers or sockets: may work again later */
    QR_NET_IN_USE = -5,    /* listen: the port is taken */
    QR_NET_FAILED = -6     /* anything else; not expected */
};

struct qr_net {
    void *ctx; /* handed to each function */

    /* Opens a listener on the network's own address, watched for connections under that tag.
     * Returns its socket; IN_USE, NO_MEMORY, FAILED. */
    int (*listen)(void *ctx, uint16_t port, uint16_t tag);

    /* Takes the next waiting connection, watched for what comes to be read under that tag. Returns
     * its socket; AGAIN, NO_MEMORY, FAILED. */
    int (*accept)(void *ctx, int listener, uint16_t tag);

    /* Returns the bytes read, 1 to len; AGAIN, CLOSED, RESET, NO_MEMORY. */
    int (*recv)(void *ctx, int socket, void *bytes, size_t len);

    /* As recv, but the bytes stay to be received, and there may be more of them. What else it says,
     * the next recv says, too, or CLOSED in place of RESET. */
    int (*peek)(void *ctx, int socket, void *bytes, size_t len);

    /* Returns the bytes taken, 1 to len (they are copied); AGAIN, RESET, NO_MEMORY. */
    int (*send)(void *ctx, int socket, const void *bytes, size_t len);

    /* Sends a FIN behind what was sent; recv still works. Returns 0; RESET, NO_MEMORY. */
    int (*finish)(void *ctx, int socket);

    /* Frees the socket. Does not wait; cannot fail. What was sent and not acknowledged still goes
     * out, unless received bytes were left unread: then the peer sees a reset. */
    void (*close)(void *ctx, int socket);

    /* Frees the socket at once; the peer sees a reset, and what it has not got it never gets. */
    void (*abort)(void *ctx, int socket);

    /* What the socket is watched for from now on, until it is freed: to read (data, FIN, a
     * connection to accept), to send (room). The end of a connection is told in any case. Costs
     * more than wait does for a socket: to be called when the wish changes. */
    void (*watch)(void *ctx, int socket, uint16_t tag, bool read, bool write);

    /* Waits until some of those watched are ready, at most timeout_ms (0: only looks), and writes
     * their tags, each once, up to cap, which is not 0. Who stays ready is told each time; of more
     * than cap, those who were left out come first the next time. It may come back early with none,
     * when the board has something else to tell. This is where the network does its work, so it
     * must be called on every turn. Returns how many it wrote; NO_MEMORY, FAILED. */
    int (*wait)(void *ctx, uint16_t *tags, size_t cap, uint32_t timeout_ms);

    /* Whether the last wait has taken all that had come, so that who is not ready has sent nothing.
     */
    bool (*caught_up)(void *ctx);
};

#endif

/*
 * The addresses of a host: names.c asks the system; in a static program, for which the C library
 * cannot do that, no_names.c takes addresses alone.
 */
#ifndef QR_NAMES_H
#define QR_NAMES_H

#include <stddef.h>
#include <sys/socket.h>

#define QR_NAMES_MAX 4 /* addresses of a host that are tried */

struct qr_address {
    struct sockaddr_storage addr;
    socklen_t len;
};

/* Returns how many there are, or 0 and in *why what is wrong. */
int qr_names_find(const char *host, const char *port, struct qr_address found[QR_NAMES_MAX],
                  const char **why);

/* What --help says of hosts. */
extern const char qr_names_help[];

#endif

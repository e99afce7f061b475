/*
 * One request and its response, on a connection of their own. Whoever waits here also sees that
 * nobody reads standard output any more, and ends the program.
 */
#ifndef QR_EXCHANGE_H
#define QR_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "response.h"
#include "url.h"

#define QR_EXCHANGE_CONNECT_MS 5000  /* until a connection is made, of each address */
#define QR_EXCHANGE_HEAD_MS    10000 /* from the request to the end of the response's head */
#define QR_EXCHANGE_SILENT_MS                                                                      \
    30000 /* without a byte, until it is lost: a stream says something                             \
             every 12 s */

#define QR_EXCHANGE_TARGET_MAX (QR_URL_PREFIX_MAX + 2048) /* two IDs, percent-encoded */

struct qr_exchange {
    struct qr_response response;
    char why[160]; /* what has gone wrong, for people; terminated */

    /* below: exchange.c's own */
    int fd;
    struct qr_span rest; /* of bytes: not read yet */
    char bytes[4096];
};

/* Asks for a target, which stands behind the URL's path, and reads the response's head. Returns its
 * status, or -1 with why. Closed by qr_exchange_close() in either case. */
int qr_exchange_open(struct qr_exchange *exchange, const struct qr_url *url, const char *target);

/* The next of the content, until the next call. Returns 1; 0: it is whole; -1 with why. */
int qr_exchange_read(struct qr_exchange *exchange, struct qr_span *content);

void qr_exchange_close(struct qr_exchange *exchange);

/* Sleeps. */
void qr_exchange_pause(int ms);

#endif

/*
 * Where a quitring is, as a user types it: http://HOST[:PORT][/PREFIX], the scheme left out or not.
 * Pure.
 */
#ifndef QR_URL_H
#define QR_URL_H

#include "src/reply.h"

#define QR_URL_HOST_MAX   253 /* bytes of a name (RFC 1035 section 2.3.4) */
#define QR_URL_PREFIX_MAX 512 /* bytes of a path: far more than a proxy's */

struct qr_url {
    char host[QR_URL_HOST_MAX + 1]; /* without an IPv6 address's brackets */
    char port[6];
    bool brackets;
    char prefix[QR_URL_PREFIX_MAX + 1]; /* "/x", without a slash at its end; or "" */
};

/* Returns NULL, or what is wrong with the text. */
const char *qr_url_read(struct qr_url *url, const char *text);

/* HOST[:PORT], as the field Host wants it; and the whole, as it is shown to people. */
void qr_url_authority(const struct qr_url *url, struct qr_out *out);
void qr_url_show(const struct qr_url *url, struct qr_out *out);

/* Text, as a query's value: percent-encoded (RFC 3986 section 2.1). */
void qr_url_encode(struct qr_out *out, const char *text);

#endif

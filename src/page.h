/*
 * The page for people, compressed (gzip, RFC 1952), as src/page.py makes it of src/page.html, and
 * what its head says besides. All of it static.
 */
#ifndef QR_PAGE_H
#define QR_PAGE_H

#include <stddef.h>

struct qr_page {
    const char *gzip;
    size_t gzip_len;    /* 0: this build is without the page (no_page.c) */
    const char *fields; /* of its head: field lines, and the head's last CRLF */
};
extern const struct qr_page qr_page;

/* Field lines of it and of the table in its place, without the last CRLF. Which of the two is sent
 * depends on what the client takes (RFC 9110 section 12.5.5). Neither may load anything from
 * elsewhere, nor be framed. */
#define QR_PAGE_FIELDS                                                                             \
    "Vary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n"                                 \
    "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; "           \
    "frame-ancestors 'none'"

#endif

/*
 * The page for people, compressed (gzip, RFC 1952), as src/page.py makes it of src/page.html, and
 * what its head says besides. All of it static.
 */
#ifndef QR_PAGE_H
#define QR_PAGE_H

#include <stddef.h>

struct qr_page {
    const char *gzip;
    size_t gzip_len;
    const char *fields; /* of its head: field lines, and the head's last CRLF */
};
extern const struct qr_page qr_page;

/* The same of plain HTML that stands in its place. */
extern const char qr_page_plain_fields[];

#endif

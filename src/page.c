#include "page.h"

#include <page_data.h> /* QR_PAGE_GZIP: the page's bytes; QR_PAGE_CSP: which parts it may have */

/* Which of the two is sent depends on what the client takes (RFC 9110 section 12.5.5). Neither may
 * load anything from elsewhere, nor be framed; the page may ask this server. */
#define COMMON_FIELDS                                                                              \
    "Vary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n"                                 \
    "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; "           \
    "frame-ancestors 'none'"

static const unsigned char gzip[] = QR_PAGE_GZIP;

const struct qr_page qr_page = {
    .gzip = (const char *)gzip,
    .gzip_len = sizeof gzip,
    .fields =
        "Content-Encoding: gzip\r\n" COMMON_FIELDS "; connect-src 'self'; " QR_PAGE_CSP "\r\n\r\n",
};

const char qr_page_plain_fields[] = COMMON_FIELDS "\r\n\r\n";

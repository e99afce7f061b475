#include "page.h"

#include <page_data.h> /* QR_PAGE_GZIP: the page's bytes; QR_PAGE_CSP: which parts it may have */

static const unsigned char gzip[] = QR_PAGE_GZIP;

/* It may ask this server. */
const struct qr_page qr_page = {
    .gzip = (const char *)gzip,
    .gzip_len = sizeof gzip,
    .fields =
        "Content-Encoding: gzip\r\n" QR_PAGE_FIELDS "; connect-src 'self'; " QR_PAGE_CSP "\r\n\r\n",
};

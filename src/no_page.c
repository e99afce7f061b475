/* In the place of page.c, in a build without it. */
#include "page.h"

const struct qr_page qr_page = {0};

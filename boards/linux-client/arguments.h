/* What stands behind `quitring status` or `quitring tail` on the command line. */
#ifndef QR_ARGUMENTS_H
#define QR_ARGUMENTS_H

#include "client.h"

/* Reads them up to NULL; they must stay. Ends the program where they ask for help, and with status
 * 2, and why, where they are wrong. */
void qr_arguments_read(struct qr_client *client, char **arguments, bool tail);

#endif

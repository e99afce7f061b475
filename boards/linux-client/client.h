/*
 * `quitring status` and `quitring tail`: the program as a client of a quitring, in a terminal or
 * for a script. All memory is static.
 */
#ifndef QR_CLIENT_H
#define QR_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "document.h"
#include "exchange.h"
#include "facts.h"
#include "url.h"

#define QR_CLIENT_LIMIT     10    /* events, unless --limit says how many */
#define QR_CLIENT_LIMIT_MAX 65535 /* as in ?limit= */

/* Columns of a terminal that are used: IDs are not longer, and a line is bounded. */
#define QR_CLIENT_COLUMNS_MAX 800

/* What was asked for on the command line. */
struct qr_client {
    struct qr_url url;
    bool json;
    bool since_given;
    uint64_t since, limit;
    const char *group_id, *user_id; /* NULL: of all */
    size_t columns; /* the terminal's, at most QR_CLIENT_COLUMNS_MAX; SIZE_MAX: there is none */
};

/* Whether the program was started as one. */
bool qr_client_asked(int argc, char **argv);

/* Returns the exit status: 0, 1 with a line that says what is wrong, 2: called wrongly. */
int qr_client_run(int argc, char **argv);

/* ---- for the commands ---- */

int qr_client_status(const struct qr_client *client);
int qr_client_tail(const struct qr_client *client);

/* To standard output. Ends the program where that cannot be. */
void qr_client_write(const char *bytes, size_t len);

/* A line on standard error, behind the URL. */
void qr_client_say(const struct qr_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The table's heading. */
void qr_client_heading(const struct qr_client *client);

/* A quit, as it is asked for: a row, or its JSON text. now_ms as for qr_lines_quit(). */
void qr_client_quit(const struct qr_client *client, const struct qr_quit *quit, struct qr_span text,
                    uint64_t now_ms);

/* Asks for /status, or /events, with the filters and these parameters; UINT64_MAX leaves one out.
 * Returns 0, or the response's status, or -1; in both cases the exchange says why. */
int qr_client_ask(const struct qr_client *client, struct qr_exchange *exchange,
                  const char *resource, uint64_t limit, uint64_t since);

#endif

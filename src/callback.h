/*
 * OpenIM's request and reply, and nothing of OpenIM anywhere else.
 * Source: OpenIM's webhook documentation and what its releases 3.5 to 3.8 send.
 */
#ifndef QR_CALLBACK_H
#define QR_CALLBACK_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "http.h"
#include "reply.h"
#include "ring.h"

/* The most bytes that qr_callback_reply() writes: a place of QR_CALLBACK_PLACE_MAX bytes, escaped.
 */
#define QR_CALLBACK_PLACE_MAX 128
#define QR_CALLBACK_REPLY_MAX (256 + 6 * QR_CALLBACK_PLACE_MAX)

/* Which of OpenIM's commands a path names; an index for qr_callback_name() where it is one of the
 * commands that are only counted. */
enum {
    QR_CALLBACK_NONE = -3,  /* the path names no command */
    QR_CALLBACK_QUIT = -2,  /* a user has quit a group */
    QR_CALLBACK_OTHER = -1, /* a callback…Command that we do not know */
};

/* What the path's last segment says: one of the above, or 0 to QR_CALLBACK_NAMES - 1. The path is
 * as it was sent; OpenIM percent-encodes nothing in it. */
int qr_callback_command(const char *path, size_t path_len);

/* The commands of OpenIM that are answered and not stored, by index; static. */
#define QR_CALLBACK_NAMES 52
extern const char *const qr_callback_names[QR_CALLBACK_NAMES];

/* Where a quit's IDs are decoded to; quit's pointers point in here and into the request. */
struct qr_callback_quit {
    struct qr_quit quit;
    char group_id[QR_ID_MAX + 1];
    char user_id[QR_ID_MAX + 1];
};

/* Reads a QR_CALLBACK_QUIT request's content. Returns 0, or a negative enum qr_err with *fault. */
int qr_callback_read(const struct qr_request *request, struct qr_callback_quit *quit,
                     struct qr_fault *fault);

/* The five fields. fault NULL: handled, {"actionCode":0,"errCode":0,"errMsg":"","errDlt":"",
 * "nextCode":0}; else actionCode 1, errCode -fault->err, errMsg what, errDlt where. */
void qr_callback_reply(struct qr_out *out, const struct qr_fault *fault);

#endif

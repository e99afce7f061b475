/*
 * A status document's parts, as they come.
 */
#ifndef QR_PARTS_H
#define QR_PARTS_H

#include "client.h"

struct qr_parts {
    struct qr_exchange exchange;

    /* below: parts.c's own */
    struct qr_document document;
    struct qr_span piece;
    bool copy;
};

/* Asks for the document. copy: all of it goes to standard output. Returns as qr_client_ask(). */
int qr_parts_open(struct qr_parts *parts, const struct qr_client *client, uint64_t limit,
                  uint64_t since, bool copy);

/* The next part, until the next call: never MORE. BAD: the exchange says why. */
enum qr_document_got qr_parts_next(struct qr_parts *parts, struct qr_span *text);

/* Something is wrong with what a part says. Returns BAD. */
enum qr_document_got qr_parts_refuse(struct qr_parts *parts);

void qr_parts_close(struct qr_parts *parts);

#endif

#include "parts.h"

#include <stdio.h>

int qr_parts_open(struct qr_parts *parts, const struct qr_client *client, uint64_t limit,
                  uint64_t since, bool copy)
{
    qr_document_begin(&parts->document);
    parts->piece.len = 0;
    parts->copy = copy;
    int status = qr_client_ask(client, &parts->exchange, "/status", limit, since);
    if (status == 0 && !parts->exchange.response.json) {
        (void)qr_parts_refuse(parts);
        return -1;
    }
    return status;
}

enum qr_document_got qr_parts_refuse(struct qr_parts *parts)
{
    (void)snprintf(parts->exchange.why, sizeof parts->exchange.why,
                   "it answers, but not as a quitring");
    return QR_DOCUMENT_BAD;
}

enum qr_document_got qr_parts_next(struct qr_parts *parts, struct qr_span *text)
{
    enum qr_document_got got = QR_DOCUMENT_MORE;

    while (got == QR_DOCUMENT_MORE) {
        if (parts->piece.len == 0) {
            int result = qr_exchange_read(&parts->exchange, &parts->piece);
            if (result < 0) {
                return QR_DOCUMENT_BAD;
            }
            if (result == 0) {
                return qr_parts_refuse(parts);
            }
            if (parts->copy) {
                qr_client_write(parts->piece.at, parts->piece.len);
            }
        }
        got = qr_document_take(&parts->document, &parts->piece);
    }
    *text = (struct qr_span){parts->document.part, parts->document.len};
    return got == QR_DOCUMENT_BAD ? qr_parts_refuse(parts) : got;
}

void qr_parts_close(struct qr_parts *parts)
{
    qr_exchange_close(&parts->exchange);
}

/*
 * What a status document and its events say, read from the JSON texts of document.h and stream.h.
 * Pure; there is one text at a time (src/json.h).
 */
#ifndef QR_FACTS_H
#define QR_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/json.h"
#include "src/span.h"

#define QR_FACTS_TEXT_MAX 63 /* bytes of a version, a board's name, a bootId, a time */

struct qr_facts {
    char version[QR_FACTS_TEXT_MAX + 1];
    char board[QR_FACTS_TEXT_MAX + 1];
    char boot_id[QR_FACTS_TEXT_MAX + 1];
    char time[QR_FACTS_TEXT_MAX + 1]; /* RFC 3339; "": it has no clock */
    uint64_t uptime_ms, next;
    bool reset;
    uint64_t capacity_bytes, used_bytes, stored, first_seq, last_seq, overwritten;
};

/* A quit. The IDs lie in the struct. */
struct qr_quit {
    uint64_t seq, uptime_ms;
    char time[QR_FACTS_TEXT_MAX + 1]; /* RFC 3339; "": not known */
    struct qr_span group_id, user_id, operation_id;
    char ids[3][QR_ID_MAX];
};

/* Whether the text is what it should be. Facts: of a quitring. */
bool qr_facts_read(struct qr_facts *facts, struct qr_span text);
bool qr_quit_read(struct qr_quit *quit, struct qr_span text);

/* Of the text that was read last: the member called name of the object. Text is terminated. */
bool qr_facts_number(struct qr_span text, qr_json_ref object, const char *name, uint64_t *number);
bool qr_facts_text(qr_json_ref object, const char *name, char *out, size_t cap);

/* Of a text that has one such member: "missed" behind the events, and of the stream; and of the
 * stream's beginning. */
bool qr_facts_missed(struct qr_span text, uint64_t *missed);
bool qr_facts_start(struct qr_span text, char boot_id[QR_FACTS_TEXT_MAX + 1]);

/* What an error says, "errMsg (errDlt)", as far as it fits; false where the text is no such. */
bool qr_facts_error(struct qr_span text, char *message, size_t message_cap, char *place,
                    size_t place_cap);

#endif

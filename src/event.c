#include "event.h"

#include "span.h"

enum step { NUMBERS, GROUP_ID, USER_ID, OPERATION_ID, DONE };

uint64_t qr_event_time(const struct qr_event *event, const struct qr_now *now)
{
    uint64_t age_ms = now->uptime_ms - event->stored_at.uptime_ms;

    if (event->stored_at.unix_ms != 0) {
        return event->stored_at.unix_ms;
    }
    return now->unix_ms > age_ms ? now->unix_ms - age_ms : 0;
}

static void write_numbers(const struct qr_event *event, const struct qr_now *now,
                          struct qr_out *out)
{
    qr_out_text(out, "{\"seq\":");
    qr_out_u64(out, event->seq);
    qr_out_text(out, ",\"time\":");
    qr_out_time(out, qr_event_time(event, now));
    qr_out_text(out, ",\"uptimeMs\":");
    qr_out_u64(out, event->stored_at.uptime_ms);
}

/* Returns whether the string is whole. */
static bool write_id(struct qr_event_text *text, struct qr_out *out)
{
    static const struct qr_span opens[] = {
#define OPEN(bytes) {(bytes), sizeof(bytes) - 1}
        OPEN(",\"groupID\":\""),
        OPEN(",\"userID\":\""),
        OPEN(",\"operationID\":\""),
#undef OPEN
    };
    const struct qr_event *event = &text->event;
    const struct qr_span ids[] = {
        {event->group_id, event->group_id_len},
        {event->user_id, event->user_id_len},
        {event->operation_id, event->operation_id_len},
    };
    size_t i = text->step - (size_t)GROUP_ID;

    if (text->off == 0) {
        qr_out_bytes(out, opens[i].at, opens[i].len);
    }
    /* Two bytes are kept for what closes it. */
    out->cap -= 2;
    text->off += qr_out_json_part(out, ids[i].at + text->off, ids[i].len - text->off);
    out->cap += 2;
    if (text->off < ids[i].len) {
        return false;
    }
    qr_out_text(out, text->step == OPERATION_ID ? "\"}" : "\"");
    text->off = 0;
    return true;
}

void qr_event_begin(struct qr_event_text *text)
{
    text->step = NUMBERS;
    text->off = 0;
}

bool qr_event_write(struct qr_event_text *text, const struct qr_now *now, struct qr_out *out)
{
    while (text->step != DONE && out->cap - out->len >= QR_EVENT_ROOM) {
        if (text->step == NUMBERS) {
            write_numbers(&text->event, now, out);
        } else if (!write_id(text, out)) {
            break;
        }
        text->step++;
    }
    return text->step == DONE;
}

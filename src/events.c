#include "events.h"

#include <assert.h>

/* What a step needs of room, besides the event itself, which is written in parts. */
#define STEP_MAX 256

/* Milliseconds after which a browser connects anew when the connection was lost. */
#define RETRY "2000"

enum step { START, FIND, EVENT };

_Static_assert(STEP_MAX >= QR_EVENT_ROOM + sizeof "\n\n", "an event's next part, and its end");

void qr_events_begin(struct qr_events *events, const struct qr_ring *ring,
                     const struct qr_query *query, const struct qr_now *now)
{
    bool since = (query->given & QR_PARAM_SINCE) != 0;

    qr_cursor_follow(&events->cursor, ring, query, since ? query->since : ring->last_seq);
    events->told_missed = 0;
    events->said_ms = now->uptime_ms;
    events->step = START;
}

static void write_start(struct qr_events *events, const struct qr_ring *ring, const char *boot_id,
                        struct qr_out *out)
{
    qr_out_text(out, "retry: " RETRY "\nevent: start\ndata: {\"bootId\":");
    qr_out_json(out, boot_id, strlen(boot_id));
    qr_out_text(out, ",\"lastSeq\":");
    qr_out_u64(out, ring->last_seq);
    qr_out_text(out, events->cursor.reset ? ",\"reset\":true}\n\n" : ",\"reset\":false}\n\n");
    events->step = FIND;
}

static void write_missed(struct qr_events *events, struct qr_out *out)
{
    uint64_t missed = events->cursor.missed - events->told_missed;

    if (missed != 0) {
        qr_out_text(out, "event: missed\ndata: {\"missed\":");
        qr_out_u64(out, missed);
        qr_out_text(out, "}\n\n");
        events->told_missed = events->cursor.missed;
    }
}

static void write_event(struct qr_events *events, const struct qr_now *now, struct qr_out *out)
{
    /* Two bytes are kept for what ends it. */
    out->cap -= 2;
    bool whole = qr_event_write(&events->text, now, out);
    out->cap += 2;
    if (whole) {
        qr_out_text(out, "\n\n");
        events->step = FIND;
    }
}

/* Returns what was found. Those that are gone stood before it. */
static enum qr_cursor_found find(struct qr_events *events, const struct qr_ring *ring,
                                 struct qr_out *out)
{
    enum qr_cursor_found found = qr_cursor_next(&events->cursor, ring, &events->text.event);

    write_missed(events, out);
    if (found == QR_CURSOR_EVENT) {
        qr_out_text(out, "id: ");
        qr_out_u64(out, events->text.event.seq);
        qr_out_text(out, "\ndata: ");
        qr_event_begin(&events->text);
        events->step = EVENT;
    }
    return found;
}

/* When to be asked again, where there was nothing to say. */
static uint64_t rest(struct qr_events *events, enum qr_cursor_found found, const struct qr_now *now,
                     struct qr_out *out)
{
    if (found != QR_CURSOR_AGAIN && out->len == 0 &&
        now->uptime_ms - events->said_ms >= QR_HEARTBEAT_MS) {
        qr_out_text(out, ":\n\n");
    }
    if (out->len != 0) {
        events->said_ms = now->uptime_ms;
    }
    return found == QR_CURSOR_AGAIN ? 0 : events->said_ms + QR_HEARTBEAT_MS;
}

size_t qr_events_produce(struct qr_events *events, const struct qr_ring *ring, const char *boot_id,
                         const struct qr_now *now, char *bytes, size_t cap,
                         struct qr_progress *progress)
{
    enum qr_cursor_found found = QR_CURSOR_EVENT;
    struct qr_out out;

    qr_out_init(&out, bytes, cap);
    while (found == QR_CURSOR_EVENT && out.cap - out.len >= STEP_MAX) {
        switch (events->step) {
        case START: write_start(events, ring, boot_id, &out); break;
        case FIND: found = find(events, ring, &out); break;
        default: write_event(events, now, &out); break;
        }
    }
    assert(!out.full);
    progress->again_ms = rest(events, found, now, &out);
    return out.len;
}

#include "status.h"

#include <assert.h>
#include <string.h>

#include "limits.h"

/* A chain of steps. Each is only taken while STEP_MAX bytes of room are left, which is more than it
 * writes, so that it needs no way back. Only an event can be longer: it is written in parts, as far
 * as the room goes. */

#define STEP_MAX 256

enum step { SETTLE, HEAD, RING, COUNTERS, IGNORED, PAGE, FIND, EVENT, END, DONE };

_Static_assert(STEP_MAX >= QR_EVENT_ROOM + 1, "a comma, and an event's next part");

static const struct {
    const char *member; /* with its comma and colon */
    uint16_t len;
    uint16_t offset;
} counters[] = {
#define COUNTER(name)                                                                              \
    {",\"" #name "\":", sizeof ",\"" #name "\":" - 1, offsetof(struct qr_stats, name)},
    QR_STATS(COUNTER)
#undef COUNTER
};

#define N_COUNTERS (sizeof counters / sizeof counters[0])

void qr_status_begin(struct qr_status *status, const struct qr_status_source *source,
                     const struct qr_query *query, const struct qr_now *now)
{
    memset(status, 0, offsetof(struct qr_status, text));
    status->now = *now;
    status->first = true;
    qr_cursor_begin(&status->cursor, source->ring, query);
}

static void text_member(struct qr_out *out, const char *name, const char *value)
{
    qr_out_text(out, name);
    qr_out_json(out, value, strlen(value));
}

static void number_member(struct qr_out *out, const char *name, uint64_t value)
{
    qr_out_text(out, name);
    qr_out_u64(out, value);
}

static void write_head(struct qr_status *status, const struct qr_status_source *source,
                       struct qr_out *out)
{
    text_member(out, "{\"service\":\"quitring\",\"version\":", source->version);
    text_member(out, ",\"board\":", source->board);
    text_member(out, ",\"bootId\":", source->boot_id);
    number_member(out, ",\"uptimeMs\":", status->now.uptime_ms);
    qr_out_text(out, ",\"time\":");
    qr_out_time(out, status->now.unix_ms);
    status->step = RING;
}

static void write_ring(struct qr_status *status, const struct qr_status_source *source,
                       struct qr_out *out)
{
    const struct qr_ring *ring = source->ring;

    number_member(out, ",\"ring\":{\"capacityBytes\":", ring->capacity);
    number_member(out, ",\"usedBytes\":", ring->used);
    number_member(out, ",\"stored\":", qr_ring_stored(ring));
    number_member(out, ",\"firstSeq\":", ring->first_seq);
    number_member(out, ",\"lastSeq\":", ring->last_seq);
    number_member(out, ",\"overwritten\":", qr_ring_overwritten(ring));
    qr_out_text(out, "},\"counters\":{");
    status->step = COUNTERS;
}

static void write_counters(struct qr_status *status, const struct qr_status_source *source,
                           struct qr_out *out)
{
    size_t i = status->index;
    size_t no_comma = i == 0 ? 1 : 0;
    uint32_t value;

    if (i == N_COUNTERS) {
        qr_out_text(out, ",\"ignoredCommands\":{");
        status->index = 0;
        status->first = true;
        status->step = IGNORED;
        return;
    }
    memcpy(&value, (const char *)source->stats + counters[i].offset, sizeof value);
    qr_out_bytes(out, counters[i].member + no_comma, counters[i].len - no_comma);
    qr_out_u64(out, value);
    status->index++;
}

static void write_ignored(struct qr_status *status, const struct qr_status_source *source,
                          struct qr_out *out)
{
    size_t i = status->index;

    while (i < source->ignored_n && source->ignored_counts[i] == 0) {
        i++;
    }
    status->index = (uint16_t)i;
    if (i == source->ignored_n) {
        qr_out_text(out, "}}");
        status->step = PAGE;
        return;
    }
    qr_out_text(out, status->first ? "\"" : ",\"");
    qr_out_text(out, source->ignored_names[i]);
    number_member(out, "\":", source->ignored_counts[i]);
    status->first = false;
    status->index++;
}

static void write_page(struct qr_status *status, struct qr_out *out)
{
    const struct qr_cursor *cursor = &status->cursor;

    number_member(out, ",\"next\":", cursor->last);
    qr_out_text(out, cursor->more ? ",\"more\":true" : ",\"more\":false");
    qr_out_text(out, cursor->reset ? ",\"reset\":true" : ",\"reset\":false");
    qr_out_text(out, ",\"events\":[");
    status->first = true;
    status->step = FIND;
}

static void write_event(struct qr_status *status, struct qr_out *out)
{
    if (qr_event_write(&status->text, &status->now, out)) {
        status->step = FIND;
    }
}

static void write_end(struct qr_status *status, struct qr_out *out)
{
    number_member(out, "],\"missed\":", status->cursor.missed);
    qr_out_text(out, "}\n");
    status->step = DONE;
}

/* Returns whether to go on; if not, others should have their turn. */
static bool find(struct qr_status *status, const struct qr_status_source *source,
                 struct qr_out *out)
{
    switch (qr_cursor_next(&status->cursor, source->ring, &status->text.event)) {
    case QR_CURSOR_EVENT:
        qr_out_text(out, status->first ? "" : ",");
        status->first = false;
        qr_event_begin(&status->text);
        status->step = EVENT;
        return true;
    case QR_CURSOR_END: status->step = END; return true;
    default: return false;
    }
}

static bool settle(struct qr_status *status, const struct qr_status_source *source)
{
    if (!qr_cursor_settle(&status->cursor, source->ring, &status->text.event)) {
        return false;
    }
    status->step = HEAD;
    return true;
}

/* Returns whether to go on. */
static bool take_step(struct qr_status *status, const struct qr_status_source *source,
                      struct qr_out *out)
{
    switch (status->step) {
    case SETTLE: return settle(status, source);
    case HEAD: write_head(status, source, out); break;
    case RING: write_ring(status, source, out); break;
    case COUNTERS: write_counters(status, source, out); break;
    case IGNORED: write_ignored(status, source, out); break;
    case PAGE: write_page(status, out); break;
    case FIND: return find(status, source, out);
    case EVENT: write_event(status, out); break;
    default: write_end(status, out); break;
    }
    return true;
}

size_t qr_status_produce(struct qr_status *status, const struct qr_status_source *source,
                         char *bytes, size_t cap, struct qr_progress *progress)
{
    struct qr_out out;

    qr_out_init(&out, bytes, cap);
    while (status->step != DONE && out.cap - out.len >= STEP_MAX &&
           take_step(status, source, &out)) {
    }
    assert(!out.full);
    progress->done = status->step == DONE;
    progress->again_ms = 0;
    return out.len;
}

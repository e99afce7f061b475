#include "status.h"

#include <assert.h>
#include <string.h>

#include "limits.h"
#include "reply.h"

/* ---- the query ---- */

/* Bytes of text, not terminated. */
struct span {
    const char *at;
    size_t len;
};

/* Takes what stands before the separator off rest; found: whether there was one. */
static struct span split(struct span *rest, char separator, bool *found)
{
    const char *end = memchr(rest->at, separator, rest->len);
    struct span head = {rest->at, end == NULL ? rest->len : (size_t)(end - rest->at)};

    *found = end != NULL;
    rest->at += head.len + *found;
    rest->len -= head.len + *found;
    return head;
}

static bool same(struct span a, const char *text)
{
    return a.len == strlen(text) && memcmp(a.at, text, a.len) == 0;
}

static int param_fault(struct qr_fault *fault, enum qr_err err, struct span name, uint32_t limit)
{
    *fault = (struct qr_fault){
        .err = err, .offset = QR_NO_OFFSET, .limit = limit, .part = name.at, .part_len = name.len};
    return err;
}

/* Decimal digits only. Returns false where there are none, others, or too many for *value. */
static bool read_number(struct span text, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.at[i] - '0';
        if (digit > 9 || *value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *value = *value * 10 + digit;
    }
    return text.len != 0;
}

static int read_param(struct qr_status_query *query, struct span name, struct span text,
                      size_t offset, bool *limit_given, struct qr_fault *fault)
{
    bool is_since = same(name, "since");
    bool *given = is_since ? &query->since_given : limit_given;
    uint64_t value;

    if (name.len == 0) { /* nothing to quote: the place must do */
        return qr_fault_at(fault, QR_ERR_PARAM_UNKNOWN, "query", (uint32_t)offset);
    }
    if (!is_since && !same(name, "limit")) {
        return param_fault(fault, QR_ERR_PARAM_UNKNOWN, name, 0);
    }
    if (*given) {
        return param_fault(fault, QR_ERR_PARAM_REPEATED, name, 0);
    }
    *given = true;
    if (!read_number(text, &value)) {
        return param_fault(fault, QR_ERR_PARAM_VALUE, name, 0);
    }
    if (is_since) {
        query->since = value;
        return QR_OK;
    }
    if (value < 1 || value > QR_STATUS_LIMIT_MAX) {
        return param_fault(fault, QR_ERR_PARAM_VALUE, name, QR_STATUS_LIMIT_MAX);
    }
    query->limit = (uint32_t)value;
    return QR_OK;
}

int qr_status_read_query(struct qr_status_query *query, const char *text, size_t len,
                         struct qr_fault *fault)
{
    struct span rest = {text, len};
    bool limit_given = false;
    bool more = len != 0;
    int result = QR_OK;

    *query = (struct qr_status_query){.limit = QR_STATUS_LIMIT_DEFAULT};
    while (result == QR_OK && more) {
        struct span value = split(&rest, '&', &more);
        bool has_value;
        struct span name = split(&value, '=', &has_value);
        result = read_param(query, name, value, (size_t)(name.at - text), &limit_given, fault);
    }
    return result;
}

/* ---- the document ----
 *
 * A chain of steps. Each is only taken while STEP_MAX bytes of room are left, which is more than it
 * writes, so that it needs no way back. Only an event's strings can be longer: those are written in
 * parts, as far as the room goes. */

#define STEP_MAX 256

enum step {
    HEAD,
    RING,
    COUNTERS,
    IGNORED,
    PAGE,
    EVENT,
    GROUP_ID,
    USER_ID,
    OPERATION_ID,
    END,
    DONE
};

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
                     const struct qr_status_query *query, const struct qr_now *now)
{
    const struct qr_ring *ring = source->ring;
    uint64_t since = query->since;
    uint64_t stored = qr_ring_stored(ring);

    memset(status, 0, offsetof(struct qr_status, event));
    status->now = *now;
    status->first = true;
    if (!query->since_given) {
        since = ring->last_seq - (stored < query->limit ? stored : query->limit);
    } else if (since > ring->last_seq) {
        status->reset = true;
        since = 0;
    }
    status->pos = qr_ring_find(ring, since + 1);
    status->missed = status->pos.seq - (since + 1);
    status->last = ring->last_seq;
    if (status->last - (status->pos.seq - 1) > query->limit) {
        status->last = status->pos.seq - 1 + query->limit;
        status->more = true;
    }
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
    number_member(out, ",\"next\":", status->last);
    qr_out_text(out, status->more ? ",\"more\":true" : ",\"more\":false");
    qr_out_text(out, status->reset ? ",\"reset\":true" : ",\"reset\":false");
    qr_out_text(out, ",\"events\":[");
    status->first = true;
    status->step = EVENT;
}

/* The time of an event that was stored before the device had a clock follows from its clock now. */
static uint64_t event_time(const struct qr_status *status)
{
    const struct qr_now *stored_at = &status->event.stored_at;
    uint64_t age_ms = status->now.uptime_ms - stored_at->uptime_ms;

    if (stored_at->unix_ms != 0) {
        return stored_at->unix_ms;
    }
    return status->now.unix_ms > age_ms ? status->now.unix_ms - age_ms : 0;
}

/* Leaves pos at the next event that is to be given, and counts those that were overwritten before
 * their turn. */
static void skip_overwritten(struct qr_status *status, const struct qr_ring *ring)
{
    uint64_t seq = ring->first_seq;

    if (status->pos.seq >= seq || status->pos.seq > status->last) {
        return;
    }
    if (seq > status->last + 1) {
        seq = status->last + 1;
    }
    status->missed += seq - status->pos.seq;
    status->pos = qr_ring_find(ring, seq);
}

static void write_event(struct qr_status *status, const struct qr_status_source *source,
                        struct qr_out *out)
{
    skip_overwritten(status, source->ring);
    if (status->pos.seq > status->last) {
        status->step = END;
        return;
    }
    (void)qr_ring_next(source->ring, &status->pos, &status->event);
    number_member(out, status->first ? "{\"seq\":" : ",{\"seq\":", status->event.seq);
    qr_out_text(out, ",\"time\":");
    qr_out_time(out, event_time(status));
    number_member(out, ",\"uptimeMs\":", status->event.stored_at.uptime_ms);
    status->first = false;
    status->step = GROUP_ID;
}

static void write_id(struct qr_status *status, struct qr_out *out)
{
    static const struct span opens[] = {
#define OPEN(text) {(text), sizeof(text) - 1}
        OPEN(",\"groupID\":\""),
        OPEN(",\"userID\":\""),
        OPEN(",\"operationID\":\""),
#undef OPEN
    };
    const struct qr_event *event = &status->event;
    const struct span ids[] = {
        {event->group_id, event->group_id_len},
        {event->user_id, event->user_id_len},
        {event->operation_id, event->operation_id_len},
    };
    size_t i = status->step - (size_t)GROUP_ID;

    if (status->text_off == 0) {
        qr_out_bytes(out, opens[i].at, opens[i].len);
    }
    /* Two bytes are kept for what closes it. */
    out->cap -= 2;
    status->text_off +=
        qr_out_json_part(out, ids[i].at + status->text_off, ids[i].len - status->text_off);
    out->cap += 2;
    if (status->text_off < ids[i].len) {
        return;
    }
    status->text_off = 0;
    if (status->step == OPERATION_ID) {
        qr_out_text(out, "\"}");
        status->step = EVENT;
    } else {
        qr_out_text(out, "\"");
        status->step++;
    }
}

static void write_end(struct qr_status *status, struct qr_out *out)
{
    number_member(out, "],\"missed\":", status->missed);
    qr_out_text(out, "}\n");
    status->step = DONE;
}

static void write_step(struct qr_status *status, const struct qr_status_source *source,
                       struct qr_out *out)
{
    switch (status->step) {
    case HEAD: write_head(status, source, out); break;
    case RING: write_ring(status, source, out); break;
    case COUNTERS: write_counters(status, source, out); break;
    case IGNORED: write_ignored(status, source, out); break;
    case PAGE: write_page(status, out); break;
    case EVENT: write_event(status, source, out); break;
    case GROUP_ID:
    case USER_ID:
    case OPERATION_ID: write_id(status, out); break;
    default: write_end(status, out); break;
    }
}

size_t qr_status_produce(struct qr_status *status, const struct qr_status_source *source,
                         char *bytes, size_t cap, bool *done)
{
    struct qr_out out;

    qr_out_init(&out, bytes, cap);
    while (status->step != DONE && out.cap - out.len >= STEP_MAX) {
        write_step(status, source, &out);
    }
    assert(!out.full);
    *done = status->step == DONE;
    return out.len;
}

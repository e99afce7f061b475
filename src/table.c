#include "table.h"

#include <assert.h>

#include "event.h"
#include "page.h"
#include "span.h"

/* What a step needs of room, besides IDs, which are written in parts. */
#define STEP_MAX 384

enum step { SETTLE, HEAD, FACTS, FIND, GROUP_ID, USER_ID, OPERATION_ID, END, DONE };

const char qr_table_fields[] = QR_PAGE_FIELDS "\r\n\r\n";

void qr_table_begin(struct qr_table *table, const struct qr_status_source *source,
                    const struct qr_query *query, const struct qr_now *now)
{
    table->now = *now;
    table->step = SETTLE;
    table->off = 0;
    qr_cursor_begin(&table->cursor, source->ring, query);
}

static void write_head(struct qr_table *table, struct qr_out *out)
{
    qr_out_text(out, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width\">\n"
                     "<meta http-equiv=\"refresh\" content=\"10\">\n"
                     "<title>quitring</title>\n<h1>quitring</h1>\n");
    table->step = FACTS;
}

/* Minutes are enough for people. */
static void write_facts(struct qr_table *table, const struct qr_status_source *source,
                        struct qr_out *out)
{
    qr_out_text(out, "<p>");
    qr_out_text(out, source->board);
    qr_out_text(out, ", version ");
    qr_out_text(out, source->version);
    qr_out_text(out, ", up for ");
    qr_out_u64(out, table->now.uptime_ms / 60000);
    qr_out_text(out, " minutes; quits stored: ");
    qr_out_u64(out, source->ring->last_seq);
    qr_out_text(out, ", still here: ");
    qr_out_u64(out, qr_ring_stored(source->ring));
    qr_out_text(out, ". The newest stand last.\n<table border=\"1\">\n"
                     "<tr><th>Seq<th>Time<th>Group<th>User<th>Operation\n");
    table->step = FIND;
}

/* An event's first cells. */
static void write_numbers(const struct qr_table *table, struct qr_out *out)
{
    uint64_t unix_ms = qr_event_time(&table->event, &table->now);

    qr_out_text(out, "<tr><td>");
    qr_out_u64(out, table->event.seq);
    qr_out_text(out, "<td>");
    if (unix_ms != 0) {
        qr_out_timestamp(out, unix_ms);
    } else {
        qr_out_u64(out, table->event.stored_at.uptime_ms / 1000);
        qr_out_text(out, " s after start");
    }
    qr_out_text(out, "<td>");
}

static bool find(struct qr_table *table, const struct qr_status_source *source, struct qr_out *out)
{
    switch (qr_cursor_next(&table->cursor, source->ring, &table->event)) {
    case QR_CURSOR_EVENT:
        write_numbers(table, out);
        table->step = GROUP_ID;
        return true;
    case QR_CURSOR_END: table->step = END; return true;
    default: return false;
    }
}

/* A cell's text, and what ends it. */
static void write_id(struct qr_table *table, struct qr_out *out)
{
    static const char cell[] = "<td>";
    const struct qr_event *event = &table->event;
    const struct qr_span ids[] = {
        {event->group_id, event->group_id_len},
        {event->user_id, event->user_id_len},
        {event->operation_id, event->operation_id_len},
    };
    struct qr_span id = ids[table->step - GROUP_ID];

    out->cap -= sizeof cell;
    table->off += qr_out_html_part(out, id.at + table->off, id.len - table->off);
    out->cap += sizeof cell;
    if (table->off < id.len) {
        return;
    }
    table->off = 0;
    qr_out_text(out, table->step == OPERATION_ID ? "\n" : cell);
    table->step = table->step == OPERATION_ID ? FIND : table->step + 1;
}

static bool settle(struct qr_table *table, const struct qr_status_source *source)
{
    if (!qr_cursor_settle(&table->cursor, source->ring, &table->event)) {
        return false;
    }
    table->step = HEAD;
    return true;
}

/* Returns whether to go on; if not, others should have their turn. */
static bool take_step(struct qr_table *table, const struct qr_status_source *source,
                      struct qr_out *out)
{
    switch (table->step) {
    case SETTLE: return settle(table, source);
    case HEAD: write_head(table, out); break;
    case FACTS: write_facts(table, source, out); break;
    case FIND: return find(table, source, out);
    case END:
        qr_out_text(out, "</table>\n");
        table->step = DONE;
        break;
    default: write_id(table, out); break;
    }
    return true;
}

size_t qr_table_produce(struct qr_table *table, const struct qr_status_source *source, char *bytes,
                        size_t cap, struct qr_progress *progress)
{
    struct qr_out out;

    qr_out_init(&out, bytes, cap);
    while (table->step != DONE && out.cap - out.len >= STEP_MAX && take_step(table, source, &out)) {
    }
    assert(!out.full);
    progress->done = table->step == DONE;
    return out.len;
}

/* `quitring status`: what a quitring says of itself, and the newest events. */
#include "client.h"

#include "lines.h"
#include "parts.h"

#define LABEL_COLUMNS 12
#define NAME_MAX      48 /* bytes of a counter's name */

static struct qr_parts parts;
static struct qr_facts facts;
static char bytes[16384]; /* all facts */
static struct qr_out out;

/* Counters of what people should know when it is not 0. */
static const char *const troubles[] = {
    "badRequests",      "targetTooLong",    "headTooLarge",       "contentTooLarge",
    "chunkExtTooLarge", "jsonTooDeep",      "jsonTooManyTokens",  "idTooLong",
    "operationIDsCut",  "timeouts",         "connectionsDropped", "connectionsFull",
    "desksFull",        "connectionsReset", "waitsRefused",       "networkNoMemory",
};
#define TROUBLES_N (sizeof troubles / sizeof troubles[0])

static void out_shown(const char *text)
{
    (void)qr_lines_text(&out, (struct qr_span){text, strlen(text)}, SIZE_MAX);
}

static void label(const char *name)
{
    qr_out_text(&out, name);
    for (size_t len = strlen(name); len < LABEL_COLUMNS; len++) {
        qr_out_bytes(&out, " ", 1);
    }
}

static void number(const char *before, uint64_t value, const char *behind)
{
    qr_out_text(&out, before);
    qr_out_u64(&out, value);
    qr_out_text(&out, behind);
}

static uint64_t counter(struct qr_span text, const char *name)
{
    uint64_t value;

    return qr_facts_number(text, qr_json_member(0, "counters"), name, &value) ? value : 0;
}

static void write_device(const struct qr_client *client)
{
    label("quitring");
    qr_url_show(&client->url, &out);
    qr_out_text(&out, " (");
    out_shown(facts.board);
    qr_out_text(&out, ", version ");
    out_shown(facts.version);
    qr_out_text(&out, ")\n");
    label("up");
    qr_lines_duration(&out, facts.uptime_ms);
    qr_out_text(&out, ", boot ID ");
    out_shown(facts.boot_id);
    qr_out_text(&out, "\n");
    label("clock");
    if (facts.time[0] == '\0') {
        qr_out_text(&out, "not set");
    } else {
        qr_lines_time(&out, facts.time);
    }
    qr_out_text(&out, "\n");
}

static void write_ring(void)
{
    label("ring");
    number("", facts.stored, facts.stored == 1 ? " event" : " events");
    if (facts.stored != 0) {
        number(", ", facts.first_seq, "");
        number(" to ", facts.last_seq, "");
    }
    number("; ", facts.used_bytes, "");
    number(" of ", facts.capacity_bytes, " bytes");
    number("; ", facts.overwritten, " overwritten\n");
}

static void write_counters(struct qr_span text)
{
    bool any = false;

    label("callbacks");
    number("", counter(text, "stored"), " stored");
    number(", ", counter(text, "refused"), " refused");
    number(", ", counter(text, "ignored"), " ignored\n");
    label("connections");
    number("", counter(text, "connectionsOpen"), " open");
    number(" (", counter(text, "connectionsOpenMost"), " at most)");
    number(", ", counter(text, "connectionsWaiting"), " waiting for events\n");
    for (size_t i = 0; i < TROUBLES_N; i++) {
        uint64_t value = counter(text, troubles[i]);
        if (value != 0) {
            label(any ? "" : "trouble");
            qr_out_text(&out, troubles[i]);
            number(" ", value, "\n");
            any = true;
        }
    }
}

static bool show_facts(const struct qr_client *client, struct qr_span text)
{
    if (!qr_facts_read(&facts, text)) {
        return false;
    }
    if (client->json) {
        return true;
    }
    qr_out_init(&out, bytes, sizeof bytes);
    write_device(client);
    write_ring();
    write_counters(text);
    bool rows = client->limit > 0 && facts.stored > 0;
    qr_out_text(&out, rows ? "\n" : "");
    qr_client_write(out.bytes, out.len);
    if (rows) {
        qr_client_heading(client);
    }
    return true;
}

static bool show_quit(const struct qr_client *client, struct qr_span text)
{
    struct qr_quit quit;

    if (!qr_quit_read(&quit, text)) {
        return false;
    }
    if (!client->json && client->limit > 0) {
        qr_client_quit(client, &quit, text, facts.uptime_ms);
    }
    return true;
}

static enum qr_document_got show_part(const struct qr_client *client)
{
    struct qr_span text;
    uint64_t missed;
    bool good = true;

    enum qr_document_got got = qr_parts_next(&parts, &text);
    switch (got) {
    case QR_DOCUMENT_FACTS: good = show_facts(client, text); break;
    case QR_DOCUMENT_EVENT: good = show_quit(client, text); break;
    case QR_DOCUMENT_END: good = qr_facts_missed(text, &missed); break;
    default: break;
    }
    return good ? got : qr_parts_refuse(&parts);
}

/* Its end may come in a piece of its own: a line feed. */
static void copy_rest(void)
{
    struct qr_span piece;

    while (parts.copy && qr_exchange_read(&parts.exchange, &piece) == 1) {
        qr_client_write(piece.at, piece.len);
    }
}

int qr_client_status(const struct qr_client *client)
{
    enum qr_document_got got = QR_DOCUMENT_BAD;
    uint64_t limit = client->limit == 0 ? 1 : client->limit; /* the least that is taken */

    if (qr_parts_open(&parts, client, limit, UINT64_MAX, client->json) == 0) {
        do {
            got = show_part(client);
        } while (got == QR_DOCUMENT_FACTS || got == QR_DOCUMENT_EVENT);
    }
    if (got == QR_DOCUMENT_BAD) {
        qr_client_say(client, "%s", parts.exchange.why);
    } else {
        copy_rest();
    }
    qr_parts_close(&parts);
    return got == QR_DOCUMENT_BAD ? 1 : 0;
}

/*
 * `quitring tail`: the newest events, then each as it comes, over restarts of either side.
 *
 *   catch_up: /status since the last event -> follow: /events since the last event -> catch_up ...
 *
 * The status document tells first whether the device is still the same since its start: if it is
 * not, events count from 1 again, and all are new. And it is what there is while all streams are
 * taken: then each round is a poll.
 */
#include "client.h"

#include <inttypes.h>

#include "lines.h"
#include "parts.h"
#include "stream.h"

#define ROUND_MS 2000

enum outcome {
    AGAIN, /* at once: it was restarted, and all is asked for anew */
    WELL,
    FAILED /* the exchange says why */
};

static struct qr_parts parts;
static struct qr_exchange exchange;
static struct qr_stream stream;
static struct qr_facts facts;
static struct qr_quit quit;
static char boot_id[QR_FACTS_TEXT_MAX + 1]; /* "": nothing was heard of it yet */
static uint64_t since;     /* the last event; UINT64_MAX: the newest are asked for */
static bool lost, polling; /* it was said */

static void tell_missed(const struct qr_client *client, uint64_t missed)
{
    if (missed != 0) {
        qr_client_say(client, "%" PRIu64 " quits were overwritten before they could be shown",
                      missed);
    }
}

/* Whether it is the device, and the start of it, that the events so far came from. */
static bool is_same(const struct qr_client *client, const char *id)
{
    bool same = boot_id[0] == '\0' || strcmp(boot_id, id) == 0;

    memcpy(boot_id, id, sizeof boot_id);
    if (!same) {
        qr_client_say(client, "it was restarted, and counts from 1 again");
        since = 0;
    }
    return same;
}

static bool show(const struct qr_client *client, struct qr_span text, uint64_t now_ms)
{
    if (!qr_quit_read(&quit, text)) {
        return false;
    }
    since = quit.seq;
    qr_client_quit(client, &quit, text, now_ms);
    return true;
}

/* ---- the status document ---- */

static enum outcome refuse_part(void)
{
    (void)qr_parts_refuse(&parts);
    return FAILED;
}

static enum outcome take_facts(const struct qr_client *client, struct qr_span text)
{
    if (!qr_facts_read(&facts, text)) {
        return refuse_part();
    }
    bool first = boot_id[0] == '\0';
    if (!is_same(client, facts.boot_id) && !facts.reset) {
        return AGAIN;
    }
    if (first && client->columns != SIZE_MAX && !client->json) {
        qr_client_heading(client);
    }
    return WELL;
}

static enum outcome take_end(const struct qr_client *client, struct qr_span text)
{
    uint64_t missed;

    if (!qr_facts_missed(text, &missed)) {
        return refuse_part();
    }
    tell_missed(client, missed);
    since = facts.next;
    return WELL;
}

/* All parts, one after the other. */
static enum outcome take_parts(const struct qr_client *client)
{
    struct qr_span text;
    bool shown = client->limit > 0 || since != UINT64_MAX;

    for (;;) {
        enum outcome outcome = WELL;
        switch (qr_parts_next(&parts, &text)) {
        case QR_DOCUMENT_FACTS: outcome = take_facts(client, text); break;
        case QR_DOCUMENT_EVENT:
            outcome = !shown || show(client, text, facts.uptime_ms) ? WELL : refuse_part();
            break;
        case QR_DOCUMENT_END: return take_end(client, text);
        default: return FAILED;
        }
        if (outcome != WELL) {
            return outcome;
        }
    }
}

static enum outcome catch_up(const struct qr_client *client)
{
    uint64_t limit = client->limit == 0 ? 1 : client->limit;
    enum outcome outcome = FAILED;

    if (qr_parts_open(&parts, client, since == UINT64_MAX ? limit : UINT64_MAX, since, false) ==
        0) {
        outcome = take_parts(client);
    }
    qr_parts_close(&parts);
    return outcome;
}

/* ---- the stream ---- */

/* Returns WELL, to go on. */
static enum outcome take_message(const struct qr_client *client)
{
    struct qr_span text = {stream.bytes, stream.data_len};
    char id[QR_FACTS_TEXT_MAX + 1];
    uint64_t missed;

    if (strcmp(stream.event, "start") == 0 && qr_facts_start(text, id)) {
        return is_same(client, id) ? WELL : AGAIN;
    }
    if (strcmp(stream.event, "missed") == 0 && qr_facts_missed(text, &missed)) {
        tell_missed(client, missed);
        return WELL;
    }
    if (stream.event[0] == '\0' && show(client, text, 0)) {
        return WELL;
    }
    return FAILED;
}

static enum outcome take_piece(const struct qr_client *client, struct qr_span piece)
{
    enum outcome outcome = WELL;

    for (size_t i = 0; i < piece.len && outcome == WELL; i++) {
        enum qr_stream_got got = qr_stream_take(&stream, piece.at[i]);
        if (got == QR_STREAM_MESSAGE) {
            outcome = take_message(client);
        } else if (got == QR_STREAM_TOO_LONG) {
            outcome = FAILED;
        }
    }
    if (outcome == FAILED) {
        memcpy(exchange.why, "its stream is not a quitring's",
               sizeof "its stream is not a quitring's");
    }
    return outcome;
}

static enum outcome read_stream(const struct qr_client *client)
{
    enum outcome outcome = WELL;
    struct qr_span piece;

    qr_stream_begin(&stream);
    if (lost || polling) {
        qr_client_say(client, "following again");
        lost = polling = false;
    }
    while (outcome == WELL) {
        int result = qr_exchange_read(&exchange, &piece);
        if (result < 0) {
            return FAILED;
        }
        if (result == 0) {
            memcpy(exchange.why, "it has stopped", sizeof "it has stopped");
            return FAILED;
        }
        outcome = take_piece(client, piece);
    }
    return outcome;
}

static enum outcome follow(const struct qr_client *client)
{
    enum outcome outcome = FAILED;

    int status = qr_client_ask(client, &exchange, "/events", UINT64_MAX, since);
    if (status == 0) {
        outcome = read_stream(client);
    } else if (status == 503) {
        if (!polling) {
            qr_client_say(client, "as many follow it as may; asking every %d s", ROUND_MS / 1000);
        }
        polling = true;
        lost = false;
        outcome = WELL;
    }
    qr_exchange_close(&exchange);
    return outcome;
}

/* ---- rounds ---- */

int qr_client_tail(const struct qr_client *client)
{
    since = client->since_given ? client->since : UINT64_MAX;
    for (;;) {
        const char *why = parts.exchange.why;
        enum outcome outcome = catch_up(client);
        if (outcome == WELL) {
            why = exchange.why;
            outcome = follow(client);
        }
        if (outcome == FAILED && boot_id[0] == '\0') {
            qr_client_say(client, "%s", why);
            return 1;
        }
        if (outcome == FAILED && !lost) {
            qr_client_say(client, "%s; trying again every %d s", why, ROUND_MS / 1000);
            lost = true;
        }
        if (outcome != AGAIN) {
            qr_exchange_pause(ROUND_MS);
        }
    }
}

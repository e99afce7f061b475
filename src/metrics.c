#include "metrics.h"

#include <assert.h>

/* What a line takes at most, with the two about its metric before it. */
#define STEP_MAX 400

/* The parts of the document; each has lines, counted from 0. */
enum part { FACTS, COUNTERS, IGNORED, REFUSED, LATENCY, GAUGES, DONE };

/* ---- lines ---- */

/* A metric whose name ends in _total is a counter. */
static bool is_counter(const char *name)
{
    static const char total[] = "_total";
    size_t len = strlen(name);

    return len > sizeof total - 1 && strcmp(name + len - (sizeof total - 1), total) == 0;
}

/* What stands once before all lines of a metric. */
static void begin_metric(struct qr_metrics *metrics, struct qr_out *out, const char *name,
                         const char *type, const char *help)
{
    if (metrics->name != NULL && strcmp(metrics->name, name) == 0) {
        return;
    }
    metrics->name = name;
    qr_out_text(out, "# HELP quitring_");
    qr_out_text(out, name);
    qr_out_text(out, " ");
    qr_out_text(out, help);
    qr_out_text(out, "\n# TYPE quitring_");
    qr_out_text(out, name);
    qr_out_text(out, type);
}

static void put_sample(struct qr_out *out, const char *name, const char *label, const char *value,
                       uint64_t number)
{
    qr_out_text(out, "quitring_");
    qr_out_text(out, name);
    if (label != NULL) {
        qr_out_text(out, "{");
        qr_out_text(out, label);
        qr_out_text(out, "=\"");
        qr_out_text(out, value);
        qr_out_text(out, "\"}");
    }
    qr_out_text(out, " ");
    qr_out_u64(out, number);
    qr_out_text(out, "\n");
}

static void put_line(struct qr_metrics *metrics, struct qr_out *out, const struct qr_gauge *line)
{
    begin_metric(metrics, out, line->name, is_counter(line->name) ? " counter\n" : " gauge\n",
                 line->help);
    put_sample(out, line->name, line->label, line->value, line->number);
}

/* Milliseconds in seconds: 1.234 */
static void put_seconds(struct qr_out *out, uint64_t ms)
{
    unsigned rest = (unsigned)(ms % 1000);

    qr_out_u64(out, ms / 1000);
    qr_out_text(out, ".");
    qr_out_u64(out, rest / 100);
    qr_out_u64(out, rest / 10 % 10);
    qr_out_u64(out, rest % 10);
}

/* ---- the parts; each returns whether it has a line of that number ---- */

static void put_build(struct qr_metrics *metrics, const struct qr_status_source *status,
                      struct qr_out *out)
{
    begin_metric(metrics, out, "build_info", " gauge\n", "1; which program on which board.");
    qr_out_text(out, "quitring_build_info{version=");
    qr_out_json(out, status->version, strlen(status->version));
    qr_out_text(out, ",board=");
    qr_out_json(out, status->board, strlen(status->board));
    qr_out_text(out, "} 1\n");
}

static bool put_fact(struct qr_metrics *metrics, const struct qr_metrics_source *source,
                     struct qr_out *out)
{
    const struct qr_ring *ring = source->status->ring;
    const struct qr_gauge facts[] = {
        {"clock_set", "1 where the wall clock is known.", NULL, NULL, metrics->now.unix_ms != 0},
        {"ring_capacity_bytes", "Bytes of the ring.", NULL, NULL, ring->capacity},
        {"ring_used_bytes", "Bytes of the ring that events take.", NULL, NULL, ring->used},
        {"ring_events", "Events in the ring.", NULL, NULL, qr_ring_stored(ring)},
        {"events_stored_total", "Events stored, and so the newest seq.", NULL, NULL,
         ring->last_seq},
        {"events_overwritten_total", "Events that newer ones have overwritten.", NULL, NULL,
         qr_ring_overwritten(ring)},
    };
    const unsigned before = 2;
    unsigned i = metrics->index;

    if (i == 0) {
        put_build(metrics, source->status, out);
    } else if (i == 1) {
        begin_metric(metrics, out, "uptime_seconds", " gauge\n", "Time since start.");
        qr_out_text(out, "quitring_uptime_seconds ");
        put_seconds(out, metrics->now.uptime_ms);
        qr_out_text(out, "\n");
    } else if (i - before < sizeof facts / sizeof *facts) {
        put_line(metrics, out, &facts[i - before]);
    } else {
        return false;
    }
    return true;
}

/* One that begins a metric has a help text. */
static const struct {
    uint16_t offset; /* in struct qr_stats */
    const char *name, *label, *value, *help;
} counters[] = {
#define AT(member) offsetof(struct qr_stats, member)
    {AT(requests), "requests_total", NULL, NULL, "Whole requests."},
    {AT(stored), "callbacks_total", "outcome", "stored", "Callbacks, by what became of them."},
    {AT(refused), "callbacks_total", "outcome", "refused", ""},
    {AT(ignored), "callbacks_total", "outcome", "ignored", ""},
    {AT(polls), "polls_total", NULL, NULL, "Status documents and event streams."},
    {AT(badRequests), "bad_requests_total", NULL, NULL,
     "Requests answered with 4xx or 5xx that were no callbacks."},
    {AT(targetTooLong), "limits_exceeded_total", "limit", "target",
     "What went over a limit, by which."},
    {AT(headTooLarge), "limits_exceeded_total", "limit", "head", ""},
    {AT(contentTooLarge), "limits_exceeded_total", "limit", "content", ""},
    {AT(chunkExtTooLarge), "limits_exceeded_total", "limit", "chunk_extensions", ""},
    {AT(jsonTooDeep), "limits_exceeded_total", "limit", "json_depth", ""},
    {AT(jsonTooManyTokens), "limits_exceeded_total", "limit", "json_tokens", ""},
    {AT(idTooLong), "limits_exceeded_total", "limit", "id", ""},
    {AT(operationIDsCut), "limits_exceeded_total", "limit", "operation_id", ""},
    {AT(waitsRefused), "limits_exceeded_total", "limit", "waiters", ""},
    {AT(connectionsFull), "limits_exceeded_total", "limit", "connections", ""},
    {AT(desksFull), "limits_exceeded_total", "limit", "desks", ""},
    {AT(timeouts), "timeouts_total", NULL, NULL,
     "Heads, contents and replies over their deadline."},
    {AT(connectionsAccepted), "connections_accepted_total", NULL, NULL, "Connections accepted."},
    {AT(connectionsReset), "connections_lost_total", "reason", "reset",
     "Connections that ended early, by why."},
    {AT(connectionsIdleClosed), "connections_lost_total", "reason", "idle", ""},
    {AT(connectionsDropped), "connections_lost_total", "reason", "evicted", ""},
    {AT(connectionsOpen), "connections_open", NULL, NULL, "Connections open now."},
    {AT(connectionsOpenMost), "connections_open_max", NULL, NULL, "The most that were open."},
    {AT(connectionsWaiting), "connections_waiting", NULL, NULL,
     "Long polls and event streams among them."},
    {AT(networkNoMemory), "network_no_memory_total", NULL, NULL,
     "Times that the network was out of memory."},
#undef AT
};

static bool put_counter(struct qr_metrics *metrics, const struct qr_metrics_source *source,
                        struct qr_out *out)
{
    size_t i = metrics->index;
    uint32_t number;

    if (i == sizeof counters / sizeof *counters) {
        return false;
    }
    memcpy(&number, (const char *)source->status->stats + counters[i].offset, sizeof number);
    put_line(metrics, out,
             &(struct qr_gauge){counters[i].name, counters[i].help, counters[i].label,
                                counters[i].value, number});
    return true;
}

/* Of 52 commands few ever come: those that did. */
static bool put_ignored(struct qr_metrics *metrics, const struct qr_metrics_source *source,
                        struct qr_out *out)
{
    const struct qr_status_source *status = source->status;
    size_t i = metrics->index;

    if (i == status->ignored_n) {
        return false;
    }
    if (status->ignored_counts[i] != 0) {
        put_line(metrics, out,
                 &(struct qr_gauge){"ignored_callbacks_total",
                                    "Callbacks of other commands, by command.", "command",
                                    status->ignored_names[i], status->ignored_counts[i]});
    }
    return true;
}

static bool put_refused(struct qr_metrics *metrics, const struct qr_metrics_source *source,
                        struct qr_out *out)
{
    enum qr_err err = qr_err_at(metrics->index);

    if (err == QR_OK) {
        return false;
    }
    begin_metric(metrics, out, "refusals_total", " counter\n",
                 "Requests refused, by the reply's errCode and status.");
    qr_out_text(out, "quitring_refusals_total{code=\"");
    qr_out_u64(out, (uint64_t)-err);
    qr_out_text(out, "\",status=\"");
    qr_out_u64(out, qr_err_status(err));
    qr_out_text(out, "\"} ");
    qr_out_u64(out, source->status->stats->refusals[metrics->index]);
    qr_out_text(out, "\n");
    return true;
}

static void put_bucket(struct qr_out *out, unsigned i, uint64_t count)
{
    qr_out_text(out, "quitring_reply_latency_seconds_bucket{le=\"");
    if (i < QR_LATENCY_BOUNDS) {
        put_seconds(out, qr_latency_bounds_ms[i]);
    } else {
        qr_out_text(out, "+Inf");
    }
    qr_out_text(out, "\"} ");
    qr_out_u64(out, count);
    qr_out_text(out, "\n");
}

static bool put_latency(struct qr_metrics *metrics, const struct qr_metrics_source *source,
                        struct qr_out *out)
{
    const struct qr_stats *stats = source->status->stats;
    unsigned i = metrics->index;

    begin_metric(metrics, out, "reply_latency_seconds", " histogram\n",
                 "Callbacks, by the time from their last byte to their reply's.");
    if (i <= QR_LATENCY_BOUNDS) {
        metrics->latency_sum += stats->latency[i];
        put_bucket(out, i, metrics->latency_sum);
        return true;
    }
    qr_out_text(out, "quitring_reply_latency_seconds_sum ");
    put_seconds(out, stats->latency_sum_ms);
    qr_out_text(out, "\nquitring_reply_latency_seconds_count ");
    qr_out_u64(out, metrics->latency_sum);
    qr_out_text(out, "\n");
    return false;
}

static bool put_gauge(struct qr_metrics *metrics, const struct qr_metrics_source *source,
                      struct qr_out *out)
{
    struct qr_gauge gauge;

    if (source->gauge == NULL || !source->gauge(metrics->index, &gauge)) {
        return false;
    }
    put_line(metrics, out, &gauge);
    return true;
}

/* ---- the document ---- */

static bool take_step(struct qr_metrics *metrics, const struct qr_metrics_source *source,
                      struct qr_out *out)
{
    switch (metrics->part) {
    case FACTS: return put_fact(metrics, source, out);
    case COUNTERS: return put_counter(metrics, source, out);
    case IGNORED: return put_ignored(metrics, source, out);
    case REFUSED: return put_refused(metrics, source, out);
    case LATENCY: return put_latency(metrics, source, out);
    default: return put_gauge(metrics, source, out);
    }
}

size_t qr_metrics_produce(struct qr_metrics *metrics, const struct qr_metrics_source *source,
                          char *bytes, size_t cap, struct qr_progress *progress)
{
    struct qr_out out;

    qr_out_init(&out, bytes, cap);
    while (metrics->part != DONE && out.cap - out.len >= STEP_MAX) {
        if (take_step(metrics, source, &out)) {
            metrics->index++;
        } else {
            metrics->part++;
            metrics->index = 0;
        }
    }
    assert(!out.full);
    progress->done = metrics->part == DONE;
    return out.len;
}

#include "api.h"

#include <assert.h>
#include <string.h>

#include "events.h"
#include "page.h"
#include "table.h"

static const char json_type[] = "application/json";
static const char html_type[] = "text/html; charset=utf-8";

/* A long poll that waits: for what the cursor finds, until then. */
struct wait {
    uint64_t until_ms;
    struct qr_cursor cursor;
    struct qr_event event;
};

/* What stands in a connection's work memory while its reply is made. */
union work {
    struct wait wait;
    struct qr_status status;
    struct qr_events events;
    struct qr_table table;
    struct qr_metrics metrics;
    struct qr_rates_text rates;
};
_Static_assert(sizeof(union work) <= QR_WORK_SIZE && QR_CALLBACK_REPLY_MAX <= QR_WORK_SIZE,
               "the largest fits into a connection's work memory");

/* Bytes of a line for the log. */
#define NOTE_MAX 200

static void note(const struct qr_api *api, const char *what, const struct qr_fault *fault,
                 uint64_t seq)
{
    char line[NOTE_MAX];
    struct qr_out out;

    if (api->note == NULL) {
        return;
    }
    qr_out_init(&out, line, sizeof line - 1);
    qr_out_text(&out, what);
    if (fault != NULL) {
        qr_out_text(&out, ": ");
        qr_out_text(&out, qr_err_text(fault->err));
        qr_out_text(&out, "; ");
        qr_out_fault_place(&out, fault);
    } else if (seq != 0) {
        qr_out_text(&out, ", seq ");
        qr_out_u64(&out, seq);
    }
    line[out.len] = '\0';
    api->note(line);
}

/* ---- answers ---- */

static void reply_callback(struct qr_api *api, const struct qr_fault *fault, void *work,
                           struct qr_response *response)
{
    struct qr_out out;

    qr_out_init(&out, work, QR_WORK_SIZE);
    qr_callback_reply(&out, fault);
    assert(!out.full);
    if (fault != NULL) {
        api->stats->refusals[qr_err_index(fault->err)]++;
    }
    response->status = fault == NULL ? 200 : qr_err_status(fault->err);
    response->content_type = json_type;
    response->content_len = out.len;
}

/* Limits have counters of their own, so that an operator sees which one to look at. */
static void count_limit(struct qr_stats *stats, enum qr_err err)
{
    switch (err) {
    case QR_ERR_TARGET_TOO_LONG: stats->targetTooLong++; break;
    case QR_ERR_HEAD_TOO_LARGE: stats->headTooLarge++; break;
    case QR_ERR_CONTENT_TOO_LARGE: stats->contentTooLarge++; break;
    case QR_ERR_CHUNK_EXT_TOO_LARGE: stats->chunkExtTooLarge++; break;
    case QR_ERR_JSON_DEPTH: stats->jsonTooDeep++; break;
    case QR_ERR_JSON_TOKENS: stats->jsonTooManyTokens++; break;
    case QR_ERR_ID_TOO_LONG: stats->idTooLong++; break;
    default: break;
    }
}

static void refuse_bad(struct qr_api *api, const struct qr_fault *fault, void *work,
                       struct qr_response *response)
{
    api->stats->badRequests++;
    count_limit(api->stats, fault->err);
    note(api, "refused", fault, 0);
    reply_callback(api, fault, work, response);
}

static void refuse_path(struct qr_api *api, enum qr_err err, const struct qr_request *request,
                        const char *allow, void *work, struct qr_response *response)
{
    struct qr_fault fault = {
        .err = err, .offset = QR_NO_OFFSET, .part = request->path, .part_len = request->path_len};

    refuse_bad(api, &fault, work, response);
    response->allow = allow;
}

/* ---- a callback ---- */

static void store(struct qr_api *api, const struct qr_request *request, const struct qr_now *now,
                  void *work, struct qr_response *response)
{
    struct qr_callback_quit quit;
    struct qr_fault fault;

    if (qr_callback_read(request, &quit, &fault) < 0) {
        api->stats->refused++;
        count_limit(api->stats, fault.err);
        note(api, "callback refused", &fault, 0);
        reply_callback(api, &fault, work, response);
        return;
    }
    api->stats->operationIDsCut += request->operation_id_cut;
    note(api, "callback stored", NULL, qr_ring_put(api->ring, &quit.quit, now));
    api->stats->stored++;
    qr_rates_count(&api->rates, now);
    reply_callback(api, NULL, work, response);
}

static void serve_callback(struct qr_api *api, int command, const struct qr_request *request,
                           const struct qr_now *now, void *work, struct qr_response *response)
{
    if (request->method != QR_METHOD_POST) {
        refuse_path(api, QR_ERR_METHOD_NOT_ALLOWED, request, "POST", work, response);
        return;
    }
    api->stats->callbacks++;
    response->callback = true;
    if (command == QR_CALLBACK_QUIT) {
        store(api, request, now, work, response);
        return;
    }
    api->stats->ignored++;
    if (command >= 0) {
        api->ignored_counts[command]++;
    }
    note(api, "callback of another command ignored", NULL, 0);
    reply_callback(api, NULL, work, response);
}

/* ---- a poll ---- */

/* Reads the request's query. Returns whether it was good; else the reply says what is wrong. */
static bool read_query(struct qr_api *api, struct qr_query *query, unsigned allowed,
                       const struct qr_request *request, void *work, struct qr_response *response)
{
    struct qr_fault fault;

    if (qr_query_read(query, allowed, request->query, request->query_len, &fault) < 0) {
        refuse_bad(api, &fault, work, response);
        return false;
    }
    return true;
}

/* Once for each request, however often it is asked. */
static void count_poll(struct qr_api *api, const struct qr_response *response, const char *what)
{
    if (!response->again) {
        api->stats->polls++;
        note(api, what, NULL, 0);
    }
}

/* RFC 9110 section 13.1.2: whether the client has what there is. Among many tags, ours is found by
 * its quotes. */
static bool is_unchanged(const struct qr_api *api, const struct qr_request *request)
{
    char tag[QR_REPLY_ETAG_MAX];
    struct qr_out out;
    struct qr_span value = request->if_none_match;

    qr_out_init(&out, tag, sizeof tag);
    qr_out_etag(&out, api->status.boot_id, api->ring->last_seq);
    if (qr_span_is(value, "*")) {
        return true;
    }
    /* Without the W/ that tells it is weak: here that makes no difference (section 8.8.3.2). */
    return qr_span_holds(value, (struct qr_span){tag + 2, out.len - 2});
}

/* Whether there is nothing to tell yet. Where others wait already, or who asked for reset has lost
 * its place, the reply comes at once. */
static bool must_wait(struct qr_api *api, const struct qr_query *query, const struct qr_now *now,
                      struct wait *wait, struct qr_response *response)
{
    const struct qr_ring *ring = api->ring;
    bool since = (query->given & QR_PARAM_SINCE) != 0;

    if (query->wait_s == 0) {
        return false;
    }
    if (!response->may_wait) {
        api->stats->waitsRefused += !response->again;
        return false;
    }
    if (!response->again) {
        wait->until_ms = now->uptime_ms + 1000u * (uint64_t)query->wait_s;
        qr_cursor_follow(&wait->cursor, ring, query, since ? query->since : ring->last_seq);
    }
    if (wait->cursor.reset || now->uptime_ms >= wait->until_ms) {
        return false;
    }
    enum qr_cursor_found found = qr_cursor_next(&wait->cursor, ring, &wait->event);
    response->again_ms = found == QR_CURSOR_AGAIN ? 0 : wait->until_ms;
    return found != QR_CURSOR_EVENT && wait->cursor.missed == 0;
}

static size_t produce_status(void *ctx, void *work, const struct qr_now *now, char *out, size_t cap,
                             struct qr_progress *progress)
{
    const struct qr_api *api = ctx;

    (void)now;
    return qr_status_produce(work, &api->status, out, cap, progress);
}

static void serve_status(struct qr_api *api, const struct qr_request *request,
                         const struct qr_now *now, void *work, struct qr_response *response)
{
    struct qr_query query;

    if (!read_query(api, &query, QR_STATUS_PARAMS, request, work, response)) {
        return;
    }
    count_poll(api, response, "poll");
    response->waits = must_wait(api, &query, now, work, response);
    if (response->waits) {
        return;
    }
    response->etag = api->status.boot_id;
    response->etag_seq = api->ring->last_seq;
    response->no_cache = true;
    if (is_unchanged(api, request)) {
        response->status = 304;
        return;
    }
    qr_status_begin(work, &api->status, &query, now);
    response->status = 200;
    response->content_type = json_type;
    response->produce = produce_status;
}

/* ---- an event stream ---- */

static size_t produce_events(void *ctx, void *work, const struct qr_now *now, char *out, size_t cap,
                             struct qr_progress *progress)
{
    const struct qr_api *api = ctx;

    return qr_events_produce(work, api->ring, api->status.boot_id, now, out, cap, progress);
}

/* Where a browser was when its connection was lost counts more than where its page began. */
static bool read_last_event_id(struct qr_api *api, struct qr_query *query,
                               const struct qr_request *request, void *work,
                               struct qr_response *response)
{
    static const char name[] = "Last-Event-ID";
    struct qr_fault fault;

    if (request->last_event_id.len == 0) {
        return true;
    }
    query->given |= QR_PARAM_SINCE;
    if (!qr_query_number(request->last_event_id, &query->since)) {
        (void)qr_fault_at(&fault, QR_ERR_PARAM_VALUE, name, QR_NO_OFFSET);
        refuse_bad(api, &fault, work, response);
        return false;
    }
    return true;
}

static void serve_events(struct qr_api *api, const struct qr_request *request,
                         const struct qr_now *now, void *work, struct qr_response *response)
{
    struct qr_query query;
    struct qr_fault fault;

    if (!read_query(api, &query, QR_EVENTS_PARAMS, request, work, response) ||
        !read_last_event_id(api, &query, request, work, response)) {
        return;
    }
    if (!response->may_wait) {
        api->stats->waitsRefused++;
        (void)qr_fault_limit(&fault, QR_ERR_WAITERS, "connections", QR_WAITERS_MAX);
        refuse_bad(api, &fault, work, response);
        return;
    }
    count_poll(api, response, "event stream");
    qr_events_begin(work, api->ring, &query, now);
    response->status = 200;
    response->content_type = "text/event-stream";
    response->no_cache = true;
    response->produce = produce_events;
    response->stream = true;
}

/* ---- other documents ---- */

static size_t produce_metrics(void *ctx, void *work, const struct qr_now *now, char *out,
                              size_t cap, struct qr_progress *progress)
{
    const struct qr_api *api = ctx;

    (void)now;
    return qr_metrics_produce(work, &api->metrics, out, cap, progress);
}

static void serve_metrics(struct qr_api *api, const struct qr_request *request,
                          const struct qr_now *now, void *work, struct qr_response *response)
{
    struct qr_metrics *metrics = work;

    (void)request;
    note(api, "scrape", NULL, 0);
    *metrics = (struct qr_metrics){.now = *now};
    response->status = 200;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    response->no_cache = true;
    response->produce = produce_metrics;
}

static size_t produce_rates(void *ctx, void *work, const struct qr_now *now, char *out, size_t cap,
                            struct qr_progress *progress)
{
    struct qr_api *api = ctx;

    (void)now;
    return qr_rates_produce(work, &api->rates, api->status.boot_id, out, cap, progress);
}

static void serve_rates(struct qr_api *api, const struct qr_request *request,
                        const struct qr_now *now, void *work, struct qr_response *response)
{
    struct qr_rates_text *rates = work;

    (void)request;
    note(api, "rates", NULL, 0);
    *rates = (struct qr_rates_text){.now = *now};
    response->status = 200;
    response->content_type = json_type;
    response->no_cache = true;
    response->produce = produce_rates;
}

static size_t produce_table(void *ctx, void *work, const struct qr_now *now, char *out, size_t cap,
                            struct qr_progress *progress)
{
    const struct qr_api *api = ctx;

    (void)now;
    return qr_table_produce(work, &api->status, out, cap, progress);
}

static void begin_table(struct qr_api *api, const struct qr_query *query, const struct qr_now *now,
                        void *work, struct qr_response *response)
{
    note(api, "table", NULL, 0);
    qr_table_begin(work, &api->status, query, now);
    response->status = 200;
    response->content_type = html_type;
    response->fields = qr_table_fields;
    response->no_cache = true;
    response->produce = produce_table;
}

static void serve_table(struct qr_api *api, const struct qr_request *request,
                        const struct qr_now *now, void *work, struct qr_response *response)
{
    struct qr_query query;

    if (read_query(api, &query, QR_TABLE_PARAMS, request, work, response)) {
        begin_table(api, &query, now, work, response);
    }
}

/* Who takes no compressed page, or where there is none, gets the newest events in a table. A query
 * is the page's own. */
static void serve_page(struct qr_api *api, const struct qr_request *request,
                       const struct qr_now *now, void *work, struct qr_response *response)
{
    static const struct qr_query newest = {.limit = QR_STATUS_LIMIT_DEFAULT};

    if (!request->takes_gzip || qr_page.gzip_len == 0) {
        begin_table(api, &newest, now, work, response);
        return;
    }
    note(api, "page", NULL, 0);
    response->status = 200;
    response->content_type = html_type;
    response->fields = qr_page.fields;
    response->no_cache = true;
    response->content = qr_page.gzip;
    response->content_len = qr_page.gzip_len;
}

static void serve_health(struct qr_api *api, const struct qr_request *request,
                         const struct qr_now *now, void *work, struct qr_response *response)
{
    static const char ok[] = "ok\n";

    (void)request;
    (void)now;
    note(api, "health check", NULL, 0);
    memcpy(work, ok, sizeof ok - 1);
    response->status = 200;
    response->content_type = "text/plain; charset=utf-8";
    response->no_cache = true;
    response->content_len = sizeof ok - 1;
}

/* ---- routes ---- */

static const struct route {
    const char *path;
    void (*serve)(struct qr_api *api, const struct qr_request *request, const struct qr_now *now,
                  void *work, struct qr_response *response);
} routes[] = {
    {"/", serve_page},           {"/events", serve_events}, {"/healthz", serve_health},
    {"/metrics", serve_metrics}, {"/rates", serve_rates},   {"/status", serve_status},
    {"/table", serve_table},
};

static const struct route *find_route(const struct qr_request *request)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (request->path_len == strlen(routes[i].path) &&
            memcmp(request->path, routes[i].path, request->path_len) == 0) {
            return &routes[i];
        }
    }
    return NULL;
}

static void handle(void *ctx, const struct qr_request *request, const struct qr_now *now,
                   void *work, struct qr_response *response)
{
    struct qr_api *api = ctx;
    int command = qr_callback_command(request->path, request->path_len);

    if (command != QR_CALLBACK_NONE) {
        serve_callback(api, command, request, now, work, response);
        return;
    }
    const struct route *route = find_route(request);
    if (request->path[0] == '*') { /* the server as a whole: RFC 9110 section 9.3.7 */
        refuse_path(api, QR_ERR_METHOD_NOT_ALLOWED, request, "GET, HEAD, POST", work, response);
    } else if (route == NULL) {
        refuse_path(api, QR_ERR_NOT_FOUND, request, NULL, work, response);
    } else if (request->method != QR_METHOD_GET && request->method != QR_METHOD_HEAD) {
        refuse_path(api, QR_ERR_METHOD_NOT_ALLOWED, request, "GET, HEAD", work, response);
    } else {
        route->serve(api, request, now, work, response);
    }
}

static void refuse(void *ctx, const struct qr_fault *fault, void *work,
                   struct qr_response *response)
{
    refuse_bad(ctx, fault, work, response);
}

void qr_api_handler(struct qr_api *api, struct qr_handler *handler)
{
    api->status.ignored_names = qr_callback_names;
    api->status.ignored_counts = api->ignored_counts;
    api->status.ignored_n = QR_CALLBACK_NAMES;
    api->metrics.status = &api->status;
    *handler = (struct qr_handler){
        .ctx = api, .handle = handle, .refuse = refuse, .news = &api->ring->last_seq};
}

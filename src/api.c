#include "api.h"

#include <assert.h>
#include <string.h>

static const char json_type[] = "application/json";

_Static_assert(sizeof(struct qr_status) <= QR_WORK_SIZE && QR_CALLBACK_REPLY_MAX <= QR_WORK_SIZE,
               "the largest content fits into a connection's work memory");

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

static void reply_callback(const struct qr_fault *fault, void *work, struct qr_response *response)
{
    struct qr_out out;

    qr_out_init(&out, work, QR_WORK_SIZE);
    qr_callback_reply(&out, fault);
    assert(!out.full);
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
    reply_callback(fault, work, response);
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
        reply_callback(&fault, work, response);
        return;
    }
    api->stats->operationIDsCut += request->operation_id_cut;
    note(api, "callback stored", NULL, qr_ring_put(api->ring, &quit.quit, now));
    api->stats->stored++;
    reply_callback(NULL, work, response);
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
    reply_callback(NULL, work, response);
}

/* ---- a poll ---- */

static size_t produce_status(void *ctx, void *work, char *out, size_t cap, bool *done)
{
    const struct qr_api *api = ctx;

    return qr_status_produce(work, &api->status, out, cap, done);
}

static void serve_status(struct qr_api *api, const struct qr_request *request,
                         const struct qr_now *now, void *work, struct qr_response *response)
{
    struct qr_status_query query;
    struct qr_fault fault;

    if (qr_status_read_query(&query, request->query, request->query_len, &fault) < 0) {
        refuse_bad(api, &fault, work, response);
        return;
    }
    api->stats->polls++;
    note(api, "poll", NULL, 0);
    qr_status_begin(work, &api->status, &query, now);
    response->status = 200;
    response->content_type = json_type;
    response->no_cache = true;
    response->produce = produce_status;
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
    {"/status", serve_status},
    {"/healthz", serve_health},
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
    *handler = (struct qr_handler){.ctx = api, .handle = handle, .refuse = refuse};
}

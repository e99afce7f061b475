#include "conn.h"

#include <assert.h>
#include <string.h>

/* Around a chunk's data: "01f4" CR LF in front; CR LF behind; "0" CR LF CR LF behind the last. */
#define CHUNK_HEAD  6
#define CHUNK_TAIL  2
#define LAST_CHUNK  5
#define CHUNK_FRAME (CHUNK_HEAD + CHUNK_TAIL + LAST_CHUNK)

_Static_assert(QR_TX_SIZE >= QR_REPLY_HEAD_MAX && QR_TX_SIZE >= QR_PIECE_MIN + CHUNK_FRAME,
               "tx holds a head, or a piece of content");
_Static_assert(QR_TX_SIZE <= 0xffff, "a chunk's size has four digits");

/* ---- desks ---- */

void qr_desks_init(struct qr_desks *desks, struct qr_desk *all, size_t n)
{
    desks->free = NULL;
    desks->n_free = n;
    while (n-- > 0) {
        all[n].next = desks->free;
        desks->free = &all[n];
    }
}

static void take_desk(struct qr_conn *conn, const struct qr_now *now)
{
    struct qr_desk *desk = conn->desks->free;

    assert(desk != NULL);
    conn->desks->free = desk->next;
    conn->desks->n_free--;
    conn->desk = desk;
    memset(desk, 0, offsetof(struct qr_desk, http)); /* the buffers' bytes have no meaning */
    desk->since_ms = now->uptime_ms;
    qr_http_init(&desk->http, desk->work.bytes, sizeof desk->work.bytes);
}

static void leave_desk(struct qr_conn *conn)
{
    conn->desk->next = conn->desks->free;
    conn->desks->free = conn->desk;
    conn->desks->n_free++;
    conn->desk = NULL;
}

/* ---- what it is about ---- */

void qr_conn_open(struct qr_conn *conn, const struct qr_handler *handler, struct qr_stats *stats,
                  struct qr_desks *desks, const struct qr_now *now)
{
    *conn = (struct qr_conn){.handler = handler,
                             .stats = stats,
                             .desks = desks,
                             .since_ms = now->uptime_ms,
                             .deadline_ms = now->uptime_ms + QR_HEAD_TIMEOUT_MS};
}

void qr_conn_close(struct qr_conn *conn)
{
    if (conn->desk != NULL) {
        leave_desk(conn);
    }
}

bool qr_conn_idle(const struct qr_conn *conn)
{
    return conn->state == QR_CONN_READING &&
           (conn->desk == NULL || conn->desk->http.phase == QR_HTTP_IDLE);
}

bool qr_conn_goes_on(const struct qr_conn *conn)
{
    return conn->state == QR_CONN_REPLYING && !conn->desk->reply_done;
}

static bool is_stream(const struct qr_conn *conn)
{
    return qr_conn_goes_on(conn) && conn->desk->stream;
}

bool qr_conn_waits(const struct qr_conn *conn)
{
    return conn->state == QR_CONN_WAITING || is_stream(conn);
}

/* A deadline of 0 would be none. */
static uint64_t not_before(uint64_t at_ms, const struct qr_now *now)
{
    uint64_t now_ms = now->uptime_ms != 0 ? now->uptime_ms : 1;

    return at_ms > now_ms ? at_ms : now_ms;
}

/* ---- the reply ---- */

/* Copies what fits. Returns how much that is. */
static size_t put_bytes(struct qr_desk *desk, const char *bytes, size_t len)
{
    size_t room = sizeof desk->tx - desk->tx_len;

    if (len > room) {
        len = room;
    }
    memcpy(desk->tx + desk->tx_len, bytes, len);
    desk->tx_len += len;
    return len;
}

/* Returns whether the head is complete. */
static bool put_fields(struct qr_desk *desk)
{
    if (desk->fields != NULL) {
        desk->fields += put_bytes(desk, desk->fields, strlen(desk->fields));
    }
    return desk->fields == NULL || *desk->fields == '\0';
}

static void put_fixed_piece(struct qr_desk *desk)
{
    size_t len = put_bytes(desk, desk->content, desk->content_left);

    desk->content += len;
    desk->content_left -= len;
    desk->reply_done = desk->content_left == 0;
}

/* RFC 9112 section 7.1; leading zeros are allowed in a chunk-size. */
static void put_chunk_head(char *at, size_t len)
{
    static const char hex[] = "0123456789abcdef";

    at[0] = hex[len >> 12 & 15];
    at[1] = hex[len >> 8 & 15];
    at[2] = hex[len >> 4 & 15];
    at[3] = hex[len & 15];
    at[4] = '\r';
    at[5] = '\n';
}

/* With nothing to say, not even a chunk is written: one of no bytes would be the last. */
static void frame_piece(struct qr_desk *desk, size_t len)
{
    char *at = desk->tx + desk->tx_len;
    struct qr_out out;

    if (desk->framing != QR_FRAMING_CHUNKED) {
        desk->tx_len += len;
        return;
    }
    qr_out_init(&out, desk->tx, sizeof desk->tx);
    out.len = desk->tx_len;
    if (len != 0) {
        put_chunk_head(at, len);
        out.len += CHUNK_HEAD + len;
        qr_out_text(&out, "\r\n");
    }
    qr_out_text(&out, desk->reply_done ? "0\r\n\r\n" : "");
    desk->tx_len = out.len;
}

/* Returns when to ask for the next piece, if this one is of no bytes. */
static uint64_t put_produced_piece(struct qr_conn *conn, const struct qr_now *now)
{
    struct qr_desk *desk = conn->desk;
    bool chunked = desk->framing == QR_FRAMING_CHUNKED;
    char *data = desk->tx + desk->tx_len + (chunked ? CHUNK_HEAD : 0);
    size_t room = sizeof desk->tx - desk->tx_len - (chunked ? CHUNK_FRAME : 0);
    struct qr_progress progress = {.done = desk->stream && !conn->may_wait};
    size_t len = 0;

    if (!progress.done) {
        len = desk->produce(conn->handler->ctx, desk->work.bytes, now, data, room, &progress);
    }
    assert(len <= room);
    desk->reply_done = progress.done;
    frame_piece(desk, len);
    return progress.again_ms;
}

/* Returns when to ask again, if there was nothing to say. */
static uint64_t put_piece(struct qr_conn *conn, const struct qr_now *now)
{
    struct qr_desk *desk = conn->desk;

    if (desk->http.request.method == QR_METHOD_HEAD) { /* RFC 9110 section 9.3.2 */
        desk->reply_done = true;
    } else if (desk->produce == NULL) {
        put_fixed_piece(desk);
    } else if (sizeof desk->tx - desk->tx_len >= QR_PIECE_MIN + CHUNK_FRAME) {
        return put_produced_piece(conn, now);
    }
    return 0;
}

/* RFC 9112 section 9.6: closing with unread bytes would reset the connection and could take the
 * reply with it; so it waits for the client's FIN. */
static void begin_closing(struct qr_conn *conn, const struct qr_now *now)
{
    conn->state = QR_CONN_CLOSING;
    conn->dead = conn->eof;
    conn->deadline_ms = now->uptime_ms + QR_CLOSE_TIMEOUT_MS;
    /* Only our FIN tells the client where this reply ends. */
    conn->finish = conn->finished = conn->desk->framing == QR_FRAMING_CLOSE;
    leave_desk(conn);
}

/* A reply's piece, if there is one, and until when it has to go out; else when to ask again. */
static void go_on(struct qr_conn *conn, const struct qr_now *now)
{
    struct qr_desk *desk = conn->desk;
    uint64_t again_ms;

    if (!put_fields(desk)) {
        return;
    }
    again_ms = put_piece(conn, now);
    if (desk->reply_done && desk->tx_len == 0) { /* without chunks, an end has no bytes */
        begin_closing(conn, now);
        return;
    }
    if (desk->stream) {
        desk->reply_by_ms = now->uptime_ms + QR_REPLY_TIMEOUT_MS;
    }
    conn->deadline_ms = desk->reply_by_ms;
    if (desk->tx_len == 0 && (desk->stream || again_ms < desk->reply_by_ms)) {
        conn->deadline_ms = not_before(again_ms, now);
    }
}

static enum qr_framing choose_framing(const struct qr_response *response, unsigned minor_version)
{
    if (response->status == 304) { /* RFC 9110 section 15.4.5 */
        return QR_FRAMING_NONE;
    }
    if (response->produce == NULL) {
        return QR_FRAMING_LENGTH;
    }
    return minor_version == 0 ? QR_FRAMING_CLOSE : QR_FRAMING_CHUNKED;
}

/* Writes the head, and what fits of the content. */
static void begin_reply(struct qr_conn *conn, const struct qr_response *response,
                        const struct qr_now *now, bool keep_alive)
{
    struct qr_desk *desk = conn->desk;
    const struct qr_request *request = &desk->http.request;
    struct qr_out out;

    desk->framing = choose_framing(response, request->minor_version);
    conn->close_after =
        !keep_alive || conn->announce_close || desk->framing == QR_FRAMING_CLOSE || conn->eof;
    qr_out_init(&out, desk->tx, sizeof desk->tx);
    /* A 100 (Continue) may still wait in tx. */
    out.len = desk->tx_len;
    qr_reply_head(&out, &(struct qr_reply_head){
                            .status = response->status,
                            .content_type = response->content_type,
                            .allow = response->allow,
                            .etag = response->etag,
                            .etag_seq = response->etag_seq,
                            .open = response->fields != NULL,
                            .no_cache = response->no_cache,
                            .framing = desk->framing,
                            .content_length = response->content_len,
                            .close = conn->close_after,
                            .keep_alive = request->minor_version == 0,
                            .unix_ms = now->unix_ms,
                        });
    assert(!out.full);
    desk->tx_len = out.len;
    desk->fields = response->fields;
    desk->content = response->content != NULL ? response->content : desk->work.bytes;
    desk->content_left = response->content_len;
    desk->produce = response->produce;
    desk->stream = response->stream;
    desk->reply_done = false;
    conn->state = QR_CONN_REPLYING;
    conn->since_ms = now->uptime_ms;
    desk->reply_by_ms = now->uptime_ms + QR_REPLY_TIMEOUT_MS;
    conn->deadline_ms = desk->reply_by_ms;
    go_on(conn, now);
}

static void ask(struct qr_conn *conn, const struct qr_now *now, bool again)
{
    struct qr_response response = {.may_wait = conn->may_wait, .again = again};

    conn->handler->handle(conn->handler->ctx, &conn->desk->http.request, now,
                          conn->desk->work.bytes, &response);
    conn->use = response.callback ? QR_CONN_CALLER : QR_CONN_POLLER;
    if (response.waits) {
        conn->state = QR_CONN_WAITING;
        conn->deadline_ms = not_before(response.again_ms, now);
    } else {
        begin_reply(conn, &response, now, conn->desk->http.request.keep_alive);
    }
}

static void answer(struct qr_conn *conn, const struct qr_now *now)
{
    conn->stats->requests++;
    conn->since_ms = now->uptime_ms;
    ask(conn, now, false);
}

/* Where the request ends is not known, so what follows it is dropped. */
static void refuse(struct qr_conn *conn, const struct qr_fault *fault, const struct qr_now *now)
{
    conn->desk->rx_off = conn->desk->rx_len = 0;
    if (conn->use == QR_CONN_FRESH) {
        conn->use = QR_CONN_POLLER;
    }
    struct qr_response response = {0};
    conn->handler->refuse(conn->handler->ctx, fault, conn->desk->work.bytes, &response);
    begin_reply(conn, &response, now, false);
}

/* ---- reading ---- */

/* The head is complete. RFC 9110 section 10.1.1: a client that has begun to send the content does
 * not need it. */
static void put_continue(struct qr_conn *conn)
{
    struct qr_desk *desk = conn->desk;
    struct qr_out out;

    if (!desk->http.request.expect_continue || desk->rx_off != desk->rx_len) {
        return;
    }
    qr_out_init(&out, desk->tx, sizeof desk->tx);
    qr_out_text(&out, "HTTP/1.1 100 Continue\r\n\r\n");
    desk->tx_len = out.len;
}

/* Deadlines run from the first byte of a head, and from the first moment of a content. */
static void set_deadline(struct qr_conn *conn, enum qr_http_phase before, const struct qr_now *now)
{
    enum qr_http_phase after = conn->desk->http.phase;

    if (after == before) {
        return;
    }
    if (before == QR_HTTP_IDLE && conn->use != QR_CONN_FRESH) {
        conn->since_ms = now->uptime_ms;
    }
    if (after == QR_HTTP_CONTENT) {
        conn->deadline_ms = now->uptime_ms + QR_CONTENT_TIMEOUT_MS;
    } else if (after == QR_HTTP_HEAD && conn->use != QR_CONN_FRESH) {
        conn->deadline_ms = now->uptime_ms + QR_HEAD_TIMEOUT_MS;
    }
}

/* Who waits for a request gives its desk back. RFC 9112 section 2.2: an empty line may have come.
 */
static void parsed(struct qr_conn *conn)
{
    struct qr_desk *desk = conn->desk;

    if (desk == NULL || desk->rx_off != desk->rx_len) {
        return;
    }
    if (desk->rx_len != 0) {
        desk->half_line = desk->rx[desk->rx_len - 1] != '\n';
    }
    desk->rx_off = desk->rx_len = 0;
    if (qr_conn_idle(conn) && !desk->half_line) {
        leave_desk(conn);
    }
}

/* Parses what has arrived, until it is used up or a reply is under way. */
static void parse(struct qr_conn *conn, const struct qr_now *now)
{
    struct qr_desk *desk = conn->desk;

    while (conn->state == QR_CONN_READING && desk->rx_off < desk->rx_len) {
        enum qr_http_phase before = desk->http.phase;
        int taken =
            qr_http_parse(&desk->http, desk->rx + desk->rx_off, desk->rx_len - desk->rx_off);
        if (taken < 0) {
            refuse(conn, &desk->http.fault, now);
            return;
        }
        desk->rx_off += (size_t)taken;
        set_deadline(conn, before, now);
        if (desk->http.phase == QR_HTTP_DONE) {
            answer(conn, now);
        } else if (desk->http.phase == QR_HTTP_CONTENT && before != QR_HTTP_CONTENT) {
            put_continue(conn);
        }
    }
    parsed(conn);
}

/* While a reply is under way nothing is read: whoever sends requests without taking the replies
 * fills its own side's buffers, not ours. While one waits, it is how we learn that the client has
 * gone. */
bool qr_conn_reads(const struct qr_conn *conn)
{
    bool replies = conn->state == QR_CONN_REPLYING && !is_stream(conn);
    bool full = conn->state == QR_CONN_WAITING && conn->desk->rx_len == sizeof conn->desk->rx;

    return !replies && !full && !conn->eof && !conn->dead;
}

size_t qr_conn_rx_room(struct qr_conn *conn, char **room, const struct qr_now *now)
{
    struct qr_desk *desk;
    size_t kept;

    if (!qr_conn_reads(conn)) {
        return 0;
    }
    if (conn->state == QR_CONN_CLOSING) {
        *room = conn->desks->dropped;
        return sizeof conn->desks->dropped;
    }
    if (conn->desk == NULL) {
        take_desk(conn, now);
    }
    desk = conn->desk;
    kept = is_stream(conn) ? 0 : desk->rx_len;
    *room = desk->rx + kept;
    return sizeof desk->rx - kept;
}

/* Parsed once more when they are received: this is for times when desks are short. */
size_t qr_conn_try(struct qr_conn *conn, size_t len)
{
    struct qr_http *http = &conn->desk->http;
    size_t at = 0;
    int taken = 0;
    bool whole;

    while (taken >= 0 && at < len && http->phase != QR_HTTP_DONE) {
        taken = qr_http_parse(http, conn->desk->rx + at, len - at);
        at += taken > 0 ? (size_t)taken : 0;
    }
    whole = http->phase == QR_HTTP_DONE && http->request.method == QR_METHOD_POST;
    qr_http_next(http);
    if (!whole) {
        leave_desk(conn);
    }
    return whole ? at : 0;
}

void qr_conn_received(struct qr_conn *conn, size_t len, const struct qr_now *now)
{
    if (conn->state == QR_CONN_CLOSING) {
        return;
    }
    if (is_stream(conn) &&
        len != 0) { /* dropped, and so what came before: requests begin nowhere any more */
        conn->desk->rx_off = conn->desk->rx_len = 0;
        conn->close_after = true;
        return;
    }
    conn->desk->rx_len += len;
    parse(conn, now);
}

void qr_conn_received_fin(struct qr_conn *conn, const struct qr_now *now)
{
    conn->eof = true;
    if (conn->state == QR_CONN_WAITING) { /* it may still read, but hardly for long */
        qr_conn_stop_waiting(conn, now);
    } else {
        conn->dead = conn->state != QR_CONN_REPLYING || is_stream(conn);
    }
}

/* ---- sending ---- */

static void next_request(struct qr_conn *conn, const struct qr_now *now)
{
    conn->state = QR_CONN_READING;
    conn->since_ms = now->uptime_ms;
    /* A callback's caller is never closed for idleness: it would write its next POST into the
     * closing connection, and does not try again. Dead callers go by TCP keep-alive. */
    conn->deadline_ms = conn->use == QR_CONN_CALLER ? 0 : now->uptime_ms + QR_IDLE_TIMEOUT_MS;
    if (conn->desk->rx_off == conn->desk->rx_len) {
        leave_desk(conn);
    } else {
        qr_http_next(&conn->desk->http);
        parse(conn, now);
    }
    conn->dead = conn->eof && conn->state == QR_CONN_READING;
}

/* Callers wait for their reply; others may wait for events, or read slowly. */
static void count_latency(struct qr_conn *conn, const struct qr_now *now)
{
    if (conn->use == QR_CONN_CALLER) {
        qr_stats_latency(conn->stats, now->uptime_ms - conn->since_ms);
    }
}

size_t qr_conn_tx_pending(const struct qr_conn *conn, const char **bytes)
{
    const struct qr_desk *desk = conn->desk;

    if (desk == NULL) {
        return 0;
    }
    *bytes = desk->tx + desk->tx_off;
    return desk->tx_len - desk->tx_off;
}

void qr_conn_sent(struct qr_conn *conn, size_t len, const struct qr_now *now)
{
    struct qr_desk *desk = conn->desk;

    desk->tx_off += len;
    if (desk->tx_off < desk->tx_len) {
        return;
    }
    desk->tx_off = desk->tx_len = 0;
    if (conn->state != QR_CONN_REPLYING) { /* it was a 100 (Continue) */
        return;
    }
    if (!desk->reply_done) {
        go_on(conn, now);
        return;
    }
    count_latency(conn, now);
    if (conn->close_after) {
        begin_closing(conn, now);
    } else {
        next_request(conn, now);
    }
}

/* ---- waiting ---- */

void qr_conn_news(struct qr_conn *conn, const struct qr_now *now)
{
    if (conn->state == QR_CONN_WAITING) {
        ask(conn, now, true);
    } else if (is_stream(conn) && conn->desk->tx_len == 0) {
        go_on(conn, now);
    }
}

void qr_conn_stop_waiting(struct qr_conn *conn, const struct qr_now *now)
{
    conn->may_wait = false;
    qr_conn_news(conn, now);
}

/* ---- deadlines ---- */

static void request_late(struct qr_conn *conn, const struct qr_now *now)
{
    struct qr_fault fault;
    bool head = conn->desk->http.phase == QR_HTTP_HEAD;

    conn->stats->timeouts++;
    (void)qr_fault_limit(&fault, head ? QR_ERR_HEAD_TIMEOUT : QR_ERR_CONTENT_TIMEOUT,
                         head ? "head" : "content",
                         head ? QR_HEAD_TIMEOUT_MS : QR_CONTENT_TIMEOUT_MS);
    refuse(conn, &fault, now);
}

/* Or it is time for the next piece. */
static void reply_late(struct qr_conn *conn, const struct qr_now *now)
{
    if (conn->desk->tx_len == 0 &&
        (conn->desk->stream || now->uptime_ms < conn->desk->reply_by_ms)) {
        go_on(conn, now);
        return;
    }
    conn->stats->timeouts++;
    conn->dead = conn->cut_off = true;
}

static void closing_late(struct qr_conn *conn, const struct qr_now *now)
{
    if (conn->finished) {
        conn->dead = true;
        return;
    }
    conn->finish = conn->finished = true;
    conn->deadline_ms = now->uptime_ms + QR_CLOSE_TIMEOUT_MS;
}

void qr_conn_tick(struct qr_conn *conn, const struct qr_now *now)
{
    if (conn->dead || conn->deadline_ms == 0 || now->uptime_ms < conn->deadline_ms) {
        return;
    }
    if (conn->state == QR_CONN_CLOSING) {
        closing_late(conn, now);
    } else if (conn->state == QR_CONN_WAITING) {
        ask(conn, now, true);
    } else if (conn->state == QR_CONN_REPLYING) {
        reply_late(conn, now);
    } else if (qr_conn_idle(conn)) {
        conn->stats->connectionsIdleClosed++;
        conn->dead = true;
    } else {
        request_late(conn, now);
    }
}

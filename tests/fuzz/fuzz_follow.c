/*
 * src/events: the input is a query, a line, and then how quits are stored, time passes and the
 * stream is taken. Each block must be one that events.h names; every quit behind the query's since
 * that it takes be there in its order, or be missed where it would have stood; and a stream with
 * nothing to say must say so in time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "input.h"
#include "json_text.h"
#include "quits.h"

#define RING_BYTES 12000 /* some hundred small quits: more than are looked at in one turn */
#define STREAM_MAX (4 << 20)
#define PIECE_MIN  512
#define QUERY_MAX  1024

static struct qr_ring ring;
static struct qr_query query;
static struct qr_now now;
static struct qr_events *events; /* in memory that ends where it ends */
static char stream[STREAM_MAX + 1];
static size_t stream_len;
static uint64_t said_ms; /* when a piece had bytes, or the stream began */

/* Returns whether there may be more to say. */
static bool take(size_t cap)
{
    struct qr_progress progress = {false, 0};
    char *piece = malloc(cap);
    size_t len = qr_events_produce(events, &ring, "b1", &now, piece, cap, &progress);

    FUZZ_HOLDS(len <= cap && !progress.done && len <= STREAM_MAX - stream_len);
    memcpy(stream + stream_len, piece, len);
    stream_len += len;
    free(piece);
    if (len == 0 && progress.again_ms != 0) {
        FUZZ_HOLDS(now.uptime_ms - said_ms < QR_HEARTBEAT_MS);
        FUZZ_HOLDS(progress.again_ms == said_ms + QR_HEARTBEAT_MS);
    }
    said_ms = len == 0 ? said_ms : now.uptime_ms;
    return len != 0 || progress.again_ms == 0;
}

static void act(struct fuzz_input *input)
{
    uint8_t what = fuzz_byte(input);

    switch (what % 4) {
    case 0:
    case 1: quits_put(input, &now); break;
    case 2: (void)take(PIECE_MIN + fuzz_number(input, 1000)); break;
    default: now.uptime_ms += fuzz_number(input, 2 * QR_HEARTBEAT_MS); break;
    }
}

/* ---- the stream ---- */

static const char *after(const char *at, const char *text)
{
    FUZZ_HOLDS(strncmp(at, text, strlen(text)) == 0);
    return at + strlen(text);
}

/* The block's last line, a JSON object. Returns what stands behind the block; *object is the text.
 */
static const char *read_data(const char *at, const char **object)
{
    const char *end;

    *object = after(at, "data: ");
    end = strchr(*object, '\n');
    FUZZ_HOLDS(end != NULL && json_text_read(*object, (size_t)(end - *object)) > 0);
    FUZZ_HOLDS(json_tokens[0].kind == '{');
    return after(end, "\n\n");
}

/* Where it is. */
static struct {
    uint64_t seq;    /* of the last one given, or the since */
    uint64_t missed; /* since then */
} told;

/* Those between the last one and seq, which comes next: all that the query takes are missed, and
 * none is missed that was not there. */
static void check_gap(uint64_t seq)
{
    bool filters = (query.given & (QR_PARAM_GROUP_ID | QR_PARAM_USER_ID)) != 0;

    FUZZ_HOLDS(seq > told.seq && told.missed <= seq - 1 - told.seq);
    FUZZ_HOLDS(told.missed >= quits_count(told.seq + 1, seq - 1));
    FUZZ_HOLDS(filters || told.missed == seq - 1 - told.seq);
    told.seq = seq;
    told.missed = 0;
}

static const char *check_event(const char *at)
{
    const char *object;
    char *end;
    uint64_t id = strtoull(after(at, "id: "), &end, 10);

    at = read_data(after(end, "\n"), &object);
    FUZZ_HOLDS(quits_check(object, 0) == id);
    check_gap(id);
    return at;
}

static const char *check_missed(const char *at)
{
    const char *object;
    uint64_t missed;

    at = read_data(after(at, "event: missed\n"), &object);
    missed = quits_number(object, 0, "missed");
    FUZZ_HOLDS(missed != 0);
    told.missed += missed;
    return at;
}

static const char *check_start(uint64_t since, bool reset)
{
    const char *object, *at = after(stream, "retry: 2000\nevent: start\n");

    at = read_data(at, &object);
    FUZZ_HOLDS(quits_number(object, 0, "lastSeq") <= ring.last_seq);
    FUZZ_HOLDS(json_tokens[json_text_member(0, "reset")].kind == (reset ? 't' : 'f'));
    told.seq = reset ? 0 : since;
    told.missed = 0;
    return at;
}

static void check_stream(uint64_t since, bool reset)
{
    const char *at;

    stream[stream_len] = '\0';
    FUZZ_HOLDS(strlen(stream) == stream_len);
    at = check_start(since, reset);
    while (*at != '\0') {
        if (*at == ':') {
            at = after(at, ":\n\n");
        } else {
            at = *at == 'i' ? check_event(at) : check_missed(at);
        }
    }
    check_gap(ring.last_seq + 1);
}

/* ---- all of it ---- */

static void begin(struct fuzz_input *input)
{
    static uint8_t memory[RING_BYTES];
    static uint32_t marks[QR_RING_MARKS(RING_BYTES)];
    static char text[QUERY_MAX];
    const char *line;
    size_t len = fuzz_until(input, '\n', &line);
    struct qr_fault fault;

    len = len < sizeof text ? len : sizeof text;
    memcpy(text, line, len);
    quits_mend(text, len);
    if (qr_query_read(&query, QR_EVENTS_PARAMS, text, len, &fault) < 0) {
        query = (struct qr_query){.limit = QR_STATUS_LIMIT_DEFAULT};
    }
    now = (struct qr_now){.uptime_ms = fuzz_byte(input), .unix_ms = fuzz_byte(input) * 12345678u};
    qr_ring_init(&ring, memory, QR_RING_MIN + fuzz_number(input, RING_BYTES - QR_RING_MIN), marks);
    quits_begin(&ring, &query);
    for (unsigned i = fuzz_byte(input); i > 0 && input->left != 0; i--) {
        quits_put(input, &now);
    }
    events = malloc(sizeof *events);
    qr_events_begin(events, &ring, &query, &now);
    stream_len = 0;
    said_ms = now.uptime_ms;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct fuzz_input input = {bytes, len};
    uint64_t since;
    bool reset;

    begin(&input);
    since = (query.given & QR_PARAM_SINCE) != 0 ? query.since : ring.last_seq;
    reset = since > ring.last_seq;
    while (input.left != 0) {
        act(&input);
    }
    while (take(PIECE_MIN)) {
    }
    check_stream(since, reset);
    free(events);
    return 0;
}

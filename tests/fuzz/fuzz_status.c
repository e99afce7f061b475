/*
 * src/status: the input is a query, a line, and then what is in the ring and how the document is
 * taken. Each document must be JSON with the events that were asked for, the same one in whatever
 * pieces it is made; and still whole, with nothing unsaid, where the ring moves on meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "json_text.h"
#include "status.h"
#include "utf8.h"

#define RING_BYTES   2048
#define DOCUMENT_MAX (1 << 20)
#define PIECE_MIN    512

static struct qr_ring ring;
static struct qr_stats stats;
static uint32_t ignored[2];
static struct qr_now now;
static char document[DOCUMENT_MAX];

static void put(struct fuzz_input *input)
{
    const uint8_t *ids[3];
    struct qr_quit quit = {0};

    quit.group_id_len = (uint8_t)fuzz_bytes(input, QR_ID_MAX, &ids[0]);
    quit.user_id_len = (uint8_t)fuzz_bytes(input, QR_ID_MAX, &ids[1]);
    quit.operation_id_len = (uint8_t)fuzz_bytes(input, QR_OPERATION_ID_MAX, &ids[2]);
    quit.group_id = (const char *)ids[0];
    quit.user_id = (const char *)ids[1];
    quit.operation_id = (const char *)ids[2];
    now.uptime_ms += fuzz_byte(input);
    if (quit.group_id_len != 0 && quit.user_id_len != 0) {
        (void)qr_ring_put(&ring, &quit, &now);
    }
}

/* Writes the document. input NULL: in pieces of one size; else in pieces as it says, and between
 * them, where moving, more is stored. */
static size_t make(const struct qr_status_source *source, const struct qr_status_query *query,
                   struct fuzz_input *input, bool moving)
{
    struct qr_status *status = malloc(sizeof *status);
    size_t len = 0;
    bool done = false;

    qr_status_begin(status, source, query, &now);
    while (!done) {
        size_t cap = PIECE_MIN + (input == NULL ? 1000 : fuzz_number(input, 1000)), made;
        char *piece = malloc(cap);
        made = qr_status_produce(status, source, piece, cap, &done);
        FUZZ_HOLDS(made <= cap && (made != 0 || done) && made <= DOCUMENT_MAX - len);
        memcpy(document + len, piece, made);
        len += made;
        free(piece);
        for (unsigned i = moving ? fuzz_byte(input) % 8 : 0; i > 0; i--) {
            put(input);
        }
    }
    free(status);
    return len;
}

static uint64_t number_at(int token)
{
    char text[24] = "";
    size_t len = json_tokens[token].end - json_tokens[token].at;

    FUZZ_HOLDS(json_tokens[token].kind == '0' && len < sizeof text);
    memcpy(text, document + json_tokens[token].at, len);
    return strtoull(text, NULL, 10);
}

/* U+FFFD stands for each byte that is none of UTF-8. */
static void check_text(int token, const char *bytes, size_t len)
{
    static char decoded[8 * UINT8_MAX];
    int left = json_text_decode(token, decoded);
    const char *at = decoded;

    while (len != 0) {
        size_t char_len = qr_utf8_char(bytes, len);
        const char *expected = char_len == 0 ? "\xef\xbf\xbd" : bytes;
        size_t expected_len = char_len == 0 ? 3 : char_len;
        FUZZ_HOLDS(left >= (int)expected_len && memcmp(at, expected, expected_len) == 0);
        at += expected_len;
        left -= (int)expected_len;
        bytes += char_len == 0 ? 1 : char_len;
        len -= char_len == 0 ? 1 : char_len;
    }
    FUZZ_HOLDS(left == 0);
}

/* An event's object; where the ring stands still, against what the ring says. Returns its seq. */
static uint64_t check_event(int token, bool moving)
{
    uint64_t seq = number_at(json_text_member(token, "seq"));
    struct qr_ring_pos pos = qr_ring_find(&ring, seq);
    struct qr_event event;

    if (!moving) {
        FUZZ_HOLDS(qr_ring_next(&ring, &pos, &event) == 1 && event.seq == seq);
        check_text(json_text_member(token, "groupID"), event.group_id, event.group_id_len);
        check_text(json_text_member(token, "userID"), event.user_id, event.user_id_len);
        check_text(json_text_member(token, "operationID"), event.operation_id,
                   event.operation_id_len);
        FUZZ_HOLDS(number_at(json_text_member(token, "uptimeMs")) == event.stored_at.uptime_ms);
    }
    return seq;
}

static bool is_true(const char *name)
{
    return json_tokens[json_text_member(0, name)].kind == 't';
}

/* last: the newest when the document was begun. */
static void check(size_t len, const struct qr_status_query *query, uint64_t last, bool moving)
{
    int n = json_text_read(document, len);
    int events = n < 0 ? -1 : json_text_member(0, "events");
    uint64_t next, seq = 0, given = 0, missed;

    FUZZ_HOLDS(events > 0 && json_tokens[events].kind == '[');
    next = number_at(json_text_member(0, "next"));
    missed = number_at(json_text_member(0, "missed"));
    for (int i = events + 1; i < n; i++) {
        if (json_tokens[i].parent == events) {
            uint64_t before = seq;
            seq = check_event(i, moving);
            FUZZ_HOLDS(seq > before && seq <= next);
            given++;
        }
    }
    FUZZ_HOLDS(given <= query->limit && next <= last);
    FUZZ_HOLDS(is_true("reset") == (query->since_given && query->since > last));
    FUZZ_HOLDS(is_true("more") == (next != last));
    if (query->since_given) { /* each was given, or is missed, or comes next */
        FUZZ_HOLDS(given + missed == next - (is_true("reset") ? 0 : query->since));
    } else {
        FUZZ_HOLDS(next == last && (moving || missed == 0));
    }
}

static void check_documents(const struct qr_status_source *source,
                            const struct qr_status_query *query, struct fuzz_input *input)
{
    uint64_t last = ring.last_seq;
    size_t len = make(source, query, NULL, false);
    char *first = fuzz_exact(document, len);

    check(len, query, last, false);
    FUZZ_HOLDS(make(source, query, input, false) == len && memcmp(first, document, len) == 0);
    free(first);
    check(make(source, query, input, true), query, last, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const names[] = {"one", "two"};
    static uint8_t memory[RING_BYTES];
    struct qr_status_source source = {&ring, &stats,  "1", "fuzz", "0123456789abcdef",
                                      names, ignored, 2};
    struct fuzz_input input = {bytes, len};
    struct qr_status_query query;
    const char *text;
    size_t text_len = fuzz_until(&input, '\n', &text);
    struct qr_fault fault;

    if (qr_status_read_query(&query, text, text_len, &fault) < 0) {
        query = (struct qr_status_query){.limit = QR_STATUS_LIMIT_DEFAULT};
    }
    ignored[1] = fuzz_byte(&input);
    now = (struct qr_now){.uptime_ms = fuzz_byte(&input), .unix_ms = fuzz_byte(&input) * 12345678u};
    qr_ring_init(&ring, memory, QR_RING_MIN + fuzz_number(&input, RING_BYTES - QR_RING_MIN));
    for (unsigned i = fuzz_byte(&input); i > 0 && input.left != 0; i--) {
        put(&input);
    }
    check_documents(&source, &query, &input);
    return 0;
}

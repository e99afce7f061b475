/*
 * src/status and src/table: the input is a query, a line, and then what is in the ring and how the
 * documents are taken. Each document must have the events that a second reading of the query takes,
 * the same ones in whatever pieces it is made; and still be whole, with nothing unsaid, where the
 * ring moves on meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "json_text.h"
#include "quits.h"
#include "status.h"
#include "table.h"

#define RING_BYTES   12000 /* some hundred small quits: more than are looked at in one turn */
#define DOCUMENT_MAX (1 << 20)
#define PIECE_MIN    512
#define QUERY_MAX    1024

static struct qr_ring ring;
static struct qr_stats stats;
static uint32_t ignored[2];
static const char *const names[] = {"one", "two"};
static const struct qr_status_source source = {&ring, &stats,  "1", "fuzz", "0123456789abcdef",
                                               names, ignored, 2};
static struct qr_query query;
static struct qr_now now;
static char document[DOCUMENT_MAX];

/* ---- making a document ---- */

/* Writes one of these, in memory that ends where it ends. */
static struct {
    struct qr_status *status;
    struct qr_table *table; /* NULL: the status */
} made;

static void begin(bool table)
{
    made.status = table ? NULL : malloc(sizeof *made.status);
    made.table = table ? malloc(sizeof *made.table) : NULL;
    if (table) {
        qr_table_begin(made.table, &source, &query, &now);
    } else {
        qr_status_begin(made.status, &source, &query, &now);
    }
}

static size_t produce(char *piece, size_t cap, bool *done)
{
    struct qr_progress progress = {false, 0};
    size_t len = made.table != NULL
                     ? qr_table_produce(made.table, &source, piece, cap, &progress)
                     : qr_status_produce(made.status, &source, piece, cap, &progress);

    FUZZ_HOLDS(len <= cap && progress.again_ms == 0);
    *done = progress.done;
    return len;
}

/* Writes the document. input NULL: in pieces of one size; else in pieces as it says, and between
 * them, where moving, more is stored. */
static size_t make(bool table, struct fuzz_input *input, bool moving)
{
    size_t len = 0;
    bool done = false;
    /* Each turn without a byte looks at many, up to three times: all, those left out, the rest. */
    unsigned silent = 0, silent_most = 3 * (RING_BYTES / QR_LOOKS_A_TURN / 20 + 2);

    begin(table);
    while (!done) {
        size_t cap = PIECE_MIN + (input == NULL ? 1000 : fuzz_number(input, 1000)), piece_len;
        char *piece = malloc(cap);
        piece_len = produce(piece, cap, &done);
        silent += piece_len == 0 && !done;
        FUZZ_HOLDS(silent <= silent_most && piece_len <= DOCUMENT_MAX - len);
        memcpy(document + len, piece, piece_len);
        len += piece_len;
        free(piece);
        for (unsigned i = moving ? fuzz_byte(input) % 8 : 0; i > 0; i--) {
            now.uptime_ms += fuzz_byte(input);
            quits_put(input, &now);
        }
    }
    free(made.status);
    free(made.table);
    return len;
}

/* ---- what must be in it ---- */

/* As the ring was when the document was begun. */
static struct {
    uint64_t first, last; /* in the ring */
    uint64_t since;       /* all behind it are asked for, if they are there */
    bool reset;
    uint64_t begin, n; /* the first to be given, and how many there are */
    uint64_t next;
    bool more;
} expected;

static void expect_since(void)
{
    expected.reset = query.since > ring.last_seq;
    expected.since = expected.reset ? 0 : query.since;
    expected.begin = expected.since + 1 > ring.first_seq ? expected.since + 1 : ring.first_seq;
    for (uint64_t seq = expected.begin; seq <= expected.last && !expected.more; seq++) {
        if (quits_takes(seq)) {
            expected.more = expected.n == query.limit;
            expected.n += !expected.more;
            expected.next = expected.more ? expected.next : seq;
        }
    }
    if (!expected.more) {
        expected.next = expected.last;
    }
}

static void expect(void)
{
    memset(&expected, 0, sizeof expected);
    expected.first = ring.first_seq;
    expected.last = expected.next = ring.last_seq;
    if ((query.given & QR_PARAM_SINCE) != 0) {
        expect_since();
        return;
    }
    for (expected.begin = ring.last_seq + 1;
         expected.begin > ring.first_seq && expected.n < query.limit; expected.begin--) {
        expected.n += quits_takes(expected.begin - 1);
    }
    expected.since = expected.begin - 1;
}

/* Of one that is given, where the one before it was `before`. Returns it. */
static uint64_t check_order(uint64_t seq, uint64_t before, bool moving)
{
    FUZZ_HOLDS(seq >= expected.begin && seq > before && seq <= expected.last && quits_takes(seq));
    if (!moving) {
        FUZZ_HOLDS(
            quits_count(before + 1 > expected.begin ? before + 1 : expected.begin, seq - 1) == 0);
    }
    return seq;
}

/* ---- the status document ---- */

static bool is_true(const char *name)
{
    return json_tokens[json_text_member(0, name)].kind == 't';
}

/* Each that is asked for was given, or is missed. */
static void check_missed(uint64_t given, uint64_t missed, uint64_t next, bool moving)
{
    if (!moving) {
        FUZZ_HOLDS(given == expected.n);
        FUZZ_HOLDS(missed ==
                   ((query.given & QR_PARAM_SINCE) == 0 || expected.since + 1 >= expected.first
                        ? 0
                        : expected.first - (expected.since + 1)));
        return;
    }
    FUZZ_HOLDS(given + missed <= next - expected.since || (query.given & QR_PARAM_SINCE) == 0);
    if ((query.given & QR_PARAM_SINCE) != 0) {
        FUZZ_HOLDS(given + missed >= quits_count(expected.since + 1, next));
    }
}

static void check_status(size_t len, bool moving)
{
    int n = json_text_read(document, len);
    int events = n < 0 ? -1 : json_text_member(0, "events");
    uint64_t next, seq = 0, given = 0;

    FUZZ_HOLDS(events > 0 && json_tokens[events].kind == '[');
    next = quits_number(document, 0, "next");
    for (int i = events + 1; i < n; i++) {
        if (json_tokens[i].parent == events) {
            seq = check_order(quits_check(document, i), seq, moving);
            FUZZ_HOLDS(seq <= next);
            given++;
        }
    }
    FUZZ_HOLDS(given <= query.limit && is_true("reset") == expected.reset);
    FUZZ_HOLDS(next == expected.next || (moving && next <= expected.last));
    FUZZ_HOLDS(is_true("more") == expected.more || moving);
    FUZZ_HOLDS(is_true("more") || next == expected.last);
    check_missed(given, quits_number(document, 0, "missed"), next, moving);
}

/* ---- the table ---- */

static size_t count_markup(const char *at, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        count += at[i] == '<';
    }
    return count;
}

static char take_char(const char **at)
{
    static const struct {
        const char *text;
        char c;
    } references[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}};

    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        if (strncmp(*at, references[i].text, strlen(references[i].text)) == 0) {
            *at += strlen(references[i].text);
            return references[i].c;
        }
    }
    FUZZ_HOLDS(**at != '&' && **at != '\0' && **at != '"');
    return *(*at)++;
}

/* A cell up to its end, which is the next markup or the end of the line. */
static const char *check_cell(const char *at, const char *id, size_t len)
{
    char text[3 * UINT8_MAX];
    size_t text_len = quits_text(id, len, false, text);

    FUZZ_HOLDS(strncmp(at, "<td>", 4) == 0);
    at += 4;
    for (size_t i = 0; i < text_len; i++) {
        FUZZ_HOLDS(*at != '<' && take_char(&at) == text[i]);
    }
    return at;
}

static const char *check_row(const char *at, uint64_t *seq, bool moving)
{
    static const char begin_row[] = "<tr><td>";
    const struct qr_event *event;
    char *end;

    FUZZ_HOLDS(strncmp(at, begin_row, strlen(begin_row)) == 0);
    *seq = check_order(strtoull(at + strlen(begin_row), &end, 10), *seq, moving);
    event = quits_at(*seq);
    FUZZ_HOLDS(strncmp(end, "<td>", 4) == 0);
    at = strchr(end + 4, '<');
    FUZZ_HOLDS(at != NULL);
    at = check_cell(at, event->group_id, event->group_id_len);
    at = check_cell(at, event->user_id, event->user_id_len);
    at = check_cell(at, event->operation_id, event->operation_id_len);
    FUZZ_HOLDS(*at == '\n');
    return at + 1;
}

static void check_table(size_t len, bool moving)
{
    static const char end[] = "</table>\n", head[] = "<th>Operation\n";
    uint64_t seq = 0, given = 0;
    const char *at;

    document[len] = '\0';
    at = strstr(document, head);
    FUZZ_HOLDS(at != NULL && strlen(document) == len);
    at += strlen(head);
    FUZZ_HOLDS(count_markup(document, (size_t)(at - document)) == 17);
    while (strcmp(at, end) != 0) {
        at = check_row(at, &seq, moving);
        given++;
    }
    FUZZ_HOLDS(given <= query.limit && (moving || given == expected.n));
}

/* ---- all of it ---- */

static void check(bool table, size_t len, bool moving)
{
    if (table) {
        check_table(len, moving);
    } else {
        check_status(len, moving);
    }
}

static void check_documents(bool table, struct fuzz_input *input)
{
    size_t len;
    char *first;

    expect();
    len = make(table, NULL, false);
    first = fuzz_exact(document, len);
    check(table, len, false);
    FUZZ_HOLDS(make(table, input, false) == len && memcmp(first, document, len) == 0);
    free(first);
    check(table, make(table, input, true), true);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t memory[RING_BYTES];
    static uint32_t marks[QR_RING_MARKS(RING_BYTES)];
    static char text[QUERY_MAX];
    struct fuzz_input input = {bytes, len};
    const char *line;
    size_t line_len = fuzz_until(&input, '\n', &line);
    struct qr_fault fault;

    line_len = line_len < sizeof text ? line_len : sizeof text;
    memcpy(text, line, line_len);
    quits_mend(text, line_len);
    if (qr_query_read(&query, QR_STATUS_PARAMS, text, line_len, &fault) < 0) {
        query = (struct qr_query){.limit = QR_STATUS_LIMIT_DEFAULT};
    }
    ignored[1] = fuzz_byte(&input);
    now = (struct qr_now){.uptime_ms = fuzz_byte(&input), .unix_ms = fuzz_byte(&input) * 12345678u};
    qr_ring_init(&ring, memory, QR_RING_MIN + fuzz_number(&input, RING_BYTES - QR_RING_MIN), marks);
    quits_begin(&ring, &query);
    for (unsigned i = fuzz_byte(&input); i > 0 && input.left != 0; i--) {
        now.uptime_ms += fuzz_byte(&input);
        quits_put(&input, &now);
    }
    check_documents(ignored[1] % 2 != 0, &input); /* of one kind, for speed */
    return 0;
}

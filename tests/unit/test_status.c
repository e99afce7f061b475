#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/callback.h"
#include "src/status.h"
#include "src/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- a reader of JSON of our own: strict, into an array of nodes ---- */

struct node {
    char kind;      /* o a s n t f z: object, array, string, number, true, false, null */
    const char *at; /* the value as it is written */
    size_t len;
    const char *key; /* undecoded */
    size_t key_len;
};

static char doc[512 * 1024];
static size_t doc_len;
static struct node nodes[16384]; /* a value's parts stand right behind it */
static size_t node_count;
static const char *cursor;

static void bad_json(const char *why)
{
    fail_msg("byte %d: %s: %.80s", (int)(cursor - doc), why, cursor);
}

static bool next_is(char c)
{
    if (*cursor != c) {
        return false;
    }
    cursor++;
    return true;
}

static void expect(const char *text)
{
    if (strncmp(cursor, text, strlen(text)) != 0) {
        bad_json(text);
    }
    cursor += strlen(text);
}

static void read_string(void)
{
    expect("\"");
    while (*cursor != '"') {
        size_t len = qr_utf8_char(cursor, (size_t)(doc + doc_len - cursor));
        if (len == 0 || (unsigned char)*cursor < 0x20) {
            bad_json("no character of a string");
        }
        if (*cursor != '\\') {
            cursor += len;
        } else if (cursor[1] == 'u') {
            if (strspn(cursor + 2, "0123456789abcdefABCDEF") < 4) {
                bad_json("escape");
            }
            cursor += 6;
        } else if (cursor[1] != '\0' && strchr("\"\\/bfnrt", cursor[1]) != NULL) {
            cursor += 2;
        } else {
            bad_json("escape");
        }
    }
    cursor++;
}

static void read_value(const char *key, size_t key_len);

static void read_member(void)
{
    const char *key = cursor;

    read_string();
    size_t key_len = (size_t)(cursor - key);
    expect(":");
    read_value(key + 1, key_len - 2);
}

static void read_list(char open, char close)
{
    cursor++;
    if (next_is(close)) {
        return;
    }
    do {
        if (open == '{') {
            read_member();
        } else {
            read_value("", 0);
        }
    } while (next_is(','));
    expect((char[2]){close, '\0'});
}

static void read_number(void)
{
    size_t digits = strspn(cursor, "0123456789");

    if (digits == 0 || (digits > 1 && *cursor == '0')) {
        bad_json("no number");
    }
    cursor += digits;
}

static void read_value(const char *key, size_t key_len)
{
    static const struct {
        char first, kind;
        const char *word;
    } words[] = {{'t', 't', "true"}, {'f', 'f', "false"}, {'n', 'z', "null"}};
    struct node *node = &nodes[node_count++];

    assert_true(node_count < COUNT(nodes));
    *node = (struct node){.kind = 'n', .at = cursor, .key = key, .key_len = key_len};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (*cursor == words[i].first) {
            node->kind = words[i].kind;
            expect(words[i].word);
            node->len = strlen(words[i].word);
            return;
        }
    }
    if (*cursor == '{' || *cursor == '[') {
        node->kind = *cursor == '{' ? 'o' : 'a';
        read_list(*cursor, *cursor == '{' ? '}' : ']');
    } else if (*cursor == '"') {
        node->kind = 's';
        read_string();
    } else {
        read_number();
    }
    node->len = (size_t)(cursor - node->at);
}

/* Reads all of doc. */
static void read_doc(void)
{
    assert_true(doc_len < sizeof doc);
    doc[doc_len] = '\0';
    assert_int_equal(strlen(doc), doc_len);
    node_count = 0;
    cursor = doc;
    read_value("", 0);
    cursor += strspn(cursor, " \t\r\n");
    if (cursor != doc + doc_len) {
        bad_json("text behind the value");
    }
}

/* The next part of the value behind that one; the first one for the value itself. NULL: no more. */
static const struct node *next_part(const struct node *of, const struct node *last)
{
    const struct node *part = last + 1;

    while (last != of && part < nodes + node_count && part->at < last->at + last->len) {
        part++;
    }
    return part < nodes + node_count && part->at < of->at + of->len ? part : NULL;
}

static size_t parts_of(const struct node *of)
{
    size_t count = 0;

    for (const struct node *part = next_part(of, of); part != NULL; part = next_part(of, part)) {
        count++;
    }
    return count;
}

static const struct node *find(const struct node *object, const char *key)
{
    const struct node *found = NULL;

    assert_int_equal(object->kind, 'o');
    for (const struct node *part = next_part(object, object); part != NULL;
         part = next_part(object, part)) {
        if (part->key_len == strlen(key) && memcmp(part->key, key, part->key_len) == 0) {
            assert_null(found); /* a name comes once */
            found = part;
        }
    }
    return found;
}

static const struct node *get(const struct node *object, const char *key)
{
    const struct node *found = find(object, key);

    if (found == NULL) {
        fail_msg("no %s", key);
    }
    return found;
}

static uint64_t number_of(const struct node *object, const char *key)
{
    const struct node *node = get(object, key);

    assert_int_equal(node->kind, 'n');
    return strtoull(node->at, NULL, 10);
}

static bool flag_of(const struct node *object, const char *key)
{
    const struct node *node = get(object, key);

    assert_true(node->kind == 't' || node->kind == 'f');
    return node->kind == 't';
}

static unsigned hex4(const char *at)
{
    char digits[5] = {at[0], at[1], at[2], at[3], '\0'};

    return (unsigned)strtoul(digits, NULL, 16);
}

/* Decodes an escape at *at, which it moves behind it. Pairs of surrogates are not written. */
static size_t decode_escape(const char **at, char *out)
{
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    char c = (*at)[1];
    const char *name = strchr(names, c);

    if (c == 'u') {
        unsigned code_point = hex4(*at + 2);
        assert_true(code_point < 0xd800 || code_point > 0xdfff);
        *at += 6;
        return qr_utf8_encode(code_point, out);
    }
    *at += 2;
    *out = name == NULL ? c : values[name - names];
    return 1;
}

static size_t decode(const struct node *node, char *out, size_t cap)
{
    const char *at = node->at + 1, *end = node->at + node->len - 1;
    size_t len = 0;

    assert_int_equal(node->kind, 's');
    while (at < end) {
        assert_true(len + 4 <= cap);
        if (*at == '\\') {
            len += decode_escape(&at, out + len);
        } else {
            out[len++] = *at++;
        }
    }
    return len;
}

static bool is_text(const struct node *object, const char *key, const char *wanted, size_t len)
{
    char decoded[1024];

    return decode(get(object, key), decoded, sizeof decoded) == len &&
           memcmp(decoded, wanted, len) == 0;
}

static void assert_text(const struct node *object, const char *key, const char *wanted)
{
    if (!is_text(object, key, wanted, strlen(wanted))) {
        fail_msg("%s is not %s", key, wanted);
    }
}

/* The value as it is written. */
static void assert_raw(const struct node *object, const char *key, const char *wanted)
{
    const struct node *node = get(object, key);

    if (node->len != strlen(wanted) || memcmp(node->at, wanted, node->len) != 0) {
        fail_msg("%s is %.*s, not %s", key, (int)node->len, node->at, wanted);
    }
}

/* ---- the ring under test, and what is put into it: what a seq's record is follows from it ---- */

static uint8_t ring_bytes[QR_RING_MAX];
static uint32_t ring_marks[QR_RING_MARKS(QR_RING_MAX)];
static struct qr_ring ring;
static struct qr_stats stats;
static struct qr_status_source source;
static bool small_records; /* else of any size */

static void begin_ring(uint32_t capacity)
{
    memset(&stats, 0, sizeof stats);
    memset(ring_bytes, 0xa5, sizeof ring_bytes);
    qr_ring_init(&ring, ring_bytes, capacity, ring_marks);
    source = (struct qr_status_source){
        .ring = &ring,
        .stats = &stats,
        .version = "1.2.3",
        .board = "linux",
        .boot_id = "0123456789abcdef",
    };
    small_records = false;
}

struct record {
    struct qr_now now;
    size_t lens[3];
    char ids[3][256];
};

/* Characters that are written as they are and as escapes of each length, to fill IDs with. */
static const char *const fills[] = {"x",  "\x01", "\"",   "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                    "\\", "\n",   "\x1f", "\xc3\xa9",     "/"};

static size_t fill(char *id, const char *with, size_t least, size_t most)
{
    size_t len = 0;

    while (len < least && len + strlen(with) <= most) {
        memcpy(id + len, with, strlen(with));
        len += strlen(with);
    }
    return len;
}

static uint32_t mixed(uint64_t seq, uint32_t salt)
{
    uint64_t x = (seq + salt) * 0x9e3779b97f4a7c15u;

    return (uint32_t)(x >> 33);
}

static struct record record_of(uint64_t seq)
{
    struct record record = {.now = {1000 + seq, seq % 3 == 0 ? 0 : 1700000000000 + seq}};
    static const size_t most[3] = {QR_ID_MAX, QR_ID_MAX, QR_OPERATION_ID_MAX};

    for (uint32_t i = 0; i < 3; i++) {
        const char *with = fills[mixed(seq, i) % COUNT(fills)];
        size_t wanted = mixed(seq, 10 + i) % (small_records ? 8 : most[i] + 1);
        if (mixed(seq, 20 + i) % 8 == 0 && !small_records) {
            wanted = most[i];
        }
        size_t len = (size_t)sprintf(record.ids[i], "%" PRIu64 "%c", seq, "gu-"[i]);
        record.lens[i] =
            len + fill(record.ids[i] + len, with, wanted > len ? wanted - len : 0, most[i] - len);
    }
    if (mixed(seq, 30) % 3 == 0) {
        record.lens[2] = 0;
    }
    return record;
}

static uint64_t put_record(const struct record *record)
{
    const struct qr_quit quit = {
        .group_id = record->ids[0],
        .user_id = record->ids[1],
        .operation_id = record->ids[2],
        .group_id_len = (uint8_t)record->lens[0],
        .user_id_len = (uint8_t)record->lens[1],
        .operation_id_len = (uint8_t)record->lens[2],
    };

    return qr_ring_put(&ring, &quit, &record->now);
}

static void put(uint64_t count)
{
    for (; count > 0; count--) {
        uint64_t seq = ring.last_seq + 1;
        struct record record = record_of(seq);
        assert_int_equal(put_record(&record), seq);
    }
}

static void put_text(const char *group_id, const char *user_id, const char *operation_id,
                     uint64_t uptime_ms, uint64_t unix_ms)
{
    struct record record = {
        .now = {uptime_ms, unix_ms},
        .lens = {strlen(group_id), strlen(user_id), strlen(operation_id)},
    };

    memcpy(record.ids[0], group_id, record.lens[0]);
    memcpy(record.ids[1], user_id, record.lens[1]);
    memcpy(record.ids[2], operation_id, record.lens[2]);
    (void)put_record(&record);
}

/* ---- documents ---- */

static const struct qr_now now = {.uptime_ms = 3600000, .unix_ms = 1767323045678};

/* Makes one piece of a document, behind what is in doc. Its buffer has cap bytes and ends at the
 * guard page. Returns whether it was the last one. */
static bool add_piece(struct qr_status *status, size_t cap)
{
    static const char nothing[65536];
    char *piece = guard_copy(nothing, cap);
    struct qr_progress progress = {0};
    size_t len = qr_status_produce(status, &source, piece, cap, &progress);

    assert_true(len >= 1 && len <= cap);
    assert_true(doc_len + len < sizeof doc);
    memcpy(doc + doc_len, piece, len);
    doc_len += len;
    return progress.done;
}

static void write_doc(const struct qr_query *of, const struct qr_now *at, size_t cap)
{
    struct qr_status status;

    memset(&status, 0xee, sizeof status);
    doc_len = 0;
    qr_status_begin(&status, &source, of, at);
    while (!add_piece(&status, cap)) {
    }
}

static const struct qr_query everything = {.given = QR_PARAM_SINCE, .limit = QR_STATUS_LIMIT_MAX};
static const struct qr_query newest = {.limit = QR_STATUS_LIMIT_DEFAULT};

static const struct node *poll_at(const struct qr_query *of, const struct qr_now *at)
{
    write_doc(of, at, 1400);
    read_doc();
    return &nodes[0];
}

static const struct node *poll(const struct qr_query *of)
{
    return poll_at(of, &now);
}

/* All of the event is that of its seq: nothing is torn or mixed up. */
static void assert_event(const struct node *event)
{
    uint64_t seq = number_of(event, "seq");
    struct record record = record_of(seq);

    if (number_of(event, "uptimeMs") != record.now.uptime_ms ||
        !is_text(event, "groupID", record.ids[0], record.lens[0]) ||
        !is_text(event, "userID", record.ids[1], record.lens[1]) ||
        !is_text(event, "operationID", record.ids[2], record.lens[2])) {
        fail_msg("event %" PRIu64 " is not what was stored: %.*s", seq, (int)event->len, event->at);
    }
    assert_int_equal(parts_of(event), 6);
}

/* The document has these events, one behind the other. */
static void assert_events(const struct node *root, uint64_t first, uint64_t last)
{
    const struct node *events = get(root, "events");
    const struct node *event = next_part(events, events);

    assert_int_equal(events->kind, 'a');
    for (uint64_t seq = first; seq <= last; seq++) {
        assert_non_null(event);
        assert_int_equal(number_of(event, "seq"), seq);
        assert_event(event);
        event = next_part(events, event);
    }
    assert_null(event);
}

static void assert_page(const struct node *root, uint64_t next, bool more, uint64_t missed,
                        bool reset)
{
    assert_int_equal(number_of(root, "next"), next);
    assert_int_equal(flag_of(root, "more"), more);
    assert_int_equal(number_of(root, "missed"), missed);
    assert_int_equal(flag_of(root, "reset"), reset);
}

/* ---- what stands in a document ---- */

static void test_status_document_of_empty_ring_has_all_members(void **state)
{
    (void)state;
    begin_ring(2048);
    const struct node *root = poll(&newest);
    const struct node *of_ring = get(root, "ring");

    assert_text(root, "service", "quitring");
    assert_text(root, "version", "1.2.3");
    assert_text(root, "board", "linux");
    assert_text(root, "bootId", "0123456789abcdef");
    assert_raw(root, "uptimeMs", "3600000");
    assert_raw(root, "time", "\"2026-01-02T03:04:05.678Z\"");
    assert_raw(of_ring, "capacityBytes", "2048");
    assert_raw(of_ring, "usedBytes", "0");
    assert_raw(of_ring, "stored", "0");
    assert_raw(of_ring, "firstSeq", "1");
    assert_raw(of_ring, "lastSeq", "0");
    assert_raw(of_ring, "overwritten", "0");
    assert_int_equal(parts_of(of_ring), 6);
    assert_raw(root, "next", "0");
    assert_raw(root, "more", "false");
    assert_raw(root, "missed", "0");
    assert_raw(root, "reset", "false");
    assert_raw(root, "events", "[]");
    assert_int_equal(get(root, "counters")->kind, 'o');
    assert_int_equal(parts_of(root), 13);
}

static void test_status_document_shows_ring_as_it_is(void **state)
{
    (void)state;
    begin_ring(QR_RING_MIN);
    for (int i = 0; i < 40; i++) {
        const struct node *of_ring = get(poll(&newest), "ring");
        assert_int_equal(number_of(of_ring, "capacityBytes"), QR_RING_MIN);
        assert_int_equal(number_of(of_ring, "usedBytes"), ring.used);
        assert_int_equal(number_of(of_ring, "stored"), qr_ring_stored(&ring));
        assert_int_equal(number_of(of_ring, "firstSeq"), ring.first_seq);
        assert_int_equal(number_of(of_ring, "lastSeq"), i);
        assert_int_equal(number_of(of_ring, "overwritten"), qr_ring_overwritten(&ring));
        put(1);
    }
    assert_true(qr_ring_overwritten(&ring) > 0);
}

static void test_status_document_shows_events(void **state)
{
    (void)state;
    begin_ring(QR_RING_MAX);
    put_text("G001", "user123", "op-1", 10, 1767323000001);
    put_text("g\"2\\", "\x01/\n\x7f", "", 20, 1767323000002);
    put_text("\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff\xfe", 30, 1767323000003);
    const struct node *root = poll(&newest);
    const struct node *events = get(root, "events");
    const struct node *event = next_part(events, events);

    assert_int_equal(parts_of(events), 3);
    assert_raw(event, "seq", "1");
    assert_raw(event, "time", "\"2026-01-02T03:03:20.001Z\"");
    assert_raw(event, "uptimeMs", "10");
    assert_raw(event, "groupID", "\"G001\"");
    assert_raw(event, "userID", "\"user123\"");
    assert_raw(event, "operationID", "\"op-1\"");
    event = next_part(events, event);
    assert_raw(event, "seq", "2");
    assert_text(event, "groupID", "g\"2\\");
    assert_text(event, "userID", "\x01/\n\x7f");
    assert_text(event, "operationID", "");
    event = next_part(events, event);
    assert_raw(event, "seq", "3");
    assert_text(event, "groupID", "\xe2\x82\xac");
    assert_text(event, "userID", "\xf0\x9f\x98\x80");
    assert_raw(event, "operationID", "\"\\ufffd\\ufffd\"");
}

static void test_status_document_escapes_what_names_the_program(void **state)
{
    (void)state;
    begin_ring(QR_RING_MIN);
    source.version = "1\"2";
    source.board = "back\\slash\n";
    source.boot_id = "";
    const struct node *root = poll(&newest);

    assert_text(root, "version", "1\"2");
    assert_text(root, "board", "back\\slash\n");
    assert_text(root, "bootId", "");
}

static void test_status_document_has_every_counter(void **state)
{
    static const char *const names[] = {
#define NAME(name) #name,
        QR_STATS(NAME)
#undef NAME
    };
    uint32_t value = 4294967295u;

    (void)state;
    begin_ring(QR_RING_MIN);
#define SET(name) stats.name = value--;
    QR_STATS(SET)
#undef SET
    const struct node *counters = get(poll(&newest), "counters");
    for (uint32_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(number_of(counters, names[i]), 4294967295u - i);
    }
    assert_int_equal(parts_of(counters), COUNT(names) + 1);
}

static void test_status_document_names_ignored_commands_that_came(void **state)
{
    static const char *const names[] = {"zero", "one", "nought", "most", "none"};
    static const uint32_t counts[] = {0, 1, 0, UINT32_MAX, 0};

    (void)state;
    begin_ring(QR_RING_MIN);
    assert_raw(get(poll(&newest), "counters"), "ignoredCommands", "{}");
    source.ignored_names = names;
    source.ignored_counts = counts;
    source.ignored_n = 1;
    assert_raw(get(poll(&newest), "counters"), "ignoredCommands", "{}");
    source.ignored_n = COUNT(counts);
    const struct node *ignored = get(get(poll(&newest), "counters"), "ignoredCommands");
    assert_int_equal(number_of(ignored, "one"), 1);
    assert_int_equal(number_of(ignored, "most"), UINT32_MAX);
    assert_int_equal(parts_of(ignored), 2);
}

/* ---- times ---- */

static const struct node *event_number(const struct node *root, size_t number)
{
    const struct node *events = get(root, "events");
    const struct node *event = next_part(events, events);

    for (; number > 0; number--) {
        event = next_part(events, event);
    }
    assert_non_null(event);
    return event;
}

static void test_status_time_is_null_without_wall_clock(void **state)
{
    const struct qr_now no_clock = {.uptime_ms = 5000};

    (void)state;
    begin_ring(QR_RING_MIN);
    put_text("G", "u", "", 1000, 0);
    const struct node *root = poll_at(&newest, &no_clock);
    assert_raw(root, "time", "null");
    assert_raw(root, "uptimeMs", "5000");
    assert_raw(event_number(root, 0), "time", "null");
    assert_raw(event_number(root, 0), "uptimeMs", "1000");
}

static void test_status_time_of_event_follows_from_a_later_clock(void **state)
{
    const struct qr_now clock = {.uptime_ms = 61000, .unix_ms = 1767323045678};

    (void)state;
    begin_ring(QR_RING_MIN);
    put_text("G", "u", "", 1000, 0);
    put_text("G", "u", "", 61000, 0);
    put_text("G", "u", "", 2000, 1700000000000); /* what was known then stays */
    const struct node *root = poll_at(&newest, &clock);
    assert_raw(event_number(root, 0), "time", "\"2026-01-02T03:03:05.678Z\"");
    assert_raw(event_number(root, 0), "uptimeMs", "1000");
    assert_raw(event_number(root, 1), "time", "\"2026-01-02T03:04:05.678Z\"");
    assert_raw(event_number(root, 2), "time", "\"2023-11-14T22:13:20.000Z\"");
}

static void test_status_time_of_event_stays_when_the_clock_is_lost(void **state)
{
    const struct qr_now no_clock = {.uptime_ms = 5000};

    (void)state;
    begin_ring(QR_RING_MIN);
    put_text("G", "u", "", 1000, 1700000000000);
    assert_raw(event_number(poll_at(&newest, &no_clock), 0), "time",
               "\"2023-11-14T22:13:20.000Z\"");
}

/* A clock that begins at 1970 may read less than the device has run since the event. */
static void test_status_time_of_event_is_null_where_it_would_be_before_1970(void **state)
{
    const struct qr_now clock = {.uptime_ms = 61000, .unix_ms = 5000};

    (void)state;
    begin_ring(QR_RING_MIN);
    put_text("G", "u", "", 1000, 0);
    put_text("G", "u", "", 60000, 0);
    const struct node *root = poll_at(&newest, &clock);
    assert_raw(event_number(root, 1), "time", "\"1970-01-01T00:00:04.000Z\"");
    assert_raw(event_number(root, 0), "time", "null");
}

/* ---- since, limit, next, more, missed, reset ---- */

static void assert_poll(bool since_given, uint64_t since, uint32_t limit)
{
    struct qr_query of = {
        .given = since_given ? QR_PARAM_SINCE : 0, .since = since, .limit = limit};
    uint64_t stored = ring.last_seq + 1 - ring.first_seq;
    bool reset = since_given && since > ring.last_seq;
    uint64_t base = reset ? 0 : since;

    if (!since_given) {
        base = ring.last_seq - (stored < limit ? stored : limit);
    }
    uint64_t first = base + 1 < ring.first_seq ? ring.first_seq : base + 1;
    uint64_t last = ring.last_seq + 1 - first > limit ? first + limit - 1 : ring.last_seq;
    const struct node *root = poll(&of);
    assert_events(root, first, last);
    assert_page(root, last, last < ring.last_seq, first - (base + 1), reset);
}

static void assert_polls(void)
{
    static const uint32_t limits[] = {1, 2, 3, 7, 99, 100, 101, 65534, 65535};

    for (size_t i = 0; i < COUNT(limits); i++) {
        uint64_t step = 1 + ring.last_seq / 50;
        assert_poll(false, 0, limits[i]);
        assert_poll(true, UINT64_MAX, limits[i]);
        assert_poll(true, UINT64_MAX - 1, limits[i]);
        assert_poll(true, ring.last_seq, limits[i]);
        assert_poll(true, ring.last_seq + 1, limits[i]);
        assert_poll(true, ring.first_seq, limits[i]);
        assert_poll(true, ring.first_seq - 1, limits[i]);
        for (uint64_t since = 0; since <= ring.last_seq + 3; since += step) {
            assert_poll(true, since, limits[i]);
        }
    }
}

static void test_status_page_is_right_for_few_events(void **state)
{
    (void)state;
    begin_ring(QR_RING_MAX);
    for (int i = 0; i < 5; i++) {
        assert_polls();
        put(1);
    }
}

static void test_status_page_is_right_for_many_events(void **state)
{
    (void)state;
    begin_ring(QR_RING_MAX);
    small_records = true;
    put(130);
    assert_int_equal(ring.first_seq, 1);
    assert_polls();
}

static void test_status_page_is_right_for_overwritten_events(void **state)
{
    (void)state;
    begin_ring(QR_RING_MIN);
    put(500);
    assert_true(ring.first_seq > 400);
    assert_polls();
}

static void test_status_page_is_whole_ring_of_largest_size(void **state)
{
    (void)state;
    begin_ring(QR_RING_MAX);
    small_records = true;
    put(3000);
    const struct node *root = poll(&everything);
    assert_true(ring.last_seq - ring.first_seq > 200);
    assert_events(root, ring.first_seq, 3000);
    assert_page(root, 3000, false, ring.first_seq - 1, false);
}

static void test_status_page_gives_newest_100_without_query(void **state)
{
    (void)state;
    begin_ring(QR_RING_MAX);
    small_records = true;
    put(250);
    struct qr_query query;
    struct qr_fault fault;

    assert_int_equal(qr_query_read(&query, QR_STATUS_PARAMS, NULL, 0, &fault), 0);
    const struct node *root = poll(&query);
    assert_events(root, 151, 250);
    assert_page(root, 250, false, 0, false);
}

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % limit);
}

/* Asking with `next` gives each event once and in order; those that are not given are counted. */
static void test_status_poll_loop_sees_each_event_once(void **state)
{
    uint64_t seen = 0, missed = 0;
    struct qr_query of = {.given = QR_PARAM_SINCE};

    (void)state;
    random_state = 0x9e3779b97f4a7c15;
    begin_ring(2048);
    for (int i = 0; i < 3000; i++) {
        put(random_below(4));
        of.limit = 1 + random_below(5);
        const struct node *root = poll(&of);
        uint64_t next = number_of(root, "next"), gone = number_of(root, "missed");
        assert_events(root, of.since + gone + 1, next);
        assert_false(flag_of(root, "reset"));
        assert_int_equal(flag_of(root, "more"), next < ring.last_seq);
        seen += next - of.since - gone;
        missed += gone;
        of.since = next;
    }
    assert_int_equal(seen + missed, of.since);
    assert_true(seen > 2000 && missed > 20);
}

static void test_status_poll_loop_notices_a_restart(void **state)
{
    struct qr_query of = {.given = QR_PARAM_SINCE, .limit = 100};

    (void)state;
    begin_ring(2048);
    put(50);
    of.since = number_of(poll(&of), "next");
    assert_int_equal(of.since, 50);
    begin_ring(2048);
    const struct node *root = poll(&of);
    assert_page(root, 0, false, 0, true);
    put(3);
    root = poll(&of);
    assert_events(root, 1, 3);
    assert_page(root, 3, false, 0, true);
    of.since = 3;
    assert_page(poll(&of), 3, false, 0, false);
}

/* ---- pieces ---- */

static char whole[sizeof doc];

static void assert_same_document_at_every_cap(const struct qr_query *of, const struct qr_now *at)
{
    write_doc(of, at, 65536);
    size_t whole_len = doc_len;
    memcpy(whole, doc, doc_len);
    read_doc();
    for (size_t cap = 512; cap <= 1400; cap++) {
        write_doc(of, at, cap);
        assert_int_equal(doc_len, whole_len);
        assert_memory_equal(doc, whole, whole_len);
    }
}

static void test_status_document_is_the_same_at_every_cap(void **state)
{
    (void)state;
    begin_ring(4096);
    assert_same_document_at_every_cap(&everything, &now);
    put(100);
    assert_same_document_at_every_cap(&everything, &now);
    small_records = true;
    put(150);
    assert_same_document_at_every_cap(&everything, &now);
}

/* The longest names and numbers, and events that are all escapes. */
static void test_status_document_is_the_same_at_every_cap_at_its_largest(void **state)
{
    static uint32_t counts[QR_CALLBACK_NAMES];
    const struct qr_now latest = {.uptime_ms = UINT64_MAX, .unix_ms = 253402300799999};
    struct record record = {.now = latest, .lens = {QR_ID_MAX, QR_ID_MAX, QR_OPERATION_ID_MAX}};

    (void)state;
    begin_ring(QR_RING_MIN);
    memset(&stats, 0xff, sizeof stats);
    memset(counts, 0xff, sizeof counts);
    source.version = "123.123.123-123-g0123456789";
    source.board = "a-board-of-a-long-name";
    source.boot_id = "0123456789abcdef0123456789abcdef";
    source.ignored_names = qr_callback_names;
    source.ignored_counts = counts;
    source.ignored_n = QR_CALLBACK_NAMES;
    ring.last_seq = UINT64_MAX - 3;
    ring.first_seq = UINT64_MAX - 2;
    memset(record.ids, 0x01, sizeof record.ids);
    (void)put_record(&record);
    assert_same_document_at_every_cap(&newest, &latest);
    assert_raw(&nodes[0], "uptimeMs", "18446744073709551615");
    assert_raw(&nodes[0], "time", "\"9999-12-31T23:59:59.999Z\"");
    assert_raw(event_number(&nodes[0], 0), "seq", "18446744073709551613");
    assert_raw(event_number(&nodes[0], 0), "uptimeMs", "18446744073709551615");
    assert_int_equal(parts_of(get(get(&nodes[0], "counters"), "ignoredCommands")),
                     QR_CALLBACK_NAMES);
}

static void test_status_document_is_the_same_for_pieces_of_random_size(void **state)
{
    (void)state;
    random_state = 0x2545f4914f6cdd1d;
    begin_ring(4096);
    put(100);
    write_doc(&everything, &now, 65536);
    size_t whole_len = doc_len;
    memcpy(whole, doc, doc_len);
    for (int i = 0; i < 500; i++) {
        struct qr_status status;
        doc_len = 0;
        qr_status_begin(&status, &source, &everything, &now);
        while (!add_piece(&status, 512 + random_below(600))) {
        }
        assert_int_equal(doc_len, whole_len);
        assert_memory_equal(doc, whole, whole_len);
    }
}

/* A document under way holds copies only: it may be moved, and what it was begun with may go. */
static void test_status_document_under_way_may_be_moved(void **state)
{
    struct qr_status status[2];
    struct qr_query of = everything;
    struct qr_now at = now;
    size_t which = 0;

    (void)state;
    begin_ring(4096);
    put(30);
    write_doc(&everything, &now, 65536);
    size_t whole_len = doc_len;
    memcpy(whole, doc, doc_len);
    doc_len = 0;
    qr_status_begin(&status[0], &source, &of, &at);
    memset(&of, 0xee, sizeof of);
    memset(&at, 0xee, sizeof at);
    while (!add_piece(&status[which], 512)) {
        status[1 - which] = status[which];
        memset(&status[which], 0xee, sizeof status[which]);
        which = 1 - which;
    }
    assert_int_equal(doc_len, whole_len);
    assert_memory_equal(doc, whole, whole_len);
}

static void test_status_documents_under_way_do_not_mix(void **state)
{
    struct qr_status status, other;
    struct qr_query of = {.given = QR_PARAM_SINCE, .since = 70, .limit = 3};
    struct qr_progress other_progress = {0};
    bool done = false;
    char bytes[700];

    (void)state;
    begin_ring(4096);
    put(100);
    write_doc(&everything, &now, 65536);
    size_t whole_len = doc_len;
    memcpy(whole, doc, doc_len);
    doc_len = 0;
    qr_status_begin(&status, &source, &everything, &now);
    qr_status_begin(&other, &source, &of, &now);
    while (!done) {
        done = add_piece(&status, 512);
        if (!other_progress.done) {
            (void)qr_status_produce(&other, &source, bytes, sizeof bytes, &other_progress);
        }
    }
    assert_int_equal(doc_len, whole_len);
    assert_memory_equal(doc, whole, whole_len);
}

/* ---- events that are overwritten while a document is under way ---- */

/* What was asked for is given or counted, in order and whole. first_left is the oldest event that
 * was still there at the end, first_there the oldest one at the beginning. Returns how many events
 * were given. */
static uint64_t assert_given_or_missed(uint64_t since, uint64_t first_there, uint64_t first_left)
{
    const struct node *root = &nodes[0];
    const struct node *events = get(root, "events");
    uint64_t next = number_of(root, "next"), last = since, given = 0;

    for (const struct node *event = next_part(events, events); event != NULL;
         event = next_part(events, event)) {
        uint64_t seq = number_of(event, "seq");
        assert_true(seq > last && seq >= first_there && seq <= next);
        assert_true(last + 1 == seq || seq <= first_left);
        assert_event(event);
        last = seq;
        given++;
    }
    assert_true(last == next || next < first_left); /* all that were left have come */
    assert_int_equal(given + number_of(root, "missed"), next - since);
    return given;
}

/* Makes a document while events come between its pieces. */
static uint64_t write_while_overwritten(const struct qr_query *of, size_t cap, uint32_t puts_most)
{
    struct qr_status status;
    uint64_t last = ring.last_seq, first = ring.first_seq;
    uint64_t since = (of->given & QR_PARAM_SINCE) != 0 ? of->since : 0;

    doc_len = 0;
    qr_status_begin(&status, &source, of, &now);
    put(random_below(puts_most + 1));
    while (!add_piece(&status, cap)) {
        put(random_below(puts_most + 1));
    }
    read_doc();
    uint64_t next = number_of(&nodes[0], "next");
    assert_true(next <= last);
    assert_int_equal(flag_of(&nodes[0], "more"), next < last);
    if ((of->given & QR_PARAM_SINCE) == 0) { /* none was missed before it began */
        since = next - number_of(&nodes[0], "missed") - parts_of(get(&nodes[0], "events"));
        assert_true(since + 1 >= first);
    }
    return assert_given_or_missed(since, first, ring.first_seq);
}

static void test_status_events_overwritten_between_pieces_are_missed(void **state)
{
    uint64_t given = 0, rounds = 0, missed = 0;

    (void)state;
    random_state = 0xd1b54a32d192ed03;
    for (size_t cap = 512; cap <= 1400; cap += 37) {
        for (uint32_t puts = 0; puts <= 12; puts++) {
            begin_ring(QR_RING_MIN + random_below(4096));
            small_records = puts % 3 == 0;
            put(60 + random_below(100));
            given += write_while_overwritten(&everything, cap, puts);
            missed += number_of(&nodes[0], "missed");
            given += write_while_overwritten(&newest, cap, puts);
            missed += number_of(&nodes[0], "missed");
            rounds++;
        }
    }
    assert_true(given > rounds * 5 && missed > rounds * 5);
}

static void test_status_events_overwritten_before_first_piece_are_missed(void **state)
{
    struct qr_query of = {.given = QR_PARAM_SINCE, .since = 8, .limit = 4};
    struct qr_status status;

    (void)state;
    begin_ring(QR_RING_MAX);
    small_records = true;
    put(20);
    doc_len = 0;
    qr_status_begin(&status, &source, &of, &now);
    put(5000);
    while (!add_piece(&status, 512)) {
    }
    read_doc();
    assert_events(&nodes[0], 1, 0);
    assert_page(&nodes[0], 12, true, 4, false);
}

/* The first piece ends within an event's IDs, and then that event is overwritten. */
static void test_status_event_under_way_is_whole_after_it_was_overwritten(void **state)
{
    struct qr_status status;
    struct record record = {.now = {1, 2}, .lens = {QR_ID_MAX, QR_ID_MAX, QR_OPERATION_ID_MAX}};

    (void)state;
    begin_ring(QR_RING_MIN);
    memset(record.ids[0], 0x02, QR_ID_MAX);
    memset(record.ids[1], 0x03, QR_ID_MAX);
    memset(record.ids[2], 0x04, QR_OPERATION_ID_MAX);
    (void)put_record(&record);
    doc_len = 0;
    qr_status_begin(&status, &source, &newest, &now);
    doc[0] = '\0';
    while (strstr(doc, "groupID\":\"\\u0002") == NULL) {
        assert_false(add_piece(&status, 512));
        doc[doc_len] = '\0';
    }
    assert_null(strstr(doc, "\\u0003"));
    memset(&record, 'x', sizeof record);
    record.lens[0] = record.lens[1] = QR_ID_MAX;
    record.lens[2] = 0;
    for (int i = 0; i < 4; i++) {
        (void)put_record(&record);
    }
    while (!add_piece(&status, 512)) {
    }
    read_doc();
    const struct node *event = event_number(&nodes[0], 0);
    char wanted[QR_ID_MAX];
    memset(wanted, 0x02, sizeof wanted);
    assert_true(is_text(event, "groupID", wanted, QR_ID_MAX));
    memset(wanted, 0x03, sizeof wanted);
    assert_true(is_text(event, "userID", wanted, QR_ID_MAX));
    memset(wanted, 0x04, sizeof wanted);
    assert_true(is_text(event, "operationID", wanted, QR_OPERATION_ID_MAX));
    assert_int_equal(parts_of(get(&nodes[0], "events")), 1);
    assert_page(&nodes[0], 1, false, 0, false);
}

static void test_status_poll_loop_accounts_for_all_while_overwritten(void **state)
{
    struct qr_query of = {.given = QR_PARAM_SINCE};
    uint64_t seen = 0, missed = 0;

    (void)state;
    random_state = 0x853c49e6748fea9b;
    begin_ring(2000);
    for (int i = 0; i < 1000; i++) {
        put(random_below(3));
        of.limit = 1 + random_below(9);
        seen += write_while_overwritten(&of, 512 + random_below(889), 2);
        missed += number_of(&nodes[0], "missed");
        of.since = number_of(&nodes[0], "next");
    }
    assert_int_equal(seen + missed, of.since);
    assert_true(seen > 500 && missed > 50);
}

static void test_status_document_gives_no_event_newer_than_its_beginning(void **state)
{
    struct qr_status status;

    (void)state;
    begin_ring(QR_RING_MAX);
    small_records = true;
    put(10);
    doc_len = 0;
    qr_status_begin(&status, &source, &newest, &now);
    put(10);
    while (!add_piece(&status, 512)) {
        put(1);
    }
    read_doc();
    assert_events(&nodes[0], 1, 10);
    assert_page(&nodes[0], 10, false, 0, false);
}

/* A filter that takes none of many lets others have their turn: pieces of no bytes, not the last.
 */
static void test_status_document_looks_at_few_records_a_turn(void **state)
{
    struct qr_query of;
    struct qr_fault fault;
    struct qr_status status;
    struct qr_progress progress = {0};
    unsigned nothing = 0;
    size_t len = 0;

    (void)state;
    begin_ring(QR_RING_MAX);
    small_records = true;
    put(2 * QR_LOOKS_A_TURN);
    assert_int_equal(qr_query_read(&of, QR_STATUS_PARAMS, "groupID=none", 12, &fault), 0);
    qr_status_begin(&status, &source, &of, &now);
    while (!progress.done) {
        size_t n = qr_status_produce(&status, &source, doc + len, 1400, &progress);
        nothing += n == 0;
        assert_true(n != 0 || progress.again_ms == 0);
        len += n;
    }
    assert_true(nothing >= 2);
    doc_len = len;
    read_doc();
    assert_events(&nodes[0], 1, 0);
}

/* A poller that keeps next and bootId, while events are stored and overwritten between its polls
 * and between a document's pieces, and the device restarts: of each life of the device, each event
 * up to next is seen once, or counted as missed. */
static void test_status_poller_sees_or_misses_each_event_of_each_life(void **state)
{
    char boot_id[17] = "0000000000000000", known[17] = "";
    struct qr_query of = {.given = QR_PARAM_SINCE};
    uint64_t seen = 0, missed = 0, all_seen = 0, all_missed = 0, restarts = 0;

    (void)state;
    random_state = 0x243f6a8885a308d3;
    begin_ring(2048);
    for (int i = 0; i < 4000; i++) {
        struct qr_status status;
        if (random_below(40) == 0) {
            begin_ring(2048);
            snprintf(boot_id, sizeof boot_id, "%016" PRIx64, ++restarts);
        }
        source.boot_id = boot_id;
        put(random_below(6));
        of.limit = 1 + random_below(8);
        uint64_t first = ring.first_seq;
        doc_len = 0;
        qr_status_begin(&status, &source, &of, &now);
        while (!add_piece(&status, 512 + random_below(200))) {
            put(random_below(2));
        }
        read_doc();
        const struct node *root = &nodes[0];
        if (!is_text(root, "bootId", known, strlen(known))) { /* another life: from its start */
            strcpy(known, boot_id);
            seen = missed = of.since = 0;
            continue;
        }
        uint64_t next = number_of(root, "next"), gone = number_of(root, "missed");
        assert_false(flag_of(root, "reset"));
        seen += assert_given_or_missed(of.since, first, ring.first_seq);
        missed += gone;
        of.since = next;
        assert_int_equal(seen + missed, next);
        all_seen += next != 0;
        all_missed += gone;
    }
    assert_true(restarts > 50 && all_seen > 2000 && all_missed > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_poller_sees_or_misses_each_event_of_each_life),
        cmocka_unit_test(test_status_document_looks_at_few_records_a_turn),
        cmocka_unit_test(test_status_document_of_empty_ring_has_all_members),
        cmocka_unit_test(test_status_document_shows_ring_as_it_is),
        cmocka_unit_test(test_status_document_shows_events),
        cmocka_unit_test(test_status_document_escapes_what_names_the_program),
        cmocka_unit_test(test_status_document_has_every_counter),
        cmocka_unit_test(test_status_document_names_ignored_commands_that_came),
        cmocka_unit_test(test_status_time_is_null_without_wall_clock),
        cmocka_unit_test(test_status_time_of_event_follows_from_a_later_clock),
        cmocka_unit_test(test_status_time_of_event_stays_when_the_clock_is_lost),
        cmocka_unit_test(test_status_time_of_event_is_null_where_it_would_be_before_1970),
        cmocka_unit_test(test_status_page_is_right_for_few_events),
        cmocka_unit_test(test_status_page_is_right_for_many_events),
        cmocka_unit_test(test_status_page_is_right_for_overwritten_events),
        cmocka_unit_test(test_status_page_is_whole_ring_of_largest_size),
        cmocka_unit_test(test_status_page_gives_newest_100_without_query),
        cmocka_unit_test(test_status_poll_loop_sees_each_event_once),
        cmocka_unit_test(test_status_poll_loop_notices_a_restart),
        cmocka_unit_test(test_status_document_is_the_same_at_every_cap),
        cmocka_unit_test(test_status_document_is_the_same_at_every_cap_at_its_largest),
        cmocka_unit_test(test_status_document_is_the_same_for_pieces_of_random_size),
        cmocka_unit_test(test_status_document_under_way_may_be_moved),
        cmocka_unit_test(test_status_documents_under_way_do_not_mix),
        cmocka_unit_test(test_status_events_overwritten_between_pieces_are_missed),
        cmocka_unit_test(test_status_events_overwritten_before_first_piece_are_missed),
        cmocka_unit_test(test_status_event_under_way_is_whole_after_it_was_overwritten),
        cmocka_unit_test(test_status_poll_loop_accounts_for_all_while_overwritten),
        cmocka_unit_test(test_status_document_gives_no_event_newer_than_its_beginning),
    };

    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}

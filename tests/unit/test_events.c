#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/events.h"

static uint8_t ring_bytes[QR_RING_MAX];
static uint32_t ring_marks[QR_RING_MARKS(QR_RING_MAX)];
static struct qr_ring ring;
static struct qr_now now;
static struct qr_query query;
static char query_text[200];
static struct qr_events events;
static struct qr_progress progress;

static char text[400000]; /* all that was said */
static size_t text_len;

static int setup(void **state)
{
    (void)state;
    now = (struct qr_now){.uptime_ms = 1000, .unix_ms = 1767323045678};
    qr_ring_init(&ring, ring_bytes, sizeof ring_bytes, ring_marks);
    text_len = 0;
    return 0;
}

static void put(const char *group, const char *user)
{
    struct qr_quit quit = {.group_id = group,
                           .user_id = user,
                           .group_id_len = (uint8_t)strlen(group),
                           .user_id_len = (uint8_t)strlen(user)};

    (void)qr_ring_put(&ring, &quit, &now);
}

static void begin(const char *asked)
{
    struct qr_fault fault;

    snprintf(query_text, sizeof query_text, "%s", asked);
    assert_int_equal(
        qr_query_read(&query, QR_EVENTS_PARAMS, query_text, strlen(query_text), &fault), 0);
    memset(&events, 0xee, sizeof events);
    qr_events_begin(&events, &ring, &query, &now);
    text_len = 0;
}

/* One piece; its buffer has cap bytes and ends at the guard page. Returns its length. */
static size_t piece(size_t cap)
{
    static const char nothing[2000];
    char *bytes = guard_copy(nothing, cap);
    size_t len;

    progress = (struct qr_progress){0};
    len = qr_events_produce(&events, &ring, "b007", &now, bytes, cap, &progress);
    assert_true(len <= cap);
    assert_false(progress.done);
    assert_true(text_len + len < sizeof text);
    memcpy(text + text_len, bytes, len);
    text_len += len;
    text[text_len] = '\0';
    return len;
}

/* All that there is to say now. Returns it. */
static const char *say(size_t cap)
{
    text_len = 0;
    text[0] = '\0';
    while (piece(cap) != 0 || progress.again_ms == 0) {
    }
    return text;
}

#define START(last, reset)                                                                         \
    "retry: 2000\nevent: start\ndata: {\"bootId\":\"b007\",\"lastSeq\":" last ",\"reset\":" reset  \
    "}\n\n"
#define EVENT(seq, group, user)                                                                    \
    "id: " seq "\ndata: {\"seq\":" seq ",\"time\":\"2026-01-02T03:04:05.678Z\",\"uptimeMs\":1000," \
    "\"groupID\":\"" group "\",\"userID\":\"" user "\",\"operationID\":\"\"}\n\n"

static void test_events_begin_with_what_comes_next(void **state)
{
    (void)state;
    put("old", "u");
    begin("");
    assert_string_equal(say(1400), START("1", "false"));
    put("g", "u");
    assert_string_equal(say(1400), EVENT("2", "g", "u"));
    assert_string_equal(say(1400), "");
    put("g", "v");
    put("h", "w");
    assert_string_equal(say(1400), EVENT("3", "g", "v") EVENT("4", "h", "w"));
}

static void test_events_begin_behind_since(void **state)
{
    (void)state;
    put("a", "u");
    put("b", "u");
    put("c", "u");
    begin("since=1");
    assert_string_equal(say(1400), START("3", "false") EVENT("2", "b", "u") EVENT("3", "c", "u"));
    begin("since=3");
    assert_string_equal(say(1400), START("3", "false"));
    begin("since=4");
    assert_string_equal(say(1400), START("3", "true") EVENT("1", "a", "u") EVENT("2", "b", "u")
                                       EVENT("3", "c", "u"));
}

static void test_events_are_those_asked_for(void **state)
{
    (void)state;
    begin("groupID=g&userID=%75");
    (void)say(1400);
    put("g", "u");
    put("g", "v");
    put("h", "u");
    put("g", "u");
    assert_string_equal(say(1400), EVENT("1", "g", "u") EVENT("4", "g", "u"));
}

/* A line of data has no line end inside, whatever an ID holds. */
static void test_events_escape_ids(void **state)
{
    (void)state;
    begin("");
    (void)say(1400);
    put("a\nid: 9\n\nb", "\r\"");
    assert_string_equal(say(1400), EVENT("1", "a\\nid: 9\\n\\nb", "\\r\\\""));
}

static void test_events_are_the_same_at_every_cap(void **state)
{
    static char whole[sizeof text];
    char id[QR_ID_MAX + 1];

    (void)state;
    for (unsigned i = 1; i < 8; i++) {
        memset(id, i % 2 != 0 ? '\x01' : 'x', sizeof id);
        id[QR_ID_MAX - i] = '\0';
        put(id, id);
    }
    begin("since=0");
    strcpy(whole, say(2000));
    for (size_t cap = 512; cap < 700; cap++) {
        begin("since=0");
        assert_string_equal(say(cap), whole);
    }
}

static void test_events_count_what_was_overwritten(void **state)
{
    (void)state;
    begin("");
    (void)say(1400);
    while (ring.first_seq < 12) {
        put("group", "user");
    }
    text_len = 0;
    (void)piece(512);
    assert_non_null(strstr(text, "event: missed\ndata: {\"missed\":11}\n\nid: 12\ndata: {"));
    while (piece(512) != 0) {
    }
    assert_null(strstr(strstr(text, "missed\n") + 1, "event: missed")); /* told once */
    char last[40];
    snprintf(last, sizeof last, "\nid: %" PRIu64 "\n", ring.last_seq);
    assert_non_null(strstr(text, last));
}

static void test_events_say_that_they_live(void **state)
{
    (void)state;
    begin("");
    (void)say(1400);
    assert_int_equal(progress.again_ms, 1000 + QR_HEARTBEAT_MS);
    assert_in_range(QR_HEARTBEAT_MS, 1, 15000);
    now.uptime_ms += QR_HEARTBEAT_MS - 1;
    assert_string_equal(say(1400), "");
    assert_int_equal(progress.again_ms, 1000 + QR_HEARTBEAT_MS);
    now.uptime_ms++;
    assert_string_equal(say(1400), ":\n\n");
    assert_int_equal(progress.again_ms, now.uptime_ms + QR_HEARTBEAT_MS);
    now.uptime_ms += QR_HEARTBEAT_MS / 2;
    put("g", "u"); /* also says it */
    assert_true(strlen(say(1400)) > 3);
    assert_int_equal(progress.again_ms, now.uptime_ms + QR_HEARTBEAT_MS);
}

/* A filter that takes none of many lets others have their turn. */
static void test_events_look_at_few_records_a_turn(void **state)
{
    (void)state;
    begin("groupID=none");
    (void)say(1400);
    for (unsigned i = 0; i < QR_LOOKS_A_TURN + 1; i++) {
        put("g", "u");
    }
    assert_int_equal(piece(1400), 0);
    assert_int_equal(progress.again_ms, 0);
    assert_int_equal(piece(1400), 0);
    assert_int_not_equal(progress.again_ms, 0);
    now.uptime_ms += 5;
    put("none", "u"); /* said, and then many that are not asked for */
    for (unsigned i = 0; i < QR_LOOKS_A_TURN; i++) {
        put("g", "u");
    }
    assert_int_not_equal(piece(1400), 0);
    assert_int_equal(progress.again_ms, 0);
    assert_int_equal(piece(1400), 0);
    assert_int_equal(progress.again_ms, now.uptime_ms + QR_HEARTBEAT_MS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_events_begin_with_what_comes_next), TEST(test_events_begin_behind_since),
        TEST(test_events_are_those_asked_for),        TEST(test_events_escape_ids),
        TEST(test_events_are_the_same_at_every_cap),  TEST(test_events_count_what_was_overwritten),
        TEST(test_events_say_that_they_live),         TEST(test_events_look_at_few_records_a_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The cursor against a model: a list of all events that were ever stored, of which the ring has the
 * newest. IDs are few, so that filters take some and leave some.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "src/cursor.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* More than are looked at in one turn, many times. */
#define EVENTS_MAX 20000
#define RING_SIZE  262144u

static uint8_t ring_bytes[RING_SIZE];
static uint32_t ring_marks[QR_RING_MARKS(RING_SIZE)];
static struct qr_ring ring;
static char groups[EVENTS_MAX + 1]; /* by seq: one letter */
static char users[EVENTS_MAX + 1];
static const struct qr_now now = {.uptime_ms = 1};

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * n >> 32);
}

static void put_one(char group, char user)
{
    struct qr_quit quit = {
        .group_id = &group, .user_id = &user, .group_id_len = 1, .user_id_len = 1};
    uint64_t seq = qr_ring_put(&ring, &quit, &now);

    assert_true(seq <= EVENTS_MAX);
    groups[seq] = group;
    users[seq] = user;
}

static void put_random(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        put_one((char)('a' + random_below(4)), (char)('u' + random_below(3)));
    }
}

static int setup(void **state)
{
    (void)state;
    random_state = 1;
    qr_ring_init(&ring, ring_bytes, RING_SIZE, ring_marks);
    return 0;
}

/* ---- queries ---- */

static struct qr_query query;
static char query_text[100];

static void ask(const char *text)
{
    struct qr_fault fault;

    snprintf(query_text, sizeof query_text, "%s", text);
    assert_int_equal(qr_query_read(&query, UINT32_MAX, query_text, strlen(query_text), &fault), 0);
}

static bool asked_for(uint64_t seq)
{
    struct qr_span group = {&groups[seq], 1}, user = {&users[seq], 1};

    return qr_query_takes(&query, group, user);
}

static struct qr_cursor cursor;
static struct qr_event event;

static void begin(const char *text)
{
    ask(text);
    memset(&cursor, 0xee, sizeof cursor);
    qr_cursor_begin(&cursor, &ring, &query);
}

static unsigned settle(void)
{
    unsigned turns = 1;

    while (!qr_cursor_settle(&cursor, &ring, &event)) {
        assert_true(++turns < 2 * EVENTS_MAX);
    }
    return turns;
}

static uint64_t given[EVENTS_MAX];
static unsigned n_given;

static void take_all(void)
{
    enum qr_cursor_found found;

    for (n_given = 0; (found = qr_cursor_next(&cursor, &ring, &event)) != QR_CURSOR_END;) {
        if (found == QR_CURSOR_EVENT) {
            assert_memory_equal(event.group_id, &groups[event.seq], 1);
            assert_memory_equal(event.user_id, &users[event.seq], 1);
            given[n_given++] = event.seq;
        }
    }
}

/* What the model says: the first, or the newest, limit events from seq on. */
static void assert_given(uint64_t from, bool newest)
{
    static uint64_t wanted[EVENTS_MAX];
    size_t n = 0, skip;

    from = from < ring.first_seq ? ring.first_seq : from;
    for (uint64_t seq = from; seq <= ring.last_seq; seq++) {
        if (asked_for(seq)) {
            wanted[n++] = seq;
        }
    }
    skip = newest && n > query.limit ? n - query.limit : 0;
    assert_int_equal(cursor.more, !newest && n > query.limit);
    n = n < query.limit ? n : query.limit;
    assert_int_equal(n_given, n);
    assert_memory_equal(given, wanted + skip, n * sizeof *wanted);
    assert_int_equal(cursor.last, cursor.more ? given[n - 1] : ring.last_seq);
}

static const char *const filters[] = {"", "groupID=a", "userID=v", "groupID=b&userID=w",
                                      "userID=x"};

static void test_cursor_gives_what_is_asked_for_since(void **state)
{
    char text[100];

    (void)state;
    put_random(15000); /* the first have been overwritten */
    assert_true(ring.first_seq > 1);
    for (unsigned i = 0; i < 400; i++) {
        uint64_t since = random_below(15000);
        unsigned limit = i % 3 == 0 ? 65535 : 1 + random_below(i % 3 == 1 ? 5 : 3000);
        snprintf(text, sizeof text, "since=%" PRIu64 "&limit=%u&%s", since, limit,
                 filters[i % COUNT(filters)]);
        text[strlen(text) - (filters[i % COUNT(filters)][0] == '\0')] = '\0';
        begin(text);
        settle();
        take_all();
        assert_given(since + 1, false);
        assert_int_equal(cursor.missed,
                         since + 1 < ring.first_seq ? ring.first_seq - since - 1 : 0);
        assert_false(cursor.reset);
    }
}

static void test_cursor_gives_the_newest(void **state)
{
    char text[100];

    (void)state;
    put_random(15000);
    for (unsigned i = 0; i < 400; i++) {
        unsigned limit = i % 3 == 0 ? 65535 : 1 + random_below(i % 3 == 1 ? 5 : 3000);
        snprintf(text, sizeof text, "limit=%u&%s", limit, filters[i % COUNT(filters)]);
        text[strlen(text) - (filters[i % COUNT(filters)][0] == '\0')] = '\0';
        begin(text);
        settle();
        take_all();
        assert_given(1, true);
        assert_int_equal(cursor.missed, 0);
    }
}

static void test_cursor_says_reset_beyond_the_newest(void **state)
{
    static const char *const texts[] = {"since=11", "since=11&groupID=a",
                                        "since=18446744073709551615&userID=u"};

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        put_one('a', 'u');
    }
    for (size_t i = 0; i < COUNT(texts); i++) {
        begin(texts[i]);
        settle();
        take_all();
        assert_true(cursor.reset);
        assert_int_equal(n_given, 10);
        assert_int_equal(cursor.missed, 0);
    }
    begin("since=10&groupID=a");
    settle();
    take_all();
    assert_false(cursor.reset);
    assert_int_equal(n_given, 0);
}

static void test_cursor_of_an_empty_ring_is_at_its_end(void **state)
{
    static const char *const texts[] = {"", "since=0", "groupID=a", "since=0&groupID=a"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        begin(texts[i]);
        assert_int_equal(settle(), 1);
        take_all();
        assert_int_equal(n_given, 0);
        assert_int_equal(cursor.last, 0);
        assert_false(cursor.more || cursor.reset);
    }
}

/* A filter that takes one of many must not look through all of them at one go. */
static void test_cursor_looks_at_few_records_a_turn(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        put_one('a', 'u');
    }
    put_one('b', 'u');
    begin("since=0&groupID=b");
    assert_true(settle() >= 5000 / QR_LOOKS_A_TURN);
    unsigned again = 0;
    enum qr_cursor_found found;
    while ((found = qr_cursor_next(&cursor, &ring, &event)) == QR_CURSOR_AGAIN) {
        again++;
    }
    assert_int_equal(found, QR_CURSOR_EVENT);
    assert_int_equal(event.seq, 5001);
    assert_true(again >= 5000 / QR_LOOKS_A_TURN);
}

/* The newest that a filter takes are near the end: the others are not looked at. */
static void test_cursor_counts_no_more_than_are_asked_for(void **state)
{
    static const char *const texts[] = {"limit=20&groupID=a", "limit=1&groupID=b&userID=w",
                                        "limit=40&userID=v"};

    (void)state;
    put_random(15000);
    for (size_t i = 0; i < COUNT(texts); i++) {
        begin(texts[i]);
        assert_int_equal(settle(), 1);
        take_all();
        assert_given(1, true);
    }
}

/* While others store: each event is given or counted as missed, none twice, and none that came
 * after it began. */
static void test_cursor_accounts_for_what_is_overwritten_under_way(void **state)
{
    static const char *const texts[] = {"since=0&limit=65535", "since=100&limit=65535&groupID=a",
                                        "limit=65535&userID=u", "limit=500&groupID=c"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        (void)setup(state);
        random_state = (uint32_t)i + 7;
        put_random(15000);
        begin(texts[i]);
        uint64_t end = ring.last_seq;
        while (!qr_cursor_settle(&cursor, &ring, &event)) {
            put_random(random_below(40));
        }
        uint64_t last = 0;
        enum qr_cursor_found found;
        while ((found = qr_cursor_next(&cursor, &ring, &event)) != QR_CURSOR_END) {
            if (found == QR_CURSOR_EVENT) {
                assert_true(event.seq > last && event.seq <= end);
                assert_true(asked_for(event.seq));
                for (uint64_t seq = last == 0 ? event.seq : last + 1; seq < event.seq; seq++) {
                    assert_true(!asked_for(seq) || seq < ring.first_seq);
                }
                last = event.seq;
            }
            if (ring.last_seq < EVENTS_MAX - 100) {
                put_random(random_below(i % 2 == 0 ? 2 : 60));
            }
        }
        assert_true(cursor.missed <= end);
    }
}

static void test_cursor_follows_for_ever(void **state)
{
    (void)state;
    put_random(10);
    ask("groupID=a");
    qr_cursor_follow(&cursor, &ring, &query, ring.last_seq);
    assert_int_equal(qr_cursor_next(&cursor, &ring, &event), QR_CURSOR_END);
    for (unsigned round = 0; round < 50; round++) {
        uint64_t before = ring.last_seq;
        unsigned wanted = 0;
        put_random(random_below(30));
        for (uint64_t seq = before + 1; seq <= ring.last_seq; seq++) {
            wanted += asked_for(seq);
        }
        take_all();
        assert_int_equal(n_given, wanted);
        assert_int_equal(cursor.missed, 0);
    }
    assert_false(cursor.reset);
}

static void test_cursor_that_follows_counts_what_it_missed(void **state)
{
    (void)state;
    ask("");
    qr_cursor_follow(&cursor, &ring, &query, 0);
    put_random(15000);
    take_all();
    assert_int_equal(cursor.missed, ring.first_seq - 1);
    assert_int_equal(n_given, ring.last_seq - ring.first_seq + 1);
    ask("since=1");
    qr_cursor_follow(&cursor, &ring, &query, 99999);
    assert_true(cursor.reset);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_cursor_gives_what_is_asked_for_since),
        TEST(test_cursor_gives_the_newest),
        TEST(test_cursor_says_reset_beyond_the_newest),
        TEST(test_cursor_of_an_empty_ring_is_at_its_end),
        TEST(test_cursor_looks_at_few_records_a_turn),
        TEST(test_cursor_counts_no_more_than_are_asked_for),
        TEST(test_cursor_accounts_for_what_is_overwritten_under_way),
        TEST(test_cursor_follows_for_ever),
        TEST(test_cursor_that_follows_counts_what_it_missed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

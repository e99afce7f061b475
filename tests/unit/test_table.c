#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/table.h"

static uint8_t ring_bytes[QR_RING_MAX];
static uint32_t ring_marks[QR_RING_MARKS(QR_RING_MAX)];
static struct qr_ring ring;
static struct qr_stats stats;
static const struct qr_status_source source = {
    .ring = &ring, .stats = &stats, .version = "1.2.3", .board = "test", .boot_id = "b007"};
static struct qr_now now;
static char document[400000];

static int setup(void **state)
{
    (void)state;
    now = (struct qr_now){.uptime_ms = 180000, .unix_ms = 1767323045678};
    qr_ring_init(&ring, ring_bytes, sizeof ring_bytes, ring_marks);
    return 0;
}

static void put(const char *group, const char *user, const char *operation)
{
    struct qr_quit quit = {.group_id = group,
                           .user_id = user,
                           .operation_id = operation,
                           .group_id_len = (uint8_t)strlen(group),
                           .user_id_len = (uint8_t)strlen(user),
                           .operation_id_len = (uint8_t)strlen(operation)};

    (void)qr_ring_put(&ring, &quit, &now);
}

static void write_document(const char *text, size_t cap)
{
    static const char nothing[2000];
    static char query_text[100];
    struct qr_query query;
    struct qr_fault fault;
    struct qr_table table;
    struct qr_progress progress = {0};
    size_t len = 0;

    snprintf(query_text, sizeof query_text, "%s", text);
    assert_int_equal(qr_query_read(&query, QR_TABLE_PARAMS, query_text, strlen(query_text), &fault),
                     0);
    memset(&table, 0xee, sizeof table);
    qr_table_begin(&table, &source, &query, &now);
    while (!progress.done) {
        char *bytes = guard_copy(nothing, cap);
        size_t n = qr_table_produce(&table, &source, bytes, cap, &progress);
        assert_true(n <= cap && len + n < sizeof document);
        memcpy(document + len, bytes, n);
        len += n;
    }
    document[len] = '\0';
}

static void assert_has(const char *text)
{
    if (strstr(document, text) == NULL) {
        fail_msg("no %s in\n%s", text, document);
    }
}

static void test_table_shows_events(void **state)
{
    (void)state;
    put("G001", "user123", "op-1");
    put("G002", "user456", "");
    write_document("", 1400);
    assert_has("<p>test, version 1.2.3, up for 3 minutes; quits stored: 2, still here: 2.");
    assert_has("<tr><td>1<td>2026-01-02T03:04:05.678Z<td>G001<td>user123<td>op-1\n"
               "<tr><td>2<td>2026-01-02T03:04:05.678Z<td>G002<td>user456<td>\n</table>\n");
}

static void test_table_shows_what_is_asked_for(void **state)
{
    (void)state;
    put("a", "u", "");
    put("b", "u", "");
    put("a", "v", "");
    write_document("groupID=a&since=1", 1400);
    assert_has("<td>a<td>v<td>\n</table>");
    assert_null(strstr(document, "<td>b<"));
    assert_null(strstr(document, "<tr><td>1<"));
}

static void test_table_tells_age_without_a_clock(void **state)
{
    (void)state;
    now = (struct qr_now){.uptime_ms = 5999};
    put("a", "u", "");
    write_document("", 1400);
    assert_has("<td>5 s after start<td>a");
    now = (struct qr_now){.uptime_ms = 6999, .unix_ms = 1767323045678};
    write_document("", 1400); /* it follows from the clock that came later */
    assert_has("<td>2026-01-02T03:04:04.678Z<td>a");
}

/* Whatever an ID holds, only our own markup is in the document. */
static void test_table_has_no_markup_of_ids(void **state)
{
    static const char *const hostile[] = {
        "<script>alert(1)</script>", "\"><img src=x>", "&lt;", "</td></table>",
        "\x01\x1f\x7f\t\n",          "\xff\xc0\xaf"};
    unsigned tags = 0;

    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        put(hostile[i], hostile[i], hostile[i]);
    }
    write_document("", 1400);
    for (const char *at = document; (at = strchr(at, '<')) != NULL; at++) {
        tags++;
    }
    size_t with = tags;
    (void)setup(state);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        put("g", "u", "o");
    }
    write_document("", 1400);
    for (const char *at = document; (at = strchr(at, '<')) != NULL; at++) {
        with--;
    }
    assert_int_equal(with, 0);
    (void)setup(state);
    put("<b>&\"'", "\x01\xff", "");
    write_document("", 1400);
    assert_has("<td>&lt;b&gt;&amp;&quot;'<td>\xef\xbf\xbd\xef\xbf\xbd<td>");
}

static void test_table_is_the_same_at_every_cap(void **state)
{
    static char whole[sizeof document];
    char id[QR_ID_MAX + 1];

    (void)state;
    for (unsigned i = 1; i < 8; i++) {
        memset(id, i % 2 != 0 ? '"' : 'x', sizeof id);
        id[QR_ID_MAX - i] = '\0';
        put(id, id, "");
    }
    write_document("", 2000);
    strcpy(whole, document);
    for (size_t cap = 512; cap < 700; cap++) {
        write_document("", cap);
        assert_string_equal(document, whole);
    }
}

/* A filter that takes none of many lets others have their turn. */
static void test_table_looks_at_few_records_a_turn(void **state)
{
    struct qr_query query;
    struct qr_fault fault;
    struct qr_table table;
    struct qr_progress progress = {0};
    unsigned nothing = 0;

    (void)state;
    for (unsigned i = 0; i < 2 * QR_LOOKS_A_TURN; i++) {
        put("g", "u", "");
    }
    assert_int_equal(qr_query_read(&query, QR_TABLE_PARAMS, "userID=none", 11, &fault), 0);
    qr_table_begin(&table, &source, &query, &now);
    while (!progress.done) {
        nothing += qr_table_produce(&table, &source, document, 1400, &progress) == 0;
    }
    assert_true(nothing >= 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_table_looks_at_few_records_a_turn), TEST(test_table_shows_events),
        TEST(test_table_shows_what_is_asked_for),     TEST(test_table_tells_age_without_a_clock),
        TEST(test_table_has_no_markup_of_ids),        TEST(test_table_is_the_same_at_every_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

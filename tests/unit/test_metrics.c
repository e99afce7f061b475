/*
 * The text is read as Prometheus reads it: line by line, strictly.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/err.h"
#include "src/metrics.h"

static uint8_t ring_bytes[QR_RING_MIN];
static uint32_t ring_marks[QR_RING_MARKS(QR_RING_MIN)];
static struct qr_ring ring;
static struct qr_stats stats;
static const char *const names[] = {"callbackAlphaCommand", "callbackBetaCommand"};
static uint32_t name_counts[2];
static const struct qr_status_source status = {.ring = &ring,
                                               .stats = &stats,
                                               .version = "1.2.3",
                                               .board = "te\"st",
                                               .boot_id = "b007",
                                               .ignored_names = names,
                                               .ignored_counts = name_counts,
                                               .ignored_n = 2};
static struct qr_metrics_source source;
static struct qr_now now;
static char text[32000];

static int setup(void **state)
{
    (void)state;
    qr_ring_init(&ring, ring_bytes, sizeof ring_bytes, ring_marks);
    memset(&stats, 0, sizeof stats);
    memset(name_counts, 0, sizeof name_counts);
    source = (struct qr_metrics_source){.status = &status};
    now = (struct qr_now){.uptime_ms = 1234567};
    return 0;
}

static void write_text(size_t cap)
{
    static const char nothing[2000];
    struct qr_metrics metrics = {.now = now};
    struct qr_progress progress = {0};
    size_t len = 0;

    while (!progress.done) {
        char *bytes = guard_copy(nothing, cap);
        size_t n = qr_metrics_produce(&metrics, &source, bytes, cap, &progress);
        assert_true(n <= cap && len + n < sizeof text && (n != 0 || progress.done));
        memcpy(text + len, bytes, n);
        len += n;
    }
    text[len] = '\0';
}

/* Whether the text has exactly that line. */
static bool has_line(const char *line)
{
    size_t len = strlen(line);

    for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
        if ((at == text || at[-1] == '\n') && at[len] == '\n') {
            return true;
        }
    }
    return false;
}

static void assert_line(const char *line)
{
    if (!has_line(line)) {
        fail_msg("no line %s in\n%s", line, text);
    }
}

static size_t name_len(const char *at)
{
    return strspn(at, "abcdefghijklmnopqrstuvwxyz_");
}

/* Each metric has its HELP, then its TYPE, then its samples, once and together. */
static void test_metrics_are_what_prometheus_reads(void **state)
{
    static char seen[100][80];
    unsigned n_seen = 0;
    char type[20] = "", line[400];
    size_t len;

    (void)state;
    name_counts[1] = 5;
    write_text(1400);
    for (const char *at = text; *at != '\0'; at += len + 1) {
        len = strcspn(at, "\n");
        assert_true(len < sizeof line);
        snprintf(line, sizeof line, "%.*s", (int)len, at);
        if (strncmp(line, "# HELP ", 7) == 0) {
            size_t n = name_len(line + 7);
            assert_true(n > 9 && line[7 + n] == ' ' && line[8 + n] != '\0' && n_seen < 100);
            for (unsigned i = 0; i < n_seen; i++) {
                assert_true(strlen(seen[i]) != n || memcmp(seen[i], line + 7, n) != 0);
            }
            snprintf(seen[n_seen++], sizeof seen[0], "%.*s", (int)n, line + 7);
            type[0] = '\0';
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(sscanf(line + 7, "%*s %19s", type), 1);
            assert_memory_equal(line + 7, seen[n_seen - 1], strlen(seen[n_seen - 1]));
        } else { /* a sample of the last metric */
            size_t n = strlen(seen[n_seen - 1]);
            bool total = n > 6 && strcmp(seen[n_seen - 1] + n - 6, "_total") == 0;
            char *end;
            assert_memory_equal(line, seen[n_seen - 1], n);
            assert_int_equal(strcmp(type, "counter") == 0, total);
            assert_memory_equal(line, "quitring_", 9);
            (void)strtod(strrchr(line, ' ') + 1, &end);
            assert_int_equal(*end, '\0');
        }
    }
    assert_true(n_seen > 20);
}

static void test_metrics_tell_the_facts(void **state)
{
    struct qr_quit quit = {.group_id = "g", .user_id = "u", .group_id_len = 1, .user_id_len = 1};

    (void)state;
    for (int i = 0; i < 100; i++) {
        (void)qr_ring_put(&ring, &quit, &now);
    }
    write_text(1400);
    assert_line("quitring_build_info{version=\"1.2.3\",board=\"te\\\"st\"} 1");
    assert_line("quitring_uptime_seconds 1234.567");
    assert_line("quitring_clock_set 0");
    assert_line("quitring_ring_capacity_bytes 1024");
    assert_line("quitring_events_stored_total 100");
    char line[100];
    snprintf(line, sizeof line, "quitring_events_overwritten_total %u",
             (unsigned)(ring.first_seq - 1));
    assert_line(line);
    now.unix_ms = 1767323045678;
    now.uptime_ms = 60000;
    write_text(1400);
    assert_line("quitring_clock_set 1");
    assert_line("quitring_uptime_seconds 60.000");
}

/* Each counter of the status document stands here too: a new one needs its line. */
static void test_metrics_have_every_counter(void **state)
{
    uint32_t number = 1000;

    (void)state;
#define SET(name) stats.name = number++;
    QR_STATS(SET)
#undef SET
    write_text(1400);
    number = 1000;
#define LOOK(name)                                                                                 \
    {                                                                                              \
        char value[20];                                                                            \
        snprintf(value, sizeof value, " %u\n", (unsigned)number++);                                \
        if (strstr(text, value) == NULL && strcmp(#name, "callbacks") != 0) {                      \
            fail_msg("%s is not told", #name);                                                     \
        }                                                                                          \
    }
    QR_STATS(LOOK)
#undef LOOK
    assert_non_null(strstr(text, "quitring_callbacks_total{outcome=\"stored\"} "));
}

static void test_metrics_name_ignored_commands_that_came(void **state)
{
    (void)state;
    name_counts[1] = 5;
    write_text(1400);
    assert_line("quitring_ignored_callbacks_total{command=\"callbackBetaCommand\"} 5");
    assert_null(strstr(text, "Alpha"));
}

static void test_metrics_tell_refusals_by_error(void **state)
{
    (void)state;
    stats.refusals[qr_err_index(QR_ERR_ID_EMPTY)] = 3;
    write_text(1400);
    assert_line("quitring_refusals_total{code=\"5303\",status=\"422\"} 3");
    assert_line("quitring_refusals_total{code=\"5100\",status=\"400\"} 0");
    assert_line("quitring_refusals_total{code=\"5405\",status=\"503\"} 0");
}

static void test_metrics_sum_up_the_histogram(void **state)
{
    (void)state;
    qr_stats_latency(&stats, 0);
    qr_stats_latency(&stats, 1);
    qr_stats_latency(&stats, 7);
    qr_stats_latency(&stats, 9000);
    write_text(1400);
    assert_line("quitring_reply_latency_seconds_bucket{le=\"0.001\"} 2");
    assert_line("quitring_reply_latency_seconds_bucket{le=\"0.005\"} 2");
    assert_line("quitring_reply_latency_seconds_bucket{le=\"0.010\"} 3");
    assert_line("quitring_reply_latency_seconds_bucket{le=\"5.000\"} 3");
    assert_line("quitring_reply_latency_seconds_bucket{le=\"+Inf\"} 4");
    assert_line("quitring_reply_latency_seconds_sum 9.008");
    assert_line("quitring_reply_latency_seconds_count 4");
}

static bool gauge(unsigned i, struct qr_gauge *out)
{
    static const struct qr_gauge gauges[] = {
        {"pool_used", "Used.", "pool", "one", 1},
        {"pool_used", "Used.", "pool", "two", 2},
        {"pool_failures_total", "Failed.", NULL, NULL, 3},
    };

    if (i >= 3) {
        return false;
    }
    *out = gauges[i];
    return true;
}

static void test_metrics_tell_what_rooms_above_know(void **state)
{
    (void)state;
    source.gauge = gauge;
    write_text(1400);
    assert_line("# TYPE quitring_pool_used gauge");
    assert_line("quitring_pool_used{pool=\"one\"} 1");
    assert_line("quitring_pool_used{pool=\"two\"} 2");
    assert_line("# TYPE quitring_pool_failures_total counter");
    assert_line("quitring_pool_failures_total 3");
}

static void test_metrics_are_the_same_at_every_cap(void **state)
{
    static char whole[sizeof text];

    (void)state;
    source.gauge = gauge;
    memset(&stats, 0xff, sizeof stats); /* the longest numbers */
    name_counts[0] = name_counts[1] = UINT32_MAX;
    write_text(2000);
    strcpy(whole, text);
    for (size_t cap = 512; cap < 900; cap += 3) {
        write_text(cap);
        assert_string_equal(text, whole);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_metrics_are_what_prometheus_reads),
        TEST(test_metrics_tell_the_facts),
        TEST(test_metrics_have_every_counter),
        TEST(test_metrics_name_ignored_commands_that_came),
        TEST(test_metrics_tell_refusals_by_error),
        TEST(test_metrics_sum_up_the_histogram),
        TEST(test_metrics_tell_what_rooms_above_know),
        TEST(test_metrics_are_the_same_at_every_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

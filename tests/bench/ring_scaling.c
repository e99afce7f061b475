/*
 * What a ring of CAPACITY bytes is made to do, one after the other: pushes while it is empty, half
 * full and turned over, and status documents of the full one. Each runs inside measured(), where a
 * profiler can count, and has a line: its name, how often it was done, and ns of CPU time for each.
 *
 *     ring_scaling CAPACITY
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "status.h"

#define TIMES 32 /* so many quits fit into half of the smallest ring */

static struct qr_ring ring;
static const struct qr_stats stats;
static const struct qr_status_source source = {&ring, &stats, "1", "bench", "0123456789abcdef",
                                               NULL,  NULL,   0};
static const struct qr_now now = {.uptime_ms = 1000};

/* Quits of two groups in turn. */
static void push(unsigned times)
{
    struct qr_quit quit = {.user_id = "user123", .group_id_len = 4, .user_id_len = 7};

    for (; times > 0; times--) {
        quit.group_id = times % 2 == 0 ? "G000" : "G001";
        (void)qr_ring_put(&ring, &quit, &now);
    }
}

static void poll(const char *text)
{
    static struct qr_status status;
    char bytes[1400];
    struct qr_query query;
    struct qr_fault fault;
    struct qr_progress progress = {.done = false};

    if (qr_query_read(&query, QR_STATUS_PARAMS, text, strlen(text), &fault) < 0) {
        abort();
    }
    qr_status_begin(&status, &source, &query, &now);
    while (!progress.done) {
        (void)qr_status_produce(&status, &source, bytes, sizeof bytes, &progress);
    }
}

static void pushes(const char *nothing)
{
    (void)nothing;
    push(TIMES);
}

static void polls(const char *text)
{
    for (unsigned i = 0; i < TIMES; i++) {
        poll(text);
    }
}

/* Not inlined, so that it has a name where it is counted. */
static __attribute__((noinline)) void measured(void (*work)(const char *), const char *text)
{
    work(text);
}

static void measure(const char *name, void (*work)(const char *), const char *text)
{
    struct timespec begin, end;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    measured(work, text);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    long long ns = (end.tv_sec - begin.tv_sec) * 1000000000LL + (end.tv_nsec - begin.tv_nsec);
    printf("%s\t%d\t%lld\n", name, TIMES, ns / TIMES);
}

static void fill_to(uint32_t bytes)
{
    while (ring.used < bytes) {
        push(2);
    }
}

int main(int argc, char **argv)
{
    uint32_t capacity = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    char since[60];

    if (capacity < 4096) {
        fprintf(stderr, "usage: ring_scaling CAPACITY, at least 4096\n");
        return 2;
    }
    qr_ring_init(&ring, malloc(capacity), capacity,
                 malloc(QR_RING_MARKS(capacity) * sizeof(uint32_t)));
    measure("a push, empty", pushes, NULL);
    fill_to(capacity / 2);
    measure("a push, half full", pushes, NULL);
    while (qr_ring_overwritten(&ring) <= qr_ring_stored(&ring)) {
        push(2);
    }
    measure("a push, turned over", pushes, NULL);
    snprintf(since, sizeof since, "since=%llu", (unsigned long long)ring.last_seq);
    measure("since the newest", polls, since);
    measure("the newest 100", polls, "");
    measure("the newest 50 of a group", polls, "limit=50&groupID=G001");
    snprintf(since, sizeof since, "limit=1&since=%llu",
             (unsigned long long)(ring.first_seq + qr_ring_stored(&ring) / 2));
    measure("1 since the middle", polls, since);
    return 0;
}

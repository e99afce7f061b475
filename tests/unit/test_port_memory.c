/*
 * The port when lwIP finds no memory: each of its allocations fails once, and each of its pools is
 * empty for a while. What a client then does is what TCP does: it sends again what was not
 * acknowledged, and connects anew where it was reset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "lwip/mem.h"
#include "lwip/memp.h"
#include "lwip/stats.h"
#include "lwip/tcpip.h"
#include "port_memory.h"
#include "port_rig.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

/* More often than that nobody has to try. */
#define TRIES 12

/* An unlikely number of allocations. */
#define ALLOCATIONS_MAX 1000

/* A document of a few segments. */
#define STATUS "GET /status?limit=40 HTTP/1.1\r\nHost: 192.168.1.50\r\n\r\n"

/* We are the first to close. */
#define LAST_HEALTH "GET /healthz HTTP/1.0\r\n\r\n"

static struct peer peer, other;

/* ---- what the test has taken away ---- */

static void *taken[4096];
static size_t n_taken;

static void take_pool(memp_t pool)
{
    LOCK_TCPIP_CORE();
    while ((taken[n_taken] = memp_malloc(pool)) != NULL) {
        n_taken++;
    }
    UNLOCK_TCPIP_CORE();
}

static void take_heap(void)
{
    LOCK_TCPIP_CORE();
    for (mem_size_t len = 8192; len >= 8; len /= 2) {
        while ((taken[n_taken] = mem_malloc(len)) != NULL) {
            n_taken++;
        }
    }
    UNLOCK_TCPIP_CORE();
}

/* pool MEMP_MAX: the heap. */
static void give_back(memp_t pool)
{
    LOCK_TCPIP_CORE();
    while (n_taken != 0) {
        if (pool == MEMP_MAX) {
            mem_free(taken[--n_taken]);
        } else {
            memp_free(pool, taken[--n_taken]);
        }
    }
    UNLOCK_TCPIP_CORE();
}

static int open_rig(void **state)
{
    return rig_open(state);
}

static int close_rig(void **state)
{
    memory_fail(0);
    return rig_close(state);
}

/* ---- clients that do not give up ---- */

static void connect_at_last(struct peer *who)
{
    for (unsigned i = 0; i < TRIES; i++) {
        peer_open(who);
        peer_send(who, SYN, NULL, 0);
        rig_settle();
        for (unsigned j = 0; j < TRIES && !who->syn && !who->reset; j++) {
            rig_run(1000);
            who->seq--;
            peer_send(who, SYN, NULL, 0);
            rig_settle();
        }
        peer_ack(who);
        rig_settle();
        if (who->syn && !who->reset) {
            return;
        }
    }
    fail_msg("no connection");
}

static bool has_come(const struct peer *who, size_t before, const char *end)
{
    return strstr(who->bytes + before, end) != NULL;
}

/* Whether the reply came, whose end that is. */
static bool ask(struct peer *who, const char *request, const char *end)
{
    uint32_t start = who->seq;
    size_t before = who->len, len = strlen(request);

    peer_say(who, request);
    rig_settle();
    for (unsigned i = 0; i < TRIES && !has_come(who, before, end) && !who->reset; i++) {
        size_t done = who->acked - start;
        peer_ack(who);
        if (done < len) {
            peer_send_at(who, start + (uint32_t)done, request + done, len - done);
        }
        rig_run(1000);
    }
    peer_ack(who);
    rig_settle();
    return has_come(who, before, end);
}

static void ask_at_last(struct peer *who, const char *request, const char *end)
{
    for (unsigned i = 0; i < TRIES; i++) {
        if (ask(who, request, end)) {
            return;
        }
        connect_at_last(who);
    }
    fail_msg("no answer");
}

static void leave_at_last(struct peer *who)
{
    peer_send(who, ACK | FIN, NULL, 0);
    rig_settle();
    for (unsigned i = 0; i < TRIES && !who->fin && !who->reset; i++) {
        rig_run(1000);
        who->seq--;
        peer_send(who, ACK | FIN, NULL, 0);
        rig_settle();
    }
    assert_true(who->fin || who->reset);
    peer_ack(who);
    rig_settle();
}

/* All that our side does for its clients, and a host that it must look for. */
static void live(void)
{
    uint8_t frame[WIRE_FRAME_MAX];
    unsigned pings;

    connect_at_last(&peer);
    ask_at_last(&peer, RIG_CALLBACK, "\"nextCode\":0}");
    ask_at_last(&peer, STATUS, "\r\n0\r\n\r\n");
    peer_send_at(&peer, peer.seq + 10, "too early", 9);
    ask_at_last(&peer, RIG_CALLBACK, "\"nextCode\":0}");
    connect_at_last(&other);
    ask_at_last(&other, LAST_HEALTH, "ok\n");
    leave_at_last(&other); /* it was told to */
    pings = wire.pings;
    for (unsigned i = 0; i < TRIES && wire.pings == pings; i++) {
        wire_deliver(frame, wire_ping(frame, 1000));
        rig_settle();
    }
    assert_true(wire.pings > pings);
    leave_at_last(&peer);
}

/* Nothing is left of it: all memory is back, and all is served at the first attempt. */
static void check_recovered(void)
{
    static struct peer visitor;

    rig_run(QR_CLOSE_TIMEOUT_MS * 3);
    rig_check_memory();
    rig_connect(&visitor);
    rig_callback_served(&visitor);
    rig_exchange(&visitor, RIG_HEALTH, RIG_HEALTH_REPLY);
    rig_leave(&visitor);
    rig_check_memory();
}

/* ---- tests ---- */

static void test_port_memory_survives_each_allocation_that_fails(void **state)
{
    bool came = true;
    unsigned n;

    (void)state;
    rig_fill_ring(40, 20);
    for (n = 1; came; n++) {
        uint32_t stored = rig.stats.stored;
        assert_in_range(n, 0, ALLOCATIONS_MAX);
        wire_reset();
        memory_fail(n);
        live();
        came = memory_failed();
        memory_fail(0);
        assert_in_range(rig.stats.stored - stored, 2, came ? 3 : 2);
        check_recovered();
    }
    assert_in_range(n, 50, ALLOCATIONS_MAX); /* or it was all in vain */
}

/* What comes while there is no memory may find no answer, and may cost a connection. */
static void try_to_live(void)
{
    uint8_t frame[WIRE_FRAME_MAX];

    (void)ask(&peer, RIG_CALLBACK, "\"nextCode\":0}");
    for (unsigned i = 0; i < QR_LWIP_BACKLOG + 2; i++) {
        peer_open(&other);
        peer_send(&other, SYN, NULL, 0);
        rig_settle();
        peer_send(&other, ACK | PSH, RIG_HEALTH, sizeof RIG_HEALTH - 1);
        wire_deliver(frame, wire_ping(frame, 100));
        wire_deliver(frame, wire_arp_request(frame, WIRE_HOST_ADDR + 1 + i, WIRE_OUR_ADDR));
        rig_run(500);
        peer_send(&other, RST | ACK, NULL, 0);
        rig_settle();
    }
    rig_run(30000);
}

/* Timers are left out: there is one for each that lwIP has, and it ends the program without. */
static void test_port_memory_recovers_from_each_pool_that_was_empty(void **state)
{
    (void)state;
    rig_fill_ring(40, 20);
    for (memp_t pool = 0; pool <= MEMP_MAX; pool++) {
        if (pool == MEMP_SYS_TIMEOUT) {
            continue;
        }
        wire_reset();
        connect_at_last(&peer);
        if (pool == MEMP_MAX) {
            take_heap();
        } else {
            take_pool(pool);
        }
        try_to_live();
        give_back(pool);
        wire_reset();
        live();
        wire.rejects = true; /* those who left nobody knows any more */
        rig_run(RIG_REST_MS);
        wire_reset();
        check_recovered();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_port_memory_survives_each_allocation_that_fails),
        TEST(test_port_memory_recovers_from_each_pool_that_was_empty),
    };

    return cmocka_run_group_tests_name("port_memory", tests, rig_start, NULL);
}

#include "fake_board.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FRAMES   1024
#define LINE_MAX 512

/* Looks at the card without anything that a test did in between: more of them are a loop. */
#define LOOKS_MAX 1000000

struct queue {
    size_t first, used;
    struct {
        size_t len;
        uint8_t bytes[FAKE_BOARD_FRAME_OUT_MAX];
    } frames[FRAMES];
};

_Static_assert(QR_BOARD_FRAME_MAX <= FAKE_BOARD_FRAME_OUT_MAX, "a frame in fits into the queue");

const char qr_board_name[] = "fake";

static struct queue in, later, out;
static bool refusing, stopping, asleep, ended;
static uint64_t uptime_ms = FAKE_BOARD_START_MS;
static uint64_t unix_start_ms;
static uint64_t chance = 1;
static unsigned looks, waits;
static char lines[QR_LOG_DEBUG + 1][LINE_MAX];
static jmp_buf *exit_to;

/* ---- the queues ---- */

static void put(struct queue *queue, const void *frame, size_t len)
{
    size_t i = (queue->first + queue->used) % FRAMES;

    assert_true(queue->used < FRAMES);
    queue->frames[i].len = len;
    memcpy(queue->frames[i].bytes, frame, len);
    queue->used++;
}

static size_t take(struct queue *queue, uint8_t *frame)
{
    size_t len = queue->used == 0 ? 0 : queue->frames[queue->first].len;

    if (len != 0) {
        memcpy(frame, queue->frames[queue->first].bytes, len);
        queue->first = (queue->first + 1) % FRAMES;
        queue->used--;
    }
    return len;
}

static void wake(void)
{
    uint8_t frame[FAKE_BOARD_FRAME_OUT_MAX];
    size_t len;

    while ((len = take(&later, frame)) != 0) {
        put(&in, frame, len);
    }
}

/* ---- what tests do ---- */

void fake_board_reset(void)
{
    in.used = later.used = out.used = 0;
    refusing = stopping = asleep = false;
    unix_start_ms = 0;
    looks = 0;
    memset(lines, 0, sizeof lines);
    exit_to = NULL;
}

void fake_board_rewind(uint64_t to_ms)
{
    fake_board_reset();
    uptime_ms = to_ms;
    chance = 1;
}

void fake_board_deliver(const void *frame, size_t len)
{
    looks = 0;
    if (len != 0 && len <= QR_BOARD_FRAME_MAX) {
        put(asleep ? &later : &in, frame, len);
    }
}

void fake_board_deliver_asleep(bool on)
{
    asleep = on;
    if (!on) {
        wake();
    }
}

size_t fake_board_waiting(void)
{
    return in.used + later.used;
}

size_t fake_board_sent(uint8_t *frame)
{
    return take(&out, frame);
}

void fake_board_refuse(bool refuse)
{
    refusing = refuse;
}

void fake_board_pass(uint32_t ms)
{
    uptime_ms += ms;
    looks = 0;
}

unsigned fake_board_waits(void)
{
    return waits;
}

void fake_board_set_clock(uint64_t unix_ms)
{
    unix_start_ms = unix_ms;
}

void fake_board_stop(void)
{
    stopping = true;
}

const char *fake_board_logged(enum qr_log_level level)
{
    return lines[level];
}

bool fake_board_ended(void)
{
    return ended;
}

void fake_board_on_exit(jmp_buf *place)
{
    exit_to = place;
}

/* ---- board.h ---- */

int qr_board_init(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

struct qr_board_text qr_board_text(int i)
{
    (void)i;
    return (struct qr_board_text){0};
}

void qr_board_log(enum qr_log_level level, const char *line)
{
    for (size_t i = level; i <= QR_LOG_DEBUG; i++) {
        strncpy(lines[i], line, LINE_MAX - 1);
    }
}

void qr_board_log_level(enum qr_log_level level)
{
    (void)level;
}

void qr_board_print(const char *text)
{
    (void)text;
}

_Noreturn void qr_board_exit(int status)
{
    if (exit_to != NULL) {
        longjmp(*exit_to, status + 1);
    }
    ended = true;
    fail_msg("the program ended with status %d: %s", status, lines[QR_LOG_DEBUG]);
    abort();
}

_Noreturn void qr_board_panic(const char *what)
{
    qr_board_log(QR_LOG_ERROR, what);
    qr_board_exit(1);
}

bool qr_board_stopping(void)
{
    return stopping;
}

uint64_t qr_board_uptime_ms(void)
{
    return uptime_ms;
}

uint64_t qr_board_unix_ms(void)
{
    return unix_start_ms == 0 ? 0 : unix_start_ms + uptime_ms;
}

/* A linear congruential generator: Knuth's MMIX constants, of which the upper bits are good. */
void qr_board_random(void *bytes, size_t len)
{
    uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++) {
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        at[i] = (uint8_t)(chance >> 56);
    }
}

int qr_board_nic_open(const struct qr_board_nic_config *config)
{
    (void)config;
    return 0;
}

const uint8_t *qr_board_mac(void)
{
    static const uint8_t mac[6] = {0x02, 0x51, 0x52, 0x00, 0x00, 0x01};

    return mac;
}

/* Uses all that a card may, and wants what it may rely on. */
size_t qr_board_frame_in(uint8_t *frame)
{
    assert_int_equal((uintptr_t)frame % sizeof(uint32_t), QR_BOARD_FRAME_PAD);
    memset(frame - QR_BOARD_FRAME_PAD, 0xdb, QR_BOARD_FRAME_PAD + QR_BOARD_FRAME_MAX);
    return take(&in, frame);
}

int qr_board_frame_out(const uint8_t *frame, size_t len)
{
    assert_in_range(len, 14, FAKE_BOARD_FRAME_OUT_MAX);
    if (refusing) {
        return -1;
    }
    put(&out, frame, len);
    return 0;
}

void qr_board_wait(uint32_t timeout_ms)
{
    waits++;
    if (++looks > LOOKS_MAX) {
        fail_msg("it waits without end for something that does not come");
    }
    if (in.used != 0) {
        return;
    }
    if (timeout_ms != 0 && later.used != 0) {
        wake();
        return;
    }
    if (timeout_ms == UINT32_MAX) {
        fail_msg("it sleeps for ever");
    }
    uptime_ms += timeout_ms;
}

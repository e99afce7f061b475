/* Settings, chance, sleep and end of a bare board. */
#include "boards/board.h"

#include <assert.h>
#include <errno.h>

#include "blob.h"
#include "chance.h"
#include "clock.h"
#include "console.h"
#include "fault.h"
#include "nic.h"

const char qr_board_usage[] = "";

/* Where the settings blob is: in the PSRAM, which is used for nothing else. */
#define BLOB_AT        ((const uint8_t *)0x21000000)
#define BLOB_BYTES_MAX 4096

static const char defaults[] = "net=card\n";
static struct qr_blob blob;
static struct qr_chance chance;

/* A restart leaves it as it was; without it, each would give the same random bytes again. */
static __attribute__((section(".noinit"))) uint8_t kept_seed[QR_CHANCE_KEY_BYTES];

/* ---- start ---- */

static bool read_blob(void)
{
    static const struct {
        enum qr_log_level level;
        const char *line;
    } faults[] = {
        [QR_BLOB_ABSENT] = {QR_LOG_INFO, "no settings blob: defaults"},
        [QR_BLOB_VERSION] = {QR_LOG_WARNING, "settings blob: its version is not 1: defaults"},
        [QR_BLOB_LENGTH] = {QR_LOG_WARNING, "settings blob: its text is too long: defaults"},
        [QR_BLOB_CHECKSUM] = {QR_LOG_WARNING, "settings blob: its checksum is wrong: defaults"},
    };
    enum qr_blob_state state = qr_blob_read(&blob, BLOB_AT, BLOB_BYTES_MAX);

    if (state != QR_BLOB_FINE) {
        qr_board_log(faults[state].level, faults[state].line);
    }
    return state == QR_BLOB_FINE;
}

int qr_board_init(int argc, char **argv)
{
    bool found = read_blob();

    (void)argc;
    (void)argv;
    qr_chance_stir(&chance, kept_seed, sizeof kept_seed);
    if (found) {
        qr_chance_stir(&chance, blob.seed, QR_BLOB_SEED_BYTES);
    } else {
        qr_board_log(QR_LOG_WARNING, "no seed: boot ID and sequence numbers can be guessed");
    }
    qr_chance_bytes(&chance, kept_seed, sizeof kept_seed);
    return found ? 2 : 1;
}

struct qr_board_text qr_board_text(int i)
{
    if (i == 0) {
        return (struct qr_board_text){"defaults", defaults, sizeof defaults - 1, false, true};
    }
    return (struct qr_board_text){"settings blob", blob.text, blob.len, false, true};
}

/* ---- end ---- */

/* Not a restart: it would only come to the same end again. */
_Noreturn void qr_board_exit(int status)
{
    (void)status;
    qr_watchdog_stop();
    qr_board_log(QR_LOG_INFO, "stopped");
    for (;;) {
        qr_clock_sleep(QR_SLEEP_MAX_MS);
    }
}

_Noreturn void qr_board_panic(const char *what)
{
    qr_board_log(QR_LOG_ERROR, what);
    qr_board_log(QR_LOG_ERROR, "restarting");
    qr_restart();
}

bool qr_board_stopping(void)
{
    return false;
}

/* ---- time and chance ---- */

uint64_t qr_board_uptime_ms(void)
{
    return qr_clock_ms();
}

uint64_t qr_board_unix_ms(void)
{
    return 0;
}

/* Whoever asks does so because of a frame, whose moment nobody knows to the tick. */
void qr_board_random(void *bytes, size_t len)
{
    uint32_t ticks = qr_clock_ticks();

    qr_chance_stir(&chance, &ticks, sizeof ticks);
    qr_chance_bytes(&chance, bytes, len);
}

void qr_board_wait(uint32_t timeout_ms)
{
    qr_watchdog_feed();
    if (timeout_ms == 0) {
        return;
    }
    if (!qr_nic_arm()) {
        qr_clock_sleep(timeout_ms < QR_SLEEP_MAX_MS ? timeout_ms : QR_SLEEP_MAX_MS);
    }
    qr_nic_awake();
}

/* ---- what the C library asks for ---- */

/* In place of its own, which is thread-local: there is one thread. */
int *qr_errno(void)
{
    static int number;

    return &number;
}

/* A failed assert(). */
_Noreturn void __assert_func(const char *file, int line, const char *function, const char *what)
{
    (void)line;
    (void)function;
    qr_console_text(file);
    qr_console_text(": ");
    qr_board_panic(what);
}

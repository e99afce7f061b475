/*
 * Linux as a board: log, signals, clocks, chance.
 *
 * SIGINT and SIGTERM are blocked from qr_board_init() on, and let in only while the process sleeps
 * in ppoll() with an empty mask. So none can come between the look at qr_board_stopping() and the
 * sleep, and be slept over. Whoever else sleeps (the kernel's sockets) must sleep in that way too.
 */
#include "boards/board.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cmdline.h"
#include "machine.h"

#define LINE_BYTES 512

/* ppoll() that finds something ready at once returns without letting a signal in. Under such a load
 * every so many looks at the flag ask the kernel, too. */
#define LOOKS_PER_ASKING 64

/* A router without a battery starts in 1970, or where its image was made, until NTP has told it the
 * time. What is before 2024-01-01 is no time. */
#define CLOCK_SET_S 1704067200

static volatile sig_atomic_t stop_asked;
static enum qr_log_level level_max = QR_LOG_INFO;
static struct timespec start;

static uint64_t ms_of(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000u + (uint64_t)time->tv_nsec / 1000000u;
}

static void stop_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static void take_signals(void)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, NULL);

    struct sigaction action = {.sa_handler = stop_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    /* A reader of ours that goes away shows as EPIPE. */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

int qr_board_init(int argc, char **argv)
{
    qr_machine_command(argc, argv);
    clock_gettime(CLOCK_MONOTONIC, &start);
    take_signals();
    qr_machine_start();
    return qr_cmdline_read(argc, argv);
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR) {
            return; /* nobody is left to tell */
        }
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
}

/* One write() for the whole line, so that lines of several processes do not mix. */
void qr_board_log(enum qr_log_level level, const char *line)
{
    static const char *const words[] = {"error", "warn ", "info ", "debug"};
    char text[LINE_BYTES];
    struct timespec now;
    struct tm tm;

    if (level > level_max) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t time_len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    int n = snprintf(text + time_len, sizeof text - time_len, ".%03uZ %s %s",
                     (unsigned)(now.tv_nsec / 1000000), words[level], line);
    if (n < 0) {
        return;
    }
    size_t len = time_len + (size_t)n;
    if (len > sizeof text - 1) {
        len = sizeof text - 1;
        memcpy(text + len - 3, "...", 3);
    }
    for (size_t i = time_len; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            text[i] = '?';
        }
    }
    text[len] = '\n'; /* in place of the terminating NUL */
    write_all(STDERR_FILENO, text, len + 1);
}

void qr_board_log_level(enum qr_log_level level)
{
    level_max = level;
}

void qr_board_print(const char *text)
{
    write_all(STDOUT_FILENO, text, strlen(text));
}

_Noreturn void qr_board_exit(int status)
{
    qr_machine_exit(status);
}

_Noreturn void qr_board_panic(const char *what)
{
    qr_board_log(QR_LOG_ERROR, what);
    qr_machine_restart();
}

bool qr_board_stopping(void)
{
    static unsigned looks;
    sigset_t pending;

    if (!stop_asked && ++looks % LOOKS_PER_ASKING == 0 && sigpending(&pending) == 0) {
        stop_asked = sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
    }
    return stop_asked != 0;
}

uint64_t qr_board_uptime_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ms_of(&now) - ms_of(&start);
}

uint64_t qr_board_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec < CLOCK_SET_S ? 0 : ms_of(&now);
}

void qr_board_random(void *bytes, size_t len)
{
    uint8_t *at = bytes;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno != EINTR) {
            qr_board_log(QR_LOG_ERROR, "the kernel gives no random bytes: getrandom() failed");
            qr_board_exit(1);
        }
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
}

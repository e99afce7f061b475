/*
 * Time without ticks: timer 0 runs freely, timer 1 ends a sleep. And the watchdog, since it bounds
 * how long a sleep may be.
 */
#ifndef QR_CLOCK_H
#define QR_CLOCK_H

#include <stdint.h>

/* Milliseconds: the watchdog's period, and the longest sleep, so that whoever feeds the watchdog
 * before each sleep has as much for his own work. */
#define QR_WATCHDOG_MS  8000u
#define QR_SLEEP_MAX_MS 4000u

/* First of all; nothing else works before. */
void qr_clock_start(void);

/* Since start. Asked at least once a minute: timer 0 goes round in 171 s. */
uint64_t qr_clock_ms(void);

/* Counts down, QR_CLOCK_HZ a second, and goes round. */
uint32_t qr_clock_ticks(void);

/* How many of them were slept; goes round, too. `make bench` reads it through the debugger. */
extern uint32_t qr_clock_slept_ticks;

/* Sleeps until an enabled interrupt is pending, or timeout_ms (at most QR_SLEEP_MAX_MS) are over.
 */
void qr_clock_sleep(uint32_t timeout_ms);

/* The first time, starts the watchdog. Left without this for QR_WATCHDOG_MS, it restarts the board.
 */
void qr_watchdog_feed(void);
void qr_watchdog_stop(void);

#endif

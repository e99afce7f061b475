/*
 * A board for tests, in memory: frames wait in queues, time stands still unless somebody waits or a
 * test lets it pass, and chance is the same in every run. What ends a program fails the test.
 */
#ifndef QR_FAKE_BOARD_H
#define QR_FAKE_BOARD_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boards/board.h"

#define FAKE_BOARD_FRAME_OUT_MAX 1514

/* Uptime at the start: the lower 32 bits of it, which is what lwIP has for a clock, wrap half a
 * minute later, so that every test program sees that happen. */
#define FAKE_BOARD_START_MS (UINT32_MAX - 30000ull)

/* Empties the queues and the log; forgets what a test has asked for. Time goes on. */
void fake_board_reset(void);

/* The same, and time and chance are what they were then. */
void fake_board_rewind(uint64_t uptime_ms);

/* A frame comes in over the wire. As every board does, it drops one over QR_BOARD_FRAME_MAX. */
void fake_board_deliver(const void *frame, size_t len);

/* From now on frames come in while somebody sleeps, and wake him; or at once, as at first. */
void fake_board_deliver_asleep(bool asleep);

/* Frames that have come in, and that nobody has taken yet. */
size_t fake_board_waiting(void);

/* Takes the next frame that went out; frame has FAKE_BOARD_FRAME_OUT_MAX bytes. Returns its length;
 * 0: there is none. */
size_t fake_board_sent(uint8_t *frame);

/* From now on the card refuses to send, or takes frames again. */
void fake_board_refuse(bool refuse);

/* Time passes while nobody looks. */
void fake_board_pass(uint32_t ms);

/* How often somebody has waited for frames, and so woken the machine, since the start. */
unsigned fake_board_waits(void);

/* The wall clock at uptime 0; 0, as at first: there is none. */
void fake_board_set_clock(uint64_t unix_ms);

/* Somebody asks the program to stop. */
void fake_board_stop(void);

/* The last line logged at this level or a graver one; "" when there is none. */
const char *fake_board_logged(enum qr_log_level level);

/* Where to go, with the status + 1, in place of ending the program; NULL: the test fails. */
void fake_board_on_exit(jmp_buf *place);

/* Whether the program has ended for real in a test before: nothing that follows has a meaning. */
bool fake_board_ended(void);

#endif

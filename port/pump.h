/*
 * The pump: what stands for lwIP's thread. Called by whatever waits, and at least once a turn of
 * the server's loop; never calls the server.
 */
#ifndef QR_PORT_PUMP_H
#define QR_PORT_PUMP_H

#include <stdbool.h>
#include <stdint.h>

/* Sleeps in the board until a frame, lwIP's next timer or timeout_ms, whichever is first (0: does
 * not sleep); then hands waiting frames to lwIP, runs its timers and empties its mailbox. */
void qr_pump(uint32_t timeout_ms);

/* The same, for at most what is left of timeout_ms since start_ms (0: no limit). Returns false, and
 * does nothing, when that is over, and once when the board is asked to stop, so that the loop hears
 * of it. */
bool qr_pump_more(uint32_t start_ms, uint32_t timeout_ms);

/* Whether no frame was left waiting by the last one; and when that was last so (sys_now()). */
bool qr_pump_caught_up(void);
uint32_t qr_pump_caught_up_ms(void);

/* Hands at most one waiting frame of the board to lwIP (port/netif_board.c). False: none waits, or
 * lwIP has no room for it now. */
bool qr_netif_board_input(void);

/* Whether a frame waits that was taken from the board: the board will not wake anybody for it. */
bool qr_netif_board_waits(void);

#endif

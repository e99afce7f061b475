/* The serial line: UART 0, sending only. What nobody takes within a moment is dropped. */
#ifndef QR_CONSOLE_H
#define QR_CONSOLE_H

#include <stdint.h>

void qr_console_start(void);

/* As it is, but with a carriage return before each line feed, as terminals want it. */
void qr_console_text(const char *text);
void qr_console_hex(uint32_t value); /* 0x20000000 */

#endif

/* What people read of the board: log lines and prints, on the serial line. */
#include "console.h"

#include "boards/board.h"
#include "clock.h"
#include "registers.h"

#define BAUD 115200u

/* How long a byte may wait for its turn: dozens of times what one takes at that rate. */
#define PATIENCE_TICKS (QR_CLOCK_HZ / 200u)

static enum qr_log_level level_max = QR_LOG_INFO;

void qr_console_start(void)
{
    _Static_assert(QR_CLOCK_HZ / BAUD >= QR_UART_DIVIDER_MIN, "the UART can be this fast");
    QR_UART0->divider = QR_CLOCK_HZ / BAUD;
    QR_UART0->ctrl = QR_UART_SENDS;
}

/* Returns false when the line does not take it. */
static bool put(char c)
{
    uint32_t start = qr_clock_ticks();

    while ((QR_UART0->state & QR_UART_FULL) != 0) {
        if (start - qr_clock_ticks() > PATIENCE_TICKS) {
            return false;
        }
    }
    QR_UART0->data = (uint8_t)c;
    return true;
}

void qr_console_text(const char *text)
{
    bool taken = true;

    for (; taken && *text != '\0'; text++) {
        taken = (*text != '\n' || put('\r')) && put(*text);
    }
}

void qr_console_hex(uint32_t value)
{
    char text[] = "0x........";

    for (int i = 9; i >= 2; i--) {
        text[i] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    qr_console_text(text);
}

/* Right-aligned in width bytes, or more where it needs more. */
static void put_number(uint32_t value, unsigned width, char fill)
{
    char text[11]; /* 2^32 - 1 has ten digits */
    unsigned at = sizeof text - 1;

    text[at] = '\0';
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (sizeof text - 1 - at < width) {
        text[--at] = fill;
    }
    qr_console_text(text + at);
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

/* There is no date: seconds since start instead. */
void qr_board_log(enum qr_log_level level, const char *line)
{
    static const char *const words[] = {" error ", " warn  ", " info  ", " debug "};
    uint64_t now_ms = qr_clock_ms();

    if (level > level_max) {
        return;
    }
    put_number((uint32_t)(now_ms / 1000), 6, ' ');
    (void)put('.');
    put_number((uint32_t)(now_ms % 1000), 3, '0');
    qr_console_text(words[level]);
    for (; *line != '\0' && put(is_control(*line) ? '?' : *line); line++) {
    }
    qr_console_text("\n");
}

void qr_board_log_level(enum qr_log_level level)
{
    level_max = level;
}

void qr_board_print(const char *text)
{
    qr_console_text(text);
}

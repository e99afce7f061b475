/* Says where a fault was, or where the loop hung, and restarts the board. */
#include "fault.h"

#include <stdbool.h>
#include <stddef.h>

#include "console.h"
#include "registers.h"
#include "start.h"

#define EXCEPTION_NMI 2

/* What the processor saves on an exception (ARMv7-M ARM, B1.5.6). */
struct saved {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

/* CFSR, bit by bit (ARMv7-M ARM, B3.2.15). */
#define CFSR_MSTKERR   (1u << 4)
#define CFSR_MMARVALID (1u << 7)
#define CFSR_STKERR    (1u << 12)
#define CFSR_BFARVALID (1u << 15)

static const struct kind {
    uint32_t bit;
    const char *words;
} kinds[] = {
    {1u << 0, "no code may be here"},
    {1u << 1, "no data may be there"},
    {1u << 3, "cannot leave an exception"},
    {CFSR_MSTKERR | CFSR_STKERR, "the stack overflowed"},
    {1u << 8, "no code is here"},
    {1u << 9, "nothing is there"},
    {1u << 10, "nothing is where a write went, some instructions before"},
    {1u << 11, "cannot leave an exception"},
    {1u << 16, "no such instruction"},
    {1u << 17, "not Thumb code"},
    {1u << 18, "bad return from an exception"},
    {1u << 19, "no such coprocessor"},
    {1u << 24, "unaligned access"},
    {1u << 25, "division by zero"},
};

void qr_exception_report(uint32_t number, const struct saved *saved);

_Noreturn void qr_restart(void)
{
    QR_SCB->aircr = QR_AIRCR_RESET;
    for (;;) {
    }
}

static void say(const char *name, uint32_t value)
{
    qr_console_text(name);
    qr_console_hex(value);
}

static void say_kind(void)
{
    uint32_t cfsr = QR_SCB->cfsr;
    const char *before = ": ";

    qr_console_text("fault");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if ((cfsr & kinds[i].bit) != 0) {
            qr_console_text(before);
            qr_console_text(kinds[i].words);
            before = ", ";
        }
    }
    if ((cfsr & CFSR_MMARVALID) != 0) {
        say(" address=", QR_SCB->mmfar);
    } else if ((cfsr & CFSR_BFARVALID) != 0) {
        say(" address=", QR_SCB->bfar);
    }
    say(" cfsr=", cfsr);
    say(" hfsr=", QR_SCB->hfsr);
}

/* What overflowed the stack could not be saved on it. */
static bool was_saved(const struct saved *saved)
{
    return (QR_SCB->cfsr & (CFSR_MSTKERR | CFSR_STKERR)) == 0 && (const uint8_t *)saved >= qr_stack;
}

__attribute__((used)) void qr_exception_report(uint32_t number, const struct saved *saved)
{
    qr_console_text("\n");
    if (number == EXCEPTION_NMI) {
        qr_console_text("watchdog: the loop hangs");
    } else {
        say_kind();
    }
    say(" stack=", (uint32_t)saved);
    if (was_saved(saved)) {
        say(" pc=", saved->pc);
        say(" lr=", saved->lr);
    }
    qr_console_text("; restarting\n");
    qr_restart();
}

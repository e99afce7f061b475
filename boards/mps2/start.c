/*
 * From reset to main(). The program runs on its own stack (PSP), at the lower end of RAM; below it
 * nothing may be written, so that an overflow is a fault. Exceptions have another (MSP).
 *
 * Interrupts stay off (PRIMASK) from the first instruction on: what is enabled in the NVIC ends a
 * sleep, and no handler runs. So there are only three exceptions: reset; the NMI, which is the
 * watchdog's; and HardFault, to which every fault then escalates (ARMv7-M ARM, B1.5.14).
 */
#include "start.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "boards/board.h"
#include "clock.h"
#include "console.h"
#include "registers.h"

/* Of sections.ld: where things are, and, as an address, how many bytes. */
extern uint8_t qr_data_load[], qr_data[], qr_data_size[], qr_bss[], qr_bss_size[];
extern uint8_t qr_fault_stack_end[];

int main(int argc, char **argv);

/* What assembly calls. */
void qr_prepare(void);
void qr_run(void);
void qr_reset(void);
void qr_exception(void);

/* All below RAM can only be read: what the stack overflows into, and where null pointers lead. */
static void protect(void)
{
    QR_MPU->region = 0;
    QR_MPU->address = 0;
    QR_MPU->attributes = QR_MPU_READ_ONLY | QR_MPU_512_MB;
    QR_MPU->ctrl = QR_MPU_ON;
    __asm__ volatile("dsb\n isb" ::: "memory");
}

__attribute__((used)) void qr_prepare(void)
{
    memcpy(qr_data, qr_data_load, (size_t)qr_data_size);
    memset(qr_bss, 0, (size_t)qr_bss_size);
    memset(qr_stack, QR_STACK_PAINT, (size_t)qr_stack_size);
    protect();
    QR_SCB->ccr |= QR_CCR_DIV_0_TRP;
    qr_clock_start();
    qr_watchdog_feed();
    qr_console_start();
}

__attribute__((used)) void qr_run(void)
{
    (void)main(0, NULL);
    qr_board_exit(0);
}

/* Changes over to the program's stack. */
__attribute__((naked)) void qr_reset(void)
{
    __asm__("cpsid i\n"
            "bl qr_prepare\n"
            "ldr r0, =qr_stack_end\n"
            "msr psp, r0\n"
            "movs r0, #2\n" /* CONTROL.SPSEL */
            "msr control, r0\n"
            "isb\n"
            "b qr_run\n"
            ".ltorg\n");
}

/* qr_exception_report(which, registers that the processor saved). Bit 2 of LR tells the stack that
 * they are on. */
__attribute__((naked)) void qr_exception(void)
{
    __asm__("mrs r0, ipsr\n"
            "tst lr, #4\n"
            "ite eq\n"
            "mrseq r1, msp\n"
            "mrsne r1, psp\n"
            "b qr_exception_report\n");
}

struct vectors {
    uint8_t *stack;
    void (*reset)(void), (*nmi)(void), (*hard_fault)(void);
};
__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    qr_fault_stack_end, qr_reset, qr_exception, qr_exception};

/*
 * Registers of the processor and of the MPS2's own peripherals, as far as they are used here.
 * CMSDK: Arm DDI 0479, chapter 4. Processor: ARMv7-M Architecture Reference Manual, part B3.
 */
#ifndef QR_REGISTERS_H
#define QR_REGISTERS_H

#include <stdint.h>

typedef volatile uint32_t qr_register;

/* Every peripheral here, the processor too. */
#define QR_CLOCK_HZ 25000000u

/* ---- CMSDK: counts down to 0, then goes on from reload ---- */

struct qr_timer {
    qr_register ctrl, value, reload, interrupt;
};
#define QR_TIMER0           ((struct qr_timer *)0x40000000)
#define QR_TIMER1           ((struct qr_timer *)0x40001000)
#define QR_TIMER1_IRQ       9u
#define QR_TIMER_ENABLE     (1u << 0)
#define QR_TIMER_INTERRUPTS (1u << 3)

struct qr_uart {
    qr_register data, state, ctrl, interrupt, divider;
};
#define QR_UART0            ((struct qr_uart *)0x40004000)
#define QR_UART_FULL        (1u << 0) /* state */
#define QR_UART_SENDS       (1u << 0) /* ctrl */
#define QR_UART_DIVIDER_MIN 16u

/* Counts down from load to 0: the first time the NMI, the second time a reset. A write to clear
 * begins anew. */
struct qr_watchdog {
    qr_register load, value, ctrl, clear;
};
#define QR_WATCHDOG      ((struct qr_watchdog *)0x40008000)
#define QR_WATCHDOG_NMI  (1u << 0)
#define QR_WATCHDOG_BITE (1u << 1)

/* ---- processor ---- */

#define QR_NVIC_ENABLE ((qr_register *)0xe000e100)
#define QR_NVIC_CLEAR  ((qr_register *)0xe000e280)

struct qr_scb {
    qr_register cpuid, icsr, vtor, aircr, scr, ccr, shpr[3], shcsr, cfsr, hfsr, dfsr, mmfar, bfar;
};
#define QR_SCB           ((struct qr_scb *)0xe000ed00)
#define QR_AIRCR_RESET   (0x05fau << 16 | 1u << 2) /* with the key that lets it be written */
#define QR_CCR_DIV_0_TRP (1u << 4)
#define QR_HFSR_VECTTBL  (1u << 1)

struct qr_mpu {
    qr_register type, ctrl, region, address, attributes;
};
#define QR_MPU           ((struct qr_mpu *)0xe000ed90)
#define QR_MPU_ON        (1u << 2 | 1u << 0)             /* with the default map for the rest */
#define QR_MPU_READ_ONLY (6u << 24 | 1u << 17 | 1u << 0) /* ordinary memory */
#define QR_MPU_512_MB    (28u << 1)                      /* 2 to the power of 28 + 1 */

/* Interrupts are off for ever: a pending one that is enabled ends a sleep and is cleared. */
static inline void qr_irq_enable(unsigned irq)
{
    QR_NVIC_ENABLE[irq / 32] = 1u << irq % 32;
}

static inline void qr_irq_clear(unsigned irq)
{
    QR_NVIC_CLEAR[irq / 32] = 1u << irq % 32;
}

#endif

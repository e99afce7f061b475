#include "clock.h"

#include "registers.h"

#define TICKS_PER_MS (QR_CLOCK_HZ / 1000u)

uint32_t qr_clock_slept_ticks;

static uint64_t uptime_ms;
static uint32_t uptime_ticks; /* timer 0 when uptime_ms became what it is */

void qr_clock_start(void)
{
    QR_TIMER0->ctrl = 0;
    QR_TIMER0->reload = UINT32_MAX;
    QR_TIMER0->value = UINT32_MAX;
    QR_TIMER0->ctrl = QR_TIMER_ENABLE;
    QR_TIMER1->ctrl = 0;
    QR_TIMER1->interrupt = 1;
    qr_irq_clear(QR_TIMER1_IRQ);
    qr_irq_enable(QR_TIMER1_IRQ);
    uptime_ticks = UINT32_MAX;
}

uint32_t qr_clock_ticks(void)
{
    return QR_TIMER0->value;
}

/* By whole milliseconds, so that the division has 32 bits and no part of one is lost. */
uint64_t qr_clock_ms(void)
{
    uint32_t ms = (uptime_ticks - qr_clock_ticks()) / TICKS_PER_MS;

    uptime_ticks -= ms * TICKS_PER_MS;
    uptime_ms += ms;
    return uptime_ms;
}

void qr_clock_sleep(uint32_t timeout_ms)
{
    QR_TIMER1->reload = timeout_ms * TICKS_PER_MS;
    QR_TIMER1->value = timeout_ms * TICKS_PER_MS;
    QR_TIMER1->ctrl = QR_TIMER_ENABLE | QR_TIMER_INTERRUPTS;
    uint32_t begin = qr_clock_ticks();
    __asm__ volatile("dsb\n wfi" ::: "memory");
    qr_clock_slept_ticks += begin - qr_clock_ticks();
    QR_TIMER1->ctrl = 0;
    QR_TIMER1->interrupt = 1;
    qr_irq_clear(QR_TIMER1_IRQ);
}

void qr_watchdog_feed(void)
{
    QR_WATCHDOG->load = QR_WATCHDOG_MS * TICKS_PER_MS; /* counts anew from there */
    QR_WATCHDOG->ctrl = QR_WATCHDOG_NMI | QR_WATCHDOG_BITE;
}

void qr_watchdog_stop(void)
{
    QR_WATCHDOG->ctrl = 0;
}

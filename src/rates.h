/*
 * How many quits there were, by minute for the last hour and by hour for the last day: small
 * counters beside the ring, so that they are right after it has turned, too. They count on uptime.
 */
#ifndef QR_RATES_H
#define QR_RATES_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "reply.h"

#define QR_RATES_MINUTES 60
#define QR_RATES_HOURS   24

/* Minute m since start is at m modulo QR_RATES_MINUTES, and hours likewise. */
struct qr_rates {
    uint64_t ends_ms;                   /* uptime at which the minute ends that counts now */
    uint32_t minute;                    /* since start; that one */
    uint16_t minutes[QR_RATES_MINUTES]; /* stays at its most */
    uint32_t hours[QR_RATES_HOURS];
};

/* A quit was stored. rates is zeroed before the first. */
void qr_rates_count(struct qr_rates *rates, const struct qr_now *now);

/* A document under way: {"bootId":"…","uptimeMs":…,"time":…,"minutes":[…],"hours":[…]}, oldest
 * first, the last being the minute and the hour under way. */
struct qr_rates_text {
    struct qr_now now; /* when it began */
    uint8_t index;     /* elements written, of both lists; zeroed at its beginning */
};

/* Writes the next bytes, at most cap; cap is at least 512. */
size_t qr_rates_produce(struct qr_rates_text *text, struct qr_rates *rates, const char *boot_id,
                        char *bytes, size_t cap, struct qr_progress *progress);

#endif

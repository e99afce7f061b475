#include "rates.h"

#define MINUTE_MS 60000u

/* Bytes that the head of the document, or an element with what stands around it, takes at most. */
#define STEP_MAX 160

/* Minutes that have begun since the last quit begin with none. */
static void advance(struct qr_rates *rates, uint64_t uptime_ms)
{
    uint32_t minute, hour;

    if (uptime_ms < rates->ends_ms) { /* as for most quits; a division takes its time */
        return;
    }
    minute = (uint32_t)(uptime_ms / MINUTE_MS);
    hour = rates->minute / 60;
    if (minute - rates->minute > QR_RATES_MINUTES) { /* all of them */
        rates->minute = minute - QR_RATES_MINUTES;
    }
    while (rates->minute < minute) {
        rates->minute++;
        rates->minutes[rates->minute % QR_RATES_MINUTES] = 0;
    }
    if (minute / 60 - hour > QR_RATES_HOURS) {
        hour = minute / 60 - QR_RATES_HOURS;
    }
    while (hour < minute / 60) {
        hour++;
        rates->hours[hour % QR_RATES_HOURS] = 0;
    }
    rates->ends_ms = (minute + 1) * (uint64_t)MINUTE_MS;
}

void qr_rates_count(struct qr_rates *rates, const struct qr_now *now)
{
    uint16_t *minute;

    advance(rates, now->uptime_ms);
    minute = &rates->minutes[rates->minute % QR_RATES_MINUTES];
    *minute = (uint16_t)(*minute + (*minute < UINT16_MAX));
    rates->hours[rates->minute / 60 % QR_RATES_HOURS]++;
}

static void write_head(const struct qr_rates_text *text, const char *boot_id, struct qr_out *out)
{
    qr_out_text(out, "{\"bootId\":");
    qr_out_json(out, boot_id, strlen(boot_id));
    qr_out_text(out, ",\"uptimeMs\":");
    qr_out_u64(out, text->now.uptime_ms);
    qr_out_text(out, ",\"time\":");
    qr_out_time(out, text->now.unix_ms);
    qr_out_text(out, ",\"minutes\":[");
}

/* i: 0 is the oldest of the minutes, QR_RATES_MINUTES of the hours. Behind the newest comes the
 * oldest, in the array as in time. */
static void write_element(const struct qr_rates *rates, unsigned i, struct qr_out *out)
{
    if (i < QR_RATES_MINUTES) {
        qr_out_text(out, i == 0 ? "" : ",");
        qr_out_u64(out, rates->minutes[(rates->minute + 1 + i) % QR_RATES_MINUTES]);
        return;
    }
    i -= QR_RATES_MINUTES;
    qr_out_text(out, i == 0 ? "],\"hours\":[" : ",");
    qr_out_u64(out, rates->hours[(rates->minute / 60 + 1 + i) % QR_RATES_HOURS]);
}

size_t qr_rates_produce(struct qr_rates_text *text, struct qr_rates *rates, const char *boot_id,
                        char *bytes, size_t cap, struct qr_progress *progress)
{
    const unsigned all = QR_RATES_MINUTES + QR_RATES_HOURS;
    struct qr_out out;

    qr_out_init(&out, bytes, cap);
    if (text->index == 0) {
        advance(rates, text->now.uptime_ms);
        write_head(text, boot_id, &out);
    }
    while (text->index < all && out.cap - out.len >= STEP_MAX) {
        write_element(rates, text->index, &out);
        text->index++;
    }
    if (text->index == all) {
        qr_out_text(&out, "]}\n");
        progress->done = true;
    }
    return out.len;
}

#include "stats.h"

#include <stddef.h>

const uint16_t qr_latency_bounds_ms[QR_LATENCY_BOUNDS] = {1,   2,   5,   10,   20,   50,
                                                          100, 200, 500, 1000, 2000, 5000};

void qr_stats_latency(struct qr_stats *stats, uint64_t ms)
{
    size_t i = 0;

    while (i < QR_LATENCY_BOUNDS && ms > qr_latency_bounds_ms[i]) {
        i++;
    }
    stats->latency[i]++;
    stats->latency_sum_ms += ms;
}

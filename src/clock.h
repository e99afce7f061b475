/* Time is an argument everywhere in src/: whoever drives the server reads the board's clocks. */
#ifndef QR_CLOCK_H
#define QR_CLOCK_H

#include <stdint.h>

struct qr_now {
    uint64_t uptime_ms; /* since start; never goes back */
    uint64_t unix_ms;   /* since 1970-01-01T00:00:00Z; 0: this device has no wall clock (yet) */
};

#endif

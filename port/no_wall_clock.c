/* In place of wall_clock.c in a build without NTP: the board's own clock counts. */
#include "wall_clock.h"

#include "port.h"

uint64_t qr_net_lwip_unix_ms(uint64_t uptime_ms)
{
    (void)uptime_ms;
    return 0;
}

void qr_wall_clock_start(const char *ntp)
{
    (void)ntp;
}

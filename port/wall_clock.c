#include "wall_clock.h"

#include <stdbool.h>
#include <string.h>

#include "boards/board.h"
#include "lwip/apps/sntp.h"
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "ip6.h"
#include "port.h"

/* Unix seconds where NTP's count of 32 bits starts anew: 2036-02-07T06:28:16Z. Seconds are counted
 * from there in both directions, so that the clock works from 1968 to 2104 (RFC 4330 section 3). */
#define ERA_1_UNIX_S 2085978496

/* 2024-01-01T00:00:00Z: whoever tells an earlier time does not know it. */
#define EARLIEST_UNIX_S 1704067200

/* 2^-32 s in a millisecond. */
#define FRACTIONS_A_MS 4294967u

static uint64_t start_unix_ms; /* at uptime 0; 0: not known */

uint64_t qr_net_lwip_unix_ms(uint64_t uptime_ms)
{
    return start_unix_ms == 0 ? 0 : start_unix_ms + uptime_ms;
}

/* ---- SNTP's clock ---- */

static void log_addr(enum qr_log_level level, const char *text)
{
    char line[100];
    size_t len = strlen(text);

    memcpy(line, text, len + 1);
    (void)ipaddr_ntoa_r(ip_current_src_addr(), line + len, (int)(sizeof line - len));
    qr_board_log(level, line);
}

void qr_port_time_set(int32_t seconds, uint32_t fraction)
{
    int64_t unix_s = (int64_t)ERA_1_UNIX_S + seconds;
    uint64_t uptime_ms = qr_board_uptime_ms();
    bool first = start_unix_ms == 0;

    if (unix_s < EARLIEST_UNIX_S) {
        log_addr(QR_LOG_WARNING, "a time before 2024 is refused from time server ");
        return;
    }
    start_unix_ms = (uint64_t)unix_s * 1000 + ((uint64_t)fraction * 1000 >> 32) - uptime_ms;
    if (first) {
        log_addr(QR_LOG_INFO, "the clock is set by time server ");
    }
}

/* The server sends back what it was asked with, by which SNTP knows the answer. So what is finer
 * than our clock is left to chance: nobody who does not see the question can make an answer to it.
 */
void qr_port_time_get(int32_t *seconds, uint32_t *fraction)
{
    uint64_t uptime_ms = qr_board_uptime_ms();
    uint64_t start_ms = start_unix_ms == 0 ? EARLIEST_UNIX_S * 1000ull : start_unix_ms;
    uint64_t unix_ms = start_ms + uptime_ms;

    *seconds = (int32_t)(uint32_t)(unix_ms / 1000 - ERA_1_UNIX_S);
    *fraction = (uint32_t)(unix_ms % 1000) * FRACTIONS_A_MS + qr_port_random() % FRACTIONS_A_MS;
}

/* ---- asking ---- */

/* Whether we have a new address, that is not for the link only. */
static bool is_new_addr(struct netif *netif, netif_nsc_reason_t reason,
                        const netif_ext_callback_args_t *args)
{
    return qr_ip6_is_new(netif, reason, args) || ((reason & LWIP_NSC_IPV4_ADDR_VALID) != 0 &&
                                                  !ip4_addr_isany_val(*netif_ip4_addr(netif)));
}

/* With an address the servers for names and time come, too. Until the time is known this is the
 * moment to ask, or to ask again: SNTP by itself would wait for a quarter of a minute and longer.
 */
static void addr_changed(struct netif *netif, netif_nsc_reason_t reason,
                         const netif_ext_callback_args_t *args)
{
    bool server = !ip_addr_isany(sntp_getserver(0)) || sntp_getservername(0) != NULL;

    if (server && start_unix_ms == 0 && is_new_addr(netif, reason, args)) {
        sntp_stop();
        sntp_init();
    }
}

void qr_wall_clock_start(const char *ntp)
{
    NETIF_DECLARE_EXT_CALLBACK(callback)
    ip_addr_t addr;

    if (strcmp(ntp, "dhcp") == 0) {
        sntp_servermode_dhcp(1);
    } else if (ipaddr_aton(ntp, &addr)) {
        sntp_setserver(0, &addr);
    } else {
        sntp_setservername(0, ntp);
    }
    sntp_setoperatingmode(SNTP_OPMODE_POLL);
    netif_add_ext_callback(&callback, addr_changed);
}

#include "mdns.h"

#include <string.h>

#include "boards/board.h"
#include "lwip/apps/mdns.h"
#include "lwip/apps/mdns_priv.h"
#include "lwip/def.h"
#include "lwip/etharp.h"
#include "lwip/prot/dns.h"
#include "lwip/prot/ip4.h"
#include "lwip/udp.h"
#include "ip6.h"

#define SUFFIX_BYTES 6 /* "-65535" */

static struct qr_net_config config;
static size_t base_len;                  /* of the host name's first label */
static char name[MDNS_LABEL_MAXLEN + 1]; /* that we claim now */
static char told[MDNS_LABEL_MAXLEN + 1]; /* and that people have been told */
static uint16_t attempt = 1;             /* NAME, NAME-2, … */
static s8_t service;

static bool started;

/* ---- lines for people ---- */

static char line[200];

static void line_add(const char *text)
{
    size_t used = strlen(line), len = strlen(text);

    if (len < sizeof line - used) {
        memcpy(line + used, text, len + 1);
    }
}

static void line_add_number(uint16_t number)
{
    char text[SUFFIX_BYTES];

    lwip_itoa(text, sizeof text, number);
    line_add(text);
}

static void tell_name(void)
{
    if (strcmp(told, name) == 0) {
        return;
    }
    memcpy(told, name, sizeof told);
    strcpy(line, "also http://");
    line_add(name);
    line_add(".local");
    if (config.port != 80) {
        line_add(":");
        line_add_number(config.port);
    }
    line_add(config.page);
    qr_board_log(QR_LOG_INFO, line);
}

/* ---- names ---- */

/* The host name's first label, cut where a suffix needs the room. */
static void make_name(void)
{
    size_t room = MDNS_LABEL_MAXLEN - (attempt == 1 ? 0 : SUFFIX_BYTES);
    size_t len = base_len < room ? base_len : room;

    memcpy(name, config.hostname, len);
    name[len] = '\0';
    if (attempt != 1) {
        name[len++] = '-';
        lwip_itoa(name + len, sizeof name - len, attempt);
    }
}

/* RFC 6762 section 9. */
static void name_result(struct netif *netif, u8_t result, s8_t slot)
{
    (void)slot;
    if (result == MDNS_PROBING_SUCCESSFUL) {
        tell_name();
        return;
    }
    strcpy(line, "the name ");
    line_add(name);
    line_add(".local is taken");
    qr_board_log(QR_LOG_WARNING, line);
    attempt = attempt == UINT16_MAX ? 2 : (uint16_t)(attempt + 1);
    make_name();
    (void)mdns_resp_rename_netif(netif, name);
    (void)mdns_resp_rename_service(netif, (u8_t)service, name);
}

/* Where on the server to look (RFC 6763 section 6.4, "path" as in _http._tcp's registration). */
static void make_txt(struct mdns_service *about, void *context)
{
    (void)context;
    strcpy(line, "path=");
    line_add(config.page);
    (void)mdns_resp_add_service_txtitem(about, line, (u8_t)strlen(line));
}

/* ---- what lwIP 2.2.1's responder does wrong ---- */

/* It counts a probe only when that has gone out over IPv6, too. Without an IPv6 address it would
 * probe for ever; so the probe over IPv4 is counted here. Before it has its name it sends nothing
 * else. */
err_t qr_mdns_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *dest)
{
    static const ip_addr_t group4 = DNS_MQUERY_IPV4_GROUP_INIT;
    struct mdns_host *host = started ? netif_mdns_data(netif) : NULL;

    if (host != NULL && host->state <= MDNS_STATE_PROBING && ip4_addr_eq(dest, ip_2_ip4(&group4)) &&
        IPH_PROTO((const struct ip_hdr *)p->payload) == IP_PROTO_UDP && qr_ip6_waits(netif)) {
        host->state = MDNS_STATE_PROBING;
        host->sent_num++;
    }
    return etharp_output(netif, p, dest);
}

/* ---- start ---- */

void qr_mdns_start(struct netif *netif, const struct qr_net_config *net_config)
{
    config = *net_config;
    base_len = strcspn(config.hostname, ".");
    make_name();
    mdns_resp_init();
    mdns_resp_register_name_result_cb(name_result);
    started = true;
    (void)mdns_resp_add_netif(netif, name);
    service =
        mdns_resp_add_service(netif, name, "_http", DNSSD_PROTO_TCP, config.port, make_txt, NULL);
}

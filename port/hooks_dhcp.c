#include "hooks.h"

#include <string.h>

#include "boards/board.h"
#include "lwip/dhcp.h"
#include "lwip/ip4_addr.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/prot/dhcp.h"
#include "lwip/prot/ethernet.h"
#include "lwip/sys.h"

/* A server that refused an address is asked for another at once; one that has refused the last one,
 * too, may offer the next when this is over. */
#define REFUSED_REST_MS 10000

#define FOR_EVER UINT32_MAX

/* What of a server's answer matters here; of an option that comes twice, the first one. */
struct answer {
    u32_t addr, mask, lease_s;
    u8_t type, overload;
    bool has_mask, has_lease;
};

static struct {
    unsigned refusals; /* in a row */
    u32_t refused_ms;  /* when the last one came */
} server;

/* ---- reading ---- */

/* RFC 2132: the option at at, whose len bytes are there. False: it is not as long as it has to be.
 */
static bool read_option(const struct qr_content *message, u16_t at, u8_t len, struct answer *answer)
{
    u8_t first = qr_content_8(message, (u16_t)(at + 2));

    switch (qr_content_8(message, at)) {
    case DHCP_OPTION_MESSAGE_TYPE:
        answer->type = answer->type == 0 ? first : answer->type;
        return len == 1;
    case DHCP_OPTION_OVERLOAD: answer->overload = first; return len == 1;
    case DHCP_OPTION_SUBNET_MASK:
        answer->mask = answer->has_mask ? answer->mask : qr_content_32(message, (u16_t)(at + 2));
        answer->has_mask = true;
        return len == 4;
    case DHCP_OPTION_LEASE_TIME:
        answer->lease_s =
            answer->has_lease ? answer->lease_s : qr_content_32(message, (u16_t)(at + 2));
        answer->has_lease = true;
        return len == 4;
    default: return true;
    }
}

/* The options between at and end, which must have their end there. */
static bool read_options(const struct qr_content *message, u16_t at, u16_t end,
                         struct answer *answer)
{
    while (at < end) {
        u8_t len;
        if (qr_content_8(message, at) == DHCP_OPTION_END) {
            return true;
        }
        if (qr_content_8(message, at) == DHCP_OPTION_PAD) {
            at++;
            continue;
        }
        len = end - at < 2 ? UINT8_MAX : qr_content_8(message, (u16_t)(at + 1));
        if (len > end - at - 2 || !read_option(message, at, len, answer)) {
            return false;
        }
        at = (u16_t)(at + 2 + len);
    }
    return false;
}

/* Those of the options that stand where a file's and a server's name otherwise do come last, in the
 * order in which lwIP reads them (RFC 2131 section 4.1). */
static bool read_answer(const struct qr_content *message, struct answer *answer)
{
    u8_t overload;

    if (message->len < DHCP_OPTIONS_OFS ||
        qr_content_32(message, DHCP_OPTIONS_OFS - 4) != DHCP_MAGIC_COOKIE ||
        !read_options(message, DHCP_OPTIONS_OFS, message->len, answer)) {
        return false;
    }
    answer->addr = qr_content_32(message, offsetof(struct dhcp_msg, yiaddr));
    overload = answer->overload;
    return ((overload & DHCP_OVERLOAD_FILE) == 0 ||
            read_options(message, DHCP_FILE_OFS, DHCP_FILE_OFS + DHCP_FILE_LEN, answer)) &&
           ((overload & DHCP_OVERLOAD_SNAME) == 0 ||
            read_options(message, DHCP_SNAME_OFS, DHCP_SNAME_OFS + DHCP_SNAME_LEN, answer)) &&
           answer->overload == overload;
}

static bool is_for_us(const struct qr_content *message, const struct netif *netif)
{
    const struct dhcp *dhcp = netif_dhcp_data(netif);
    u8_t mac[ETH_HWADDR_LEN];

    return dhcp != NULL && message->len >= DHCP_OPTIONS_OFS &&
           qr_content_32(message, offsetof(struct dhcp_msg, xid)) == dhcp->xid &&
           pbuf_copy_partial(message->p, mac, sizeof mac,
                             (u16_t)(message->begin + offsetof(struct dhcp_msg, chaddr))) ==
               sizeof mac &&
           memcmp(mac, netif->hwaddr, sizeof mac) == 0;
}

/* ---- judging ---- */

/* An address that a host can have, in a network that it can be in. */
static bool is_host(const struct answer *answer)
{
    u32_t first = answer->addr >> 24, others = ~answer->mask;

    if (first == 0 || first == IP_LOOPBACKNET || first >= 224) {
        return false;
    }
    if (!answer->has_mask || others <= 1) { /* RFC 3021: a network of two, or of one */
        return true;
    }
    return answer->mask != 0 && (others & (others + 1)) == 0 && (answer->addr & others) != 0 &&
           (answer->addr & others) != others;
}

/* Says so, but not again and again. */
static void tell(const char *what, u32_t addr)
{
    static const char *told_what;
    static u32_t told_addr;
    ip4_addr_t ip = {lwip_htonl(addr)};
    size_t len = strlen(what);
    char line[100];

    if (told_what == what && told_addr == addr) {
        return;
    }
    told_what = what;
    told_addr = addr;
    memcpy(line, what, len + 1);
    (void)ip4addr_ntoa_r(&ip, line + len, (int)(sizeof line - len));
    qr_board_log(QR_LOG_WARNING, line);
}

static bool is_usable(const struct answer *answer)
{
    if (!is_host(answer)) {
        tell("a DHCP server is not believed, whose address no host can have: ", answer->addr);
        return false;
    }
    if (!answer->has_lease || answer->lease_s == 0) {
        tell("a DHCP server is not believed, who gives for no time the address ", answer->addr);
        return false;
    }
    return true;
}

bool qr_hook_dhcp_passes(const struct qr_content *message, const struct netif *netif)
{
    struct answer answer = {0};

    if (!is_for_us(message, netif) || !read_answer(message, &answer)) {
        return false;
    }
    switch (answer.type) {
    case DHCP_NAK:
        server.refusals++;
        server.refused_ms = sys_now();
        return true;
    case DHCP_OFFER:
        return is_usable(&answer) &&
               (server.refusals < 2 || sys_now() - server.refused_ms >= REFUSED_REST_MS);
    case DHCP_ACK:
        if (!is_usable(&answer)) {
            return false;
        }
        server.refusals = 0;
        if (answer.lease_s == FOR_EVER) {
            netif_dhcp_data(netif)->t0_timeout = 0;
        }
        return true;
    default: return false;
    }
}

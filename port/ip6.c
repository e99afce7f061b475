#include "ip6.h"

#include "lwip/ethip6.h"
#include "lwip/ip6.h"
#include "lwip/prot/dns.h"
#include "netif_board.h"

/* A socket of IPv6 on any address takes IPv4, too. */
socklen_t qr_ip6_any(struct sockaddr_storage *any, uint16_t port)
{
    struct sockaddr_in6 *addr = (struct sockaddr_in6 *)any;

    *addr = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = lwip_htons(port)};
    return sizeof *addr;
}

void qr_ip6_init(struct netif *netif, bool routers)
{
    netif->output_ip6 = ethip6_output;
    netif->mtu6 = QR_NETIF_MTU6;
    netif->ip6_autoconfig_enabled = routers;
}

void qr_ip6_start(struct netif *netif)
{
    netif_create_ip6_linklocal_address(netif, 1);
}

bool qr_ip6_waits(struct netif *netif)
{
    static const ip_addr_t group = DNS_MQUERY_IPV6_GROUP_INIT;

    return ip6_select_source_address(netif, ip_2_ip6(&group)) == NULL;
}

bool qr_ip6_is_new(struct netif *netif, netif_nsc_reason_t reason,
                   const netif_ext_callback_args_t *args)
{
    s8_t i;

    if ((reason & LWIP_NSC_IPV6_ADDR_STATE_CHANGED) == 0) {
        return false;
    }
    i = args->ipv6_addr_state_changed.addr_index;
    return i != 0 && ip6_addr_isvalid(netif_ip6_addr_state(netif, i));
}

/* In place of ip6.c in a build without IPv6. */
#include "ip6.h"

socklen_t qr_ip6_any(struct sockaddr_storage *any, uint16_t port)
{
    struct sockaddr_in *addr = (struct sockaddr_in *)any;

    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = lwip_htons(port)};
    return sizeof *addr;
}

void qr_ip6_init(struct netif *netif, bool routers)
{
    (void)netif;
    (void)routers;
}

void qr_ip6_start(struct netif *netif)
{
    (void)netif;
}

bool qr_ip6_waits(struct netif *netif)
{
    (void)netif;
    return false;
}

bool qr_ip6_is_new(struct netif *netif, netif_nsc_reason_t reason,
                   const netif_ext_callback_args_t *args)
{
    (void)netif;
    (void)reason;
    (void)args;
    return false;
}

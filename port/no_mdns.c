/* In place of mdns.c in a build without mDNS. */
#include "mdns.h"

#include "lwip/etharp.h"

err_t qr_mdns_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *dest)
{
    return etharp_output(netif, p, dest);
}

void qr_mdns_start(struct netif *netif, const struct qr_net_config *config)
{
    (void)netif;
    (void)config;
}

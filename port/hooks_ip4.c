#include "hooks.h"

#include "lwip/ip4.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/prot/iana.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"

/* RFC 1122 section 3.2.1.3: who may send, besides groups and the link's broadcast address, which
 * lwIP itself refuses. */
static bool is_host(u32_t addr, const struct netif *netif)
{
    u32_t first = addr >> 24;

    return first != 0 && first != IP_LOOPBACKNET && first < 224 &&
           addr != lwip_ntohl(netif_ip4_addr(netif)->addr);
}

/* Whoever sends these may have no address yet, or none at all. */
static bool may_have_no_address(const struct pbuf *p, u16_t head_len)
{
    const struct ip_hdr *head = p->payload;
    struct qr_content udp = {.p = p, .begin = head_len, .len = UDP_HLEN};

    return IPH_PROTO(head) == IP_PROTO_IGMP ||
           (IPH_PROTO(head) == IP_PROTO_UDP &&
            qr_content_16(&udp, 2) == LWIP_IANA_PORT_DHCP_CLIENT);
}

static bool passes(const struct pbuf *p, const struct netif *netif)
{
    const struct ip_hdr *head = p->payload;
    u16_t head_len = IPH_HL_BYTES(head);
    u16_t len = lwip_ntohs(IPH_LEN(head));

    if (head_len < IP_HLEN || head_len > p->len || len < head_len || len > p->tot_len ||
        !(is_host(lwip_ntohl(head->src.addr), netif) || may_have_no_address(p, head_len))) {
        return false;
    }
    return IPH_PROTO(head) != IP_PROTO_UDP || qr_hook_udp_passes(p, head_len, len, netif);
}

bool qr_hook_ip4_in(struct pbuf *p, const struct netif *netif)
{
    const struct ip_hdr *head = p->payload;
    u16_t head_len = IPH_HL_BYTES(head);

    if (!passes(p, netif)) {
        (void)pbuf_free(p);
        return true;
    }
    if (IPH_PROTO(head) == IP_PROTO_TCP && p->len >= head_len + sizeof(struct tcp_hdr)) {
        ip_addr_t from;
        ip_addr_copy_from_ip4(from, head->src);
        qr_hook_tcp_syn(&from, (const void *)((const u8_t *)p->payload + head_len));
    }
    return false;
}

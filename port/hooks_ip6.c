#include "hooks.h"

#include <string.h>

#include "lwip/icmp6.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/nd6.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"

/* Bytes of an extension header that holds one option of 4 bytes (RFC 8200 section 4.3). */
#define SHORT_HEADER 8

/* The message's options from at on: type, length in units of 8 bytes, content (RFC 4861
 * section 4.6).
 */
static bool options_add_up(const u8_t *bytes, u16_t at, u16_t end)
{
    while (at < end) {
        u16_t len;
        if (end - at < 2 || bytes[at + 1] == 0) {
            return false;
        }
        len = (u16_t)(bytes[at + 1] * 8);
        if (len > end - at) {
            return false;
        }
        at = (u16_t)(at + len);
    }
    return true;
}

/* Whether somebody tells all that an address is his which we have already found to be ours; of a
 * message that passes. */
static bool claims_ours(const u8_t *bytes, const struct netif *netif)
{
    const struct ip6_hdr *head = (const void *)bytes;
    const struct na_header *advert = (const void *)(bytes + IP6_HLEN);

    if (advert->type != ICMP6_TYPE_NA || !ip6_addr_ismulticast(&head->dest)) {
        return false;
    }
    for (s8_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) &&
            memcmp(advert->target_address.addr, netif_ip6_addr(netif, i)->addr,
                   sizeof advert->target_address.addr) == 0) {
            return true;
        }
    }
    return false;
}

/* The ICMPv6 message of bytes from at on. */
static bool message_passes(const u8_t *bytes, u16_t at, u16_t end)
{
    u16_t head_len;

    if (at == end) {
        return false;
    }
    switch (bytes[at]) {
    case ICMP6_TYPE_PTB:
    case ICMP6_TYPE_RD: return false;
    case ICMP6_TYPE_RA: head_len = sizeof(struct ra_header); break;
    case ICMP6_TYPE_NS: head_len = sizeof(struct ns_header); break;
    case ICMP6_TYPE_NA: head_len = sizeof(struct na_header); break;
    default: return true;
    }
    return end - at >= head_len && options_add_up(bytes, (u16_t)(at + head_len), end);
}

/* A multicast listener query behind the header that it has, with a router alert (RFC 2711). */
static bool query_passes(const u8_t *bytes, u16_t at, u16_t end)
{
    return end - at > SHORT_HEADER && bytes[at] == IP6_NEXTH_ICMP6 && bytes[at + 1] == 0 &&
           bytes[at + 2] == IP6_ROUTER_ALERT_OPTION && bytes[at + SHORT_HEADER] == ICMP6_TYPE_MLQ;
}

/* RFC 8200 section 8.1: over IPv6, a datagram has a checksum. */
static bool udp_passes(const struct pbuf *p, u16_t end, const struct netif *netif)
{
    struct qr_content head = {.p = p, .begin = IP6_HLEN, .len = UDP_HLEN};

    return qr_hook_udp_passes(p, IP6_HLEN, end, netif) && qr_content_16(&head, 6) != 0;
}

/* An echo's content may go on in further buffers; nothing else of ICMPv6 needs to be so long. */
static bool passes(const struct pbuf *p, const struct netif *netif)
{
    const u8_t *bytes = p->payload;
    const struct ip6_hdr *head = p->payload;
    u16_t end;

    if (p->len <= IP6_HLEN || IP6H_PLEN(head) > p->tot_len - IP6_HLEN) {
        return false;
    }
    end = (u16_t)(IP6_HLEN + IP6H_PLEN(head));
    switch (IP6H_NEXTH(head)) {
    case IP6_NEXTH_TCP: return true;
    case IP6_NEXTH_UDP: return udp_passes(p, end, netif);
    case IP6_NEXTH_ICMP6:
        return bytes[IP6_HLEN] == ICMP6_TYPE_EREQ ||
               (p->len >= end && message_passes(bytes, IP6_HLEN, end) &&
                !claims_ours(bytes, netif));
    case IP6_NEXTH_HOPBYHOP: return p->len >= end && query_passes(bytes, IP6_HLEN, end);
    default: return false;
    }
}

bool qr_hook_ip6_in(struct pbuf *p, const struct netif *netif)
{
    const struct ip6_hdr *head = p->payload;

    if (passes(p, netif)) {
        if (IP6H_NEXTH(head) == IP6_NEXTH_TCP && p->len >= IP6_HLEN + sizeof(struct tcp_hdr)) {
            ip_addr_t from;
            ip_addr_copy_from_ip6_packed(from, head->src);
            qr_hook_tcp_syn(&from, (const void *)((const u8_t *)p->payload + IP6_HLEN));
        }
        return false;
    }
    (void)pbuf_free(p);
    return true;
}

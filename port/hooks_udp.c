#include "hooks.h"

#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/prot/dns.h"
#include "lwip/prot/iana.h"
#include "lwip/udp.h"

/* Bytes of a datagram in one frame. Linux may hand over longer ones. */
#define DATAGRAM_MAX 1480

/* RFC 4330 section 4: an answer's bytes; where in it leap indicator and stratum stand, and the
 * seconds of the timestamps of when the server got the question and sent the answer. */
enum { NTP_LEN = 48, NTP_LEAP = 0, NTP_STRATUM = 1, NTP_RECEIVED = 32, NTP_SENT = 40 };

#define LEAP_UNKNOWN 3
#define STRATUM_MAX  15

/* Seconds from question to answer: no server takes so long. */
#define NTP_ANSWER_MAX_S 3600

u8_t qr_content_8(const struct qr_content *content, u16_t i)
{
    return pbuf_get_at(content->p, (u16_t)(content->begin + i));
}

u16_t qr_content_16(const struct qr_content *content, u16_t i)
{
    return (u16_t)(qr_content_8(content, i) << 8 | qr_content_8(content, (u16_t)(i + 1)));
}

u32_t qr_content_32(const struct qr_content *content, u16_t i)
{
    return (u32_t)qr_content_16(content, i) << 16 | qr_content_16(content, (u16_t)(i + 2));
}

/* RFC 4330 section 5. Of stratum 0 are those who want to be asked no more; that is for lwIP. */
static bool time_passes(const struct qr_content *content)
{
    u32_t sent_s, received_s;

    if (content->len < NTP_LEN || qr_content_8(content, NTP_STRATUM) == 0) {
        return true;
    }
    sent_s = qr_content_32(content, NTP_SENT);
    received_s = qr_content_32(content, NTP_RECEIVED);
    return qr_content_8(content, NTP_LEAP) >> 6 != LEAP_UNKNOWN &&
           qr_content_8(content, NTP_STRATUM) <= STRATUM_MAX && sent_s != 0 &&
           sent_s - received_s < NTP_ANSWER_MAX_S;
}

bool qr_hook_udp_passes(const struct pbuf *p, u16_t at, u16_t end, const struct netif *netif)
{
    struct qr_content head = {.p = p, .begin = at, .len = UDP_HLEN};
    struct qr_content content = {p, (u16_t)(at + UDP_HLEN), (u16_t)(end - at - UDP_HLEN)};
    u16_t from, to;

    if (end - at < UDP_HLEN || end - at > DATAGRAM_MAX || qr_content_16(&head, 4) != end - at) {
        return false;
    }
    from = qr_content_16(&head, 0);
    to = qr_content_16(&head, 2);
    if (to == LWIP_IANA_PORT_DHCP_CLIENT) {
        return qr_hook_dhcp_passes(&content, netif);
    }
    if (from == DNS_SERVER_PORT || from == LWIP_IANA_PORT_MDNS || to == LWIP_IANA_PORT_MDNS) {
        return qr_hook_dns_passes(&content);
    }
    return from != LWIP_IANA_PORT_SNTP || time_passes(&content);
}

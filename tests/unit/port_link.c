#include "port_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"

#define KEPT          64
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_IP  0x0800
#define ETHERTYPE_IP6 0x86dd
#define ARP_LEN       28

const uint8_t link_router6[16] = {0xfe, 0x80, [15] = 2};
const uint8_t link_ours6[16] = {0xfe, 0x80, [8] = 0, 0x51, 0x52, 0xff, 0xfe, 0, 0, 1};
const uint8_t link_all6[16] = {0xff, 0x02, [15] = 1};

static const uint8_t host_mac[6] = {0x02, 0xaa, 0, 0, 0, 2};

static const struct qr_net *net;
static struct link_frame kept[KEPT];
static size_t n_kept;

/* ---- the loop ---- */

static void answer_arp(const uint8_t *question)
{
    uint8_t frame[WIRE_FRAME_MAX] = {0};
    uint8_t *arp = frame + 14;

    if (wire_get16(question + 20) != 1 || wire_get32(question + 38) == WIRE_OUR_ADDR) {
        return;
    }
    memcpy(frame, question + 6, 6);
    memcpy(frame + 6, host_mac, 6);
    memcpy(frame + 12, question + 12, 8);
    wire_put16(arp + 6, 2);
    memcpy(arp + 8, host_mac, 6);
    memcpy(arp + 14, question + 38, 4);
    memcpy(arp + 18, question + 22, 10);
    wire_deliver(frame, 14 + ARP_LEN);
}

static void read_sent(void)
{
    struct link_frame *frame = &kept[n_kept < KEPT ? n_kept : KEPT - 1];

    while ((frame->len = fake_board_sent(frame->bytes)) != 0) {
        if (wire_get16(frame->bytes + 12) == ETHERTYPE_ARP) {
            answer_arp(frame->bytes);
            continue;
        }
        n_kept = n_kept < KEPT ? n_kept + 1 : KEPT;
        frame = &kept[n_kept < KEPT ? n_kept : KEPT - 1];
    }
}

void link_run(uint32_t ms)
{
    uint64_t end_ms = qr_board_uptime_ms() + ms;
    uint16_t tag; /* of nobody: no socket is watched */

    do {
        uint64_t now_ms = qr_board_uptime_ms();
        (void)net->wait(net->ctx, &tag, 1, now_ms < end_ms ? (uint32_t)(end_ms - now_ms) : 0);
        read_sent();
    } while (qr_board_uptime_ms() < end_ms || fake_board_waiting() != 0);
}

const struct qr_net *link_start(struct qr_net_config config)
{
    fake_board_reset();
    config.addr = WIRE_OUR_ADDR;
    config.netmask = WIRE_NETMASK;
    config.port = WIRE_OUR_PORT;
    net = qr_net_lwip_start(&config);
    return net;
}

/* ---- what went out ---- */

static bool is_udp(const uint8_t *frame, uint16_t port)
{
    return (wire_get16(frame + 12) == ETHERTYPE_IP && frame[23] == LINK_UDP &&
            wire_get16(frame + 36) == port) ||
           (wire_get16(frame + 12) == ETHERTYPE_IP6 && frame[20] == LINK_UDP &&
            wire_get16(frame + 56) == port);
}

const struct link_frame *link_udp(uint16_t port, unsigned i)
{
    for (size_t at = 0; at < n_kept; at++) {
        if (is_udp(kept[at].bytes, port) && i-- == 0) {
            return &kept[at];
        }
    }
    return NULL;
}

const struct link_frame *link_ip4(uint8_t protocol, unsigned i)
{
    for (size_t at = 0; at < n_kept; at++) {
        const uint8_t *frame = kept[at].bytes;
        if (wire_get16(frame + 12) == ETHERTYPE_IP && frame[23] == protocol && i-- == 0) {
            return &kept[at];
        }
    }
    return NULL;
}

static const struct link_frame *find6(uint8_t protocol, int first, unsigned i)
{
    for (size_t at = 0; at < n_kept; at++) {
        const uint8_t *frame = kept[at].bytes;
        if (wire_get16(frame + 12) == ETHERTYPE_IP6 && frame[20] == protocol &&
            (first < 0 || frame[LINK_IP6_CONTENT] == first) && i-- == 0) {
            return &kept[at];
        }
    }
    return NULL;
}

const struct link_frame *link_icmp6(uint8_t type, unsigned i)
{
    return find6(LINK_ICMP6, type, i);
}

const struct link_frame *link_tcp6(unsigned i)
{
    return find6(LINK_TCP, -1, i);
}

const struct link_frame *link_hop_by_hop(unsigned i)
{
    return find6(0, -1, i);
}

void link_forget(void)
{
    n_kept = 0;
}

/* ---- what comes in ---- */

size_t link_put_udp4(uint8_t *frame, uint32_t from, uint32_t to, uint16_t from_port,
                     uint16_t to_port, const void *content, size_t len)
{
    uint8_t *ip = frame + 14, *udp = frame + 34;

    memset(frame, 0, LINK_UDP4_CONTENT);
    memcpy(frame, qr_board_mac(), 6);
    memcpy(frame + 6, host_mac, 6);
    wire_put16(frame + 12, ETHERTYPE_IP);
    ip[0] = 0x45;
    wire_put16(ip + 2, (unsigned)(28 + len));
    ip[8] = 255;
    ip[9] = LINK_UDP;
    wire_put32(ip + 12, from);
    wire_put32(ip + 16, to);
    wire_put16(udp, from_port);
    wire_put16(udp + 2, to_port);
    wire_put16(udp + 4, (unsigned)(8 + len)); /* without a checksum, as IPv4 allows */
    memcpy(frame + LINK_UDP4_CONTENT, content, len);
    wire_sum(frame, LINK_UDP4_CONTENT + len);
    return LINK_UDP4_CONTENT + len;
}

/* RFC 8200 section 8.1. */
static unsigned sum6(const uint8_t *ip, const uint8_t *content, size_t len, uint8_t protocol)
{
    uint32_t sum = (uint32_t)len + protocol;

    for (size_t i = 8; i < 40; i += 2) {
        sum += wire_get16(ip + i);
    }
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)content[i] << 8 : content[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum & 0xffff;
}

void link_sum6(uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + LINK_IP6, *content = frame + LINK_IP6_CONTENT;
    uint8_t protocol = ip[6];
    size_t place = protocol == LINK_TCP ? 16 : protocol == LINK_UDP ? 6 : 2;
    size_t content_len = len < LINK_IP6_CONTENT ? 0 : wire_get16(ip + 4);

    if ((protocol == LINK_TCP || protocol == LINK_UDP || protocol == LINK_ICMP6) &&
        content_len >= place + 2 && content_len <= len - LINK_IP6_CONTENT) {
        wire_put16(content + place, 0);
        wire_put16(content + place, sum6(ip, content, content_len, protocol));
    }
}

size_t link_put_ip6(uint8_t *frame, const uint8_t *to, uint8_t protocol, uint8_t hop_limit,
                    const void *content, size_t len)
{
    uint8_t *ip = frame + LINK_IP6, *at = frame + LINK_IP6_CONTENT;

    memset(frame, 0, LINK_IP6_CONTENT);
    memcpy(frame, qr_board_mac(), 6);
    memcpy(frame + 6, host_mac, 6);
    wire_put16(frame + 12, ETHERTYPE_IP6);
    ip[0] = 0x60;
    wire_put16(ip + 4, (unsigned)len);
    ip[6] = protocol;
    ip[7] = hop_limit;
    memcpy(ip + 8, link_router6, 16);
    memcpy(ip + 24, to, 16);
    memcpy(at, content, len);
    link_sum6(frame, LINK_IP6_CONTENT + len);
    return LINK_IP6_CONTENT + len;
}

void link_deliver(const uint8_t *frame, size_t len)
{
    wire_deliver(frame, len);
    link_run(0);
}

/* ---- broken frames ---- */

static void deliver_cut(const uint8_t *whole, size_t len)
{
    uint8_t frame[WIRE_FRAME_MAX];
    bool ip = wire_get16(whole + 12) == ETHERTYPE_IP;
    size_t head_len = ip ? (size_t)(whole[14] & 15) * 4 : 0;

    memcpy(frame, whole, len);
    if (ip && len >= 18) {
        wire_put16(frame + 16, (unsigned)(len - 14));
    }
    if (ip && frame[23] == LINK_UDP && len >= 14 + head_len + 6) {
        wire_put16(frame + 14 + head_len + 4, (unsigned)(len - 14 - head_len));
    }
    wire_sum(frame, len);
    fake_board_deliver(frame, len);
    link_run(0);
}

void link_deliver_broken(const uint8_t *frame, size_t len)
{
    static const uint8_t values[] = {0, 1, 3, 0x3f, 0x40, 0x80, 0xc0, 0xff};
    uint8_t broken[WIRE_FRAME_MAX];

    for (size_t cut = 1; cut < len; cut++) {
        deliver_cut(frame, cut);
    }
    for (size_t at = 12; at < len; at++) {
        for (size_t i = 0; i < sizeof values; i++) {
            memcpy(broken, frame, len);
            broken[at] = values[i];
            wire_sum(broken, len);
            link_deliver(broken, len);
        }
    }
}

#include "port_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"

#define PEERS_MAX      512
#define FRAME_PADDED   60
#define FIRST_PORT     49152
#define PEER_WINDOW    64240
#define ETHERTYPE_IP   0x0800
#define ETHERTYPE_ARP  0x0806
#define PROTOCOL_ICMP  1
#define PROTOCOL_IGMP  2
#define PROTOCOL_TCP   6
#define ARP_REQUEST    1
#define ARP_REPLY      2
#define ARP_LEN        28
#define IP_LEN         20
#define TCP_LEN        20
#define TCP_OPTION_MSS 2

struct wire wire;

static struct peer *peers[PEERS_MAX];
static size_t n_peers;
static uint16_t next_port = FIRST_PORT;

void wire_reset(void)
{
    n_peers = 0;
    memset(&wire, 0, sizeof wire);
}

/* ---- numbers and checksums ---- */

void wire_put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void wire_put32(uint8_t *at, uint32_t value)
{
    wire_put16(at, value >> 16);
    wire_put16(at + 2, value & 0xffff);
}

unsigned wire_get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

uint32_t wire_get32(const uint8_t *at)
{
    return (uint32_t)wire_get16(at) << 16 | wire_get16(at + 2);
}

/* RFC 1071, upside down: 0 over bytes that include their right checksum. */
static unsigned checksum(const uint8_t *at, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)at[i] << 8 : at[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum & 0xffff;
}

/* RFC 9293 section 3.1: the pseudo header. */
static uint32_t pseudo_sum(const uint8_t *ip, size_t len)
{
    return wire_get16(ip + 12) + wire_get16(ip + 14) + wire_get16(ip + 16) + wire_get16(ip + 18) +
           PROTOCOL_TCP + (uint32_t)len;
}

void wire_sum(uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + AT_IP, *content;
    size_t head_len, ip_len;

    if (len < AT_IP + IP_LEN) {
        return;
    }
    head_len = (size_t)(ip[0] & 15) * 4;
    ip_len = wire_get16(ip + 2);
    ip_len = ip_len > len - AT_IP ? len - AT_IP : ip_len;
    if (head_len < IP_LEN || head_len > ip_len) {
        return;
    }
    wire_put16(ip + 10, 0);
    wire_put16(ip + 10, checksum(ip, head_len, 0));
    content = ip + head_len;
    if (ip[9] == PROTOCOL_TCP && ip_len - head_len >= TCP_LEN) {
        wire_put16(content + 16, 0);
        wire_put16(content + 16,
                   checksum(content, ip_len - head_len, pseudo_sum(ip, ip_len - head_len)));
    } else if ((ip[9] == PROTOCOL_ICMP || ip[9] == PROTOCOL_IGMP) && ip_len - head_len >= 8) {
        wire_put16(content + 2, 0);
        wire_put16(content + 2, checksum(content, ip_len - head_len, 0));
    }
}

/* ---- frames ---- */

static void put_mac(uint8_t *at, uint32_t addr)
{
    at[0] = 0x02;
    at[1] = 0xaa;
    wire_put32(at + 2, addr);
}

static void put_ether(uint8_t *frame, uint32_t from, unsigned type)
{
    memcpy(frame, qr_board_mac(), 6);
    put_mac(frame + 6, from);
    wire_put16(frame + 12, type);
}

static size_t put_arp(uint8_t *frame, unsigned operation, uint32_t from, uint32_t target)
{
    uint8_t *arp = frame + AT_IP;

    put_ether(frame, from, ETHERTYPE_ARP);
    wire_put16(arp, 1);
    wire_put16(arp + 2, ETHERTYPE_IP);
    arp[4] = 6;
    arp[5] = 4;
    wire_put16(arp + 6, operation);
    put_mac(arp + 8, from);
    wire_put32(arp + 14, from);
    memset(arp + 18, 0, 6);
    if (operation == ARP_REPLY) {
        memcpy(arp + 18, qr_board_mac(), 6);
    }
    wire_put32(arp + 24, target);
    return AT_IP + ARP_LEN;
}

size_t wire_arp_request(uint8_t *frame, uint32_t from, uint32_t whose)
{
    size_t len = put_arp(frame, ARP_REQUEST, from, whose);

    memset(frame, 0xff, 6);
    return len;
}

static void put_ip(uint8_t *frame, uint32_t from, uint8_t protocol, size_t len)
{
    uint8_t *ip = frame + AT_IP;

    put_ether(frame, from, ETHERTYPE_IP);
    memset(ip, 0, IP_LEN);
    ip[0] = 0x45;
    wire_put16(ip + 2, (unsigned)(IP_LEN + len));
    ip[6] = 0x40; /* don't fragment */
    ip[8] = 64;
    ip[9] = protocol;
    wire_put32(ip + 12, from);
    wire_put32(ip + 16, WIRE_OUR_ADDR);
}

size_t wire_ping(uint8_t *frame, size_t content_len)
{
    uint8_t *icmp = frame + AT_TCP;
    size_t len = AT_TCP + 8 + content_len;

    put_ip(frame, WIRE_HOST_ADDR, PROTOCOL_ICMP, 8 + content_len);
    memset(icmp, 0, 8);
    icmp[0] = 8;
    memset(icmp + 8, 'p', content_len);
    wire_sum(frame, len);
    return len;
}

size_t peer_frame(uint8_t *frame, const struct peer *peer, const struct wire_segment *segment)
{
    uint8_t *tcp = frame + AT_TCP;
    size_t head_len = TCP_LEN + segment->options_len;
    size_t len = AT_TCP + head_len + segment->len;

    assert_true(segment->options_len % 4 == 0 && segment->options_len <= 40);
    assert_true(len <= WIRE_FRAME_MAX);
    put_ip(frame, peer->addr, PROTOCOL_TCP, head_len + segment->len);
    wire_put16(tcp, peer->port);
    wire_put16(tcp + 2, WIRE_OUR_PORT);
    wire_put32(tcp + 4, segment->seq);
    wire_put32(tcp + 8, segment->ack);
    tcp[12] = (uint8_t)(head_len / 4 << 4);
    tcp[13] = segment->flags;
    wire_put16(tcp + 14, segment->window);
    wire_put32(tcp + 16, 0);
    if (segment->options_len != 0) {
        memcpy(tcp + TCP_LEN, segment->options, segment->options_len);
    }
    if (segment->len != 0) {
        memcpy(tcp + head_len, segment->data, segment->len);
    }
    wire_sum(frame, len);
    return len;
}

void wire_deliver(const uint8_t *frame, size_t len)
{
    uint8_t padded[WIRE_FRAME_MAX] = {0};

    memcpy(padded, frame, len);
    fake_board_deliver(padded, len < FRAME_PADDED ? FRAME_PADDED : len);
}

/* ---- a peer ---- */

void peer_open(struct peer *peer)
{
    assert_true(n_peers < PEERS_MAX);
    memset(peer, 0, offsetof(struct peer, bytes));
    peer->bytes[0] = '\0';
    peer->addr = WIRE_HOST_ADDR;
    peer->port = next_port;
    next_port = next_port == UINT16_MAX ? FIRST_PORT : (uint16_t)(next_port + 1);
    peer->window = PEER_WINDOW;
    peer->mss = WIRE_MSS;
    peer->seq = UINT32_MAX - 100 + peer->port % 50 * 7; /* wraps soon, or has just wrapped */
    peers[n_peers++] = peer;
}

static void send_segment(struct peer *peer, const struct wire_segment *segment)
{
    uint8_t frame[WIRE_FRAME_MAX];

    if ((segment->flags & ACK) != 0 && (int32_t)(segment->ack + peer->window - peer->edge) > 0) {
        peer->edge = segment->ack + peer->window;
    }
    wire_deliver(frame, peer_frame(frame, peer, segment));
}

/* The options of a SYN as Linux sends them: segment size, selective acknowledgements, time stamps,
 * window scale. */
static size_t put_syn_options(uint8_t *at, uint16_t mss)
{
    static const uint8_t others[] = {4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};

    at[0] = TCP_OPTION_MSS;
    at[1] = 4;
    wire_put16(at + 2, mss);
    memcpy(at + 4, others, sizeof others);
    return 4 + sizeof others;
}

void peer_send(struct peer *peer, uint8_t flags, const void *data, size_t len)
{
    uint8_t options[40];
    struct wire_segment segment = {.flags = flags,
                                   .seq = peer->seq,
                                   .ack = peer->ack,
                                   .window = peer->window,
                                   .options = options,
                                   .data = data,
                                   .len = len};

    if ((flags & SYN) != 0) {
        segment.options_len = put_syn_options(options, peer->mss);
    }
    send_segment(peer, &segment);
    peer->seq += (uint32_t)len + ((flags & (SYN | FIN)) != 0 ? 1 : 0);
}

void peer_send_at(struct peer *peer, uint32_t seq, const void *data, size_t len)
{
    send_segment(peer, &(struct wire_segment){.flags = ACK | PSH,
                                              .seq = seq,
                                              .ack = peer->ack,
                                              .window = peer->window,
                                              .data = data,
                                              .len = len});
}

void peer_ack(struct peer *peer)
{
    peer_send(peer, ACK, NULL, 0);
}

void peer_say(struct peer *peer, const char *text)
{
    size_t len = strlen(text);

    while (len != 0) {
        size_t part = len < WIRE_MSS ? len : WIRE_MSS;
        peer_send(peer, ACK | PSH, text, part);
        text += part;
        len -= part;
    }
}

/* ---- what comes out ---- */

static void read_arp(const uint8_t *frame, size_t len)
{
    const uint8_t *arp = frame + AT_IP;
    uint8_t reply[WIRE_FRAME_MAX];
    uint32_t target;

    assert_true(len >= AT_IP + ARP_LEN);
    target = wire_get32(arp + 24);
    if (wire_get16(arp + 6) == ARP_REPLY) {
        wire.arp_replies++;
        assert_memory_equal(arp + 8, qr_board_mac(), 6);
        assert_true(wire.careless || wire_get32(arp + 14) == WIRE_OUR_ADDR);
        return;
    }
    if (target == WIRE_OUR_ADDR) { /* it tells others its address */
        return;
    }
    wire.arp_requests++;
    bool deaf = wire.deaf_from != 0 && target >= wire.deaf_from;
    if (!deaf && (target & WIRE_NETMASK) == (WIRE_HOST_ADDR & WIRE_NETMASK)) {
        wire_deliver(reply, put_arp(reply, ARP_REPLY, target, WIRE_OUR_ADDR));
    }
}

static void read_mss(struct peer *peer, const uint8_t *options, size_t len)
{
    assert_true(len >= 4);
    assert_int_equal(options[0], TCP_OPTION_MSS);
    assert_int_equal(options[1], 4);
    peer->our_mss = (uint16_t)wire_get16(options + 2);
}

/* Takes what is new of the data, in order. */
static void read_data(struct peer *peer, const struct wire_segment *segment)
{
    size_t skip = peer->ack - segment->seq;
    size_t len = segment->len;

    if ((int32_t)(segment->seq - peer->ack) > 0) {
        return; /* what stands before it was lost */
    }
    if (skip < len) {
        assert_true(peer->len + len - skip < sizeof peer->bytes);
        memcpy(peer->bytes + peer->len, (const char *)segment->data + skip, len - skip);
        peer->len += len - skip;
        peer->bytes[peer->len] = '\0';
        peer->ack += (uint32_t)(len - skip);
    } else if (len != 0) {
        peer->repeated++;
    }
    if ((segment->flags & FIN) != 0 && segment->seq + len == peer->ack) {
        assert_false(peer->fin);
        peer->fin = true;
        peer->ack++;
    } else if ((segment->flags & FIN) != 0) {
        peer->repeated++;
    }
}

/* A host without sockets (RFC 9293 section 3.5.2). */
static void reject(uint32_t addr, uint16_t port, const struct wire_segment *segment)
{
    static struct peer nobody;
    size_t taken = segment->len + ((segment->flags & (SYN | FIN)) != 0 ? 1 : 0);

    if ((segment->flags & RST) != 0) {
        return;
    }
    nobody.addr = addr;
    nobody.port = port;
    send_segment(&nobody, &(struct wire_segment){.flags = RST | ACK,
                                                 .seq = segment->ack,
                                                 .ack = segment->seq + (uint32_t)taken});
}

static void check_segment(const struct peer *peer, const struct wire_segment *segment)
{
    bool probe = segment->len <= 1; /* of a window that is closed; or no data at all */

    assert_true(segment->len <= peer->mss);
    if ((segment->flags & (SYN | RST)) == 0) {
        assert_true(probe || (int32_t)(segment->seq + segment->len - peer->edge) <= 0);
        assert_true((segment->flags & ACK) != 0);
    }
    if ((segment->flags & ACK) != 0 && (segment->flags & RST) == 0) {
        assert_true((int32_t)(segment->ack - peer->seq) <= 0);
    }
}

static void read_segment(struct peer *peer, const struct wire_segment *segment)
{
    if (wire.lost != 0) {
        wire.lost--;
        return;
    }
    peer->frames++;
    peer->last = *segment;
    peer->last.options = peer->last.data = NULL;
    if (wire.rejects) {
        reject(peer->addr, peer->port, segment);
        return;
    }
    if (wire.careless) {
        peer->syn = peer->syn || (segment->flags & SYN) != 0;
        peer->seq = (segment->flags & ACK) != 0 ? segment->ack : peer->seq;
        peer->ack = segment->seq + (uint32_t)segment->len + ((segment->flags & (SYN | FIN)) != 0);
        return;
    }
    check_segment(peer, segment);
    if ((segment->flags & RST) != 0) {
        peer->reset = true;
        return;
    }
    peer->acked = segment->ack;
    if ((segment->flags & SYN) != 0) {
        peer->repeated += peer->syn;
        peer->syn = true;
        peer->ack = segment->seq + 1;
        peer->edge = peer->ack + peer->window;
        read_mss(peer, segment->options, segment->options_len);
    } else {
        read_data(peer, segment);
    }
}

static void read_tcp(const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + AT_IP, *tcp = frame + AT_TCP;
    uint8_t mac[6];
    size_t head_len = (size_t)(tcp[12] >> 4) * 4;
    struct wire_segment segment = {.flags = tcp[13],
                                   .seq = wire_get32(tcp + 4),
                                   .ack = wire_get32(tcp + 8),
                                   .window = (uint16_t)wire_get16(tcp + 14),
                                   .options = tcp + TCP_LEN,
                                   .options_len = head_len - TCP_LEN,
                                   .data = tcp + head_len,
                                   .len = len - head_len};

    assert_true(head_len >= TCP_LEN && head_len <= len);
    assert_int_equal(checksum(tcp, len, pseudo_sum(ip, len)), 0);
    for (size_t i = 0; i < n_peers; i++) {
        if (peers[i]->addr == wire_get32(ip + 16) && peers[i]->port == wire_get16(tcp + 2) &&
            wire_get16(tcp) == WIRE_OUR_PORT) {
            put_mac(mac, peers[i]->addr);
            assert_true(wire.careless || memcmp(frame, mac, 6) == 0);
            read_segment(peers[i], &segment);
            return;
        }
    }
    wire.strays++;
    if (wire.rejects) {
        reject(wire_get32(ip + 16), (uint16_t)wire_get16(tcp + 2), &segment);
    }
}

static void read_ip(const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + AT_IP;

    assert_true(len >= AT_IP + IP_LEN);
    if (wire.mixed && (ip[9] != PROTOCOL_TCP || wire_get32(ip + 12) != WIRE_OUR_ADDR)) {
        wire.strays++;
        return;
    }
    assert_int_equal(ip[0], 0x45);
    assert_int_equal(wire_get16(ip + 2), len - AT_IP);
    assert_int_equal(wire_get16(ip + 6) & 0x3fff, 0); /* whole */
    assert_int_equal(checksum(ip, IP_LEN, 0), 0);
    assert_int_equal(wire_get32(ip + 12), WIRE_OUR_ADDR);
    if (ip[9] == PROTOCOL_TCP && len >= AT_TCP_OPTIONS) {
        read_tcp(frame, len - AT_TCP);
    } else if (ip[9] == PROTOCOL_ICMP && len >= AT_TCP + 8 && ip[IP_LEN] == 0) {
        assert_int_equal(checksum(ip + IP_LEN, len - AT_TCP, 0), 0);
        wire.pings++;
    } else {
        wire.strays++;
    }
}

void wire_read(void)
{
    uint8_t frame[FAKE_BOARD_FRAME_OUT_MAX];
    size_t len;

    while ((len = fake_board_sent(frame)) != 0) {
        wire.frames++;
        assert_memory_equal(frame + 6, qr_board_mac(), 6);
        if (wire_get16(frame + 12) == ETHERTYPE_ARP) {
            read_arp(frame, len);
        } else if (wire.mixed && wire_get16(frame + 12) != ETHERTYPE_IP) {
            wire.strays++;
        } else {
            assert_int_equal(wire_get16(frame + 12), ETHERTYPE_IP);
            read_ip(frame, len);
        }
    }
}

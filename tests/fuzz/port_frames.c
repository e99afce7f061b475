#include "port_frames.h"

#include <string.h>

#include "port_session.h"
#include "tests/unit/fake_board.h"
#include "tests/unit/port_link.h"

#define CONTENT_MAX 1200

static const uint8_t mdns6[16] = {0xff, 0x02, [15] = 0xfb};

static uint32_t address(uint8_t which)
{
    static const uint32_t addresses[] = {WIRE_HOST_ADDR, 0xc0a80103u, 0,           WIRE_OUR_ADDR,
                                         0xffffffffu,    0xe00000fbu, 0xc0a801ffu, 0x08080808u};

    return addresses[which % 8];
}

static uint16_t port(uint8_t which)
{
    static const uint16_t ports[] = {80, 53, 67, 68, 123, 5353};

    return which % 8 < 6 ? ports[which % 8] : (uint16_t)(which * 256u + 1);
}

static size_t put_udp4(uint8_t *frame, struct fuzz_input *input, const uint8_t *content, size_t len)
{
    uint8_t from = fuzz_byte(input), to = fuzz_byte(input);

    return link_put_udp4(frame, address(from), address(to), port(from / 8), port(to / 8), content,
                         len);
}

static size_t put_ip6(uint8_t *frame, struct fuzz_input *input, uint8_t protocol,
                      const uint8_t *content, size_t len)
{
    uint8_t to = fuzz_byte(input);
    const uint8_t *all[] = {link_ours6, link_all6, mdns6, link_ours6};

    return link_put_ip6(frame, all[to % 4], protocol, to & 4 ? 64 : 255, content, len);
}

static size_t put_udp6(uint8_t *frame, struct fuzz_input *input, const uint8_t *content, size_t len)
{
    uint8_t datagram[8 + CONTENT_MAX];

    wire_put16(datagram, port(fuzz_byte(input)));
    wire_put16(datagram + 2, port(fuzz_byte(input)));
    wire_put16(datagram + 4, (unsigned)(8 + len));
    memcpy(datagram + 8, content, len);
    return put_ip6(frame, input, LINK_UDP, datagram, 8 + len);
}

static size_t put_tcp6(uint8_t *frame, struct fuzz_input *input, const uint8_t *content, size_t len)
{
    uint8_t segment[20 + CONTENT_MAX] = {0};
    uint8_t options = fuzz_byte(input) % 11;

    wire_put16(segment, 40000u + fuzz_byte(input) % 4);
    wire_put16(segment + 2, 80);
    wire_put32(segment + 4, 1000u + fuzz_number(input, 0xffff));
    wire_put32(segment + 8, session_tcp6_ack() + fuzz_byte(input) % 4);
    segment[12] = (uint8_t)((5 + options) << 4);
    segment[13] = fuzz_byte(input);
    wire_put16(segment + 14, fuzz_number(input, 0xffff));
    memcpy(segment + 20, content, len);
    return put_ip6(frame, input, LINK_TCP, segment, 20 + len);
}

/* A packet of any protocol over IPv4: the frame of a datagram, without its UDP header. */
static size_t put_ip4(uint8_t *frame, struct fuzz_input *input, const uint8_t *content, size_t len)
{
    static const uint8_t protocols[] = {1, 2, 6, 17};
    uint8_t what = fuzz_byte(input);

    (void)link_put_udp4(frame, address(what), address(what / 8), 0, 0, "", 0);
    wire_put16(frame + 16, (unsigned)(20 + len));
    frame[23] = what & 64 ? fuzz_byte(input) : protocols[fuzz_byte(input) % 4];
    memcpy(frame + 34, content, len);
    return 34 + len;
}

static size_t put_arp(uint8_t *frame, struct fuzz_input *input)
{
    uint8_t what = fuzz_byte(input);
    size_t len = wire_arp_request(frame, address(what), address(what / 8));

    frame[21] = what & 64 ? 2 : 1;
    return len;
}

/* A segment of a peer that is open, or was. */
static size_t put_segment(uint8_t *frame, struct fuzz_input *input, const struct peer *peer,
                          const uint8_t *content, size_t len)
{
    static const uint8_t zeros[40];
    const uint8_t *options;
    size_t options_len = fuzz_bytes(input, 40, &options) & ~(size_t)3;
    uint8_t flags = fuzz_byte(input), window = fuzz_byte(input);
    struct wire_segment segment = {
        .flags = flags,
        .seq = peer->seq + fuzz_number(input, 0xffff) - (flags & 64 ? 0x8000 : 0),
        .ack = peer->ack + fuzz_byte(input) - 128,
        .window = (uint16_t)(window < 128 ? window : window * window),
        .options = options_len == 0 ? zeros : options,
        .options_len = options_len,
        .data = content,
        .len = len,
    };

    return peer_frame(frame, peer, &segment);
}

static size_t put_frame(uint8_t *frame, struct fuzz_input *input, uint8_t kind,
                        const struct peer *peers, size_t n)
{
    const uint8_t *bytes;
    uint8_t content[CONTENT_MAX];
    size_t len = fuzz_bytes(input, kind & 128 ? CONTENT_MAX : 255, &bytes);

    if (len != 0) {
        memcpy(content, bytes, len);
    }
    switch (kind % 9) {
    case 0:
    case 1: return put_segment(frame, input, &peers[fuzz_byte(input) % n], content, len);
    case 2: return put_udp4(frame, input, content, len);
    case 3: return put_udp6(frame, input, content, len);
    case 4: return put_ip6(frame, input, LINK_ICMP6, content, len);
    case 5: return put_ip6(frame, input, fuzz_byte(input), content, len);
    case 6: return put_tcp6(frame, input, content, len);
    case 7: return put_ip4(frame, input, content, len);
    default: return put_arp(frame, input);
    }
}

void frames_deliver(struct fuzz_input *input, const struct peer *peers, size_t n)
{
    uint8_t frame[WIRE_FRAME_MAX] = {0};
    uint8_t kind = fuzz_byte(input), how;
    size_t len = put_frame(frame, input, kind, peers, n);

    how = fuzz_byte(input);
    for (unsigned i = how % 4; i > 0; i--) {
        size_t at = fuzz_byte(input) % len;
        frame[at] = fuzz_byte(input);
    }
    len = how & 4 ? len - fuzz_byte(input) % len : len;
    if ((how & 24) != 24) {
        wire_sum(frame, wire_get16(frame + 12) == 0x0800 ? len : 0);
        link_sum6(frame, wire_get16(frame + 12) == 0x86dd ? len : 0);
    }
    if (how & 32) {
        fake_board_deliver(frame, len); /* a runt may be one */
    } else {
        wire_deliver(frame, len);
    }
}

void frames_deliver_raw(struct fuzz_input *input)
{
    const uint8_t *bytes;
    size_t len = fuzz_bytes(input, WIRE_FRAME_MAX, &bytes);

    fake_board_deliver(bytes, len);
}

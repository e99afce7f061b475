/*
 * The other hosts on the wire, made by hand for the tests of the port: Ethernet, ARP, IPv4 and TCP
 * frames, and on top of them a small TCP client that does only what a test tells it. Every frame of
 * ours that comes out is checked: addresses, lengths, checksums, the peer's window and segment
 * size.
 */
#ifndef QR_PORT_WIRE_H
#define QR_PORT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses in host byte order. Ours, and that of the host where peers live by default. */
#define WIRE_OUR_ADDR  0xc0a80132u /* 192.168.1.50 */
#define WIRE_NETMASK   0xffffff00u
#define WIRE_HOST_ADDR 0xc0a80102u /* 192.168.1.2 */
#define WIRE_OUR_PORT  80

#define WIRE_FRAME_MAX 1514
#define WIRE_MSS       1460

/* Where things begin in the frames made here; all of them without IP options. */
enum { AT_IP = 14, AT_TCP = 34, AT_TCP_OPTIONS = 54 };

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

struct wire_segment {
    uint8_t flags;
    uint32_t seq, ack;
    uint16_t window;
    const void *options; /* as they stand there; a multiple of 4 bytes, at most 40 */
    size_t options_len;
    const void *data;
    size_t len;
};

/* One end of one connection, with all that our side has sent on it. */
struct peer {
    uint32_t addr;
    uint16_t port;
    uint16_t window, mss; /* that it announces */
    uint32_t seq;         /* of its next byte */
    uint32_t ack;         /* the next byte that it wants */
    uint32_t edge;        /* the right edge of its window, as announced */

    unsigned frames;          /* that came for it */
    unsigned repeated;        /* of those: nothing in them was new, though they had data or FIN */
    struct wire_segment last; /* of those: the last one, without options and data */
    uint32_t acked;           /* the last acknowledgement of ours */
    uint16_t our_mss;
    bool syn, fin, reset; /* came */
    size_t len;           /* bytes that came, in order; a NUL stands behind them */
    char bytes[128 * 1024];
};

/* How the hosts behave, and what came for no peer. */
struct wire {
    uint32_t deaf_from;    /* set by tests: ARP requests for this address, and higher ones, get no
                              answer; 0: all do */
    bool careless;         /* set by tests: peers believe all that segments say, unchecked */
    bool mixed;            /* set by tests: all goes out that a host says, not only ARP and TCP */
    unsigned lost;         /* set by tests: so many segments to peers get lost on their way */
    bool rejects;          /* set by tests: as a host without any sockets, with a reset */
    unsigned frames;       /* in all */
    unsigned arp_requests; /* for a host of ours, or of nobody */
    unsigned arp_replies;
    unsigned pings; /* echo replies */
    unsigned strays;
};
extern struct wire wire;

/* Forgets the peers; zeroes wire. */
void wire_reset(void);

/* Takes the frames that went out, checks them, and hands them to the peers. Nobody answers by
 * itself but to ARP. */
void wire_read(void);

/* The bytes of a big-endian number. */
void wire_put16(uint8_t *at, unsigned value);
void wire_put32(uint8_t *at, uint32_t value);
unsigned wire_get16(const uint8_t *at);
uint32_t wire_get32(const uint8_t *at);

/* Writes the IPv4 and the TCP, ICMP or IGMP checksum of a frame anew, by the lengths that stand in
 * it as far as they make sense. */
void wire_sum(uint8_t *frame, size_t len);

/* Frames; each returns its length, without padding. frame has WIRE_FRAME_MAX bytes. */
size_t wire_arp_request(uint8_t *frame, uint32_t from, uint32_t whose);
size_t wire_ping(uint8_t *frame, size_t content_len);
size_t peer_frame(uint8_t *frame, const struct peer *peer, const struct wire_segment *segment);

/* Delivers a frame with the padding that Ethernet wants. */
void wire_deliver(const uint8_t *frame, size_t len);

/* A new end, with a port and a sequence number of its own; peer stays registered until
 * wire_reset().
 */
void peer_open(struct peer *peer);

/* A segment with what peer knows; its seq moves on by data, SYN and FIN. data fits into one. */
void peer_send(struct peer *peer, uint8_t flags, const void *data, size_t len);

/* The same from the byte at seq on, with ACK and PSH; its seq stays. */
void peer_send_at(struct peer *peer, uint32_t seq, const void *data, size_t len);

void peer_ack(struct peer *peer);

/* Text, in as many segments as it takes. */
void peer_say(struct peer *peer, const char *text);

#endif

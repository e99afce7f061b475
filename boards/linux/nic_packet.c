/*
 * AF_PACKET on an Ethernet interface: a host of our own on its LAN, beside the machine's, with a
 * MAC address of its own. The machine itself cannot reach us: its frames leave by the wire. Where
 * the machine is there for us alone, the card's address is ours.
 */
#include "nic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* Linux 4.20 */
#endif

#define ETHER_BYTES  14
#define IP_TCP       6
#define IP_UDP       17
#define VLAN_ID_BITS 0x0fffu

/* Frames that are not for us and are skipped before the caller has its turn again. */
#define SKIPPED_MAX 64

/* Received frames that the kernel lays down in memory that it shares with us (packet_mmap): 1 MiB,
 * as many as a crowd sends that comes at once. When they are full, the rest is lost, and sent again
 * late. Longer ones, which GRO merges, come by recvmsg(). */
#define RING_FRAMES      512
#define RING_FRAME_BYTES 2048
#define RING_BLOCK_BYTES 65536 /* whole pages of any size */

/* Frames in one system call. */
#define SENT_AT_ONCE 64

static int card = -1;
static unsigned card_index;
static bool is_down;     /* it was said to be, and nothing was received since */
static bool error_waits; /* the last sleep ended with one */
static struct pollfd poll_card;
static uint8_t *ring; /* NULL: the kernel gives none, and all frames come by recvmsg() */
static size_t ring_next;

/* ---- opening ---- */

static int option_set(int name, const void *value, socklen_t len)
{
    return setsockopt(card, SOL_PACKET, name, value, len);
}

/* IPv4, IPv6 and ARP, to our address or to a group. In the kernel, since on a card that takes in
 * all frames of the LAN each one would else wake us. */
static int filter_attach(const uint8_t mac[6])
{
    uint32_t mac_front =
        (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
    uint32_t mac_back = (uint32_t)mac[4] << 8 | mac[5];
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), /* EtherType */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, 6),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), /* destination */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x01, 5, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mac_front, 0, 2),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mac_back, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), /* whole */
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};

    return setsockopt(card, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/* The kernel's default holds a hundred frames of any size, and drops the rest of a crowd that comes
 * at once, whose requests it then takes for silence. More than the system's limit needs
 * CAP_NET_ADMIN. */
static void lengthen_queue(void)
{
    const int bytes = 4 << 20;

    if (setsockopt(card, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
        (void)setsockopt(card, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
}

/* Without system calls, frames are taken for less; that is all there is to it. */
static void ring_open(void)
{
    const int version = TPACKET_V2, copy_too_long = 1;
    struct tpacket_req request = {.tp_block_size = RING_BLOCK_BYTES,
                                  .tp_block_nr =
                                      RING_FRAMES / (RING_BLOCK_BYTES / RING_FRAME_BYTES),
                                  .tp_frame_size = RING_FRAME_BYTES,
                                  .tp_frame_nr = RING_FRAMES};

    if (option_set(PACKET_VERSION, &version, sizeof version) != 0 ||
        option_set(PACKET_COPY_THRESH, &copy_too_long, sizeof copy_too_long) != 0 ||
        option_set(PACKET_RX_RING, &request, sizeof request) != 0) {
        return;
    }
    void *memory = mmap(NULL, (size_t)RING_FRAMES * RING_FRAME_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED, card, 0);
    if (memory == MAP_FAILED) {
        request = (struct tpacket_req){0};
        (void)option_set(PACKET_RX_RING, &request, sizeof request);
        return;
    }
    ring = memory;
}

static int attach(const uint8_t mac[6])
{
    const int on = 1;
    int type = qr_machine_is_ours ? PACKET_MR_ALLMULTI : PACKET_MR_PROMISC;
    struct packet_mreq all = {.mr_ifindex = (int)card_index, .mr_type = (unsigned short)type};
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)card_index};

    /* Older kernels do not know it; frame_in() looks at each frame's direction anyway. */
    (void)option_set(PACKET_IGNORE_OUTGOING, &on, sizeof on);
    lengthen_queue();
    if (filter_attach(mac) != 0) {
        return qr_nic_refuse("cannot filter its frames: %s", strerror(errno));
    }
    if (option_set(PACKET_AUXDATA, &on, sizeof on) != 0) {
        return qr_nic_refuse("cannot ask about checksums: %s", strerror(errno));
    }
    ring_open();
    if (option_set(PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0) {
        return qr_nic_refuse("cannot choose what it receives: %s", strerror(errno));
    }
    /* Nothing was received before this, so that no frame has passed the filter by. */
    if (bind(card, (struct sockaddr *)&address, sizeof address) != 0) {
        return qr_nic_refuse("cannot bind: %s", strerror(errno));
    }
    return 0;
}

static void mac_choose(uint8_t mac[6], const char *interface, const uint8_t own[6])
{
    if (qr_machine_is_ours) {
        memcpy(mac, own, 6);
    } else {
        /* Cards keep their address, and a fleet of devices may have been flashed with one machine
         * ID. */
        qr_nic_mac_make(mac, interface, own, true);
    }
}

static int packet_open(const char *interface, const struct qr_board_nic_config *config,
                       uint8_t mac[6])
{
    struct qr_nic_interface found;

    (void)config;
    qr_machine_interface(interface);
    if (qr_nic_interface_find(&found, interface, "see: ip link") != 0) {
        return -1;
    }
    if (!found.ethernet) {
        return qr_nic_refuse("not an Ethernet interface");
    }
    card = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (card < 0) {
        return errno == EPERM ? qr_nic_refuse("not permitted; run as root, or give CAP_NET_RAW "
                                              "with: setcap cap_net_raw+ep PROGRAM")
                              : qr_nic_refuse("cannot open: %s", strerror(errno));
    }
    card_index = found.index;
    mac_choose(mac, interface, found.mac);
    if (attach(mac) != 0) {
        close(card);
        card = -1;
        return -1;
    }
    is_down = !found.up;
    if (is_down) {
        /* Said here; bind() has left the same thing as an error to be received. */
        qr_nic_interface_warn(&found, interface);
        int error;
        socklen_t len = sizeof error;
        getsockopt(card, SOL_SOCKET, SO_ERROR, &error, &len);
    }
    return 0;
}

/* ---- checksums that a sender on this machine has left to its card ---- */

static unsigned get_u16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* Adds 16-bit words, the last byte padded with 0 (RFC 1071). 64 KB of them do not overflow. */
static uint32_t sum_u16(uint32_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += get_u16(bytes + i);
    }
    return len % 2 == 0 ? sum : sum + ((uint32_t)bytes[len - 1] << 8);
}

/* A TCP segment or UDP datagram, and what of its IP header is in its checksum. */
struct segment {
    const uint8_t *addresses;
    size_t addresses_len;
    uint8_t protocol;
    uint8_t *bytes;
    size_t len;
};

static bool segment_find_ip4(struct segment *segment, uint8_t *ip, size_t len)
{
    if (len < 20 || ip[0] >> 4 != 4) {
        return false;
    }
    bool fragment = (get_u16(ip + 6) & 0x3fffu) != 0; /* more fragments, or an offset */
    size_t head_len = (size_t)(ip[0] & 0x0f) * 4, ip_len = get_u16(ip + 2);
    if (fragment || head_len < 20 || ip_len > len || ip_len < head_len) {
        return false;
    }
    *segment = (struct segment){ip + 12, 8, ip[9], ip + head_len, ip_len - head_len};
    return true;
}

/* Without extension headers. */
static bool segment_find_ip6(struct segment *segment, uint8_t *ip, size_t len)
{
    if (len < 40 || ip[0] >> 4 != 6 || get_u16(ip + 4) > len - 40) {
        return false;
    }
    *segment = (struct segment){ip + 8, 32, ip[6], ip + 40, get_u16(ip + 4)};
    return true;
}

/* Returns false for other frames, fragments, and frames that do not add up. */
static bool segment_find(struct segment *segment, uint8_t *frame, size_t frame_len)
{
    if (frame_len < ETHER_BYTES) {
        return false;
    }
    switch (get_u16(frame + 12)) {
    case ETH_P_IP: return segment_find_ip4(segment, frame + ETHER_BYTES, frame_len - ETHER_BYTES);
    case ETH_P_IPV6: return segment_find_ip6(segment, frame + ETHER_BYTES, frame_len - ETHER_BYTES);
    default: return false;
    }
}

/* Of the checksum in a segment or datagram; 0: not known. */
static size_t checksum_place(uint8_t protocol)
{
    switch (protocol) {
    case IP_TCP: return 16;
    case IP_UDP: return 6;
    default: return 0;
    }
}

/* Where there is no checksum to write, the frame stays as it is: lwIP says what becomes of it. */
static void checksum_complete(uint8_t *frame, size_t frame_len)
{
    struct segment segment;
    if (!segment_find(&segment, frame, frame_len)) {
        return;
    }
    size_t checksum = checksum_place(segment.protocol);
    if (checksum == 0 || segment.len < checksum + 2) {
        return;
    }
    uint8_t *place = segment.bytes + checksum;
    place[0] = place[1] = 0;
    /* The pseudo header: both addresses, protocol, length (RFC 9293 section 3.1, RFC 768, RFC 8200
     * section 8.1). */
    uint32_t sum =
        sum_u16(segment.protocol + (uint32_t)segment.len, segment.addresses, segment.addresses_len);
    sum = sum_u16(sum, segment.bytes, segment.len);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = ~(sum + (sum >> 16)) & 0xffffu;
    if (sum == 0 && segment.protocol == IP_UDP) {
        sum = 0xffffu; /* 0 would say that there is none */
    }
    place[0] = (uint8_t)(sum >> 8);
    place[1] = (uint8_t)sum;
}

/* ---- frames ---- */

/* How often to look whether an interface that went down is still there. */
#define DOWN_LOOK_MS 500

/* The interface may be away, too. The kernel says once that it went down, which comes first when it
 * goes away, and never that it is gone. */
static void exit_if_gone(void)
{
    char name[IFNAMSIZ];

    if (if_indextoname(card_index, name) == NULL) {
        qr_nic_refuse("the interface is gone: %s", strerror(errno));
        qr_board_exit(1);
    }
}

static void receive_failed(int error)
{
    if (error == EAGAIN || error == EINTR) {
        if (is_down) {
            exit_if_gone();
        }
        return;
    }
    exit_if_gone();
    is_down = true;
    qr_nic_warn("%s", strerror(error));
}

static const struct tpacket_auxdata *auxdata(struct msghdr *message)
{
    struct cmsghdr *part = CMSG_FIRSTHDR(message);

    while (part != NULL && (part->cmsg_level != SOL_PACKET || part->cmsg_type != PACKET_AUXDATA)) {
        part = CMSG_NXTHDR(message, part);
    }
    return part == NULL ? NULL : (const struct tpacket_auxdata *)(void *)CMSG_DATA(part);
}

/* What the kernel says of a received frame besides its bytes. */
struct remarks {
    uint32_t status; /* TP_STATUS_… */
    uint16_t vlan;
    uint8_t type; /* PACKET_HOST, … */
    bool cut;
};

/* Whether it is one for us, and then whole. Its VLAN tag, where it had one, has been taken off;
 * VLAN 0 only gives a priority. */
static bool take(const struct remarks *remarks, uint8_t *frame, size_t len)
{
    bool tagged =
        (remarks->status & TP_STATUS_VLAN_VALID) != 0 && (remarks->vlan & VLAN_ID_BITS) != 0;

    if (tagged || remarks->type == PACKET_OUTGOING || remarks->cut) {
        return false;
    }
    if ((remarks->status & TP_STATUS_CSUMNOTREADY) != 0) {
        checksum_complete(frame, len);
    }
    return true;
}

static size_t receive(uint8_t *frame)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct sockaddr_ll from = {0};
    struct iovec part = {frame, QR_BOARD_FRAME_MAX};

    for (int skipped = 0; skipped < SKIPPED_MAX; skipped++) {
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(card, &message, 0);
        if (n < 0) {
            receive_failed(errno);
            return 0;
        }
        is_down = false;
        const struct tpacket_auxdata *aux = auxdata(&message);
        struct remarks remarks = {.type = from.sll_pkttype,
                                  .cut = (message.msg_flags & MSG_TRUNC) != 0};
        if (aux != NULL) {
            remarks.status = aux->tp_status;
            remarks.vlan = aux->tp_vlan_tci;
        }
        if (take(&remarks, frame, (size_t)n)) {
            return (size_t)n;
        }
    }
    return 0;
}

/* ---- the ring ---- */

static struct tpacket2_hdr *ring_head(void)
{
    return (struct tpacket2_hdr *)(void *)(ring + ring_next * RING_FRAME_BYTES);
}

/* Whose the next frame is, and what the kernel remarks on it. */
static uint32_t ring_status(void)
{
    return __atomic_load_n(&ring_head()->tp_status, __ATOMIC_ACQUIRE);
}

static void ring_give_back(void)
{
    __atomic_store_n(&ring_head()->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    ring_next = (ring_next + 1) % RING_FRAMES;
}

_Static_assert(sizeof(struct tpacket2_hdr) % TPACKET_ALIGNMENT == 0, "the address follows");

static size_t ring_take(uint8_t *frame, uint32_t status)
{
    const struct tpacket2_hdr *head = ring_head();
    const struct sockaddr_ll *from = (const void *)(head + 1);
    struct remarks remarks = {.status = status,
                              .vlan = head->tp_vlan_tci,
                              .type = from->sll_pkttype,
                              .cut = head->tp_snaplen < head->tp_len};
    size_t len = head->tp_snaplen;

    if (!remarks.cut) {
        memcpy(frame, (const uint8_t *)head + head->tp_mac, len);
    }
    return take(&remarks, frame, len) ? len : 0;
}

static size_t packet_frame_in(uint8_t *frame)
{
    if (ring == NULL) {
        return receive(frame);
    }
    for (int skipped = 0; skipped < SKIPPED_MAX; skipped++) {
        uint32_t status = ring_status();
        if ((status & TP_STATUS_USER) == 0) {
            return error_waits || is_down ? receive(frame) : 0;
        }
        is_down = false;
        size_t len = (status & TP_STATUS_COPY) != 0 ? 0 : ring_take(frame, status);
        ring_give_back();
        if ((status & TP_STATUS_COPY) != 0) {
            len = receive(frame); /* it is too long for the ring: merged from several */
        }
        if (len != 0) {
            return len;
        }
    }
    return 0;
}

static bool packet_waits(void)
{
    return ring == NULL ? qr_nic_has_input(card) : (ring_status() & TP_STATUS_USER) != 0;
}

static void packet_send(struct iovec *frames, size_t n)
{
    static struct mmsghdr messages[SENT_AT_ONCE]; /* of which all else stays 0 */

    for (size_t i = 0; i < n;) {
        size_t some = n - i < SENT_AT_ONCE ? n - i : SENT_AT_ONCE;
        for (size_t j = 0; j < some; j++) {
            messages[j].msg_hdr.msg_iov = &frames[i + j];
            messages[j].msg_hdr.msg_iovlen = 1;
        }
        int sent = sendmmsg(card, messages, (unsigned)some, 0);
        i += sent > 0 ? (size_t)sent : 1; /* one that cannot be sent is lost */
    }
}

static size_t packet_sleep(struct pollfd **polls, uint32_t *timeout_ms)
{
    if (is_down && *timeout_ms > DOWN_LOOK_MS) {
        *timeout_ms = DOWN_LOOK_MS;
    }
    poll_card = (struct pollfd){.fd = card, .events = POLLIN};
    *polls = &poll_card;
    return 1;
}

/* The ring has no place for an error: that is to be asked for. */
static void packet_woken(bool interrupted)
{
    error_waits = !interrupted && (poll_card.revents & POLLERR) != 0;
}

const struct qr_nic qr_nic_packet = {
    .open = packet_open,
    .frame_in = packet_frame_in,
    .send = packet_send,
    .waits = packet_waits,
    .sleep = packet_sleep,
    .woken = packet_woken,
};

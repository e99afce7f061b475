#include "netif_board.h"

#include <string.h>

#include "boards/board.h"
#include "lwip/etharp.h"
#include "lwip/pbuf.h"
#include "lwip/stats.h"
#include "lwip/tcpip.h"
#include "mdns.h"
#include "netif/ethernet.h"
#include "pump.h"

#define FRAME_OUT_MAX 1514

/* Ethernet's shortest frame, without its checksum. A card receives no shorter ones, but a TAP
 * device does, and lwIP 2.2.1 reads an ARP message, and the begin of an IP header, before it knows
 * that they are there. */
#define FRAME_IN_MIN 60

/* Frames up to this size are taken from the heap when the pool is empty: a bare acknowledgement has
 * 54 to 66 bytes, an ARP message 42 to 60. */
#define SMALL_FRAME 128

static struct netif *the_netif;

#define PAD QR_BOARD_FRAME_PAD
_Static_assert(PAD == ETH_PAD_SIZE, "lwIP has it in front of each frame, too");

/* A frame that was taken from the board and found no pbuf waits here for the next turn. Otherwise
 * one that goes out in several pieces is put together here. */
static struct {
    size_t len; /* 0: none waits */
    bool tried;
    _Alignas(uint32_t) uint8_t bytes[PAD + QR_BOARD_FRAME_MAX];
} in;
_Static_assert(QR_BOARD_FRAME_MAX >= FRAME_OUT_MAX, "frames of either way fit");

static err_t frame_out(struct netif *netif, struct pbuf *p)
{
    const uint8_t *frame = p->payload;
    size_t len = p->tot_len - PAD;

    (void)netif;
    if (len > FRAME_OUT_MAX) {
        return ERR_BUF;
    }
    if (p->next != NULL) {
        if (in.len != 0) {
            return ERR_MEM; /* lwIP tries again */
        }
        (void)pbuf_copy_partial(p, in.bytes, p->tot_len, 0);
        frame = in.bytes;
    }
    if (qr_board_frame_out(frame + PAD, len) != 0) {
        LINK_STATS_INC(link.drop); /* TCP sends it again */
    } else {
        LINK_STATS_INC(link.xmit);
    }
    return ERR_OK;
}

err_t qr_netif_board_init(struct netif *netif)
{
    the_netif = netif;
    netif->name[0] = 'q';
    netif->name[1] = 'r';
    netif->mtu = 1500;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, qr_board_mac(), ETH_HWADDR_LEN);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
                   NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    netif->output = qr_mdns_output;
    netif->linkoutput = frame_out;
    return ERR_OK;
}

/* Without a pbuf now, a frame waits one turn, in which the server reads from its connections and so
 * makes room; then it is given up, since acknowledgements may stand in line behind it. */
static struct pbuf *take_pbuf(u16_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, PAD + len, PBUF_POOL);

    if (p == NULL && len <= SMALL_FRAME) {
        p = pbuf_alloc(PBUF_RAW, PAD + len, PBUF_RAM);
    }
    return p;
}

static bool take_frame(void)
{
    in.len = qr_board_frame_in(in.bytes + PAD);
    in.tried = false;
    if (in.len != 0 && in.len < FRAME_IN_MIN) {
        memset(in.bytes + PAD + in.len, 0, FRAME_IN_MIN - in.len);
        in.len = FRAME_IN_MIN;
    }
    return in.len != 0;
}

bool qr_netif_board_waits(void)
{
    return in.len != 0;
}

bool qr_netif_board_input(void)
{
    struct pbuf *p;

    if (in.len == 0 && !take_frame()) {
        return false;
    }
    LOCK_TCPIP_CORE();
    p = take_pbuf((u16_t)in.len);
    if (p == NULL && !in.tried) {
        in.tried = true;
        UNLOCK_TCPIP_CORE();
        return false;
    }
    if (p == NULL) {
        LINK_STATS_INC(link.drop);
    } else {
        (void)pbuf_take(p, in.bytes, p->tot_len);
        in.len = 0;
        LINK_STATS_INC(link.recv);
        if (the_netif->input(p, the_netif) != ERR_OK) {
            (void)pbuf_free(p);
        }
    }
    UNLOCK_TCPIP_CORE();
    in.len = 0;
    return true;
}

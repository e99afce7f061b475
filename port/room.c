#include "room.h"

#include "src/limits.h"
#include "lwip/memp.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "lwip/tcp.h"

/* ---- sending ---- */

static bool holds_some(const struct tcp_pcb *pcb)
{
    return pcb->state >= ESTABLISHED && pcb->snd_queuelen != 0;
}

/* net_close() has marked it so. */
static bool is_closed_for_us(const struct tcp_pcb *pcb)
{
    return pcb->prio == TCP_PRIO_MIN;
}

/* Connections that hold nothing: each shall be able to queue a small reply. */
static size_t others(void)
{
    size_t holders = 0;

    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        holders += holds_some(pcb) && !is_closed_for_us(pcb);
    }
    return holders < QR_CONNS_MAX ? QR_CONNS_MAX - holders : 0;
}

/* Whether len bytes, in as many segments as a queue has, leave enough for so many others. */
static bool leaves_enough(size_t len, size_t n_others)
{
    size_t heap_left = MEM_SIZE - lwip_stats.mem.used;
    size_t segs_left = MEMP_NUM_TCP_SEG - lwip_stats.memp[MEMP_TCP_SEG]->used;

    return heap_left >= QR_LWIP_HEAP_BASE + len + (size_t)QR_LWIP_AROUND * TCP_SND_QUEUELEN +
                            n_others * QR_LWIP_REPLY &&
           segs_left >= TCP_SND_QUEUELEN + n_others * QR_LWIP_SEGS;
}

/* Connections are only counted where it matters. */
static bool is_low(size_t len)
{
    return !leaves_enough(len, QR_CONNS_MAX) && !leaves_enough(len, others());
}

/* One whose peer takes nothing, or nothing any more: what is on its way for the first time may yet
 * arrive. */
static bool give_up_a_closed_one(void)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        bool hangs = pcb->nrtx != 0 || pcb->persist_backoff != 0;
        if (hangs && holds_some(pcb) && is_closed_for_us(pcb)) {
            tcp_abort(pcb);
            return true;
        }
    }
    return false;
}

static bool memory_is_low(size_t len)
{
    bool low;

    do {
        low = is_low(len);
    } while (low && give_up_a_closed_one());
    return low;
}

/* lwIP queues all of a piece or nothing, in segments of the peer's size, of which it has few. */
size_t qr_room_to_send(const struct tcp_pcb *pcb, size_t len)
{
    size_t mss = tcp_mss(pcb);
    size_t room = mss * (size_t)(TCP_SND_QUEUELEN - pcb->snd_queuelen);

    len = len < room ? len : room;
    if (!memory_is_low(len)) {
        return len;
    }
    if (holds_some(pcb)) {
        return 0;
    }
    room = mss < QR_LWIP_PIECE ? mss : QR_LWIP_PIECE;
    return len < room ? len : room;
}

/* ---- receiving ---- */

static bool has_unread(const struct tcp_pcb *pcb)
{
    return pcb->rcv_wnd != TCP_WND;
}

bool qr_room_to_receive(const struct tcp_pcb *pcb, unsigned long seqno, const struct pbuf *p)
{
    size_t left = PBUF_POOL_SIZE - lwip_stats.memp[MEMP_PBUF_POOL]->used;
    bool early = TCP_SEQ_GT((u32_t)seqno, pcb->rcv_nxt);

    if (p->tot_len == 0) {
        return true;
    }
    if (early && is_low(0)) {
        return false;
    }
    if (left >= QR_LWIP_PBUFS_KEPT) {
        return true;
    }
    if (has_unread(pcb) || early) {
        return false;
    }
    return left >= QR_LWIP_PBUFS_LAST || pbuf_clen(p) <= QR_LWIP_SMALL_PBUFS;
}

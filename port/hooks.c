#include "hooks.h"

#include <stdbool.h>
#include <stddef.h>

#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/tcp.h"
#include "lwip/stats.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "pump.h"
#include "room.h"

/* Bytes of a window below which it is not halved for segments. */
#define SMALL_WINDOW 512

/* RFC 9293 section 3.2: 0 ends the list, 1 is one byte, all others have their length, including
 * these two bytes, in the second. 2 stands in a SYN only (section 3.7.1). */
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2 };

/* The options' i-th byte; lwIP has them in one piece, or the rest in the next pbuf. */
static u8_t option_byte(const struct tcp_hdr *header, u16_t first_len, const u8_t *second, u16_t i)
{
    const u8_t *first = (const u8_t *)(header + 1);

    return i < first_len ? first[i] : second[i - first_len];
}

static bool options_add_up(const struct tcp_hdr *header, u16_t options_len, u16_t first_len,
                           const u8_t *second)
{
    u16_t i = 0;

    while (i < options_len) {
        u8_t kind = option_byte(header, first_len, second, i);
        u8_t len;
        if (kind == OPTION_END) {
            break;
        }
        if (kind == OPTION_NOP) {
            i++;
            continue;
        }
        if (options_len - i < 2) {
            return false;
        }
        len = option_byte(header, first_len, second, (u16_t)(i + 1));
        if (len < 2 || len > options_len - i ||
            (kind == OPTION_MSS && (TCPH_FLAGS(header) & TCP_SYN) == 0)) {
            return false;
        }
        i = (u16_t)(i + len);
    }
    return true;
}

/* RFC 9293 section 3.10.7.4: in these states an acknowledgement must be there, and of nothing that
 * was not sent yet. Only who sent something besides is told so: else two sides that both do this
 * would answer each other for ever. */
static bool acknowledges(struct tcp_pcb *pcb, const struct tcp_hdr *header, const struct pbuf *p)
{
    if (pcb->state < ESTABLISHED || pcb->state == TIME_WAIT ||
        (TCPH_FLAGS(header) & (TCP_SYN | TCP_RST)) != 0) {
        return true;
    }
    if ((TCPH_FLAGS(header) & TCP_ACK) == 0) {
        return false;
    }
    if (TCP_SEQ_LEQ(header->ackno, pcb->snd_nxt)) {
        return true;
    }
    if (p->tot_len != 0) {
        (void)tcp_send_empty_ack(pcb);
    }
    return false;
}

/* Whether what comes too early ends in the window, and in front of an end that came before. */
static bool fits(const struct tcp_pcb *pcb, const struct tcp_hdr *header, const struct pbuf *p)
{
    u32_t edge = pcb->rcv_nxt + pcb->rcv_wnd;
    u32_t end = header->seqno + p->tot_len;
    u32_t end_of_all = end + ((TCPH_FLAGS(header) & TCP_FIN) != 0);

    if (pcb->state == TIME_WAIT) {
        return true;
    }
    if (TCP_SEQ_GT(header->seqno, pcb->rcv_nxt) && TCP_SEQ_LT(header->seqno, edge) &&
        TCP_SEQ_GT(end_of_all, edge)) {
        return false;
    }
    for (const struct tcp_seg *early = pcb->ooseq; early != NULL; early = early->next) {
        if ((TCPH_FLAGS(early->tcphdr) & TCP_FIN) != 0 &&
            TCP_SEQ_GT(end, early->tcphdr->seqno + early->len)) {
            return false;
        }
    }
    return true;
}

err_t qr_hook_tcp_in(struct tcp_pcb *pcb, const struct tcp_hdr *header, u16_t options_len,
                     u16_t first_len, const u8_t *second, const struct pbuf *p)
{
    if (!options_add_up(header, options_len, first_len, second)) {
        return ERR_VAL;
    }
    if (pcb->state == LISTEN) {
        return ERR_OK;
    }
    if (!acknowledges(pcb, header, p) || !fits(pcb, header, p)) {
        return ERR_VAL;
    }
    if (pcb->snd_wnd_max < SMALL_WINDOW) {
        pcb->snd_wnd_max = 2 * TCP_MSS;
    }
    return qr_room_to_receive(pcb, header->seqno, p) ? ERR_OK : ERR_MEM;
}

/* Whether the connection is that which a segment belongs to. */
static bool is_of(const struct tcp_pcb *pcb, const ip_addr_t *from, const struct tcp_hdr *header)
{
    return pcb->remote_port == lwip_ntohs(header->src) &&
           pcb->local_port == lwip_ntohs(header->dest) && ip_addr_eq(&pcb->remote_ip, from);
}

/* The time at which a handshake began stands where that of keep-alive does once it is accepted. */
_Static_assert(offsetof(struct tcp_pcb, local_ip) == 0, "who has one has the other");

u32_t qr_hook_tcp_isn(const ip_addr_t *local_ip)
{
    ((struct tcp_pcb *)(void *)local_ip)->keep_idle = sys_now();
    return qr_port_random();
}

/* What ends it does not wait among the frames that were not taken yet. */
static bool is_late(const struct tcp_pcb *pcb)
{
    s32_t had_ms = (s32_t)(qr_pump_caught_up_ms() - pcb->keep_idle);

    return pcb->state == SYN_RCVD && had_ms >= QR_LWIP_HANDSHAKE_MS;
}

static void make_room_in_backlog(const ip_addr_t *from, const struct tcp_hdr *header)
{
    const struct tcp_pcb_listen *listener = tcp_listen_pcbs.listen_pcbs; /* there is one */
    struct tcp_pcb *oldest = NULL; /* lwIP has the newest first */

    if (listener == NULL || listener->local_port != lwip_ntohs(header->dest) ||
        listener->accepts_pending < listener->backlog) {
        return;
    }
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (is_of(pcb, from, header)) {
            return; /* it is repeated */
        }
        if (is_late(pcb)) {
            oldest = pcb;
        }
    }
    if (oldest != NULL) {
        tcp_abandon(oldest, 0);
    }
}

void qr_hook_tcp_syn(const ip_addr_t *from, const struct tcp_hdr *header)
{
    struct tcp_pcb *pcb = tcp_tw_pcbs;

    if ((TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN) {
        return;
    }
    make_room_in_backlog(from, header);
    while (pcb != NULL && !is_of(pcb, from, header)) {
        pcb = pcb->next;
    }
    if (pcb != NULL && TCP_SEQ_GT(lwip_ntohl(header->seqno), pcb->rcv_nxt)) {
        tcp_abort(pcb); /* in this state, without a reset */
    }
}

static bool is_acknowledged(const struct tcp_pcb *pcb, const struct tcp_seg *segment)
{
    return TCP_SEQ_LEQ(lwip_ntohl(segment->tcphdr->seqno) + TCP_TCPLEN(segment), pcb->lastack);
}

static void drop_acknowledged(struct tcp_pcb *pcb)
{
    while (pcb->unsent != NULL && is_acknowledged(pcb, pcb->unsent)) {
        struct tcp_seg *segment = pcb->unsent;
        pcb->unsent = segment->next;
        pcb->snd_queuelen = (u16_t)(pcb->snd_queuelen - pbuf_clen(segment->p));
        tcp_seg_free(segment);
    }
}

void qr_hook_tcp_timers(void)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        drop_acknowledged(pcb);
        if (pcb->rto > QR_LWIP_RTO_MAX_MS / TCP_SLOW_INTERVAL) {
            pcb->rto = QR_LWIP_RTO_MAX_MS / TCP_SLOW_INTERVAL;
        }
        if (pcb->persist_backoff == 0 || (pcb->unsent != NULL && pcb->unacked == NULL)) {
            continue;
        }
        pcb->persist_backoff = 0;
        if (pcb->unacked != NULL && pcb->rtime < 0) {
            pcb->rtime = 0; /* what is on the way needs its retransmission timer */
        }
    }
}

/*
 * The network card: SMSC LAN9118, a MAC with FIFOs and a PHY. Names and numbers in parentheses are
 * those of its datasheet.
 */
#include "nic.h"

#include <string.h>

#include "boards/board.h"
#include "clock.h"
#include "family.h"
#include "registers.h"

/* Chapter 5.3. */
static struct {
    qr_register rx_data, rx_data_aliases[7], tx_data, tx_data_aliases[7];
    qr_register rx_status, rx_status_peek, tx_status, tx_status_peek;
    qr_register id_rev, irq_cfg, int_sts, int_en, reserved, byte_test, fifo_int;
    qr_register rx_cfg, tx_cfg, hw_cfg, rx_dp_ctrl, rx_fifo_inf, tx_fifo_inf;
    qr_register pmt_ctrl, gpio_cfg, gpt_cfg, gpt_cnt, reserved_2, word_swap, free_run, rx_drop;
    qr_register mac_csr_cmd, mac_csr_data, afc_cfg, e2p_cmd, e2p_data;
} *const card = (void *)0x40200000;

#define IRQ_CFG_ON       (1u << 8 | 1u << 4 | 1u << 0) /* enabled, active high, push-pull */
#define INT_RSFL         (1u << 3)                     /* a frame is waiting */
#define INT_RXE          (1u << 14)                    /* the receiver is in disorder */
#define BYTE_TEST        0x87654321u
#define RX_CFG_DUMP      (1u << 15)
#define RX_CFG_PAD       ((uint32_t)QR_BOARD_FRAME_PAD << 8)
#define TX_CFG_ON        (1u << 1)
#define TX_CFG_SAO       (1u << 2) /* goes on sending when nobody reads the status */
#define HW_CFG_SRST      (1u << 0)
#define HW_CFG_SF        (1u << 20) /* must be set */
#define HW_CFG_TX_5K     (5u << 16) /* of the FIFOs' 16 KB; the receiver has 10,560 bytes */
#define PMT_CTRL_READY   (1u << 0)
#define MAC_CSR_CMD_BUSY (1u << 31)
#define MAC_CSR_CMD_READ (1u << 30)
#define E2P_CMD_BUSY     (1u << 31)
#define RX_STATUS_ERROR  (1u << 15)
#define TX_CMD_WHOLE     (1u << 13 | 1u << 12) /* the frame is in one piece … */
#define TX_CMD_AT(n)     ((uint32_t)(n) << 16) /* … and begins at this byte of its first word */

/* Chapter 5.4: behind mac_csr_cmd. */
enum { MAC_CR = 1, MAC_ADDRH = 2, MAC_ADDRL = 3 };
#define MAC_CR_RXEN (1u << 2)
#define MAC_CR_TXEN (1u << 3)
#define MAC_CR_FDPX (1u << 20) /* as every switch negotiates */
/* All multicasts: mDNS, and IPv6's neighbours. */
#define MAC_CR_MCPAS (1u << 19)
#define MAC_CR_ON    (MAC_CR_FDPX | MAC_CR_MCPAS | MAC_CR_TXEN)

#define CRC_BYTES        4
#define FRAME_MIN        14 /* of a frame that has a type */
#define TX_COMMAND_BYTES 8

/* Chapter 6: a reset takes some microseconds, reading the EEPROM some milliseconds. */
#define CARD_TIMEOUT_TICKS (QR_CLOCK_HZ / 10)

static uint8_t our_mac[6];

/* ---- start ---- */

/* Waits until these bits are as wanted. Returns false when the card does not get there. */
static bool reach(const qr_register *where, uint32_t bits, uint32_t wanted)
{
    uint32_t start = qr_clock_ticks();

    while ((*where & bits) != wanted) {
        if (start - qr_clock_ticks() > CARD_TIMEOUT_TICKS) {
            return false;
        }
    }
    return true;
}

static uint32_t mac_read(uint32_t which)
{
    card->mac_csr_cmd = MAC_CSR_CMD_BUSY | MAC_CSR_CMD_READ | which;
    (void)reach(&card->mac_csr_cmd, MAC_CSR_CMD_BUSY, 0);
    return card->mac_csr_data;
}

static void mac_write(uint32_t which, uint32_t value)
{
    card->mac_csr_data = value;
    card->mac_csr_cmd = MAC_CSR_CMD_BUSY | which;
    (void)reach(&card->mac_csr_cmd, MAC_CSR_CMD_BUSY, 0);
}

/* The reset also reads the address from the EEPROM, where there is one. */
static bool reset(void)
{
    if (!reach(&card->byte_test, UINT32_MAX, BYTE_TEST) ||
        !reach(&card->pmt_ctrl, PMT_CTRL_READY, PMT_CTRL_READY)) {
        return false;
    }
    card->hw_cfg = HW_CFG_SRST;
    return reach(&card->hw_cfg, HW_CFG_SRST, 0) && reach(&card->e2p_cmd, E2P_CMD_BUSY, 0);
}

/* The card's own address; without an EEPROM, which reads as a multicast, one by chance: given
 * locally (IEEE 802). */
static void take_mac(void)
{
    uint32_t low = mac_read(MAC_ADDRL), high = mac_read(MAC_ADDRH);

    if ((low & 1) != 0 || (low == 0 && (high & 0xffff) == 0)) {
        qr_board_random(&low, sizeof low);
        qr_board_random(&high, sizeof high);
        low = (low & ~1u) | 2u;
        mac_write(MAC_ADDRL, low);
        mac_write(MAC_ADDRH, high & 0xffff);
    }
    for (unsigned i = 0; i < 4; i++) {
        our_mac[i] = (uint8_t)(low >> 8 * i);
    }
    our_mac[4] = (uint8_t)high;
    our_mac[5] = (uint8_t)(high >> 8);
}

int qr_board_nic_open(const struct qr_board_nic_config *config)
{
    if (strcmp(config->net, "card") != 0) {
        qr_board_log(QR_LOG_ERROR, "net: this board has its own network card only: net=card");
        return -1;
    }
    if (!reset()) {
        qr_board_log(QR_LOG_ERROR, "the network card (LAN9118) does not answer");
        return -1;
    }
    take_mac();
    card->hw_cfg = HW_CFG_SF | HW_CFG_TX_5K;
    card->irq_cfg = IRQ_CFG_ON;
    card->int_en = 0;
    card->int_sts = UINT32_MAX;
    card->fifo_int = 0; /* INT_RSFL from the first frame on */
    /* Until irq_cfg was set, the line was active. */
    qr_irq_clear(qr_nic_irq);
    qr_irq_enable(qr_nic_irq);
    card->rx_cfg = RX_CFG_PAD;
    card->tx_cfg = TX_CFG_ON | TX_CFG_SAO;
    mac_write(MAC_CR, MAC_CR_ON | MAC_CR_RXEN);
    return 0;
}

const uint8_t *qr_board_mac(void)
{
    return our_mac;
}

/* ---- frames ---- */

/* The FIFOs take and give words; a frame's bytes stand in them from the low end on. Each FIFO is
 * there at eight addresses, so that eight words pass as if it were memory, which is felt, since
 * every byte of every frame goes this way. No interrupt cuts such a burst in two. */
typedef uint32_t __attribute__((may_alias)) word;
#define WORD_BYTES  sizeof(word)
#define BURST_WORDS 8
#define UNNAMED     __attribute__((unused)) /* the assembly has no names for its arguments */

__attribute__((naked, noinline)) static void
take_bursts(word *to UNNAMED, qr_register *fifo UNNAMED, size_t n_bursts UNNAMED)
{
    __asm__ volatile("   push    {r4-r10}      \n"
                     "1: ldmia   r1, {r3-r10}  \n"
                     "   stmia   r0!, {r3-r10} \n"
                     "   subs    r2, #1        \n"
                     "   bne     1b            \n"
                     "   pop     {r4-r10}      \n"
                     "   bx      lr            \n" ::
                         : "memory");
}

__attribute__((naked, noinline)) static void
give_bursts(qr_register *fifo UNNAMED, const word *from UNNAMED, size_t n_bursts UNNAMED)
{
    __asm__ volatile("   push    {r4-r10}      \n"
                     "1: ldmia   r1!, {r3-r10} \n"
                     "   stmia   r0, {r3-r10}  \n"
                     "   subs    r2, #1        \n"
                     "   bne     1b            \n"
                     "   pop     {r4-r10}      \n"
                     "   bx      lr            \n" ::
                         : "memory");
}

static size_t words(size_t bytes)
{
    return (bytes + WORD_BYTES - 1) / WORD_BYTES;
}

static void take(word *to, size_t n_words)
{
    size_t n_bursts = n_words / BURST_WORDS;

    if (n_bursts != 0) {
        take_bursts(to, &card->rx_data, n_bursts);
    }
    for (size_t i = n_bursts * BURST_WORDS; i < n_words; i++) {
        to[i] = card->rx_data;
    }
}

static void drop(size_t n_words)
{
    while (n_words-- > 0) {
        (void)card->rx_data;
    }
}

static void give(const word *from, size_t n_words)
{
    size_t n_bursts = n_words / BURST_WORDS;

    if (n_bursts != 0) {
        give_bursts(&card->tx_data, from, n_bursts);
    }
    for (size_t i = n_bursts * BURST_WORDS; i < n_words; i++) {
        card->tx_data = from[i];
    }
}

/* A frame that came damaged is skipped, and nothing given: it is looked at again before a sleep. */
size_t qr_board_frame_in(uint8_t *frame)
{
    if ((card->rx_fifo_inf >> 16 & 0xff) == 0) {
        return 0;
    }
    uint32_t status = card->rx_status;
    size_t with_crc = status >> 16 & 0x3fff;
    size_t waiting = words(QR_BOARD_FRAME_PAD + with_crc);
    if ((status & RX_STATUS_ERROR) != 0 || with_crc < FRAME_MIN + CRC_BYTES ||
        with_crc > QR_BOARD_FRAME_MAX + CRC_BYTES) {
        drop(waiting);
        return 0;
    }
    size_t len = with_crc - CRC_BYTES;
    size_t wanted = words(QR_BOARD_FRAME_PAD + len);
    take((word *)(void *)(frame - QR_BOARD_FRAME_PAD), wanted);
    drop(waiting - wanted);
    return len;
}

/* Of its first and its last word, the card leaves out what does not belong to the frame. */
int qr_board_frame_out(const uint8_t *frame, size_t len)
{
    size_t before = (uintptr_t)frame % WORD_BYTES;
    size_t n_words = words(before + len);

    if ((card->tx_fifo_inf & 0xffff) < TX_COMMAND_BYTES + WORD_BYTES * n_words) {
        return -1;
    }
    card->tx_data = TX_CMD_WHOLE | TX_CMD_AT(before) | (uint32_t)len;
    card->tx_data = (uint32_t)len << 16 | (uint32_t)len; /* a tag, and the length again */
    give((const word *)(const void *)(frame - before), n_words);
    return 0;
}

/* ---- sleep ---- */

/* Who read a FIFO beyond its end, or never, has to put the receiver in order (chapter 3.13.5). */
static void restart_receiver(void)
{
    mac_write(MAC_CR, MAC_CR_ON);
    card->rx_cfg = RX_CFG_PAD | RX_CFG_DUMP;
    (void)reach(&card->rx_cfg, RX_CFG_DUMP, 0);
    mac_write(MAC_CR, MAC_CR_ON | MAC_CR_RXEN);
    qr_board_log(QR_LOG_WARNING, "the network card's receiver was in disorder: restarted");
}

bool qr_nic_arm(void)
{
    uint32_t status = card->int_sts;

    card->int_sts = status;
    if ((status & INT_RXE) != 0) {
        restart_receiver();
    }
    card->int_en = INT_RSFL;
    return (card->rx_fifo_inf >> 16 & 0xff) != 0;
}

void qr_nic_awake(void)
{
    card->int_en = 0;
    qr_irq_clear(qr_nic_irq);
}

#include "port_session.h"

#include <stdlib.h>
#include <string.h>

#include "lwip/apps/sntp.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/tcpip.h"
#include "tests/unit/fake_board.h"
#include "tests/unit/port_link.h"
#include "tests/unit/port_memory.h"
#include "tests/unit/port_rig.h"

/* Until mDNS has its name, and said so. */
#define SETTLE_MS 100000

#define SERVER_ADDR 0xc0a80103u /* for names and time */

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd

static netif_linkoutput_fn to_board;
static bool neighbours;
static uint32_t tcp6_ack;

#define ANSWERS_MAX 8
#define ANSWER_MAX  1200

static struct {
    uint16_t port;
    uint16_t len;
    const uint8_t *bytes;
} answers[ANSWERS_MAX];
static size_t n_answers, n_given;

/* ---- lwIP's memory: where the Makefile has put it ---- */

extern uint64_t __start_port_bss[], __stop_port_bss[], __start_port_data[], __stop_port_data[];

static uint64_t *kept_bss, *kept_data;
static uint64_t kept_ms;

/* Between variables there is memory that nobody may touch, for the sanitizer; memcpy would. */
__attribute__((no_sanitize("address", "undefined", "coverage"))) static void
copy(volatile uint64_t *to, const volatile uint64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

static size_t bss_words(void)
{
    return (size_t)(__stop_port_bss - __start_port_bss);
}

static size_t data_words(void)
{
    return (size_t)(__stop_port_data - __start_port_data);
}

static void keep(void)
{
    kept_bss = malloc(bss_words() * sizeof *kept_bss);
    kept_data = malloc(data_words() * sizeof *kept_data);
    copy(kept_bss, __start_port_bss, bss_words());
    copy(kept_data, __start_port_data, data_words());
    kept_ms = qr_board_uptime_ms();
}

/* ---- frames that go out ---- */

static void answer_solicitation(const uint8_t *question)
{
    uint8_t frame[WIRE_FRAME_MAX];
    uint8_t message[32] = {136, 0, 0, 0, 0x60, [24] = 2, 1, 2, 0xaa, 0, 0, 0, 2};

    memcpy(message + 8, question + LINK_IP6_CONTENT + 8, 16);
    wire_deliver(frame, link_put_ip6(frame, link_ours6, LINK_ICMP6, 255, message, sizeof message));
}

/* DHCP's transaction, the number of DNS's question, SNTP's time stamp. */
static void repeat(uint8_t *content, size_t len, const uint8_t *question, uint16_t port)
{
    if (port == 67 && len >= 8) {
        memcpy(content + 4, question + 4, 4);
    } else if (port == 53 && len >= 2) {
        memcpy(content, question, 2);
    } else if (port == 123 && len >= 32) {
        memcpy(content + 24, question + 40, 8);
    }
}

static void answer_datagram(const uint8_t *udp)
{
    uint8_t frame[WIRE_FRAME_MAX], content[ANSWER_MAX];
    uint16_t port = (uint16_t)wire_get16(udp + 2);

    for (size_t i = 0; i < n_answers; i++) {
        size_t which = n_given % n_answers;
        n_given++;
        if (answers[which].port == port) {
            size_t len = answers[which].len;
            memcpy(content, answers[which].bytes, len);
            repeat(content, len, udp + 8, port);
            wire_deliver(frame, link_put_udp4(frame, SERVER_ADDR, WIRE_OUR_ADDR, port,
                                              (uint16_t)wire_get16(udp), content, len));
            return;
        }
    }
}

static err_t listen_in(struct netif *netif, struct pbuf *p)
{
    uint8_t frame[WIRE_FRAME_MAX] = {0};

    (void)pbuf_copy_partial(p, frame, sizeof frame, 0);
    if (wire_get16(frame + 12) == ETHERTYPE_IP6) {
        if (frame[20] == LINK_TCP) {
            tcp6_ack = wire_get32(frame + LINK_IP6_CONTENT + 4) + 1;
        } else if (frame[20] == LINK_ICMP6 && frame[LINK_IP6_CONTENT] == 135 && neighbours) {
            answer_solicitation(frame);
        }
    } else if (wire_get16(frame + 12) == ETHERTYPE_IP4 && frame[23] == LINK_UDP) {
        answer_datagram(frame + 34);
    }
    return to_board(netif, p);
}

void session_neighbours(bool answer)
{
    neighbours = answer;
}

void session_answer(uint16_t port, const uint8_t *bytes, size_t len)
{
    if (n_answers < ANSWERS_MAX) {
        answers[n_answers].port = port;
        answers[n_answers].len = (uint16_t)(len < ANSWER_MAX ? len : ANSWER_MAX);
        answers[n_answers++].bytes = bytes;
    }
}

uint32_t session_tcp6_ack(void)
{
    return tcp6_ack;
}

/* ---- sessions ---- */

void session_prepare(void)
{
    static const struct qr_net_config config = {.addr = WIRE_OUR_ADDR,
                                                .netmask = WIRE_NETMASK,
                                                .gateway = SERVER_ADDR,
                                                .ipv6 = true,
                                                .hostname = "quitring",
                                                .ntp = "time.lan",
                                                .mdns = true,
                                                .port = 80,
                                                .page = "/status"};
    ip_addr_t server = IPADDR4_INIT(lwip_htonl(SERVER_ADDR));

    /* A check of cmocka's that fails outside of its tests ends the program as a fault does. */
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    rig_start_with(&config);
    LOCK_TCPIP_CORE();
    dns_setserver(0, &server);
    sntp_setserver(1, &server);
    to_board = netif_default->linkoutput;
    netif_default->linkoutput = listen_in;
    UNLOCK_TCPIP_CORE();
    wire.mixed = true;
    for (uint64_t end_ms = qr_board_uptime_ms() + SETTLE_MS; qr_board_uptime_ms() < end_ms;) {
        (void)rig.net->wait(rig.net->ctx, &(uint16_t){0}, 1, 1000);
        wire_read();
    }
    rig_at_rest();
    keep();
}

void session_begin(void)
{
    copy(__start_port_bss, kept_bss, bss_words());
    copy(__start_port_data, kept_data, data_words());
    fake_board_rewind(kept_ms);
    neighbours = true;
    n_answers = n_given = 0;
    tcp6_ack = 0;
    wire.mixed = true;
    (void)rig_open(NULL);
    wire.mixed = wire.careless = true;
}

void session_ask_dhcp(void)
{
    LOCK_TCPIP_CORE();
    (void)dhcp_start(netif_default);
    UNLOCK_TCPIP_CORE();
}

static void address_of_ours(void)
{
    ip4_addr_t addr = {lwip_htonl(WIRE_OUR_ADDR)}, netmask = {lwip_htonl(WIRE_NETMASK)};
    ip4_addr_t gateway = {lwip_htonl(SERVER_ADDR)};

    LOCK_TCPIP_CORE();
    dhcp_release_and_stop(netif_default);
    dhcp_cleanup(netif_default);
    netif_set_addr(netif_default, &addr, &netmask, &gateway);
    UNLOCK_TCPIP_CORE();
}

/* As a host that has gone, others answer with resets. */
static void rest(void)
{
    wire.rejects = true;
    for (unsigned i = 0; i < RIG_REST_MS / 1000 && !rig_memory_is_back(); i++) {
        rig_run(1000);
    }
    if (!rig_memory_is_back()) {
        rig_check_memory(); /* says what is missing */
    }
    wire.rejects = false;
}

void session_end(void)
{
    static struct peer peer;

    memory_fail(0);
    fake_board_refuse(false);
    n_answers = 0;
    address_of_ours();
    rest();
    wire_reset();
    wire.mixed = true;
    rig_meet(WIRE_HOST_ADDR);
    rig_connect(&peer);
    rig_callback_served(&peer);
    rig_leave(&peer);
    qr_server_close(&rig.server);
    rest();
}

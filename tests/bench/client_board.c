/*
 * A board whose network card is one client that is always there, for counting instructions: the
 * same program, of the same objects, as on another board, and each run of it takes the same way.
 *
 *   client_board CALLBACKS POLLS CALLBACK POLL
 *
 * sends that many of these two requests over one connection, one after the other's reply. In place
 * of each # stands a digit of the request's number. Each takes a millisecond of the board's time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boards/board.h"

#define OUR_ADDR    0x0a000001u /* 10.0.0.1 */
#define CLIENT_ADDR 0x0a000002u
#define CLIENT_PORT 49152
#define OUR_PORT    80
#define WINDOW      64240
#define START_MS    1000
#define PATIENCE_MS 10000
#define UNIX_START  1750000000000u /* on a whole second */

enum { AT_IP = 14, AT_TCP = 34, AT_DATA = 54, FRAME_MIN = 60, REQUEST_MAX = 1400 };
enum { SYN = 2, PSH = 8, ACK = 16 };

const char qr_board_name[] = "bench";
const char qr_board_usage[] = "";

static const uint8_t our_mac[6] = {2, 0x51, 0x52, 0, 0, 1}, client_mac[6] = {2, 0xaa, 0, 0, 0, 2};
static const char callback_end[] = "\"nextCode\":0}", poll_end[] = "\r\n0\r\n\r\n";

static long callbacks, polls; /* that are left */
static const char *callback, *poll;
static long sent;

/* What the client does next. */
static enum { ASK_MAC, CONNECT, REQUEST, ACKNOWLEDGE, LISTEN, DONE } next;
static uint32_t seq = 1, ack;
static const char *end; /* of the reply that it listens to */
static bool begun;      /* of that, something has come */
static uint64_t uptime_ms = START_MS, asked_ms;

_Noreturn static void give_up(const char *what)
{
    (void)fprintf(stderr, "client_board: %s\n", what);
    exit(1);
}

/* ---- frames ---- */

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

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

static void put_ether(uint8_t *frame, unsigned type)
{
    memset(frame, 0, FRAME_MIN);
    memcpy(frame, our_mac, sizeof our_mac);
    memcpy(frame + 6, client_mac, sizeof client_mac);
    put16(frame + 12, type);
}

/* Asks for our address, and so tells its own. */
static size_t put_question(uint8_t *frame)
{
    static const uint8_t ethernet_ip4[] = {0, 1, 8, 0, 6, 4, 0, 1};

    put_ether(frame, 0x0806);
    memcpy(frame + AT_IP, ethernet_ip4, sizeof ethernet_ip4);
    memcpy(frame + AT_IP + 8, client_mac, sizeof client_mac);
    put32(frame + AT_IP + 14, CLIENT_ADDR);
    put32(frame + AT_IP + 24, OUR_ADDR);
    return FRAME_MIN;
}

static size_t put_segment(uint8_t *frame, uint8_t flags, const char *data)
{
    size_t data_len = strlen(data), len = AT_DATA + data_len;
    uint8_t *ip = frame + AT_IP, *tcp = frame + AT_TCP;

    put_ether(frame, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(len - AT_IP));
    ip[8] = 64;
    ip[9] = 6;
    put32(ip + 12, CLIENT_ADDR);
    put32(ip + 16, OUR_ADDR);
    put16(ip + 10, checksum(ip, AT_TCP - AT_IP, 0));
    put16(tcp, CLIENT_PORT);
    put16(tcp + 2, OUR_PORT);
    put32(tcp + 4, seq);
    put32(tcp + 8, ack);
    tcp[12] = 5 << 4;
    tcp[13] = flags;
    put16(tcp + 14, WINDOW);
    memcpy(frame + AT_DATA, data, data_len);
    put16(tcp + 16, checksum(tcp, len - AT_TCP,
                             (CLIENT_ADDR >> 16) + (CLIENT_ADDR & 0xffff) + (OUR_ADDR >> 16) +
                                 (OUR_ADDR & 0xffff) + 6 + (uint32_t)(len - AT_TCP)));
    seq += (uint32_t)data_len + ((flags & SYN) != 0);
    return len < FRAME_MIN ? FRAME_MIN : len;
}

/* ---- the client ---- */

static const char *numbered(const char *request)
{
    static char text[REQUEST_MAX + 1];
    long number = sent++;

    strcpy(text, request);
    for (size_t i = strlen(text); i-- > 0;) {
        if (text[i] == '#') {
            text[i] = (char)('0' + number % 10);
            number /= 10;
        }
    }
    return text;
}

static size_t put_request(uint8_t *frame)
{
    bool is_callback = callbacks > 0;

    if (!is_callback && polls == 0) {
        next = DONE;
        return 0;
    }
    *(is_callback ? &callbacks : &polls) -= 1;
    end = is_callback ? callback_end : poll_end;
    begun = false;
    asked_ms = ++uptime_ms;
    next = LISTEN;
    return put_segment(frame, ACK | PSH, numbered(is_callback ? callback : poll));
}

size_t qr_board_frame_in(uint8_t *frame)
{
    switch (next) {
    case ASK_MAC: next = LISTEN; return put_question(frame);
    case CONNECT: next = LISTEN; return put_segment(frame, SYN, "");
    case REQUEST: return put_request(frame);
    case ACKNOWLEDGE: next = LISTEN; return put_segment(frame, ACK, "");
    default: return 0;
    }
}

static bool ends_in(const char *data, size_t len, const char *text)
{
    size_t text_len = strlen(text);

    return len >= text_len && memcmp(data + len - text_len, text, text_len) == 0;
}

/* A piece of a reply. */
static void listen_to(const char *data, size_t len)
{
    static const char good[] = "HTTP/1.1 200 ";

    if (!begun && (len < sizeof good || memcmp(data, good, sizeof good - 1) != 0)) {
        give_up("a request is refused");
    }
    begun = true;
    next = ends_in(data, len, end) ? REQUEST : ACKNOWLEDGE;
}

int qr_board_frame_out(const uint8_t *frame, size_t len)
{
    const uint8_t *tcp = frame + AT_TCP;
    size_t data_len;

    if (get16(frame + 12) == 0x0806) {
        next = get16(frame + AT_IP + 6) == 2 ? CONNECT : next;
        return 0;
    }
    if (len < AT_DATA || frame[AT_IP + 9] != 6 || get16(tcp + 2) != CLIENT_PORT) {
        return 0; /* it is in some group, and says so */
    }
    data_len = get16(frame + AT_IP + 2) - 20 - 4 * (size_t)(tcp[12] >> 4);
    ack = get32(tcp + 4) + (uint32_t)data_len;
    if ((tcp[13] & SYN) != 0) {
        ack++;
        next = REQUEST;
    } else if (data_len != 0) {
        listen_to((const char *)tcp + 4 * (tcp[12] >> 4), data_len);
    }
    return 0;
}

/* ---- board.h besides ---- */

int qr_board_init(int argc, char **argv)
{
    if (argc != 5 || strlen(argv[3]) > REQUEST_MAX || strlen(argv[4]) > REQUEST_MAX) {
        give_up("CALLBACKS POLLS CALLBACK POLL");
    }
    callbacks = strtol(argv[1], NULL, 10);
    polls = strtol(argv[2], NULL, 10);
    callback = argv[3];
    poll = argv[4];
    return 1;
}

struct qr_board_text qr_board_text(int i)
{
    static const char text[] = "net=card\naddr=10.0.0.1/24\nmdns=no\nntp=off\nipv6=no\n";

    (void)i;
    return (struct qr_board_text){"bench", text, sizeof text - 1, false, true};
}

void qr_board_log(enum qr_log_level level, const char *line)
{
    if (level <= QR_LOG_WARNING) {
        give_up(line);
    }
}

void qr_board_log_level(enum qr_log_level level)
{
    (void)level;
}

void qr_board_print(const char *text)
{
    (void)text;
}

_Noreturn void qr_board_exit(int status)
{
    exit(status);
}

_Noreturn void qr_board_panic(const char *what)
{
    give_up(what);
}

bool qr_board_stopping(void)
{
    return next == DONE;
}

uint64_t qr_board_uptime_ms(void)
{
    return uptime_ms;
}

uint64_t qr_board_unix_ms(void)
{
    return UNIX_START + uptime_ms;
}

/* Nobody is to be kept from guessing. */
void qr_board_random(void *bytes, size_t len)
{
    memset(bytes, 0x5a, len);
}

int qr_board_nic_open(const struct qr_board_nic_config *config)
{
    (void)config;
    return 0;
}

const uint8_t *qr_board_mac(void)
{
    return our_mac;
}

void qr_board_wait(uint32_t timeout_ms)
{
    if (next != LISTEN || timeout_ms == 0) {
        return;
    }
    uptime_ms += timeout_ms;
    if (uptime_ms > asked_ms + PATIENCE_MS) {
        give_up("no reply");
    }
}

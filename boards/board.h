/*
 * The contract of a board: all that quitring asks of the machine below it. One board is linked.
 * Everything runs in one thread; nothing here is called from an interrupt.
 */
#ifndef QR_BOARD_H
#define QR_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest Ethernet frame, without its checksum, that qr_board_frame_in() may deliver. */
#ifndef QR_BOARD_FRAME_MAX
#define QR_BOARD_FRAME_MAX 1514
#endif

/* Bytes from a word's beginning to a frame's, which a card may overwrite: an Ethernet head has 14,
 * so that what follows it stands at whole words, and words are what a card gives. */
#define QR_BOARD_FRAME_PAD 2

extern const char qr_board_name[];  /* "linux", … */
extern const char qr_board_usage[]; /* --help's lines on what else the program can do; "" */

/* ---- settings ---- */

/* Settings as text of name=value lines; each line's end is a line feed, or the text's end. */
struct qr_board_text {
    const char *origin; /* for messages: "quitring.conf", "environment", "command line" */
    const char *text;
    size_t len;
    bool usage;   /* a line that cannot be read, or an unknown name, is a usage error */
    bool by_line; /* people wrote it in lines: a message names the line */
};

/* First call of all. Takes what the machine started the program with; argc is 0 and argv NULL on a
 * bare machine. Returns the number of settings texts (they last for ever; a later one overrules an
 * earlier one), or -1 after printing what is wrong. */
int qr_board_init(int argc, char **argv);
struct qr_board_text qr_board_text(int i);

/* ---- people ---- */

enum qr_log_level { QR_LOG_ERROR, QR_LOG_WARNING, QR_LOG_INFO, QR_LOG_DEBUG };

/* One line, without a line end, to where people look for errors; time and level are added. Dropped
 * when level is above the one set (INFO at first). */
void qr_board_log(enum qr_log_level level, const char *line);
void qr_board_log_level(enum qr_log_level level);

/* Text, as it is, to where a program prints its results (standard output; a serial line). */
void qr_board_print(const char *text);

/* Ends the program. 0: as asked; 1: it cannot run; 2: called wrongly. A bare machine stops. */
_Noreturn void qr_board_exit(int status);

/* A fault of ours, such as a failed assertion: says what. A program ends, a bare machine starts
 * anew. */
_Noreturn void qr_board_panic(const char *what);

/* Whether somebody asked it to stop (SIGINT, SIGTERM; never on a bare machine). */
bool qr_board_stopping(void);

/* ---- time and chance ---- */

uint64_t qr_board_uptime_ms(void); /* since start; monotonic */
uint64_t qr_board_unix_ms(void);   /* since 1970; 0: no wall clock */
void qr_board_random(void *bytes, size_t len);

/* ---- the network card ---- */

/* Addresses are in host byte order: 127.0.0.1 is 0x7f000001. */
struct qr_board_nic_config {
    const char *net;       /* which, as the setting says: "user", "tap:qr0", "packet:eth0" */
    uint32_t addr;         /* ours under lwIP; 0: not known yet (DHCP) */
    uint16_t port;         /* that we listen on, under lwIP */
    uint32_t publish_addr; /* user: where on this host the port appears; port 0: nowhere */
    uint16_t publish_port;
};

/* Opens the card. Returns 0, or -1 after logging one line that says what is wrong and what helps.
 */
int qr_board_nic_open(const struct qr_board_nic_config *config);

/* Its MAC address: 6 bytes, until the end. */
const uint8_t *qr_board_mac(void);

/* The next received frame into frame, which has QR_BOARD_FRAME_MAX bytes, all of which it may use,
 * and QR_BOARD_FRAME_PAD more in front. Returns the frame's length; 0 when none is waiting. Longer
 * frames are dropped. */
size_t qr_board_frame_in(uint8_t *frame);

/* Sends one frame of len bytes, of at most 1514, copied: at once, or together with others in the
 * next qr_board_wait(). Returns 0, or -1 when the card cannot take it now: it is lost, as frames
 * may be. */
int qr_board_frame_out(const uint8_t *frame, size_t len);

/* Sends what was not sent yet; then sleeps until a frame is waiting, somebody asks to stop, or
 * timeout_ms is over; it may come back early. 0 only looks: the card may do its work in here. */
void qr_board_wait(uint32_t timeout_ms);

#endif

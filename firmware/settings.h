/*
 * The settings: one table of names, from whatever texts of name=value lines a board has. Pure.
 */
#ifndef QR_SETTINGS_H
#define QR_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/reply.h"

#define QR_SETTING_TEXT_MAX 64 /* bytes of a textual value, with its terminating NUL */

/* Addresses in host byte order: 127.0.0.1 is 0x7f000001. */
struct qr_settings {
    char net[QR_SETTING_TEXT_MAX];   /* "user", "host", "tap:IF", "packet:IF"; else the board's */
    bool addr_set, dhcp;             /* addr_set: the setting was given; dhcp: it was "dhcp" */
    uint32_t addr, netmask, gateway; /* static; gateway 0: none */
    uint16_t port;
    bool publish_set; /* the setting was given */
    uint32_t publish_addr;
    uint16_t publish_port;
    uint32_t ring_bytes;
    char hostname[QR_SETTING_TEXT_MAX]; /* RFC 1123 */
    char ntp[QR_SETTING_TEXT_MAX];      /* "dhcp", "off", an address, a host name */
    bool ipv6, mdns;
    bool quiet, verbose, help, version;
};

/* Why a text was refused. */
struct qr_settings_fault {
    unsigned line;     /* from 1 */
    bool usage;        /* unknown name, or a value is missing: not a matter of a value */
    char message[160]; /* "port=99999: takes a number from 1 to 65535"; terminated */
};

void qr_settings_default(struct qr_settings *settings);

/* Reads lines of name=value; flags may stand without a value; white space around name and value,
 * empty lines and lines that begin with # do not count; CRLF will do. Later lines overrule earlier
 * ones. Returns 0, or -1 with *fault; settings then hold what came before that line. */
int qr_settings_read(struct qr_settings *settings, const char *text, size_t len,
                     struct qr_settings_fault *fault);

/* One line a setting, for --help: name, what it takes, what it does, the default. Returns the i-th
 * line's text, made in out; false when there is no such line. */
bool qr_settings_help(unsigned i, struct qr_out *out);

#endif

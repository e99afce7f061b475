#include "settings.h"

#include <string.h>

#include "port/parts.h"
#include "src/span.h"
#include "src/limits.h"

/* Bytes of a name and of a value in a message; more are cut. With the longest `takes …` they fit
 * struct qr_settings_fault's message. */
#define NAME_SHOWN_MAX  24
#define VALUE_SHOWN_MAX 40

#define INTERFACE_BYTES_MAX 15          /* Linux's IFNAMSIZ without the NUL */
#define LABEL_BYTES_MAX     63          /* RFC 1123 section 2.1 */
#define LOOPBACK            0x7f000001u /* 127.0.0.1 */
#define HELP_COLUMN         26

#define SPELL(number)  #number
#define NUMBER(number) SPELL(number)

/* ---- reading values ---- */

static bool take_char(struct qr_span *from, char c)
{
    if (from->len == 0 || from->at[0] != c) {
        return false;
    }
    from->at++;
    from->len--;
    return true;
}

static bool take_text(struct qr_span *from, const char *text)
{
    size_t len = strlen(text);
    if (from->len < len || memcmp(from->at, text, len) != 0) {
        return false;
    }
    from->at += len;
    from->len -= len;
    return true;
}

/* Strictly decimal: a leading zero is refused, since some programs read 010 as 8. */
static bool take_number(struct qr_span *from, uint32_t max, uint32_t *number)
{
    uint64_t value = 0;
    size_t len = 0;

    while (len < from->len && from->at[len] >= '0' && from->at[len] <= '9' && value <= max) {
        value = value * 10 + (uint64_t)(from->at[len] - '0');
        len++;
    }
    if (len == 0 || value > max || (len > 1 && from->at[0] == '0')) {
        return false;
    }
    from->at += len;
    from->len -= len;
    *number = (uint32_t)value;
    return true;
}

static bool take_ipv4(struct qr_span *from, uint32_t *addr)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t part;
        if ((i > 0 && !take_char(from, '.')) || !take_number(from, 255, &part)) {
            return false;
        }
        value = value << 8 | part;
    }
    *addr = value;
    return true;
}

static void keep_text(char text[QR_SETTING_TEXT_MAX], struct qr_span value)
{
    memcpy(text, value.at, value.len);
    text[value.len] = '\0';
}

/* ---- one reader a setting: NULL when it was taken, else what is wrong; settings then stay ---- */

/* As Linux has it. A colon would name an alias, which is the same interface. */
static bool is_interface(struct qr_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (c <= ' ' || c == 0x7f || c == '/' || c == ':') {
            return false;
        }
    }
    return name.len > 0 && name.len <= INTERFACE_BYTES_MAX;
}

static const char *read_net(struct qr_settings *settings, struct qr_span value)
{
    struct qr_span interface = value;

    if (take_text(&interface, "tap:") || take_text(&interface, "packet:")) {
        if (!is_interface(interface)) {
            return "an interface's name has 1 to 15 bytes, no slash, colon or white space";
        }
    } else if (!qr_span_is(value, "user") && !qr_span_is(value, "host") &&
               !qr_span_is(value, "card")) {
        return "takes user, host, tap:IF or packet:IF";
    }
    keep_text(settings->net, value);
    return NULL;
}

/* Whether a host may have addr, in a network with this mask: not 0/8, 127/8, a group or beyond (RFC
 * 6890), nor the first or last address of its network. */
static bool is_host(uint32_t addr, uint32_t netmask)
{
    uint32_t first = addr >> 24, host = addr & ~netmask;
    return first != 0 && first != 127 && first < 224 && host != 0 && host != ~netmask;
}

struct address {
    uint32_t addr, prefix, gateway;
    bool routed;
};

/* A.B.C.D/PREFIX[,GATEWAY] */
static bool is_address(struct qr_span value, struct address *address)
{
    if (!take_ipv4(&value, &address->addr) || !take_char(&value, '/') ||
        !take_number(&value, 32, &address->prefix)) {
        return false;
    }
    address->routed = take_char(&value, ',');
    return (!address->routed || take_ipv4(&value, &address->gateway)) && value.len == 0;
}

static const char *read_addr(struct qr_settings *settings, struct qr_span value)
{
    struct address address = {0};

    if (qr_span_is(value, "dhcp")) {
        settings->addr_set = settings->dhcp = true;
        settings->addr = settings->netmask = settings->gateway = 0;
        return NULL;
    }
    if (!is_address(value, &address)) {
        return "takes dhcp or A.B.C.D/PREFIX[,GATEWAY]";
    }
    if (address.prefix < 1 || address.prefix > 30) {
        return "the prefix is a number from 1 to 30";
    }
    uint32_t netmask = UINT32_MAX << (32 - address.prefix);
    if (!is_host(address.addr, netmask)) {
        return "no host can have this address";
    }
    uint32_t apart = address.addr ^ address.gateway;
    if (address.routed &&
        (!is_host(address.gateway, netmask) || apart == 0 || (apart & netmask) != 0)) {
        return "the gateway is not another host of the subnet";
    }
    settings->addr_set = true;
    settings->dhcp = false;
    settings->addr = address.addr;
    settings->netmask = netmask;
    settings->gateway = address.gateway;
    return NULL;
}

static const char *read_port(struct qr_settings *settings, struct qr_span value)
{
    uint32_t port;
    if (!take_number(&value, 65535, &port) || value.len != 0 || port == 0) {
        return "takes a number from 1 to 65535";
    }
    settings->port = (uint16_t)port;
    return NULL;
}

static const char *read_publish(struct qr_settings *settings, struct qr_span value)
{
    uint32_t addr, port;
    struct qr_span whole = value;

    if (!take_ipv4(&value, &addr) || !take_char(&value, ':')) {
        value = whole;
        addr = LOOPBACK;
    }
    if (!take_number(&value, 65535, &port) || value.len != 0 || port == 0) {
        return "takes [A.B.C.D:]PORT, the port from 1 to 65535";
    }
    settings->publish_set = true;
    settings->publish_addr = addr;
    settings->publish_port = (uint16_t)port;
    return NULL;
}

#define RING_TAKES                                                                                 \
    "takes bytes from " NUMBER(QR_RING_MIN) " to " NUMBER(QR_RING_MAX) ", also with K or M"

static const char *read_ring(struct qr_settings *settings, struct qr_span value)
{
    uint32_t number, unit = 1;

    bool taken = take_number(&value, QR_RING_MAX, &number);
    if (take_char(&value, 'K') || take_char(&value, 'k')) {
        unit = 1024;
    } else if (take_char(&value, 'M') || take_char(&value, 'm')) {
        unit = 1024 * 1024;
    }
    if (!taken || value.len != 0 || number > QR_RING_MAX / unit || number * unit < QR_RING_MIN) {
        return RING_TAKES;
    }
    settings->ring_bytes = number * unit;
    return NULL;
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, digits, and hyphens inside (RFC 1123 section 2.1, RFC 952). */
static bool is_label(const char *label, size_t len)
{
    if (len == 0 || len > LABEL_BYTES_MAX || label[0] == '-' || label[len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_alphanumeric(label[i]) && label[i] != '-') {
            return false;
        }
    }
    return true;
}

static bool is_hostname(struct qr_span value)
{
    size_t start = 0;

    if (value.len >= QR_SETTING_TEXT_MAX) {
        return false;
    }
    for (size_t i = 0; i <= value.len; i++) {
        if (i == value.len || value.at[i] == '.') {
            if (!is_label(value.at + start, i - start)) {
                return false;
            }
            start = i + 1;
        }
    }
    return true;
}

static const char *read_hostname(struct qr_settings *settings, struct qr_span value)
{
    if (!is_hostname(value)) {
        return "takes a host name: letters, digits, hyphens, dots; 1 to 63";
    }
    keep_text(settings->hostname, value);
    return NULL;
}

static bool is_hexadecimal(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* One to four hexadecimal digits. */
static bool take_group(struct qr_span *from)
{
    size_t len = 0;

    while (len < from->len && is_hexadecimal(from->at[len])) {
        len++;
    }
    from->at += len;
    from->len -= len;
    return len >= 1 && len <= 4;
}

/* Eight groups, of which one run of zeros may be left out (RFC 4291 section 2.2, forms 1 and 2). */
static bool is_ipv6(struct qr_span value)
{
    bool shortened = take_text(&value, "::");
    int groups = 0;

    while (value.len != 0) {
        if (!take_group(&value)) {
            return false;
        }
        groups++;
        if (value.len == 0) {
            break;
        }
        if (take_text(&value, "::")) {
            if (shortened) {
                return false;
            }
            shortened = true;
        } else if (!take_char(&value, ':') || value.len == 0) {
            return false;
        }
    }
    return shortened ? groups < 8 : groups == 8;
}

/* Whether the last label of a name begins with a digit: then it is no name (RFC 1123 section 2.1),
 * but meant to be an IPv4 address. */
static bool ends_in_number(struct qr_span value)
{
    while (value.len > 0 && value.at[value.len - 1] >= '0' && value.at[value.len - 1] <= '9') {
        value.len--;
    }
    return value.len == 0 || value.at[value.len - 1] == '.';
}

static const char *read_ntp(struct qr_settings *settings, struct qr_span value)
{
    struct qr_span rest = value;
    uint32_t addr;
    bool ipv4 = take_ipv4(&rest, &addr) && rest.len == 0;
    bool name = is_hostname(value) && !ends_in_number(value);

    if (!QR_WITH_NTP && !qr_span_is(value, "off")) {
        return "takes off: this build is without NTP";
    }
    if (!ipv4 && !name && !is_ipv6(value)) {
        return "takes dhcp, off, an IPv4 or IPv6 address, or a host name";
    }
    keep_text(settings->ntp, value);
    return NULL;
}

/* The board has taken it off the command line before. */
static const char *read_config(struct qr_settings *settings, struct qr_span value)
{
    (void)settings, (void)value;
    return "belongs on the command line";
}

static bool is_choice(bool *choice, struct qr_span value)
{
    if (!qr_span_is(value, "yes") && !qr_span_is(value, "no")) {
        return false;
    }
    *choice = qr_span_is(value, "yes");
    return true;
}

/* What the build is without may be declined, too: one text of settings does for all builds. */
static const char *read_part(bool *choice, bool there, struct qr_span value)
{
    if (!there) {
        return qr_span_is(value, "no") ? NULL : "takes no: this build is without it";
    }
    return is_choice(choice, value) ? NULL : "takes yes or no";
}

static const char *read_ipv6(struct qr_settings *settings, struct qr_span value)
{
    return read_part(&settings->ipv6, QR_WITH_IPV6, value);
}

static const char *read_mdns(struct qr_settings *settings, struct qr_span value)
{
    return read_part(&settings->mdns, QR_WITH_MDNS, value);
}

static const char *read_flag(bool *flag, struct qr_span value)
{
    return is_choice(flag, value) ? NULL : "takes nothing, yes or no";
}

static const char *read_quiet(struct qr_settings *settings, struct qr_span value)
{
    const char *why = read_flag(&settings->quiet, value);
    if (settings->quiet && why == NULL) {
        settings->verbose = false;
    }
    return why;
}

static const char *read_verbose(struct qr_settings *settings, struct qr_span value)
{
    const char *why = read_flag(&settings->verbose, value);
    if (settings->verbose && why == NULL) {
        settings->quiet = false;
    }
    return why;
}

static const char *read_help(struct qr_settings *settings, struct qr_span value)
{
    return QR_WITH_HELP ? read_flag(&settings->help, value)
                        : read_part(&settings->help, false, value);
}

static const char *read_version(struct qr_settings *settings, struct qr_span value)
{
    return read_flag(&settings->version, value);
}

/* ---- the table ---- */

#define HELP(text) (QR_WITH_HELP ? (text) : NULL)

static const struct setting {
    const char *name;
    const char *takes;  /* NULL: a flag, which may stand without a value */
    const char *help;   /* NULL: the build is without it */
    const char *preset; /* NULL: none */
    const char *(*read)(struct qr_settings *settings, struct qr_span value);
} table[] = {
    {"net", "NET", HELP("network: user, host, tap:IF or packet:IF"), "user", read_net},
    {"addr", "ADDR", HELP("own address: dhcp or A.B.C.D/PREFIX[,GATEWAY]"), NULL, read_addr},
    {"port", "PORT", HELP("TCP port to listen on, under lwIP"), "80", read_port},
    {"publish", "[ADDR:]PORT", HELP("where user and host listen on this machine"), "127.0.0.1:8080",
     read_publish},
    {"ring", "BYTES", HELP("bytes of memory for events, also with K or M"), NUMBER(QR_RING_DEFAULT),
     read_ring},
    {"hostname", "NAME", HELP("name for DHCP and mDNS"), "quitring", read_hostname},
    {"ipv6", "YES|NO", HELP("IPv6 addresses as routers announce them"), QR_WITH_IPV6 ? "yes" : "no",
     read_ipv6},
    {"mdns", "YES|NO", HELP("be found as HOSTNAME.local"), QR_WITH_MDNS ? "yes" : "no", read_mdns},
    {"ntp", "SERVER", HELP("time server: dhcp, off, an address or a name"),
     QR_WITH_NTP ? "dhcp" : "off", read_ntp},
    {"config", "FILE", HELP("read a file of name=value lines first"), NULL, read_config},
    {"quiet", NULL, HELP("log errors and warnings only (-q)"), NULL, read_quiet},
    {"verbose", NULL, HELP("log each request, too (-v)"), NULL, read_verbose},
    {"help", NULL, HELP("print this and exit (-h)"), NULL, read_help},
    {"version", NULL, HELP("print the version and exit (-V)"), NULL, read_version},
};
#define TABLE_LEN (sizeof table / sizeof table[0])

static const struct setting *find(struct qr_span name)
{
    for (size_t i = 0; i < TABLE_LEN; i++) {
        if (qr_span_is(name, table[i].name)) {
            return &table[i];
        }
    }
    return NULL;
}

void qr_settings_default(struct qr_settings *settings)
{
    *settings = (struct qr_settings){0};
    for (size_t i = 0; i < TABLE_LEN; i++) {
        if (table[i].preset != NULL) {
            struct qr_span preset = {table[i].preset, strlen(table[i].preset)};
            (void)table[i].read(settings, preset);
        }
    }
    /* A build may have written the number as an expression. */
    settings->ring_bytes = QR_RING_DEFAULT;
    settings->publish_set = false;
}

/* ---- messages ---- */

static void out_shown(struct qr_out *out, struct qr_span text, size_t max)
{
    for (size_t i = 0; i < text.len && i < max; i++) {
        bool printable = text.at[i] >= ' ' && text.at[i] <= '~';
        qr_out_bytes(out, printable ? &text.at[i] : "?", 1);
    }
    if (text.len > max) {
        qr_out_text(out, "...");
    }
}

/* Whether one keystroke makes a name of the other: a byte more, less or changed, or two swapped. */
static bool is_near(struct qr_span a, const char *name)
{
    struct qr_span b = {name, strlen(name)};

    while (b.len > 0 && take_char(&a, b.at[0])) {
        (void)take_char(&b, b.at[0]);
    }
    while (a.len > 0 && b.len > 0 && a.at[a.len - 1] == b.at[b.len - 1]) {
        a.len--;
        b.len--;
    }
    if (a.len == 2 && b.len == 2) {
        return a.at[0] == b.at[1] && a.at[1] == b.at[0];
    }
    return a.len <= 1 && b.len <= 1;
}

static void explain_unknown(struct qr_out *out, struct qr_span name)
{
    qr_out_text(out, "unknown setting '");
    out_shown(out, name, NAME_SHOWN_MAX);
    for (size_t i = 0; i < TABLE_LEN; i++) {
        if (is_near(name, table[i].name)) {
            qr_out_text(out, "'; did you mean '");
            qr_out_text(out, table[i].name);
            qr_out_text(out, "'?");
            return;
        }
    }
    qr_out_text(out, QR_WITH_HELP ? "'; see --help" : "'");
}

/* ---- lines ---- */

static struct qr_span trim(struct qr_span span)
{
    while (take_char(&span, ' ') || take_char(&span, '\t')) {
    }
    while (span.len > 0 && (span.at[span.len - 1] == ' ' || span.at[span.len - 1] == '\t')) {
        span.len--;
    }
    return span;
}

static struct qr_span take_line(struct qr_span *text)
{
    const char *end = memchr(text->at, '\n', text->len);
    struct qr_span line = {text->at, end == NULL ? text->len : (size_t)(end - text->at)};
    size_t taken = line.len + (end == NULL ? 0 : 1);

    text->at += taken;
    text->len -= taken;
    if (line.len > 0 && line.at[line.len - 1] == '\r') {
        line.len--;
    }
    return trim(line);
}

static int read_line(struct qr_settings *settings, struct qr_span line,
                     struct qr_settings_fault *fault)
{
    const char *equals = memchr(line.at, '=', line.len);
    struct qr_span name = line, value = {line.at, 0};
    struct qr_out out;

    if (equals != NULL) {
        name.len = (size_t)(equals - line.at);
        name = trim(name);
        value = trim((struct qr_span){equals + 1, (size_t)(line.at + line.len - equals) - 1});
    }
    qr_out_init(&out, fault->message, sizeof fault->message - 1);
    const struct setting *setting = find(name);
    if (setting == NULL) {
        explain_unknown(&out, name);
    } else {
        if (equals == NULL && setting->takes == NULL) {
            value = (struct qr_span){"yes", 3};
        }
        const char *why = setting->read(settings, value);
        if (why == NULL) {
            return 0;
        }
        qr_out_text(&out, setting->name);
        qr_out_text(&out, equals == NULL ? "" : "=");
        out_shown(&out, value, VALUE_SHOWN_MAX);
        qr_out_text(&out, ": ");
        qr_out_text(&out, why);
    }
    fault->message[out.len] = '\0';
    fault->usage = setting == NULL || value.len == 0;
    return -1;
}

int qr_settings_read(struct qr_settings *settings, const char *text, size_t len,
                     struct qr_settings_fault *fault)
{
    struct qr_span rest = {text, len};

    for (unsigned number = 1; rest.len > 0; number++) {
        struct qr_span line = take_line(&rest);
        if (line.len == 0 || line.at[0] == '#') {
            continue;
        }
        if (read_line(settings, line, fault) != 0) {
            fault->line = number;
            return -1;
        }
    }
    return 0;
}

/* ---- help ---- */

bool qr_settings_help(unsigned i, struct qr_out *out)
{
    if (i >= TABLE_LEN) {
        return false;
    }
    const struct setting *setting = &table[i];
    size_t start = out->len;
    qr_out_text(out, "  --");
    qr_out_text(out, setting->name);
    if (setting->takes != NULL) {
        qr_out_text(out, " ");
        qr_out_text(out, setting->takes);
    }
    do {
        qr_out_text(out, " ");
    } while (out->len - start < HELP_COLUMN && !out->full);
    qr_out_text(out, setting->help);
    if (setting->preset != NULL) {
        qr_out_text(out, " (default ");
        qr_out_text(out, setting->preset);
        qr_out_text(out, ")");
    }
    return true;
}

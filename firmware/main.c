/*
 * quitring: static memory, settings, wiring, loop. The same file for every board.
 */
#include <string.h>

#include "src/api.h"
#include "boards/board.h"
#include "port/parts.h"
#include "port/port.h"
#include "src/server.h"
#include "gauges.h"
#include "settings.h"
#include "version.h"

static uint8_t ring_bytes[QR_RING_MAX];
static uint32_t ring_marks[QR_RING_MARKS(QR_RING_MAX)];
static struct qr_ring ring;
static struct qr_stats stats;
static struct qr_api api;
static struct qr_handler handler;
static struct qr_server server;
static struct qr_settings settings;
static char boot_id[17];

/* Bytes of a line that is made here, with its terminating NUL. */
#define LINE_MAX_BYTES 512

static char line_bytes[LINE_MAX_BYTES];
static struct qr_out line;

/* ---- lines for people ---- */

static struct qr_out *line_begin(void)
{
    qr_out_init(&line, line_bytes, sizeof line_bytes - 1);
    return &line;
}

static const char *line_end(void)
{
    line_bytes[line.len] = '\0';
    return line_bytes;
}

static void out_addr(struct qr_out *out, uint32_t addr)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        qr_out_u64(out, addr >> shift & 0xff);
        qr_out_text(out, shift == 0 ? "" : ".");
    }
}

static void out_url(struct qr_out *out, uint32_t addr, uint16_t port)
{
    qr_out_text(out, "http://");
    out_addr(out, addr);
    if (port != 80) {
        qr_out_text(out, ":");
        qr_out_u64(out, port);
    }
}

static void note(const char *text)
{
    qr_board_log(QR_LOG_DEBUG, text);
}

/* Where to look and what to try. */
static void announce(uint32_t addr, uint16_t port)
{
    struct qr_out *out = line_begin();

    qr_out_text(out, "open ");
    out_url(out, addr, port);
    qr_out_text(out, "/\ntry  curl -d '{\"groupID\":\"G001\",\"userID\":\"user123\"}' ");
    out_url(out, addr, port);
    qr_out_text(out, "/callbackAfterQuitGroupCommand\n");
    qr_board_print(line_end());
}

/* ---- settings ---- */

_Noreturn static void refuse_setting(const struct qr_board_text *text,
                                     const struct qr_settings_fault *fault)
{
    struct qr_out *out = line_begin();

    qr_out_text(out, text->origin);
    if (text->by_line) {
        qr_out_text(out, " line ");
        qr_out_u64(out, fault->line);
    }
    qr_out_text(out, ": ");
    qr_out_text(out, fault->message);
    qr_board_log(QR_LOG_ERROR, line_end());
    qr_board_exit(text->usage && fault->usage ? 2 : 1);
}

_Noreturn static void print_help(void)
{
    qr_board_print("usage: quitring [--NAME VALUE] ...\n");
    qr_board_print(qr_board_usage);
    qr_board_print("\nKeeps the most recent quits of an OpenIM server in a ring and shows them.\n"
                   "Each setting may also stand in the environment (QUITRING_PORT=80) or in the\n"
                   "file that --config names (port=80).\n\n");
    for (unsigned i = 0; qr_settings_help(i, line_begin()); i++) {
        qr_out_text(&line, "\n");
        qr_board_print(line_end());
    }
    qr_board_exit(0);
}

static void read_settings(int n_texts)
{
    qr_settings_default(&settings);
    for (int i = 0; i < n_texts; i++) {
        struct qr_board_text text = qr_board_text(i);
        struct qr_settings_fault fault;
        if (qr_settings_read(&settings, text.text, text.len, &fault) != 0) {
            refuse_setting(&text, &fault);
        }
    }
    if (QR_WITH_HELP && settings.help) {
        print_help();
    }
    if (settings.version) {
        qr_board_print("quitring " QR_VERSION "\n");
        qr_board_exit(0);
    }
    if (settings.quiet) {
        qr_board_log_level(QR_LOG_WARNING);
    }
    if (settings.verbose) {
        qr_board_log_level(QR_LOG_DEBUG);
        api.note = note;
    }
}

/* ---- wiring ---- */

/* Differs after each start, so that a poller can tell a restart from a quiet time. */
static void make_boot_id(void)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t random[8];

    qr_board_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        boot_id[2 * i] = hex[random[i] >> 4];
        boot_id[2 * i + 1] = hex[random[i] & 15];
    }
}

static void wire(void)
{
    make_boot_id();
    qr_ring_init(&ring, ring_bytes, settings.ring_bytes, ring_marks);
    api.ring = &ring;
    api.stats = &stats;
    api.status = (struct qr_status_source){.ring = &ring,
                                           .stats = &stats,
                                           .version = QR_VERSION,
                                           .board = qr_board_name,
                                           .boot_id = boot_id};
    qr_gauges_start(&server);
    api.metrics.gauge = qr_gauge;
    qr_api_handler(&api, &handler);
}

static bool on_kernel(void)
{
    return strcmp(settings.net, "host") == 0;
}

/* Without the setting, the network inside the process has a fixed address; all others ask DHCP.
 * Nobody is in the former but us. */
static void choose_net(struct qr_net_config *config)
{
    bool user = strcmp(settings.net, "user") == 0;
    bool asks_time = !user && strcmp(settings.ntp, "off") != 0;

    *config = (struct qr_net_config){.ipv6 = settings.ipv6 && !user,
                                     .hostname = settings.hostname,
                                     .ntp = asks_time ? settings.ntp : NULL,
                                     .mdns = settings.mdns && !user,
                                     .port = settings.port,
                                     .page = "/"};
    if (settings.addr_set) {
        config->dhcp = settings.dhcp;
        config->addr = settings.addr;
        config->netmask = settings.netmask;
        config->gateway = settings.gateway;
    } else if (user) {
        config->addr = 0x0a00020f; /* 10.0.2.15 */
        config->netmask = 0xffffff00;
        config->gateway = 0x0a000202;
    } else {
        config->dhcp = true;
    }
}

static const struct qr_net *start_net(void)
{
    struct qr_net_config config;
    struct qr_board_nic_config nic;
    const struct qr_net *net;

    if (on_kernel()) {
        net = qr_net_kernel_start(settings.publish_addr);
        if (net == NULL) {
            qr_board_log(QR_LOG_ERROR, "net=host: this board has no kernel");
            qr_board_exit(1);
        }
        return net;
    }
    choose_net(&config);
    nic = (struct qr_board_nic_config){.net = settings.net,
                                       .addr = config.dhcp ? 0 : config.addr,
                                       .port = settings.port,
                                       .publish_addr = settings.publish_addr,
                                       .publish_port = settings.publish_port};
    if (qr_board_nic_open(&nic) != 0) {
        qr_board_exit(1);
    }
    return qr_net_lwip_start(&config);
}

static void open_server(const struct qr_net *net)
{
    uint16_t port = on_kernel() ? settings.publish_port : settings.port;
    int result = qr_server_open(&server, net, &handler, &stats, port);
    struct qr_out *out = line_begin();

    if (result == 0) {
        return;
    }
    qr_out_text(out, "cannot listen on port ");
    qr_out_u64(out, port);
    qr_out_text(out, on_kernel() ? " (--publish)" : " (--port)");
    qr_out_text(out, result == QR_NET_IN_USE ? ": it is in use; choose another"
                                             : ": the network refuses the address or the port");
    qr_board_log(QR_LOG_ERROR, line_end());
    qr_board_exit(1);
}

/* For whoever wants to know whether they are large enough, and whether all comes back. */
static void note_pools(void)
{
    struct qr_out *out = line_begin();
    struct qr_net_pool pool;

    if (!settings.verbose || on_kernel()) {
        return;
    }
    qr_out_text(out, "pools:");
    for (unsigned i = 0; qr_net_lwip_pool(i, &pool); i++) {
        qr_out_text(out, i == 0 ? " " : ", ");
        qr_out_text(out, pool.name);
        qr_out_text(out, " ");
        qr_out_u64(out, pool.used);
        qr_out_text(out, " of ");
        qr_out_u64(out, pool.size);
        qr_out_text(out, " (most ");
        qr_out_u64(out, pool.most);
        qr_out_text(out, ")");
    }
    note(line_end());
}

/* ---- the loop ---- */

/* A time server's word counts more than the board's. */
static struct qr_now read_clocks(void)
{
    uint64_t uptime_ms = qr_board_uptime_ms();
    uint64_t unix_ms = qr_net_lwip_unix_ms(uptime_ms);

    return (struct qr_now){.uptime_ms = uptime_ms,
                           .unix_ms = unix_ms != 0 ? unix_ms : qr_board_unix_ms()};
}

static void turn(uint32_t max_wait_ms)
{
    struct qr_now now = read_clocks();

    qr_server_wait(&server, &now, max_wait_ms);
    now = read_clocks();
    qr_server_serve(&server, &now);
}

/* How often to look whether DHCP has given an address: no connection wakes the loop for that. */
#define ANNOUNCE_LOOK_MS 100

/* Announces the address once there is one: where people find it, if they said so. */
static bool announced(void)
{
    bool published = on_kernel() || strcmp(settings.net, "user") == 0 || settings.publish_set;
    uint32_t addr = on_kernel() ? settings.publish_addr : qr_net_lwip_addr();

    if (addr != 0) {
        announce(published ? settings.publish_addr : addr,
                 published ? settings.publish_port : settings.port);
    }
    return addr != 0;
}

/* Replies under way may end; then every connection is closed. */
static void stop(void)
{
    uint64_t deadline_ms = qr_board_uptime_ms() + QR_STOP_TIMEOUT_MS;
    uint64_t now_ms;

    qr_server_stop(&server);
    while (!qr_server_stopped(&server) && (now_ms = qr_board_uptime_ms()) < deadline_ms) {
        turn((uint32_t)(deadline_ms - now_ms));
    }
    qr_server_close(&server);
    qr_board_wait(0); /* which sends what is left */
}

int main(int argc, char **argv)
{
    int n_texts = qr_board_init(argc, argv);
    const struct qr_net *net;
    bool told = false;

    if (n_texts < 0) {
        qr_board_exit(1);
    }
    read_settings(n_texts);
    wire();
    net = start_net();
    qr_board_wait(0); /* which sends our first frames, before anybody is told to call */
    open_server(net);
    qr_board_log(QR_LOG_INFO, "quitring " QR_VERSION " is serving");
    note_pools();
    while (!qr_board_stopping()) {
        told = told || announced();
        turn(told ? UINT32_MAX : ANNOUNCE_LOOK_MS);
    }
    qr_board_log(QR_LOG_INFO, "stopping");
    note_pools();
    stop();
    qr_board_exit(0);
}

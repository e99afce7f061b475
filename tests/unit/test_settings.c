#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "firmware/settings.h"
#include "guard.h"
#include "src/limits.h"

#define SPELL(number)  #number
#define NUMBER(number) SPELL(number)
#define LEN(array)     (sizeof(array) / sizeof(array)[0])

/* Texts for the same settings object, in turn; a name for what is shown when one fails. */
static int read_text(struct qr_settings *settings, const char *text,
                     struct qr_settings_fault *fault)
{
    size_t len = strlen(text);
    memset(fault, 0x5a, sizeof *fault);
    return qr_settings_read(settings, guard_copy(text, len), len, fault);
}

static void read_well(struct qr_settings *settings, const char *text)
{
    struct qr_settings_fault fault;
    if (read_text(settings, text, &fault) != 0) {
        fail_msg("'%s' was refused: %s", text, fault.message);
    }
}

static struct qr_settings settings_of(const char *text)
{
    struct qr_settings settings;
    qr_settings_default(&settings);
    read_well(&settings, text);
    return settings;
}

/* ---- defaults ---- */

static void test_settings_have_defaults_without_text(void **state)
{
    (void)state;
    struct qr_settings settings;
    struct qr_settings_fault fault;
    memset(&settings, 0xa5, sizeof settings);
    qr_settings_default(&settings);
    assert_int_equal(qr_settings_read(&settings, guard_copy("", 0), 0, &fault), 0);
    assert_int_equal(qr_settings_read(&settings, NULL, 0, &fault), 0);

    assert_string_equal(settings.net, "user");
    assert_false(settings.addr_set);
    assert_false(settings.dhcp);
    assert_int_equal(settings.addr, 0);
    assert_int_equal(settings.netmask, 0);
    assert_int_equal(settings.gateway, 0);
    assert_int_equal(settings.port, 80);
    assert_int_equal(settings.publish_addr, 0x7f000001);
    assert_int_equal(settings.publish_port, 8080);
    assert_int_equal(settings.ring_bytes, QR_RING_DEFAULT);
    assert_string_equal(settings.hostname, "quitring");
    assert_string_equal(settings.ntp, "dhcp");
    assert_true(settings.ipv6);
    assert_true(settings.mdns);
    assert_false(settings.quiet);
    assert_false(settings.verbose);
    assert_false(settings.help);
    assert_false(settings.version);
}

/* ---- good values ---- */

static void test_settings_take_net(void **state)
{
    (void)state;
    static const char *const values[] = {
        "user", "host", "tap:q", "tap:qr0", "tap:br-lan.7", "packet:eth0", "packet:enx0123456789ab",
    };
    for (size_t i = 0; i < LEN(values); i++) {
        char line[64];
        snprintf(line, sizeof line, "net=%s", values[i]);
        struct qr_settings settings = settings_of(line);
        assert_string_equal(settings.net, values[i]);
    }
}

static void test_settings_take_static_addr(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint32_t addr, netmask, gateway;
    } cases[] = {
        {"addr=192.168.1.50/24,192.168.1.1", 0xc0a80132, 0xffffff00, 0xc0a80101},
        {"addr=192.168.1.50/24", 0xc0a80132, 0xffffff00, 0},
        {"addr=10.0.0.1/8,10.255.255.254", 0x0a000001, 0xff000000, 0x0afffffe},
        {"addr=192.168.1.1/30,192.168.1.2", 0xc0a80101, 0xfffffffc, 0xc0a80102},
        {"addr=1.0.0.1/1", 0x01000001, 0x80000000, 0},
        {"addr=223.255.255.254/24", 0xdffffffe, 0xffffff00, 0},
        {"addr=10.0.1.0/16", 0x0a000100, 0xffff0000, 0},
        {"addr=10.0.0.255/16", 0x0a0000ff, 0xffff0000, 0},
        {"addr=126.0.0.1/8", 0x7e000001, 0xff000000, 0},
        {"addr=128.0.0.1/8", 0x80000001, 0xff000000, 0},
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct qr_settings settings = settings_of(cases[i].line);
        assert_true(settings.addr_set);
        assert_false(settings.dhcp);
        assert_int_equal(settings.addr, cases[i].addr);
        assert_int_equal(settings.netmask, cases[i].netmask);
        assert_int_equal(settings.gateway, cases[i].gateway);
    }
}

static void test_settings_take_dhcp_over_static_addr(void **state)
{
    (void)state;
    struct qr_settings settings = settings_of("addr=10.0.0.5/8,10.0.0.1\naddr=dhcp");
    assert_true(settings.addr_set);
    assert_true(settings.dhcp);
    assert_int_equal(settings.addr, 0);
    assert_int_equal(settings.netmask, 0);
    assert_int_equal(settings.gateway, 0);
}

static void test_settings_take_static_addr_over_another_way(void **state)
{
    (void)state;
    struct qr_settings settings = settings_of("addr=dhcp\naddr=10.0.0.5/8,10.0.0.1");
    assert_false(settings.dhcp);
    assert_int_equal(settings.gateway, 0x0a000001);
    read_well(&settings, "addr=10.0.0.6/8");
    assert_int_equal(settings.addr, 0x0a000006);
    assert_int_equal(settings.gateway, 0);
}

static void test_settings_take_port(void **state)
{
    (void)state;
    assert_int_equal(settings_of("port=1").port, 1);
    assert_int_equal(settings_of("port=8080").port, 8080);
    assert_int_equal(settings_of("port=65535").port, 65535);
}

static void test_settings_take_publish(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint32_t addr;
        uint16_t port;
    } cases[] = {
        {"publish=1", 0x7f000001, 1},
        {"publish=65535", 0x7f000001, 65535},
        {"publish=0.0.0.0:80", 0, 80},
        {"publish=192.168.10.200:8081", 0xc0a80ac8, 8081},
        {"publish=255.255.255.255:1", 0xffffffff, 1},
        {"publish=10.0.0.1:81\npublish=82", 0x7f000001, 82},
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct qr_settings settings = settings_of(cases[i].line);
        assert_int_equal(settings.publish_addr, cases[i].addr);
        assert_int_equal(settings.publish_port, cases[i].port);
    }
}

static void test_settings_take_ring(void **state)
{
    (void)state;
    assert_int_equal(settings_of("ring=" NUMBER(QR_RING_MIN)).ring_bytes, QR_RING_MIN);
    assert_int_equal(settings_of("ring=" NUMBER(QR_RING_MAX)).ring_bytes, QR_RING_MAX);
    assert_int_equal(settings_of("ring=4K").ring_bytes, 4096);
    assert_int_equal(settings_of("ring=5k").ring_bytes, 5120);

    char line[32];
    snprintf(line, sizeof line, "ring=%uK", (unsigned)QR_RING_MAX / 1024);
    assert_int_equal(settings_of(line).ring_bytes, QR_RING_MAX / 1024 * 1024);
}

/* Whether a megabyte is within the range depends on the build; that it is one does not. */
static void test_settings_take_ring_in_megabytes(void **state)
{
    (void)state;
    static const char *const lines[] = {"ring=1M", "ring=1m"};
    for (size_t i = 0; i < LEN(lines); i++) {
        struct qr_settings settings;
        struct qr_settings_fault fault;
        qr_settings_default(&settings);
        int result = read_text(&settings, lines[i], &fault);
        if (QR_RING_MAX >= 1048576) {
            assert_int_equal(result, 0);
            assert_int_equal(settings.ring_bytes, 1048576);
        } else {
            assert_int_equal(result, -1);
        }
    }
}

#define LABEL_64  "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789"
#define DOTTED_64 "abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJKLMNOPQRSTUVWXYZ.0123456789"

static void test_settings_take_hostname(void **state)
{
    (void)state;
    static const char *const values[] = {
        "a", "7", "quit-ring", "Quit2", "a.b", "door-1.example.net", &LABEL_64[1], &DOTTED_64[1],
    };
    for (size_t i = 0; i < LEN(values); i++) {
        char line[96];
        snprintf(line, sizeof line, "hostname=%s", values[i]);
        struct qr_settings settings = settings_of(line);
        assert_string_equal(settings.hostname, values[i]);
    }
}

static void test_settings_take_ntp(void **state)
{
    (void)state;
    static const char *const values[] = {
        "dhcp",
        "off",
        "10.0.0.1",
        "255.255.255.255",
        "time",
        "0.debian.pool.ntp.test",
        "time1.test",
        "1a",
        "::",
        "::1",
        "1::",
        "fe80::1",
        "2001:db8::123:4567:89ab:cdef",
        "1:2:3:4:5:6:7:8",
        "1:2:3::5:6:7:8",
        "::2:3:4:5:6:7:8",
        "2001:DB8:ffff:FFFF:1234:abcd:ABCD:0",
    };
    for (size_t i = 0; i < LEN(values); i++) {
        char line[96];
        snprintf(line, sizeof line, "ntp=%s", values[i]);
        struct qr_settings settings = settings_of(line);
        assert_string_equal(settings.ntp, values[i]);
    }
}

static void test_settings_take_choices(void **state)
{
    (void)state;
    assert_false(settings_of("ipv6=no").ipv6);
    assert_true(settings_of("ipv6=no\nipv6=yes").ipv6);
    assert_false(settings_of("mdns=no").mdns);
    assert_true(settings_of("mdns=no\nmdns=yes").mdns);
    assert_true(settings_of("mdns=no").ipv6);
}

static void test_settings_take_flags_bare_yes_and_no(void **state)
{
    (void)state;
    assert_true(settings_of("quiet").quiet);
    assert_true(settings_of("quiet=yes").quiet);
    assert_false(settings_of("quiet\nquiet=no").quiet);
    assert_true(settings_of("verbose").verbose);
    assert_true(settings_of("verbose=yes").verbose);
    assert_false(settings_of("verbose\nverbose=no").verbose);
    assert_true(settings_of("help").help);
    assert_true(settings_of("help=yes").help);
    assert_false(settings_of("help\nhelp=no").help);
    assert_true(settings_of("version").version);
    assert_true(settings_of("version=yes").version);
    assert_false(settings_of("version\nversion=no").version);
}

static void test_settings_flags_change_no_other(void **state)
{
    (void)state;
    struct qr_settings settings = settings_of("help");
    assert_false(settings.version || settings.quiet || settings.verbose);
    settings = settings_of("version");
    assert_false(settings.help || settings.quiet || settings.verbose);
}

static void test_settings_let_the_later_of_quiet_and_verbose_win(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool quiet, verbose;
    } cases[] = {
        {"quiet\nverbose", false, true},
        {"verbose\nquiet", true, false},
        {"quiet=yes\nverbose=no", true, false},
        {"verbose\nquiet=no", false, true},
        {"quiet\nverbose\nquiet", true, false},
        {"verbose\nquiet\nverbose", false, true},
        {"quiet\nverbose\nverbose=no", false, false},
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct qr_settings settings = settings_of(cases[i].text);
        assert_int_equal(settings.quiet, cases[i].quiet);
        assert_int_equal(settings.verbose, cases[i].verbose);
    }
}

/* ---- bad lines ---- */

#define NET_TAKES       ": takes user, host, tap:IF or packet:IF"
#define INTERFACE_TAKES ": an interface's name has 1 to 15 bytes, no slash, colon or white space"
#define ADDR_TAKES      ": takes dhcp or A.B.C.D/PREFIX[,GATEWAY]"
#define PREFIX_TAKES    ": the prefix is a number from 1 to 30"
#define NO_HOST         ": no host can have this address"
#define GATEWAY_TAKES   ": the gateway is not another host of the subnet"
#define PORT_TAKES      ": takes a number from 1 to 65535"
#define PUBLISH_TAKES   ": takes [A.B.C.D:]PORT, the port from 1 to 65535"
#define RING_TAKES                                                                                 \
    ": takes bytes from " NUMBER(QR_RING_MIN) " to " NUMBER(QR_RING_MAX) ", also with K or M"
#define HOSTNAME_TAKES ": takes a host name: letters, digits, hyphens, dots; 1 to 63"
#define NTP_TAKES      ": takes dhcp, off, an IPv4 or IPv6 address, or a host name"
#define CHOICE_TAKES   ": takes yes or no"
#define FLAG_TAKES     ": takes nothing, yes or no"

/* The message begins with the line itself, so only the rest stands here. */
static const struct bad_line {
    const char *line, *why;
} bad_values[] = {
    {"net=User", NET_TAKES},
    {"net=users", NET_TAKES},
    {"net=use", NET_TAKES},
    {"net=tap", NET_TAKES},
    {"net=Tap:x", NET_TAKES},
    {"net=eth0", NET_TAKES},
    {"net=host:eth0", NET_TAKES},
    {"net=tap:", INTERFACE_TAKES},
    {"net=packet:", INTERFACE_TAKES},
    {"net=tap:a/b", INTERFACE_TAKES},
    {"net=tap:a b", INTERFACE_TAKES},
    {"net=packet:eth0:1", INTERFACE_TAKES},
    {"net=packet:abcdefghijklmnop", INTERFACE_TAKES},

    {"addr=DHCP", ADDR_TAKES},
    {"addr=dhcp6", ADDR_TAKES},
    {"addr=192.168.1.50", ADDR_TAKES},
    {"addr=192.168.1/24", ADDR_TAKES},
    {"addr=192.168.1.50.1/24", ADDR_TAKES},
    {"addr=192.168.1.256/24", ADDR_TAKES},
    {"addr=192.168.1.-1/24", ADDR_TAKES},
    {"addr=192.168.01.50/24", ADDR_TAKES},
    {"addr=192.168..50/24", ADDR_TAKES},
    {"addr=192.168.1.50/", ADDR_TAKES},
    {"addr=192.168.1.50/24,", ADDR_TAKES},
    {"addr=192.168.1.50/24,192.168.1.1,", ADDR_TAKES},
    {"addr=192.168.1.50/24, 192.168.1.1", ADDR_TAKES},
    {"addr=192.168.1.50/24;192.168.1.1", ADDR_TAKES},
    {"addr=192.168.1.50/24/24", ADDR_TAKES},
    {"addr=192.168.1.50/024", ADDR_TAKES},
    {"addr=192.168.1.50/33", ADDR_TAKES},
    {"addr=192.168.1.50/255.255.255.0", ADDR_TAKES},
    {"addr=192.168.1.50/0", PREFIX_TAKES},
    {"addr=192.168.1.50/31", PREFIX_TAKES},
    {"addr=192.168.1.50/32", PREFIX_TAKES},
    {"addr=192.168.1.0/24", NO_HOST},
    {"addr=192.168.1.255/24", NO_HOST},
    {"addr=10.0.255.255/16", NO_HOST},
    {"addr=0.0.0.0/24", NO_HOST},
    {"addr=0.0.0.1/24", NO_HOST},
    {"addr=127.0.0.1/8", NO_HOST},
    {"addr=127.1.2.3/24", NO_HOST},
    {"addr=224.0.0.1/24", NO_HOST},
    {"addr=239.1.2.3/24", NO_HOST},
    {"addr=255.255.255.254/24", NO_HOST},
    {"addr=192.168.1.50/24,192.168.2.1", GATEWAY_TAKES},
    {"addr=192.168.1.50/24,192.168.1.0", GATEWAY_TAKES},
    {"addr=192.168.1.50/24,192.168.1.255", GATEWAY_TAKES},
    {"addr=192.168.1.50/24,192.168.1.50", GATEWAY_TAKES},
    {"addr=192.168.1.50/24,0.0.0.0", GATEWAY_TAKES},

    {"port=0", PORT_TAKES},
    {"port=65536", PORT_TAKES},
    {"port=99999", PORT_TAKES},
    {"port=4294967376", PORT_TAKES},           /* 80 in 32 bits */
    {"port=18446744073709551696", PORT_TAKES}, /* 80 in 64 bits */
    {"port=080", PORT_TAKES},
    {"port=+80", PORT_TAKES},
    {"port=-80", PORT_TAKES},
    {"port=0x50", PORT_TAKES},
    {"port=80x", PORT_TAKES},
    {"port=8 0", PORT_TAKES},
    {"port=80.", PORT_TAKES},
    {"port=http", PORT_TAKES},

    {"publish=0", PUBLISH_TAKES},
    {"publish=127.0.0.1", PUBLISH_TAKES},
    {"publish=127.0.0.1:", PUBLISH_TAKES},
    {"publish=127.0.0.1:0", PUBLISH_TAKES},
    {"publish=127.0.0.1:65536", PUBLISH_TAKES},
    {"publish=127.0.0.1:80:81", PUBLISH_TAKES},
    {"publish=127.0.0.1/80", PUBLISH_TAKES},
    {"publish=127.0.0:80", PUBLISH_TAKES},
    {"publish=127.0.0.256:80", PUBLISH_TAKES},
    {"publish=:80", PUBLISH_TAKES},
    {"publish=[::1]:80", PUBLISH_TAKES},
    {"publish=localhost:80", PUBLISH_TAKES},

    {"ring=0", RING_TAKES},
    {"ring=1023", RING_TAKES},
    {"ring=0K", RING_TAKES},
    {"ring=K", RING_TAKES},
    {"ring=4294967295K", RING_TAKES},
    {"ring=4194305K", RING_TAKES}, /* 1024 in 32 bits */
    {"ring=4097M", RING_TAKES},    /* 1 MB in 32 bits */
    {"ring=4KB", RING_TAKES},
    {"ring=4 K", RING_TAKES},
    {"ring=4KM", RING_TAKES},
    {"ring=4G", RING_TAKES},
    {"ring=04096", RING_TAKES},
    {"ring=4096.0", RING_TAKES},

    {"hostname=-a", HOSTNAME_TAKES},
    {"hostname=a-", HOSTNAME_TAKES},
    {"hostname=a_b", HOSTNAME_TAKES},
    {"hostname=a b", HOSTNAME_TAKES},
    {"hostname=a/b", HOSTNAME_TAKES},
    {"hostname=.", HOSTNAME_TAKES},
    {"hostname=.a", HOSTNAME_TAKES},
    {"hostname=a.", HOSTNAME_TAKES},
    {"hostname=a..b", HOSTNAME_TAKES},
    {"hostname=a.-b", HOSTNAME_TAKES},
    {"hostname=a-.b", HOSTNAME_TAKES},

    {"ntp=1", NTP_TAKES},
    {"ntp=10.0.0", NTP_TAKES},
    {"ntp=10.0.0.256", NTP_TAKES},
    {"ntp=10.0.0.1.", NTP_TAKES},
    {"ntp=time.1", NTP_TAKES},
    {"ntp=time_server", NTP_TAKES},
    {"ntp=time.test:123", NTP_TAKES},
    {"ntp=time.test,time2.test", NTP_TAKES},
    {"ntp=:", NTP_TAKES},
    {"ntp=:::", NTP_TAKES},
    {"ntp=:1", NTP_TAKES},
    {"ntp=1:", NTP_TAKES},
    {"ntp=::1:", NTP_TAKES},
    {"ntp=1::2::3", NTP_TAKES},
    {"ntp=::g", NTP_TAKES},
    {"ntp=::12345", NTP_TAKES},
    {"ntp=1:2:3:4:5:6:7", NTP_TAKES},
    {"ntp=1:2:3:4:5:6:7:8:9", NTP_TAKES},
    {"ntp=1:2:3:4::5:6:7:8", NTP_TAKES},
    {"ntp=::10.0.0.1", NTP_TAKES},
    {"ntp=fe80::1%eth0", NTP_TAKES},
    {"ntp=[::1]", NTP_TAKES},

    {"ipv6=1", CHOICE_TAKES},
    {"ipv6=YES", CHOICE_TAKES},
    {"ipv6=off", CHOICE_TAKES},
    {"mdns=nope", CHOICE_TAKES},

    {"config=quitring.conf", ": belongs on the command line"},

    {"quiet=1", FLAG_TAKES},
    {"quiet=maybe", FLAG_TAKES},
    {"quiet=YES", FLAG_TAKES},
    {"quiet=yesno", FLAG_TAKES},
    {"verbose=true", FLAG_TAKES},
    {"help=y", FLAG_TAKES},
    {"version=2", FLAG_TAKES},
};

/* Usage faults: the value is missing. */
static const struct bad_line missing_values[] = {
    {"net", NET_TAKES},           {"net=", NET_TAKES},
    {"addr", ADDR_TAKES},         {"addr=", ADDR_TAKES},
    {"port", PORT_TAKES},         {"port=", PORT_TAKES},
    {"publish", PUBLISH_TAKES},   {"publish=", PUBLISH_TAKES},
    {"ring", RING_TAKES},         {"ring=", RING_TAKES},
    {"hostname", HOSTNAME_TAKES}, {"hostname=", HOSTNAME_TAKES},
    {"ntp", NTP_TAKES},           {"ntp=", NTP_TAKES},
    {"ipv6", CHOICE_TAKES},       {"ipv6=", CHOICE_TAKES},
    {"mdns", CHOICE_TAKES},       {"quiet=", FLAG_TAKES},
    {"verbose=", FLAG_TAKES},     {"help=", FLAG_TAKES},
    {"version=", FLAG_TAKES},     {"config", ": belongs on the command line"},
};

/* Settings that differ from the defaults everywhere, to see that a bad line changes nothing. */
static struct qr_settings settings_of_all(void)
{
    return settings_of("net=tap:qr0\naddr=10.1.2.3/8,10.0.0.1\nport=81\npublish=10.0.0.2:82\n"
                       "ring=2K\nhostname=door\nntp=off\nipv6=no\nmdns=no\nverbose\nhelp\n"
                       "version\n");
}

static void refuses(const char *line, const char *message, bool usage)
{
    struct qr_settings settings = settings_of_all(), before;
    struct qr_settings_fault fault;
    memcpy(&before, &settings, sizeof before);
    if (read_text(&settings, line, &fault) != -1) {
        fail_msg("'%s' was taken", line);
    }
    assert_string_equal(fault.message, message);
    assert_int_equal(fault.line, 1);
    assert_int_equal(fault.usage, usage);
    assert_memory_equal(&settings, &before, sizeof before);
}

static void refuses_each(const struct bad_line *lines, size_t n, bool usage)
{
    for (size_t i = 0; i < n; i++) {
        char message[200];
        snprintf(message, sizeof message, "%s%s", lines[i].line, lines[i].why);
        refuses(lines[i].line, message, usage);
    }
}

static void test_settings_refuse_bad_values(void **state)
{
    (void)state;
    refuses_each(bad_values, LEN(bad_values), false);
}

static void test_settings_refuse_missing_values_as_usage(void **state)
{
    (void)state;
    refuses_each(missing_values, LEN(missing_values), true);
}

static void test_settings_refuse_ring_over_the_most(void **state)
{
    (void)state;
    char line[40], message[200];
    snprintf(line, sizeof line, "ring=%u", (unsigned)QR_RING_MAX + 1u);
    snprintf(message, sizeof message, "%s%s", line, RING_TAKES);
    refuses(line, message, false);
    snprintf(line, sizeof line, "ring=%uK", (unsigned)QR_RING_MAX / 1024u + 1u);
    snprintf(message, sizeof message, "%s%s", line, RING_TAKES);
    refuses(line, message, false);
    snprintf(line, sizeof line, "ring=%uM", (unsigned)QR_RING_MAX / 1048576u + 1u);
    snprintf(message, sizeof message, "%s%s", line, RING_TAKES);
    refuses(line, message, false);
}

static void test_settings_refuse_unknown_names_as_usage(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"colour=red", "unknown setting 'colour'; see --help"},
        {"colour", "unknown setting 'colour'; see --help"},
        {"=80", "unknown setting ''; see --help"},
        {"=", "unknown setting ''; see --help"},
        {"--port=80", "unknown setting '--port'; see --help"},
        {"po rt=80", "unknown setting 'po rt'; did you mean 'port'?"},
        {"prot=80", "unknown setting 'prot'; did you mean 'port'?"},
        {"Port=80", "unknown setting 'Port'; did you mean 'port'?"},
        {"PORT=80", "unknown setting 'PORT'; see --help"},
        {"por=80", "unknown setting 'por'; did you mean 'port'?"},
        {"ort=80", "unknown setting 'ort'; did you mean 'port'?"},
        {"ports=80", "unknown setting 'ports'; did you mean 'port'?"},
        {"pport=80", "unknown setting 'pport'; did you mean 'port'?"},
        {"popt=80", "unknown setting 'popt'; did you mean 'port'?"},
        {"ptro=80", "unknown setting 'ptro'; see --help"},
        {"prxt=80", "unknown setting 'prxt'; see --help"},
        {"pxot=80", "unknown setting 'pxot'; see --help"},
        {"portt=80", "unknown setting 'portt'; did you mean 'port'?"},
        {"ve=80", "unknown setting 've'; see --help"},
        {"po=80", "unknown setting 'po'; see --help"},
        {"host=a", "unknown setting 'host'; see --help"},
        {"host-name=a", "unknown setting 'host-name'; did you mean 'hostname'?"},
        {"quite", "unknown setting 'quite'; did you mean 'quiet'?"},
        {"ver\x01\xc3\xa9=1", "unknown setting 'ver\?\?\?'; see --help"},
        {"port\x7f=1", "unknown setting 'port?'; did you mean 'port'?"},
        {"abcdefghijklmnopqrstuvwx=1", "unknown setting 'abcdefghijklmnopqrstuvwx'; see --help"},
        {"abcdefghijklmnopqrstuvwxy=1",
         "unknown setting 'abcdefghijklmnopqrstuvwx...'; see --help"},
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        refuses(cases[i].line, cases[i].message, true);
    }
}

static void test_settings_show_values_safely(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"port=8\x1b[2J0", "port=8?[2J0" PORT_TAKES},
        {"port=\xff\x7f\x1f~", "port=\?\?\?~" PORT_TAKES},
        {"net=tap:a\tb", "net=tap:a?b" INTERFACE_TAKES},
        {"net=tap:a\x7f", "net=tap:a?" INTERFACE_TAKES},
        {"port=8\r0", "port=8?0" PORT_TAKES},
        {"port=1=2", "port=1=2" PORT_TAKES},
        {"net=packet:0123456789012345678901234567890123", /* 41 bytes */
         "net=packet:012345678901234567890123456789012..." INTERFACE_TAKES},
        {"net=packet:012345678901234567890123456789012", /* 40 bytes */
         "net=packet:012345678901234567890123456789012" INTERFACE_TAKES},
        {"hostname=" DOTTED_64,
         "hostname=abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJKLM..." HOSTNAME_TAKES},
        {"hostname=" LABEL_64,
         "hostname=abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLM..." HOSTNAME_TAKES},
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        refuses(cases[i].line, cases[i].message, false);
    }
}

static void test_settings_refuse_nul_in_line(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        size_t len;
        const char *message;
    } cases[] = {
        {"port=80\0", 8, "port=80?" PORT_TAKES},
        {"net=user\0", 9, "net=user?" NET_TAKES},
        {"net=tap:a\0b", 11, "net=tap:a?b" INTERFACE_TAKES},
        {"hostname=a\0b", 12, "hostname=a?b" HOSTNAME_TAKES},
        {"port\0=80", 8, "unknown setting 'port?'; did you mean 'port'?"},
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct qr_settings settings;
        struct qr_settings_fault fault;
        qr_settings_default(&settings);
        const char *text = guard_copy(cases[i].line, cases[i].len);
        assert_int_equal(qr_settings_read(&settings, text, cases[i].len, &fault), -1);
        assert_string_equal(fault.message, cases[i].message);
    }
}

/* ---- lines ---- */

static void test_settings_take_lines_as_people_write_them(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "port=81\nhostname=door\nquiet\n",
        "port=81\nhostname=door\nquiet",
        "port=81\r\nhostname=door\r\nquiet\r\n",
        "port=81\r\nhostname=door\r\nquiet\r",
        "\n\n port = 81 \n\n\thostname\t=\tdoor\t\n  quiet  \n\n",
        "# a comment\nport=81\n  # port=82\n#\n#port=83\nhostname=door\n\t# quiet=no\nquiet\n#",
        "\r\nport=81\r\n \r\nhostname=door \r\n quiet = yes \r\n\t",
        "port=82\nport=83\nport=81\nhostname=wall\nhostname=door\nquiet",
    };
    for (size_t i = 0; i < LEN(texts); i++) {
        struct qr_settings settings = settings_of(texts[i]);
        assert_int_equal(settings.port, 81);
        assert_string_equal(settings.hostname, "door");
        assert_true(settings.quiet);
    }
}

/* There, the byte before would make the empty first line's end a CRLF. */
static void test_settings_do_not_look_before_the_text(void **state)
{
    (void)state;
    static const char text[] = "\r\nport=81";
    struct qr_settings settings;
    struct qr_settings_fault fault;
    qr_settings_default(&settings);
    const char *copy = guard_copy(text, sizeof text - 1);
    assert_int_equal(qr_settings_read(&settings, copy + 1, sizeof text - 2, &fault), 0);
    assert_int_equal(settings.port, 81);
}

static void test_settings_let_a_later_text_overrule(void **state)
{
    (void)state;
    struct qr_settings settings = settings_of("port=81\nring=2K\nhostname=door");
    read_well(&settings, "port=82\nring=3K");
    read_well(&settings, "");
    read_well(&settings, "port=83");
    assert_int_equal(settings.port, 83);
    assert_int_equal(settings.ring_bytes, 3072);
    assert_string_equal(settings.hostname, "door");
}

static void test_settings_say_which_line_is_at_fault(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
    } cases[] = {
        {"port=x\n", 1},
        {"port=81\nport=x\n", 2},
        {"port=81\nport=x", 2},
        {"port=81\r\n\r\n# comment\r\n \t\r\nport=x\r\nport=y\r\n", 5},
        {"\n\n\n\n\n\n\n\n\n\nport=x", 11},
        {"port=81\nnonsense\nport=x", 2},
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct qr_settings settings;
        struct qr_settings_fault fault;
        qr_settings_default(&settings);
        assert_int_equal(read_text(&settings, cases[i].text, &fault), -1);
        assert_int_equal(fault.line, cases[i].line);
    }
}

static void test_settings_keep_what_came_before_the_bad_line(void **state)
{
    (void)state;
    struct qr_settings settings;
    struct qr_settings_fault fault;
    qr_settings_default(&settings);
    assert_int_equal(read_text(&settings, "port=81\nhostname=a..b\nport=82\n", &fault), -1);
    assert_int_equal(settings.port, 81);
    assert_string_equal(settings.hostname, "quitring");
}

/* ---- any bytes ---- */

static void any_bytes(const char *bytes, size_t len)
{
    struct qr_settings settings;
    struct qr_settings_fault fault;
    memset(&fault, 0x5a, sizeof fault);
    qr_settings_default(&settings);
    int result = qr_settings_read(&settings, guard_copy(bytes, len), len, &fault);
    assert_true(result == 0 || result == -1);
    if (result == -1) {
        assert_true(fault.line >= 1 && fault.line <= len);
        size_t message_len = strnlen(fault.message, sizeof fault.message);
        assert_in_range(message_len, 1, sizeof fault.message - 1);
        for (size_t i = 0; i < message_len; i++) {
            assert_in_range(fault.message[i], ' ', '~');
        }
    }
    assert_non_null(memchr(settings.net, '\0', sizeof settings.net));
    assert_non_null(memchr(settings.hostname, '\0', sizeof settings.hostname));
    assert_in_range(settings.ring_bytes, QR_RING_MIN, QR_RING_MAX);
}

static void cut_everywhere(const char *text)
{
    for (size_t len = 0; len <= strlen(text); len++) {
        any_bytes(text, len);
    }
}

static void test_settings_survive_every_cut(void **state)
{
    (void)state;
    cut_everywhere("# all\r\nnet=packet:eth0\naddr=192.168.1.50/24,192.168.1.1\r\nport=8080\n"
                   "publish=192.168.1.2:8081\nring=4K\nhostname=door.example.net\nquiet\n"
                   "verbose=no\n help = yes \nversion\nport");
    for (size_t i = 0; i < LEN(bad_values); i++) {
        cut_everywhere(bad_values[i].line);
    }
}

static void test_settings_survive_any_byte_anywhere(void **state)
{
    (void)state;
    static const char text[] = "net=tap:qr0\naddr=10.0.0.2/8,10.0.0.1\npublish=1.2.3.4:5\nring=4K\n"
                               "hostname=a.b\nport=80";
    for (size_t at = 0; at < sizeof text - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char changed[sizeof text];
            memcpy(changed, text, sizeof text);
            changed[at] = (char)byte;
            any_bytes(changed, sizeof text - 1);
        }
    }
}

static void test_settings_survive_long_values(void **state)
{
    (void)state;
    static const char *const names[] = {"net=tap:",  "addr=", "port=",   "publish=", "ring=",
                                        "hostname=", "ntp=",  "config=", "quiet=",   "x"};
    static char line[4096];
    static const char fillers[] = "a1.:\x01 -";
    for (size_t i = 0; i < LEN(names); i++) {
        for (size_t f = 0; f < sizeof fillers - 1; f++) {
            for (size_t len = 1; len < sizeof line; len *= 2) {
                size_t name_len = strlen(names[i]);
                memcpy(line, names[i], name_len);
                memset(line + name_len, fillers[f], sizeof line - name_len);
                any_bytes(line, name_len + len < sizeof line ? name_len + len : sizeof line);
            }
        }
    }
}

/* ---- help ---- */

static const char *const names[] = {
    "net",  "addr", "port",   "publish", "ring",    "hostname", "ipv6",
    "mdns", "ntp",  "config", "quiet",   "verbose", "help",     "version",
};

static bool help_line(unsigned i, char *line, size_t size)
{
    struct qr_out out;
    qr_out_init(&out, line, size - 1);
    bool there = qr_settings_help(i, &out);
    assert_false(out.full);
    line[out.len] = '\0';
    return there;
}

static void test_settings_help_has_one_line_a_setting(void **state)
{
    (void)state;
    char line[120], start[32];
    for (unsigned i = 0; i < LEN(names); i++) {
        assert_true(help_line(i, line, sizeof line));
        snprintf(start, sizeof start, "  --%s ", names[i]);
        assert_memory_equal(line, start, strlen(start));
        assert_null(strchr(line, '\n'));
        assert_in_range(strlen(line), 30, 99);
    }
    assert_false(help_line((unsigned)LEN(names), line, sizeof line));
    assert_string_equal(line, "");
    assert_false(help_line(UINT32_MAX, line, sizeof line));
}

static void test_settings_help_lines_up(void **state)
{
    (void)state;
    char line[120];
    size_t column = 0;
    for (unsigned i = 0; i < LEN(names); i++) {
        assert_true(help_line(i, line, sizeof line));
        const char *gap = strstr(line + 2, "  ");
        assert_non_null(gap);
        size_t here = (size_t)(gap - line) + strspn(gap, " ");
        assert_true(i == 0 || here == column);
        column = here;
    }
}

/* What help calls the default is the default. */
static void test_settings_help_tells_the_defaults(void **state)
{
    (void)state;
    struct qr_settings defaults;
    unsigned told = 0;
    qr_settings_default(&defaults);
    for (unsigned i = 0; i < LEN(names); i++) {
        char line[120], setting[160];
        assert_true(help_line(i, line, sizeof line));
        char *preset = strstr(line, " (default ");
        if (preset == NULL) {
            continue;
        }
        told++;
        preset += strlen(" (default ");
        assert_string_equal(strchr(preset, ')'), ")");
        *strchr(preset, ')') = '\0';
        snprintf(setting, sizeof setting, "%s=%s", names[i], preset);

        struct qr_settings settings = settings_of_all();
        read_well(&settings, setting);
        assert_true(strcmp(names[i], "net") != 0 || strcmp(settings.net, defaults.net) == 0);
        assert_true(strcmp(names[i], "port") != 0 || settings.port == defaults.port);
        assert_true(strcmp(names[i], "publish") != 0 ||
                    (settings.publish_addr == defaults.publish_addr &&
                     settings.publish_port == defaults.publish_port));
        assert_true(strcmp(names[i], "ring") != 0 || settings.ring_bytes == defaults.ring_bytes);
        assert_true(strcmp(names[i], "hostname") != 0 ||
                    strcmp(settings.hostname, defaults.hostname) == 0);
        assert_true(strcmp(names[i], "ntp") != 0 || strcmp(settings.ntp, defaults.ntp) == 0);
        assert_true(strcmp(names[i], "ipv6") != 0 || settings.ipv6 == defaults.ipv6);
        assert_true(strcmp(names[i], "mdns") != 0 || settings.mdns == defaults.mdns);
    }
    assert_int_equal(told, 8);
}

static void test_settings_help_says_when_a_line_does_not_fit(void **state)
{
    (void)state;
    char bytes[40];
    for (size_t cap = 0; cap < sizeof bytes; cap++) {
        struct qr_out out;
        qr_out_init(&out, bytes, cap);
        assert_true(qr_settings_help(0, &out));
        assert_true(out.full);
        assert_in_range(out.len, 0, cap);
    }
}

static void test_settings_help_goes_behind_what_is_there(void **state)
{
    (void)state;
    char alone[120], bytes[240];
    struct qr_out out;
    assert_true(help_line(3, alone, sizeof alone));
    qr_out_init(&out, bytes, sizeof bytes);
    qr_out_text(&out, "text\n");
    assert_true(qr_settings_help(3, &out));
    assert_int_equal(out.len, strlen("text\n") + strlen(alone));
    assert_memory_equal(bytes + strlen("text\n"), alone, strlen(alone));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_have_defaults_without_text),
        cmocka_unit_test(test_settings_take_net),
        cmocka_unit_test(test_settings_take_static_addr),
        cmocka_unit_test(test_settings_take_dhcp_over_static_addr),
        cmocka_unit_test(test_settings_take_static_addr_over_another_way),
        cmocka_unit_test(test_settings_take_port),
        cmocka_unit_test(test_settings_take_publish),
        cmocka_unit_test(test_settings_take_ring),
        cmocka_unit_test(test_settings_take_ring_in_megabytes),
        cmocka_unit_test(test_settings_take_hostname),
        cmocka_unit_test(test_settings_take_ntp),
        cmocka_unit_test(test_settings_take_choices),
        cmocka_unit_test(test_settings_take_flags_bare_yes_and_no),
        cmocka_unit_test(test_settings_flags_change_no_other),
        cmocka_unit_test(test_settings_let_the_later_of_quiet_and_verbose_win),
        cmocka_unit_test(test_settings_refuse_bad_values),
        cmocka_unit_test(test_settings_refuse_missing_values_as_usage),
        cmocka_unit_test(test_settings_refuse_ring_over_the_most),
        cmocka_unit_test(test_settings_refuse_unknown_names_as_usage),
        cmocka_unit_test(test_settings_show_values_safely),
        cmocka_unit_test(test_settings_refuse_nul_in_line),
        cmocka_unit_test(test_settings_take_lines_as_people_write_them),
        cmocka_unit_test(test_settings_do_not_look_before_the_text),
        cmocka_unit_test(test_settings_let_a_later_text_overrule),
        cmocka_unit_test(test_settings_say_which_line_is_at_fault),
        cmocka_unit_test(test_settings_keep_what_came_before_the_bad_line),
        cmocka_unit_test(test_settings_survive_every_cut),
        cmocka_unit_test(test_settings_survive_any_byte_anywhere),
        cmocka_unit_test(test_settings_survive_long_values),
        cmocka_unit_test(test_settings_help_has_one_line_a_setting),
        cmocka_unit_test(test_settings_help_lines_up),
        cmocka_unit_test(test_settings_help_tells_the_defaults),
        cmocka_unit_test(test_settings_help_says_when_a_line_does_not_fit),
        cmocka_unit_test(test_settings_help_goes_behind_what_is_there),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}

/* Chooses the card, sleeps for it, and looks at the machine's interfaces. */
#include "nic.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES       400
#define ASKED_SHOWN      64
#define MACHINE_ID_BYTES 32 /* hexadecimal digits of /etc/machine-id */

/* Ethernet's shortest frame is 64 bytes long, with its checksum. */
#define FRAME_BYTES_MIN 60

/* Frames of ours that wait for the end of a turn, and bytes of them: what a turn takes in
 * (port/sys_arch.c) may each have a callback's reply. More are sent before. */
#define QUEUE_FRAMES 64
#define QUEUE_BYTES  (QUEUE_FRAMES * 256)

/* Nanoseconds that we look for the next frame before we sleep, and looks without success that may
 * follow one another. A caller on the same machine, or near it, sends its next request in less time
 * than it takes to be put to sleep and woken, most of all on a virtual processor. */
#define LOOK_NS       50000
#define LOOKS_IN_VAIN 8

static const struct choice {
    const char *name;
    bool takes_interface; /* behind the name */
    const struct qr_nic *nic;
} choices[] = {
#ifndef QR_LINUX_WITHOUT_SLIRP
    {"user", false, &qr_nic_user},
#endif
    {"tap:", true, &qr_nic_tap},
    {"packet:", true, &qr_nic_packet},
};

static const struct qr_nic *nic; /* NULL: not open */
static const char *asked = "";
static uint8_t our_mac[6];
static bool others_run; /* there are more processors than ours */
static unsigned looks;  /* that we may take: each short sleep earns one, each in vain costs one */

static void say(enum qr_log_level level, const char *format, va_list arguments)
{
    char line[LINE_BYTES];
    int n = snprintf(line, sizeof line, "%.*s: ", ASKED_SHOWN, asked);
    if (n >= 0 && (size_t)n < sizeof line) {
        vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
        qr_board_log(level, line);
    }
}

int qr_nic_refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(QR_LOG_ERROR, format, arguments);
    va_end(arguments);
    return -1;
}

void qr_nic_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(QR_LOG_WARNING, format, arguments);
    va_end(arguments);
}

/* ---- the board's card ---- */

static const struct choice *choose(const char *net)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        size_t len = strlen(choices[i].name);
        if (strncmp(net, choices[i].name, len) == 0 &&
            (net[len] != '\0') == choices[i].takes_interface) {
            return &choices[i];
        }
    }
    return NULL;
}

int qr_board_nic_open(const struct qr_board_nic_config *config)
{
    static char net[ASKED_SHOWN + 8];

    snprintf(net, sizeof net, "net=%.*s", ASKED_SHOWN, config->net);
    asked = net;
    const struct choice *choice = choose(config->net);
    if (choice == NULL) {
        return qr_nic_refuse("takes user, host, tap:IF or packet:IF");
    }
    asked = net + strlen("net=");
    const char *interface = config->net + strlen(choice->name);
    if (choice->nic->open(interface, config, our_mac) != 0) {
        return -1;
    }
    nic = choice->nic;
    others_run = sysconf(_SC_NPROCESSORS_ONLN) > 1;
    return 0;
}

const uint8_t *qr_board_mac(void)
{
    return our_mac;
}

size_t qr_board_frame_in(uint8_t *frame)
{
    return nic->frame_in(frame);
}

/* ---- sending ---- */

/* The replies of a turn, which leave together: in one system call where the card has such a one;
 * and callers on this machine are woken once, and not for each. */
static struct {
    size_t n, used; /* frames, and bytes of them */
    struct iovec frames[QUEUE_FRAMES];
    uint8_t bytes[QUEUE_BYTES];
} queue;

static void queue_send(void)
{
    if (queue.n != 0) {
        nic->send(queue.frames, queue.n);
        queue.n = queue.used = 0;
    }
}

int qr_board_frame_out(const uint8_t *frame, size_t len)
{
    size_t whole = len < FRAME_BYTES_MIN ? FRAME_BYTES_MIN : len;

    if (queue.n == QUEUE_FRAMES || whole > QUEUE_BYTES - queue.used) {
        queue_send();
    }
    uint8_t *place = queue.bytes + queue.used;
    memcpy(place, frame, len);
    memset(place + len, 0, whole - len);
    queue.frames[queue.n++] = (struct iovec){place, whole};
    queue.used += whole;
    return 0;
}

/* ---- sleeping ---- */

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool qr_nic_has_input(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return poll(&look, 1, 0) != 0;
}

static bool comes_soon(void)
{
    if (looks == 0) {
        return false;
    }
    uint64_t end_ns = clock_ns() + LOOK_NS;
    do {
        if (nic->waits()) {
            return true;
        }
    } while (clock_ns() < end_ns);
    looks--;
    return false;
}

static void sleep_in_kernel(uint32_t timeout_ms)
{
    struct pollfd *polls = NULL;
    size_t n = nic == NULL ? 0 : nic->sleep(&polls, &timeout_ms);
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ms / 1000u),
                               .tv_nsec = (long)(timeout_ms % 1000u) * 1000000L};
    sigset_t none;

    sigemptyset(&none);
    uint64_t begin_ns = clock_ns();
    int ready = ppoll(polls, n, &timeout, &none);
    if (ready > 0 && others_run && looks < LOOKS_IN_VAIN && clock_ns() - begin_ns < LOOK_NS) {
        looks++;
    }
    if (nic != NULL && nic->woken != NULL) {
        nic->woken(ready < 0);
    }
}

void qr_board_wait(uint32_t timeout_ms)
{
    if (nic != NULL) {
        queue_send();
        if (nic->waits != NULL && (timeout_ms == 0 || comes_soon())) {
            return;
        }
    }
    sleep_in_kernel(timeout_ms);
}

/* ---- interfaces ---- */

static int interface_ask(struct qr_nic_interface *found, const char *name)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, strlen(name));

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int result = ioctl(fd, SIOCGIFHWADDR, &request);
    found->ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
    memcpy(found->mac, request.ifr_hwaddr.sa_data, sizeof found->mac);
    if (result == 0) {
        result = ioctl(fd, SIOCGIFFLAGS, &request);
        found->up = (request.ifr_flags & IFF_UP) != 0;
    }
    close(fd);
    return result;
}

int qr_nic_interface_find(struct qr_nic_interface *found, const char *name, const char *help)
{
    if (strlen(name) >= IFNAMSIZ) {
        return qr_nic_refuse("an interface's name has at most %d bytes", IFNAMSIZ - 1);
    }
    found->index = if_nametoindex(name);
    if (found->index == 0) {
        return qr_nic_refuse("no such interface; %s", help);
    }
    if (interface_ask(found, name) != 0) {
        return qr_nic_refuse("%s", strerror(errno));
    }
    return 0;
}

void qr_nic_interface_warn(const struct qr_nic_interface *found, const char *name)
{
    if (!found->up) {
        qr_nic_warn("is down; bring it up with: ip link set %s up", name);
    }
}

/* ---- our MAC address ---- */

/* FNV-1a, 64 bits: spreads what is already unique over the address; it keeps no secret. */
static uint64_t hash(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ at[i]) * 0x100000001b3u;
    }
    return sum;
}

/* Whether this installation has an ID (machine-id(5)): 32 digits, or "uninitialized", or nothing.
 */
static bool machine_id(char id[MACHINE_ID_BYTES])
{
    int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, id, MACHINE_ID_BYTES);
    close(fd);
    return n == MACHINE_ID_BYTES;
}

void qr_nic_mac_make(uint8_t mac[6], const char *name, const uint8_t own[6], bool own_lasts)
{
    char id[MACHINE_ID_BYTES];
    bool lasting = own_lasts;
    uint64_t sum = hash(0xcbf29ce484222325u, name, strlen(name));

    if (own_lasts) {
        sum = hash(sum, own, 6);
    }
    if (machine_id(id)) {
        sum = hash(sum, id, sizeof id);
        lasting = true;
    }
    if (!lasting) {
        qr_board_random(&sum, sizeof sum);
    }
    for (int i = 0; i < 6; i++) {
        mac[i] = (uint8_t)(sum >> (8 * i));
    }
    mac[0] = (uint8_t)((mac[0] & 0xfcu) | 0x02u); /* one host's; given locally (IEEE 802) */
    if (memcmp(mac, own, 6) == 0) {
        mac[5] ^= 1u;
    }
}

/*
 * quitring as /init: the first process of a Linux image, and the only one. No file system is
 * mounted and no device file needed but the console, which the kernel opens for us.
 *
 * Settings come from the kernel's arguments: those it does not know, such as QUITRING_RING=65536,
 * it puts into our environment. Its other arguments are the boot loader's business; two matter:
 * panic=1, since a first process that ends by a fault is a panic, and ipv6.disable=1, since the
 * kernel would take part in the network with our MAC address.
 */
#include "boards/linux/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "boards/board.h"

#define LINE_BYTES 120

/* Cards appear while their drivers start; one that waits for others (clocks, PHY) takes seconds. */
#define CARD_TIMEOUT_MS 10000
#define CARD_LOOK_MS    10

const char qr_machine_settings[] = "net=packet:eth0\n";
const bool qr_machine_is_ours = true;
const char qr_board_usage[] = "";

static void warn(const char *what, const char *which)
{
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "%s %s: %s", what, which, strerror(errno));
    qr_board_log(QR_LOG_WARNING, line);
}

/* Ctrl-C at the console and Ctrl-Alt-Del become SIGINT. */
static void take_console(void)
{
    setsid();
    if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) {
        warn("cannot be stopped from", "the console");
    }
    reboot(RB_DISABLE_CAD);
}

/* Drivers are /modules/0.ko, 1.ko, ... in the order in which they need each other. Returns false
 * when there is no such one. */
static bool load_module(int i)
{
    char name[sizeof "/modules/2147483647.ko"];

    snprintf(name, sizeof name, "/modules/%d.ko", i);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (syscall(SYS_finit_module, fd, "", 0) != 0) {
        warn("cannot load", name);
    }
    close(fd);
    return true;
}

void qr_machine_command(int argc, char **argv)
{
    (void)argc, (void)argv;
}

void qr_machine_start(void)
{
    take_console();
    for (int i = 0; load_module(i); i++) {
    }
}

static void bring_up(const char *name)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags |= IFF_UP;
    if (!done || ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
        warn("cannot bring up", name);
    }
    close(fd);
}

void qr_machine_interface(const char *name)
{
    uint64_t deadline_ms = qr_board_uptime_ms() + CARD_TIMEOUT_MS;

    while (if_nametoindex(name) == 0 && qr_board_uptime_ms() < deadline_ms &&
           !qr_board_stopping()) {
        qr_board_wait(CARD_LOOK_MS);
    }
    if (if_nametoindex(name) != 0) {
        bring_up(name);
    }
}

/* Never ends the process, which would be a panic. */
_Noreturn static void end(int how)
{
    tcdrain(STDOUT_FILENO);
    reboot(how);
    for (;;) {
        pause();
    }
}

_Noreturn void qr_machine_exit(int status)
{
    (void)status; /* there is nobody to tell */
    end(RB_POWER_OFF);
}

_Noreturn void qr_machine_restart(void)
{
    end(RB_AUTOBOOT);
}

/*
 * lwIP without its sockets, on a TAP device: a callback of lwIP's for all that comes.
 *
 *     raw_server httpd TAP ADDR   lwIP's own HTTP server, from its source; it stays connected where
 *                                 the request has the field Connection: keep-alive
 *     raw_server least TAP ADDR   parses as little as epoll_server.c does
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "lwip/apps/fs.h"
#include "lwip/apps/httpd.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#define FRAME_MAX   1514
#define REQUEST_MAX 4096

static const char reply[] =
    "HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 17:25:54 GMT\r\nContent-Type: application/json\r\n"
    "Content-Length: 65\r\n\r\n"
    "{\"actionCode\":0,\"errCode\":0,\"errMsg\":\"\",\"errDlt\":\"\",\"nextCode\":0}";

static int tap;
static struct netif netif;
static u8_t frame[ETH_PAD_SIZE + FRAME_MAX];

/* ---- what lwIP asks of a platform ---- */

void qr_port_assert_failed(const char *what)
{
    fprintf(stderr, "raw_server: %s\n", what);
    abort();
}

uint32_t qr_port_random(void)
{
    uint32_t value;
    return getrandom(&value, sizeof value, 0) == sizeof value ? value : 0;
}

u32_t sys_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u32_t)now.tv_sec * 1000u + (u32_t)(now.tv_nsec / 1000000);
}

/* ---- frames, as port/netif_board.c and boards/linux/nic_tap.c have them ---- */

static err_t frame_out(struct netif *from, struct pbuf *p)
{
    const u8_t *bytes = p->payload;

    (void)from;
    if (p->next != NULL) {
        (void)pbuf_copy_partial(p, frame, p->tot_len, 0);
        bytes = frame;
    }
    size_t len = (size_t)p->tot_len - ETH_PAD_SIZE;
    return write(tap, bytes + ETH_PAD_SIZE, len) == (ssize_t)len ? ERR_OK : ERR_IF;
}

static bool frame_in(void)
{
    ssize_t n = read(tap, frame + ETH_PAD_SIZE, FRAME_MAX);
    if (n <= 0) {
        return false;
    }
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(ETH_PAD_SIZE + n), PBUF_POOL);
    if (p != NULL) {
        (void)pbuf_take(p, frame, p->tot_len);
        if (netif.input(p, &netif) != ERR_OK) {
            (void)pbuf_free(p);
        }
    }
    return true;
}

static err_t netif_begin(struct netif *begun)
{
    static const u8_t mac[6] = {0x02, 0x71, 0x72, 0x00, 0x00, 0x01};

    begun->mtu = 1500;
    begun->hwaddr_len = sizeof mac;
    memcpy(begun->hwaddr, mac, sizeof mac);
    begun->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    begun->output = etharp_output;
    begun->linkoutput = frame_out;
    return ERR_OK;
}

static void network_begin(const char *device, const char *address)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    ip4_addr_t addr, mask, none = {0};

    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) != 0) {
        perror(device);
        exit(1);
    }
    lwip_init();
    if (ip4addr_aton(address, &addr) == 0) {
        fprintf(stderr, "raw_server: %s: no address\n", address);
        exit(1);
    }
    IP4_ADDR(&mask, 255, 255, 255, 0);
    netif_add(&netif, &addr, &mask, &none, NULL, netif_begin, ethernet_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    netif_set_link_up(&netif);
}

/* ---- what lwIP's HTTP server asks of an application ---- */

err_t httpd_post_begin(void *connection, const char *uri, const char *request, u16_t request_len,
                       int content_len, char *response_uri, u16_t response_uri_len,
                       u8_t *post_auto_wnd)
{
    (void)connection, (void)uri, (void)request, (void)request_len, (void)content_len;
    (void)response_uri, (void)response_uri_len, (void)post_auto_wnd;
    return ERR_OK;
}

err_t httpd_post_receive_data(void *connection, struct pbuf *p)
{
    (void)connection;
    (void)pbuf_free(p);
    return ERR_OK;
}

void httpd_post_finished(void *connection, char *response_uri, u16_t response_uri_len)
{
    (void)connection;
    snprintf(response_uri, response_uri_len, "/reply");
}

int fs_open_custom(struct fs_file *file, const char *name)
{
    if (strcmp(name, "/reply") != 0) {
        return 0;
    }
    file->data = reply;
    file->len = file->index = (int)sizeof reply - 1;
    file->flags = FS_FILE_FLAGS_HEADER_INCLUDED | FS_FILE_FLAGS_HEADER_PERSISTENT;
    return 1;
}

void fs_close_custom(struct fs_file *file)
{
    (void)file;
}

/* ---- the least ---- */

static bool whole(struct pbuf *p)
{
    static const char field[] = "\r\nContent-Length: ";
    static char request[REQUEST_MAX + 1];
    u16_t len = pbuf_copy_partial(p, request, REQUEST_MAX, 0);

    request[len] = '\0';
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strstr(request, field);
    size_t content = length == NULL ? 0 : strtoul(length + sizeof field - 1, NULL, 10);
    return end != NULL && (size_t)(end + 4 - request) + content <= len;
}

/* A request in pieces does not come here: whoever measures sends it in one. */
static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg, (void)err;
    if (p == NULL) {
        return tcp_close(pcb);
    }
    tcp_recved(pcb, p->tot_len);
    bool asked = whole(p);
    (void)pbuf_free(p);
    return asked ? tcp_write(pcb, reply, sizeof reply - 1, 0) : ERR_OK;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, received);
    return ERR_OK;
}

static void least_begin(void)
{
    struct tcp_pcb *pcb = tcp_new();

    if (pcb == NULL || tcp_bind(pcb, IP_ANY_TYPE, 80) != ERR_OK) {
        qr_port_assert_failed("cannot listen");
    }
    tcp_accept(tcp_listen(pcb), accepted);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "raw_server: takes httpd or least, TAP and ADDR\n");
        return 1;
    }
    network_begin(argv[2], argv[3]);
    if (strcmp(argv[1], "httpd") == 0) {
        httpd_init();
    } else {
        least_begin();
    }
    printf("serving\n");
    fflush(stdout);
    for (;;) {
        struct pollfd ready = {.fd = tap, .events = POLLIN};
        while (frame_in()) {
        }
        sys_check_timeouts();
        (void)poll(&ready, 1, (int)sys_timeouts_sleeptime());
    }
}

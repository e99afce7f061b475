#include "fake_net.h"

#include <stdlib.h>
#include <string.h>

#define LISTENER 3
#define FIRST    1000 /* a client's socket: FIRST and its number */
#define IN_MAX   32768u
#define OUT_MAX  131072u

struct client {
    bool accepted;      /* the server has a socket for it */
    bool freed;         /* the server had one */
    bool fin;           /* the client's FIN */
    bool finished;      /* the server's FIN */
    bool gone;          /* reset, or dead for another reason */
    bool told;          /* … and the server knows */
    bool reset;         /* what the client sees in the end */
    bool reads, writes; /* what it is watched for … */
    uint16_t tag;       /* … under which tag */
    unsigned sends;
    size_t room;
    size_t in_off, in_len, out_len;
    char in[IN_MAX];
    char out[OUT_MAX];
};

static struct client clients[FAKE_CLIENTS];

static struct {
    int n_clients;
    bool listening;
    uint16_t port;
    unsigned calls[FAKE_N_CALLS];
    const char *misuse;
    uint32_t timeout_ms;
    unsigned ready;
    bool listener_watched; /* now … */
    bool listener_waited;  /* … and by the last wait */
    uint16_t listener_tag;
    bool behind;
    /* the plan */
    enum fake_call fail_call;
    unsigned fail_at; /* calls[fail_call] of the next failure; 0: none */
    unsigned fail_period;
    int fail_result;
    bool has_failed;
} net;

static void misuse(const char *what)
{
    if (net.misuse[0] == '\0') {
        net.misuse = what;
    }
}

static struct client *client_at(int client)
{
    if (client < 0 || client >= net.n_clients) {
        abort(); /* the test's mistake */
    }
    return &clients[client];
}

/* ---- the clients ---- */

int fake_connect(void)
{
    struct client *client = &clients[net.n_clients];

    if (net.n_clients == FAKE_CLIENTS) {
        abort();
    }
    memset(client, 0, offsetof(struct client, in));
    client->room = SIZE_MAX;
    client->gone = client->reset = !net.listening;
    return net.n_clients++;
}

bool fake_send(int client, const char *bytes, size_t len)
{
    struct client *c = client_at(client);

    if (c->gone || c->freed) {
        return false;
    }
    if (c->fin || len > IN_MAX - c->in_len) {
        abort();
    }
    memcpy(c->in + c->in_len, bytes, len);
    c->in_len += len;
    return true;
}

void fake_fin(int client)
{
    client_at(client)->fin = true;
}

void fake_reset(int client)
{
    struct client *c = client_at(client);

    c->gone = c->reset = true;
}

const char *fake_received(int client, size_t *len)
{
    *len = client_at(client)->out_len;
    return client_at(client)->out;
}

enum fake_state fake_state(int client)
{
    const struct client *c = client_at(client);

    if (c->reset) {
        return FAKE_RESET;
    }
    if (c->freed) {
        return FAKE_CLOSED;
    }
    if (c->finished) {
        return FAKE_FIN;
    }
    return c->accepted ? FAKE_OPEN : FAKE_WAITING;
}

void fake_set_room(int client, size_t bytes)
{
    client_at(client)->room = bytes;
}

size_t fake_unread(int client)
{
    return client_at(client)->in_len - client_at(client)->in_off;
}

/* ---- what shall fail ---- */

void fake_fail(enum fake_call call, unsigned nth, unsigned period, int result)
{
    net.fail_call = call;
    net.fail_at = nth == 0 ? 0 : net.calls[call] + nth;
    net.fail_period = period;
    net.fail_result = result;
    net.has_failed = false;
}

bool fake_has_failed(void)
{
    return net.has_failed;
}

/* Counts a call. Returns the result that it is to give, or 0. */
static int planned(const void *ctx, enum fake_call call)
{
    if (ctx != &net) {
        misuse("a call without its ctx");
    }
    net.calls[call]++;
    if (net.fail_call != call || net.fail_at != net.calls[call]) {
        return 0;
    }
    net.fail_at = net.fail_period == 0 ? 0 : net.fail_at + net.fail_period;
    net.has_failed = true;
    return net.fail_result;
}

/* The same of a socket's call: what the result does to the connection. */
static int planned_on(const void *ctx, enum fake_call call, struct client *c)
{
    int result = planned(ctx, call);

    if (result == QR_NET_RESET || result == QR_NET_FAILED ||
        (result == QR_NET_CLOSED && call != FAKE_RECV)) {
        c->gone = c->told = c->reset = true;
    } else if (result == QR_NET_CLOSED) {
        c->in_off = c->in_len;
        c->fin = true;
    }
    return result;
}

/* ---- net.h ---- */

static int fake_net_listen(void *ctx, uint16_t port, uint16_t tag)
{
    int result = planned(ctx, FAKE_LISTEN);

    if (result < 0) {
        return result;
    }
    if (net.listening) {
        misuse("listen twice");
    }
    net.listening = net.listener_watched = true;
    net.port = port;
    net.listener_tag = tag;
    return LISTENER;
}

static struct client *first_waiting(void)
{
    for (int i = 0; i < net.n_clients; i++) {
        if (!clients[i].accepted && !clients[i].freed && !clients[i].reset) {
            return &clients[i];
        }
    }
    return NULL;
}

static int fake_net_accept(void *ctx, int listener, uint16_t tag)
{
    struct client *c = first_waiting();
    int result = planned(ctx, FAKE_ACCEPT);

    if (listener != LISTENER || !net.listening) {
        misuse("accept without a listener");
        return QR_NET_FAILED;
    }
    if (result < 0) {
        return result;
    }
    if (c == NULL) {
        return QR_NET_AGAIN;
    }
    c->accepted = c->reads = true;
    c->writes = false;
    c->tag = tag;
    return FIRST + (int)(c - clients);
}

/* The connection of an open socket, or NULL with misuse told. */
static struct client *open_socket(int socket)
{
    struct client *c;

    if (socket < FIRST || socket >= FIRST + net.n_clients) {
        misuse("a number that was never a socket");
        return NULL;
    }
    c = &clients[socket - FIRST];
    if (!c->accepted) {
        misuse(c->freed ? "a socket used after it was closed" : "a socket used before accept");
        return NULL;
    }
    return c;
}

/* The same, for a call that moves bytes. */
static struct client *live_socket(int socket)
{
    struct client *c = open_socket(socket);

    if (c != NULL && c->told) {
        misuse("a socket used after it was said to be gone");
    }
    return c;
}

static int fake_net_recv(void *ctx, int socket, void *bytes, size_t len)
{
    struct client *c = live_socket(socket);
    int result;

    if (c == NULL || len == 0) {
        misuse("recv of no bytes");
        return QR_NET_FAILED;
    }
    result = planned_on(ctx, FAKE_RECV, c);
    if (result < 0) {
        return result;
    }
    if (c->gone) {
        c->told = true;
        return QR_NET_RESET;
    }
    if (c->in_off == c->in_len) {
        return c->fin ? QR_NET_CLOSED : QR_NET_AGAIN;
    }
    len = result == FAKE_SHORT ? 1 : len;
    len = len < c->in_len - c->in_off ? len : c->in_len - c->in_off;
    memcpy(bytes, c->in + c->in_off, len);
    c->in_off += len;
    return (int)len;
}

static int fake_net_peek(void *ctx, int socket, void *bytes, size_t len)
{
    const struct client *c = live_socket(socket);

    if (ctx != &net || c == NULL || len == 0) {
        misuse("peek at no bytes");
        return QR_NET_FAILED;
    }
    if (c->gone) {
        return QR_NET_RESET;
    }
    if (c->in_off == c->in_len) {
        return c->fin ? QR_NET_CLOSED : QR_NET_AGAIN;
    }
    len = len < c->in_len - c->in_off ? len : c->in_len - c->in_off;
    memcpy(bytes, c->in + c->in_off, len);
    return (int)len;
}

static int fake_net_send(void *ctx, int socket, const void *bytes, size_t len)
{
    struct client *c = live_socket(socket);
    int result;

    if (c == NULL || len == 0) {
        misuse("send of no bytes");
        return QR_NET_FAILED;
    }
    if (c->finished) {
        misuse("send after finish");
    }
    c->sends++;
    result = planned_on(ctx, FAKE_SEND, c);
    if (result < 0) {
        return result;
    }
    if (c->gone) {
        c->told = true;
        return QR_NET_RESET;
    }
    len = result == FAKE_SHORT ? 1 : len;
    len = len < c->room ? len : c->room;
    if (len == 0) {
        return QR_NET_AGAIN;
    }
    if (len > OUT_MAX - c->out_len) {
        abort();
    }
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
    c->room -= c->room == SIZE_MAX ? 0 : len;
    return (int)len;
}

static int fake_net_finish(void *ctx, int socket)
{
    struct client *c = live_socket(socket);
    int result;

    if (c == NULL) {
        return QR_NET_FAILED;
    }
    if (c->finished) {
        misuse("finish twice");
    }
    result = planned_on(ctx, FAKE_FINISH, c);
    if (result < 0) {
        return result;
    }
    if (c->gone) {
        c->told = true;
        return QR_NET_RESET;
    }
    c->finished = true;
    return 0;
}

static void free_socket(const void *ctx, int socket, bool rudely)
{
    struct client *c;

    if (ctx != &net) {
        misuse("a call without its ctx");
    }
    if (socket == LISTENER && net.listening) {
        net.listening = net.listener_watched = false;
        for (c = first_waiting(); c != NULL; c = first_waiting()) {
            c->gone = c->reset = true;
        }
        return;
    }
    c = open_socket(socket);
    if (c == NULL) {
        return;
    }
    c->accepted = false;
    c->freed = true;
    c->reset = c->reset || rudely || c->in_off != c->in_len;
}

static void fake_net_close(void *ctx, int socket)
{
    free_socket(ctx, socket, false);
}

static void fake_net_abort(void *ctx, int socket)
{
    free_socket(ctx, socket, true);
}

static void fake_net_watch(void *ctx, int socket, uint16_t tag, bool read, bool write)
{
    struct client *c;

    (void)planned(ctx, FAKE_WATCH);
    if (socket == LISTENER && net.listening) {
        net.listener_watched = read;
        net.listener_tag = tag;
        return;
    }
    c = live_socket(socket);
    if (c == NULL) {
        return;
    }
    if (c->reads == read && c->writes == write && c->tag == tag) {
        misuse("watch of what is watched");
    }
    c->reads = read;
    c->writes = write;
    c->tag = tag;
}

static bool is_ready(const struct client *c)
{
    return c->gone || (c->reads && (c->in_off != c->in_len || c->fin)) ||
           (c->writes && c->room != 0);
}

/* Writes the tags of those that are ready. */
static unsigned look(uint16_t *tags, size_t cap)
{
    bool seen[FAKE_CLIENTS] = {false};
    unsigned n = 0;

    for (int i = 0; i < net.n_clients; i++) {
        const struct client *c = &clients[i];
        if (!c->accepted) {
            continue;
        }
        if (c->told) {
            misuse("a wait for a socket that was said to be gone");
        }
        if (c->tag >= FAKE_CLIENTS || seen[c->tag] || c->tag == net.listener_tag) {
            misuse("two sockets with one tag, or a tag that was never given");
            continue;
        }
        seen[c->tag] = true;
        if (is_ready(c) && n < cap) {
            tags[n++] = c->tag;
        }
    }
    if (net.listener_watched && first_waiting() != NULL && n < cap) {
        tags[n++] = net.listener_tag;
    }
    return n;
}

static int fake_net_wait(void *ctx, uint16_t *tags, size_t cap, uint32_t timeout_ms)
{
    int result = planned(ctx, FAKE_WAIT);

    if (cap == 0) {
        misuse("wait without room");
    }
    net.timeout_ms = timeout_ms;
    net.listener_waited = net.listener_watched;
    net.ready = result == 0 ? look(tags, cap) : 1;
    return result < 0 ? result : result == 0 ? (int)net.ready : 0;
}

static bool fake_net_caught_up(void *ctx)
{
    (void)ctx;
    return !net.behind;
}

void fake_set_behind(bool behind)
{
    net.behind = behind;
}

const struct qr_net *fake_start(void)
{
    static const struct qr_net functions = {
        .ctx = &net,
        .listen = fake_net_listen,
        .accept = fake_net_accept,
        .recv = fake_net_recv,
        .peek = fake_net_peek,
        .send = fake_net_send,
        .finish = fake_net_finish,
        .close = fake_net_close,
        .abort = fake_net_abort,
        .watch = fake_net_watch,
        .wait = fake_net_wait,
        .caught_up = fake_net_caught_up,
    };

    memset(&net, 0, sizeof net);
    net.misuse = "";
    return &functions;
}

/* ---- what the server did ---- */

unsigned fake_calls(enum fake_call call)
{
    return net.calls[call];
}

unsigned fake_sends_to(int client)
{
    return client_at(client)->sends;
}

unsigned fake_open(void)
{
    unsigned n = 0;

    for (int i = 0; i < net.n_clients; i++) {
        n += clients[i].accepted;
    }
    return n;
}

bool fake_listening(void)
{
    return net.listening;
}

uint16_t fake_port(void)
{
    return net.port;
}

uint32_t fake_timeout_ms(void)
{
    return net.timeout_ms;
}

unsigned fake_ready(void)
{
    return net.ready;
}

bool fake_listener_watched(void)
{
    return net.listener_waited;
}

const char *fake_misuse(void)
{
    return net.misuse;
}

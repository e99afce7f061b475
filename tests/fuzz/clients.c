#include "clients.h"

#include <stdio.h>
#include <string.h>

#include "input.h"
#include "replies.h"
#include "tests/unit/fake_net.h"

#define CLIENTS  16
#define SENT_MAX 4096
#define GOT_MAX  100000 /* less than fake_net.h has room for */

static struct {
    bool fin;
    size_t len;
    char bytes[SENT_MAX];
} sent[CLIENTS];
static int n_clients;
static unsigned n_quits;

void clients_begin(void)
{
    n_clients = 0;
    n_quits = 0;
    replies_begin();
}

int clients_n(void)
{
    return n_clients;
}

void clients_send(int client, const void *bytes, size_t len)
{
    if (!sent[client].fin && len <= SENT_MAX - sent[client].len && fake_send(client, bytes, len)) {
        memcpy(sent[client].bytes + sent[client].len, bytes, len);
        sent[client].len += len;
    }
}

void clients_send_quit(int client, uint8_t cut)
{
    char content[80], request[300];
    int len = snprintf(content, sizeof content, "{\"groupID\":\"G%u\",\"userID\":\"u\\u00e4%u\"}",
                       n_quits % 3, n_quits);

    n_quits++;
    len = snprintf(request, sizeof request,
                   "POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\nOperationid: %u\r\n"
                   "%sContent-Length: %d\r\n\r\n%s",
                   n_quits, cut % 8 == 1 ? "Expect: 100-continue\r\n" : "", len, content);
    clients_send(client, request, cut < 128 ? (size_t)len : (size_t)len * cut / 256);
}

void clients_send_other(int client, uint8_t which)
{
    static const char *const requests[] = {
        "GET /status HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /status?since=0 HTTP/1.0\r\n\r\n",
        "HEAD /status?limit=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "POST /callbackBeforeSendSingleMsgCommand HTTP/1.1\r\nHost: a\r\nContent-Length: "
        "2\r\n\r\n{}",
        "POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\n"
        "Transfer-Encoding: chunked\r\n\r\n1b\r\n{\"groupID\":\"a\",\"userID\":\"\r\n3\r\nb\"}\r\n"
        "0\r\n\r\n",
        "GET /status?since=x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    };
    const char *request = requests[which % (sizeof requests / sizeof *requests)];

    clients_send(client, request, strlen(request));
}

void clients_send_poll(int client, uint8_t which)
{
#define HOST " HTTP/1.1\r\nHost: a\r\n"
    static const char *const requests[] = {
        "GET /status?wait=1" HOST "\r\n",
        "GET /status?wait=60&since=0" HOST "\r\n",
        "GET /status?wait=20&groupID=G%31&userID=nobody" HOST "\r\n",
        "HEAD /status?wait=9&since=1" HOST "\r\n",
        "GET /status?wait=5 HTTP/1.0\r\n\r\n",
        "GET /status?groupID=G2&limit=1" HOST "If-None-Match: W/\"0-2\"\r\n\r\n",
        "GET /status?wait=3" HOST "If-None-Match: *\r\n\r\n",
        "GET /events" HOST "\r\n",
        "GET /events?since=0&groupID=G1" HOST "\r\n",
        "GET /events" HOST "Last-Event-ID: 1\r\n\r\n",
        "GET /events?since=99 HTTP/1.0\r\n\r\n",
        "HEAD /events" HOST "\r\n",
        "GET /metrics" HOST "\r\n",
        "GET /rates" HOST "\r\n",
        "GET /" HOST "Accept-Encoding: gzip, br\r\n\r\n",
        "GET /table?since=0&userID=u%C3%A43" HOST "\r\n",
    };
#undef HOST
    const char *request = requests[which % (sizeof requests / sizeof *requests)];

    clients_send(client, request, strlen(request));
}

void clients_set_room(int client, size_t room)
{
    size_t len;

    (void)fake_received(client, &len);
    fake_set_room(client, room < GOT_MAX - len ? room : GOT_MAX - len);
}

void clients_connect(void)
{
    if (n_clients < CLIENTS) {
        sent[n_clients].len = 0;
        sent[n_clients].fin = false;
        clients_set_room(fake_connect(), GOT_MAX);
        n_clients++;
    }
}

void clients_fin(int client)
{
    sent[client].fin = true;
    fake_fin(client);
}

bool clients_gone(int client)
{
    return fake_state(client) == FAKE_CLOSED || fake_state(client) == FAKE_RESET;
}

void clients_check(const struct qr_ring *ring)
{
    for (int i = 0; i < n_clients; i++) {
        size_t len;
        const char *got = fake_received(i, &len);
        FUZZ_HOLDS(clients_gone(i));
        replies_check(sent[i].bytes, sent[i].len, got, len, fake_state(i) == FAKE_CLOSED);
    }
    replies_check_ring(ring);
}

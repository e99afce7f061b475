/*
 * The real server on lwIP on the fake board, for the tests of the port. lwIP starts once a program
 * (rig_start, a group's setup); each test has a server of its own (rig_open and rig_close, a test's
 * setup and teardown), and lwIP's memory must be back when it ends.
 */
#ifndef QR_PORT_RIG_H
#define QR_PORT_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/port.h"
#include "port_wire.h"
#include "src/api.h"
#include "src/server.h"

/* Longer than any state of a connection lasts whose peer answers: TIME_WAIT, 2 minutes, and a bit.
 */
#define RIG_REST_MS 2700000

/* A callback as OpenIM sends it, and all of its reply. */
#define RIG_REQUEST "POST /callbackAfterQuitGroupCommand?contenttype=json HTTP/1.1\r\n"
#define RIG_HEAD                                                                                   \
    "Host: 192.168.1.50\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 38\r\n"               \
    "Content-Type: application/json; charset=utf-8\r\nOperationid: op-1\r\n"                       \
    "Accept-Encoding: gzip\r\n\r\n"
#define RIG_CALLBACK RIG_REQUEST RIG_HEAD "{\"groupID\":\"G001\",\"userID\":\"user123\"}\n"
#define RIG_REPLY                                                                                  \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 65\r\n\r\n"              \
    "{\"actionCode\":0,\"errCode\":0,\"errMsg\":\"\",\"errDlt\":\"\",\"nextCode\":0}"

/* Asks for all that the ring has. */
#define RIG_STATUS "GET /status?limit=65535 HTTP/1.1\r\nHost: 192.168.1.50\r\n\r\n"

/* A request with a short reply. */
#define RIG_HEALTH "GET /healthz HTTP/1.1\r\nHost: 192.168.1.50\r\n\r\n"
#define RIG_HEALTH_REPLY                                                                           \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"          \
    "Cache-Control: no-cache\r\n\r\nok\n"

struct rig {
    const struct qr_net *net;
    struct qr_server server;
    struct qr_handler handler;
    struct qr_api api;
    struct qr_stats stats;
    struct qr_ring ring;
    uint8_t ring_bytes[QR_RING_MAX];
    uint32_t ring_marks[QR_RING_MARKS(QR_RING_MAX)];
};
extern struct rig rig;

int rig_start(void **state);

/* The same with another network; and what lwIP uses now is what it uses at rest. */
void rig_start_with(const struct qr_net_config *config);
void rig_at_rest(void);

int rig_open(void **state);
int rig_close(void **state);

/* One turn of the loop, which waits for max_ms at most; then the wire is read. */
void rig_turn(uint32_t max_ms);

/* Turns until there is nothing left to do; no time passes. */
void rig_settle(void);

/* The loop runs for so long. */
void rig_run(uint32_t ms);

/* The host at addr and we know each other: it asks for our address. */
void rig_meet(uint32_t addr);

/* A new peer's handshake; it must succeed. The second one is for a peer that is open already. */
void rig_connect(struct peer *peer);
void rig_handshake(struct peer *peer);

/* The peer says so, and gets exactly that. */
void rig_exchange(struct peer *peer, const char *request, const char *reply);

/* The peer sends a callback and gets its reply; checks that it was stored. */
void rig_callback_served(struct peer *peer);

/* The peer closes, and answers our FIN. */
void rig_leave(struct peer *peer);

/* Fills the ring with n events of IDs with id_len bytes. */
void rig_fill_ring(unsigned n, uint8_t id_len);

/* The content of a reply in chunks: writes it over the reply itself, behind which a NUL stands.
 * Fails unless it is whole. */
char *rig_unchunk(struct peer *peer);

/* Whether lwIP uses no more of its memory than without any connection; rig_check_memory() lets
 * lwIP's timers run out (half a second), then fails and says which pool it is where it does. */
bool rig_memory_is_back(void);
void rig_check_memory(void);

#endif

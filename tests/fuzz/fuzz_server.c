/*
 * Whole connections: the real server on tests/unit/fake_net.h. The input says what clients do,
 * which calls fail, and how time passes. No more connections wait for quits than may, and in the
 * end every connection must be over, every reply be HTTP, and every quit that a client was told of
 * be stored, once.
 */
#include <string.h>

#include "api.h"
#include "clients.h"
#include "input.h"
#include "server.h"
#include "tests/unit/fake_net.h"

/* Longer than all deadlines of a connection in a row; and then than all long polls that clients may
 * have sent, one behind the other. */
#define END_TURNS  6000
#define TURN_MS(i) ((i) < 300 ? 1000 : 20000)

static struct qr_server server;
static struct qr_stats stats;
static struct qr_ring ring;
static uint8_t ring_bytes[1 << 17];
static uint32_t ring_marks[QR_RING_MARKS(1u << 17)];
static struct qr_api api;
static struct qr_handler handler;
static struct qr_now now;

static void start(void)
{
    memset(&stats, 0, sizeof stats);
    now = (struct qr_now){.uptime_ms = 1000};
    clients_begin();
    qr_ring_init(&ring, ring_bytes, sizeof ring_bytes, ring_marks);
    api = (struct qr_api){.ring = &ring, .stats = &stats};
    api.status = (struct qr_status_source){
        .ring = &ring, .stats = &stats, .version = "1", .board = "fuzz", .boot_id = "0"};
    qr_api_handler(&api, &handler);
    FUZZ_HOLDS(qr_server_open(&server, fake_start(), &handler, &stats, 80) == 0);
}

static void turn(uint32_t ms)
{
    unsigned open = 0, waiting = 0, desks = 0, wanting = 0;

    now.uptime_ms += ms;
    qr_server_wait(&server, &now, UINT32_MAX);
    qr_server_serve(&server, &now);
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        open += server.slots.all[i].socket >= 0;
        waiting += server.slots.all[i].socket >= 0 && qr_conn_waits(&server.slots.all[i].conn);
        desks += server.slots.all[i].socket >= 0 && server.slots.all[i].conn.desk != NULL;
        wanting += server.slots.all[i].socket >= 0 && server.slots.all[i].wants_desk_ms != 0;
    }
    FUZZ_HOLDS(fake_misuse()[0] == '\0');
    FUZZ_HOLDS(open == fake_open() && open == stats.connectionsOpen);
    FUZZ_HOLDS(waiting == stats.connectionsWaiting && waiting <= QR_WAITERS_MAX);
    FUZZ_HOLDS(desks + server.slots.desks.n_free == QR_DESKS_MAX &&
               wanting == server.slots.n_wanting);
    FUZZ_HOLDS(open <= stats.connectionsOpenMost && stats.connectionsOpenMost <= QR_CONNS_MAX);
    FUZZ_HOLDS(stats.connectionsOpenMost <= stats.connectionsAccepted);
    FUZZ_HOLDS(stats.callbacks == stats.stored + stats.refused + stats.ignored);
    FUZZ_HOLDS(stats.stored == ring.last_seq);
    FUZZ_HOLDS(stats.callbacks + stats.polls <= stats.requests);
}

static void plan_failure(struct fuzz_input *input)
{
    static const struct {
        enum fake_call call;
        int result;
    } plans[] = {
        {FAKE_ACCEPT, QR_NET_AGAIN},     {FAKE_ACCEPT, QR_NET_NO_MEMORY},
        {FAKE_ACCEPT, QR_NET_FAILED},    {FAKE_RECV, QR_NET_AGAIN},
        {FAKE_RECV, QR_NET_RESET},       {FAKE_RECV, QR_NET_NO_MEMORY},
        {FAKE_RECV, FAKE_SHORT},         {FAKE_SEND, QR_NET_AGAIN},
        {FAKE_SEND, QR_NET_RESET},       {FAKE_SEND, QR_NET_NO_MEMORY},
        {FAKE_SEND, FAKE_SHORT},         {FAKE_FINISH, QR_NET_RESET},
        {FAKE_FINISH, QR_NET_NO_MEMORY}, {FAKE_WAIT, QR_NET_NO_MEMORY},
        {FAKE_WAIT, QR_NET_FAILED},      {FAKE_WAIT, FAKE_SHORT},
    };
    size_t i = fuzz_byte(input) % (sizeof plans / sizeof *plans);
    uint8_t when = fuzz_byte(input);

    fake_fail(plans[i].call, 1 + when % 16, when / 16, plans[i].result);
}

static void act(struct fuzz_input *input)
{
    uint8_t what = fuzz_byte(input);
    int n = clients_n(), client = n == 0 ? 0 : fuzz_byte(input) % n;
    const uint8_t *bytes;
    size_t len;

    if (n == 0 || what % 16 == 0) {
        clients_connect();
        return;
    }
    switch (what % 16) {
    case 1:
    case 2: clients_send_quit(client, fuzz_byte(input)); break;
    case 3:
    case 4: clients_send_other(client, fuzz_byte(input)); break;
    case 5:
        len = fuzz_bytes(input, 255, &bytes);
        clients_send(client, bytes, len);
        break;
    case 6: clients_fin(client); break;
    case 7: fake_reset(client); break;
    case 8: clients_set_room(client, fuzz_number(input, 2000)); break;
    case 9: plan_failure(input); break;
    case 10: turn(fuzz_number(input, 70000)); break;
    case 11: turn(fuzz_byte(input)); break;
    case 13: clients_send_poll(client, fuzz_byte(input)); break;
    case 14: qr_server_stop(&server); break;
    default: turn(0); break;
    }
}

/* ---- the end ---- */

/* Who may stay for ever: idle callers, and readers of an event stream that have taken all. */
static bool may_stay(const struct qr_slot *slot)
{
    const struct qr_conn *conn = &slot->conn;
    const char *bytes;

    return (qr_conn_idle(conn) && conn->use == QR_CONN_CALLER && slot->wants_desk_ms == 0) ||
           (qr_conn_waits(conn) && conn->desk->stream && qr_conn_tx_pending(conn, &bytes) == 0);
}

static bool all_may_stay(void)
{
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        if (server.slots.all[i].socket >= 0 && !may_stay(&server.slots.all[i])) {
            return false;
        }
    }
    return true;
}

static void turns(void)
{
    unsigned quiet = 0; /* turns in which there was nothing to do */

    for (unsigned i = 0; i < END_TURNS && quiet < 3; i++) {
        turn(TURN_MS(i));
        quiet = fake_ready() == 0 && all_may_stay() ? quiet + 1 : 0;
    }
    FUZZ_HOLDS(all_may_stay());
    turn(0);
    turn(0);
    FUZZ_HOLDS(fake_timeout_ms() != 0); /* with nothing to do, it sleeps */
}

/* Who is silent, or takes nothing, is closed, but for those who may stay; who goes is let go; a
 * server that stops ends all. */
static void finish(void)
{
    fake_fail(FAKE_LISTEN, 0, 0, 0);
    turns();
    for (int i = 0; i < clients_n(); i += 2) {
        clients_fin(i);
    }
    turns();
    for (int i = 0; i < clients_n(); i += 2) {
        FUZZ_HOLDS(clients_gone(i));
    }
    qr_server_stop(&server);
    turns();
    FUZZ_HOLDS(fake_open() == 0 && stats.connectionsWaiting == 0);
    clients_check(&ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct fuzz_input input = {bytes, len};

    start();
    while (input.left != 0) {
        act(&input);
    }
    finish();
    qr_server_close(&server);
    FUZZ_HOLDS(fake_misuse()[0] == '\0' && qr_server_stopped(&server) && !fake_listening());
    return 0;
}

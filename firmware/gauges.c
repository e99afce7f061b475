#include "gauges.h"

#include "port/port.h"

static const struct qr_server *server;

static const char *const states[] = {[QR_CONN_READING] = "reading",
                                     [QR_CONN_WAITING] = "waiting",
                                     [QR_CONN_REPLYING] = "replying",
                                     [QR_CONN_CLOSING] = "closing"};
#define N_STATES ((unsigned)(sizeof states / sizeof *states))

/* What there is to tell of a pool. */
static const struct {
    const char *name, *help;
    size_t offset;
} facts[] = {
    {"network_pool_used", "Of lwIP's memory, by pool, in elements.",
     offsetof(struct qr_net_pool, used)},
    {"network_pool_used_max", "The most that was used.", offsetof(struct qr_net_pool, most)},
    {"network_pool_size", "All that there is.", offsetof(struct qr_net_pool, size)},
    {"network_pool_failures_total", "Times that nothing was left.",
     offsetof(struct qr_net_pool, failed)},
};
#define N_FACTS ((unsigned)(sizeof facts / sizeof *facts))

void qr_gauges_start(const struct qr_server *the_server)
{
    server = the_server;
}

/* The i-th line: first of all pools what is used, and so on. */
static bool pool_gauge(unsigned i, struct qr_gauge *gauge)
{
    struct qr_net_pool pool;
    unsigned n = 0;
    uint32_t number;

    while (qr_net_lwip_pool(n, &pool)) {
        n++;
    }
    if (i >= n * N_FACTS) {
        return false;
    }
    (void)qr_net_lwip_pool(i % n, &pool);
    memcpy(&number, (const char *)&pool + facts[i / n].offset, sizeof number);
    *gauge = (struct qr_gauge){facts[i / n].name, facts[i / n].help, "pool", pool.name, number};
    return true;
}

bool qr_gauge(unsigned i, struct qr_gauge *gauge)
{
    if (i >= N_STATES) {
        return pool_gauge(i - N_STATES, gauge);
    }
    *gauge = (struct qr_gauge){"connections", "Connections, by state.", "state", states[i],
                               qr_server_count(server, (enum qr_conn_state)i)};
    return true;
}

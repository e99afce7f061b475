#include "port.h"

#include "lwip/memp.h"
#include "lwip/netif.h"
#include "lwip/stats.h"

/* Those that connections use. */
static const struct {
    const char *name;
    memp_t pool;
} pools[] = {
    {"connections", MEMP_TCP_PCB},
    {"sockets", MEMP_NETCONN},
    {"segments", MEMP_TCP_SEG},
    {"frames", MEMP_PBUF_POOL},
};
#define N_POOLS (sizeof pools / sizeof pools[0])

bool qr_net_lwip_pool(unsigned i, struct qr_net_pool *pool)
{
    const struct stats_mem *stats = i < N_POOLS ? lwip_stats.memp[pools[i].pool] : &lwip_stats.mem;

    if (i > N_POOLS || netif_default == NULL) {
        return false;
    }
    *pool = (struct qr_net_pool){.name = i < N_POOLS ? pools[i].name : "heap",
                                 .used = stats->used,
                                 .most = stats->max,
                                 .size = stats->avail,
                                 .failed = stats->err};
    return true;
}

#include "port_memory.h"

#include <stddef.h>
#include <stdint.h>

#include "lwip/mem.h"
#include "lwip/memp.h"
#include "lwip/pbuf.h"

static unsigned left; /* allocations until the one that fails, and it */
static bool failed;

/* Of the address sanitizer, where there is one. */
void __asan_poison_memory_region(const volatile void *at, size_t len) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *at, size_t len) __attribute__((weak));

/* The linker's names for the functions and for what stands in for them. */
void *__real_memp_malloc(memp_t pool);
void __real_memp_free(memp_t pool, void *block);
void *__real_mem_malloc(mem_size_t len);
struct pbuf *__real_pbuf_alloc(pbuf_layer layer, u16_t len, pbuf_type type);
void __real_pbuf_realloc(struct pbuf *p, u16_t len);
void *__wrap_memp_malloc(memp_t pool);
void __wrap_memp_free(memp_t pool, void *block);
void *__wrap_mem_malloc(mem_size_t len);
struct pbuf *__wrap_pbuf_alloc(pbuf_layer layer, u16_t len, pbuf_type type);
void __wrap_pbuf_realloc(struct pbuf *p, u16_t len);

/* ---- failing ---- */

void memory_fail(unsigned n)
{
    left = n;
    failed = false;
}

bool memory_failed(void)
{
    return failed;
}

static bool fails(void)
{
    if (left == 0 || --left != 0) {
        return false;
    }
    failed = true;
    return true;
}

void *__wrap_memp_malloc(memp_t pool)
{
    bool counts = pool != MEMP_SYS_TIMEOUT && pool != MEMP_UDP_PCB;

    return counts && fails() ? NULL : __real_memp_malloc(pool);
}

void *__wrap_mem_malloc(mem_size_t len)
{
    return fails() ? NULL : __real_mem_malloc(len);
}

/* ---- bytes that are not there ---- */

static bool is_received(const struct pbuf *p)
{
    return pbuf_match_allocsrc(p, PBUF_TYPE_ALLOC_SRC_MASK_STD_MEMP_PBUF_POOL);
}

static void poison_behind(struct pbuf *p)
{
    for (; p != NULL && __asan_poison_memory_region != NULL; p = p->next) {
        const uint8_t *begin = (uint8_t *)p + LWIP_MEM_ALIGN_SIZE(sizeof *p);
        const uint8_t *end = (uint8_t *)p->payload + p->len;
        if (is_received(p)) {
            size_t used = (size_t)(end - begin);
            __asan_poison_memory_region(end, LWIP_MEM_ALIGN_SIZE(PBUF_POOL_BUFSIZE) - used);
        }
    }
}

struct pbuf *__wrap_pbuf_alloc(pbuf_layer layer, u16_t len, pbuf_type type)
{
    struct pbuf *p = __real_pbuf_alloc(layer, len, type);

    poison_behind(p);
    return p;
}

void __wrap_pbuf_realloc(struct pbuf *p, u16_t len)
{
    __real_pbuf_realloc(p, len);
    poison_behind(p);
}

void __wrap_memp_free(memp_t pool, void *block)
{
    if (pool == MEMP_PBUF_POOL && block != NULL && __asan_unpoison_memory_region != NULL) {
        __asan_unpoison_memory_region(block, LWIP_MEM_ALIGN_SIZE(sizeof(struct pbuf)) +
                                                 LWIP_MEM_ALIGN_SIZE(PBUF_POOL_BUFSIZE));
    }
    __real_memp_free(pool, block);
}

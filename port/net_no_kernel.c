/* In place of net_kernel.c on a board without a kernel. */
#include "port.h"

#include <stddef.h>

const struct qr_net *qr_net_kernel_start(uint32_t addr)
{
    (void)addr;
    return NULL;
}

/*
 * lwIP's operating system, for a program that has one thread: a semaphore is a counter, a mailbox a
 * short array, and waiting for either runs the pump (port/sys_arch.c).
 */
#ifndef QR_ARCH_SYS_ARCH_H
#define QR_ARCH_SYS_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "lwipopts.h"

typedef struct {
    bool valid;
    uint8_t count;
} sys_sem_t;

typedef struct {
    void **slots; /* of port/sys_arch.c; NULL: there is no mailbox */
    uint8_t first, used, size;
} sys_mbox_t;

typedef bool sys_mutex_t; /* whether it exists: there is nobody to lock out */
typedef int sys_thread_t;

#define sys_sem_valid(sem)           ((sem)->valid)
#define sys_sem_set_invalid(sem)     ((sem)->valid = false)
#define sys_mbox_valid(mbox)         ((mbox)->slots != NULL)
#define sys_mbox_set_invalid(mbox)   ((mbox)->slots = NULL)
#define sys_mutex_valid(mutex)       (*(mutex))
#define sys_mutex_set_invalid(mutex) (*(mutex) = false)

/* One thread, one semaphore for what a socket call waits for. */
sys_sem_t *qr_port_thread_sem(void);
#define LWIP_NETCONN_THREAD_SEM_GET() qr_port_thread_sem()
#define LWIP_NETCONN_THREAD_SEM_ALLOC()
#define LWIP_NETCONN_THREAD_SEM_FREE()

/* The core lock is a depth: it keeps lwIP's assertions about who holds it true. */
void qr_port_lock_core(void);
void qr_port_unlock_core(void);
void qr_port_assert_core_locked(void);
#define LOCK_TCPIP_CORE()         qr_port_lock_core()
#define UNLOCK_TCPIP_CORE()       qr_port_unlock_core()
#define LWIP_ASSERT_CORE_LOCKED() qr_port_assert_core_locked()

#endif

/*
 * lwIP's operating system for one thread. lwIP offers sockets only with an operating system below
 * (NO_SYS 0) and then wants a thread of its own, which is recorded here and never started: this
 * thread calls the core itself, and whenever lwIP would wait, the pump does that thread's work.
 */
#include "boards/board.h"
#include "lwip/err.h"
#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include "lwip/timeouts.h"
#include "hooks.h"
#include "pump.h"

/* Frames taken in one go, so that a flood of them does not keep the server from its turn. */
#define FRAMES_A_TURN 64

static sys_sem_t thread_sem;
static unsigned core_depth;
static bool caught_up;
static uint32_t caught_up_ms;

_Noreturn void qr_port_assert_failed(const char *what)
{
    qr_board_panic(what);
}

uint32_t qr_port_random(void)
{
    uint32_t value;

    qr_board_random(&value, sizeof value);
    return value;
}

/* ---- the core lock ---- */

void qr_port_lock_core(void)
{
    core_depth++;
}

void qr_port_unlock_core(void)
{
    LWIP_ASSERT("core unlocked too often", core_depth != 0);
    core_depth--;
}

void qr_port_assert_core_locked(void)
{
    LWIP_ASSERT("core not locked", core_depth != 0);
}

/* ---- the pump ---- */

void qr_pump(uint32_t timeout_ms)
{
    uint32_t sleep_ms;
    unsigned frames;

    LWIP_ASSERT("the pump runs outside of the core", core_depth == 0);
    LOCK_TCPIP_CORE();
    sleep_ms = sys_timeouts_sleeptime();
    UNLOCK_TCPIP_CORE();
    if (qr_netif_board_waits()) {
        sleep_ms = 0;
    }
    qr_board_wait(sleep_ms < timeout_ms ? sleep_ms : timeout_ms);
    for (frames = 0; frames < FRAMES_A_TURN && qr_netif_board_input(); frames++) {
    }
    caught_up = frames < FRAMES_A_TURN && !qr_netif_board_waits();
    caught_up_ms = caught_up ? sys_now() : caught_up_ms;
    LOCK_TCPIP_CORE();
    if (sys_timeouts_sleeptime() == 0) {
        qr_hook_tcp_timers();
        sys_check_timeouts();
    }
    UNLOCK_TCPIP_CORE();
    while (tcpip_thread_poll_one()) {
    }
}

bool qr_pump_caught_up(void)
{
    return caught_up;
}

uint32_t qr_pump_caught_up_ms(void)
{
    return caught_up_ms;
}

bool qr_pump_more(uint32_t start_ms, uint32_t timeout_ms)
{
    static bool stop_told;
    uint32_t waited_ms = sys_now() - start_ms;

    if (qr_board_stopping() && !stop_told) {
        stop_told = true;
        return false;
    }
    if (timeout_ms != 0 && waited_ms >= timeout_ms) {
        return false;
    }
    qr_pump(timeout_ms == 0 ? UINT32_MAX : timeout_ms - waited_ms);
    return true;
}

/* ---- slots of mailboxes ---- */

/* A netconn has two mailboxes, of which it uses one. So slots are lent: few for a connection, and
 * for lwIP's own mailbox; and as long as the backlog for the listener, of which there is one. Those
 * that nobody has are a list: the first slot leads to the next. */
static void *few_slots[MEMP_NUM_NETCONN + 1][QR_LWIP_MBOX_SIZE];
static void **free_slots;
static void *listener_slots[QR_LWIP_BACKLOG];
static bool listener_slots_taken;

/* Returns NULL where there are none. */
static void **take_slots(int size)
{
    void **slots = NULL;

    if (size <= QR_LWIP_MBOX_SIZE && free_slots != NULL) {
        slots = free_slots;
        free_slots = slots[0];
    } else if (size > QR_LWIP_MBOX_SIZE && size <= QR_LWIP_BACKLOG && !listener_slots_taken) {
        slots = listener_slots;
        listener_slots_taken = true;
    }
    return slots;
}

static void give_slots(void **slots)
{
    if (slots == listener_slots) {
        listener_slots_taken = false;
    } else {
        slots[0] = free_slots;
        free_slots = slots;
    }
}

/* ---- time ---- */

/* lwIP's first call. */
void sys_init(void)
{
    thread_sem.valid = true;
    free_slots = NULL;
    for (size_t i = 0; i < sizeof few_slots / sizeof few_slots[0]; i++) {
        give_slots(few_slots[i]);
    }
}

u32_t sys_now(void)
{
    return (u32_t)qr_board_uptime_ms();
}

/* ---- semaphores ---- */

sys_sem_t *qr_port_thread_sem(void)
{
    return &thread_sem;
}

err_t sys_sem_new(sys_sem_t *sem, u8_t count)
{
    sem->valid = true;
    sem->count = count;
    return ERR_OK;
}

void sys_sem_free(sys_sem_t *sem)
{
    sem->valid = false;
}

void sys_sem_signal(sys_sem_t *sem)
{
    if (sem->count < UINT8_MAX) {
        sem->count++;
    }
}

u32_t sys_arch_sem_wait(sys_sem_t *sem, u32_t timeout)
{
    u32_t start_ms = sys_now();

    while (sem->count == 0) {
        if (!qr_pump_more(start_ms, timeout)) {
            return SYS_ARCH_TIMEOUT;
        }
    }
    sem->count--;
    return sys_now() - start_ms;
}

/* ---- mailboxes ---- */

err_t sys_mbox_new(sys_mbox_t *mbox, int size)
{
    *mbox = (sys_mbox_t){.slots = take_slots(size), .size = (uint8_t)size};
    return mbox->slots == NULL ? ERR_MEM : ERR_OK;
}

void sys_mbox_free(sys_mbox_t *mbox)
{
    give_slots(mbox->slots);
    mbox->slots = NULL;
}

err_t sys_mbox_trypost(sys_mbox_t *mbox, void *message)
{
    if (mbox->used == mbox->size) {
        return ERR_MEM;
    }
    mbox->slots[(mbox->first + mbox->used) % mbox->size] = message;
    mbox->used++;
    return ERR_OK;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *mbox, void *message)
{
    return sys_mbox_trypost(mbox, message);
}

/* lwIP calls this only without LWIP_TCPIP_CORE_LOCKING; nobody else could make room. */
void sys_mbox_post(sys_mbox_t *mbox, void *message)
{
    err_t result = sys_mbox_trypost(mbox, message);

    LWIP_ASSERT("mailbox full", result == ERR_OK);
    (void)result; /* read by nobody when assertions are off */
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *mbox, void **message)
{
    if (mbox->used == 0) {
        return SYS_MBOX_EMPTY;
    }
    if (message != NULL) {
        *message = mbox->slots[mbox->first];
    }
    mbox->first = (uint8_t)((mbox->first + 1u) % mbox->size);
    mbox->used--;
    return 0;
}

u32_t sys_arch_mbox_fetch(sys_mbox_t *mbox, void **message, u32_t timeout)
{
    u32_t start_ms = sys_now();

    while (mbox->used == 0) {
        if (!qr_pump_more(start_ms, timeout)) {
            return SYS_ARCH_TIMEOUT;
        }
    }
    (void)sys_arch_mbox_tryfetch(mbox, message);
    return sys_now() - start_ms;
}

/* ---- mutexes and threads: one thread has nobody to keep out ---- */

err_t sys_mutex_new(sys_mutex_t *mutex)
{
    *mutex = true;
    return ERR_OK;
}

void sys_mutex_free(sys_mutex_t *mutex)
{
    *mutex = false;
}

void sys_mutex_lock(sys_mutex_t *mutex)
{
    (void)mutex;
}

void sys_mutex_unlock(sys_mutex_t *mutex)
{
    (void)mutex;
}

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn thread, void *arg, int stack_size,
                            int priority)
{
    (void)name;
    (void)thread;
    (void)arg;
    (void)stack_size;
    (void)priority;
    return 0;
}

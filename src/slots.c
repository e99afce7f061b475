#include "slots.h"

#define NO_SLOT QR_CONNS_MAX /* ends the list of free slots */

_Static_assert(QR_CONNS_MAX < UINT16_MAX, "a slot's number and NO_SLOT have 16 bits");

void qr_slots_init(struct qr_slots *slots, struct qr_stats *stats)
{
    slots->stats = stats;
    slots->looked_ms = 0;
    slots->full_until_ms = 0;
    slots->grace_used_ms = 0;
    slots->grace_ms = QR_GRACE_MS;
    slots->free = 0;
    slots->victim = NULL;
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        slots->all[i].socket = -1;
        slots->all[i].next_free = (uint16_t)(i + 1);
    }
    slots->n_wanting = 0;
    slots->desks_kept = QR_DESKS_MAX < QR_CONNS_MAX;
    slots->at_last_desk = NULL;
    qr_desks_init(&slots->desks, slots->all_desks, QR_DESKS_MAX);
}

uint16_t qr_slots_number(const struct qr_slots *slots, const struct qr_slot *slot)
{
    return (uint16_t)(slot - slots->all);
}

struct qr_slot *qr_slots_open(struct qr_slots *slots, int socket, const struct qr_handler *handler,
                              const struct qr_now *now)
{
    struct qr_slot *slot = &slots->all[slots->free];
    struct qr_stats *stats = slots->stats;

    slots->free = slot->next_free;
    slot->socket = socket;
    slot->reads = true;
    slot->writes = false;
    slot->wants_desk_ms = 0;
    qr_conn_open(&slot->conn, handler, stats, &slots->desks, now);
    stats->connectionsOpen++;
    if (stats->connectionsOpen > stats->connectionsOpenMost) {
        stats->connectionsOpenMost = stats->connectionsOpen;
    }
    return slot;
}

void qr_slots_close(struct qr_slots *slots, struct qr_slot *slot)
{
    qr_slots_want_no_desk(slots, slot);
    slots->stats->connectionsWaiting -= qr_conn_waits(&slot->conn);
    qr_conn_close(&slot->conn);
    slot->socket = -1;
    slot->next_free = slots->free;
    slots->free = qr_slots_number(slots, slot);
    slots->stats->connectionsOpen--;
}

void qr_slots_permit(const struct qr_slots *slots, struct qr_slot *slot, bool stopping)
{
    bool short_of_slots = QR_CONNS_MAX - slots->stats->connectionsOpen < QR_CONNS_SPARE;

    slot->conn.announce_close = short_of_slots || stopping;
    slot->conn.may_wait = !stopping && (qr_conn_waits(&slot->conn) ||
                                        slots->stats->connectionsWaiting < QR_WAITERS_MAX);
}

/* ---- slots ---- */

/* How readily a connection is given up for a new one; DESIGN.md tells why in this order. */
enum standing { KEPT, WAITS, SLOW, IDLE_POLLER, WITHOUT_REQUEST, TOLD_TO_CLOSE };

static bool is_kept(const struct qr_conn *conn)
{
    /* At most QR_CONNS_MAX - QR_CONNS_SPARE are: they have had a reply without Connection: close.
     */
    return conn->use == QR_CONN_CALLER && conn->state != QR_CONN_CLOSING;
}

/* Whose request waits for a desk is not idle. */
static bool is_idle_poller(const struct qr_slot *slot)
{
    return slot->conn.use == QR_CONN_POLLER && qr_conn_idle(&slot->conn) &&
           slot->wants_desk_ms == 0;
}

static uint64_t busy_since_ms(const struct qr_slot *slot)
{
    return slot->conn.use == QR_CONN_POLLER && slot->wants_desk_ms != 0 ? slot->wants_desk_ms
                                                                        : slot->conn.since_ms;
}

/* Uptime from which it may be given up; UINT64_MAX: it may not. There is always a grace: nobody is
 * slow before a wait has seen what came with it. */
static uint64_t kept_until_ms(const struct qr_slots *slots, const struct qr_slot *slot)
{
    const struct qr_conn *conn = &slot->conn;

    if (is_kept(conn)) {
        return UINT64_MAX;
    }
    if (conn->state == QR_CONN_CLOSING || qr_conn_waits(conn) || is_idle_poller(slot)) {
        return 0;
    }
    return busy_since_ms(slot) + slots->grace_ms;
}

static enum standing standing_of(const struct qr_slots *slots, const struct qr_slot *slot)
{
    const struct qr_conn *conn = &slot->conn;
    uint64_t now_ms = slots->looked_ms;

    if (now_ms < kept_until_ms(slots, slot)) {
        return KEPT;
    }
    if (conn->state == QR_CONN_CLOSING) {
        return TOLD_TO_CLOSE;
    }
    if (qr_conn_waits(conn)) {
        return WAITS;
    }
    if (is_idle_poller(slot)) {
        return IDLE_POLLER;
    }
    return conn->state == QR_CONN_READING && now_ms >= busy_since_ms(slot) + QR_GRACE_MS
               ? WITHOUT_REQUEST
               : SLOW;
}

/* The connection to give up: of the highest standing, and of those the longest so. NULL: none. */
static struct qr_slot *find_victim(struct qr_slots *slots)
{
    struct qr_slot *victim = NULL;
    enum standing highest = KEPT;

    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        struct qr_slot *slot = &slots->all[i];
        enum standing standing = slot->socket < 0 ? KEPT : standing_of(slots, slot);
        if (standing == KEPT || standing < highest) {
            continue;
        }
        if (standing > highest || slot->conn.since_ms < victim->conn.since_ms) {
            victim = slot;
            highest = standing;
        }
    }
    return victim;
}

void qr_slots_note(struct qr_slots *slots, const struct qr_slot *slot)
{
    uint64_t until_ms = kept_until_ms(slots, slot);

    if (until_ms < slots->full_until_ms) {
        slots->full_until_ms = until_ms;
    }
}

/* A network that is behind with what came lets nobody look slow, but for a while only: a flood may
 * keep it so. */
void qr_slots_note_behind(struct qr_slots *slots, uint64_t begin_ms, uint64_t looked_before_ms)
{
    uint64_t at_least_ms = begin_ms > QR_GRACE_MS ? begin_ms - QR_GRACE_MS : 0;

    slots->looked_ms = looked_before_ms > at_least_ms ? looked_before_ms : at_least_ms;
}

static void shorten_grace(struct qr_slots *slots, const struct qr_now *now)
{
    uint32_t shorter_ms = slots->grace_ms - slots->grace_ms / 4;

    slots->grace_ms = shorter_ms > QR_GRACE_LEAST_MS ? shorter_ms : QR_GRACE_LEAST_MS;
    slots->grace_used_ms = now->uptime_ms;
}

static void restore_grace(struct qr_slots *slots, const struct qr_now *now)
{
    if (now->uptime_ms - slots->grace_used_ms >= QR_GRACE_REST_MS) {
        slots->grace_ms = QR_GRACE_MS;
    }
}

/* All connections are looked at only when the victim known is none any more, and one that was to be
 * kept may have become one. A grace that has become shorter meanwhile does no harm: it does when
 * one is given up, so that full_until_ms is over. */
bool qr_slots_have_room(struct qr_slots *slots, const struct qr_now *now)
{
    struct qr_slot *victim = slots->victim;

    restore_grace(slots, now);
    if (slots->free != NO_SLOT) {
        return true;
    }
    if (victim != NULL && standing_of(slots, victim) != KEPT) {
        return true;
    }
    if (now->uptime_ms < slots->full_until_ms) {
        return false;
    }
    slots->victim = find_victim(slots);
    slots->full_until_ms = UINT64_MAX;
    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        qr_slots_note(slots, &slots->all[i]);
    }
    return slots->victim != NULL;
}

struct qr_slot *qr_slots_for_newcomer(struct qr_slots *slots)
{
    return slots->free != NO_SLOT ? &slots->all[slots->free] : find_victim(slots);
}

/* Who takes no reply is cut off: what is kept for it to be sent would stay. */
void qr_slots_give_up(struct qr_slots *slots, struct qr_slot *slot, const struct qr_now *now)
{
    enum standing standing = standing_of(slots, slot);

    if (standing == SLOW || standing == WITHOUT_REQUEST) {
        shorten_grace(slots, now);
    }
    slot->conn.cut_off = slot->conn.state == QR_CONN_REPLYING;
    slots->stats->connectionsDropped++;
}

/* ---- desks ---- */

bool qr_slots_have_desk(const struct qr_slots *slots)
{
    return slots->desks.n_free > slots->desks_kept;
}

bool qr_slots_have_last_desk(const struct qr_slots *slots)
{
    return slots->desks.n_free != 0 && slots->desks_kept != 0;
}

size_t qr_slots_try_last_desk(struct qr_slots *slots, struct qr_slot *slot, size_t len)
{
    slots->at_last_desk = slot;
    return qr_conn_try(&slot->conn, len);
}

/* The last desk is always free again at the end of a turn. Only who has not taken the replies
 * before does not take this one. */
void qr_slots_leave_last_desk(struct qr_slots *slots, struct qr_slot *slot)
{
    if (slots->at_last_desk == slot && slots->desks.n_free == 0 &&
        slot->conn.state == QR_CONN_REPLYING) {
        slot->conn.dead = slot->conn.cut_off = true;
        slots->stats->connectionsDropped++;
    }
    slots->at_last_desk = NULL;
}

void qr_slots_want_desk(struct qr_slots *slots, struct qr_slot *slot, const struct qr_now *now)
{
    if (slot->wants_desk_ms == 0) {
        slot->wants_desk_ms = now->uptime_ms != 0 ? now->uptime_ms : 1;
        slots->n_wanting++;
        slots->stats->desksFull++;
    }
}

void qr_slots_want_no_desk(struct qr_slots *slots, struct qr_slot *slot)
{
    slots->n_wanting -= slot->wants_desk_ms != 0;
    slot->wants_desk_ms = 0;
}

struct qr_slot *qr_slots_find_wanting(struct qr_slots *slots)
{
    struct qr_slot *first = NULL;

    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        struct qr_slot *slot = &slots->all[i];
        if (slot->socket >= 0 && slot->wants_desk_ms != 0 &&
            (first == NULL || slot->wants_desk_ms < first->wants_desk_ms)) {
            first = slot;
        }
    }
    return first;
}

/* Uptime from which it has had its desk for long enough, if others want one; UINT64_MAX: never.
 * Those who wait for events are few. A caller's grace is not shortened. */
static uint64_t desk_until_ms(const struct qr_slots *slots, const struct qr_slot *slot)
{
    const struct qr_conn *conn = &slot->conn;
    uint64_t since_ms;

    if (slot->socket < 0 || conn->desk == NULL || qr_conn_waits(conn)) {
        return UINT64_MAX;
    }
    since_ms = conn->since_ms > conn->desk->since_ms ? conn->since_ms : conn->desk->since_ms;
    return since_ms + (conn->use == QR_CONN_CALLER ? QR_GRACE_MS : slots->grace_ms);
}

struct qr_slot *qr_slots_find_desk_victim(struct qr_slots *slots)
{
    struct qr_slot *victim = NULL;
    uint64_t earliest_ms = UINT64_MAX;

    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        uint64_t until_ms = desk_until_ms(slots, &slots->all[i]);
        if (until_ms <= slots->looked_ms && until_ms < earliest_ms) {
            victim = &slots->all[i];
            earliest_ms = until_ms;
        }
    }
    return victim;
}

uint64_t qr_slots_desk_look_ms(const struct qr_slots *slots)
{
    uint64_t earliest_ms = UINT64_MAX;

    for (size_t i = 0; i < QR_CONNS_MAX; i++) {
        uint64_t until_ms = desk_until_ms(slots, &slots->all[i]);
        earliest_ms = until_ms < earliest_ms ? until_ms : earliest_ms;
    }
    return earliest_ms;
}

/*
 * The table of connections, and who gives way when slots or desks run short: DESIGN.md, "When slots
 * run short", has the rules. It decides, and src/server does it: it knows the connections and the
 * time, but no network. All of it is the server's, and counts in the server's stats.
 */
#ifndef QR_SLOTS_H
#define QR_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "conn.h"
#include "limits.h"
#include "stats.h"

struct qr_slot {
    int socket;             /* -1: free */
    uint16_t next_free;     /* of a free one; QR_CONNS_MAX: none */
    bool reads, writes;     /* what the network watches it for */
    uint64_t wants_desk_ms; /* uptime since which it waits for a desk; 0: it does not */
    struct qr_conn conn;
};

struct qr_slots {
    struct qr_stats *stats;
    uint64_t looked_ms;     /* uptime until which all that came was seen */
    uint64_t full_until_ms; /* uptime before which nobody but victim may be given up */
    uint64_t grace_used_ms; /* uptime at which one was last given up for having used it up */
    uint32_t grace_ms;      /* QR_GRACE_MS; less while many use it up */
    uint16_t free;          /* the first free slot; QR_CONNS_MAX: none */
    struct qr_slot *victim; /* may be given up, unless it has changed since; NULL: none is known */
    struct qr_slot all[QR_CONNS_MAX];
    size_t n_wanting;             /* slots that wait for a desk */
    size_t desks_kept;            /* free desks that are only for whole callbacks */
    struct qr_slot *at_last_desk; /* of these, whose turn it is; NULL: nobody's */
    struct qr_desks desks;
    struct qr_desk all_desks[QR_DESKS_MAX];
};

/* All slots and desks are free. */
void qr_slots_init(struct qr_slots *slots, struct qr_stats *stats);

/* Which of all[] it is. */
uint16_t qr_slots_number(const struct qr_slots *slots, const struct qr_slot *slot);

/* Puts a new connection into the first free slot: there must be one. */
struct qr_slot *qr_slots_open(struct qr_slots *slots, int socket, const struct qr_handler *handler,
                              const struct qr_now *now);

/* Its socket was closed: the slot is the first free one. */
void qr_slots_close(struct qr_slots *slots, struct qr_slot *slot);

/* What the connection may do at its turn. */
void qr_slots_permit(const struct qr_slots *slots, struct qr_slot *slot, bool stopping);

/* A connection has had its turn: when to look again may depend on how it is now. */
void qr_slots_note(struct qr_slots *slots, const struct qr_slot *slot);

/* ---- slots ---- */

/* A wait that began at begin_ms has ended, and not all that came was seen; the wait before had
 * seen what came until looked_before_ms. */
void qr_slots_note_behind(struct qr_slots *slots, uint64_t begin_ms, uint64_t looked_before_ms);

/* Whether a slot is free or can be freed. If not, not before full_until_ms, unless a connection
 * ends. */
bool qr_slots_have_room(struct qr_slots *slots, const struct qr_now *now);

/* The slot for a newcomer: the first free one, or one whose connection is to be given up for it.
 * NULL: there is none. */
struct qr_slot *qr_slots_for_newcomer(struct qr_slots *slots);

/* The connection is given up: to be closed, or cut off, as it says then. */
void qr_slots_give_up(struct qr_slots *slots, struct qr_slot *slot, const struct qr_now *now);

/* ---- desks ---- */

/* Whether a desk is free that anybody may take. */
bool qr_slots_have_desk(const struct qr_slots *slots);

/* Whether one is free at least for a callback that has come whole. */
bool qr_slots_have_last_desk(const struct qr_slots *slots);

/* len bytes stand in the connection's room that were not received: it takes the last desk if they
 * are a whole callback. Returns that one's length, or 0. */
size_t qr_slots_try_last_desk(struct qr_slots *slots, struct qr_slot *slot, size_t len);

/* The end of its turn: the last desk is free again, or will be as soon as it is cut off. */
void qr_slots_leave_last_desk(struct qr_slots *slots, struct qr_slot *slot);

/* It waits for a desk from now on, or no more. */
void qr_slots_want_desk(struct qr_slots *slots, struct qr_slot *slot, const struct qr_now *now);
void qr_slots_want_no_desk(struct qr_slots *slots, struct qr_slot *slot);

/* Who has waited the longest for a desk. NULL: nobody waits. */
struct qr_slot *qr_slots_find_wanting(struct qr_slots *slots);

/* Who has had its desk for too long, and of those the longest. NULL: nobody. */
struct qr_slot *qr_slots_find_desk_victim(struct qr_slots *slots);

/* When a desk may be had for who waits; UINT64_MAX: when one is given back. */
uint64_t qr_slots_desk_look_ms(const struct qr_slots *slots);

#endif

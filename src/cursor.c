/*
 * Without a filter, the first and the last one follow from their numbers. With one, they are found
 * by looking through the ring first:
 *
 *   since given:  LIMIT, until as many are found as the limit says, and one more -> GIVE
 *   the newest:   COUNT what the query takes of the newest few, then of the few before them, and so
 *                 on, until there are enough -> SKIP as many as are too many -> GIVE
 *
 * Records that are overwritten while the newest are counted are left out though they were counted:
 * then fewer than the limit are given.
 */
#include "cursor.h"

enum phase { LIMIT, COUNT, SKIP, GIVE };

static bool filters(const struct qr_query *query)
{
    return (query->given & (QR_PARAM_GROUP_ID | QR_PARAM_USER_ID)) != 0;
}

/* ---- looking ---- */

/* Moves on to what is still there, as far as until. Returns how many records are gone. */
static uint64_t pass_overwritten(struct qr_cursor *cursor, const struct qr_ring *ring,
                                 uint64_t until)
{
    uint64_t before = cursor->pos.seq;
    uint64_t seq = ring->first_seq <= until ? ring->first_seq : until + 1;

    if (before >= seq) {
        return 0;
    }
    cursor->pos = qr_ring_find(ring, seq);
    return seq - before;
}

/* Finds the next event that the query takes, with a seq of at most until. looks is how many records
 * may still be looked at. */
static enum qr_cursor_found look(struct qr_cursor *cursor, const struct qr_ring *ring,
                                 uint64_t until, struct qr_event *event, unsigned *looks)
{
    for (; *looks > 0; (*looks)--) {
        if (cursor->pos.seq > until || qr_ring_next(ring, &cursor->pos, event) == 0) {
            return QR_CURSOR_END;
        }
        if (qr_query_takes(&cursor->query, (struct qr_span){event->group_id, event->group_id_len},
                           (struct qr_span){event->user_id, event->user_id_len})) {
            return QR_CURSOR_EVENT;
        }
    }
    return QR_CURSOR_AGAIN;
}

/* ---- where it begins and ends ---- */

static void begin_since(struct qr_cursor *cursor, const struct qr_ring *ring)
{
    uint64_t since = cursor->query.since;

    cursor->reset = since > ring->last_seq;
    since = cursor->reset ? 0 : since;
    cursor->pos = qr_ring_find(ring, since + 1);
    cursor->missed = cursor->pos.seq - (since + 1);
}

/* Goes to the first of the few that end with this one. They begin at a mark of the ring's, where it
 * walks none. */
static void count_from_few(struct qr_cursor *cursor, const struct qr_ring *ring, uint64_t last)
{
    cursor->last = last;
    cursor->pos = qr_ring_find(ring, last - last % QR_RING_STRIDE);
    cursor->start = cursor->pos;
}

static void begin_newest(struct qr_cursor *cursor, const struct qr_ring *ring)
{
    uint64_t n = qr_ring_stored(ring);

    if (filters(&cursor->query)) {
        count_from_few(cursor, ring, ring->last_seq);
        return;
    }
    n = n < cursor->query.limit ? n : cursor->query.limit;
    cursor->pos = qr_ring_find(ring, ring->last_seq + 1 - n);
}

void qr_cursor_begin(struct qr_cursor *cursor, const struct qr_ring *ring,
                     const struct qr_query *query)
{
    bool since = (query->given & QR_PARAM_SINCE) != 0;

    *cursor = (struct qr_cursor){.query = *query, .last = ring->last_seq, .end = ring->last_seq};
    if (since) {
        begin_since(cursor, ring);
    } else {
        begin_newest(cursor, ring);
    }
    cursor->start = cursor->pos;
    if (filters(query)) {
        cursor->phase = since ? LIMIT : COUNT;
        return;
    }
    cursor->phase = GIVE;
    if (cursor->last - (cursor->pos.seq - 1) > query->limit) {
        cursor->last = cursor->pos.seq - 1 + query->limit;
        cursor->more = true;
    }
}

static void found_one(struct qr_cursor *cursor, uint64_t seq)
{
    switch (cursor->phase) {
    case LIMIT:
        cursor->more = cursor->count == cursor->query.limit;
        if (!cursor->more) {
            cursor->last = seq;
        }
        cursor->count++;
        break;
    case COUNT: cursor->count++; break;
    default: cursor->count--; break;
    }
}

/* Returns whether there are more to count, which stand before those that were. */
static bool count_before(struct qr_cursor *cursor, const struct qr_ring *ring)
{
    if (cursor->phase != COUNT || cursor->count >= cursor->query.limit ||
        cursor->start.seq <= ring->first_seq) {
        return false;
    }
    count_from_few(cursor, ring, cursor->start.seq - 1);
    return true;
}

/* What the phase was for is known. */
static void next_phase(struct qr_cursor *cursor)
{
    if (cursor->phase == COUNT && cursor->count > cursor->query.limit) {
        cursor->phase = SKIP;
        cursor->count -= cursor->query.limit;
        cursor->pos = cursor->start;
        return;
    }
    if (cursor->phase != SKIP) {
        cursor->pos = cursor->start;
    }
    if (!cursor->more) {
        cursor->last = cursor->end;
    }
    cursor->phase = GIVE;
}

bool qr_cursor_settle(struct qr_cursor *cursor, const struct qr_ring *ring, struct qr_event *event)
{
    enum qr_cursor_found found = QR_CURSOR_EVENT;
    unsigned looks = QR_LOOKS_A_TURN;

    while (cursor->phase != GIVE && found != QR_CURSOR_AGAIN) {
        (void)pass_overwritten(cursor, ring, cursor->end);
        found =
            look(cursor, ring, cursor->phase == COUNT ? cursor->last : cursor->end, event, &looks);
        if (found == QR_CURSOR_EVENT) {
            found_one(cursor, event->seq);
        }
        if ((found == QR_CURSOR_END && !count_before(cursor, ring)) || cursor->more ||
            (cursor->phase == SKIP && cursor->count == 0)) {
            next_phase(cursor);
        }
    }
    return cursor->phase == GIVE;
}

void qr_cursor_follow(struct qr_cursor *cursor, const struct qr_ring *ring,
                      const struct qr_query *query, uint64_t seq)
{
    *cursor = (struct qr_cursor){.query = *query, .last = UINT64_MAX - 1, .phase = GIVE};
    cursor->query.given |= QR_PARAM_SINCE;
    cursor->query.since = seq;
    begin_since(cursor, ring);
}

enum qr_cursor_found qr_cursor_next(struct qr_cursor *cursor, const struct qr_ring *ring,
                                    struct qr_event *event)
{
    unsigned looks = QR_LOOKS_A_TURN;

    cursor->missed += pass_overwritten(cursor, ring, cursor->last);
    return look(cursor, ring, cursor->last, event, &looks);
}

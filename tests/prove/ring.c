/*
 * The ring, whatever is in it: of a ring for which the invariant below holds, each function touches
 * no byte outside, gives what the header says, and leaves a ring for which it holds. It holds of an
 * empty ring, and so always.
 *
 * Bound: a ring of 12 bytes, which holds up to 2 records, with IDs of 1 and 2 bytes and one byte of
 * time stamps; the place of every second record is kept. Assumed: fewer than 2^63 quits before.
 *
 * CBMC's options: --unwind 3 --unwindset memcpy.0:5
 */
#include "src/limits.h"
#undef QR_ID_MAX
#undef QR_OPERATION_ID_MAX
#undef QR_RING_MIN
#undef QR_RING_STRIDE
#define QR_ID_MAX           2
#define QR_OPERATION_ID_MAX 1
#define QR_RING_MIN         9
#define QR_RING_STRIDE      2
#define CAPACITY            12
#define RECORDS_MAX         2

/* Instead of src/clock.h: the ring only copies time stamps. */
#define QR_CLOCK_H
#include <stdint.h>
struct qr_now {
    uint8_t uptime_ms;
};

#include "src/ring.c"
#include "tests/prove/prove.h"

static bool lengths_hold(const struct header *header)
{
    return header->group_id_len >= 1 && header->group_id_len <= QR_ID_MAX &&
           header->user_id_len >= 1 && header->user_id_len <= QR_ID_MAX &&
           header->operation_id_len <= QR_OPERATION_ID_MAX;
}

/* From tail on there are as many records as there are seqs, in as many bytes as are used; those
 * that have a mark begin there. */
static bool holds(const struct qr_ring *ring)
{
    uint32_t index = ring->tail;
    uint32_t used = 0;

    if (ring->capacity != CAPACITY || ring->tail >= ring->capacity || ring->used > ring->capacity ||
        ring->mark >= QR_RING_MARKS(CAPACITY) || ring->first_seq < 1 ||
        ring->first_seq > ring->last_seq + 1 || qr_ring_stored(ring) > RECORDS_MAX) {
        return false;
    }
    for (uint64_t i = 0; i < qr_ring_stored(ring); i++) {
        struct header header;
        (void)copy_out(ring, index, &header, HEADER_SIZE);
        uint64_t seq = ring->first_seq + i;
        if (!lengths_hold(&header) || record_size(&header) > ring->used - used ||
            (seq % QR_RING_STRIDE == 0 && marked_index(ring, seq) != index)) {
            return false;
        }
        used += record_size(&header);
        index = advance(ring, index, record_size(&header));
    }
    return used == ring->used;
}

/* Any ring. */
static struct qr_ring any_ring(uint8_t *array, uint32_t *marks)
{
    struct qr_ring ring;

    ring.bytes = array;
    ring.marks = marks;
    ring.capacity = CAPACITY;
    prove_assume(ring.last_seq >> 63 == 0);
    prove_assume(holds(&ring));
    return ring;
}

static bool same_bytes(const char *a, uint8_t a_len, const char *b, uint8_t b_len)
{
    bool same = a_len == b_len;

    for (uint8_t i = 0; same && i < a_len; i++) {
        same = a[i] == b[i];
    }
    return same;
}

static bool is_quit(const struct qr_event *event, const struct qr_quit *quit,
                    const struct qr_now *now)
{
    return event->stored_at.uptime_ms == now->uptime_ms &&
           same_bytes(event->group_id, event->group_id_len, quit->group_id, quit->group_id_len) &&
           same_bytes(event->user_id, event->user_id_len, quit->user_id, quit->user_id_len) &&
           same_bytes(event->operation_id, event->operation_id_len, quit->operation_id,
                      quit->operation_id_len);
}

PROOF(ring_init, "the empty ring")
{
    uint8_t array[CAPACITY];
    uint32_t marks[QR_RING_MARKS(CAPACITY)];
    struct qr_ring ring;

    qr_ring_init(&ring, array, CAPACITY, marks);
    assert(holds(&ring) && qr_ring_stored(&ring) == 0 && qr_ring_overwritten(&ring) == 0);
}

/* The new record reads back as it was put, at the place that was behind the newest; of the others
 * that are still there, each byte is as it was. */
PROOF(ring_put, "any ring, any quit")
{
    uint8_t array[CAPACITY];
    uint32_t marks[QR_RING_MARKS(CAPACITY)];
    struct qr_ring ring = any_ring(array, marks);
    struct qr_ring before = ring;
    struct qr_ring_pos pos = qr_ring_find(&ring, ring.last_seq + 1);
    char group_id[QR_ID_MAX], user_id[QR_ID_MAX], operation_id[QR_OPERATION_ID_MAX];
    struct qr_quit quit;
    struct qr_now now;
    struct qr_event event;
    uint32_t back; /* a byte of the older records, counted back from where the new one begins */

    prove_assume(quit.group_id_len >= 1 && quit.group_id_len <= QR_ID_MAX);
    prove_assume(quit.user_id_len >= 1 && quit.user_id_len <= QR_ID_MAX);
    prove_assume(quit.operation_id_len <= QR_OPERATION_ID_MAX);
    prove_assume(back < ring.used);
    quit.group_id = group_id;
    quit.user_id = user_id;
    quit.operation_id = quit.operation_id_len == 0 ? NULL : operation_id;
    uint32_t index = advance(&ring, ring.tail, ring.used - 1 - back);
    uint8_t byte = array[index];

    assert(qr_ring_put(&ring, &quit, &now) == before.last_seq + 1);

    assert(holds(&ring) && ring.bytes == array && ring.marks == marks);
    assert(ring.last_seq == before.last_seq + 1 && ring.first_seq >= before.first_seq);
    assert(qr_ring_next(&ring, &pos, &event) == 1 && is_quit(&event, &quit, &now));
    assert(event.seq == ring.last_seq);
    uint32_t older =
        ring.used - HEADER_SIZE - quit.group_id_len - quit.user_id_len - quit.operation_id_len;
    assert(back >= older || array[index] == byte);
}

/* The place that find gives is one that next takes, and next ends at the place of the next seq. */
PROOF(ring_find, "any ring, any seq")
{
    uint8_t array[CAPACITY];
    uint32_t marks[QR_RING_MARKS(CAPACITY)];
    struct qr_ring ring = any_ring(array, marks);
    uint64_t seq;
    struct qr_ring_pos pos = qr_ring_find(&ring, seq);
    struct qr_event event;

    assert(pos.index < ring.capacity && pos.seq >= ring.first_seq && pos.seq <= ring.last_seq + 1);
    assert(pos.seq == seq || seq < ring.first_seq || seq > ring.last_seq);
    if (qr_ring_next(&ring, &pos, &event) == 0) {
        assert(pos.seq == ring.last_seq + 1);
        return;
    }
    assert(event.seq >= ring.first_seq && event.seq <= ring.last_seq);
    struct qr_ring_pos next = qr_ring_find(&ring, event.seq + 1);
    assert(pos.seq == next.seq && pos.index == next.index);
}

/* A place whose record was overwritten: whatever its index says. */
PROOF(ring_next, "any ring, any place that is gone")
{
    uint8_t array[CAPACITY];
    uint32_t marks[QR_RING_MARKS(CAPACITY)];
    struct qr_ring ring = any_ring(array, marks);
    struct qr_ring_pos pos;
    struct qr_event event;

    prove_assume(pos.seq < ring.first_seq && ring.first_seq <= ring.last_seq);
    assert(qr_ring_next(&ring, &pos, &event) == 1);
    assert(event.seq == ring.first_seq && pos.index < ring.capacity);
}

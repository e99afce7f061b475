#include "ring.h"

#include <assert.h>
#include <string.h>

/* What stands before the bytes of a record's IDs. It never leaves memory, so it has the machine's
 * byte order, and is copied in and out because a record begins at any index. */
struct header {
    struct qr_now stored_at;
    uint8_t group_id_len;
    uint8_t user_id_len;
    uint8_t operation_id_len;
};

/* The members' bytes without padding behind them: a byte saved is a byte for IDs. Two of the IDs
 * have at least one. */
#define HEADER_SIZE (QR_RING_RECORD_MIN - 2)

_Static_assert(offsetof(struct header, group_id_len) == sizeof(struct qr_now),
               "the lengths follow the time stamps");
_Static_assert(QR_ID_MAX <= UINT8_MAX && QR_OPERATION_ID_MAX <= UINT8_MAX,
               "a length is one byte in a record");
_Static_assert(HEADER_SIZE + 2 * QR_ID_MAX + QR_OPERATION_ID_MAX <= QR_RING_MIN,
               "the smallest ring holds the largest record");

static uint32_t record_size(const struct header *header)
{
    return (uint32_t)HEADER_SIZE + header->group_id_len + header->user_id_len +
           header->operation_id_len;
}

static void keep_mark(struct qr_ring *ring, uint32_t index)
{
    ring->mark = ring->mark + 1 < QR_RING_MARKS(ring->capacity) ? ring->mark + 1 : 0;
    ring->marks[ring->mark] = index;
}

/* Where this record begins, which is in the ring, and whose seq is a multiple of QR_RING_STRIDE. */
static uint32_t marked_index(const struct qr_ring *ring, uint64_t seq)
{
    uint32_t back = (uint32_t)(ring->last_seq / QR_RING_STRIDE - seq / QR_RING_STRIDE);

    return ring->marks[back <= ring->mark ? ring->mark - back
                                          : ring->mark + QR_RING_MARKS(ring->capacity) - back];
}

/* index + by, wrapped; by is at most capacity. Written so that it cannot overflow. */
static uint32_t advance(const struct qr_ring *ring, uint32_t index, uint32_t by)
{
    uint32_t to_end = ring->capacity - index;

    return by < to_end ? index + by : by - to_end;
}

/* Copies bytes to the index, and on at the array's start. Returns the index behind them. */
static uint32_t copy_in(struct qr_ring *ring, uint32_t index, const void *from, uint32_t len)
{
    uint32_t to_end = ring->capacity - index;

    if (len < to_end) {
        memcpy(ring->bytes + index, from, len);
        return index + len;
    }
    memcpy(ring->bytes + index, from, to_end);
    memcpy(ring->bytes, (const uint8_t *)from + to_end, len - to_end);
    return len - to_end;
}

static uint32_t copy_out(const struct qr_ring *ring, uint32_t index, void *to, uint32_t len)
{
    uint32_t to_end = ring->capacity - index;

    if (len < to_end) {
        memcpy(to, ring->bytes + index, len);
        return index + len;
    }
    memcpy(to, ring->bytes + index, to_end);
    memcpy((uint8_t *)to + to_end, ring->bytes, len - to_end);
    return len - to_end;
}

static uint32_t size_at(const struct qr_ring *ring, uint32_t index)
{
    struct header header;

    (void)copy_out(ring, index, &header, HEADER_SIZE);
    return record_size(&header);
}

static void drop_oldest(struct qr_ring *ring)
{
    uint32_t size = size_at(ring, ring->tail);

    ring->tail = advance(ring, ring->tail, size);
    ring->used -= size;
    ring->first_seq++;
}

void qr_ring_init(struct qr_ring *ring, uint8_t *bytes, uint32_t capacity, uint32_t *marks)
{
    assert(capacity >= QR_RING_MIN);
    *ring = (struct qr_ring){.bytes = bytes, .marks = marks, .capacity = capacity, .first_seq = 1};
}

uint64_t qr_ring_put(struct qr_ring *ring, const struct qr_quit *quit, const struct qr_now *now)
{
    struct header header = {.stored_at = *now,
                            .group_id_len = quit->group_id_len,
                            .user_id_len = quit->user_id_len,
                            .operation_id_len = quit->operation_id_len};
    uint32_t size = record_size(&header);
    uint32_t index;

    assert(quit->operation_id_len <= QR_OPERATION_ID_MAX);
    while (ring->capacity - ring->used < size) {
        drop_oldest(ring);
    }
    index = advance(ring, ring->tail, ring->used);
    ring->last_seq++;
    if (ring->last_seq % QR_RING_STRIDE == 0) {
        keep_mark(ring, index);
    }
    index = copy_in(ring, index, &header, HEADER_SIZE);
    index = copy_in(ring, index, quit->group_id, quit->group_id_len);
    index = copy_in(ring, index, quit->user_id, quit->user_id_len);
    if (quit->operation_id_len > 0) { /* else it may be NULL, which memcpy does not take */
        (void)copy_in(ring, index, quit->operation_id, quit->operation_id_len);
    }
    ring->used += size;
    return ring->last_seq;
}

uint64_t qr_ring_stored(const struct qr_ring *ring)
{
    return ring->last_seq + 1 - ring->first_seq;
}

uint64_t qr_ring_overwritten(const struct qr_ring *ring)
{
    return ring->first_seq - 1;
}

struct qr_ring_pos qr_ring_find(const struct qr_ring *ring, uint64_t seq)
{
    struct qr_ring_pos pos = {.seq = ring->first_seq, .index = ring->tail};
    uint64_t marked = seq - seq % QR_RING_STRIDE;

    if (seq > ring->last_seq) {
        pos.seq = ring->last_seq + 1;
        pos.index = advance(ring, ring->tail, ring->used);
        return pos;
    }
    if (marked > pos.seq) {
        pos.seq = marked;
        pos.index = marked_index(ring, marked);
    }
    while (pos.seq < seq) {
        pos.index = advance(ring, pos.index, size_at(ring, pos.index));
        pos.seq++;
    }
    return pos;
}

int qr_ring_next(const struct qr_ring *ring, struct qr_ring_pos *pos, struct qr_event *event)
{
    struct header header;
    uint32_t index;

    if (pos->seq > ring->last_seq) {
        return 0;
    }
    if (pos->seq < ring->first_seq) {
        *pos = (struct qr_ring_pos){.seq = ring->first_seq, .index = ring->tail};
    }
    index = copy_out(ring, pos->index, &header, HEADER_SIZE);
    event->seq = pos->seq;
    event->stored_at = header.stored_at;
    event->group_id_len = header.group_id_len;
    event->user_id_len = header.user_id_len;
    event->operation_id_len = header.operation_id_len;
    index = copy_out(ring, index, event->group_id, header.group_id_len);
    index = copy_out(ring, index, event->user_id, header.user_id_len);
    pos->index = copy_out(ring, index, event->operation_id, header.operation_id_len);
    pos->seq++;
    return 1;
}

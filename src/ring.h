/*
 * The ring: the most recent quits, as records of variable length in one byte array that the caller
 * owns. A new record overwrites as many of the oldest as it needs the bytes of.
 *
 *      tail (oldest)            head (where the next one goes)
 *        v                        v
 *   +----+------+---+-------+-----+---------+      a record: length, ID lengths, time stamps,
 *   |free| seq 7| 8 | seq 9 | 10  |  free   |      groupID, userID, operationID
 *   +----+------+---+-------+-----+---------+
 *
 *        head    tail
 *          v       v
 *   +------+-------+------+---+-------+-----+      wrapped: a record may run over the array's end
 *   |0 (2) | free  | 7    | 8 | seq 9 | 10 (1      and go on at its start
 *   +------+-------+------+---+-------+-----+
 *
 * Sequence numbers start at 1 and rise by one for each record; they are not stored, since the
 * records from tail to head are consecutive. Where every QR_RING_STRIDE-th begins is kept beside
 * the bytes, as its mark, so that finding one walks few. Not for more than one thread.
 */
#ifndef QR_RING_H
#define QR_RING_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "limits.h"

/* Bytes of the smallest record; and of how many records a ring of this capacity keeps a mark. */
#define QR_RING_RECORD_MIN      (sizeof(struct qr_now) + 3 + 2)
#define QR_RING_MARKS(capacity) ((capacity) / (QR_RING_RECORD_MIN * QR_RING_STRIDE) + 1)

struct qr_ring {
    uint8_t *bytes;
    uint32_t *marks; /* indices, the newest at marks[mark], older ones before it, wrapped */
    uint32_t mark;
    uint32_t capacity;  /* bytes */
    uint32_t used;      /* bytes */
    uint32_t tail;      /* index of the oldest record */
    uint64_t first_seq; /* of the oldest record; last_seq + 1 when there is none */
    uint64_t last_seq;  /* of the newest record ever stored; 0: none yet */
};

/* What the caller hands in: bytes that the ring copies. The caller has checked the lengths:
 * 1 to QR_ID_MAX for the IDs, 0 to QR_OPERATION_ID_MAX for operation_id. */
struct qr_quit {
    const char *group_id;
    const char *user_id;
    const char *operation_id;
    uint8_t group_id_len;
    uint8_t user_id_len;
    uint8_t operation_id_len;
};

/* A copy of one record. Not terminated: the lengths count. */
struct qr_event {
    uint64_t seq;
    struct qr_now stored_at;
    uint8_t group_id_len;
    uint8_t user_id_len;
    uint8_t operation_id_len;
    char group_id[QR_ID_MAX];
    char user_id[QR_ID_MAX];
    char operation_id[QR_OPERATION_ID_MAX];
};

/* A place in the ring: the record with this seq, if it is still there, begins at this index. */
struct qr_ring_pos {
    uint64_t seq;
    uint32_t index;
};

/* Makes an empty ring of the caller's bytes and QR_RING_MARKS(capacity) marks, which stay the
 * ring's. capacity is at least QR_RING_MIN. */
void qr_ring_init(struct qr_ring *ring, uint8_t *bytes, uint32_t capacity, uint32_t *marks);

/* Stores a copy of quit, over the oldest records if need be. Returns its seq. Cannot fail. */
uint64_t qr_ring_put(struct qr_ring *ring, const struct qr_quit *quit, const struct qr_now *now);

/* Records stored now; records that were overwritten since start. */
uint64_t qr_ring_stored(const struct qr_ring *ring);
uint64_t qr_ring_overwritten(const struct qr_ring *ring);

/* The place of the first record whose seq is at least seq; of the place behind the newest, where
 * the next record will be, when there is none. Walks fewer than QR_RING_STRIDE records. */
struct qr_ring_pos qr_ring_find(const struct qr_ring *ring, uint64_t seq);

/* Copies the record at pos to *event and moves pos to the next one. Where the record at pos was
 * overwritten meanwhile, takes the oldest one instead: event->seq tells. Returns 1, or 0 when pos
 * is behind the newest record (pos and event are then unchanged). */
int qr_ring_next(const struct qr_ring *ring, struct qr_ring_pos *pos, struct qr_event *event);

#endif

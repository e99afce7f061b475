/*
 * src/ring against a model that keeps every record by itself: the input says how large the ring is,
 * and what is stored, sought and read.
 */
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "ring.h"

#define RECORDS_MAX 512
#define READERS     4

/* What was stored as seq i + 1. What is in its IDs follows from seq. */
struct record {
    struct qr_now at;
    struct qr_quit quit;
};

static struct record model[RECORDS_MAX];
static size_t n, first; /* records ever stored; the oldest that must be there */
static size_t used;
static struct qr_ring ring;

/* As src/ring.h draws it: a record's time stamps and lengths, without padding, then its IDs. */
static size_t size_of(const struct record *record)
{
    return sizeof record->at + 3 + record->quit.group_id_len + record->quit.user_id_len +
           record->quit.operation_id_len;
}

static char letter(size_t seq, size_t i)
{
    return (char)(seq * 31 + i * 7);
}

static const char *text(char *out, size_t seq, size_t id, uint8_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = letter(seq + id, i);
    }
    return len == 0 ? NULL : out;
}

static void put(struct fuzz_input *input)
{
    char ids[3][UINT8_MAX];
    struct record *record = &model[n];

    if (n == RECORDS_MAX) {
        return;
    }
    record->at = (struct qr_now){.uptime_ms = n, .unix_ms = n * 3};
    record->quit.group_id_len = (uint8_t)(1 + fuzz_number(input, QR_ID_MAX - 1));
    record->quit.user_id_len = (uint8_t)(1 + fuzz_number(input, QR_ID_MAX - 1));
    record->quit.operation_id_len = (uint8_t)fuzz_number(input, QR_OPERATION_ID_MAX);
    n++;
    record->quit.group_id = text(ids[0], n, 0, record->quit.group_id_len);
    record->quit.user_id = text(ids[1], n, 1, record->quit.user_id_len);
    record->quit.operation_id = text(ids[2], n, 2, record->quit.operation_id_len);
    FUZZ_HOLDS(qr_ring_put(&ring, &record->quit, &record->at) == n);
    for (used += size_of(record); used > ring.capacity; first++) {
        used -= size_of(&model[first]);
    }
}

static bool same_id(const char *id, uint8_t len, size_t seq, size_t which, uint8_t expected_len)
{
    char expected[UINT8_MAX];

    return len == expected_len &&
           (len == 0 || memcmp(id, text(expected, seq, which, len), len) == 0);
}

/* Reads at a place that the model knows as well, by seq. */
static void read_next(struct qr_ring_pos *pos)
{
    uint64_t expected = pos->seq <= first ? first + 1 : pos->seq;
    struct qr_ring_pos before = *pos;
    struct qr_event *event = malloc(sizeof *event);
    int result = qr_ring_next(&ring, pos, event);

    FUZZ_HOLDS(result == (expected <= n));
    if (result == 0) {
        FUZZ_HOLDS(pos->seq == before.seq && pos->index == before.index);
    } else {
        const struct record *record = &model[expected - 1];
        FUZZ_HOLDS(event->seq == expected && pos->seq == expected + 1);
        FUZZ_HOLDS(event->stored_at.uptime_ms == record->at.uptime_ms);
        FUZZ_HOLDS(event->stored_at.unix_ms == record->at.unix_ms);
        FUZZ_HOLDS(
            same_id(event->group_id, event->group_id_len, expected, 0, record->quit.group_id_len));
        FUZZ_HOLDS(
            same_id(event->user_id, event->user_id_len, expected, 1, record->quit.user_id_len));
        FUZZ_HOLDS(same_id(event->operation_id, event->operation_id_len, expected, 2,
                           record->quit.operation_id_len));
    }
    free(event);
}

static void find(struct qr_ring_pos *pos, uint64_t seq)
{
    uint64_t oldest = first + 1, behind = n + 1;

    *pos = qr_ring_find(&ring, seq);
    FUZZ_HOLDS(pos->seq == (seq < oldest ? oldest : seq > behind ? behind : seq));
    FUZZ_HOLDS(pos->index < ring.capacity);
}

static void check(void)
{
    FUZZ_HOLDS(qr_ring_stored(&ring) == n - first);
    FUZZ_HOLDS(qr_ring_overwritten(&ring) == first);
    FUZZ_HOLDS(ring.used == used && ring.used <= ring.capacity);
    FUZZ_HOLDS(ring.last_seq == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct fuzz_input input = {bytes, len};
    uint32_t capacity = QR_RING_MIN + fuzz_number(&input, 255) * fuzz_number(&input, 15);
    uint8_t *memory = malloc(capacity);
    uint32_t *marks = malloc(QR_RING_MARKS(capacity) * sizeof *marks);
    struct qr_ring_pos readers[READERS];

    n = first = used = 0;
    qr_ring_init(&ring, memory, capacity, marks);
    for (size_t i = 0; i < READERS; i++) {
        find(&readers[i], 0);
    }
    while (input.left != 0) {
        uint8_t what = fuzz_byte(&input);
        struct qr_ring_pos *reader = &readers[what / 4 % READERS];
        switch (what % 4) {
        case 0:
        case 1: put(&input); break;
        case 2:
            find(reader, what / 16 == 15 ? UINT64_MAX : fuzz_number(&input, RECORDS_MAX));
            break;
        default: read_next(reader); break;
        }
        check();
    }
    for (find(&readers[0], 0); readers[0].seq <= n;) {
        read_next(&readers[0]);
    }
    free(marks);
    free(memory);
    return 0;
}

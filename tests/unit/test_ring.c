#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/ring.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define CANARY_LEN 64
#define CANARY     0xa5

/* The bytes of a ring, and what stands before and behind them. */
static uint8_t arena[CANARY_LEN + QR_RING_MAX + CANARY_LEN];
static uint32_t marks[QR_RING_MARKS(QR_RING_MAX) + 1];
static struct qr_ring ring;

static void start(uint32_t capacity)
{
    assert_true(capacity <= QR_RING_MAX);
    memset(arena, CANARY, CANARY_LEN + capacity + CANARY_LEN);
    memset(marks, CANARY, sizeof marks);
    qr_ring_init(&ring, arena + CANARY_LEN, capacity, marks);
}

static void assert_canaries(void)
{
    uint8_t untouched[CANARY_LEN];
    const uint8_t *behind = arena + CANARY_LEN + ring.capacity;

    memset(untouched, CANARY, sizeof untouched);
    assert_memory_equal(arena, untouched, CANARY_LEN);
    assert_memory_equal(behind, untouched, CANARY_LEN);
    assert_memory_equal(marks + QR_RING_MARKS(ring.capacity), untouched, sizeof *marks);
}

/* ---- the plain model: records in an array, and the bytes that they take ---- */

/* More than the ring of the largest capacity holds. */
#define MODEL_RECORDS 1024

struct record {
    struct qr_now now;
    size_t lens[3];
    char ids[3][256];
};

static struct {
    struct record records[MODEL_RECORDS]; /* by seq */
    uint64_t first, last;
    uint32_t used;
    uint32_t overhead; /* what a record takes besides the bytes of its IDs */
} model;

static struct record *record_at(uint64_t seq)
{
    return &model.records[seq % MODEL_RECORDS];
}

static uint32_t size_of(const struct record *record)
{
    return model.overhead + (uint32_t)(record->lens[0] + record->lens[1] + record->lens[2]);
}

static void model_put(const struct record *record)
{
    while (ring.capacity - model.used < size_of(record)) {
        model.used -= size_of(record_at(model.first));
        model.first++;
    }
    model.used += size_of(record);
    model.last++;
    *record_at(model.last) = *record;
}

/* The IDs stand behind one another, the last one ends at the guard page, and nothing is left of
 * them afterwards. */
static uint64_t ring_put(const struct record *record)
{
    char bytes[3 * 256];
    size_t len = 0;

    for (size_t i = 0; i < 3; i++) {
        memcpy(bytes + len, record->ids[i], record->lens[i]);
        len += record->lens[i];
    }
    char *at_guard = guard_copy(bytes, len);
    struct qr_quit quit = {
        .group_id = at_guard,
        .user_id = at_guard + record->lens[0],
        .operation_id = at_guard + record->lens[0] + record->lens[1],
        .group_id_len = (uint8_t)record->lens[0],
        .user_id_len = (uint8_t)record->lens[1],
        .operation_id_len = (uint8_t)record->lens[2],
    };
    struct qr_now now = record->now;
    uint64_t seq = qr_ring_put(&ring, &quit, &now);
    memset(at_guard, '!', len);
    return seq;
}

static void assert_counts(void)
{
    if (ring.used != model.used || qr_ring_stored(&ring) != model.last + 1 - model.first ||
        qr_ring_overwritten(&ring) != model.first - 1 || ring.first_seq != model.first ||
        ring.last_seq != model.last) {
        fail_msg("capacity %u: used %u, wanted %u; seq %llu to %llu, wanted %llu to %llu",
                 (unsigned)ring.capacity, (unsigned)ring.used, (unsigned)model.used,
                 (unsigned long long)ring.first_seq, (unsigned long long)ring.last_seq,
                 (unsigned long long)model.first, (unsigned long long)model.last);
    }
}

static void put(const struct record *record)
{
    model_put(record);
    assert_int_equal(ring_put(record), model.last);
    assert_counts();
    assert_canaries();
}

static bool is_record(const struct qr_event *event, const struct record *record)
{
    return event->stored_at.uptime_ms == record->now.uptime_ms &&
           event->stored_at.unix_ms == record->now.unix_ms &&
           event->group_id_len == record->lens[0] && event->user_id_len == record->lens[1] &&
           event->operation_id_len == record->lens[2] &&
           memcmp(event->group_id, record->ids[0], record->lens[0]) == 0 &&
           memcmp(event->user_id, record->ids[1], record->lens[1]) == 0 &&
           memcmp(event->operation_id, record->ids[2], record->lens[2]) == 0;
}

/* pos is where the record with seq wanted was, is or will be. */
static void assert_next(struct qr_ring_pos *pos, uint64_t wanted)
{
    struct qr_ring_pos before = *pos;
    struct qr_event event, untouched;

    assert_true(pos->index < ring.capacity);
    memset(&event, 0x5a, sizeof event);
    untouched = event;
    if (wanted < model.first) {
        wanted = model.first;
    }
    if (wanted > model.last) {
        assert_int_equal(qr_ring_next(&ring, pos, &event), 0);
        assert_memory_equal(&event, &untouched, sizeof event);
        assert_true(pos->seq == before.seq && pos->index == before.index);
        return;
    }
    assert_int_equal(qr_ring_next(&ring, pos, &event), 1);
    if (event.seq != wanted || pos->seq != wanted + 1 || !is_record(&event, record_at(wanted))) {
        fail_msg("capacity %u: seq %llu is not what was stored", (unsigned)ring.capacity,
                 (unsigned long long)wanted);
    }
}

static uint64_t clamp(uint64_t seq)
{
    if (seq < model.first) {
        return model.first;
    }
    return seq > model.last ? model.last + 1 : seq;
}

static void assert_find(uint64_t seq)
{
    struct qr_ring_pos pos = qr_ring_find(&ring, seq);

    assert_int_equal(pos.seq, clamp(seq));
    assert_next(&pos, clamp(seq));
}

static void assert_find_at_every_seq(void)
{
    assert_find(0);
    assert_find(UINT64_MAX);
    assert_find(UINT64_MAX - 1);
    for (uint64_t seq = model.first < 4 ? 0 : model.first - 4; seq <= model.last + 3; seq++) {
        assert_find(seq);
    }
}

static void assert_walk(void)
{
    struct qr_ring_pos pos = qr_ring_find(&ring, 0);

    for (uint64_t seq = model.first; seq <= model.last + 1; seq++) {
        assert_next(&pos, seq);
    }
}

/* A record of these lengths whose bytes are its own. */
static struct record make(size_t group_len, size_t user_len, size_t operation_len)
{
    static unsigned made;
    struct record record = {.lens = {group_len, user_len, operation_len}};

    made++;
    record.now.uptime_ms = 0x0102030405060708u * made;
    record.now.unix_ms = 0xf1e2d3c4b5a69788u * made;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < record.lens[i]; k++) {
            record.ids[i][k] = (char)(made * 31 + i * 85 + k);
        }
    }
    return record;
}

/* Of this size in the ring, all lengths within what is allowed. */
static struct record make_of_size(uint32_t size)
{
    size_t len = size - model.overhead;
    size_t lens[3] = {1, 1, 0};
    static const size_t most[3] = {QR_ID_MAX, QR_ID_MAX, QR_OPERATION_ID_MAX};

    assert_true(len >= 2);
    len -= 2;
    for (size_t i = 0; i < 3; i++) {
        size_t more = most[i] - lens[i] < len ? most[i] - lens[i] : len;
        lens[i] += more;
        len -= more;
    }
    assert_int_equal(len, 0);
    return make(lens[0], lens[1], lens[2]);
}

static uint32_t smallest(void)
{
    return model.overhead + 2;
}

static uint32_t largest(void)
{
    return model.overhead + 2 * QR_ID_MAX + QR_OPERATION_ID_MAX;
}

/* An empty ring and model. What a record takes besides its IDs is taken from the first one: the
 * contract leaves it open, but it must be the same for all. */
static void begin(uint32_t capacity)
{
    struct record record = make(1, 1, 0);

    start(capacity);
    (void)ring_put(&record);
    model.overhead = ring.used - 2;
    model.used = 0;
    model.first = 1;
    model.last = 0;
    start(capacity);
}

/* ---- tests ---- */

static void test_ring_is_empty_after_init(void **state)
{
    (void)state;
    begin(QR_RING_MIN);
    assert_int_equal(ring.capacity, QR_RING_MIN);
    assert_int_equal(ring.first_seq, 1);
    assert_counts();
    assert_find_at_every_seq();
    assert_canaries();
}

static void test_ring_forgets_all_after_second_init(void **state)
{
    struct record record = make(3, 4, 5);

    (void)state;
    begin(QR_RING_MIN);
    (void)ring_put(&record);
    start(QR_RING_MIN);
    assert_counts();
    put(&record);
    assert_find_at_every_seq();
}

static void test_ring_takes_largest_record_in_smallest_ring(void **state)
{
    (void)state;
    begin(QR_RING_MIN);
    assert_true(largest() <= QR_RING_MIN);
    for (int i = 0; i < 50; i++) {
        struct record record = make(QR_ID_MAX, QR_ID_MAX, QR_OPERATION_ID_MAX);
        put(&record);
        assert_find_at_every_seq();
    }
}

static void test_ring_keeps_every_byte_and_time(void **state)
{
    static const struct qr_now times[] = {
        {0, 0}, {UINT64_MAX, UINT64_MAX}, {1, UINT64_MAX}, {UINT64_MAX, 0}, {1u << 31, 1}};

    (void)state;
    begin(QR_RING_MAX);
    for (unsigned byte = 0; byte <= 0xff; byte++) {
        struct record record = make(2, 1, 1);
        record.ids[0][0] = record.ids[1][0] = record.ids[2][0] = (char)byte;
        record.now = times[byte % COUNT(times)];
        put(&record);
    }
    assert_int_equal(qr_ring_overwritten(&ring), 0);
    assert_walk();
}

static void test_ring_keeps_record_of_every_length(void **state)
{
    (void)state;
    begin(1031);
    for (size_t len = 1; len <= QR_ID_MAX; len++) {
        struct record record = make(len, QR_ID_MAX + 1 - len, len % (QR_OPERATION_ID_MAX + 1));
        put(&record);
        assert_walk();
    }
}

static void test_ring_takes_null_for_absent_operation_id(void **state)
{
    struct qr_quit quit = {.group_id = "g", .user_id = "u", .group_id_len = 1, .user_id_len = 1};
    struct qr_now now = {1, 2};
    struct qr_ring_pos pos;
    struct qr_event event;

    (void)state;
    start(QR_RING_MIN);
    assert_int_equal(qr_ring_put(&ring, &quit, &now), 1);
    pos = qr_ring_find(&ring, 1);
    assert_int_equal(qr_ring_next(&ring, &pos, &event), 1);
    assert_int_equal(event.operation_id_len, 0);
    assert_true(event.group_id[0] == 'g' && event.user_id[0] == 'u');
}

/* Puts records until the next one begins at this index of the array. */
static void move_head_to(uint32_t index)
{
    while (index != 0) {
        uint32_t size = index;
        if (size > largest()) {
            size = index / 2 < largest() ? index / 2 : largest();
        }
        struct record record = make_of_size(size);
        put(&record);
        index -= size;
    }
}

static void assert_wraps_at_every_byte(uint32_t capacity, uint32_t size)
{
    for (uint32_t before_end = 0; before_end <= size; before_end++) {
        begin(capacity);
        move_head_to(capacity - before_end);
        struct record record = make_of_size(size);
        put(&record);
        struct record behind = make_of_size(smallest());
        put(&behind);
        assert_walk();
        assert_find_at_every_seq();
    }
}

static void test_ring_record_wraps_at_every_byte(void **state)
{
    static const uint32_t capacities[] = {QR_RING_MIN, QR_RING_MIN + 1, 1499};

    (void)state;
    begin(QR_RING_MIN);
    const uint32_t sizes[] = {smallest(), smallest() + 1, smallest() + 98, largest()};
    for (size_t i = 0; i < COUNT(capacities); i++) {
        for (size_t k = 0; k < COUNT(sizes); k++) {
            assert_wraps_at_every_byte(capacities[i], sizes[k]);
        }
    }
}

static void test_ring_fills_to_last_byte_before_it_drops(void **state)
{
    (void)state;
    begin(QR_RING_MAX);
    for (uint32_t size = smallest(); size <= largest(); size++) {
        begin(QR_RING_MAX);
        move_head_to(QR_RING_MAX - size);
        uint64_t last = model.last;
        struct record record = make_of_size(size);
        put(&record);
        assert_int_equal(ring.used, QR_RING_MAX);
        assert_int_equal(qr_ring_overwritten(&ring), 0);
        struct record one_more = make_of_size(smallest());
        put(&one_more);
        assert_int_equal(qr_ring_overwritten(&ring), 1);
        assert_int_equal(ring.last_seq, last + 2);
    }
}

/* The ring holds records of one size, some bytes are free, and one of another size comes: it takes
 * the free bytes and the fewest of the oldest that make up the rest. */
static void assert_drops_fewest(uint32_t size, uint32_t count, uint32_t free, uint32_t new_size)
{
    uint32_t wanted = new_size <= free ? 0 : (new_size - free + size - 1) / size;

    begin(size * count + free);
    for (uint32_t i = 0; i < count; i++) {
        struct record record = make_of_size(size);
        put(&record);
    }
    struct record record = make_of_size(new_size);
    assert_int_equal(ring_put(&record), count + 1);
    model_put(&record);
    assert_int_equal(qr_ring_overwritten(&ring), wanted);
    assert_int_equal(qr_ring_stored(&ring), count + 1 - wanted);
    assert_int_equal(ring.used, size * (count - wanted) + new_size);
    assert_canaries();
    assert_walk();
}

static void test_ring_drops_fewest_of_oldest_for_every_size(void **state)
{
    static const uint32_t frees[] = {0, 1, 20, 21, 22, 39, 40};

    (void)state;
    begin(QR_RING_MIN);
    const uint32_t sizes[] = {smallest(), smallest() + 19, largest() / 2, largest()};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t k = 0; k < COUNT(frees); k++) {
            uint32_t count = QR_RING_MIN / sizes[i] + 1;
            for (uint32_t new_size = smallest(); new_size <= largest(); new_size++) {
                assert_drops_fewest(sizes[i], count, frees[k], new_size);
            }
        }
    }
}

static void test_ring_next_takes_oldest_where_its_record_was_overwritten(void **state)
{
    (void)state;
    begin(QR_RING_MIN);
    for (int i = 0; i < 20; i++) {
        struct record record = make(20, 10, 0);
        put(&record);
    }
    struct qr_ring_pos pos = qr_ring_find(&ring, 3);
    assert_next(&pos, 3);
    for (int i = 0; i < 100; i++) {
        struct record record = make(20, 11, 0);
        put(&record);
    }
    assert_true(model.first > 4);
    assert_next(&pos, 4); /* means: the oldest */
    assert_int_equal(pos.seq, model.first + 1);
    assert_next(&pos, model.first + 1);
}

static void test_ring_place_behind_newest_becomes_next_record(void **state)
{
    struct qr_ring_pos pos;

    (void)state;
    begin(1033);
    pos = qr_ring_find(&ring, 1);
    for (uint32_t seq = 1; seq <= 3000; seq++) {
        struct qr_ring_pos found = qr_ring_find(&ring, UINT64_MAX);
        struct record record = make(1 + seq % 255, 1 + seq * 7 % 255, seq % 128);
        assert_next(&pos, seq);
        put(&record);
        assert_next(&pos, seq);
        assert_next(&found, seq);
    }
}

/* Finds each, while those further before it than the stride lie in ruins. */
static void test_ring_finds_without_a_look_at_those_far_before(void **state)
{
    static struct qr_ring_pos places[400];
    struct qr_event event;

    (void)state;
    begin(QR_RING_MAX);
    places[0] = qr_ring_find(&ring, 1);
    for (size_t seq = 1; seq < COUNT(places); seq++) {
        struct record record = make(1 + seq % 9, 1 + seq % 7, 0);
        put(&record);
        places[seq] = places[seq - 1];
        assert_int_equal(qr_ring_next(&ring, &places[seq], &event), 1);
    }
    assert_int_equal(qr_ring_overwritten(&ring), 0);
    for (size_t seq = 1; seq < COUNT(places); seq++) {
        if (seq > QR_RING_STRIDE) {
            struct qr_ring_pos ruin = places[seq - QR_RING_STRIDE - 1];
            memset(ring.bytes + ruin.index, 0xff, places[ruin.seq].index - ruin.index);
        }
        struct qr_ring_pos pos = qr_ring_find(&ring, seq);
        assert_true(pos.seq == seq && pos.index == places[seq - 1].index);
    }
}

/* ---- random operations ---- */

static uint64_t random_state;

static size_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)((random_state >> 11) % limit);
}

static struct record random_record(void)
{
    uint64_t kind = random_below(8);
    size_t id_most = kind < 4 ? 12 : QR_ID_MAX;
    size_t operation_most = kind % 2 == 0 ? 0 : QR_OPERATION_ID_MAX;

    if (kind == 7) {
        return make(QR_ID_MAX, QR_ID_MAX, QR_OPERATION_ID_MAX);
    }
    if (kind == 0) {
        return make(1, 1, 0);
    }
    return make(1 + random_below(id_most), 1 + random_below(id_most),
                random_below(operation_most + 1));
}

/* Readers that stand still while records are written under them. */
static struct {
    struct qr_ring_pos pos;
    uint64_t seq;
} readers[5];

static void random_read(void)
{
    size_t i = random_below(COUNT(readers));
    uint64_t steps = random_below(6);

    if (random_below(16) == 0) {
        uint64_t seq = random_below(model.last + 3);
        readers[i].pos = qr_ring_find(&ring, seq);
        readers[i].seq = clamp(seq);
    }
    for (; steps > 0; steps--) {
        assert_next(&readers[i].pos, readers[i].seq);
        if (clamp(readers[i].seq) <= model.last) {
            readers[i].seq = clamp(readers[i].seq) + 1;
        }
    }
}

static void assert_model(uint32_t capacity, uint64_t seed, int operations)
{
    random_state = seed;
    begin(capacity);
    for (size_t i = 0; i < COUNT(readers); i++) {
        readers[i].pos = qr_ring_find(&ring, 0);
        readers[i].seq = 1;
    }
    for (int i = 0; i < operations; i++) {
        if (random_below(2) == 0) {
            struct record record = random_record();
            put(&record);
        } else {
            random_read();
        }
        assert_find(random_below(model.last + 3));
        if (i % 64 == 0) {
            assert_walk();
        }
        if (i % 1024 == 0) {
            assert_find_at_every_seq();
        }
    }
}

static void test_ring_is_model_for_random_operations(void **state)
{
    static const uint32_t capacities[] = {
        QR_RING_MIN, QR_RING_MIN + 1, 1031, 1279, 2047, 2048, 4093, QR_RING_MAX - 1, QR_RING_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(capacities); i++) {
        assert_model(capacities[i], 0x9e3779b97f4a7c15u + i, 20000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_is_empty_after_init),
        cmocka_unit_test(test_ring_forgets_all_after_second_init),
        cmocka_unit_test(test_ring_takes_largest_record_in_smallest_ring),
        cmocka_unit_test(test_ring_keeps_every_byte_and_time),
        cmocka_unit_test(test_ring_keeps_record_of_every_length),
        cmocka_unit_test(test_ring_takes_null_for_absent_operation_id),
        cmocka_unit_test(test_ring_record_wraps_at_every_byte),
        cmocka_unit_test(test_ring_fills_to_last_byte_before_it_drops),
        cmocka_unit_test(test_ring_drops_fewest_of_oldest_for_every_size),
        cmocka_unit_test(test_ring_next_takes_oldest_where_its_record_was_overwritten),
        cmocka_unit_test(test_ring_place_behind_newest_becomes_next_record),
        cmocka_unit_test(test_ring_finds_without_a_look_at_those_far_before),
        cmocka_unit_test(test_ring_is_model_for_random_operations),
    };

    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}

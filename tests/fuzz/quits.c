#include "quits.h"

#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "utf8.h"

#define QUITS_MAX 4096

static struct qr_ring *ring;
static const struct qr_query *query;
static struct qr_event quits[QUITS_MAX];
static struct {
    bool given;
    char bytes[QUITS_DECODED_MAX];
    size_t len;
} groups, users; /* that the query takes */

void quits_begin(struct qr_ring *ring_to_fill, const struct qr_query *query_to_take)
{
    ring = ring_to_fill;
    query = query_to_take;
    groups.given = (query->given & QR_PARAM_GROUP_ID) != 0;
    users.given = (query->given & QR_PARAM_USER_ID) != 0;
    groups.len = groups.given ? quits_decode(query->group_id, groups.bytes) : 0;
    users.len = users.given ? quits_decode(query->user_id, users.bytes) : 0;
}

/* ---- storing ---- */

static void put_one(const struct qr_quit *quit, const struct qr_now *now)
{
    struct qr_event *event = &quits[ring->last_seq];

    *event = (struct qr_event){.seq = ring->last_seq + 1,
                               .stored_at = *now,
                               .group_id_len = quit->group_id_len,
                               .user_id_len = quit->user_id_len,
                               .operation_id_len = quit->operation_id_len};
    memcpy(event->group_id, quit->group_id, quit->group_id_len);
    memcpy(event->user_id, quit->user_id, quit->user_id_len);
    memcpy(event->operation_id, quit->operation_id, quit->operation_id_len);
    FUZZ_HOLDS(qr_ring_put(ring, quit, now) == event->seq);
}

/* An ID as the input says: any, or the one that the query takes, or almost. */
static uint8_t choose(struct fuzz_input *input, const char *taken, size_t taken_len, char *id)
{
    uint8_t how = fuzz_byte(input);
    const uint8_t *bytes;
    size_t len;

    if (how < 128 && taken_len != 0) {
        memcpy(id, taken, taken_len);
        len = how % 8 == 1 && taken_len > 1 ? taken_len - 1 : taken_len;
        id[len - 1] ^= how % 8 == 2;
        return (uint8_t)len;
    }
    len = fuzz_bytes(input, QR_ID_MAX, &bytes);
    memcpy(id, len == 0 ? (const uint8_t *)"a" : bytes, len == 0 ? 1 : len);
    return (uint8_t)(len == 0 ? 1 : len);
}

static void put_any(struct fuzz_input *input, const struct qr_now *now)
{
    char group_id[QR_ID_MAX], user_id[QR_ID_MAX];
    struct qr_quit quit = {.group_id = group_id, .user_id = user_id};
    const uint8_t *operation_id;

    quit.group_id_len = choose(input, groups.bytes, groups.len, group_id);
    quit.user_id_len = choose(input, users.bytes, users.len, user_id);
    quit.operation_id_len = (uint8_t)fuzz_bytes(input, QR_OPERATION_ID_MAX, &operation_id);
    quit.operation_id = (const char *)operation_id;
    put_one(&quit, now);
}

void quits_put(struct fuzz_input *input, const struct qr_now *now)
{
    uint8_t how = fuzz_byte(input);
    struct qr_quit small = {"g", "u", "", 1, 1, 0};

    if (how < 192) {
        if (ring->last_seq < QUITS_MAX) {
            put_any(input, now);
        }
        return;
    }
    for (unsigned i = 8u * (how - 191u); i > 0 && ring->last_seq < QUITS_MAX; i--) {
        put_one(&small, now);
    }
}

/* ---- what was stored ---- */

const struct qr_event *quits_at(uint64_t seq)
{
    FUZZ_HOLDS(seq >= 1 && seq <= ring->last_seq);
    return &quits[seq - 1];
}

bool quits_takes(uint64_t seq)
{
    const struct qr_event *event = quits_at(seq);
    bool group =
        event->group_id_len == groups.len && memcmp(event->group_id, groups.bytes, groups.len) == 0;
    bool user =
        event->user_id_len == users.len && memcmp(event->user_id, users.bytes, users.len) == 0;

    return (!groups.given || group) && (!users.given || user);
}

uint64_t quits_count(uint64_t first, uint64_t last)
{
    uint64_t count = 0;

    for (; first <= last; first++) {
        count += quits_takes(first);
    }
    return count;
}

/* ---- texts ---- */

size_t quits_decode(struct qr_span value, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < value.len; len++) {
        char digits[] = {'0', '0', '\0'};
        FUZZ_HOLDS(len < QUITS_DECODED_MAX);
        if (value.at[i] == '%') {
            memcpy(digits, value.at + i + 1, 2);
            out[len] = (char)strtoul(digits, NULL, 16);
        } else {
            out[len] = value.at[i];
        }
        i += value.at[i] == '%' ? 3 : 1;
    }
    return len;
}

void quits_mend(char *text, size_t len)
{
    static const char hex[] = "0123456789abcdefABCDEF";

    for (size_t i = 0; i < len; i++) {
        bool good = len - i > 2 && memchr(hex, text[i + 1], sizeof hex - 1) != NULL &&
                    memchr(hex, text[i + 2], sizeof hex - 1) != NULL;
        if (text[i] == '%' && !good) {
            text[i] = 'x';
        }
    }
}

size_t quits_text(const char *bytes, size_t len, bool controls, char *out)
{
    size_t out_len = 0, taken;

    for (size_t i = 0; i < len; i += taken) {
        size_t char_len = qr_utf8_char(bytes + i, len - i);
        bool control = (unsigned char)bytes[i] < ' ' || bytes[i] == '\x7f';
        bool as_it_is = char_len != 0 && (controls || !control);
        taken = as_it_is ? char_len : 1;
        memcpy(out + out_len, as_it_is ? bytes + i : "\xef\xbf\xbd", as_it_is ? taken : 3);
        out_len += as_it_is ? taken : 3;
    }
    return out_len;
}

uint64_t quits_number(const char *text, int object, const char *name)
{
    int token = json_text_member(object, name);
    char digits[24] = "";
    size_t len;

    FUZZ_HOLDS(token >= 0 && json_tokens[token].kind == '0');
    len = json_tokens[token].end - json_tokens[token].at;
    FUZZ_HOLDS(len < sizeof digits);
    memcpy(digits, text + json_tokens[token].at, len);
    return strtoull(digits, NULL, 10);
}

static void check_id(int object, const char *name, const char *id, size_t len)
{
    static char decoded[8 * UINT8_MAX];
    char expected[3 * UINT8_MAX];
    size_t expected_len = quits_text(id, len, true, expected);
    int token = json_text_member(object, name);

    FUZZ_HOLDS(token >= 0 && json_tokens[token].kind == '"');
    FUZZ_HOLDS(json_text_decode(token, decoded) == (int)expected_len);
    FUZZ_HOLDS(memcmp(decoded, expected, expected_len) == 0);
}

uint64_t quits_check(const char *text, int token)
{
    uint64_t seq = quits_number(text, token, "seq");
    const struct qr_event *event = quits_at(seq);

    check_id(token, "groupID", event->group_id, event->group_id_len);
    check_id(token, "userID", event->user_id, event->user_id_len);
    check_id(token, "operationID", event->operation_id, event->operation_id_len);
    FUZZ_HOLDS(quits_number(text, token, "uptimeMs") == event->stored_at.uptime_ms);
    FUZZ_HOLDS(quits_takes(seq));
    return seq;
}

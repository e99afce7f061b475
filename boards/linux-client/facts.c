#include "facts.h"

static bool read_object(struct qr_span text)
{
    struct qr_fault fault;

    return qr_json_read(text.at, text.len, &fault) == 0 && qr_json_type(0) == QR_JSON_OBJECT;
}

/* Digits alone: behind a number of an object stands a comma or a brace. */
bool qr_facts_number(struct qr_span text, qr_json_ref object, const char *name, uint64_t *number)
{
    qr_json_ref value = qr_json_member(object, name);

    if (value < 0 || qr_json_type(value) != QR_JSON_NUMBER) {
        return false;
    }
    const char *at = text.at + qr_json_offset(value);
    for (*number = 0; *at >= '0' && *at <= '9'; at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (*number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    return *at == ',' || *at == '}';
}

/* A string's bytes, into out. */
static bool string_of(qr_json_ref object, const char *name, char *out, size_t cap, size_t *len)
{
    qr_json_ref value = qr_json_member(object, name);
    int got = -1;

    if (value >= 0 && qr_json_type(value) == QR_JSON_STRING) {
        got = qr_json_string(value, out, cap);
    }
    *len = got < 0 ? 0 : (size_t)got;
    return got >= 0;
}

bool qr_facts_text(qr_json_ref object, const char *name, char *out, size_t cap)
{
    size_t len;
    bool good = string_of(object, name, out, cap - 1, &len);

    out[len] = '\0';
    return good && memchr(out, '\0', len) == NULL;
}

/* "time", which may be null. */
static bool time_of(char time[QR_FACTS_TEXT_MAX + 1])
{
    qr_json_ref value = qr_json_member(0, "time");

    time[0] = '\0';
    if (value >= 0 && qr_json_type(value) == QR_JSON_NULL) {
        return true;
    }
    return qr_facts_text(0, "time", time, QR_FACTS_TEXT_MAX + 1);
}

static bool ring_read(struct qr_facts *facts, struct qr_span text)
{
    qr_json_ref ring = qr_json_member(0, "ring");

    return qr_facts_number(text, ring, "capacityBytes", &facts->capacity_bytes) &&
           qr_facts_number(text, ring, "usedBytes", &facts->used_bytes) &&
           qr_facts_number(text, ring, "stored", &facts->stored) &&
           qr_facts_number(text, ring, "firstSeq", &facts->first_seq) &&
           qr_facts_number(text, ring, "lastSeq", &facts->last_seq) &&
           qr_facts_number(text, ring, "overwritten", &facts->overwritten);
}

static bool is_quitring(void)
{
    char service[sizeof "quitring"];

    return qr_facts_text(0, "service", service, sizeof service) && strcmp(service, "quitring") == 0;
}

static bool device_read(struct qr_facts *facts)
{
    return time_of(facts->time) &&
           qr_facts_text(0, "version", facts->version, sizeof facts->version) &&
           qr_facts_text(0, "board", facts->board, sizeof facts->board) &&
           qr_facts_text(0, "bootId", facts->boot_id, sizeof facts->boot_id);
}

bool qr_facts_read(struct qr_facts *facts, struct qr_span text)
{
    if (!read_object(text) || !is_quitring()) {
        return false;
    }
    qr_json_ref reset = qr_json_member(0, "reset");
    facts->reset = reset >= 0 && qr_json_type(reset) == QR_JSON_TRUE;
    return device_read(facts) && qr_facts_number(text, 0, "uptimeMs", &facts->uptime_ms) &&
           qr_facts_number(text, 0, "next", &facts->next) && ring_read(facts, text);
}

bool qr_quit_read(struct qr_quit *quit, struct qr_span text)
{
    if (!read_object(text) || !time_of(quit->time) ||
        !qr_facts_number(text, 0, "seq", &quit->seq) ||
        !qr_facts_number(text, 0, "uptimeMs", &quit->uptime_ms)) {
        return false;
    }
    quit->group_id.at = quit->ids[0];
    quit->user_id.at = quit->ids[1];
    quit->operation_id.at = quit->ids[2];
    return string_of(0, "groupID", quit->ids[0], QR_ID_MAX, &quit->group_id.len) &&
           string_of(0, "userID", quit->ids[1], QR_ID_MAX, &quit->user_id.len) &&
           string_of(0, "operationID", quit->ids[2], QR_ID_MAX, &quit->operation_id.len);
}

bool qr_facts_missed(struct qr_span text, uint64_t *missed)
{
    return read_object(text) && qr_facts_number(text, 0, "missed", missed);
}

bool qr_facts_start(struct qr_span text, char boot_id[QR_FACTS_TEXT_MAX + 1])
{
    return read_object(text) && qr_facts_text(0, "bootId", boot_id, QR_FACTS_TEXT_MAX + 1);
}

bool qr_facts_error(struct qr_span text, char *message, size_t message_cap, char *place,
                    size_t place_cap)
{
    return read_object(text) && qr_facts_text(0, "errMsg", message, message_cap) &&
           qr_facts_text(0, "errDlt", place, place_cap);
}

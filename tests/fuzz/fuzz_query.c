/*
 * The query of a poll: the input is its text. What strtoull and counting make of it must be what
 * src/query reads, for each of the resources that take one, and a fault lie within it; and it must
 * take the IDs that it names, and no others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "input.h"
#include "query.h"
#include "quits.h"
#include "status.h"
#include "table.h"

static const char *const names[] = {"since", "limit", "groupID", "userID", "wait"};
static const unsigned params[] = {QR_PARAM_SINCE, QR_PARAM_LIMIT, QR_PARAM_GROUP_ID,
                                  QR_PARAM_USER_ID, QR_PARAM_WAIT};
#define N_PARAMS (sizeof params / sizeof *params)

/* What is right, as far as it has been read. */
static struct {
    bool good;
    unsigned given;
    uint64_t numbers[N_PARAMS];
    struct qr_span ids[N_PARAMS];
} expected;

static void expect_number(size_t i, const char *text)
{
    uint64_t most = params[i] == QR_PARAM_WAIT    ? QR_WAIT_MAX_S
                    : params[i] == QR_PARAM_LIMIT ? QR_STATUS_LIMIT_MAX
                                                  : UINT64_MAX;

    errno = 0;
    expected.numbers[i] = strtoull(text, NULL, 10);
    expected.good = expected.good && *text != '\0' && text[strspn(text, "0123456789")] == '\0' &&
                    errno == 0 && expected.numbers[i] <= most &&
                    (params[i] != QR_PARAM_LIMIT || expected.numbers[i] >= 1);
}

/* at: where the value stands in what was read; text: a copy of it, which ends with a NUL. */
static void expect_id(size_t i, const char *at, const char *text)
{
    static char decoded[QUITS_DECODED_MAX];
    size_t len;

    expected.ids[i] = (struct qr_span){at, strlen(text)};
    len = quits_decode(expected.ids[i], decoded);
    expected.good = expected.good && len >= 1 && len <= QR_ID_MAX;
}

static void expect_part(const char *text, char *part, const char *copy, unsigned allowed)
{
    char *value = strchr(part, '=');
    size_t i = 0;

    if (value == NULL) {
        value = part + strlen(part);
    } else {
        *value++ = '\0';
    }
    while (i < N_PARAMS && strcmp(part, names[i]) != 0) {
        i++;
    }
    if (i == N_PARAMS || (params[i] & allowed) == 0 || (params[i] & expected.given) != 0) {
        expected.good = false;
        return;
    }
    expected.given |= params[i];
    if (params[i] == QR_PARAM_GROUP_ID || params[i] == QR_PARAM_USER_ID) {
        expect_id(i, text + (value - copy), value);
    } else {
        expect_number(i, value);
    }
}

static void expect(const char *text, size_t len, unsigned allowed)
{
    char copy[QUITS_DECODED_MAX + 1];
    char *part = copy, *end;

    memcpy(copy, text, len);
    copy[len] = '\0';
    memset(&expected, 0, sizeof expected);
    expected.good = true;
    expected.numbers[1] = QR_STATUS_LIMIT_DEFAULT;
    while (len != 0 && part != NULL && expected.good) {
        end = strchr(part, '&');
        if (end != NULL) {
            *end = '\0';
        }
        expect_part(text, part, copy, allowed);
        part = end == NULL ? NULL : end + 1;
    }
}

/* ---- the IDs ---- */

/* The query's one ID, and others that differ from it by a byte. */
static void check_takes(const struct qr_query *query, unsigned param)
{
    bool group = param == QR_PARAM_GROUP_ID;
    struct qr_query one = {.given = param, .group_id = query->group_id, .user_id = query->user_id};
    char id[QUITS_DECODED_MAX + 1] = "", *exact;
    size_t len = quits_decode(group ? query->group_id : query->user_id, id);

    for (int by = -1; by <= 1; by++) {
        size_t id_len = by < 0 ? len - 1 : by > 0 ? len + 1 : len;
        struct qr_span other = {"", 0}, span;
        exact = fuzz_exact(id, id_len);
        span = (struct qr_span){exact, id_len};
        FUZZ_HOLDS(qr_query_takes(&one, group ? span : other, group ? other : span) == (by == 0));
        if (by == 0) {
            exact[len / 2] ^= 1;
            FUZZ_HOLDS(!qr_query_takes(&one, group ? span : other, group ? other : span));
        }
        free(exact);
    }
}

static void check_query(const struct qr_query *query)
{
    FUZZ_HOLDS(query->given == expected.given && query->since == expected.numbers[0]);
    FUZZ_HOLDS(query->limit == expected.numbers[1] && query->wait_s == expected.numbers[4]);
    for (size_t i = 2; i <= 3; i++) {
        const struct qr_span *id = i == 2 ? &query->group_id : &query->user_id;
        if ((query->given & params[i]) != 0) {
            FUZZ_HOLDS(id->at == expected.ids[i].at && id->len == expected.ids[i].len);
            check_takes(query, params[i]);
        }
    }
}

static void read_query(const char *text, size_t len, unsigned allowed)
{
    struct qr_query query;
    struct qr_fault fault = {0};
    int result = qr_query_read(&query, allowed, text, len, &fault);

    if (result < 0) {
        bool quoted = fault.part >= text && fault.part + fault.part_len <= text + len;
        FUZZ_HOLDS((int)fault.err == result && qr_err_status(fault.err) == 400);
        FUZZ_HOLDS(quoted || fault.offset <= len);
    }
    FUZZ_HOLDS((query.given & ~allowed) == 0);
    if (len > QUITS_DECODED_MAX || memchr(text, '\0', len) != NULL) {
        return;
    }
    expect(text, len, allowed);
    FUZZ_HOLDS(expected.good == (result == 0));
    if (result == 0) {
        check_query(&query);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = fuzz_exact(bytes, len);

    quits_mend(text, len);
    read_query(text, len, QR_STATUS_PARAMS);
    read_query(text, len, QR_EVENTS_PARAMS);
    read_query(text, len, QR_TABLE_PARAMS);
    free(text);
    return 0;
}

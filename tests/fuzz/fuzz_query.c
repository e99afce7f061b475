/*
 * The query of a poll: the input is its text. What strtoull and counting make of it must be what
 * src/status reads, and a fault lie within it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "status.h"

#define TEXT_MAX 4096

/* The value of the one parameter of this name in text, which ends with a NUL; 0: there is none, or
 * more than one, or it is no number. *given counts them. */
static uint64_t value_of(const char *text, const char *name, unsigned *given)
{
    uint64_t value = 0;

    *given = 0;
    for (const char *at = text; at != NULL; at = strchr(at, '&')) {
        size_t name_len = strlen(name);
        at += *at == '&';
        if (strncmp(at, name, name_len) == 0 && strchr("=&", at[name_len]) != NULL) {
            const char *digits = at + name_len + (at[name_len] == '=');
            size_t n = strspn(digits, "0123456789");
            ++*given;
            errno = n != 0 && strchr("&", digits[n]) != NULL ? 0 : EINVAL;
            value = strtoull(errno == 0 ? digits : "0", NULL, 10);
            *given += errno != 0;
        }
    }
    return *given == 1 ? value : 0;
}

/* What strtoull and counting make of it must be what was read. */
static void check_query(const char *text, size_t len, bool taken,
                        const struct qr_status_query *query)
{
    char copy[TEXT_MAX + 1];
    unsigned given_since, given_limit, n = 1;
    uint64_t since, limit;

    if (len > TEXT_MAX || memchr(text, '\0', len) != NULL) {
        return;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        n += copy[i] == '&';
    }
    since = value_of(copy, "since", &given_since);
    limit = value_of(copy, "limit", &given_limit);
    FUZZ_HOLDS(taken == (len == 0 ||
                         (given_since <= 1 && given_limit <= 1 && given_since + given_limit == n &&
                          (given_limit == 0 || (limit >= 1 && limit <= 65535)))));
    if (taken) {
        FUZZ_HOLDS(query->since_given == (given_since == 1) && query->since == since);
        FUZZ_HOLDS(query->limit == (given_limit == 1 ? limit : QR_STATUS_LIMIT_DEFAULT));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = fuzz_exact(bytes, len);
    struct qr_status_query query;
    struct qr_fault fault = {0};
    int result = qr_status_read_query(&query, text, len, &fault);

    if (result < 0) {
        bool quoted = fault.part >= text && fault.part + fault.part_len <= text + len;
        FUZZ_HOLDS((int)fault.err == result && qr_err_status(fault.err) == 400);
        FUZZ_HOLDS(quoted || fault.offset <= len);
    }
    FUZZ_HOLDS(query.limit >= 1 && query.limit <= QR_STATUS_LIMIT_MAX);
    check_query(text, len, result == 0, &query);
    free(text);
    return 0;
}

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <inttypes.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/query.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct qr_query query;
static struct qr_fault fault;

static const char *query_text;

/* What each of them is about unless it says otherwise. */
#define ALL (QR_PARAM_SINCE | QR_PARAM_LIMIT | QR_PARAM_GROUP_ID | QR_PARAM_USER_ID | QR_PARAM_WAIT)

static bool since_given(void)
{
    return (query.given & QR_PARAM_SINCE) != 0;
}

/* The query stands at the guard page. */
static int read_query_bytes(const char *text, size_t len)
{
    query_text = guard_copy(text, len);
    memset(&query, 0xee, sizeof query);
    memset(&fault, 0xee, sizeof fault);
    return qr_query_read(&query, ALL, query_text, len, &fault);
}

static void test_query_takes_since_and_limit(void **state)
{
    static const struct {
        const char *text;
        bool since_given;
        uint64_t since;
        uint32_t limit;
    } cases[] = {
        {"", false, 0, QR_STATUS_LIMIT_DEFAULT},
        {"since=0", true, 0, QR_STATUS_LIMIT_DEFAULT},
        {"since=5", true, 5, QR_STATUS_LIMIT_DEFAULT},
        {"since=007", true, 7, QR_STATUS_LIMIT_DEFAULT},
        {"since=18446744073709551615", true, UINT64_MAX, QR_STATUS_LIMIT_DEFAULT},
        {"since=18446744073709551609", true, UINT64_MAX - 6, QR_STATUS_LIMIT_DEFAULT},
        {"since=9999999999999999999", true, 9999999999999999999u, QR_STATUS_LIMIT_DEFAULT},
        {"limit=1", false, 0, 1},
        {"limit=100", false, 0, 100},
        {"limit=65535", false, 0, 65535},
        {"limit=0000000000000000000000000010", false, 0, 10},
        {"since=3&limit=4", true, 3, 4},
        {"limit=4&since=3", true, 3, 4},
        {"limit=65535&since=18446744073709551615", true, UINT64_MAX, 65535},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int got = read_query_bytes(cases[i].text, strlen(cases[i].text));
        if (got != 0 || since_given() != cases[i].since_given || query.limit != cases[i].limit ||
            (cases[i].since_given && query.since != cases[i].since)) {
            fail_msg("%s: %d, since %" PRIu64 ", limit %u", cases[i].text, got, query.since,
                     (unsigned)query.limit);
        }
    }
}

static void test_query_without_question_mark_is_default(void **state)
{
    (void)state;
    memset(&query, 0xee, sizeof query);
    assert_int_equal(qr_query_read(&query, ALL, NULL, 0, &fault), 0);
    assert_false(since_given());
    assert_int_equal(query.limit, 100);
}

static void test_query_names_the_parameter_that_it_refuses(void **state)
{
    static const struct {
        const char *text;
        int err;
        size_t at; /* where the parameter's name stands in text */
        const char *name;
        uint32_t limit;
    } cases[] = {
        {"limit=0", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=00", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=65536", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=4294967296", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=4294967297", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=18446744073709551615", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"since=1&limit=65536", QR_ERR_PARAM_VALUE, 8, "limit", 65535},
        {"limit=", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=-1", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=+1", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=1x", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=%31", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=1.0", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=0x10", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=1 ", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit==1", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=1=1", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=all", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=1/", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"limit=1:", QR_ERR_PARAM_VALUE, 0, "limit", 65535},
        {"since=", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since&limit=1", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since=&limit=1", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since=-0", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since=1,2", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since=1;limit=2", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since=18446744073709551616", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since=18446744073709551620", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since=36893488147419103232", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"since=99999999999999999999999999", QR_ERR_PARAM_VALUE, 0, "since", 0},
        {"limit=1&since=x", QR_ERR_PARAM_VALUE, 8, "since", 0},
        {"since=1&since=1", QR_ERR_PARAM_REPEATED, 8, "since", 0},
        {"since=0&since=0", QR_ERR_PARAM_REPEATED, 8, "since", 0},
        {"limit=1&limit=2", QR_ERR_PARAM_REPEATED, 8, "limit", 0},
        {"limit=100&limit=100", QR_ERR_PARAM_REPEATED, 10, "limit", 0},
        {"since=1&limit=1&since=2", QR_ERR_PARAM_REPEATED, 16, "since", 0},
        {"limit=1&since=1&limit=2", QR_ERR_PARAM_REPEATED, 16, "limit", 0},
        {"foo=1", QR_ERR_PARAM_UNKNOWN, 0, "foo", 0},
        {"foo", QR_ERR_PARAM_UNKNOWN, 0, "foo", 0},
        {"since=1&foo=2", QR_ERR_PARAM_UNKNOWN, 8, "foo", 0},
        {"foo=1&foo=1", QR_ERR_PARAM_UNKNOWN, 0, "foo", 0},
        {"Since=1", QR_ERR_PARAM_UNKNOWN, 0, "Since", 0},
        {"sinc=1", QR_ERR_PARAM_UNKNOWN, 0, "sinc", 0},
        {"sinces=1", QR_ERR_PARAM_UNKNOWN, 0, "sinces", 0},
        {"limi=1", QR_ERR_PARAM_UNKNOWN, 0, "limi", 0},
        {"limits=1", QR_ERR_PARAM_UNKNOWN, 0, "limits", 0},
        {"since =1", QR_ERR_PARAM_UNKNOWN, 0, "since ", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int got = read_query_bytes(cases[i].text, strlen(cases[i].text));
        if (got != cases[i].err || (int)fault.err != cases[i].err ||
            fault.part != query_text + cases[i].at || fault.part_len != strlen(cases[i].name) ||
            fault.limit != cases[i].limit || fault.offset != QR_NO_OFFSET) {
            fail_msg("%s: %d, part of %zu bytes, limit %u", cases[i].text, got, fault.part_len,
                     (unsigned)fault.limit);
        }
        assert_memory_equal(fault.part, cases[i].name, fault.part_len);
    }
}

static void test_query_says_where_a_name_is_missing(void **state)
{
    static const struct {
        const char *text;
        uint32_t offset;
    } cases[] = {{"since=1&&limit=1", 8}, {"=1", 0}, {"&", 0}, {"&since=1", 0}, {"since=1&", 8}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(read_query_bytes(cases[i].text, strlen(cases[i].text)),
                         QR_ERR_PARAM_UNKNOWN);
        assert_int_equal(fault.offset, cases[i].offset);
        assert_int_equal(fault.part_len, strlen("query"));
        assert_memory_equal(fault.part, "query", fault.part_len);
    }
}

static void test_query_cut_at_every_length_is_whole_or_refused(void **state)
{
    static const char text[] = "since=123&limit=45";

    (void)state;
    for (size_t len = 1; len < sizeof text; len++) {
        char last = text[len - 1];
        int got = read_query_bytes(text, len);
        if (last >= '0' && last <= '9') {
            assert_int_equal(got, 0);
        } else {
            assert_true(got == QR_ERR_PARAM_UNKNOWN || got == QR_ERR_PARAM_VALUE);
        }
    }
}

/* ---- filters and waiting ---- */

static struct qr_span span(const char *text)
{
    return (struct qr_span){text, strlen(text)};
}

static void test_query_takes_wait_up_to_the_limit(void **state)
{
    (void)state;
    assert_int_equal(read_query_bytes("", 0), 0);
    assert_int_equal(query.wait_s, 0);
    assert_int_equal(read_query_bytes("wait=0", 6), 0);
    assert_int_equal(query.wait_s, 0);
    assert_int_equal(read_query_bytes("wait=60", 7), 0);
    assert_int_equal(query.wait_s, 60);
    assert_int_equal(read_query_bytes("wait=61", 7), QR_ERR_PARAM_VALUE);
    assert_int_equal(fault.limit, 60);
    assert_int_equal(read_query_bytes("wait=1&wait=1", 13), QR_ERR_PARAM_REPEATED);
    assert_int_equal(read_query_bytes("wait=", 5), QR_ERR_PARAM_VALUE);
}

static void test_query_refuses_what_is_not_allowed(void **state)
{
    static const struct {
        const char *text;
        unsigned allowed;
    } cases[] = {
        {"since=1", ALL & ~(unsigned)QR_PARAM_SINCE},
        {"limit=1", ALL & ~(unsigned)QR_PARAM_LIMIT},
        {"groupID=1", ALL & ~(unsigned)QR_PARAM_GROUP_ID},
        {"userID=1", ALL & ~(unsigned)QR_PARAM_USER_ID},
        {"wait=1", ALL & ~(unsigned)QR_PARAM_WAIT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].text);
        assert_int_equal(qr_query_read(&query, ALL, cases[i].text, len, &fault), 0);
        assert_int_equal(qr_query_read(&query, cases[i].allowed, cases[i].text, len, &fault),
                         QR_ERR_PARAM_UNKNOWN);
    }
}

static void test_query_filters_by_ids_percent_decoded(void **state)
{
    static const struct {
        const char *text, *group_id, *user_id;
        bool taken;
    } cases[] = {
        {"", "g", "u", true},
        {"since=1", "g", "u", true},
        {"groupID=g", "g", "u", true},
        {"groupID=g", "G", "u", false},
        {"groupID=g", "gg", "u", false},
        {"groupID=gg", "g", "u", false},
        {"groupID=u", "g", "u", false},
        {"userID=u", "g", "u", true},
        {"userID=g", "g", "u", false},
        {"groupID=g&userID=u", "g", "u", true},
        {"userID=u&groupID=g", "g", "u", true},
        {"groupID=g&userID=v", "g", "u", false},
        {"groupID=h&userID=u", "g", "u", false},
        {"groupID=%67", "g", "u", true},
        {"groupID=a%20b", "a b", "u", true},
        {"groupID=a+b", "a+b", "u", true},
        {"groupID=a+b", "a b", "u", false},
        {"groupID=%e6%BC%a2", "\xe6\xbc\xa2", "u", true},
        {"groupID=%e6%BC%a2", "\xe6\xbc\xa3", "u", false},
        {"groupID=%e6%BC", "\xe6\xbc\xa2", "u", false},
        {"groupID=a=b", "a=b", "u", true},
        {"groupID=a%26b%3d%25", "a&b=%", "u", true},
        {"userID=%00", "g", "u", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(read_query_bytes(cases[i].text, strlen(cases[i].text)), 0);
        if (qr_query_takes(&query, span(cases[i].group_id), span(cases[i].user_id)) !=
            cases[i].taken) {
            fail_msg("%s: %s, %s", cases[i].text, cases[i].group_id, cases[i].user_id);
        }
    }
}

static void test_query_refuses_bad_ids(void **state)
{
    static const char *const texts[] = {"groupID=", "groupID", "userID=&since=1", "userID"};
    char text[16 + 3 * (QR_ID_MAX + 1)] = "groupID=";
    size_t len = strlen(text);

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(read_query_bytes(texts[i], strlen(texts[i])), QR_ERR_PARAM_VALUE);
    }
    assert_int_equal(read_query_bytes("groupID=a&groupID=a", 19), QR_ERR_PARAM_REPEATED);
    for (size_t i = 0; i < QR_ID_MAX; i++) {
        memcpy(text + len, "%41", 3);
        len += 3;
    }
    assert_int_equal(read_query_bytes(text, len), 0);
    text[len++] = 'A';
    assert_int_equal(read_query_bytes(text, len), QR_ERR_PARAM_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_takes_since_and_limit),
        cmocka_unit_test(test_query_without_question_mark_is_default),
        cmocka_unit_test(test_query_names_the_parameter_that_it_refuses),
        cmocka_unit_test(test_query_says_where_a_name_is_missing),
        cmocka_unit_test(test_query_cut_at_every_length_is_whole_or_refused),
        cmocka_unit_test(test_query_takes_wait_up_to_the_limit),
        cmocka_unit_test(test_query_refuses_what_is_not_allowed),
        cmocka_unit_test(test_query_filters_by_ids_percent_decoded),
        cmocka_unit_test(test_query_refuses_bad_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

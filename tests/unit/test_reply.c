#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "guard.h"
#include "src/json.h"
#include "src/reply.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A text that may hold NUL, and its length. */
#define TEXT(literal) literal, sizeof(literal) - 1

/* ---- a buffer with room for all, for tests of what is written ---- */

static char text[8192];
static struct qr_out out;

static void begin(void)
{
    memset(text, 0, sizeof text);
    qr_out_init(&out, text, sizeof text - 1);
}

static void assert_written(const char *wanted)
{
    assert_false(out.full);
    assert_int_equal(out.len, strlen(wanted));
    assert_string_equal(text, wanted);
}

/* ---- all or nothing ---- */

/* A call under test. */
struct call {
    const char *name;
    void (*write)(struct qr_out *);
};

/* Makes the call with every room from none to more than enough, behind bytes that are there
 * already. The buffer ends at the guard page. */
static void assert_all_or_nothing(const struct call *call)
{
    static const char there[] = "abc";
    const size_t there_len = sizeof there - 1;
    char whole[1024];

    begin();
    call->write(&out);
    assert_true(!out.full && out.len < sizeof whole && out.len > 0);
    const size_t whole_len = out.len;
    memcpy(whole, text, whole_len);
    for (size_t room = 0; room <= whole_len + 3; room++) {
        size_t cap = there_len + room;
        struct qr_out tight;
        qr_out_init(&tight, guard_copy(text, cap), cap);
        qr_out_bytes(&tight, there, there_len);
        call->write(&tight);
        bool fits = room >= whole_len;
        size_t wanted = there_len + (fits ? whole_len : 0);
        if (tight.full == fits || tight.len != wanted || tight.cap != cap) {
            fail_msg("%s with room for %zu of %zu bytes: wrote %zu, full %d", call->name, room,
                     whole_len, tight.len - there_len, tight.full);
        }
        assert_memory_equal(tight.bytes, there, there_len);
        assert_memory_equal(tight.bytes + there_len, whole, tight.len - there_len);
    }
}

static void write_bytes(struct qr_out *o)
{
    qr_out_bytes(o, "some\0bytes", 10);
}

static void write_text(struct qr_out *o)
{
    qr_out_text(o, "some text");
}

static void write_u64(struct qr_out *o)
{
    qr_out_u64(o, 1234567890);
}

static void write_json(struct qr_out *o)
{
    qr_out_json(o, "a\"\n\x01\xc3\xa9\xff", 7);
}

static void write_empty_json(struct qr_out *o)
{
    qr_out_json(o, "", 0);
}

static void write_time(struct qr_out *o)
{
    qr_out_time(o, 1767323045678);
}

static void write_null_time(struct qr_out *o)
{
    qr_out_time(o, 0);
}

static void write_place(struct qr_out *o)
{
    const struct qr_fault fault = {QR_ERR_ID_TOO_LONG, 17, 255, "groupID", 7};

    qr_out_fault_place(o, &fault);
}

static void write_head(struct qr_out *o)
{
    const struct qr_reply_head head = {.status = 405,
                                       .content_type = "application/json",
                                       .allow = "POST",
                                       .no_cache = true,
                                       .content_length = 123,
                                       .close = true,
                                       .unix_ms = 1767323045678};

    qr_reply_head(o, &head);
}

static void test_reply_simple_call_writes_all_or_nothing_at_every_cap(void **state)
{
    static const struct call calls[] = {
        {"bytes", write_bytes}, {"text", write_text},       {"u64", write_u64},
        {"json", write_json},   {"json", write_empty_json}, {"time", write_null_time},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(calls); i++) {
        assert_all_or_nothing(&calls[i]);
    }
}

static void test_reply_time_writes_all_or_nothing_at_every_cap(void **state)
{
    (void)state;
    assert_all_or_nothing(&(struct call){"time", write_time});
}

static void test_reply_fault_place_writes_all_or_nothing_at_every_cap(void **state)
{
    (void)state;
    assert_all_or_nothing(&(struct call){"fault place", write_place});
}

static void test_reply_head_writes_all_or_nothing_at_every_cap(void **state)
{
    (void)state;
    assert_all_or_nothing(&(struct call){"head", write_head});
}

static void test_reply_full_stays_set_when_later_calls_fit(void **state)
{
    char bytes[8];
    struct qr_out small;

    (void)state;
    qr_out_init(&small, bytes, sizeof bytes);
    qr_out_text(&small, "a");
    assert_false(small.full);
    qr_out_text(&small, "too long for it");
    assert_true(small.full);
    qr_out_text(&small, "b");
    qr_out_u64(&small, 1);
    qr_out_json(&small, "", 0);
    qr_out_time(&small, 0);
    qr_out_bytes(&small, "", 0);
    (void)qr_out_json_part(&small, "c", 1);
    assert_true(small.full);
    assert_true(small.len <= sizeof bytes);
}

static void test_reply_init_forgets_what_was_written(void **state)
{
    char bytes[4];
    struct qr_out small;

    (void)state;
    qr_out_init(&small, bytes, sizeof bytes);
    qr_out_text(&small, "ab");
    qr_out_text(&small, "cde");
    qr_out_init(&small, bytes, sizeof bytes);
    assert_false(small.full);
    assert_int_equal(small.len, 0);
    qr_out_text(&small, "wxyz");
    assert_false(small.full);
    assert_memory_equal(bytes, "wxyz", 4);
}

/* ---- numbers ---- */

static void assert_number(uint64_t value)
{
    char wanted[24];

    (void)snprintf(wanted, sizeof wanted, "%" PRIu64, value);
    begin();
    qr_out_u64(&out, value);
    assert_written(wanted);
}

static void test_reply_u64_is_decimal_for_every_length(void **state)
{
    uint64_t power = 1;

    (void)state;
    assert_number(0);
    for (int digits = 1; digits <= 20; digits++) {
        assert_number(power - 1);
        assert_number(power);
        assert_number(power + 1);
        assert_number(power / 9 * 10);
        power *= 10;
    }
    for (int bit = 0; bit < 64; bit++) {
        assert_number((uint64_t)1 << bit);
        assert_number(((uint64_t)1 << bit) - 1);
    }
    assert_number(UINT64_MAX);
    assert_number(UINT64_MAX - 1);
}

/* ---- times ---- */

static void test_reply_time_is_rfc3339_for_known_instants(void **state)
{
    static const struct {
        uint64_t unix_ms;
        const char *wanted;
    } cases[] = {
        {0, "null"},
        {1, "\"1970-01-01T00:00:00.001Z\""},
        {999, "\"1970-01-01T00:00:00.999Z\""},
        {1000, "\"1970-01-01T00:00:01.000Z\""},
        {86399999, "\"1970-01-01T23:59:59.999Z\""},
        {86400000, "\"1970-01-02T00:00:00.000Z\""},
        {951782399999, "\"2000-02-28T23:59:59.999Z\""},
        {951782400000, "\"2000-02-29T00:00:00.000Z\""},
        {951868800000, "\"2000-03-01T00:00:00.000Z\""},
        {978307199999, "\"2000-12-31T23:59:59.999Z\""},
        {978307200000, "\"2001-01-01T00:00:00.000Z\""},
        {1767323045678, "\"2026-01-02T03:04:05.678Z\""},
        {2147483647999, "\"2038-01-19T03:14:07.999Z\""},
        {2147483648000, "\"2038-01-19T03:14:08.000Z\""},
        {4107542399999, "\"2100-02-28T23:59:59.999Z\""},
        {4107542400000, "\"2100-03-01T00:00:00.000Z\""},
        {4294967295999, "\"2106-02-07T06:28:15.999Z\""},
        {4294967296000, "\"2106-02-07T06:28:16.000Z\""},
        {253402300799999, "\"9999-12-31T23:59:59.999Z\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        qr_out_time(&out, cases[i].unix_ms);
        assert_written(cases[i].wanted);
    }
}

static void assert_time_as_libc(uint64_t unix_ms)
{
    char wanted[128];
    struct tm tm;
    time_t seconds = (time_t)(unix_ms / 1000);

    if (unix_ms == 0) {
        return;
    }
    assert_non_null(gmtime_r(&seconds, &tm));
    (void)snprintf(wanted, sizeof wanted, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03uZ\"",
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                   (unsigned)(unix_ms % 1000));
    begin();
    qr_out_time(&out, unix_ms);
    assert_written(wanted);
}

enum { MS_A_DAY = 86400000 };

static void test_reply_time_is_libcs_on_each_day_from_1970_to_2110(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 51200; day++) {
        assert_time_as_libc(day * MS_A_DAY + day * 7919 % MS_A_DAY);
    }
}

/* The days around each February's end and each year's end. Day 59 of a year, from 0, is 1 March or,
 * in a leap year, 29 February. */
static void test_reply_time_is_libcs_around_each_leap_day_to_9999(void **state)
{
    static const unsigned days[] = {0, 58, 59, 60, 364, 365};
    const uint64_t end = 253402300800000;
    uint64_t year_ms = 0;

    (void)state;
    for (unsigned year = 1970; year_ms < end; year++) {
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (size_t i = 0; i < COUNT(days); i++) {
            assert_time_as_libc(year_ms + (uint64_t)days[i] * MS_A_DAY);
            assert_time_as_libc(year_ms + (uint64_t)days[i] * MS_A_DAY + MS_A_DAY - 1);
        }
        year_ms += (leap ? 366u : 365u) * (uint64_t)MS_A_DAY;
    }
    assert_true(year_ms == end);
}

static void test_reply_time_is_libcs_at_each_second_and_millisecond(void **state)
{
    (void)state;
    for (uint64_t second = 0; second < 86400; second += 7) {
        assert_time_as_libc(1700000000000 + second * 1000 + second % 1000);
    }
    for (uint64_t ms = 0; ms < 1000; ms++) {
        assert_time_as_libc(1700000059000 + ms);
    }
}

/* A device may have any clock: the document must stay JSON, and short. */
static void test_reply_time_is_short_string_for_any_clock(void **state)
{
    struct qr_fault fault;

    (void)state;
    for (int bit = 40; bit < 64; bit++) {
        begin();
        qr_out_time(&out, UINT64_MAX >> (63 - bit));
        assert_true(!out.full && out.len <= 40);
        assert_int_equal(qr_json_read(text, out.len, &fault), 0);
        assert_int_equal(qr_json_type(0), QR_JSON_STRING);
    }
}

/* ---- JSON strings ---- */

/* What the bytes are written as, without the quotes around it, into text. */
static void write_inside(const char *bytes, size_t len)
{
    begin();
    qr_out_json(&out, guard_copy(bytes, len), len);
    assert_false(out.full);
    assert_true(out.len >= 2 && text[0] == '"' && text[out.len - 1] == '"');
    memmove(text, text + 1, out.len - 2);
    out.len -= 2;
    text[out.len] = '\0';
}

static void assert_round_trip(const char *bytes, size_t len)
{
    char decoded[1024];
    struct qr_fault fault;

    begin();
    qr_out_json(&out, guard_copy(bytes, len), len);
    assert_false(out.full);
    assert_int_equal(qr_json_read(text, out.len, &fault), 0);
    assert_int_equal(qr_json_type(0), QR_JSON_STRING);
    assert_int_equal(qr_json_string(0, decoded, sizeof decoded), len);
    assert_memory_equal(decoded, bytes, len);
}

static void test_reply_json_comes_back_for_every_ascii_byte(void **state)
{
    (void)state;
    assert_round_trip("", 0);
    for (int c = 0; c < 0x80; c++) {
        char bytes[3] = {(char)c, 'x', (char)c};
        for (size_t len = 1; len <= sizeof bytes; len++) {
            assert_round_trip(bytes, len);
        }
    }
}

static void test_reply_json_leaves_plain_text_as_it_is(void **state)
{
    (void)state;
    for (int c = 0x20; c < 0x7f; c++) {
        const char bytes[2] = {(char)c, '\0'};
        write_inside(bytes, 1);
        if (c == '"' || c == '\\') {
            assert_int_equal(out.len, 2);
            assert_true(text[0] == '\\' && text[1] == (char)c);
        } else {
            assert_written(bytes);
        }
    }
    write_inside(TEXT("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"));
    assert_written("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
}

static void test_reply_json_marks_every_byte_that_is_no_character(void **state)
{
    (void)state;
    for (int c = 0x80; c <= 0xff; c++) {
        const char bytes[3] = {'a', (char)c, 'z'};
        write_inside(bytes + 1, 1);
        assert_written("\\ufffd");
        write_inside(bytes, 2);
        assert_written("a\\ufffd");
        write_inside(bytes, 3);
        assert_written("a\\ufffdz");
    }
}

#define BAD "\\ufffd"

static void test_reply_json_marks_invalid_utf8_byte_by_byte(void **state)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
        const char *wanted;
    } cases[] = {
        {"2 bytes cut short", TEXT("\xc3"), BAD},
        {"2 bytes broken off", TEXT("\xc3("), BAD "("},
        {"3 bytes cut short", TEXT("\xe2\x82"), BAD BAD},
        {"3 bytes broken off", TEXT("\xe2\x82z"), BAD BAD "z"},
        {"4 bytes cut short", TEXT("\xf0\x9f\x98"), BAD BAD BAD},
        {"4 bytes broken off by another", TEXT("\xf0\x9f\x98\xc3\xa9"), BAD BAD BAD "\xc3\xa9"},
        {"overlong NUL", TEXT("\xc0\x80"), BAD BAD},
        {"overlong quote", TEXT("\xc0\xa2"), BAD BAD},
        {"overlong slash in 3", TEXT("\xe0\x80\xaf"), BAD BAD BAD},
        {"surrogate", TEXT("\xed\xa0\x80"), BAD BAD BAD},
        {"over U+10FFFF", TEXT("\xf4\x90\x80\x80"), BAD BAD BAD BAD},
        {"5 bytes", TEXT("\xf8\x88\x80\x80\x80"), BAD BAD BAD BAD BAD},
        {"continuation behind a character", TEXT("\xe2\x82\xac\x80"), "\xe2\x82\xac" BAD},
        {"control character inside a character", TEXT("\xc3\n"), BAD "\\n"},
        {"quote inside a character", TEXT("\xe2\x82\""), BAD BAD "\\\""},
        {"NUL between", TEXT("\xff\0\xff"), BAD "\\u0000" BAD},
        {"first of 2 bytes", TEXT("\xc2\x80"), "\xc2\x80"},
        {"last of 3 bytes", TEXT("\xef\xbf\xbf"), "\xef\xbf\xbf"},
        {"last of 4 bytes", TEXT("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_inside(cases[i].bytes, cases[i].len);
        if (strcmp(text, cases[i].wanted) != 0) {
            fail_msg("%s: %s, wanted %s", cases[i].what, text, cases[i].wanted);
        }
    }
}

static void test_reply_json_is_valid_for_every_two_bytes(void **state)
{
    struct qr_fault fault;

    (void)state;
    for (unsigned two = 0; two <= 0xffff; two++) {
        const char bytes[2] = {(char)(two >> 8), (char)two};
        begin();
        qr_out_json(&out, guard_copy(bytes, 2), 2);
        if (out.full || qr_json_read(text, out.len, &fault) != 0 ||
            qr_json_type(0) != QR_JSON_STRING) {
            fail_msg("%04x: %s", two, text);
        }
    }
}

/* ---- JSON strings in parts ---- */

/* Each of these is one character, or one byte that is none. */
static const char *const units[] = {
    "a",
    "\"",
    "\xf0\x9f\x98\x80",
    "\\",
    "\n",
    "b",
    "\x01",
    "\xc3\xa9",
    "\xff",
    "\xe2\x82\xac",
    "\x80",
    "\x7f",
    "/",
    "\x1f",
    "\xc3",
    "z",
    "\xed",
    "\xa0",
    "\t",
};

static size_t written_len(const char *bytes)
{
    write_inside(bytes, strlen(bytes));
    return out.len;
}

/* How many bytes of the units from *unit on fit into the room; moves *unit behind them. */
static size_t fitting(size_t *unit, size_t room)
{
    size_t taken = 0;

    while (*unit < COUNT(units) && written_len(units[*unit]) <= room) {
        room -= written_len(units[*unit]);
        taken += strlen(units[*unit]);
        ++*unit;
    }
    return taken;
}

/* Writes all in parts of at most cap bytes, behind bytes that are there already. */
static void assert_parts_make_whole(const char *all, size_t all_len, size_t cap, size_t there,
                                    const char *whole, size_t whole_len)
{
    char joined[1024];
    size_t joined_len = 0, done = 0, unit = 0;

    while (done < all_len) {
        size_t wanted = fitting(&unit, cap);
        struct qr_out part;
        qr_out_init(&part, guard_copy(joined, there + cap), there + cap);
        part.len = there;
        size_t taken = qr_out_json_part(&part, all + done, all_len - done);
        if (taken != wanted || part.full) {
            fail_msg("room %zu at byte %zu: took %zu, wanted %zu", cap, done, taken, wanted);
        }
        memcpy(joined + joined_len, part.bytes + there, part.len - there);
        joined_len += part.len - there;
        done += taken;
    }
    assert_int_equal(joined_len, whole_len);
    assert_memory_equal(joined, whole, whole_len);
}

static void test_reply_json_part_resumed_at_every_cap_gives_the_whole(void **state)
{
    char all[256], whole[512];
    size_t all_len = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(units); i++) {
        memcpy(all + all_len, units[i], strlen(units[i]));
        all_len += strlen(units[i]);
    }
    write_inside(all, all_len);
    const size_t whole_len = out.len;
    memcpy(whole, text, whole_len);
    for (size_t cap = 6; cap <= whole_len + 2; cap++) {
        assert_parts_make_whole(all, all_len, cap, 0, whole, whole_len);
        assert_parts_make_whole(all, all_len, cap, 5, whole, whole_len);
    }
}

static void test_reply_json_part_takes_nothing_where_no_character_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(units); i++) {
        size_t needed = written_len(units[i]);
        for (size_t cap = 0; cap < needed; cap++) {
            struct qr_out part;
            qr_out_init(&part, guard_copy(text, cap), cap);
            assert_int_equal(qr_out_json_part(&part, units[i], strlen(units[i])), 0);
            assert_int_equal(part.len, 0);
            assert_false(part.full);
        }
    }
}

static void test_reply_json_part_of_nothing_is_done(void **state)
{
    struct qr_out part;

    (void)state;
    qr_out_init(&part, text, 0);
    assert_int_equal(qr_out_json_part(&part, "", 0), 0);
    assert_int_equal(part.len, 0);
    assert_false(part.full);
}

/* ---- the head ---- */

/* The value of the field in the head in text, in a buffer of its own; NULL where there is none. */
static const char *field(const char *name)
{
    static char value[256];
    char wanted[64];
    const char *line = strstr(text, "\r\n");
    bool found = false;

    (void)snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    for (; line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncmp(line, wanted, strlen(wanted)) == 0) {
            assert_false(found); /* no field comes twice */
            found = true;
            const char *at = line + strlen(wanted);
            size_t len = strcspn(at, "\r");
            assert_true(len < sizeof value);
            memcpy(value, at, len);
            value[len] = '\0';
        }
    }
    return found ? value : NULL;
}

static size_t field_count(void)
{
    size_t lines = 0;

    for (const char *line = strstr(text, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        lines++;
    }
    return lines - 2; /* the status line's end and the empty line's */
}

/* RFC 9112 sections 2.1, 4 and 5: lines end with CR LF, hold no control character, the last one is
 * empty, and the others are fields. */
static void assert_head_is_well_formed(void)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
    const char *line = strstr(text, "\r\n");

    assert_false(out.full);
    assert_true(out.len >= 4 && out.len <= QR_REPLY_HEAD_MAX && strlen(text) == out.len);
    assert_string_equal(text + out.len - 4, "\r\n\r\n");
    assert_ptr_equal(strstr(text, "\r\n\r\n"), text + out.len - 4);
    while (line[2] != '\r') {
        line += 2;
        size_t name_len = strspn(line, token);
        assert_true(name_len > 0);
        assert_true(line[name_len] == ':' && line[name_len + 1] == ' ' && line[name_len + 2] > ' ');
        size_t len = strcspn(line, "\r\n");
        assert_true(line[len] == '\r' && line[len + 1] == '\n' && line[len - 1] != ' ');
        line += len;
    }
}

static void write_and_check(const struct qr_reply_head *head)
{
    begin();
    qr_reply_head(&out, head);
    assert_head_is_well_formed();
}

static void assert_field(const char *name, const char *wanted)
{
    const char *value = field(name);

    if (wanted == NULL) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_string_equal(value, wanted);
}

/* RFC 9110 section 15.5.16 */
static void test_reply_head_names_the_content_coding_that_is_taken(void **state)
{
    const struct qr_reply_head refused = {.status = 415, .content_type = "a/b"};
    const struct qr_reply_head other = {.status = 413, .content_type = "a/b"};

    (void)state;
    write_and_check(&refused);
    assert_field("Accept-Encoding", "identity");
    write_and_check(&other);
    assert_field("Accept-Encoding", NULL);
}

static void test_reply_head_names_the_status(void **state)
{
    static const struct {
        unsigned status;
        const char *line;
    } lines[] = {
        {200, "HTTP/1.1 200 OK\r\n"},
        {400, "HTTP/1.1 400 Bad Request\r\n"},
        {404, "HTTP/1.1 404 Not Found\r\n"},
        {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
        {408, "HTTP/1.1 408 Request Timeout\r\n"},
        {413, "HTTP/1.1 413 Content Too Large\r\n"},
        {414, "HTTP/1.1 414 URI Too Long\r\n"},
        {415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
        {417, "HTTP/1.1 417 Expectation Failed\r\n"},
        {421, "HTTP/1.1 421 Misdirected Request\r\n"},
        {422, "HTTP/1.1 422 Unprocessable Content\r\n"},
        {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
        {500, "HTTP/1.1 500 Internal Server Error\r\n"},
        {501, "HTTP/1.1 501 Not Implemented\r\n"},
        {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
        {299, "HTTP/1.1 299 \r\n"}, /* the space stays where there is no phrase */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        const struct qr_reply_head head = {.status = lines[i].status, .content_type = "a/b"};
        write_and_check(&head);
        text[strcspn(text, "\n") + 1] = '\0';
        assert_string_equal(text, lines[i].line);
    }
}

static void test_reply_head_frames_by_length(void **state)
{
    static const struct {
        size_t len;
        const char *wanted;
    } cases[] = {{0, "0"}, {7, "7"}, {123456, "123456"}};
    char most[24];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_and_check(&(struct qr_reply_head){
            .status = 200, .content_type = "a/b", .content_length = cases[i].len});
        assert_field("Content-Length", cases[i].wanted);
        assert_field("Transfer-Encoding", NULL);
    }
    (void)snprintf(most, sizeof most, "%zu", SIZE_MAX);
    write_and_check(
        &(struct qr_reply_head){.status = 200, .content_type = "a/b", .content_length = SIZE_MAX});
    assert_field("Content-Length", most);
}

static void test_reply_head_frames_by_chunks(void **state)
{
    (void)state;
    write_and_check(&(struct qr_reply_head){
        .status = 200, .content_type = "a/b", .framing = QR_FRAMING_CHUNKED, .content_length = 5});
    assert_field("Transfer-Encoding", "chunked");
    assert_field("Content-Length", NULL);
}

static void test_reply_head_frames_by_close(void **state)
{
    (void)state;
    write_and_check(&(struct qr_reply_head){.status = 200,
                                            .content_type = "a/b",
                                            .framing = QR_FRAMING_CLOSE,
                                            .content_length = 5,
                                            .close = true});
    assert_field("Transfer-Encoding", NULL);
    assert_field("Content-Length", NULL);
    assert_field("Connection", "close");
}

/* A close that was decided on is announced, whatever the client asked for. */
static void test_reply_head_announces_close_before_keep_alive(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool close = (i & 1) != 0, keep_alive = (i & 2) != 0;
        write_and_check(&(struct qr_reply_head){
            .status = 200, .content_type = "a/b", .close = close, .keep_alive = keep_alive});
        if (close) {
            assert_field("Connection", "close");
        } else {
            assert_field("Connection", keep_alive ? "keep-alive" : NULL);
        }
    }
}

static void test_reply_head_has_exactly_the_fields_asked_for(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 3 * 16; bits++) {
        const struct qr_reply_head head = {
            .status = 405,
            .content_type = "text/plain; charset=utf-8",
            .allow = (bits & 1) != 0 ? "GET, HEAD" : NULL,
            .no_cache = (bits & 2) != 0,
            .close = (bits & 4) != 0,
            .unix_ms = (bits & 8) != 0 ? 784111777000 : 0,
            .framing = (enum qr_framing)(bits / 16),
            .content_length = 12,
        };
        size_t wanted = 1u + (head.allow != NULL) + head.no_cache + head.close +
                        (head.unix_ms != 0) + (head.framing != QR_FRAMING_CLOSE);
        write_and_check(&head);
        assert_field("Content-Type", "text/plain; charset=utf-8");
        assert_field("Allow", head.allow);
        assert_field("Cache-Control", head.no_cache ? "no-cache" : NULL);
        assert_field("Connection", head.close ? "close" : NULL);
        assert_field("Date", head.unix_ms != 0 ? "Sun, 06 Nov 1994 08:49:37 GMT" : NULL);
        assert_int_equal(field_count(), wanted);
    }
}

static void assert_date_as_libc(uint64_t unix_ms)
{
    char wanted[64];
    struct tm tm;
    time_t seconds = (time_t)(unix_ms / 1000);

    assert_non_null(gmtime_r(&seconds, &tm));
    assert_int_not_equal(strftime(wanted, sizeof wanted, "%a, %d %b %Y %H:%M:%S GMT", &tm), 0);
    write_and_check(
        &(struct qr_reply_head){.status = 200, .content_type = "a/b", .unix_ms = unix_ms});
    assert_field("Date", wanted);
}

static void test_reply_head_date_is_libcs(void **state)
{
    (void)state;
    assert_date_as_libc(1);
    assert_date_as_libc(999);
    assert_date_as_libc(253402300799999);
    for (uint64_t day = 0; day < 4000; day++) {
        assert_date_as_libc(946684800000 + day * MS_A_DAY + day * 7919 % MS_A_DAY);
    }
    for (uint64_t year = 0; year < 8000; year++) {
        assert_date_as_libc(1 + year * 31556952000);
    }
}

/* Writes the first head, then the second: the text is the second one's. */
static void write_both(const struct qr_reply_head *first, const struct qr_reply_head *second)
{
    begin();
    qr_reply_head(&out, first);
    write_and_check(second);
}

/* A head that differs from the one before in a single member must not be that one. */
static void test_reply_head_differs_from_the_last_one_in_each_member(void **state)
{
    const struct qr_reply_head base = {
        .status = 200, .content_type = "a/b", .content_length = 66, .unix_ms = 784111777000};
    const struct qr_reply_head other = {.status = 404, .content_type = "c/d", .allow = "X"};
    struct qr_reply_head changed[] = {base, base, base, base, base, base, base, base, base};
    char fresh[QR_REPLY_HEAD_MAX + 1], before[QR_REPLY_HEAD_MAX + 1];

    (void)state;
    changed[0].status = 422;
    changed[1].content_type = "c/d";
    changed[2].allow = "GET";
    changed[3].no_cache = true;
    changed[4].framing = QR_FRAMING_CHUNKED;
    changed[5].content_length = 67;
    changed[6].close = true;
    changed[7].keep_alive = true;
    changed[8].unix_ms = 0;
    write_both(&other, &base);
    memcpy(before, text, sizeof before);
    for (size_t i = 0; i < COUNT(changed); i++) {
        write_both(&other, &changed[i]);
        memcpy(fresh, text, sizeof fresh);
        assert_string_not_equal(fresh, before);
        write_both(&base, &changed[i]);
        assert_string_equal(text, fresh);
        write_both(&changed[i], &base);
        assert_string_equal(text, before);
    }
}

static void test_reply_head_date_follows_the_clock_wherever_it_goes(void **state)
{
    static const uint64_t clock[] = {0,    1,    999,           1000,          1999,         1000,
                                     2000, 1999, 784111777999u, 784111777000u, 784111778000, 0,
                                     999,  0,    UINT32_MAX,    5000};

    (void)state;
    for (size_t i = 0; i < COUNT(clock); i++) {
        if (clock[i] != 0) {
            assert_date_as_libc(clock[i]);
            continue;
        }
        write_and_check(&(struct qr_reply_head){.status = 200, .content_type = "a/b"});
        assert_field("Date", NULL);
    }
}

/* The longest values of every member together, with every status that a reply can have. */
static void test_reply_head_at_its_largest_is_within_its_maximum(void **state)
{
    static const unsigned close_or_keep[][2] = {{1, 0}, {0, 1}};
    size_t largest = 0;

    (void)state;
    for (int err = 0; err >= -10000; err--) {
        unsigned status = err == 0 ? 200 : qr_err_status((enum qr_err)err);
        for (size_t i = 0; i < COUNT(close_or_keep); i++) {
            write_and_check(
                &(struct qr_reply_head){.status = status,
                                        .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                        .allow = "GET, HEAD, POST",
                                        .no_cache = true,
                                        .framing = QR_FRAMING_LENGTH,
                                        .content_length = SIZE_MAX,
                                        .close = close_or_keep[i][0] != 0,
                                        .keep_alive = close_or_keep[i][1] != 0,
                                        .unix_ms = 253402300799999});
            largest = out.len > largest ? out.len : largest;
        }
    }
    assert_true(largest <= QR_REPLY_HEAD_MAX);
}

/* ---- the place of a fault ---- */

static void test_reply_fault_place_says_where(void **state)
{
    static const struct {
        struct qr_fault fault;
        const char *wanted;
    } cases[] = {
        {{QR_ERR_ID_TOO_LONG, QR_NO_OFFSET, 255, "groupID", 7}, "groupID, at most 255 bytes"},
        {{QR_ERR_JSON_SYNTAX, 17, 0, "content", 7}, "content, byte 17"},
        {{QR_ERR_JSON_SYNTAX, 0, 0, "content", 7}, "content, byte 0"},
        {{QR_ERR_FIELD_MISSING, QR_NO_OFFSET, 0, "userID", 6}, "userID"},
        {{QR_ERR_ID_TOO_LONG, 44, 255, "userID", 6}, "userID, byte 44, at most 255 bytes"},
        {{QR_ERR_JSON_DEPTH, QR_NO_OFFSET, 32, "content", 7}, "content, at most 32 levels"},
        {{QR_ERR_JSON_TOKENS, QR_NO_OFFSET, 256, "content", 7},
         "content, at most 256 values and names"},
        {{QR_ERR_HEAD_TIMEOUT, QR_NO_OFFSET, 10000, "head", 4}, "head, at most 10000 ms"},
        {{QR_ERR_PARAM_VALUE, QR_NO_OFFSET, 65535, "limit=0&since=1", 5},
         "limit, at most 65535 as its value"},
        {{QR_ERR_JSON_SYNTAX, UINT32_MAX - 1, UINT32_MAX, "x", 1},
         "x, byte 4294967294, at most 4294967295 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct qr_fault fault = cases[i].fault;
        fault.part = guard_copy(fault.part, fault.part_len); /* it is not terminated */
        begin();
        qr_out_fault_place(&out, &fault);
        assert_written(cases[i].wanted);
    }
}

static void test_reply_fault_place_is_empty_without_part(void **state)
{
    const struct qr_fault fault = {QR_ERR_NOT_FOUND, QR_NO_OFFSET, 0, NULL, 0};

    (void)state;
    begin();
    qr_out_fault_place(&out, &fault);
    assert_written("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply_simple_call_writes_all_or_nothing_at_every_cap),
        cmocka_unit_test(test_reply_time_writes_all_or_nothing_at_every_cap),
        cmocka_unit_test(test_reply_fault_place_writes_all_or_nothing_at_every_cap),
        cmocka_unit_test(test_reply_head_writes_all_or_nothing_at_every_cap),
        cmocka_unit_test(test_reply_full_stays_set_when_later_calls_fit),
        cmocka_unit_test(test_reply_init_forgets_what_was_written),
        cmocka_unit_test(test_reply_u64_is_decimal_for_every_length),
        cmocka_unit_test(test_reply_time_is_rfc3339_for_known_instants),
        cmocka_unit_test(test_reply_time_is_libcs_on_each_day_from_1970_to_2110),
        cmocka_unit_test(test_reply_time_is_libcs_around_each_leap_day_to_9999),
        cmocka_unit_test(test_reply_time_is_libcs_at_each_second_and_millisecond),
        cmocka_unit_test(test_reply_time_is_short_string_for_any_clock),
        cmocka_unit_test(test_reply_json_comes_back_for_every_ascii_byte),
        cmocka_unit_test(test_reply_json_leaves_plain_text_as_it_is),
        cmocka_unit_test(test_reply_json_marks_every_byte_that_is_no_character),
        cmocka_unit_test(test_reply_json_marks_invalid_utf8_byte_by_byte),
        cmocka_unit_test(test_reply_json_is_valid_for_every_two_bytes),
        cmocka_unit_test(test_reply_json_part_resumed_at_every_cap_gives_the_whole),
        cmocka_unit_test(test_reply_json_part_takes_nothing_where_no_character_fits),
        cmocka_unit_test(test_reply_json_part_of_nothing_is_done),
        cmocka_unit_test(test_reply_head_names_the_status),
        cmocka_unit_test(test_reply_head_names_the_content_coding_that_is_taken),
        cmocka_unit_test(test_reply_head_frames_by_length),
        cmocka_unit_test(test_reply_head_frames_by_chunks),
        cmocka_unit_test(test_reply_head_frames_by_close),
        cmocka_unit_test(test_reply_head_announces_close_before_keep_alive),
        cmocka_unit_test(test_reply_head_has_exactly_the_fields_asked_for),
        cmocka_unit_test(test_reply_head_date_is_libcs),
        cmocka_unit_test(test_reply_head_differs_from_the_last_one_in_each_member),
        cmocka_unit_test(test_reply_head_date_follows_the_clock_wherever_it_goes),
        cmocka_unit_test(test_reply_head_at_its_largest_is_within_its_maximum),
        cmocka_unit_test(test_reply_fault_place_says_where),
        cmocka_unit_test(test_reply_fault_place_is_empty_without_part),
    };

    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/callback.h"
#include "src/json.h"
#include "src/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A text that may hold NUL, and its length. */
#define TEXT(literal) literal, sizeof(literal) - 1

#define QUIT_NAME     "callbackAfterQuitGroupCommand"
#define OLD_QUIT_NAME "callbackQuitGroupCommand"

/* ---- the path ---- */

static int command_of(const char *path, size_t len)
{
    return qr_callback_command(guard_copy(path, len), len);
}

static const struct path_case {
    const char *path;
    int wanted;
} path_cases[] = {
    {"/" QUIT_NAME, QR_CALLBACK_QUIT},
    {"/" OLD_QUIT_NAME, QR_CALLBACK_QUIT},
    /* WEBHOOK_ADDRESS ends in a slash, or has a path */
    {"//" QUIT_NAME, QR_CALLBACK_QUIT},
    {"//" OLD_QUIT_NAME, QR_CALLBACK_QUIT},
    {"/im/" QUIT_NAME, QR_CALLBACK_QUIT},
    {"/im/" OLD_QUIT_NAME, QR_CALLBACK_QUIT},
    {"/im//" QUIT_NAME, QR_CALLBACK_QUIT},
    {"/a/b/c/d/e/" QUIT_NAME, QR_CALLBACK_QUIT},
    {"///" QUIT_NAME, QR_CALLBACK_QUIT},
    {"/%2F%00/~x.y;z=1/" QUIT_NAME, QR_CALLBACK_QUIT},
    {"/status/" QUIT_NAME, QR_CALLBACK_QUIT},
    {"/callbackAfterJoinGroupCommand/" QUIT_NAME, QR_CALLBACK_QUIT},
    /* commands that are not known */
    {"/callbackXCommand", QR_CALLBACK_OTHER},
    {"/callbackBeforeQuitGroupCommand", QR_CALLBACK_OTHER},
    {"/callbackAfterQuitGroupsCommand", QR_CALLBACK_OTHER},
    {"/callbackAfterQuitGroupCommandCommand", QR_CALLBACK_OTHER},
    {"//im/callbackSomethingNewCommand", QR_CALLBACK_OTHER},
    {"/" QUIT_NAME "/callbackXCommand", QR_CALLBACK_OTHER},
    /* no commands */
    {"", QR_CALLBACK_NONE},
    {"*", QR_CALLBACK_NONE},
    {"/", QR_CALLBACK_NONE},
    {"//", QR_CALLBACK_NONE},
    {"/status", QR_CALLBACK_NONE},
    {"/callback", QR_CALLBACK_NONE},
    {"/Command", QR_CALLBACK_NONE},
    {"/callbackCommandX", QR_CALLBACK_NONE},
    {"/" QUIT_NAME "/", QR_CALLBACK_NONE},
    {"/" QUIT_NAME "/status", QR_CALLBACK_NONE},
    {"/" QUIT_NAME "s", QR_CALLBACK_NONE},
    {"/x" QUIT_NAME, QR_CALLBACK_NONE},
    {"/CallbackAfterQuitGroupCommand", QR_CALLBACK_NONE},
    {"/callbackafterquitgroupcommand", QR_CALLBACK_NONE},
    {"/callbackAfterQuitGroup%43ommand", QR_CALLBACK_NONE},
};

static void test_callback_command_is_the_last_segment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(path_cases); i++) {
        const struct path_case *c = &path_cases[i];
        int got = command_of(c->path, strlen(c->path));
        if (got != c->wanted) {
            fail_msg("%s: got %d, wanted %d", c->path, got, c->wanted);
        }
    }
}

static void test_callback_command_is_none_for_name_cut_short(void **state)
{
    static const char *const paths[] = {"/" QUIT_NAME, "/" OLD_QUIT_NAME,
                                        "/im/callbackAfterJoinGroupCommand"};

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        for (size_t len = 0; len < strlen(paths[i]); len++) {
            assert_int_equal(command_of(paths[i], len), QR_CALLBACK_NONE);
        }
    }
}

static void test_callback_command_differs_for_any_other_byte(void **state)
{
    char path[] = "/" QUIT_NAME;

    (void)state;
    for (size_t i = 1; i < sizeof path - 1; i++) {
        char right = path[i];
        path[i] = '_';
        assert_int_not_equal(command_of(path, sizeof path - 1), QR_CALLBACK_QUIT);
        path[i] = right;
    }
    assert_int_equal(command_of(path, sizeof path - 1), QR_CALLBACK_QUIT);
}

static void test_callback_command_is_index_of_each_name(void **state)
{
    static const char *const prefixes[] = {"/", "//", "/im/", "/im//"};
    char path[128];

    (void)state;
    for (int i = 0; i < QR_CALLBACK_NAMES; i++) {
        assert_non_null(qr_callback_names[i]);
        for (size_t k = 0; k < COUNT(prefixes); k++) {
            int len = snprintf(path, sizeof path, "%s%s", prefixes[k], qr_callback_names[i]);
            assert_int_equal(command_of(path, (size_t)len), i);
        }
    }
}

/* They stand in the status document as they are. */
static void test_callback_names_are_letters_alone(void **state)
{
    (void)state;
    for (int i = 0; i < QR_CALLBACK_NAMES; i++) {
        const char *name = qr_callback_names[i];
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                         strlen(name));
        assert_true(strlen(name) < 60);
    }
}

/* ---- the content ---- */

static struct qr_callback_quit quit;
static struct qr_fault fault;

/* Reads the content as that of a POST to the path, with the content at the guard page. */
static int read_at(const char *path, const char *content, size_t len)
{
    struct qr_request request = {
        .method = QR_METHOD_POST,
        .minor_version = 1,
        .path = path,
        .path_len = strlen(path),
        .operation_id = "",
        .content = guard_copy(content, len),
        .content_len = len,
    };

    memset(&quit, 0xee, sizeof quit);
    memset(&fault, 0xee, sizeof fault);
    return qr_callback_read(&request, &quit, &fault);
}

static int read_content(const char *content)
{
    return read_at("/" QUIT_NAME, content, strlen(content));
}

static bool is_quit(const char *group_id, size_t group_id_len, const char *user_id,
                    size_t user_id_len)
{
    return quit.quit.group_id_len == group_id_len && quit.quit.user_id_len == user_id_len &&
           memcmp(quit.quit.group_id, group_id, group_id_len) == 0 &&
           memcmp(quit.quit.user_id, user_id, user_id_len) == 0;
}

static bool is_part(const char *part)
{
    return fault.part != NULL && fault.part_len == strlen(part) &&
           memcmp(fault.part, part, fault.part_len) == 0;
}

static const struct taken {
    const char *what;
    const char *content;
    const char *group_id, *user_id;
} taken[] = {
    {"as documented",
     "{\"callbackCommand\":\"" QUIT_NAME "\",\"groupID\":\"G001\",\"userID\":\"user123\"}", "G001",
     "user123"},
    {"with OpenIM's newline",
     "{\"callbackCommand\":\"" QUIT_NAME "\",\"groupID\":\"G001\",\"userID\":\"user123\"}\n",
     "G001", "user123"},
    {"the IDs alone", "{\"groupID\":\"G\",\"userID\":\"u\"}", "G", "u"},
    {"the other order",
     "{\"userID\":\"u\",\"groupID\":\"G\",\"callbackCommand\":\"" QUIT_NAME "\"}", "G", "u"},
    {"white space", " \t\r\n{ \"groupID\"\t:\r\n \"G\" ,\n\n\"userID\" : \"u\"\t}\r\n\t ", "G",
     "u"},
    {"other fields",
     "{\"eventTime\":1700000000000,\"groupID\":\"G\",\"x\":null,\"y\":[true,false,-1.5e+3,\"\"],"
     "\"userID\":\"u\",\"\":{}}",
     "G", "u"},
    {"nested fields of the same names",
     "{\"a\":{\"groupID\":\"no\",\"userID\":1},\"groupID\":\"G\",\"b\":[{\"userID\":\"no\"}],"
     "\"userID\":\"u\",\"c\":{\"d\":{\"groupID\":\"no\",\"callbackCommand\":\"no\"}}}",
     "G", "u"},
    {"names in other case", "{\"GroupID\":1,\"groupid\":2,\"groupID\":\"G\",\"userID\":\"u\"}", "G",
     "u"},
    {"names as values", "{\"x\":\"groupID\",\"groupID\":\"userID\",\"userID\":\"groupID\"}",
     "userID", "groupID"},
    {"escaped names", "{\"group\\u0049D\":\"G\",\"\\u0075serI\\u0044\":\"u\"}", "G", "u"},
    {"the last of several",
     "{\"groupID\":\"1\",\"userID\":\"a\",\"groupID\":\"2\",\"userID\":"
     "\"b\",\"userID\":\"c\",\"groupID\":\"3\"}",
     "3", "c"},
    {"the last of several, others bad",
     "{\"groupID\":1,\"userID\":\"\",\"groupID\":\"G\",\"userID\":\"\\ud800\",\"userID\":\"u\"}",
     "G", "u"},
    {"every short escape", "{\"groupID\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"userID\":\"\\\\u0041\"}",
     "\"\\/\b\f\n\r\t", "\\u0041"},
    {"escapes as Go writes them",
     "{\"groupID\":\"\\u003ca\\u003e\\u0026\",\"userID\":\"\\u2028\\u2029\"}", "<a>&",
     "\xe2\x80\xa8\xe2\x80\xa9"},
    {"escapes of each length in UTF-8",
     "{\"groupID\":\"\\u0001\\u007f\\u0080\\u07ff\\u0800\\uffff\",\"userID\":"
     "\"\\ud800\\udc00\\udbff\\udfff\"}",
     "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    {"hex digits in both cases", "{\"groupID\":\"\\u00AB\\u00ab\",\"userID\":\"\\uD83D\\uDe00\"}",
     "\xc2\xab\xc2\xab", "\xf0\x9f\x98\x80"},
    {"characters as they are",
     "{\"groupID\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\",\"userID\":\"\x7f \"}",
     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\x7f "},
    {"a zero digit is no NUL", "{\"groupID\":\"0\",\"userID\":\"\\u0030\"}", "0", "0"},
};

static void test_callback_read_takes_valid_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(taken); i++) {
        const struct taken *t = &taken[i];
        int got = read_content(t->content);
        if (got != 0) {
            fail_msg("%s: error %d", t->what, got);
        }
        if (!is_quit(t->group_id, strlen(t->group_id), t->user_id, strlen(t->user_id))) {
            fail_msg("%s: other IDs", t->what);
        }
        assert_int_equal(quit.quit.operation_id_len, 0);
    }
}

static void test_callback_read_refuses_content_cut_at_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(taken); i++) {
        size_t end = (size_t)(strrchr(taken[i].content, '}') - taken[i].content);
        for (size_t len = 0; len <= end; len++) {
            int got = read_at("/" QUIT_NAME, taken[i].content, len);
            if (got != QR_ERR_JSON_TRUNCATED && got != QR_ERR_JSON_SYNTAX &&
                got != QR_ERR_JSON_ESCAPE && got != QR_ERR_JSON_UTF8) {
                fail_msg("%s: %zu bytes: %d", taken[i].what, len, got);
            }
            assert_int_equal(fault.err, got);
            assert_true(is_part("content"));
        }
    }
}

#define NO_PLACE "(none)"

/* What is refused. The value that the fault is at begins where the mark first stands. */
static const struct refused {
    const char *content;
    int err;
    const char *part;
    const char *mark;
} refused[] = {
    {"[]", QR_ERR_NOT_OBJECT, "content", NO_PLACE},
    {"\"groupID\"", QR_ERR_NOT_OBJECT, "content", NO_PLACE},
    {"1", QR_ERR_NOT_OBJECT, "content", NO_PLACE},
    {"null", QR_ERR_NOT_OBJECT, "content", NO_PLACE},
    {"[{\"groupID\":\"G\",\"userID\":\"u\"}]", QR_ERR_NOT_OBJECT, "content", NO_PLACE},

    {"{}", QR_ERR_FIELD_MISSING, "groupID", NO_PLACE},
    {"{\"userID\":\"u\"}", QR_ERR_FIELD_MISSING, "groupID", NO_PLACE},
    {"{\"groupID\":\"G\"}", QR_ERR_FIELD_MISSING, "userID", NO_PLACE},
    {"{\"x\":{\"groupID\":\"G\"},\"userID\":\"u\"}", QR_ERR_FIELD_MISSING, "groupID", NO_PLACE},
    {"{\"groupID\":\"G\",\"x\":[\"userID\",\"u\"]}", QR_ERR_FIELD_MISSING, "userID", NO_PLACE},
    {"{\"groupId\":\"G\",\"userID\":\"u\"}", QR_ERR_FIELD_MISSING, "groupID", NO_PLACE},
    {"{\"groupID \":\"G\",\"userID\":\"u\"}", QR_ERR_FIELD_MISSING, "groupID", NO_PLACE},
    {"{\"groupID\":\"G\",\"userID\\u0000\":\"u\"}", QR_ERR_FIELD_MISSING, "userID", NO_PLACE},

    {"{\"groupID\":17,\"userID\":\"u\"}", QR_ERR_FIELD_TYPE, "groupID", "17"},
    {"{\"groupID\":null,\"userID\":\"u\"}", QR_ERR_FIELD_TYPE, "groupID", "null"},
    {"{\"groupID\":true,\"userID\":\"u\"}", QR_ERR_FIELD_TYPE, "groupID", "true"},
    {"{\"groupID\": [\"G\"],\"userID\":\"u\"}", QR_ERR_FIELD_TYPE, "groupID", "["},
    {"{\"groupID\":  {\"a\":\"G\"},\"userID\":\"u\"}", QR_ERR_FIELD_TYPE, "groupID", "{\"a"},
    {"{\"groupID\":\"G\",\"userID\":false}", QR_ERR_FIELD_TYPE, "userID", "false"},
    {"{\"groupID\":\"G\",\"userID\":-0.5}", QR_ERR_FIELD_TYPE, "userID", "-0.5"},
    {"{\"groupID\":\"G\",\"userID\":\"u\",\"userID\":3}", QR_ERR_FIELD_TYPE, "userID", "3"},

    {"{\"groupID\":\"\",\"userID\":\"u\"}", QR_ERR_ID_EMPTY, "groupID", "\"\""},
    {"{\"groupID\":\"G\",\"userID\":\"\"}", QR_ERR_ID_EMPTY, "userID", "\"\""},
    {"{\"groupID\":\"G\",\"groupID\":\"\",\"userID\":\"u\"}", QR_ERR_ID_EMPTY, "groupID", "\"\""},

    {"{\"groupID\":\"\\u0000\",\"userID\":\"u\"}", QR_ERR_ID_NUL, "groupID", "\"\\u0000"},
    {"{\"groupID\":\"ab\\u0000\",\"userID\":\"u\"}", QR_ERR_ID_NUL, "groupID", "\"ab"},
    {"{\"groupID\":\"G\",\"userID\":\"\\u0000b\"}", QR_ERR_ID_NUL, "userID", "\"\\u0000"},
    {"{\"groupID\":\"G\",\"userID\":\"a\\u0000b\"}", QR_ERR_ID_NUL, "userID", "\"a\\"},

    {"{\"groupID\":\"\\ud800\",\"userID\":\"u\"}", QR_ERR_JSON_SURROGATE, "groupID", "\"\\ud800"},
    {"{\"groupID\":\"\\udc00\",\"userID\":\"u\"}", QR_ERR_JSON_SURROGATE, "groupID", "\"\\udc00"},
    {"{\"groupID\":\"\\udc00\\ud800\",\"userID\":\"u\"}", QR_ERR_JSON_SURROGATE, "groupID",
     "\"\\udc00"},
    {"{\"groupID\":\"G\",\"userID\":\"x\\ud83dx\"}", QR_ERR_JSON_SURROGATE, "userID", "\"x"},
    {"{\"groupID\":\"G\",\"userID\":\"\\ud83d\\u0041\"}", QR_ERR_JSON_SURROGATE, "userID",
     "\"\\ud83d"},

    {"{\"groupID\":\"a\x01\",\"userID\":\"u\"}", QR_ERR_JSON_CONTROL, "content", "\x01"},
    {"{\"groupID\":\"a\nb\",\"userID\":\"u\"}", QR_ERR_JSON_CONTROL, "content", "\n"},
    {"{\"groupID\":\"a\xff\",\"userID\":\"u\"}", QR_ERR_JSON_UTF8, "content", "\xff"},
    {"{\"groupID\":\"a\xc0\x80\",\"userID\":\"u\"}", QR_ERR_JSON_UTF8, "content", "\xc0"},
    {"{\"groupID\":\"a\xed\xa0\x80\",\"userID\":\"u\"}", QR_ERR_JSON_UTF8, "content", "\xed"},
    {"{\"groupID\":\"\\x\",\"userID\":\"u\"}", QR_ERR_JSON_ESCAPE, "content", "\\x"},
    {"{\"groupID\":\"\\u12g4\",\"userID\":\"u\"}", QR_ERR_JSON_ESCAPE, "content", "\\u"},
    {"{\"groupID\":\"G\",\"userID\":\"u\"}!", QR_ERR_JSON_SYNTAX, "content", "!"},
    {"{\"groupID\":\"G\",\"userID\":\"u\"}\n{}", QR_ERR_JSON_SYNTAX, "content", "{}"},
    {"groupID=G&userID=u", QR_ERR_JSON_SYNTAX, "content", "groupID"},
    {"{'groupID':'G','userID':'u'}", QR_ERR_JSON_SYNTAX, "content", "'"},
    {"", QR_ERR_JSON_TRUNCATED, "content", ""},
};

static void test_callback_read_refuses_bad_content_and_says_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        const struct refused *r = &refused[i];
        uint32_t offset = QR_NO_OFFSET;
        if (strcmp(r->mark, NO_PLACE) != 0) {
            offset = (uint32_t)(strstr(r->content, r->mark) - r->content);
        }
        int got = read_content(r->content);
        if (got != r->err || (int)fault.err != r->err || !is_part(r->part) ||
            fault.offset != offset || fault.limit != 0) {
            fail_msg("%s: %d, %d in %.*s at %u, limit %u; wanted %d at %u", r->content, got,
                     (int)fault.err, (int)fault.part_len, fault.part, (unsigned)fault.offset,
                     (unsigned)fault.limit, r->err, (unsigned)offset);
        }
    }
}

static void test_callback_read_refuses_too_deep_and_too_many(void **state)
{
    char content[8192];
    size_t len;

    (void)state;
    len = (size_t)snprintf(content, sizeof content, "{\"groupID\":\"G\",\"userID\":\"u\",\"x\":");
    memset(content + len, '[', QR_JSON_DEPTH_MAX);
    memset(content + len + QR_JSON_DEPTH_MAX, ']', QR_JSON_DEPTH_MAX);
    len += 2 * QR_JSON_DEPTH_MAX;
    content[len++] = '}';
    assert_int_equal(read_at("/" QUIT_NAME, content, len), QR_ERR_JSON_DEPTH);
    assert_int_equal(fault.limit, QR_JSON_DEPTH_MAX);
    assert_true(is_part("content"));

    len = (size_t)snprintf(content, sizeof content, "{\"groupID\":\"G\",\"userID\":\"u\",\"x\":[1");
    for (int i = 0; i < QR_JSON_TOKENS_MAX; i++) {
        memcpy(content + len, ",1", 2);
        len += 2;
    }
    memcpy(content + len, "]}", 2);
    len += 2;
    assert_int_equal(read_at("/" QUIT_NAME, content, len), QR_ERR_JSON_TOKENS);
    assert_int_equal(fault.limit, QR_JSON_TOKENS_MAX);
    assert_true(is_part("content"));
}

/* ---- the IDs' length ---- */

/* An ID made of whole characters, each written in the content as it stands here. */
static const struct ruler {
    const char *written;
    const char *decoded;
} rulers[] = {
    {"a", "a"},
    {"\\u0041", "A"},
    {"\\n", "\n"},
    {"\xc3\xa9", "\xc3\xa9"},
    {"\\u00e9", "\xc3\xa9"},
    {"\xe2\x82\xac", "\xe2\x82\xac"},
    {"\\u20ac", "\xe2\x82\xac"},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
};

/* Reads a content where the ID called name has decoded_len bytes: as many of the ruler's
 * characters as go into it, and letters for the rest. Fills in wanted with what it decodes to. */
static int read_with_length(const char *name, const struct ruler *ruler, size_t decoded_len,
                            char *wanted)
{
    char content[4096];
    bool is_group = strcmp(name, "groupID") == 0;
    size_t at = (size_t)snprintf(content, sizeof content, "{\"%s\":\"x\",\"%s\":\"",
                                 is_group ? "userID" : "groupID", name);
    size_t done = 0;

    while (done + strlen(ruler->decoded) <= decoded_len) {
        at += (size_t)snprintf(content + at, sizeof content - at, "%s", ruler->written);
        memcpy(wanted + done, ruler->decoded, strlen(ruler->decoded));
        done += strlen(ruler->decoded);
    }
    while (done < decoded_len) {
        content[at++] = 'z';
        wanted[done++] = 'z';
    }
    at += (size_t)snprintf(content + at, sizeof content - at, "\"}");
    return read_at("/" QUIT_NAME, content, at);
}

static void test_callback_read_takes_id_of_every_length_up_to_the_limit(void **state)
{
    char wanted[QR_ID_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(rulers); i++) {
        for (size_t len = 1; len <= QR_ID_MAX; len++) {
            assert_int_equal(read_with_length("groupID", &rulers[i], len, wanted), 0);
            assert_true(is_quit(wanted, len, "x", 1));
            assert_int_equal(read_with_length("userID", &rulers[i], len, wanted), 0);
            assert_true(is_quit("x", 1, wanted, len));
        }
    }
}

static void test_callback_read_refuses_id_over_the_limit(void **state)
{
    static const char *const names[] = {"groupID", "userID"};
    char wanted[512];

    (void)state;
    for (size_t n = 0; n < COUNT(names); n++) {
        for (size_t i = 0; i < COUNT(rulers); i++) {
            for (size_t len = QR_ID_MAX + 1; len < QR_ID_MAX + 20; len++) {
                assert_int_equal(read_with_length(names[n], &rulers[i], len, wanted),
                                 QR_ERR_ID_TOO_LONG);
                assert_int_equal(fault.err, QR_ERR_ID_TOO_LONG);
                assert_int_equal(fault.limit, QR_ID_MAX);
                assert_true(is_part(names[n]));
            }
        }
    }
}

/* ---- any IDs, however they are written ---- */

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % limit);
}

static uint32_t random_character(void)
{
    static const uint32_t limits[] = {0x20, 0x80, 0x800, 0x10000, 0x110000};
    uint32_t code_point = 1 + random_below(limits[random_below(COUNT(limits))] - 1);

    return code_point >= 0xd800 && code_point <= 0xdfff ? 'x' : code_point;
}

/* Writes the character one of the ways that JSON has for it. */
static size_t write_character(char *at, uint32_t code_point)
{
    static const char *const formats[] = {"\\u%04x", "\\u%04X"};
    const char *format = formats[random_below(2)];
    size_t len;

    if (code_point >= 0x20 && code_point != '"' && code_point != '\\' && random_below(2) == 0) {
        return qr_utf8_encode(code_point, at);
    }
    if (code_point == '/' || code_point == '"' || code_point == '\\') {
        return (size_t)sprintf(at, "\\%c", (char)code_point);
    }
    if (code_point < 0x10000) {
        return (size_t)sprintf(at, format, (unsigned)code_point);
    }
    len = (size_t)sprintf(at, format, (unsigned)(0xd800 + ((code_point - 0x10000) >> 10)));
    return len + (size_t)sprintf(at + len, format, (unsigned)(0xdc00 + (code_point & 0x3ff)));
}

/* A random ID: decoded into id, written (without quotes) to at. Returns the bytes written. */
static size_t random_id(char *id, size_t *id_len, char *at)
{
    size_t most = 1 + random_below(QR_ID_MAX - 3), written = 0;

    *id_len = 0;
    while (*id_len < most && *id_len + 4 <= QR_ID_MAX) {
        uint32_t code_point = random_character();
        *id_len += qr_utf8_encode(code_point, id + *id_len);
        written += write_character(at + written, code_point);
    }
    return written;
}

static void test_callback_read_gives_ids_back_byte_for_byte(void **state)
{
    (void)state;
    random_state = 0x2545f4914f6cdd1d;
    for (int i = 0; i < 5000; i++) {
        char content[8192], ids[2][QR_ID_MAX];
        size_t lens[2], len = 0;
        len += (size_t)sprintf(content, "{\"groupID\":\"");
        len += random_id(ids[0], &lens[0], content + len);
        len += (size_t)sprintf(content + len, "\",\"userID\":\"");
        len += random_id(ids[1], &lens[1], content + len);
        len += (size_t)sprintf(content + len, "\"}\n");
        if (read_at("/" QUIT_NAME, content, len) != 0 ||
            !is_quit(ids[0], lens[0], ids[1], lens[1])) {
            fail_msg("round %d: %s", i, content);
        }
    }
}

/* ---- callbackCommand ---- */

static int read_command(const char *path, const char *value)
{
    char content[1024];
    int len = snprintf(content, sizeof content,
                       "{\"groupID\":\"G\",\"callbackCommand\":%s,\"userID\":\"u\"}", value);

    assert_true((size_t)len < sizeof content);
    return read_at(path, content, (size_t)len);
}

static void test_callback_read_takes_command_that_is_the_paths(void **state)
{
    static const struct {
        const char *path, *value;
    } cases[] = {
        {"/" QUIT_NAME, "\"" QUIT_NAME "\""},
        {"/" OLD_QUIT_NAME, "\"" OLD_QUIT_NAME "\""},
        {"//" QUIT_NAME, "\"" QUIT_NAME "\""},
        {"/im//" QUIT_NAME, "\"" QUIT_NAME "\""},
        {"/a/b/" OLD_QUIT_NAME, "\"" OLD_QUIT_NAME "\""},
        {"/" QUIT_NAME, "\"\\u0063allbackAfterQuitGroupComman\\u0064\""},
        {"/" QUIT_NAME, "\"no\",\"callbackCommand\":\"" QUIT_NAME "\""},
        {"/" QUIT_NAME, "1,\"callbackCommand\":\"" QUIT_NAME "\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int got = read_command(cases[i].path, cases[i].value);
        if (got != 0) {
            fail_msg("%s, %s: %d", cases[i].path, cases[i].value, got);
        }
        assert_true(is_quit("G", 1, "u", 1));
    }
}

static void test_callback_read_refuses_command_that_is_not_the_paths(void **state)
{
    static const struct {
        const char *path, *value;
        int err;
    } cases[] = {
        {"/" QUIT_NAME, "\"" OLD_QUIT_NAME "\"", QR_ERR_COMMAND_MISMATCH},
        {"/" OLD_QUIT_NAME, "\"" QUIT_NAME "\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"callbackAfterQuitGroupComman\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"" QUIT_NAME "s\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"" QUIT_NAME "\\u0000\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"" QUIT_NAME " \"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"/" QUIT_NAME "\"", QR_ERR_COMMAND_MISMATCH},
        {"/im/" QUIT_NAME, "\"im/" QUIT_NAME "\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"CallbackAfterQuitGroupCommand\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"callbackAfterKickGroupCommand\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"" QUIT_NAME QUIT_NAME QUIT_NAME QUIT_NAME QUIT_NAME "\"",
         QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"\\ud800\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "\"" QUIT_NAME "\",\"callbackCommand\":\"no\"", QR_ERR_COMMAND_MISMATCH},
        {"/" QUIT_NAME, "null", QR_ERR_FIELD_TYPE},
        {"/" QUIT_NAME, "0", QR_ERR_FIELD_TYPE},
        {"/" QUIT_NAME, "[\"" QUIT_NAME "\"]", QR_ERR_FIELD_TYPE},
        {"/" QUIT_NAME, "{\"" QUIT_NAME "\":1}", QR_ERR_FIELD_TYPE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int got = read_command(cases[i].path, cases[i].value);
        if (got != cases[i].err || (int)fault.err != got || !is_part("callbackCommand")) {
            fail_msg("%s, %s: %d", cases[i].path, cases[i].value, got);
        }
        const char *again = strstr(cases[i].value, "\"callbackCommand\":");
        size_t offset = strlen("{\"groupID\":\"G\",\"callbackCommand\":");
        if (again != NULL) {
            offset += (size_t)(again - cases[i].value) + strlen("\"callbackCommand\":");
        }
        assert_int_equal(fault.offset, offset);
    }
}

/* ---- operationID ---- */

/* Reads a good request with this operationID, from the bytes on. */
static void read_operation_id(const char *bytes, size_t len)
{
    static const char head[] = "POST /" QUIT_NAME " HTTP/1.1\r\nHost: h\r\nContent-Length: 28\r\n"
                               "Operationid: ";
    static const char tail[] = "\r\n\r\n{\"groupID\":\"G\",\"userID\":\"u\"}";
    static struct qr_http http;
    char request[1024], content[64];
    size_t head_len = sizeof head - 1, tail_len = sizeof tail - 1;

    assert_true(head_len + len + tail_len <= sizeof request);
    memcpy(request, head, head_len);
    memcpy(request + head_len, bytes, len);
    memcpy(request + head_len + len, tail, tail_len);
    qr_http_init(&http, content, sizeof content);
    len += head_len + tail_len;
    assert_int_equal(qr_http_parse(&http, request, len), len);
    assert_int_equal(http.phase, QR_HTTP_DONE);
    assert_int_equal(qr_callback_read(&http.request, &quit, &fault), 0);
    assert_true(is_quit("G", 1, "u", 1));
    assert_true(quit.quit.operation_id_len <= QR_OPERATION_ID_MAX);
    assert_memory_equal(quit.quit.operation_id, bytes, quit.quit.operation_id_len);
}

static void test_callback_read_keeps_operation_id_up_to_the_limit(void **state)
{
    char bytes[QR_OPERATION_ID_MAX];

    (void)state;
    memset(bytes, 'o', sizeof bytes);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        read_operation_id(bytes, len);
        assert_int_equal(quit.quit.operation_id_len, len);
    }
    read_operation_id(TEXT("1700000000000123456"));
    assert_int_equal(quit.quit.operation_id_len, 19);
}

static void test_callback_read_cuts_operation_id_at_a_characters_end(void **state)
{
    static const struct {
        const char *what;
        size_t before; /* letters before it */
        const char *bytes;
        size_t wanted;
    } cases[] = {
        {"a letter too many", 127, "x", 127},
        {"three letters too many", 127, "xyz", 127},
        {"many letters too many", 400, "xyz", 127},
        {"many characters too many", 127, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 127},
        {"2 bytes that fit", 125, "\xc3\xa9z", 127},
        {"2 bytes over the end", 126, "\xc3\xa9", 126},
        {"2 bytes over the end and more", 126, "\xc3\xa9zz", 126},
        {"3 bytes that fit", 124, "\xe2\x82\xacz", 127},
        {"3 bytes, one over", 125, "\xe2\x82\xac", 125},
        {"3 bytes, two over", 126, "\xe2\x82\xac", 126},
        {"3 bytes behind the end", 127, "\xe2\x82\xac", 127},
        {"4 bytes that fit", 123, "\xf0\x9f\x98\x80zzz", 127},
        {"4 bytes, one over", 124, "\xf0\x9f\x98\x80", 124},
        {"4 bytes, two over", 125, "\xf0\x9f\x98\x80", 125},
        {"4 bytes, three over", 126, "\xf0\x9f\x98\x80", 126},
        {"no UTF-8", 126, "\xff\xff\xff\xff", 127},
        {"continuation bytes alone", 124, "\x80\x80\x80\x80\x80", 127},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char bytes[512];
        size_t len = cases[i].before + strlen(cases[i].bytes);
        memset(bytes, 'o', sizeof bytes);
        memcpy(bytes + cases[i].before, cases[i].bytes, strlen(cases[i].bytes));
        read_operation_id(bytes, len);
        if (quit.quit.operation_id_len != cases[i].wanted) {
            fail_msg("%s: %u, wanted %zu", cases[i].what, (unsigned)quit.quit.operation_id_len,
                     cases[i].wanted);
        }
    }
}

/* ---- the reply ---- */

static char reply[QR_CALLBACK_REPLY_MAX + 1];
static size_t reply_len;

/* Writes the reply into exactly QR_CALLBACK_REPLY_MAX bytes that end at the guard page. */
static void write_reply(const struct qr_fault *of)
{
    static const char nothing[QR_CALLBACK_REPLY_MAX];
    struct qr_out out;

    qr_out_init(&out, guard_copy(nothing, sizeof nothing), sizeof nothing);
    qr_callback_reply(&out, of);
    assert_false(out.full);
    memcpy(reply, out.bytes, out.len);
    reply[out.len] = '\0';
    reply_len = out.len;
}

static void test_callback_reply_is_neutral_without_fault(void **state)
{
    (void)state;
    write_reply(NULL);
    assert_string_equal(
        reply, "{\"actionCode\":0,\"errCode\":0,\"errMsg\":\"\",\"errDlt\":\"\",\"nextCode\":0}");
}

static void test_callback_reply_says_what_and_where(void **state)
{
    static const struct {
        struct qr_fault of;
        const char *code, *dlt;
    } cases[] = {
        {{QR_ERR_ID_TOO_LONG, QR_NO_OFFSET, 255, "groupID", 7},
         "5304",
         "groupID, at most 255 bytes"},
        {{QR_ERR_JSON_SYNTAX, 17, 0, "content", 7}, "5200", "content, byte 17"},
        {{QR_ERR_FIELD_MISSING, QR_NO_OFFSET, 0, "userID", 6}, "5301", "userID"},
        {{QR_ERR_NOT_FOUND, QR_NO_OFFSET, 0, "/x?y", 2}, "5400", "/x"},
        {{QR_ERR_HEAD_TIMEOUT, QR_NO_OFFSET, 10000, "head", 4}, "5150", "head, at most 10000 ms"},
        {{QR_ERR_PARAM_UNKNOWN, QR_NO_OFFSET, 0, NULL, 0}, "5402", ""},
        {{QR_ERR_PARAM_UNKNOWN, QR_NO_OFFSET, 0, "\"q\\\x01\xff", 5},
         "5402",
         "\\\"q\\\\\\u0001\\ufffd"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char wanted[512];
        (void)snprintf(wanted, sizeof wanted,
                       "{\"actionCode\":1,\"errCode\":%s,\"errMsg\":\"%s\",\"errDlt\":\"%s\","
                       "\"nextCode\":0}",
                       cases[i].code, qr_err_text(cases[i].of.err), cases[i].dlt);
        write_reply(&cases[i].of);
        assert_string_equal(reply, wanted);
    }
}

static void assert_number(const char *name, int wanted)
{
    qr_json_ref value = qr_json_member(0, name);
    char *end;

    assert_true(value > 0);
    assert_int_equal(qr_json_type(value), QR_JSON_NUMBER);
    assert_int_equal(strtol(reply + qr_json_offset(value), &end, 10), wanted);
    assert_true(*end == ',' || *end == '}');
}

/* Decodes the member into out, terminated. */
static void get_string(const char *name, char *out, size_t cap)
{
    qr_json_ref value = qr_json_member(0, name);
    int len;

    assert_true(value > 0);
    assert_int_equal(qr_json_type(value), QR_JSON_STRING);
    len = qr_json_string(value, out, cap - 1);
    assert_true(len >= 0);
    out[len] = '\0';
}

/* The reply is JSON with the five fields. Leaves errDlt in dlt. */
static void assert_error_reply(const struct qr_fault *of, char *dlt, size_t cap)
{
    char msg[256];
    struct qr_fault ours;

    write_reply(of);
    assert_true(reply_len <= QR_CALLBACK_REPLY_MAX);
    assert_int_equal(qr_json_read(reply, reply_len, &ours), 0);
    assert_int_equal(qr_json_type(0), QR_JSON_OBJECT);
    assert_number("actionCode", 1);
    assert_number("errCode", -(int)of->err);
    assert_number("nextCode", 0);
    get_string("errMsg", msg, sizeof msg);
    assert_string_equal(msg, qr_err_text(of->err));
    get_string("errDlt", dlt, cap);
}

/* A parameter's or path's name may be as long as a target is, and of any bytes. What stands behind
 * the name still says where. */
static void assert_reply_is_bounded(enum qr_err err, char fill, size_t part_len)
{
    static char part[QR_TARGET_MAX];
    char dlt[1024], behind[128];
    const struct qr_fault of = {err, UINT32_MAX - 1, UINT32_MAX, part, part_len};
    size_t behind_len;

    memset(part, fill, sizeof part);
    assert_error_reply(&of, dlt, sizeof dlt);
    behind_len = (size_t)snprintf(behind, sizeof behind, ", byte 4294967294, at most 4294967295 %s",
                                  qr_err_limit_unit(err));
    assert_true(strlen(dlt) >= behind_len);
    assert_string_equal(dlt + strlen(dlt) - behind_len, behind);
}

static void test_callback_reply_stays_within_its_maximum_for_any_fault(void **state)
{
    static const char fills[] = {'a', '"', '\\', '\n', 1, 0x1f, 0x7f, (char)0x80, (char)0xff};

    (void)state;
    for (size_t i = 0; i < COUNT(fills); i++) {
        for (int err = QR_ERR_REQUEST_LINE; err >= QR_ERR_NO_SPACE; err--) {
            assert_reply_is_bounded((enum qr_err)err, fills[i], QR_TARGET_MAX);
        }
        for (size_t len = 0; len < 300; len++) {
            assert_reply_is_bounded(QR_ERR_JSON_TOKENS, fills[i], len);
        }
    }
}

static void test_callback_reply_is_json_for_part_of_every_length(void **state)
{
    static const char *const characters[] = {
        "a", "\"", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc3"};
    char part[256], dlt[1024];

    (void)state;
    for (size_t c = 0; c < COUNT(characters); c++) {
        for (size_t len = 0; len < sizeof part; len++) {
            for (size_t i = 0; i < len; i++) {
                part[i] = characters[c][i % strlen(characters[c])];
            }
            const struct qr_fault of = {QR_ERR_PARAM_UNKNOWN, QR_NO_OFFSET, 0, part, len};
            assert_error_reply(&of, dlt, sizeof dlt);
            if (len <= 64 && c < 2) {
                assert_int_equal(strlen(dlt), len);
                assert_memory_equal(dlt, part, len);
            }
        }
    }
}

static void test_callback_reply_is_full_where_it_does_not_fit(void **state)
{
    static const struct qr_fault of = {QR_ERR_JSON_SYNTAX, 17, 0, "content", 7};
    const struct qr_fault *const faults[] = {NULL, &of};

    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        write_reply(faults[i]);
        for (size_t cap = 0; cap < reply_len; cap++) {
            struct qr_out out;
            qr_out_init(&out, guard_copy(reply, cap), cap);
            qr_callback_reply(&out, faults[i]);
            assert_true(out.full);
            assert_true(out.len <= cap);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callback_command_is_the_last_segment),
        cmocka_unit_test(test_callback_command_is_none_for_name_cut_short),
        cmocka_unit_test(test_callback_command_differs_for_any_other_byte),
        cmocka_unit_test(test_callback_command_is_index_of_each_name),
        cmocka_unit_test(test_callback_names_are_letters_alone),
        cmocka_unit_test(test_callback_read_takes_valid_objects),
        cmocka_unit_test(test_callback_read_refuses_content_cut_at_every_length),
        cmocka_unit_test(test_callback_read_refuses_bad_content_and_says_where),
        cmocka_unit_test(test_callback_read_refuses_too_deep_and_too_many),
        cmocka_unit_test(test_callback_read_takes_id_of_every_length_up_to_the_limit),
        cmocka_unit_test(test_callback_read_refuses_id_over_the_limit),
        cmocka_unit_test(test_callback_read_gives_ids_back_byte_for_byte),
        cmocka_unit_test(test_callback_read_takes_command_that_is_the_paths),
        cmocka_unit_test(test_callback_read_refuses_command_that_is_not_the_paths),
        cmocka_unit_test(test_callback_read_keeps_operation_id_up_to_the_limit),
        cmocka_unit_test(test_callback_read_cuts_operation_id_at_a_characters_end),
        cmocka_unit_test(test_callback_reply_is_neutral_without_fault),
        cmocka_unit_test(test_callback_reply_says_what_and_where),
        cmocka_unit_test(test_callback_reply_stays_within_its_maximum_for_any_fault),
        cmocka_unit_test(test_callback_reply_is_json_for_part_of_every_length),
        cmocka_unit_test(test_callback_reply_is_full_where_it_does_not_fit),
    };

    return cmocka_run_group_tests_name("callback", tests, NULL, NULL);
}

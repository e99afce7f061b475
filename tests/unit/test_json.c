#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "json.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A text that may hold NUL, and its length. */
#define TEXT(literal) literal, sizeof(literal) - 1

static struct qr_fault fault;

static int read_bytes(const char *bytes, size_t len)
{
    memset(&fault, 0, sizeof fault);
    return qr_json_read(guard_copy(bytes, len), len, &fault);
}

static void read_valid(const char *text)
{
    int err = read_bytes(text, strlen(text));

    if (err != 0) {
        fail_msg("%s: %d at %u", text, err, (unsigned)fault.offset);
    }
}

static bool in_content(void)
{
    return fault.part_len == 7 && memcmp(fault.part, "content", 7) == 0;
}

static void assert_refused(const char *bytes, size_t len, int err, size_t offset)
{
    int got = read_bytes(bytes, len);

    if (got != err || (int)fault.err != err || fault.offset != offset || !in_content()) {
        fail_msg("%.*s (%zu bytes): got %d, %d at %u; wanted %d at %zu", (int)len, bytes, len, got,
                 (int)fault.err, (unsigned)fault.offset, err, offset);
    }
}

static void assert_limit(const char *bytes, size_t len, int err, size_t limit)
{
    int got = read_bytes(bytes, len);

    if (got != err || (int)fault.err != err || fault.limit != limit || !in_content()) {
        fail_msg("%.*s: got %d, %d over %u; wanted %d over %zu", (int)len, bytes, got,
                 (int)fault.err, (unsigned)fault.limit, err, limit);
    }
}

/* What could become JSON with more bytes, or is JSON already. */
static void assert_open(const char *bytes, size_t len)
{
    if (read_bytes(bytes, len) != 0) {
        assert_refused(bytes, len, QR_ERR_JSON_TRUNCATED, len);
    }
}

/* ---- what is JSON ---- */

/* None of these is JSON before its last byte that is not white space. */
static const char *const valid_texts[] = {
    "{}",
    "[]",
    "\"\"",
    " \t\r\n{ \t\r\n} \t\r\n",
    " [ ] ",
    "{\"callbackCommand\":\"x\",\"groupID\":\"G001\",\"userID\":\"user123\"}\n",
    "{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }",
    "\t\"a\"\r\n",
    "[0,-0,1,-1,10,1234567890123456789012345678901234567890]",
    "[0.0,-0.5,1.25,0e0,0E+1,1e-1,1.5e+10,-0.000E-00,1e999]",
    "[true,false,null]",
    "[ true , false , null ]",
    "{\"a\":true,\"b\":false,\"c\":null,\"d\":-1.5e3}",
    "[[],[[]],[[],[]],{},{\"\":{}},[{}]]",
    "{\"a\":{\"b\":{\"c\":[{\"d\":[]}]}},\"e\":[]}",
    "{\"a\":1,\"a\":2,\"\":3,\"\":4}",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
    "[\"\\u0000\\u001f\\u00e9\\u20AC\\uabcd\\uABCD\\uFffF\"]",
    "[\"\\uD83D\\uDE00\"]",
    "[\"\\ud800\",\"\\udc00\",\"\\ud800x\",\"\\ud800\\n\",\"\\ud800\\u0041\",\"\\udc00\\ud800\"]",
    "{\"\\ud800\":1}",
    "[\"{}[]:,\",\"true\",\" 1 \",\"a\\\"b\"]",
    "[\"\x7f\"]",
    "[\"\xc2\x80\xdf\xbf\"]",
    "[\"\xe0\xa0\x80\xe0\xbf\xbf\xe2\x82\xac\xed\x80\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"]",
    "[\"\xef\xbb\xbf\"]",
    "[\"\xf0\x90\x80\x80\xf0\xbf\xbf\xbf\xf1\x80\x80\x80\xf4\x80\x80\x80\xf4\x8f\xbf\xbf\"]",
    "{\"\xe7\xbe\xa4\":\"\xe9\x80\x80\"}",
};

static size_t len_without_space_at_end(const char *text)
{
    size_t len = strlen(text);

    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL) {
        len--;
    }
    return len;
}

static void test_json_takes_valid_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid_texts); i++) {
        read_valid(valid_texts[i]);
    }
}

static void test_json_calls_valid_text_cut_anywhere_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid_texts); i++) {
        size_t json_len = len_without_space_at_end(valid_texts[i]);
        for (size_t cut = 0; cut < json_len; cut++) {
            assert_refused(valid_texts[i], cut, QR_ERR_JSON_TRUNCATED, cut);
        }
        for (size_t cut = json_len; cut <= strlen(valid_texts[i]); cut++) {
            assert_int_equal(read_bytes(valid_texts[i], cut), 0);
        }
    }
}

/* At each length: '+' is JSON, '-' is cut short. */
static const struct {
    const char *text;
    const char *verdicts;
} scalars[] = {
    {"0", "+"},       {"-0", "-+"},       {"7 ", "++"},
    {" 7\n", "-++"},  {"1234", "++++"},   {"-0.50e+10", "-+-++--++"},
    {"1E5", "+-+"},   {"20e-3", "++--+"}, {"3.14159", "+-+++++"},
    {"true", "---+"}, {"false", "----+"}, {"null ", "---++"},
};

static void test_json_takes_scalar_as_whole_text_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scalars); i++) {
        for (size_t len = 1; len <= strlen(scalars[i].text); len++) {
            if (scalars[i].verdicts[len - 1] == '+') {
                assert_int_equal(read_bytes(scalars[i].text, len), 0);
            } else {
                assert_refused(scalars[i].text, len, QR_ERR_JSON_TRUNCATED, len);
            }
        }
    }
}

static void test_json_calls_text_without_value_truncated(void **state)
{
    (void)state;
    assert_refused("", 0, QR_ERR_JSON_TRUNCATED, 0);
    assert_refused(" ", 1, QR_ERR_JSON_TRUNCATED, 1);
    assert_refused(" \t\r\n", 4, QR_ERR_JSON_TRUNCATED, 4);
}

/* ---- what is not ---- */

static const struct refused {
    const char *bytes;
    size_t len;
    int err;
    uint32_t offset;
    size_t known_at; /* the length from which on the text is known to be no JSON */
} refused[] = {
    {TEXT("\xef\xbb\xbf{}"), QR_ERR_JSON_SYNTAX, 0, 1},
    {TEXT("{}x"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("{} {}"), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("{}\0"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("\0{}"), QR_ERR_JSON_SYNTAX, 0, 1},
    {TEXT("[1\0]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("{}\xc2\xa0"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("\v1"), QR_ERR_JSON_SYNTAX, 0, 1},
    {TEXT("\f1"), QR_ERR_JSON_SYNTAX, 0, 1},
    {TEXT("1 1"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("\"a\"\"b\""), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("1,2"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("[1,,3]"), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("[1,]"), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("[,1]"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("[1 2]"), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("[1:2]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[1}"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[}"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("]"), QR_ERR_JSON_SYNTAX, 0, 1},
    {TEXT("[]]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("{]"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("}"), QR_ERR_JSON_SYNTAX, 0, 1},
    {TEXT("{}}"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("{,}"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("{\"a\"}"), QR_ERR_JSON_SYNTAX, 4, 5},
    {TEXT("{\"a\",1}"), QR_ERR_JSON_SYNTAX, 4, 5},
    {TEXT("{\"a\":}"), QR_ERR_JSON_SYNTAX, 5, 6},
    {TEXT("{\"a\"::1}"), QR_ERR_JSON_SYNTAX, 5, 6},
    {TEXT("{\"a\" 1}"), QR_ERR_JSON_SYNTAX, 5, 6},
    {TEXT("{\"a\":1,}"), QR_ERR_JSON_SYNTAX, 7, 8},
    {TEXT("{\"a\":1,,\"b\":2}"), QR_ERR_JSON_SYNTAX, 7, 8},
    {TEXT("{\"a\":1 \"b\":2}"), QR_ERR_JSON_SYNTAX, 7, 8},
    {TEXT("{\"a\":1:\"b\"}"), QR_ERR_JSON_SYNTAX, 6, 7},
    {TEXT("{\"a\":1]"), QR_ERR_JSON_SYNTAX, 6, 7},
    {TEXT("{a:1}"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("{'a':1}"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("{1:1}"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("{null:1}"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("{[]:1}"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("{{}:1}"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("{\"a\":1,2}"), QR_ERR_JSON_SYNTAX, 7, 8},
    {TEXT("{\"a\":tru}"), QR_ERR_JSON_SYNTAX, 8, 9},
    {TEXT("[truE]"), QR_ERR_JSON_SYNTAX, 4, 5},
    {TEXT("[True]"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("[truefalse]"), QR_ERR_JSON_SYNTAX, 5, 6},
    {TEXT("[nul]"), QR_ERR_JSON_SYNTAX, 4, 5},
    {TEXT("[false0]"), QR_ERR_JSON_SYNTAX, 6, 7},
    {TEXT("NaN"), QR_ERR_JSON_SYNTAX, 0, 1},
    {TEXT("[Infinity]"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("[-Infinity]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[01]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("01"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("[-01]"), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("[00]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[1.]"), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("[1.e1]"), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("[.5]"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("[-.5]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[-]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[--1]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[+1]"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("[- 1]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[1e]"), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("[1e+]"), QR_ERR_JSON_SYNTAX, 4, 5},
    {TEXT("[1e+-1]"), QR_ERR_JSON_SYNTAX, 4, 5},
    {TEXT("[1e1.5]"), QR_ERR_JSON_SYNTAX, 4, 5},
    {TEXT("[1.2.3]"), QR_ERR_JSON_SYNTAX, 4, 5},
    {TEXT("[1e1e1]"), QR_ERR_JSON_SYNTAX, 4, 5},
    {TEXT("[0x1]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[1_0]"), QR_ERR_JSON_SYNTAX, 2, 3},
    {TEXT("[\xd9\xa1]"), QR_ERR_JSON_SYNTAX, 1, 2}, /* ARABIC-INDIC DIGIT ONE */
    {TEXT("['a']"), QR_ERR_JSON_SYNTAX, 1, 2},
    {TEXT("[1]//"), QR_ERR_JSON_SYNTAX, 3, 4},
    {TEXT("/**/[1]"), QR_ERR_JSON_SYNTAX, 0, 1},
    {TEXT("[\"a\tb\"]"), QR_ERR_JSON_CONTROL, 3, 4},
    {TEXT("{\"a\nb\":1}"), QR_ERR_JSON_CONTROL, 3, 4},
    {TEXT("\"\0\""), QR_ERR_JSON_CONTROL, 1, 2},
    {TEXT("\"a\x1f"), QR_ERR_JSON_CONTROL, 2, 3},
    {TEXT("[\"\\x41\"]"), QR_ERR_JSON_ESCAPE, 2, 4},
    {TEXT("[\"ab\\'\"]"), QR_ERR_JSON_ESCAPE, 4, 6},
    {TEXT("{\"\\a\":1}"), QR_ERR_JSON_ESCAPE, 2, 4},
    {TEXT("[\"\\U0041\"]"), QR_ERR_JSON_ESCAPE, 2, 4},
    {TEXT("[\"\\u\"]"), QR_ERR_JSON_ESCAPE, 2, 5},
    {TEXT("[\"\\u004\"]"), QR_ERR_JSON_ESCAPE, 2, 8},
    {TEXT("[\"\\u00g1\"]"), QR_ERR_JSON_ESCAPE, 2, 7},
    {TEXT("[\"\\u+041\"]"), QR_ERR_JSON_ESCAPE, 2, 5},
    {TEXT("[\"\\ud83d\\u\"]"), QR_ERR_JSON_ESCAPE, 8, 11},
    {TEXT("[\"\\\0\"]"), QR_ERR_JSON_ESCAPE, 2, 4},
    {TEXT("[\"\\\n\"]"), QR_ERR_JSON_ESCAPE, 2, 4},
    {TEXT("[\"\\\xc3\xa9\"]"), QR_ERR_JSON_ESCAPE, 2, 4},
    {TEXT("[\"\x80\"]"), QR_ERR_JSON_UTF8, 2, 3},
    {TEXT("[\"a\xbf\"]"), QR_ERR_JSON_UTF8, 3, 4},
    {TEXT("[\"\xff\"]"), QR_ERR_JSON_UTF8, 2, 3},
    {TEXT("[\"\xc0\x80\"]"), QR_ERR_JSON_UTF8, 2, 3},
    {TEXT("[\"\xc1\xbf\"]"), QR_ERR_JSON_UTF8, 2, 3},
    {TEXT("[\"\xc3\"]"), QR_ERR_JSON_UTF8, 2, 4},
    {TEXT("[\"\xe0\x80\xaf\"]"), QR_ERR_JSON_UTF8, 2, 4},
    {TEXT("[\"\xe0\x9f\xbf\"]"), QR_ERR_JSON_UTF8, 2, 4},
    {TEXT("[\"\xe2\x82\"]"), QR_ERR_JSON_UTF8, 2, 5},
    {TEXT("[\"\xed\xa0\x80\"]"), QR_ERR_JSON_UTF8, 2, 4},
    {TEXT("[\"\xed\xbf\xbf\"]"), QR_ERR_JSON_UTF8, 2, 4},
    {TEXT("[\"\xf0\x80\x80\xaf\"]"), QR_ERR_JSON_UTF8, 2, 4},
    {TEXT("[\"\xf0\x8f\xbf\xbf\"]"), QR_ERR_JSON_UTF8, 2, 4},
    {TEXT("[\"\xf0\x9f\x98\"]"), QR_ERR_JSON_UTF8, 2, 6},
    {TEXT("[\"\xf0\x9f\x22\"]"), QR_ERR_JSON_UTF8, 2, 5},
    {TEXT("[\"\xf4\x90\x80\x80\"]"), QR_ERR_JSON_UTF8, 2, 4},
    {TEXT("[\"\xf5\x80\x80\x80\"]"), QR_ERR_JSON_UTF8, 2, 3},
    {TEXT("[\"\xf8\x88\x80\x80\x80\"]"), QR_ERR_JSON_UTF8, 2, 3},
    {TEXT("{\"\xe9\":1}"), QR_ERR_JSON_UTF8, 2, 4},
};

/* Cut before the fault shows, the text could still become JSON; behind it, nothing changes. */
static void test_json_refuses_malformed_text_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        const struct refused *r = &refused[i];
        for (size_t cut = 0; cut < r->known_at; cut++) {
            assert_open(r->bytes, cut);
        }
        for (size_t cut = r->known_at; cut <= r->len; cut++) {
            assert_refused(r->bytes, cut, r->err, r->offset);
        }
    }
}

#define SPACE  " \t\r\n"
#define DIGITS "0123456789"
#define VALUE  SPACE DIGITS "-{[\"tfn"

/* Every place where the grammar chooses by one byte, and the bytes that may stand there. */
static const struct place {
    const char *before;
    const char *allowed;
} places[] = {
    {"", VALUE},
    {" ", VALUE},
    {"[", VALUE "]"},
    {"[ ", VALUE "]"},
    {"[1,", VALUE},
    {"[[],", VALUE},
    {"{", SPACE "\"}"},
    {"{ ", SPACE "\"}"},
    {"{\"a\"", SPACE ":"},
    {"{\"a\" ", SPACE ":"},
    {"{\"a\":", VALUE},
    {"{\"a\":\"b\"", SPACE ",}"},
    {"{\"a\":[]", SPACE ",}"},
    {"{\"a\":{}", SPACE ",}"},
    {"{\"a\":1,", SPACE "\""},
    {"{\"a\":1 , ", SPACE "\""},
    {"{\"a\":{\"b\":1}", SPACE ",}"},
    {"[{}", SPACE ",]"},
    {"[[]", SPACE ",]"},
    {"[\"\"", SPACE ",]"},
    {"[true", SPACE ",]"},
    {"{\"a\":null", SPACE ",}"},
    {"[{\"a\":1},{\"b\":[1]", SPACE ",}"},
    {"{}", SPACE},
    {"[]", SPACE},
    {"\"\"", SPACE},
    {"true", SPACE},
    {"1 ", SPACE},
    {"-", DIGITS},
    {"0", SPACE ".eE"},
    {"-0", SPACE ".eE"},
    {"1", SPACE DIGITS ".eE"},
    {"-90", SPACE DIGITS ".eE"},
    {"1.", DIGITS},
    {"1.0", SPACE DIGITS "eE"},
    {"1e", DIGITS "+-"},
    {"1.5E", DIGITS "+-"},
    {"1e+", DIGITS},
    {"1e-", DIGITS},
    {"1e0", SPACE DIGITS},
    {"[0", SPACE ".eE,]"},
    {"{\"a\":1", SPACE DIGITS ".eE,}"},
    {"t", "r"},
    {"tr", "u"},
    {"tru", "e"},
    {"f", "a"},
    {"fa", "l"},
    {"fal", "s"},
    {"fals", "e"},
    {"n", "u"},
    {"nu", "l"},
    {"nul", "l"},
};

static bool is_one_of(unsigned byte, const char *set)
{
    return byte != 0 && strchr(set, (int)byte) != NULL;
}

/* All 256 bytes behind `before`: those of the set are taken, all others get err at offset. */
static void assert_place(const char *before, const char *allowed, int err, size_t offset)
{
    char text[64];
    size_t len = strlen(before);

    memcpy(text, before, len);
    for (unsigned byte = 0; byte <= 0xff; byte++) {
        text[len] = (char)byte;
        if (is_one_of(byte, allowed)) {
            assert_open(text, len + 1);
        } else {
            assert_refused(text, len + 1, err, offset);
        }
    }
}

static void test_json_refuses_every_byte_that_grammar_does_not_allow(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        assert_place(places[i].before, places[i].allowed, QR_ERR_JSON_SYNTAX,
                     strlen(places[i].before));
    }
}

static void test_json_refuses_every_byte_that_makes_no_escape(void **state)
{
    (void)state;
    assert_place("{\"ab\\", "\"\\/bfnrtu", QR_ERR_JSON_ESCAPE, 4);
    assert_place("\"\\u", DIGITS "abcdefABCDEF", QR_ERR_JSON_ESCAPE, 1);
    assert_place("\"\\u0", DIGITS "abcdefABCDEF", QR_ERR_JSON_ESCAPE, 1);
    assert_place("\"\\u00", DIGITS "abcdefABCDEF", QR_ERR_JSON_ESCAPE, 1);
    assert_place("\"\\u000", DIGITS "abcdefABCDEF", QR_ERR_JSON_ESCAPE, 1);
}

static void test_json_refuses_every_control_character_in_string(void **state)
{
    char text[] = "[\"a?\"]";

    (void)state;
    for (unsigned byte = 0; byte < 0x80; byte++) {
        text[3] = (char)byte;
        if (byte < 0x20) {
            assert_refused(text, 6, QR_ERR_JSON_CONTROL, 3);
        } else if (byte != '"' && byte != '\\') {
            assert_int_equal(read_bytes(text, 6), 0);
        }
    }
}

/* ---- limits ---- */

#define DEEPER        (QR_JSON_DEPTH_MAX + 1)
#define NEST_TEXT_MAX (6 * DEEPER + 1)

static bool object_at(uint64_t objects, unsigned depth)
{
    return (objects >> depth & 1) != 0;
}

/* A number in `depth` arrays and objects. Bit n of objects: the one that n are around is an object.
 */
static size_t nest(char *text, unsigned depth, uint64_t objects)
{
    size_t len = 0;

    for (unsigned i = 0; i < depth; i++) {
        size_t piece_len = object_at(objects, i) ? 5 : 1;
        memcpy(text + len, object_at(objects, i) ? "{\"k\":" : "[", piece_len);
        len += piece_len;
    }
    text[len++] = '0';
    for (unsigned i = depth; i-- > 0;) {
        text[len++] = object_at(objects, i) ? '}' : ']';
    }
    return len;
}

static const uint64_t nestings[] = {
    0,
    UINT64_MAX,
    0x5555555555555555u,
    0xaaaaaaaaaaaaaaaau,
    0x0f0f00ff33331248u,
    1,
    UINT64_C(1) << (QR_JSON_DEPTH_MAX - 1),
};

static void test_json_takes_depth_at_limit(void **state)
{
    char text[NEST_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(nestings); i++) {
        size_t len = nest(text, QR_JSON_DEPTH_MAX, nestings[i]);
        assert_int_equal(read_bytes(text, len), 0);
        for (size_t cut = 0; cut < len; cut++) {
            assert_refused(text, cut, QR_ERR_JSON_TRUNCATED, cut);
        }
    }
}

static void test_json_refuses_depth_one_past_limit(void **state)
{
    char text[NEST_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(nestings); i++) {
        size_t len = nest(text, DEEPER, nestings[i]);
        size_t inside = object_at(nestings[i], QR_JSON_DEPTH_MAX) ? 5 : 1;
        size_t bracket = len - DEEPER - 1 - inside;
        assert_refused(text, bracket, QR_ERR_JSON_TRUNCATED, bracket);
        for (size_t cut = bracket + 1; cut <= len; cut++) {
            assert_limit(text, cut, QR_ERR_JSON_DEPTH, QR_JSON_DEPTH_MAX);
        }
    }
}

/* Each closing bracket in turn is of the wrong kind. */
static void test_json_refuses_wrong_bracket_at_each_depth(void **state)
{
    char text[NEST_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(nestings); i++) {
        size_t len = nest(text, QR_JSON_DEPTH_MAX, nestings[i]);
        for (size_t at = len - QR_JSON_DEPTH_MAX; at < len; at++) {
            text[at] = text[at] == ']' ? '}' : ']';
            assert_refused(text, len, QR_ERR_JSON_SYNTAX, at);
            text[at] = text[at] == ']' ? '}' : ']';
        }
    }
}

static void test_json_counts_open_values_only_as_depth(void **state)
{
    char text[256] = "[";
    size_t len = 1;

    (void)state;
    for (unsigned i = 0; i < 2 * QR_JSON_DEPTH_MAX; i++) {
        memcpy(text + len, "[],", 3);
        len += 3;
    }
    text[len - 1] = ']';
    assert_int_equal(read_bytes(text, len), 0);
}

/* [0,0,…] of `tokens` tokens */
static size_t array_of_tokens(char *text, unsigned token_count)
{
    size_t len = 0;

    for (unsigned i = 1; i < token_count; i++) {
        text[len++] = i == 1 ? '[' : ',';
        text[len++] = '0';
    }
    text[len++] = ']';
    return len;
}

/* {"a":0,"a":0,…} of an odd number of tokens */
static size_t object_of_tokens(char *text, unsigned token_count)
{
    size_t len = 0;

    for (unsigned i = 1; i < token_count; i += 2) {
        text[len++] = i == 1 ? '{' : ',';
        memcpy(text + len, "\"a\":0", 5);
        len += 5;
    }
    text[len++] = '}';
    return len;
}

#define TOKENS_TEXT_MAX (6 * (QR_JSON_TOKENS_MAX + 2))

static void test_json_takes_tokens_at_limit(void **state)
{
    char text[TOKENS_TEXT_MAX];
    size_t len = array_of_tokens(text, QR_JSON_TOKENS_MAX);

    (void)state;
    assert_int_equal(read_bytes(text, len), 0);
    assert_int_equal(qr_json_type(QR_JSON_TOKENS_MAX - 1), QR_JSON_NUMBER);
    assert_int_equal(qr_json_offset(QR_JSON_TOKENS_MAX - 1), len - 2);

    assert_int_equal(read_bytes(text, object_of_tokens(text, QR_JSON_TOKENS_MAX - 1)), 0);
    assert_int_equal(qr_json_member(0, "a"), QR_JSON_TOKENS_MAX - 2);
}

static void test_json_refuses_tokens_one_past_limit(void **state)
{
    char text[TOKENS_TEXT_MAX];
    size_t len = array_of_tokens(text, QR_JSON_TOKENS_MAX + 1);

    (void)state;
    assert_limit(text, len, QR_ERR_JSON_TOKENS, QR_JSON_TOKENS_MAX);
    assert_limit(text, len - 1, QR_ERR_JSON_TOKENS, QR_JSON_TOKENS_MAX);
    assert_refused(text, len - 2, QR_ERR_JSON_TRUNCATED, len - 2);
    text[len - 2] = '[';
    assert_limit(text, len, QR_ERR_JSON_TOKENS, QR_JSON_TOKENS_MAX);
    text[len - 2] = '"';
    assert_limit(text, len, QR_ERR_JSON_TOKENS, QR_JSON_TOKENS_MAX);
}

/* A name, and a value, is the one too many. */
static void test_json_counts_names_as_tokens(void **state)
{
    char text[TOKENS_TEXT_MAX];

    (void)state;
    size_t len = object_of_tokens(text, QR_JSON_TOKENS_MAX + 1);
    assert_limit(text, len, QR_ERR_JSON_TOKENS, QR_JSON_TOKENS_MAX);

    text[0] = '[';
    len = 1 + object_of_tokens(text + 1, QR_JSON_TOKENS_MAX - 1);
    assert_open(text, len);
    text[len - 1] = ',';
    assert_refused(text, len, QR_ERR_JSON_TRUNCATED, len);
    text[len] = '"';
    assert_limit(text, len + 1, QR_ERR_JSON_TOKENS, QR_JSON_TOKENS_MAX);
}

/* ---- getters ---- */

static void test_json_type_and_offset_are_those_of_whole_text(void **state)
{
    static const struct {
        const char *text;
        enum qr_json_type type;
        uint32_t offset;
    } cases[] = {
        {"{}", QR_JSON_OBJECT, 0},       {" \n[]", QR_JSON_ARRAY, 2},
        {" \"a\" ", QR_JSON_STRING, 1},  {"0", QR_JSON_NUMBER, 0},
        {" -1.5e3 ", QR_JSON_NUMBER, 1}, {"\ttrue", QR_JSON_TRUE, 1},
        {"false\n", QR_JSON_FALSE, 0},   {"\r\nnull", QR_JSON_NULL, 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        read_valid(cases[i].text);
        assert_int_equal(qr_json_type(0), cases[i].type);
        assert_int_equal(qr_json_offset(0), cases[i].offset);
    }
}

static void test_json_type_and_offset_are_those_of_member(void **state)
{
    static const char text[] = "{\"o\":{\"x\":[1]},\"a\": [2,{\"y\":3}],\"s\":\"[\",\"n\":-7,"
                               "\"z\":0,\"t\":true,\"f\" : false,\"u\":null}";
    static const struct {
        const char *name;
        enum qr_json_type type;
        const char *at;
    } cases[] = {
        {"o", QR_JSON_OBJECT, "{\"x"},  {"a", QR_JSON_ARRAY, "[2,"},
        {"s", QR_JSON_STRING, "\"[\""}, {"n", QR_JSON_NUMBER, "-7"},
        {"z", QR_JSON_NUMBER, "0,\"t"}, {"t", QR_JSON_TRUE, "true"},
        {"f", QR_JSON_FALSE, "false"},  {"u", QR_JSON_NULL, "null"},
    };
    (void)state;
    read_valid(text);
    for (size_t i = 0; i < COUNT(cases); i++) {
        qr_json_ref value = qr_json_member(0, cases[i].name);
        assert_true(value > 0);
        assert_int_equal(qr_json_type(value), cases[i].type);
        assert_int_equal(qr_json_offset(value), strstr(text, cases[i].at) - text);
    }
}

static void test_json_reads_next_text_after_refused_one(void **state)
{
    (void)state;
    read_valid("{\"a\":[1,2,3]}");
    assert_int_equal(read_bytes("{\"a\":", 5), QR_ERR_JSON_TRUNCATED);
    read_valid(" \"b\"");
    assert_int_equal(qr_json_type(0), QR_JSON_STRING);
    assert_int_equal(qr_json_offset(0), 1);
}

/* ---- members ---- */

/* The member's offset in the text, or -1. */
static int member_offset(const char *text, const char *name)
{
    read_valid(text);
    qr_json_ref value = qr_json_member(0, name);
    return value < 0 ? -1 : (int)qr_json_offset(value);
}

static const struct {
    const char *text;
    const char *name;
    int offset;
} members[] = {
    {"{}", "a", -1},
    {"{\"a\":1}", "a", 5},
    {"{\"a\":1}", "b", -1},
    {"{\"a\":1}", "", -1},
    {"{\"a\":1}", "ab", -1},
    {"{\"ab\":1}", "a", -1},
    {"{\"A\":1}", "a", -1},
    {"{\"\":1}", "", 4},
    {"{\"\":1}", "a", -1},
    {"{ \"b\" : 1 , \"a\" : 2 }", "a", 18},
    /* the last of several */
    {"{\"a\":1,\"a\":2}", "a", 11},
    {"{\"a\":1,\"b\":0,\"a\":[3],\"c\":0}", "a", 17},
    {"{\"a\":1,\"\\u0061\":2}", "a", 16},
    {"{\"\\u0061\":1,\"a\":2}", "a", 16},
    /* compared decoded */
    {"{\"group\\u0049D\":1}", "groupID", 16},
    {"{\"group\\u0049d\":1}", "groupID", -1},
    {"{\"\\u00e9\":1}", "\xc3\xa9", 10},
    {"{\"\xc3\xa9\":1}", "\xc3\xa9", 6},
    {"{\"\\ud83d\\ude00\":1}", "\xf0\x9f\x98\x80", 16},
    {"{\"\\n\":1}", "\n", 6},
    {"{\"\\n\":1}", "n", -1},
    {"{\"\\/\":1}", "/", 6},
    {"{\"a\\u0000\":1}", "a", -1},
    {"{\"\\u0000\":1}", "", -1},
    {"{\"\\u0000a\":1}", "a", -1},
    /* half a surrogate pair is no name, and in nobody's way */
    {"{\"\\ud800\":1}", "\xed\xa0\x80", -1},
    {"{\"\\ud800\":1,\"a\":2}", "a", 16},
    {"{\"a\\ud800\":1,\"a\":2,\"\\udc00a\":3}", "a", 17},
    {"{\"a\\ud800\":1}", "a", -1},
    /* members of the object, not of what is in it, nor of what follows */
    {"{\"x\":{\"a\":1}}", "a", -1},
    {"{\"x\":{\"a\":1},\"a\":2}", "a", 17},
    {"{\"a\":2,\"x\":{\"a\":1}}", "a", 5},
    {"{\"x\":[{\"a\":1},\"a\",[\"a\"]],\"a\":2}", "a", 29},
    {"{\"x\":{\"y\":{\"z\":{}},\"a\":0},\"y\":[[[]],0],\"a\":2}", "a", 43},
    {"{\"x\":\"a\",\"y\":1}", "a", -1},
    {"{\"x\":\"{\\\"a\\\":1}\"}", "a", -1},
    {"{\"a\":{\"a\":{\"a\":1}}}", "a", 5},
    /* no object */
    {"[]", "a", -1},
    {"[\"a\",1]", "a", -1},
    {"[{\"a\":1}]", "a", -1},
    {"\"a\"", "a", -1},
    {"1", "a", -1},
    {"null", "a", -1},
};

static void test_json_member_finds_last_of_that_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(members); i++) {
        int got = member_offset(members[i].text, members[i].name);
        if (got != members[i].offset) {
            fail_msg("%s in %s: got %d, wanted %d", members[i].name, members[i].text, got,
                     members[i].offset);
        }
    }
}

static void test_json_member_reads_no_byte_past_the_name(void **state)
{
    static const char text[] =
        "{\"a\\u0000\\u0000\":1,\"a\\ud83d\\ude00\":2,\"abcdefgh\":3,\"ab\":4}";
    static const char *const names[] = {"", "a", "ab"};
    (void)state;
    memset(&fault, 0, sizeof fault);
    assert_int_equal(qr_json_read(text, sizeof text - 1, &fault), 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *name = guard_copy(names[i], strlen(names[i]) + 1);
        assert_int_equal(qr_json_member(0, name) < 0, i < 2);
    }
}

static void test_json_member_looks_into_nested_object_only(void **state)
{
    (void)state;
    read_valid("{\"x\":{\"a\":1,\"b\":{}},\"a\":2,\"y\":{},\"c\":3}");
    qr_json_ref x = qr_json_member(0, "x");
    assert_int_equal(qr_json_offset(qr_json_member(x, "a")), 10);
    assert_int_equal(qr_json_member(x, "y"), -1);
    assert_int_equal(qr_json_member(x, "c"), -1);
    assert_int_equal(qr_json_member(qr_json_member(x, "b"), "a"), -1);
    assert_int_equal(qr_json_member(qr_json_member(0, "y"), "c"), -1);
    assert_int_equal(qr_json_member(qr_json_member(0, "c"), "c"), -1);
}

static void test_json_member_of_no_member_is_none(void **state)
{
    (void)state;
    read_valid("{\"a\":1}");
    assert_int_equal(qr_json_member(qr_json_member(0, "b"), "a"), -1);
}

/* ---- strings ---- */

static const struct string_case {
    const char *text;
    const char *bytes;
    size_t len;
} strings[] = {
    {"\"\"", TEXT("")},
    {"\"a\"", TEXT("a")},
    {"\"G001\"", TEXT("G001")},
    {"\"\\\"\"", TEXT("\"")},
    {"\"\\\\\"", TEXT("\\")},
    {"\"\\/\"", TEXT("/")},
    {"\"\\b\"", TEXT("\x08")},
    {"\"\\f\"", TEXT("\x0c")},
    {"\"\\n\"", TEXT("\x0a")},
    {"\"\\r\"", TEXT("\x0d")},
    {"\"\\t\"", TEXT("\x09")},
    {"\"a\\nb\\\\nc\"", TEXT("a\nb\\nc")},
    {"\"\\\\u0041\"", TEXT("\\u0041")},
    {"\"\\u0041\"", TEXT("A")},
    {"\"\\u00412\"", TEXT("A2")},
    {"\"\\u0000\"", TEXT("\0")},
    {"\"a\\u0000b\"", TEXT("a\0b")},
    {"\"\\u007f\\u0080\"", TEXT("\x7f\xc2\x80")},
    {"\"\\u07ff\\u0800\"", TEXT("\xdf\xbf\xe0\xa0\x80")},
    {"\"\\ud7ff\\ue000\\uffff\"", TEXT("\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf")},
    {"\"\\u003c\\u003E\\u0026\\u2028\\u2029\"", TEXT("<>&\xe2\x80\xa8\xe2\x80\xa9")},
    {"\"\\uabcd\\uABCD\\uaBcD\"", TEXT("\xea\xaf\x8d\xea\xaf\x8d\xea\xaf\x8d")},
    {"\"\\uef01\\u2345\\u6789\"", TEXT("\xee\xbc\x81\xe2\x8d\x85\xe6\x9e\x89")},
    {"\"\\ud800\\udc00\"", TEXT("\xf0\x90\x80\x80")},
    {"\"\\uD83D\\uDE00\"", TEXT("\xf0\x9f\x98\x80")},
    {"\"\\udbff\\udfff\"", TEXT("\xf4\x8f\xbf\xbf")},
    {"\"\\ud800\\udfff\\udbff\\udc00\"", TEXT("\xf0\x90\x8f\xbf\xf4\x8f\xb0\x80")},
    {"\"\xc3\xa9\xe7\xbe\xa4\xf0\x9f\x98\x80\"", TEXT("\xc3\xa9\xe7\xbe\xa4\xf0\x9f\x98\x80")},
    {" [\"x\"] ", TEXT("x")},
    {"{\"\\u0078\":1}", TEXT("x")},
};

/* The string that is the text, or the first in it. */
static qr_json_ref first_string(void)
{
    return qr_json_type(0) == QR_JSON_STRING ? 0 : 1;
}

static void test_json_string_decodes_at_every_capacity(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        const struct string_case *s = &strings[i];
        char filled[64];
        memset(filled, '#', sizeof filled);
        read_valid(s->text);
        for (size_t cap = 0; cap <= s->len + 2; cap++) {
            char out[sizeof filled];
            memset(out, '#', sizeof out);
            int got = qr_json_string(first_string(), out, cap);
            if (got != (cap < s->len ? QR_ERR_NO_SPACE : (int)s->len)) {
                fail_msg("%s into %zu bytes: got %d", s->text, cap, got);
            }
            assert_memory_equal(out + cap, filled, sizeof out - cap);
            if (got >= 0) {
                assert_memory_equal(out, s->bytes, s->len);
                assert_memory_equal(out + s->len, filled, sizeof out - s->len);
            }
        }
    }
}

static void test_json_string_refuses_half_a_surrogate_pair(void **state)
{
    static const char *const halves[] = {
        "\"\\ud800\"",
        "\"\\udbff\"",
        "\"\\udc00\"",
        "\"\\udfff\"",
        "\"a\\uD83D\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ud83d\\ud83d\"",
        "\"\\ude00\\ud83d\"",
        "\"\\ud83d\\udbff\"",
        "\"\\ud83d\\ue000\"",
        "\"\\ud83d\\\\udc00\"",
        "\"\\ud83dudc00\"",
        "\"\\ud83d\\ude00\\ud83d\"",
        "\"\\ud83d \\ude00\"",
        "\"\\ud83d\\ud83d\\ude00\"",
        "\"\\udc00\\udc00\"",
        "\"\\ude00\\udfff\"",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(halves); i++) {
        char out[64];
        read_valid(halves[i]);
        int got = qr_json_string(0, out, sizeof out);
        if (got != QR_ERR_JSON_SURROGATE) {
            fail_msg("%s: got %d", halves[i], got);
        }
    }
}

/* A low half that stands in the next string, or behind the string, makes no pair. */
static void test_json_string_pairs_surrogates_within_string_only(void **state)
{
    char out[8];

    (void)state;
    read_valid("[\"\\ud83d\",\"\\ude00\"]");
    assert_int_equal(qr_json_string(1, out, sizeof out), QR_ERR_JSON_SURROGATE);
    assert_int_equal(qr_json_string(2, out, sizeof out), QR_ERR_JSON_SURROGATE);
}

static void test_json_string_gives_member_as_sent(void **state)
{
    char out[16];

    (void)state;
    read_valid("{\"callbackCommand\":\"c\",\"groupID\":\"G\\u003c1\",\"userID\":\"\\u2028\"}\n");
    assert_int_equal(qr_json_string(qr_json_member(0, "groupID"), out, sizeof out), 3);
    assert_memory_equal(out, "G<1", 3);
    assert_int_equal(qr_json_string(qr_json_member(0, "userID"), out, sizeof out), 3);
    assert_memory_equal(out, "\xe2\x80\xa8", 3);
}

#define LETTERS_64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

static const struct {
    const char *json;
    const char *text;
    size_t len;
    bool equal;
} comparisons[] = {
    {"\"\"", TEXT(""), true},
    {"\"\"", TEXT("a"), false},
    {"\"a\"", TEXT(""), false},
    {"\"abc\"", TEXT("abc"), true},
    {"\"abc\"", TEXT("ab"), false},
    {"\"abc\"", TEXT("abcd"), false},
    {"\"abc\"", TEXT("abC"), false},
    {"\"\xc3\xa9\"", TEXT("\xc3\xa9"), true},
    {"\"\\u00e9\"", TEXT("\xc3\xa9"), true},
    {"\"\\u0061b\\u0063\"", TEXT("abc"), true},
    {"\"\\u0061b\\u0063\"", TEXT("ab"), false},
    {"\"\\u0061b\\u0063\"", TEXT("abcd"), false},
    {"\"a\\nb\"", TEXT("a\nb"), true},
    {"\"a\\nb\"", TEXT("a\\nb"), false},
    {"\"a\\\\nb\"", TEXT("a\\nb"), true},
    {"\"a\\u0000\"", TEXT("a\0"), true},
    {"\"a\\u0000\"", TEXT("a"), false},
    {"\"\\ud800\"", TEXT("\xed\xa0\x80"), false},
    {"\"a\\ud800\"", TEXT("a"), false},
    {"\"" LETTERS_64 "\"", TEXT(LETTERS_64), true},
    {"\"" LETTERS_64 "m\"", TEXT(LETTERS_64), false},
    {"\"\\u0061" LETTERS_64 "\"", TEXT(LETTERS_64), false},
    {"\"" LETTERS_64 "\\u0061\"", TEXT(LETTERS_64), false},
};

static void test_json_equals_compares_decoded(void **state)
{
    (void)state;
    assert_int_equal(strlen(LETTERS_64), QR_JSON_EQUALS_MAX);
    for (size_t i = 0; i < COUNT(comparisons); i++) {
        memset(&fault, 0, sizeof fault);
        assert_int_equal(qr_json_read(comparisons[i].json, strlen(comparisons[i].json), &fault), 0);
        const char *text = guard_copy(comparisons[i].text, comparisons[i].len);
        if (qr_json_equals(0, text, comparisons[i].len) != comparisons[i].equal) {
            fail_msg("%s and %s", comparisons[i].json, comparisons[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_takes_valid_text),
        cmocka_unit_test(test_json_calls_valid_text_cut_anywhere_truncated),
        cmocka_unit_test(test_json_takes_scalar_as_whole_text_cut_anywhere),
        cmocka_unit_test(test_json_calls_text_without_value_truncated),
        cmocka_unit_test(test_json_refuses_malformed_text_cut_anywhere),
        cmocka_unit_test(test_json_refuses_every_byte_that_grammar_does_not_allow),
        cmocka_unit_test(test_json_refuses_every_byte_that_makes_no_escape),
        cmocka_unit_test(test_json_refuses_every_control_character_in_string),
        cmocka_unit_test(test_json_takes_depth_at_limit),
        cmocka_unit_test(test_json_refuses_depth_one_past_limit),
        cmocka_unit_test(test_json_refuses_wrong_bracket_at_each_depth),
        cmocka_unit_test(test_json_counts_open_values_only_as_depth),
        cmocka_unit_test(test_json_takes_tokens_at_limit),
        cmocka_unit_test(test_json_refuses_tokens_one_past_limit),
        cmocka_unit_test(test_json_counts_names_as_tokens),
        cmocka_unit_test(test_json_type_and_offset_are_those_of_whole_text),
        cmocka_unit_test(test_json_type_and_offset_are_those_of_member),
        cmocka_unit_test(test_json_reads_next_text_after_refused_one),
        cmocka_unit_test(test_json_member_finds_last_of_that_name),
        cmocka_unit_test(test_json_member_reads_no_byte_past_the_name),
        cmocka_unit_test(test_json_member_looks_into_nested_object_only),
        cmocka_unit_test(test_json_member_of_no_member_is_none),
        cmocka_unit_test(test_json_string_decodes_at_every_capacity),
        cmocka_unit_test(test_json_string_refuses_half_a_surrogate_pair),
        cmocka_unit_test(test_json_string_pairs_surrogates_within_string_only),
        cmocka_unit_test(test_json_string_gives_member_as_sent),
        cmocka_unit_test(test_json_equals_compares_decoded),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

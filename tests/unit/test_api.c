/*
 * Whole requests in, whole replies out: api and conn together, as a client sees them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "src/api.h"
#include "src/conn.h"
#include "src/json.h"
#include "wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define QUIT    "callbackAfterQuitGroupCommand"
#define HANDLED "{\"actionCode\":0,\"errCode\":0,\"errMsg\":\"\",\"errDlt\":\"\",\"nextCode\":0}"

/* ---- a device with nothing in it ---- */

#define OUT_MAX 200000u

static uint8_t ring_bytes[QR_RING_MAX];
static uint32_t ring_marks[QR_RING_MARKS(QR_RING_MAX)];
static struct qr_ring ring;
static struct qr_stats stats;
static struct qr_api api;
static struct qr_handler handler;
static struct qr_now now;

static char notes[4000];
static unsigned n_notes;

static void note(const char *line)
{
    assert_int_not_equal(line[0], '\0');
    for (const char *at = line; *at != '\0'; at++) {
        assert_in_range(*at, ' ', '~');
    }
    n_notes++;
    assert_true(strlen(line) + 2 < sizeof notes);
    strcpy(notes, line);
}

static void start_with_ring_of(uint32_t ring_size)
{
    memset(&stats, 0, sizeof stats);
    memset(&api, 0, sizeof api);
    now = (struct qr_now){.uptime_ms = 12345, .unix_ms = UINT64_C(1767323045678)};
    qr_ring_init(&ring, ring_bytes, ring_size, ring_marks);
    api.ring = &ring;
    api.stats = &stats;
    api.note = note;
    api.status = (struct qr_status_source){.ring = &ring,
                                           .stats = &stats,
                                           .version = "1.2.3",
                                           .board = "test",
                                           .boot_id = "0123456789abcdef"};
    qr_api_handler(&api, &handler);
    n_notes = 0;
    notes[0] = '\0';
}

static int setup(void **state)
{
    (void)state;
    start_with_ring_of(QR_RING_MAX);
    return 0;
}

/* ---- a client ---- */

struct client {
    struct qr_conn conn;
    struct qr_desks desks; /* of its own */
    struct qr_desk desk;
    char out[OUT_MAX];
    size_t out_len, out_read;
};

static struct client client;
static struct wire_reply reply;

static void open_client(struct client *c)
{
    c->out_len = c->out_read = 0;
    qr_desks_init(&c->desks, &c->desk, 1);
    qr_conn_open(&c->conn, &handler, &stats, &c->desks, &now);
}

static size_t take(struct client *c, size_t len)
{
    const char *bytes;
    size_t pending = qr_conn_tx_pending(&c->conn, &bytes);

    len = len < pending ? len : pending;
    if (len != 0) {
        assert_true(len <= sizeof c->out - c->out_len);
        memcpy(c->out + c->out_len, bytes, len);
        c->out_len += len;
        qr_conn_sent(&c->conn, len, &now);
    }
    return len;
}

static void take_all(struct client *c)
{
    while (take(c, SIZE_MAX) != 0) {
    }
}

static void give(struct client *c, const char *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        char *room;
        size_t n = qr_conn_rx_room(&c->conn, &room, &now);
        if (n == 0) {
            assert_int_not_equal(take(c, SIZE_MAX), 0);
            continue;
        }
        n = n < len - at ? n : len - at;
        memcpy(room, guard_copy(bytes + at, n), n);
        qr_conn_received(&c->conn, n, &now);
        at += n;
    }
}

static void next_reply(struct client *c, bool head_only)
{
    enum wire_result result = wire_read(&reply, c->out + c->out_read, c->out_len - c->out_read,
                                        c->conn.state == QR_CONN_CLOSING, head_only);

    if (result != WIRE_WHOLE) {
        fail_msg("no whole reply in\n%.*s", (int)(c->out_len - c->out_read), c->out + c->out_read);
    }
    c->out_read += reply.taken;
}

/* One request on a connection of its own; its one reply is in reply. */
static void ask_of(const char *request, size_t len)
{
    open_client(&client);
    give(&client, request, len);
    take_all(&client);
    next_reply(&client, len > 5 && memcmp(request, "HEAD ", 5) == 0);
    assert_int_equal(client.out_read, client.out_len);
    assert_int_equal(client.conn.state == QR_CONN_CLOSING, reply.close);
    assert_int_equal(qr_conn_idle(&client.conn), !reply.close);
}

static void ask(const char *request)
{
    ask_of(request, strlen(request));
}

static char request_text[20000];

static const char *request_to(const char *method, const char *target, const char *fields,
                              const char *content)
{
    int n = snprintf(request_text, sizeof request_text,
                     "%s %s HTTP/1.1\r\nHost: quitring\r\n%sContent-Length: %zu\r\n\r\n%s", method,
                     target, fields, strlen(content), content);

    assert_true(n > 0 && (size_t)n < sizeof request_text);
    return request_text;
}

static void get(const char *target)
{
    int n = snprintf(request_text, sizeof request_text, "GET %s HTTP/1.1\r\nHost: quitring\r\n\r\n",
                     target);

    assert_true(n > 0 && (size_t)n < sizeof request_text);
    ask(request_text);
}

static void post_quit(const char *content)
{
    ask(request_to("POST", "/" QUIT, "", content));
}

/* ---- what is looked at ---- */

static const struct {
    const char *name;
    size_t offset;
} counters[] = {
#define COUNTER(name) {#name, offsetof(struct qr_stats, name)},
    QR_STATS(COUNTER)
#undef COUNTER
};

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at += len) {
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Each of the named counters has risen by one since before, and no other has changed. */
static void assert_moved(const struct qr_stats *before, const char *names, const char *why)
{
    for (size_t i = 0; i < COUNT(counters); i++) {
        uint32_t was, is;
        memcpy(&was, (const char *)before + counters[i].offset, sizeof was);
        memcpy(&is, (const char *)&stats + counters[i].offset, sizeof is);
        if (is - was != (has_word(names, counters[i].name) ? 1u : 0u)) {
            fail_msg("%s went from %u to %u, expected to move: %s; request:\n%.300s",
                     counters[i].name, was, is, names, why);
        }
    }
}

static void assert_handled(void)
{
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.content, HANDLED);
    assert_true(wire_has_line(&reply, "Content-Type: application/json"));
}

/* The n-th newest event, 0 the newest. */
static const struct qr_event *event(uint64_t n)
{
    static struct qr_event found;
    struct qr_ring_pos pos;

    assert_true(n < qr_ring_stored(&ring));
    pos = qr_ring_find(&ring, ring.last_seq - n);
    assert_int_equal(qr_ring_next(&ring, &pos, &found), 1);
    return &found;
}

static void assert_bytes(const char *bytes, size_t len, const char *text, size_t text_len)
{
    assert_int_equal(len, text_len);
    assert_memory_equal(bytes, text, len);
}

static void assert_event(uint64_t n, const char *group_id, const char *user_id)
{
    const struct qr_event *e = event(n);

    assert_bytes(e->group_id, e->group_id_len, group_id, strlen(group_id));
    assert_bytes(e->user_id, e->user_id_len, user_id, strlen(user_id));
}

/* A string member of an object of the text that was read last. */
static const char *string_of(qr_json_ref object, const char *name)
{
    static char text[1024];
    qr_json_ref value = qr_json_member(object, name);
    int len;

    assert_true(value >= 0);
    assert_int_equal(qr_json_type(value), QR_JSON_STRING);
    len = qr_json_string(value, text, sizeof text - 1);
    assert_true(len >= 0);
    text[len] = '\0';
    return text;
}

static void assert_json(void)
{
    struct qr_fault fault;

    assert_true(wire_has_line(&reply, "Content-Type: application/json"));
    assert_int_equal(qr_json_read(reply.content, reply.content_len, &fault), 0);
    assert_int_equal(qr_json_type(0), QR_JSON_OBJECT);
}

/* The five fields of a refusal. delta NULL: any. */
static void assert_refused(unsigned status, unsigned code, const char *detail, const char *why)
{
    char head[64];

    if (reply.status != status) {
        fail_msg("status %u, not %u, for\n%.300s\n%s", reply.status, status, why, reply.content);
    }
    assert_json();
    snprintf(head, sizeof head, "{\"actionCode\":1,\"errCode\":%u,\"errMsg\":\"", code);
    if (strncmp(reply.content, head, strlen(head)) != 0) {
        fail_msg("not errCode %u for\n%.300s\n%s", code, why, reply.content);
    }
    assert_int_not_equal(string_of(0, "errMsg")[0], '\0');
    if (detail != NULL && strcmp(string_of(0, "errDlt"), detail) != 0) {
        fail_msg("errDlt \"%s\", not \"%s\", for\n%.300s", string_of(0, "errDlt"), detail, why);
    }
    assert_true(qr_json_member(0, "errDlt") >= 0);
    assert_string_equal(reply.content + reply.content_len - strlen(",\"nextCode\":0}"),
                        ",\"nextCode\":0}");
}

/* ---- callbacks that are stored ---- */

static void test_api_stores_the_callback_of_the_specification(void **state)
{
    (void)state;
    ask("POST /" QUIT "?contenttype=json HTTP/1.1\r\nHost: a\r\nContent-Length: 87\r\n\r\n"
        "{\"callbackCommand\":\"" QUIT "\",\"groupID\":\"G001\",\"userID\":\"user123\"}");
    assert_handled();
    assert_false(reply.close);
    assert_int_equal(qr_ring_stored(&ring), 1);
    assert_event(0, "G001", "user123");
    assert_int_equal(event(0)->seq, 1);
    assert_int_equal(event(0)->operation_id_len, 0);
    assert_int_equal(event(0)->stored_at.uptime_ms, now.uptime_ms);
    assert_int_equal(event(0)->stored_at.unix_ms, now.unix_ms);
}

static void test_api_takes_openims_requests_on_one_connection(void **state)
{
    static const char request[] = "POST /im//" QUIT " HTTP/1.1\r\n"
                                  "Host: 192.168.1.50:8080\r\n"
                                  "User-Agent: Go-http-client/1.1\r\n"
                                  "Content-Length: 88\r\n"
                                  "Content-Type: application/json; charset=utf-8\r\n"
                                  "Operationid: 1700000000123\r\n"
                                  "Accept-Encoding: gzip\r\n"
                                  "\r\n"
                                  "{\"callbackCommand\":\"" QUIT "\",\"groupID\":"
                                  "\"G001\",\"userID\":\"user123\"}\n";

    (void)state;
    open_client(&client);
    for (unsigned i = 1; i <= 5; i++) {
        give(&client, request, sizeof request - 1);
        assert_int_equal(ring.last_seq, i); /* before a byte of the reply is out */
        take_all(&client);
        next_reply(&client, false);
        assert_handled();
        assert_false(reply.close);
        assert_event(0, "G001", "user123");
        assert_bytes(event(0)->operation_id, event(0)->operation_id_len, "1700000000123", 13);
        assert_int_equal(client.conn.use, QR_CONN_CALLER);
    }
    assert_int_equal(stats.stored, 5);
}

static void test_api_takes_a_callback_at_any_prefix(void **state)
{
    static const char *const targets[] = {
        "/" QUIT,
        "//" QUIT,
        "/a/b%20c/" QUIT,
        "/status/" QUIT,
        "/" QUIT "/" QUIT,
        "/" QUIT "?",
        "/" QUIT "?contenttype=json",
        "/" QUIT "?since=x&/status",
        "http://host:80/p/" QUIT "?q",
        "/callbackQuitGroupCommand",
        "/x/callbackQuitGroupCommand?contenttype=json",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct qr_stats before = stats;
        ask(request_to("POST", targets[i], "", "{\"groupID\":\"g\",\"userID\":\"u\"}"));
        assert_handled();
        assert_moved(&before, "requests callbacks stored", targets[i]);
        assert_int_equal(ring.last_seq, i + 1);
        assert_event(0, "g", "u");
        assert_int_equal(client.conn.use, QR_CONN_CALLER);
    }
}

static void test_api_compares_the_command_with_the_path(void **state)
{
    static const struct {
        const char *path, *command;
        bool same;
    } rows[] = {
        {"/" QUIT, QUIT, true},
        {"/callbackQuitGroupCommand", "callbackQuitGroupCommand", true},
        {"/" QUIT, "callback\\u0041fterQuitGroupCommand", true},
        {"/callbackQuitGroupCommand", QUIT, false},
        {"/" QUIT, "callbackQuitGroupCommand", false},
        {"/" QUIT, "callbackAfterJoinGroupCommand", false},
        {"/" QUIT, "", false},
        {"/" QUIT, "callbackafterquitgroupcommand", false},
    };
    char content[200];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(content, sizeof content,
                 "{\"groupID\":\"g\",\"callbackCommand\":\"%s\",\"userID\":\"u\"}",
                 rows[i].command);
        ask(request_to("POST", rows[i].path, "", content));
        if (rows[i].same) {
            assert_handled();
        } else {
            assert_refused(422, 5306, "callbackCommand, byte 33", content);
        }
    }
    assert_int_equal(ring.last_seq, 3);
}

static void test_api_takes_any_object_with_both_ids(void **state)
{
    static const struct {
        const char *content, *group_id, *user_id;
    } rows[] = {
        {"{\"userID\":\"u\",\"groupID\":\"g\"}", "g", "u"},
        {" \t\r\n{ \"groupID\" :\n\"g\" , \"userID\"\t: \"u\" }\r\n \n", "g", "u"},
        {"{\"groupID\":\"g\",\"userID\":\"u\"}\n", "g", "u"},
        {"{\"a\":[1,{\"groupID\":\"no\"},null],\"groupID\":\"g\",\"b\":{\"userID\":[]},\"userID\":"
         "\"u\",\"c\":-1.5e+3,\"d\":true}",
         "g", "u"},
        {"{\"group\\u0049D\":\"g\",\"\\u0075serID\":\"u\"}", "g", "u"},
        {"{\"groupID\":\"\\u003cg\\u003e\\u0026\\u2028\",\"userID\":\"\\\"\\\\\\/"
         "\\b\\f\\n\\r\\t\"}",
         "<g>&\xe2\x80\xa8", "\"\\/\b\f\n\r\t"},
        {"{\"groupID\":\"\\uD83D\\uDE00\",\"userID\":\"\xf0\x9f\x98\x80\"}", "\xf0\x9f\x98\x80",
         "\xf0\x9f\x98\x80"},
        {"{\"groupID\":\"\\u00e9\",\"userID\":\"e\xcc\x81\"}", "\xc3\xa9", "e\xcc\x81"},
        {"{\"groupID\":\" \",\"userID\":\"\x7f\"}", " ", "\x7f"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        post_quit(rows[i].content);
        assert_handled();
        assert_event(0, rows[i].group_id, rows[i].user_id);
    }
    assert_int_equal(ring.last_seq, COUNT(rows));
}

static void test_api_takes_content_in_chunks(void **state)
{
    (void)state;
    ask("POST /" QUIT " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "10\r\n{\"groupID\":\"g\",\"\r\nd\r\nuserID\":\"u\"} \r\n0\r\n\r\n");
    assert_handled();
    assert_event(0, "g", "u");
}

static void test_api_takes_an_id_of_the_largest_size(void **state)
{
    static char content[2 * 6 * QR_ID_MAX + 100];
    char id[QR_ID_MAX + 1];

    (void)state;
    memset(id, 'x', QR_ID_MAX);
    id[QR_ID_MAX] = '\0';
    snprintf(content, sizeof content, "{\"groupID\":\"%s\",\"userID\":\"%s\"}", id, id);
    post_quit(content);
    assert_handled();
    assert_event(0, id, id);
    /* each byte written as an escape */
    strcpy(content, "{\"userID\":\"u\",\"groupID\":\"");
    for (size_t i = 0; i < QR_ID_MAX; i++) {
        strcat(content, "\\u0078");
    }
    strcat(content, "\"}");
    post_quit(content);
    assert_handled();
    assert_event(0, id, "u");
}

/* ---- callbacks that are refused ---- */

#define G "{\"groupID\":"
#define U ",\"userID\":\"u\"}"

static const struct {
    const char *content;
    unsigned status, code;
    const char *detail;
} refused_contents[] = {
    {"", 400, 5201, "content, byte 0"},
    {"{\"groupID\":\"g\",\"userID\":\"u\"", 400, 5201, "content, byte 27"},
    {"{\"groupID\":\"g\",}", 400, 5200, "content, byte 15"},
    {"{\"groupID\":\"g\",\"userID\":\"u\"}x", 400, 5200, "content, byte 28"},
    {"groupID=g&userID=u", 400, 5200, "content, byte 0"},
    {G "\"\xff\"" U, 400, 5202, "content, byte 12"},
    {G "\"a\nb\"" U, 400, 5203, "content, byte 13"},
    {G "\"\\x\"" U, 400, 5204, "content, byte 12"},
    {G "\"\\ud800\"" U, 422, 5207, "groupID, byte 11"},
    {"[]", 422, 5300, "content"},
    {"\"groupID\"", 422, 5300, "content"},
    {"null", 422, 5300, "content"},
    {"{}", 422, 5301, "groupID"},
    {"{\"userID\":\"u\"}", 422, 5301, "groupID"},
    {"{\"groupID\":\"g\"}", 422, 5301, "userID"},
    {"{\"groupid\":\"g\",\"userID\":\"u\"}", 422, 5301, "groupID"},
    {"{\"a\":{\"groupID\":\"g\",\"userID\":\"u\"}}", 422, 5301, "groupID"},
    {G "1" U, 422, 5302, "groupID, byte 11"},
    {G "null" U, 422, 5302, "groupID, byte 11"},
    {G "[\"g\"]" U, 422, 5302, "groupID, byte 11"},
    {"{\"groupID\":\"g\",\"userID\":true}", 422, 5302, "userID, byte 24"},
    {"{\"callbackCommand\":7,\"groupID\":\"g\",\"userID\":\"u\"}", 422, 5302,
     "callbackCommand, byte 19"},
    {G "\"\"" U, 422, 5303, "groupID, byte 11"},
    {"{\"groupID\":\"g\",\"userID\":\"\"}", 422, 5303, "userID, byte 24"},
    {G "\"a\\u0000b\"" U, 422, 5305, "groupID, byte 11"},
};

static void test_api_refuses_bad_callbacks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused_contents); i++) {
        struct qr_stats before = stats;
        post_quit(refused_contents[i].content);
        assert_refused(refused_contents[i].status, refused_contents[i].code,
                       refused_contents[i].detail, refused_contents[i].content);
        assert_false(reply.close); /* the request was whole */
        assert_int_equal(client.conn.use, QR_CONN_CALLER);
        assert_int_equal(ring.last_seq, 0);
        assert_moved(&before, "requests callbacks refused", refused_contents[i].content);
    }
}

static void test_api_goes_on_behind_a_refused_callback(void **state)
{
    static char stream[2000];

    (void)state;
    strcpy(stream, request_to("POST", "/" QUIT, "", "{}"));
    strcat(stream, request_to("POST", "/" QUIT, "", "{\"groupID\":\"g\",\"userID\":\"u\"}"));
    open_client(&client);
    give(&client, stream, strlen(stream));
    take_all(&client);
    next_reply(&client, false);
    assert_int_equal(reply.status, 422);
    next_reply(&client, false);
    assert_handled();
    assert_event(0, "g", "u");
}

/* ---- limits: each has a status, a code, a place and a counter ---- */

/* content: begin, unit n times, end. */
static const char *repeated(const char *begin, const char *unit, size_t n, const char *end)
{
    static char content[9000];

    assert_true(strlen(begin) + n * strlen(unit) + strlen(end) < sizeof content);
    strcpy(content, begin);
    for (size_t i = 0, at = strlen(begin); i < n; i++, at += strlen(unit)) {
        strcpy(content + at, unit);
    }
    return strcat(content, end);
}

static void test_api_counts_a_deep_text_once(void **state)
{
    struct qr_stats before = stats;

    (void)state;
    post_quit(repeated("{\"groupID\":\"g\",\"userID\":\"u\",\"a\":", "[", QR_JSON_DEPTH_MAX, ""));
    assert_refused(400, 5205, "content, at most 32 levels", "deep");
    assert_moved(&before, "requests callbacks refused jsonTooDeep", "deep");
    assert_int_equal(ring.last_seq, 0);
}

static void test_api_counts_a_text_of_many_values_once(void **state)
{
    struct qr_stats before = stats;

    (void)state;
    post_quit(
        repeated("{\"groupID\":\"g\",\"userID\":\"u\",\"a\":[", "1,", QR_JSON_TOKENS_MAX, "1]}"));
    assert_refused(400, 5206, "content, at most 256 values and names", "many");
    assert_moved(&before, "requests callbacks refused jsonTooManyTokens", "many");
    assert_int_equal(ring.last_seq, 0);
}

static void test_api_counts_a_long_id_once(void **state)
{
    static const struct {
        const char *begin, *unit;
        size_t n;
        const char *end, *detail;
    } rows[] = {
        {"{\"groupID\":\"", "x", QR_ID_MAX + 1, "\",\"userID\":\"u\"}",
         "groupID, byte 11, at most 255 bytes"},
        {"{\"groupID\":\"g\",\"userID\":\"", "x", QR_ID_MAX + 1, "\"}",
         "userID, byte 24, at most 255 bytes"},
        /* 256 bytes in 128 characters */
        {"{\"groupID\":\"g\",\"userID\":\"", "\\u00e9", 128, "\"}",
         "userID, byte 24, at most 255 bytes"},
        {"{\"groupID\":\"g\",\"userID\":\"", "x", 4000, "\"}",
         "userID, byte 24, at most 255 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct qr_stats before = stats;
        post_quit(repeated(rows[i].begin, rows[i].unit, rows[i].n, rows[i].end));
        assert_refused(422, 5304, rows[i].detail, rows[i].begin);
        assert_moved(&before, "requests callbacks refused idTooLong", rows[i].begin);
    }
    assert_int_equal(ring.last_seq, 0);
}

static void test_api_counts_large_content_once(void **state)
{
    static const char *const requests[] = {
        "POST /" QUIT " HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n",
        "POST /" QUIT " HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n{",
        "POST /" QUIT " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1001\r\n{",
        "GET /status HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct qr_stats before = stats;
        ask(requests[i]);
        assert_refused(413, 5115, "content, at most 4096 bytes", requests[i]);
        assert_true(reply.close);
        assert_moved(&before, "badRequests contentTooLarge", requests[i]);
    }
    assert_int_equal(ring.last_seq, 0);
}

static void test_api_counts_large_chunk_extensions_once(void **state)
{
    static char request[QR_CHUNK_EXT_MAX + 200];
    struct qr_stats before = stats;

    (void)state;
    strcpy(request, "POST /" QUIT " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    memset(request + strlen(request), 'x', QR_CHUNK_EXT_MAX);
    ask(request);
    assert_refused(400, 5119, "chunk extensions, at most 256 bytes", "chunk extensions");
    assert_true(reply.close);
    assert_moved(&before, "badRequests chunkExtTooLarge", "chunk extensions");
}

static void test_api_counts_a_long_target_once(void **state)
{
    static char request[QR_TARGET_MAX + 200];
    struct qr_stats before = stats;

    (void)state;
    strcpy(request, "POST /");
    memset(request + 6, 'p', QR_TARGET_MAX);
    strcpy(request + 6 + QR_TARGET_MAX, "/" QUIT " HTTP/1.1\r\n");
    ask(request);
    assert_refused(414, 5103, "target, at most 2048 bytes", "long target");
    assert_true(reply.close);
    assert_moved(&before, "badRequests targetTooLong", "long target");
}

static void test_api_counts_a_large_head_once(void **state)
{
    static char request[QR_HEAD_MAX + 200];
    struct qr_stats before = stats;

    (void)state;
    strcpy(request, "GET /status HTTP/1.1\r\nHost: a\r\nX: ");
    memset(request + strlen(request), 'x', QR_HEAD_MAX);
    ask(request);
    assert_refused(431, 5109, "head, at most 8192 bytes", "large head");
    assert_true(reply.close);
    assert_moved(&before, "badRequests headTooLarge", "large head");
}

static void test_api_counts_a_late_request_once(void **state)
{
    static const struct {
        const char *bytes;
        unsigned code;
        const char *detail;
    } rows[] = {
        {"POST /" QUIT " HTTP/1.1\r\n", 5150, "head, at most 10000 ms"},
        {"POST /" QUIT " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{", 5151,
         "content, at most 10000 ms"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct qr_stats before = stats;
        open_client(&client);
        give(&client, rows[i].bytes, strlen(rows[i].bytes));
        now.uptime_ms += 10000;
        qr_conn_tick(&client.conn, &now);
        take_all(&client);
        next_reply(&client, false);
        assert_refused(408, rows[i].code, rows[i].detail, rows[i].bytes);
        assert_true(reply.close);
        assert_moved(&before, "badRequests timeouts", rows[i].bytes);
    }
}

/* ---- requests that are none ---- */

static const struct {
    const char *bytes;
    unsigned status, code;
    const char *detail; /* NULL: test_http looks at it */
} refused_requests[] = {
    {"hello\r\n\r\n", 400, 5100, NULL},
    {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501, 5101, NULL},
    {"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501, 5101, NULL},
    {"GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n", 400, 5102, "target, byte 2"},
    {"GET https://a/status HTTP/1.1\r\nHost: a\r\n\r\n", 421, 5118, "target, byte 0"},
    {"GET / HTTQ/1.1\r\n\r\n", 400, 5104, NULL},
    {"GET / HTTP/2.0\r\n\r\n", 505, 5105, NULL},
    {"GET / HTTP/1.1\r\nHost: a\n\n", 400, 5106, NULL},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, 5107, NULL},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400, 5108, NULL},
    {"GET / HTTP/1.1\r\n\r\n", 400, 5110, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400, 5111, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     5112, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, 5113, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n\r\n", 415, 5114, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, 5116, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 1\r\n\r\n", 417, 5117, NULL},
};

static void test_api_refuses_what_is_no_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused_requests); i++) {
        struct qr_stats before = stats;
        ask(refused_requests[i].bytes);
        assert_refused(refused_requests[i].status, refused_requests[i].code,
                       refused_requests[i].detail, refused_requests[i].bytes);
        assert_true(reply.close);
        assert_moved(&before, "badRequests", refused_requests[i].bytes);
    }
    assert_int_equal(ring.last_seq, 0);
}

/* ---- operationID ---- */

static void test_api_stores_the_operation_id(void **state)
{
    static const struct {
        const char *begin, *unit;
        size_t n, kept;
        bool cut;
    } rows[] = {
        {"", "", 0, 0, false},
        {"op-1", "", 0, 4, false},
        {"", "x", 127, 127, false},
        {"", "x", 128, 127, true},
        {"", "x", 3000, 127, true},
        {"", "\xc3\xa9", 63, 126, false},
        {"", "\xc3\xa9", 64, 126, true},
        {"x", "\xc3\xa9", 63, 127, false},
        {"x", "\xc3\xa9", 64, 127, true},
        {"", "\xf0\x9f\x98\x80", 32, 124, true},
    };
    static char fields[4000];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *value = repeated(rows[i].begin, rows[i].unit, rows[i].n, "");
        struct qr_stats before = stats;
        snprintf(fields, sizeof fields, "operationID: %s\r\n", value);
        ask(request_to("POST", "/" QUIT, fields, "{\"groupID\":\"g\",\"userID\":\"u\"}"));
        assert_handled();
        assert_event(0, "g", "u");
        assert_bytes(event(0)->operation_id, event(0)->operation_id_len, value, rows[i].kept);
        assert_moved(&before,
                     rows[i].cut ? "requests callbacks stored operationIDsCut"
                                 : "requests callbacks stored",
                     fields);
    }
}

/* ---- other commands ---- */

static void test_api_ignores_other_commands_by_name(void **state)
{
    static const char *const contents[] = {"", "{}", "{\"groupID\":\"g\",\"userID\":\"u\"}", "["};
    char path[100], member[100];

    (void)state;
    for (size_t i = 0; i < QR_CALLBACK_NAMES; i++) {
        struct qr_stats before = stats;
        snprintf(path, sizeof path, "/p/%s?contenttype=json", qr_callback_names[i]);
        ask(request_to("POST", path, "", contents[i % COUNT(contents)]));
        assert_handled();
        assert_moved(&before, "requests callbacks ignored", path);
        assert_int_equal(client.conn.use, QR_CONN_CALLER);
        for (size_t j = 0; j < QR_CALLBACK_NAMES; j++) {
            assert_int_equal(api.ignored_counts[j], j <= i ? 1 : 0);
        }
    }
    assert_int_equal(ring.last_seq, 0);
    get("/status");
    for (size_t i = 0; i < QR_CALLBACK_NAMES; i++) {
        snprintf(member, sizeof member, "\"%s\":1", qr_callback_names[i]);
        assert_non_null(strstr(reply.content, member));
    }
}

static void test_api_ignores_commands_that_it_does_not_know(void **state)
{
    static const char *const paths[] = {"/callbackXCommand", "/callbackBeforeNothingCommand",
                                        "/a/callbackAfterQuitGroupExCommand",
                                        "/callbackafterQuitGroupCommand"};

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct qr_stats before = stats;
        ask(request_to("POST", paths[i], "", "{\"groupID\":\"g\",\"userID\":\"u\"}"));
        assert_handled();
        assert_moved(&before, "requests callbacks ignored", paths[i]);
    }
    assert_int_equal(ring.last_seq, 0);
    for (size_t i = 0; i < QR_CALLBACK_NAMES; i++) {
        assert_int_equal(api.ignored_counts[i], 0);
    }
    get("/status");
    assert_non_null(strstr(reply.content, "\"ignoredCommands\":{}"));
}

static void test_api_shows_how_often_a_command_was_ignored(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        ask(request_to("POST", "/callbackBeforeSendGroupMsgCommand", "", "{}"));
        assert_handled();
    }
    ask(request_to("POST", "/callbackAfterJoinGroupCommand", "", "{}"));
    get("/status");
    assert_non_null(strstr(reply.content,
                           "\"ignoredCommands\":{\"callbackAfterJoinGroupCommand\":1,"
                           "\"callbackBeforeSendGroupMsgCommand\":12}"));
    assert_non_null(strstr(reply.content, "\"ignored\":13,"));
}

/* ---- routes and methods ---- */

static void test_api_routes_by_path_and_method(void **state)
{
    static const struct {
        const char *method, *target;
        unsigned status;
        const char *allow, *moved;
    } rows[] = {
        {"GET", "/status", 200, NULL, "requests polls"},
        {"HEAD", "/status", 200, NULL, "requests polls"},
        {"GET", "/status?", 200, NULL, "requests polls"},
        {"GET", "http://a/status", 200, NULL, "requests polls"},
        {"POST", "/status", 405, "GET, HEAD", "requests badRequests"},
        {"PUT", "/status", 405, "GET, HEAD", "requests badRequests"},
        {"OPTIONS", "/status", 405, "GET, HEAD", "requests badRequests"},
        {"GET", "/healthz", 200, NULL, "requests"},
        {"HEAD", "/healthz", 200, NULL, "requests"},
        {"GET", "/healthz?x", 200, NULL, "requests"},
        {"DELETE", "/healthz", 405, "GET, HEAD", "requests badRequests"},
        {"GET", "/" QUIT, 405, "POST", "requests badRequests"},
        {"HEAD", "/" QUIT, 405, "POST", "requests badRequests"},
        {"PUT", "/p/" QUIT, 405, "POST", "requests badRequests"},
        {"GET", "/callbackXCommand", 405, "POST", "requests badRequests"},
        {"PATCH", "/callbackBeforeSendGroupMsgCommand", 405, "POST", "requests badRequests"},
        {"GET", "/nothing", 404, NULL, "requests badRequests"},
        {"HEAD", "/nothing", 404, NULL, "requests badRequests"},
        {"POST", "/nothing", 404, NULL, "requests badRequests"},
        {"GET", "/status/", 404, NULL, "requests badRequests"},
        {"GET", "/statu", 404, NULL, "requests badRequests"},
        {"GET", "/statusx", 404, NULL, "requests badRequests"},
        {"GET", "/STATUS", 404, NULL, "requests badRequests"},
        {"GET", "//status", 404, NULL, "requests badRequests"},
        {"POST", "/" QUIT "/", 404, NULL, "requests badRequests"},
        {"POST", "/callbackCommand", 404, NULL, "requests badRequests"},
        {"POST", "/xcallbackAfterQuitGroupCommand", 404, NULL, "requests badRequests"},
        {"POST", "/callbackAfterQuitGroup", 404, NULL, "requests badRequests"},
        {"OPTIONS", "*", 405, "GET, HEAD, POST", "requests badRequests"},
        {"GET", "/", 200, NULL, "requests"},
        {"HEAD", "/?x=y", 200, NULL, "requests"},
        {"POST", "/", 405, "GET, HEAD", "requests badRequests"},
        {"GET", "/table?limit=5", 200, NULL, "requests"},
        {"GET", "/rates", 200, NULL, "requests"},
        {"HEAD", "/rates", 200, NULL, "requests"},
        {"GET", "/metrics", 200, NULL, "requests"},
        {"HEAD", "/metrics", 200, NULL, "requests"},
        {"POST", "/metrics", 405, "GET, HEAD", "requests badRequests"},
        {"DELETE", "/events", 405, "GET, HEAD", "requests badRequests"},
        {"GET", "/status?wait=0", 200, NULL, "requests polls"},
        {"GET", "/status?wait=1", 200, NULL, "requests polls waitsRefused"}, /* may not wait */
    };
    char line[100];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct qr_stats before = stats;
        ask(request_to(rows[i].method, rows[i].target, "", ""));
        if (reply.status != rows[i].status) {
            fail_msg("%u for %s %s", reply.status, rows[i].method, rows[i].target);
        }
        assert_moved(&before, rows[i].moved, rows[i].target);
        assert_int_equal(client.conn.use, QR_CONN_POLLER);
        assert_int_equal(wire_has_field(&reply, "Allow"), rows[i].allow != NULL);
        snprintf(line, sizeof line, "Allow: %s", rows[i].allow == NULL ? "" : rows[i].allow);
        assert_int_equal(wire_has_line(&reply, line), rows[i].allow != NULL);
        if (rows[i].status != 200 && strcmp(rows[i].method, "HEAD") != 0) {
            assert_refused(rows[i].status, rows[i].status == 404 ? 5400 : 5401, NULL,
                           rows[i].target);
        }
    }
    assert_int_equal(ring.last_seq, 0);
}

static void test_api_says_what_was_not_found(void **state)
{
    static char target[QR_TARGET_MAX + 1];

    (void)state;
    get("/no/such?thing");
    assert_refused(404, 5400, "/no/such", "/no/such");
    memset(target, 'x', QR_TARGET_MAX);
    target[0] = '/';
    get(target);
    assert_refused(404, 5400, NULL, target);
    assert_true(strlen(string_of(0, "errDlt")) <= QR_CALLBACK_PLACE_MAX);
}

static void test_api_answers_head_as_get_without_content(void **state)
{
    static const char *const targets[] = {"/status", "/healthz", "/nothing", "/status?limit=0",
                                          "/callbackAfterQuitGroupCommand"};
    static const char *const versions[] = {"1.0", "1.1"};
    static char head[WIRE_HEAD_MAX + 1];
    char request[200];

    (void)state;
    for (size_t i = 0; i < COUNT(targets) * COUNT(versions); i++) {
        for (int is_get = 1; is_get >= 0; is_get--) {
            snprintf(request, sizeof request, "%s %s HTTP/%s\r\nHost: a\r\n\r\n",
                     is_get ? "GET" : "HEAD", targets[i / 2], versions[i % 2]);
            ask(request);
            assert_int_equal(reply.content_len == 0, !is_get);
            if (is_get) {
                strcpy(head, reply.head);
            }
        }
        assert_string_equal(reply.head, head);
    }
}

static void test_api_is_healthy(void **state)
{
    const char *end;

    (void)state;
    get("/healthz");
    assert_int_equal(reply.status, 200);
    assert_true(wire_has_line(&reply, "Content-Type: text/plain; charset=utf-8"));
    assert_true(reply.content_len > 1);
    end = strchr(reply.content, '\n');
    assert_ptr_equal(end, reply.content + reply.content_len - 1); /* one line */
}

/* ---- the status document ---- */

static void test_api_shows_what_is_stored(void **state)
{
    qr_json_ref first;

    (void)state;
    ask(request_to("POST", "/" QUIT, "operationID: op-1\r\n",
                   "{\"groupID\":\"G001\",\"userID\":\"user123\"}"));
    now.uptime_ms += 10;
    now.unix_ms = 0;
    get("/status");
    assert_int_equal(reply.status, 200);
    assert_true(reply.chunked);
    assert_true(wire_has_line(&reply, "Cache-Control: no-cache"));
    assert_json();
    assert_string_equal(string_of(0, "service"), "quitring");
    assert_string_equal(string_of(0, "version"), "1.2.3");
    assert_string_equal(string_of(0, "board"), "test");
    assert_string_equal(string_of(0, "bootId"), "0123456789abcdef");
    assert_non_null(strstr(reply.content, "\"uptimeMs\":12355,\"time\":null,"));
    assert_non_null(strstr(reply.content, "\"stored\":1,\"firstSeq\":1,\"lastSeq\":1,"
                                          "\"overwritten\":0}"));
    assert_non_null(strstr(reply.content, "\"polls\":1,"));
    assert_non_null(strstr(reply.content, "\"next\":1,\"more\":false,"));
    assert_non_null(strstr(reply.content, "\"missed\":0"));
    first = (qr_json_ref)(qr_json_member(0, "events") + 1);
    assert_string_equal(string_of(first, "groupID"), "G001");
    assert_string_equal(string_of(first, "userID"), "user123");
    assert_string_equal(string_of(first, "operationID"), "op-1");
    assert_string_equal(string_of(first, "time"), "2026-01-02T03:04:05.678Z");
    assert_non_null(strstr(reply.content, "\"events\":[{\"seq\":1,"));
}

/* An ID comes back byte for byte, whatever is in it. */
static void test_api_gives_ids_back(void **state)
{
    static const char *const ids[] = {
        "g",       "<a>&'\"\\/", "\x01\x1f\x7f\t\r\n",       "\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80",
        "\\u0041", "%41+",       "\xef\xbf\xbd\xef\xbf\xbf",
    };
    char content[500], escaped[200];
    qr_json_ref first;

    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct qr_out out;
        qr_out_init(&out, escaped, sizeof escaped - 1);
        qr_out_json(&out, ids[i], strlen(ids[i]));
        escaped[out.len] = '\0';
        snprintf(content, sizeof content, "{\"userID\":%s,\"groupID\":%s}", escaped, escaped);
        post_quit(content);
        assert_handled();
        assert_event(0, ids[i], ids[i]);
        get("/status?limit=1");
        assert_json();
        first = (qr_json_ref)(qr_json_member(0, "events") + 1);
        assert_string_equal(string_of(first, "groupID"), ids[i]);
        assert_string_equal(string_of(first, "userID"), ids[i]);
    }
}

static void test_api_pages_through_the_events(void **state)
{
    static const struct {
        const char *target, *page;
        unsigned first, n;
    } rows[] = {
        {"/status?since=0&limit=2", "\"next\":2,\"more\":true,\"reset\":false,", 1, 2},
        {"/status?limit=2&since=2", "\"next\":4,\"more\":true,\"reset\":false,", 3, 2},
        {"/status?since=4", "\"next\":5,\"more\":false,\"reset\":false,", 5, 1},
        {"/status?since=5", "\"next\":5,\"more\":false,\"reset\":false,", 0, 0},
        {"/status?since=6", "\"next\":5,\"more\":false,\"reset\":true,", 1, 5},
        {"/status?limit=2", "\"next\":5,\"more\":false,\"reset\":false,", 4, 2},
        {"/status", "\"next\":5,\"more\":false,\"reset\":false,", 1, 5},
    };
    char member[100];

    (void)state;
    for (int i = 0; i < 5; i++) {
        post_quit("{\"groupID\":\"g\",\"userID\":\"u\"}");
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned n = 0;
        get(rows[i].target);
        assert_json();
        assert_non_null(strstr(reply.content, rows[i].page));
        snprintf(member, sizeof member, "\"events\":[{\"seq\":%u,", rows[i].first);
        if (rows[i].n != 0) {
            assert_non_null(strstr(reply.content, member));
        }
        for (const char *at = reply.content; (at = strstr(at, "{\"seq\":")) != NULL; at++) {
            n++;
        }
        assert_int_equal(n, rows[i].n);
    }
}

static void test_api_refuses_bad_status_queries(void **state)
{
    static const struct {
        const char *query;
        unsigned code;
        const char *name; /* that errDlt says */
    } rows[] = {
        {"x=1", 5402, "x"},
        {"since=1&Limit=2", 5402, "Limit"},
        {"since=1&since=1", 5403, "since"},
        {"limit=1&since=0&limit=1", 5403, "limit"},
        {"limit=0", 5404, "limit"},
        {"limit=65536", 5404, "limit"},
        {"limit=", 5404, "limit"},
        {"limit", 5404, "limit"},
        {"limit=1x", 5404, "limit"},
        {"since=-1", 5404, "since"},
        {"since=", 5404, "since"},
        {"since=99999999999999999999", 5404, "since"},
        {"since=0x1", 5404, "since"},
    };
    char target[200];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct qr_stats before = stats;
        snprintf(target, sizeof target, "/status?%s", rows[i].query);
        get(target);
        assert_refused(400, rows[i].code, NULL, target);
        assert_ptr_equal(strstr(string_of(0, "errDlt"), rows[i].name), string_of(0, "errDlt"));
        assert_false(reply.close);
        assert_moved(&before, "requests badRequests", target);
    }
}

static void test_api_bounds_what_it_says_of_a_long_parameter(void **state)
{
    static char target[QR_TARGET_MAX];

    (void)state;
    memset(target, '\'', sizeof target - 1);
    memcpy(target, "/status?", 8);
    get(target);
    assert_refused(400, 5402, NULL, target);
    assert_true(strlen(string_of(0, "errDlt")) <= QR_CALLBACK_PLACE_MAX);
}

/* ---- a slow reader ---- */

static struct client writer;

static void store_numbered(unsigned i)
{
    char content[100];

    snprintf(content, sizeof content, "{\"groupID\":\"g%u\",\"userID\":\"u%u\"}", i, i);
    (void)request_to("POST", "/" QUIT, "", content);
    give(&writer, request_text, strlen(request_text));
    take_all(&writer);
    next_reply(&writer, false);
    assert_handled();
}

static unsigned number_at(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    unsigned value = 0;

    assert_non_null(at);
    for (at += strlen(name); *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (unsigned)(*at - '0');
    }
    return value;
}

/* Each event is whole and belongs to its seq, though the ring runs on under the reader. */
static void test_api_shows_a_slow_reader_no_torn_event(void **state)
{
    static const char request[] = "GET /status?since=0&limit=65535 HTTP/1.1\r\nHost: a\r\n\r\n";
    unsigned i = 0, last = 0, seen = 0;

    (void)state;
    start_with_ring_of(4096);
    writer.out_len = 0;
    open_client(&writer);
    while (qr_ring_overwritten(&ring) == 0) {
        store_numbered(++i);
        writer.out_len = writer.out_read = 0;
    }
    open_client(&client);
    give(&client, request, sizeof request - 1);
    for (unsigned end = i; take(&client, 97) != 0;) {
        store_numbered(++i);
        writer.out_len = writer.out_read = 0;
        assert_true(i < end + 1000);
    }
    next_reply(&client, false);
    for (const char *at = reply.content; (at = strstr(at, "{\"seq\":")) != NULL; at++) {
        unsigned seq = number_at(at, "{\"seq\":");
        assert_true(seq > last);
        assert_int_equal(number_at(at, "\"groupID\":\"g"), seq);
        assert_int_equal(number_at(at, "\"userID\":\"u"), seq);
        last = seq;
        seen++;
    }
    assert_true(seen > 0);
    assert_int_equal(number_at(reply.content, "\"missed\":") + seen,
                     number_at(reply.content, "\"next\":"));
    assert_true(qr_conn_idle(&client.conn));
}

/* ---- notes for a log ---- */

static void test_api_tells_one_line_about_each_request(void **state)
{
    static const struct {
        const char *method, *target, *content, *says;
    } rows[] = {
        {"POST", "/" QUIT, "{\"groupID\":\"g\",\"userID\":\"u\"}", "seq 1"},
        {"POST", "/" QUIT, "{\"groupID\":\"g\"}", "userID"},
        {"POST", "/callbackAfterJoinGroupCommand", "{}", "ignored"},
        {"POST", "/callbackXCommand", "{}", "ignored"},
        {"GET", "/status", "", "poll"},
        {"GET", "/status?nothing=1", "", "nothing"},
        {"GET", "/nowhere", "", "/nowhere"},
        {"PUT", "/status", "", "/status"},
        {"BREW", "/", "", "method"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ask(request_to(rows[i].method, rows[i].target, "", rows[i].content));
        if (n_notes != i + 1 || strstr(notes, rows[i].says) == NULL) {
            fail_msg("%u notes, the last \"%s\", for request %zu: %s %s", n_notes, notes, i,
                     rows[i].method, rows[i].target);
        }
    }
}

static void test_api_tells_one_line_about_a_health_check(void **state)
{
    (void)state;
    get("/healthz");
    assert_int_equal(n_notes, 1);
}

static void test_api_notes_long_things_in_ascii(void **state)
{
    static char target[QR_TARGET_MAX];

    (void)state;
    ask(request_to("POST", "/" QUIT, "operationID: \x80\xff\r\n",
                   "{\"groupID\":\"\xc3\xa9\",\"userID\":\"\\n\"}"));
    assert_handled(); /* note() looks at what it gets */
    assert_int_equal(n_notes, 1);
    for (size_t len = 2; len < sizeof target; len += len < 300 ? 1 : 100) {
        memset(target, 'x', len);
        target[0] = '/';
        target[len] = '\0';
        n_notes = 0;
        get(target);
        assert_int_equal(reply.status, 404);
        assert_int_equal(n_notes, 1);
    }
}

static void test_api_tells_nobody_where_nobody_listens(void **state)
{
    (void)state;
    api.note = NULL;
    post_quit("{\"groupID\":\"g\",\"userID\":\"u\"}");
    assert_handled();
    assert_int_equal(ring.last_seq, 1);
    post_quit("{}");
    get("/status");
    get("/nothing");
    ask("BREW / HTTP/1.1\r\n\r\n");
    assert_int_equal(reply.status, 501);
}

/* ---- whichever way the bytes come ---- */

static void test_api_gives_the_same_reply_however_the_request_is_cut(void **state)
{
    static const char *const requests[] = {
        "POST /p/" QUIT "?contenttype=json HTTP/1.1\r\nHost: a\r\noperationID: op\r\n"
        "Content-Length: 88\r\n\r\n"
        "{\"callbackCommand\":\"" QUIT "\",\"groupID\":\"G001\",\"userID\":\"user123\"}\n",
        "POST /" QUIT " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1b\r\n{\"groupID\":\"g\",\"userID\":\"\"}\r\n0\r\n\r\n",
        "GET /status?since=0&limit=7 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /status HTTP/1.0\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /callbackXCommand HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    };
    static char whole[OUT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        size_t len = strlen(requests[i]);
        size_t whole_len;
        struct qr_stats whole_stats;
        start_with_ring_of(QR_RING_MIN);
        ask(requests[i]);
        whole_len = client.out_len;
        memcpy(whole, client.out, whole_len);
        whole_stats = stats;
        for (size_t cut = 0; cut < len; cut++) { /* 0: byte by byte */
            start_with_ring_of(QR_RING_MIN);
            open_client(&client);
            for (size_t at = 0; at < len;) {
                size_t n = cut == 0 ? 1 : at == 0 ? cut : len - at;
                give(&client, requests[i] + at, n);
                at += n;
            }
            take_all(&client);
            assert_bytes(client.out, client.out_len, whole, whole_len);
            assert_memory_equal(&stats, &whole_stats, sizeof stats);
            assert_int_equal(ring.last_seq, i == 0 ? 1 : 0);
        }
    }
}

/* ---- who waits, and what beside the status document there is ---- */

static void ask_to_wait(const char *target, const char *fields)
{
    int n = snprintf(request_text, sizeof request_text,
                     "GET %s HTTP/1.1\r\nHost: quitring\r\n%s\r\n", target, fields);

    assert_true(n > 0 && (size_t)n < sizeof request_text);
    open_client(&client);
    client.conn.may_wait = true;
    give(&client, request_text, (size_t)n);
    take_all(&client);
}

/* The server's part, while somebody else stores. */
static void store_meanwhile(const char *group, const char *user)
{
    struct qr_quit quit = {.group_id = group,
                           .user_id = user,
                           .group_id_len = (uint8_t)strlen(group),
                           .user_id_len = (uint8_t)strlen(user)};

    (void)qr_ring_put(&ring, &quit, &now);
    assert_int_equal(*handler.news, ring.last_seq);
    qr_conn_news(&client.conn, &now);
    take_all(&client);
}

static void test_api_holds_a_poll_until_an_event_is_stored(void **state)
{
    (void)state;
    post_quit("{\"groupID\":\"g\",\"userID\":\"u\"}");
    ask_to_wait("/status?wait=60&userID=me", "");
    assert_true(qr_conn_waits(&client.conn));
    store_meanwhile("g", "other");
    assert_true(qr_conn_waits(&client.conn));
    store_meanwhile("g", "me");
    next_reply(&client, false);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.content, "\"events\":[{\"seq\":3,"));
    assert_int_equal(stats.polls, 1);
    assert_int_equal(stats.waitsRefused, 0);
}

static void test_api_holds_no_poll_that_has_an_answer(void **state)
{
    static const char *const targets[] = {"/status?wait=60&since=0", "/status?wait=60&since=2",
                                          "/status?wait=60&since=0&groupID=g", "/status?wait=0"};

    (void)state;
    post_quit("{\"groupID\":\"g\",\"userID\":\"u\"}");
    for (size_t i = 0; i < COUNT(targets); i++) {
        ask_to_wait(targets[i], "");
        next_reply(&client, false);
        assert_int_equal(reply.status, 200);
    }
}

static void test_api_answers_a_poll_whose_events_were_overwritten(void **state)
{
    (void)state;
    start_with_ring_of(QR_RING_MIN);
    ask_to_wait("/status?wait=60&since=0&groupID=none", "");
    assert_true(qr_conn_waits(&client.conn));
    /* While nobody looks, as many as do not fit. */
    for (unsigned i = 0; ring.first_seq < 3; i++) {
        (void)qr_ring_put(
            &ring,
            &(struct qr_quit){.group_id = "g", .user_id = "u", .group_id_len = 1, .user_id_len = 1},
            &now);
    }
    store_meanwhile("g", "u");
    next_reply(&client, false);
    assert_null(strstr(reply.content, "\"missed\":0}"));
}

static void test_api_looks_through_a_large_ring_in_steps(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * QR_LOOKS_A_TURN / 2; i++) {
        post_quit("{\"groupID\":\"g\",\"userID\":\"u\"}");
    }
    ask_to_wait("/status?wait=60&since=0&groupID=none", "");
    assert_true(qr_conn_waits(&client.conn));
    assert_true(client.conn.deadline_ms <= now.uptime_ms); /* at once, when others had their turn */
    qr_conn_tick(&client.conn, &now);
    assert_int_equal(client.conn.deadline_ms, now.uptime_ms + 60000);
}

static void test_api_says_when_nothing_has_changed(void **state)
{
    static const struct {
        const char *fields;
        unsigned status;
    } rows[] = {
        {"", 200},
        {"If-None-Match: W/\"0123456789abcdef-1\"\r\n", 304},
        {"If-None-Match: \"0123456789abcdef-1\"\r\n", 304},
        {"If-None-Match: \"x\", W/\"0123456789abcdef-1\" , \"y\"\r\n", 304},
        {"If-None-Match: *\r\n", 304},
        {"If-None-Match: W/\"0123456789abcdef-11\"\r\n", 200},
        {"If-None-Match: W/\"0123456789abcdef-0\"\r\n", 200},
        {"If-None-Match: 0123456789abcdef-1\r\n", 200},
    };

    (void)state;
    post_quit("{\"groupID\":\"g\",\"userID\":\"u\"}");
    for (size_t i = 0; i < COUNT(rows); i++) {
        ask_to_wait("/status", rows[i].fields);
        next_reply(&client, rows[i].status == 304);
        assert_int_equal(reply.status, rows[i].status);
        assert_true(wire_has_line(&reply, "ETag: W/\"0123456789abcdef-1\""));
    }
}

static void test_api_streams_events(void **state)
{
    (void)state;
    ask_to_wait("/events", "");
    store_meanwhile("g", "u");
    client.out[client.out_len] = '\0';
    assert_non_null(strstr(client.out, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(client.out, "event: start\n"));
    assert_non_null(strstr(client.out, "id: 1\n"));
    assert_int_equal(stats.polls, 1);
    ask_to_wait("/events?since=1", "Last-Event-ID: 0\r\n");
    client.out[client.out_len] = '\0';
    assert_non_null(strstr(client.out, "id: 1\n"));
}

static void test_api_refuses_bad_streams(void **state)
{
    static const struct {
        const char *target, *fields, *detail;
        unsigned code;
    } rows[] = {
        {"/events?limit=1", "", "limit", 5402},
        {"/events?since=x", "", "since", 5404},
        {"/events", "Last-Event-ID: 1x\r\n", "Last-Event-ID", 5404},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ask_to_wait(rows[i].target, rows[i].fields);
        next_reply(&client, false);
        assert_refused(400, rows[i].code, rows[i].detail, rows[i].target);
    }
    get("/events"); /* where others wait already */
    assert_refused(503, 5405, NULL, "/events");
    assert_int_equal(stats.waitsRefused, 1);
    assert_int_equal(stats.refusals[qr_err_index(QR_ERR_WAITERS)], 1);
}

static void test_api_gives_the_page_to_who_takes_gzip(void **state)
{
    (void)state;
    ask("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_int_equal(reply.status, 200);
    assert_true(wire_has_line(&reply, "Content-Encoding: gzip"));
    assert_true(wire_has_line(&reply, "Vary: Accept-Encoding"));
    assert_memory_equal(reply.content, "\x1f\x8b\x08", 3);
    get("/");
    assert_int_equal(reply.status, 200);
    assert_false(wire_has_field(&reply, "Content-Encoding"));
    assert_true(wire_has_line(&reply, "Vary: Accept-Encoding"));
    assert_memory_equal(reply.content, "<!doctype html>", 15);
}

static void test_api_refuses_bad_tables(void **state)
{
    (void)state;
    get("/table?wait=1");
    assert_refused(400, 5402, "wait", "/table");
}

static void test_api_counts_quits_by_the_minute(void **state)
{
    (void)state;
    post_quit("{\"groupID\":\"g\",\"userID\":\"u\"}");
    post_quit("{\"groupID\":\"g\",\"userID\":\"\"}"); /* refused */
    get("/rates");
    assert_non_null(strstr(reply.content, ",0,1],\"hours\":["));
    get("/metrics");
    assert_non_null(
        strstr(reply.content, "\nquitring_refusals_total{code=\"5303\",status=\"422\"} 1\n"));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_api_holds_a_poll_until_an_event_is_stored),
        TEST(test_api_holds_no_poll_that_has_an_answer),
        TEST(test_api_answers_a_poll_whose_events_were_overwritten),
        TEST(test_api_looks_through_a_large_ring_in_steps),
        TEST(test_api_says_when_nothing_has_changed),
        TEST(test_api_streams_events),
        TEST(test_api_refuses_bad_streams),
        TEST(test_api_gives_the_page_to_who_takes_gzip),
        TEST(test_api_refuses_bad_tables),
        TEST(test_api_counts_quits_by_the_minute),
        TEST(test_api_stores_the_callback_of_the_specification),
        TEST(test_api_takes_openims_requests_on_one_connection),
        TEST(test_api_takes_a_callback_at_any_prefix),
        TEST(test_api_compares_the_command_with_the_path),
        TEST(test_api_takes_any_object_with_both_ids),
        TEST(test_api_takes_content_in_chunks),
        TEST(test_api_takes_an_id_of_the_largest_size),
        TEST(test_api_refuses_bad_callbacks),
        TEST(test_api_goes_on_behind_a_refused_callback),
        TEST(test_api_counts_a_deep_text_once),
        TEST(test_api_counts_a_text_of_many_values_once),
        TEST(test_api_counts_a_long_id_once),
        TEST(test_api_counts_large_content_once),
        TEST(test_api_counts_large_chunk_extensions_once),
        TEST(test_api_counts_a_long_target_once),
        TEST(test_api_counts_a_large_head_once),
        TEST(test_api_counts_a_late_request_once),
        TEST(test_api_refuses_what_is_no_request),
        TEST(test_api_stores_the_operation_id),
        TEST(test_api_ignores_other_commands_by_name),
        TEST(test_api_ignores_commands_that_it_does_not_know),
        TEST(test_api_shows_how_often_a_command_was_ignored),
        TEST(test_api_routes_by_path_and_method),
        TEST(test_api_says_what_was_not_found),
        TEST(test_api_answers_head_as_get_without_content),
        TEST(test_api_is_healthy),
        TEST(test_api_shows_what_is_stored),
        TEST(test_api_gives_ids_back),
        TEST(test_api_pages_through_the_events),
        TEST(test_api_refuses_bad_status_queries),
        TEST(test_api_bounds_what_it_says_of_a_long_parameter),
        TEST(test_api_shows_a_slow_reader_no_torn_event),
        TEST(test_api_tells_one_line_about_each_request),
        TEST(test_api_tells_one_line_about_a_health_check),
        TEST(test_api_notes_long_things_in_ascii),
        TEST(test_api_tells_nobody_where_nobody_listens),
        TEST(test_api_gives_the_same_reply_however_the_request_is_cut),
    };

    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}

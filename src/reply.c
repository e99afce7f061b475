#include "reply.h"

#include <assert.h>
#include <string.h>

#include "utf8.h"

/* "18446744073709551615" */
#define U64_DIGITS 20

void qr_out_init(struct qr_out *out, char *bytes, size_t cap)
{
    *out = (struct qr_out){.bytes = bytes, .cap = cap};
}

void qr_out_bytes(struct qr_out *out, const char *bytes, size_t len)
{
    if (len > out->cap - out->len) {
        out->full = true;
        return;
    }
    if (len != 0) {
        memcpy(out->bytes + out->len, bytes, len);
        out->len += len;
    }
}

/* At least min_digits, with leading zeros. A 32-bit processor divides 64 bits by a long loop, so
 * only what has to is divided so. */
static void number(struct qr_out *out, uint64_t value, unsigned min_digits)
{
    char digits[U64_DIGITS];
    size_t at = sizeof digits;

    for (; value > UINT32_MAX; value /= 10) {
        digits[--at] = (char)('0' + value % 10);
    }
    uint32_t rest = (uint32_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0 || sizeof digits - at < min_digits);
    qr_out_bytes(out, digits + at, sizeof digits - at);
}

void qr_out_u64(struct qr_out *out, uint64_t value)
{
    number(out, value, 1);
}

/* A wall clock's reading, split for people. */
struct date {
    unsigned year, month, day; /* month and day from 1 */
    unsigned weekday;          /* 0: Sunday */
    unsigned hour, minute, second, millisecond;
};

/* The proleptic Gregorian calendar. The year is counted from March, so that the leap day is the
 * last of it and months follow a rule: day (153 m + 2) / 5 of the year begins month m. */
static struct date split(uint64_t unix_ms)
{
    enum { MS_A_DAY = 86400000, DAYS_400_YEARS = 146097, DAYS_BEFORE_1970 = 719468 };
    uint32_t ms = (uint32_t)(unix_ms % MS_A_DAY);
    uint64_t days = unix_ms / MS_A_DAY + DAYS_BEFORE_1970; /* since 0000-03-01 */
    uint32_t day = (uint32_t)(days % DAYS_400_YEARS);
    uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint32_t day_of_year = day - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * day_of_year + 2) / 153; /* 0: March */
    bool next_year = month >= 10;

    return (struct date){
        .year = (unsigned)(days / DAYS_400_YEARS * 400 + year + (next_year ? 1 : 0)),
        .month = next_year ? month - 9 : month + 3,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
        .weekday = (unsigned)((days + 3) % 7), /* 0000-03-01 was a Wednesday */
        .hour = ms / 3600000,
        .minute = ms / 60000 % 60,
        .second = ms / 1000 % 60,
        .millisecond = ms % 1000,
    };
}

static void clock_time(struct qr_out *out, const struct date *date)
{
    number(out, date->hour, 2);
    qr_out_text(out, ":");
    number(out, date->minute, 2);
    qr_out_text(out, ":");
    number(out, date->second, 2);
}

/* All or nothing: what began at start and did not fit to its end is taken back. */
static void take_back(struct qr_out *out, size_t start)
{
    if (out->full) {
        out->len = start;
    }
}

void qr_out_timestamp(struct qr_out *out, uint64_t unix_ms)
{
    size_t start = out->len;
    struct date date = split(unix_ms);

    number(out, date.year, 4);
    qr_out_text(out, "-");
    number(out, date.month, 2);
    qr_out_text(out, "-");
    number(out, date.day, 2);
    qr_out_text(out, "T");
    clock_time(out, &date);
    qr_out_text(out, ".");
    number(out, date.millisecond, 3);
    qr_out_text(out, "Z");
    take_back(out, start);
}

void qr_out_time(struct qr_out *out, uint64_t unix_ms)
{
    size_t start = out->len;

    if (unix_ms == 0) {
        qr_out_text(out, "null");
        return;
    }
    qr_out_text(out, "\"");
    qr_out_timestamp(out, unix_ms);
    qr_out_text(out, "\"");
    take_back(out, start);
}

/* RFC 9110 section 5.6.7, IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT */
static void http_date(struct qr_out *out, uint64_t unix_ms)
{
    static const char weekdays[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct date date = split(unix_ms);

    qr_out_text(out, weekdays[date.weekday]);
    qr_out_text(out, ", ");
    number(out, date.day, 2);
    qr_out_text(out, " ");
    qr_out_text(out, months[date.month - 1]);
    qr_out_text(out, " ");
    number(out, date.year, 4);
    qr_out_text(out, " ");
    clock_time(out, &date);
    qr_out_text(out, " GMT");
}

/* How one character goes into a JSON string: taken is its bytes in the input. */
struct escaped {
    char bytes[6];
    uint8_t len;
    uint8_t taken;
};

static struct escaped escape(const char *s, size_t len)
{
    static const char short_escape[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    static const char hex[] = "0123456789abcdef";
    unsigned char c = (unsigned char)*s;
    struct escaped e = {.len = 2, .taken = 1};

    for (size_t i = 0; i < sizeof short_escape - 1; i += 2) {
        if (*s == short_escape[i]) {
            e.bytes[0] = '\\';
            e.bytes[1] = short_escape[i + 1];
            return e;
        }
    }
    if (c < 0x20) {
        memcpy(e.bytes, (char[6]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        e.len = 6;
        return e;
    }
    e.len = e.taken = (uint8_t)qr_utf8_char(s, len);
    memcpy(e.bytes, s, e.len);
    if (e.taken == 0) {
        memcpy(e.bytes, "\\ufffd", 6);
        e.len = 6;
        e.taken = 1;
    }
    return e;
}

size_t qr_out_json_part(struct qr_out *out, const char *bytes, size_t len)
{
    size_t done = 0;

    while (done < len) {
        size_t room = out->cap - out->len;
        size_t most = len - done < room ? len : done + room;
        size_t plain = (size_t)(qr_utf8_skip_plain(bytes + done, bytes + most) - (bytes + done));
        qr_out_bytes(out, bytes + done, plain);
        done += plain;
        if (done == len) {
            break;
        }
        struct escaped e = escape(bytes + done, len - done);
        if (e.len > out->cap - out->len) {
            break;
        }
        qr_out_bytes(out, e.bytes, e.len);
        done += e.taken;
    }
    return done;
}

void qr_out_json(struct qr_out *out, const char *bytes, size_t len)
{
    size_t start = out->len;

    qr_out_text(out, "\"");
    if (!out->full && qr_out_json_part(out, bytes, len) < len) {
        out->full = true;
    }
    qr_out_text(out, "\"");
    take_back(out, start);
}

/* One character of HTML; returns its bytes in the input. */
static size_t escape_html(const char *s, size_t len, const char **escaped, size_t *escaped_len)
{
    static const char markup[] = "&<>\"";
    static const char *const references[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    const char *found = *s == '\0' ? NULL : strchr(markup, *s);
    size_t taken = (unsigned char)*s < 0x20 || *s == 0x7f ? 0 : qr_utf8_char(s, len);

    *escaped = s;
    if (found != NULL) {
        *escaped = references[found - markup];
        *escaped_len = strlen(*escaped);
    } else if (taken == 0) {
        *escaped = "\xef\xbf\xbd"; /* U+FFFD */
        *escaped_len = 3;
    } else {
        *escaped_len = taken;
    }
    return taken == 0 ? 1 : taken;
}

size_t qr_out_html_part(struct qr_out *out, const char *bytes, size_t len)
{
    size_t done = 0;

    while (done < len) {
        const char *escaped;
        size_t escaped_len;
        size_t taken = escape_html(bytes + done, len - done, &escaped, &escaped_len);
        if (escaped_len > out->cap - out->len) {
            break;
        }
        qr_out_bytes(out, escaped, escaped_len);
        done += taken;
    }
    return done;
}

static const char *reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } rows[] = {
        {200, "OK"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].status == status) {
            return rows[i].phrase;
        }
    }
    return ""; /* RFC 9112 section 4: the phrase may be empty */
}

static void field(struct qr_out *out, const char *name, const char *value)
{
    qr_out_text(out, name);
    qr_out_text(out, ": ");
    qr_out_text(out, value);
    qr_out_text(out, "\r\n");
}

static void framing_field(struct qr_out *out, const struct qr_reply_head *head)
{
    if (head->framing == QR_FRAMING_CHUNKED) {
        field(out, "Transfer-Encoding", "chunked");
    } else if (head->framing == QR_FRAMING_LENGTH) {
        qr_out_text(out, "Content-Length: ");
        qr_out_u64(out, head->content_length);
        qr_out_text(out, "\r\n");
    }
}

void qr_out_etag(struct qr_out *out, const char *etag, uint64_t seq)
{
    qr_out_text(out, "W/\"");
    qr_out_text(out, etag);
    qr_out_text(out, "-");
    qr_out_u64(out, seq);
    qr_out_text(out, "\"");
}

static void etag_field(struct qr_out *out, const struct qr_reply_head *head)
{
    qr_out_text(out, "ETag: ");
    qr_out_etag(out, head->etag, head->etag_seq);
    qr_out_text(out, "\r\n");
}

static void connection_field(struct qr_out *out, const struct qr_reply_head *head)
{
    if (head->close) {
        field(out, "Connection", "close");
    } else if (head->keep_alive) {
        field(out, "Connection", "keep-alive");
    }
}

static void write_head(struct qr_out *out, const struct qr_reply_head *head)
{
    qr_out_text(out, "HTTP/1.1 ");
    number(out, head->status, 3);
    qr_out_text(out, " ");
    qr_out_text(out, reason(head->status));
    qr_out_text(out, "\r\n");
    if (head->unix_ms != 0) {
        qr_out_text(out, "Date: ");
        http_date(out, head->unix_ms);
        qr_out_text(out, "\r\n");
    }
    if (head->content_type != NULL) {
        field(out, "Content-Type", head->content_type);
    }
    framing_field(out, head);
    if (head->etag != NULL) {
        etag_field(out, head);
    }
    if (head->no_cache) {
        field(out, "Cache-Control", "no-cache");
    }
    if (head->allow != NULL) {
        field(out, "Allow", head->allow);
    }
    if (head->status == 415) { /* always for a content coding: RFC 9110 section 15.5.16 */
        field(out, "Accept-Encoding", "identity");
    }
    connection_field(out, head);
    qr_out_text(out, head->open ? "" : "\r\n");
}

/* The last head, and what it was made of: callbacks get the same one, for a second. */
static struct {
    struct qr_reply_head of;
    uint64_t second_ms; /* when the second that Date names began; 0 without a clock */
    size_t len;         /* 0: none yet */
    char bytes[QR_REPLY_HEAD_MAX];
} last;

static bool same_date(uint64_t unix_ms)
{
    return (unix_ms == 0) == (last.of.unix_ms == 0) && unix_ms - last.second_ms < 1000;
}

static bool same_fields(const struct qr_reply_head *a, const struct qr_reply_head *b)
{
    return a->content_type == b->content_type && a->allow == b->allow && a->etag == b->etag &&
           a->etag_seq == b->etag_seq && a->no_cache == b->no_cache && a->open == b->open;
}

static bool is_last(const struct qr_reply_head *head)
{
    const struct qr_reply_head *of = &last.of;

    return last.len != 0 && head->status == of->status && same_fields(head, of) &&
           head->framing == of->framing && head->content_length == of->content_length &&
           head->close == of->close && head->keep_alive == of->keep_alive &&
           same_date(head->unix_ms);
}

void qr_reply_head(struct qr_out *out, const struct qr_reply_head *head)
{
    if (!is_last(head)) {
        struct qr_out fresh;
        qr_out_init(&fresh, last.bytes, sizeof last.bytes);
        write_head(&fresh, head);
        assert(!fresh.full);
        last.of = *head;
        last.second_ms = head->unix_ms - head->unix_ms % 1000;
        last.len = fresh.len;
    }
    qr_out_bytes(out, last.bytes, last.len);
}

void qr_out_fault_place(struct qr_out *out, const struct qr_fault *fault)
{
    size_t start = out->len;

    if (fault->part == NULL) {
        return;
    }
    qr_out_bytes(out, fault->part, fault->part_len);
    if (fault->offset != QR_NO_OFFSET) {
        qr_out_text(out, ", byte ");
        qr_out_u64(out, fault->offset);
    }
    if (fault->limit != 0) {
        qr_out_text(out, ", at most ");
        qr_out_u64(out, fault->limit);
        qr_out_text(out, " ");
        qr_out_text(out, qr_err_limit_unit(fault->err));
    }
    take_back(out, start);
}

#include "lines.h"

#include <stdio.h>
#include <time.h>

#include "src/utf8.h"

#define ELLIPSIS     "\xe2\x80\xa6"
#define GAP          2
#define SEQ_COLUMNS  7
#define TIME_COLUMNS 19
#define ID_COLUMNS   16 /* where there is no terminal: at least */
#define ID_LEAST     8  /* on a terminal */

/* ---- characters ---- */

struct range {
    uint32_t first, last;
};

/* What a terminal would obey, or what is not seen: controls, marks of direction, joiners, line and
 * paragraph ends, the byte order mark, tags. */
static const struct range escaped[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},
    {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
    {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
};

/* Marks that stand on the character before. */
static const struct range narrow[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},
    {0x900, 0x902},   {0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};

/* Two columns: East Asian Wide and Fullwidth (Unicode Standard Annex 11), in broad strokes. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},
    {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
    {0x20000, 0x3fffd},
};

#define IS_IN(table, code) is_in(table, sizeof(table) / sizeof(table)[0], code)

static bool is_in(const struct range *table, size_t n, uint32_t code)
{
    for (size_t i = 0; i < n; i++) {
        if (code >= table[i].first && code <= table[i].last) {
            return true;
        }
    }
    return false;
}

static uint32_t decode(const char *s, size_t len)
{
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (uint8_t)*s & first_bits[len];

    for (size_t i = 1; i < len; i++) {
        code = code << 6 | ((uint8_t)s[i] & 0x3f);
    }
    return code;
}

/* How a character is shown. */
struct shown {
    char bytes[12];
    size_t len;
    size_t columns;
};

/* Takes one off the text. */
static struct shown take_char(struct qr_span *text)
{
    struct shown shown = {.len = qr_utf8_char(text->at, text->len)};
    uint32_t code = shown.len == 0 ? 0 : decode(text->at, shown.len);
    size_t taken = shown.len == 0 ? 1 : shown.len;

    if (shown.len == 0) {
        int n = snprintf(shown.bytes, sizeof shown.bytes, "\\x%02x", (uint8_t)*text->at);
        shown.len = shown.columns = (size_t)n;
    } else if (code == '\\') {
        memcpy(shown.bytes, "\\\\", 2);
        shown.len = shown.columns = 2;
    } else if (IS_IN(escaped, code)) {
        const char *format = code > 0xffff ? "\\U%08x" : "\\u%04x";
        int n = snprintf(shown.bytes, sizeof shown.bytes, format, (unsigned)code);
        shown.len = shown.columns = (size_t)n;
    } else {
        memcpy(shown.bytes, text->at, shown.len);
        shown.columns = IS_IN(narrow, code) ? 0 : IS_IN(wide, code) ? 2 : 1;
    }
    text->at += taken;
    text->len -= taken;
    return shown;
}

/* Columns of the text; more than max where it has more. */
static size_t columns_of(struct qr_span text, size_t max)
{
    size_t columns = 0;

    while (text.len > 0 && columns <= max) {
        columns += take_char(&text).columns;
    }
    return columns;
}

size_t qr_lines_text(struct qr_out *out, struct qr_span text, size_t max)
{
    bool cut = columns_of(text, max) > max;
    size_t room = cut ? max - 1 : max;
    size_t columns = 0;

    while (text.len > 0) {
        struct shown shown = take_char(&text);
        if (columns + shown.columns > room) {
            break;
        }
        qr_out_bytes(out, shown.bytes, shown.len);
        columns += shown.columns;
    }
    if (cut) {
        qr_out_text(out, ELLIPSIS);
        columns++;
    }
    return columns;
}

/* ---- times ---- */

static void out_format(struct qr_out *out, const char *format, unsigned a, unsigned b, unsigned c)
{
    char text[32];

    (void)snprintf(text, sizeof text, format, a, b, c);
    qr_out_text(out, text);
}

void qr_lines_duration(struct qr_out *out, uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (s >= 86400) {
        qr_out_u64(out, s / 86400);
        qr_out_text(out, "d ");
    }
    out_format(out, "%02u:%02u:%02u", (unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60),
               (unsigned)(s % 60));
}

void qr_lines_time(struct qr_out *out, const char *time)
{
    struct tm tm = {0}, local;
    char text[32];
    const char *end = strptime(time, "%Y-%m-%dT%H:%M:%S", &tm);

    if (end == NULL || (*end != '.' && *end != 'Z') || time[strlen(time) - 1] != 'Z') {
        (void)qr_lines_text(out, (struct qr_span){time, strlen(time)}, SIZE_MAX);
        return;
    }
    time_t seconds = timegm(&tm);
    if (localtime_r(&seconds, &local) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local) != 0) {
        qr_out_text(out, text);
    }
}

/* ---- the table ---- */

static void pad(struct qr_out *out, size_t n)
{
    for (; n > 0; n--) {
        qr_out_bytes(out, " ", 1);
    }
}

/* Columns for each of two IDs; the third has what is left. */
static size_t id_columns(size_t columns)
{
    size_t before = SEQ_COLUMNS + TIME_COLUMNS + 4 * GAP;

    if (columns == SIZE_MAX) {
        return ID_COLUMNS;
    }
    return columns < before + 3 * ID_LEAST ? ID_LEAST : (columns - before) / 3;
}

/* Behind the columns that are used: the IDs. No blanks stand at a line's end. */
static void out_ids(struct qr_out *out, const struct qr_span ids[3], size_t used, size_t columns)
{
    size_t width = id_columns(columns);
    size_t begin = used + GAP;

    for (size_t i = 0; i < 3; i++) {
        size_t max = columns == SIZE_MAX ? SIZE_MAX : width;
        if (i == 2 && max < columns && columns > begin + max) {
            max = columns - begin;
        }
        if (ids[i].len > 0) {
            pad(out, begin - used);
            used = begin + qr_lines_text(out, ids[i], max);
        }
        begin = (used > begin + width ? used : begin + width) + GAP;
    }
    qr_out_text(out, "\n");
}

/* The first two columns. Returns how many of the terminal's they take. */
static size_t out_first(struct qr_out *out, const char *seq, const char *time)
{
    size_t seq_len = strlen(seq), time_len = strlen(time);

    pad(out, seq_len < SEQ_COLUMNS ? SEQ_COLUMNS - seq_len : 0);
    qr_out_text(out, seq);
    pad(out, GAP);
    qr_out_text(out, time);
    pad(out, time_len < TIME_COLUMNS ? TIME_COLUMNS - time_len : 0);
    return (seq_len < SEQ_COLUMNS ? SEQ_COLUMNS : seq_len) + GAP +
           (time_len < TIME_COLUMNS ? TIME_COLUMNS : time_len);
}

void qr_lines_heading(struct qr_out *out, size_t columns)
{
    static const struct qr_span names[3] = {{"GROUP", 5}, {"USER", 4}, {"OPERATION", 9}};

    out_ids(out, names, out_first(out, "SEQ", "TIME"), columns);
}

static void out_when(struct qr_out *out, const struct qr_quit *quit, uint64_t now_ms)
{
    if (quit->time[0] != '\0') {
        qr_lines_time(out, quit->time);
    } else if (now_ms >= quit->uptime_ms) {
        qr_lines_duration(out, now_ms - quit->uptime_ms);
        qr_out_text(out, " ago");
    } else {
        qr_out_text(out, "up ");
        qr_lines_duration(out, quit->uptime_ms);
    }
}

void qr_lines_quit(struct qr_out *out, const struct qr_quit *quit, uint64_t now_ms, size_t columns)
{
    const struct qr_span ids[3] = {quit->group_id, quit->user_id, quit->operation_id};
    char seq[24], time[QR_FACTS_TEXT_MAX * 6 + 1];
    struct qr_out seq_out, time_out;

    qr_out_init(&seq_out, seq, sizeof seq - 1);
    qr_out_u64(&seq_out, quit->seq);
    seq[seq_out.len] = '\0';
    qr_out_init(&time_out, time, sizeof time - 1);
    out_when(&time_out, quit, now_ms);
    time[time_out.len] = '\0';
    out_ids(out, ids, out_first(out, seq, time), columns);
}

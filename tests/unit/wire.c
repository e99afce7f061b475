#include "wire.h"

#include <string.h>

/* Where the CRLF of a line ends, or NULL when it has not come. */
static const char *line_end(const char *at, const char *end)
{
    for (; at + 1 < end; at++) {
        if (at[0] == '\r' && at[1] == '\n') {
            return at + 2;
        }
    }
    return NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* HTTP/1.1 SP 3DIGIT SP phrase CRLF */
static bool read_status_line(struct wire_reply *reply, const char *line, const char *end)
{
    static const char form[] = "HTTP/1.1 000 ";

    if ((size_t)(end - line) < sizeof form - 1 + 2) {
        return false;
    }
    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (form[i] == '0' ? !is_digit(line[i]) : line[i] != form[i]) {
            return false;
        }
    }
    reply->status = (unsigned)(line[9] - '0') * 100 + (unsigned)(line[10] - '0') * 10 +
                    (unsigned)(line[11] - '0');
    return reply->status >= 100 && reply->status <= 599;
}

static bool read_length(struct wire_reply *reply, const char *value, const char *end)
{
    if (reply->has_length || value == end) {
        return false;
    }
    reply->has_length = true;
    for (; value < end; value++) {
        if (!is_digit(*value) || reply->length > WIRE_CONTENT_MAX) {
            return false;
        }
        reply->length = reply->length * 10 + (size_t)(*value - '0');
    }
    return true;
}

static bool is(const char *at, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(at, text, len) == 0;
}

/* name ": " value CRLF, in printable ASCII. */
static bool read_field(struct wire_reply *reply, const char *line, const char *end)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    const char *value;

    end -= 2;
    if (colon == NULL || colon == line || end - colon < 3 || colon[1] != ' ') {
        return false;
    }
    for (const char *at = line; at < end; at++) {
        if (*at < ' ' || *at > '~' || (at < colon && *at == ' ')) {
            return false;
        }
    }
    value = colon + 2;
    if (is(line, (size_t)(colon - line), "Content-Length")) {
        return read_length(reply, value, end);
    }
    if (is(line, (size_t)(colon - line), "Transfer-Encoding")) {
        bool first = !reply->chunked;
        reply->chunked = true;
        return first && is(value, (size_t)(end - value), "chunked");
    }
    if (is(line, (size_t)(colon - line), "Connection")) {
        reply->close = reply->close || is(value, (size_t)(end - value), "close");
    }
    return true;
}

static enum wire_result read_head(struct wire_reply *reply, const char *bytes, const char *end)
{
    const char *line = bytes;
    const char *next = line_end(line, end);

    while (next != NULL && next - line > 2) {
        bool good =
            line == bytes ? read_status_line(reply, line, next) : read_field(reply, line, next);
        if (!good) {
            return WIRE_BAD;
        }
        line = next;
        next = line_end(line, end);
    }
    if (next == NULL) {
        return end - bytes > WIRE_HEAD_MAX ? WIRE_BAD : WIRE_MORE;
    }
    reply->taken = (size_t)(next - bytes);
    if (line == bytes || reply->taken > WIRE_HEAD_MAX || (reply->chunked && reply->has_length)) {
        return WIRE_BAD;
    }
    memcpy(reply->head, bytes, reply->taken);
    reply->head[reply->taken] = '\0';
    return WIRE_WHOLE;
}

static bool append(struct wire_reply *reply, const char *bytes, size_t len)
{
    if (len > WIRE_CONTENT_MAX - reply->content_len) {
        return false;
    }
    memcpy(reply->content + reply->content_len, bytes, len);
    reply->content_len += len;
    return true;
}

/* 1*4HEXDIG CRLF, nothing else: we send no extensions. Returns the size, or -1. */
static long chunk_size(const char *at, const char *end)
{
    static const char hex[] = "0123456789abcdef";
    long size = 0;

    if (end - at < 3 || end - at > 6) {
        return -1;
    }
    for (; at < end - 2; at++) {
        const char *digit = memchr(hex, *at, sizeof hex - 1);
        if (digit == NULL) {
            return -1;
        }
        size = size * 16 + (digit - hex);
    }
    return size;
}

static enum wire_result read_chunks(struct wire_reply *reply, const char *bytes, const char *end)
{
    for (;;) {
        const char *at = bytes + reply->taken;
        const char *data = line_end(at, end);
        long size = data == NULL ? 0 : chunk_size(at, data);
        if (data == NULL) {
            return end - at > 6 ? WIRE_BAD : WIRE_MORE;
        }
        if (size < 0) {
            return WIRE_BAD;
        }
        if (end - data < size + 2) {
            return WIRE_MORE;
        }
        if (memcmp(data + size, "\r\n", 2) != 0 || !append(reply, data, (size_t)size)) {
            return WIRE_BAD;
        }
        reply->taken = (size_t)(data - bytes) + (size_t)size + 2;
        if (size == 0) {
            return WIRE_WHOLE;
        }
    }
}

static enum wire_result read_plain(struct wire_reply *reply, const char *bytes, size_t len,
                                   bool over)
{
    size_t have = len - reply->taken;
    size_t want = reply->has_length ? reply->length : have;

    if (have < want || (!reply->has_length && !over)) {
        return WIRE_MORE;
    }
    if (!append(reply, bytes + reply->taken, want)) {
        return WIRE_BAD;
    }
    reply->taken += want;
    return WIRE_WHOLE;
}

enum wire_result wire_read(struct wire_reply *reply, const char *bytes, size_t len, bool over,
                           bool head_only)
{
    enum wire_result result;

    memset(reply, 0, offsetof(struct wire_reply, head));
    result = read_head(reply, bytes, bytes + len);
    if (result == WIRE_WHOLE && !head_only && reply->status >= 200) {
        result = reply->chunked ? read_chunks(reply, bytes, bytes + len)
                                : read_plain(reply, bytes, len, over);
    }
    reply->content[reply->content_len] = '\0';
    return result;
}

/* The head's next line that begins with this text, behind at; NULL: none. The status line is none.
 */
static const char *line_beginning(const char *at, const char *text)
{
    while ((at = strstr(at, text)) != NULL && at[-1] != '\n') {
        at++;
    }
    return at;
}

bool wire_has_line(const struct wire_reply *reply, const char *line)
{
    const char *at = reply->head + 1;

    while ((at = line_beginning(at, line)) != NULL && strncmp(at + strlen(line), "\r\n", 2) != 0) {
        at++;
    }
    return at != NULL;
}

bool wire_has_field(const struct wire_reply *reply, const char *name)
{
    const char *at = reply->head + 1;

    while ((at = line_beginning(at, name)) != NULL && at[strlen(name)] != ':') {
        at++;
    }
    return at != NULL;
}

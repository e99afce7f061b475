#include "response.h"

#include "src/syntax.h"

#include <strings.h>

enum step { STATUS, FIELD, COUNTED, UNTIL_CLOSE, SIZE, CHUNK, CHUNK_END, TRAILER, DONE };

/* Digits of a length: more would not fit 64 bits. */
#define DIGITS_MAX 15

void qr_response_begin(struct qr_response *response)
{
    memset(response, 0, offsetof(struct qr_response, line));
}

static struct qr_span trimmed(const char *at, size_t len)
{
    while (len > 0 && (*at == ' ' || *at == '\t')) {
        at++;
        len--;
    }
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t')) {
        len--;
    }
    return (struct qr_span){at, len};
}

static bool is_word(struct qr_span span, const char *word)
{
    return span.len == strlen(word) && strncasecmp(span.at, word, span.len) == 0;
}

/* Digits of a base, 10 or 16, and nothing else. */
static bool read_number(struct qr_span text, unsigned base, uint64_t *number)
{
    enum qr_kind kind = base == 16 ? QR_HEX : QR_DIGIT;

    *number = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (!qr_syntax_is(kind, c)) {
            return false;
        }
        *number = *number * base + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return text.len > 0 && text.len <= DIGITS_MAX;
}

/* HTTP/1.1 200 OK (RFC 9112 section 4), or of 1.0. */
static bool read_status(struct qr_response *response)
{
    static const char version[] = "HTTP/1.";
    const char *line = response->line;
    size_t at = sizeof version - 1;
    uint64_t status;

    if (response->line_len < at + 6 || memcmp(line, version, at) != 0 ||
        (line[at] != '0' && line[at] != '1') || line[at + 1] != ' ' ||
        !read_number((struct qr_span){line + at + 2, 3}, 10, &status) || status < 100) {
        return false;
    }
    response->status = (unsigned)status;
    response->step = FIELD;
    return line[at + 5] == ' ';
}

static bool take_length(struct qr_response *response, struct qr_span value)
{
    bool first = !response->counted;

    response->counted = true;
    return first && read_number(value, 10, &response->left);
}

static bool take_coding(struct qr_response *response, struct qr_span value)
{
    bool first = !response->chunked;

    response->chunked = true;
    return first && is_word(value, "chunked");
}

static bool take_type(struct qr_response *response, struct qr_span value)
{
    const char *parameters = memchr(value.at, ';', value.len);
    size_t len = parameters == NULL ? value.len : (size_t)(parameters - value.at);

    response->json = is_word(trimmed(value.at, len), "application/json");
    return true;
}

/* A field line (RFC 9112 section 5), none of which may be continued. */
static bool read_field(struct qr_response *response)
{
    const char *line = response->line;
    size_t name_len = qr_syntax_skip(QR_TOKEN, line, 0, response->line_len);
    struct qr_span name = {line, name_len};

    if (name_len == 0 || name_len == response->line_len || line[name_len] != ':' ||
        qr_syntax_skip(QR_TEXT, line, name_len, response->line_len) != response->line_len) {
        return false;
    }
    struct qr_span value = trimmed(line + name_len + 1, response->line_len - name_len - 1);
    if (response->step == TRAILER) {
        return true;
    }
    if (is_word(name, "Content-Length")) {
        return take_length(response, value);
    }
    if (is_word(name, "Transfer-Encoding")) {
        return take_coding(response, value);
    }
    return is_word(name, "Content-Type") ? take_type(response, value) : true;
}

/* The empty line behind the fields. An interim response (RFC 9110 section 15.2) has another one
 * behind it. */
static enum qr_response_got end_head(struct qr_response *response)
{
    if (response->chunked && response->counted) {
        return QR_RESPONSE_BAD; /* two would disagree about where it ends */
    }
    if (response->status < 200) {
        response->step = STATUS;
        response->chunked = response->counted = false;
        return QR_RESPONSE_MORE;
    }
    response->head_len = 0;
    response->step = response->chunked ? SIZE : response->counted ? COUNTED : UNTIL_CLOSE;
    if (response->step == COUNTED && response->left == 0) {
        response->step = DONE;
    }
    return QR_RESPONSE_HEAD;
}

/* A chunk's size (RFC 9112 section 7.1), whose extensions do not count. */
static bool read_size(struct qr_response *response)
{
    const char *extension = memchr(response->line, ';', response->line_len);
    size_t len = extension == NULL ? response->line_len : (size_t)(extension - response->line);

    if (!read_number(trimmed(response->line, len), 16, &response->left)) {
        return false;
    }
    response->step = response->left == 0 ? TRAILER : CHUNK;
    return true;
}

/* A line is whole, without its end. */
static enum qr_response_got take_line(struct qr_response *response)
{
    bool empty = response->line_len == 0;
    bool good = true;

    switch (response->step) {
    case STATUS: good = read_status(response); break;
    case SIZE: good = read_size(response); break;
    case CHUNK_END:
        good = empty;
        response->step = SIZE;
        break;
    default:
        if (!empty) {
            good = read_field(response);
        } else if (response->step == FIELD) {
            return end_head(response);
        } else {
            response->step = DONE;
        }
    }
    return good ? QR_RESPONSE_MORE : QR_RESPONSE_BAD;
}

/* A byte of a line, which ends with CR LF. */
static enum qr_response_got take_byte(struct qr_response *response, char byte)
{
    size_t len = response->line_len;

    if (response->step != SIZE && response->step != CHUNK_END &&
        ++response->head_len > QR_RESPONSE_HEAD_MAX) {
        return QR_RESPONSE_BAD;
    }
    if (byte == '\n') {
        if (len == 0 || response->line[len - 1] != '\r') {
            return QR_RESPONSE_BAD;
        }
        response->line_len--;
        enum qr_response_got got = take_line(response);
        response->line_len = 0;
        return got;
    }
    if (len == sizeof response->line || (len > 0 && response->line[len - 1] == '\r')) {
        return QR_RESPONSE_BAD;
    }
    response->line[response->line_len++] = byte;
    return QR_RESPONSE_MORE;
}

static void take_content(struct qr_response *response, struct qr_span *bytes,
                         struct qr_span *content)
{
    bool limited = response->step != UNTIL_CLOSE;
    size_t len = limited && response->left < bytes->len ? (size_t)response->left : bytes->len;

    *content = (struct qr_span){bytes->at, len};
    bytes->at += len;
    bytes->len -= len;
    response->left -= limited ? len : 0;
    if (limited && response->left == 0) {
        response->step = response->step == CHUNK ? CHUNK_END : DONE;
    }
}

enum qr_response_got qr_response_take(struct qr_response *response, struct qr_span *bytes,
                                      struct qr_span *content)
{
    while (response->step != DONE && bytes->len > 0) {
        if (response->step == COUNTED || response->step == CHUNK || response->step == UNTIL_CLOSE) {
            take_content(response, bytes, content);
            return QR_RESPONSE_CONTENT;
        }
        char byte = *bytes->at++;
        bytes->len--;
        enum qr_response_got got = take_byte(response, byte);
        if (got != QR_RESPONSE_MORE) {
            return got;
        }
    }
    return response->step == DONE ? QR_RESPONSE_END : QR_RESPONSE_MORE;
}

bool qr_response_ends(const struct qr_response *response)
{
    return response->step == DONE || response->step == UNTIL_CLOSE;
}

#include "document.h"

enum step { BEFORE, BETWEEN, EVENT, BEHIND, OVER };

#define EVENTS "\"events\":["

void qr_document_begin(struct qr_document *document)
{
    memset(document, 0, sizeof *document);
}

static bool keep(struct qr_document *document, char c)
{
    /* Two bytes are kept for what closes the facts. */
    if (document->len == sizeof document->part - 2) {
        return false;
    }
    document->part[document->len++] = c;
    return true;
}

/* Whether the top object's events begin here. In front of the name stands a brace or a comma, so
 * that it is whole; within a string no quotation mark stands without a backslash before it. */
static bool at_events(const struct qr_document *document)
{
    size_t len = sizeof EVENTS - 1;

    if (document->depth != 2 || document->len < len + 1) {
        return false;
    }
    const char *at = document->part + document->len - len;
    return memcmp(at, EVENTS, len) == 0 && (at[-1] == ',' || at[-1] == '{');
}

/* Keeps a byte of a part. Returns whether it is one that may stand there. */
static bool take_byte(struct qr_document *document, char c)
{
    if (document->in_string) {
        document->in_string = document->escaped || c != '"';
        document->escaped = !document->escaped && c == '\\';
        return keep(document, c);
    }
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n': return true;
    case '"': document->in_string = true; break;
    case '{':
    case '[':
        if (document->depth == UINT8_MAX) {
            return false;
        }
        document->depth++;
        break;
    case '}':
    case ']':
        if (document->depth == 0) {
            return false;
        }
        document->depth--;
        break;
    default:
        if (document->depth == 0) {
            return false;
        }
    }
    return keep(document, c);
}

/* Gives the part, and goes on with step. */
static enum qr_document_got give(struct qr_document *document, enum qr_document_got got,
                                 enum step step)
{
    document->given = true;
    document->step = (uint8_t)step;
    return got;
}

static enum qr_document_got take_before(struct qr_document *document, char c)
{
    if (!take_byte(document, c) || (c == '}' && document->depth == 0)) {
        return QR_DOCUMENT_BAD; /* or it is over without any events */
    }
    if (c != '[' || !at_events(document)) {
        return QR_DOCUMENT_MORE;
    }
    document->part[document->len++] = ']';
    document->part[document->len++] = '}';
    document->first = true;
    document->comma = false;
    return give(document, QR_DOCUMENT_FACTS, BETWEEN);
}

/* Between events: a comma and an object, or the array's end. */
static enum qr_document_got take_between(struct qr_document *document, char c)
{
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n': return QR_DOCUMENT_MORE;
    case ',':
        if (document->first || document->comma) {
            return QR_DOCUMENT_BAD;
        }
        document->comma = true;
        return QR_DOCUMENT_MORE;
    case '{':
        if (!document->first && !document->comma) {
            return QR_DOCUMENT_BAD;
        }
        document->first = document->comma = false;
        document->step = EVENT;
        return take_byte(document, c) ? QR_DOCUMENT_MORE : QR_DOCUMENT_BAD;
    case ']':
        if (document->comma) {
            return QR_DOCUMENT_BAD;
        }
        memcpy(document->part, "{" EVENTS, sizeof EVENTS);
        document->len = sizeof EVENTS;
        document->step = BEHIND;
        return take_byte(document, c) ? QR_DOCUMENT_MORE : QR_DOCUMENT_BAD;
    default: return QR_DOCUMENT_BAD;
    }
}

/* In the object whose end is at that depth. */
static enum qr_document_got take_part(struct qr_document *document, char c, uint8_t depth)
{
    if (!take_byte(document, c)) {
        return QR_DOCUMENT_BAD;
    }
    if (c != '}' || document->in_string || document->depth != depth) {
        return QR_DOCUMENT_MORE;
    }
    return depth == 0 ? give(document, QR_DOCUMENT_END, OVER)
                      : give(document, QR_DOCUMENT_EVENT, BETWEEN);
}

static enum qr_document_got take(struct qr_document *document, char c)
{
    switch (document->step) {
    case BEFORE: return take_before(document, c);
    case BETWEEN: return take_between(document, c);
    case EVENT: return take_part(document, c, 2);
    case BEHIND: return take_part(document, c, 0);
    default: return c == '\n' || c == '\r' || c == ' ' ? QR_DOCUMENT_MORE : QR_DOCUMENT_BAD;
    }
}

enum qr_document_got qr_document_take(struct qr_document *document, struct qr_span *bytes)
{
    enum qr_document_got got = QR_DOCUMENT_MORE;

    if (document->given) {
        document->given = false;
        document->len = 0;
    }
    while (got == QR_DOCUMENT_MORE && bytes->len > 0) {
        char c = *bytes->at++;
        bytes->len--;
        got = take(document, c);
    }
    return got;
}

#include "stream.h"

#include <string.h>

#include "src/span.h"

void qr_stream_begin(struct qr_stream *stream)
{
    stream->event[0] = '\0';
    stream->data_len = stream->line_len = 0;
    stream->whole = false;
}

/* What stands behind the field's name, its colon and a blank. */
static bool take_field(struct qr_span line, const char *name, struct qr_span *value)
{
    size_t len = strlen(name);

    if (line.len < len || memcmp(line.at, name, len) != 0) {
        return false;
    }
    len += line.len > len && line.at[len] == ' ' ? 1 : 0;
    *value = (struct qr_span){line.at + len, line.len - len};
    return true;
}

/* Fields besides these, and comments, do not count. */
static void take_line(struct qr_stream *stream, struct qr_span line)
{
    struct qr_span value;

    if (take_field(line, "event:", &value)) {
        size_t len = value.len < sizeof stream->event ? value.len : sizeof stream->event - 1;
        memcpy(stream->event, value.at, len);
        stream->event[len] = '\0';
    } else if (take_field(line, "data:", &value)) {
        memmove(stream->bytes + stream->data_len, value.at, value.len);
        stream->data_len += value.len;
    }
}

enum qr_stream_got qr_stream_take(struct qr_stream *stream, char byte)
{
    if (stream->whole) {
        qr_stream_begin(stream);
    }
    if (byte != '\n') {
        if (stream->data_len + stream->line_len == sizeof stream->bytes) {
            return QR_STREAM_TOO_LONG;
        }
        stream->bytes[stream->data_len + stream->line_len++] = byte;
        return QR_STREAM_MORE;
    }
    struct qr_span line = {stream->bytes + stream->data_len, stream->line_len};
    line.len -= line.len > 0 && line.at[line.len - 1] == '\r' ? 1 : 0;
    stream->line_len = 0;
    if (line.len > 0) {
        take_line(stream, line);
        return QR_STREAM_MORE;
    }
    stream->whole = true; /* an empty line ends it; without data it was none */
    return stream->data_len > 0 ? QR_STREAM_MESSAGE : QR_STREAM_MORE;
}

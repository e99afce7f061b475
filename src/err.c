#include "err.h"

#include <string.h>

int qr_fault_at(struct qr_fault *fault, enum qr_err err, const char *part, uint32_t offset)
{
    fault->err = err;
    fault->offset = offset;
    fault->limit = 0;
    fault->part = part;
    fault->part_len = part == NULL ? 0 : strlen(part);
    return err;
}

int qr_fault_limit(struct qr_fault *fault, enum qr_err err, const char *part, uint32_t limit)
{
    (void)qr_fault_at(fault, err, part, QR_NO_OFFSET);
    fault->limit = limit;
    return err;
}

/* One row an error, so that number, status and text cannot drift apart. */
static const struct row {
    enum qr_err err;
    unsigned short status;
    const char *text;
} rows[] = {
    {QR_ERR_REQUEST_LINE, 400, "malformed request line"},
    {QR_ERR_METHOD_UNKNOWN, 501, "method not implemented"},
    {QR_ERR_TARGET, 400, "malformed request target"},
    {QR_ERR_TARGET_TOO_LONG, 414, "request target too long"},
    {QR_ERR_VERSION, 400, "malformed HTTP version"},
    {QR_ERR_VERSION_UNSUPPORTED, 505, "HTTP version not supported: 1.0 and 1.1 are"},
    {QR_ERR_LINE_ENDING, 400, "a line must end with CR LF"},
    {QR_ERR_FIELD_NAME, 400, "malformed field name"},
    {QR_ERR_FIELD_VALUE, 400, "control character in a field value"},
    {QR_ERR_HEAD_TOO_LARGE, 431, "request head too large"},
    {QR_ERR_HOST, 400, "Host missing, repeated or malformed"},
    {QR_ERR_CONTENT_LENGTH, 400, "Content-Length malformed or repeated"},
    {QR_ERR_TRANSFER_ENCODING, 400, "Transfer-Encoding not allowed here"},
    {QR_ERR_TRANSFER_CODING, 501, "transfer coding not supported"},
    {QR_ERR_CONTENT_CODING, 415, "content coding not supported"},
    {QR_ERR_CONTENT_TOO_LARGE, 413, "content too large"},
    {QR_ERR_CHUNK, 400, "malformed chunk"},
    {QR_ERR_EXPECTATION, 417, "expectation not supported"},
    {QR_ERR_MISDIRECTED, 421, "https on a connection that is not secured"},
    {QR_ERR_CHUNK_EXT_TOO_LARGE, 400, "chunk extensions too large"},
    {QR_ERR_HEAD_TIMEOUT, 408, "the request's head took too long"},
    {QR_ERR_CONTENT_TIMEOUT, 408, "the request's content took too long"},
    {QR_ERR_JSON_SYNTAX, 400, "not JSON"},
    {QR_ERR_JSON_TRUNCATED, 400, "the JSON text ends too early"},
    {QR_ERR_JSON_UTF8, 400, "not UTF-8"},
    {QR_ERR_JSON_CONTROL, 400, "control character in a JSON string"},
    {QR_ERR_JSON_ESCAPE, 400, "malformed escape in a JSON string"},
    {QR_ERR_JSON_DEPTH, 400, "JSON nested too deep"},
    {QR_ERR_JSON_TOKENS, 400, "too many JSON values"},
    {QR_ERR_JSON_SURROGATE, 422, "half a surrogate pair stands for no character"},
    {QR_ERR_NOT_OBJECT, 422, "the content is not a JSON object"},
    {QR_ERR_FIELD_MISSING, 422, "a field is missing"},
    {QR_ERR_FIELD_TYPE, 422, "a field is not a string"},
    {QR_ERR_ID_EMPTY, 422, "an ID is empty"},
    {QR_ERR_ID_TOO_LONG, 422, "an ID is too long"},
    {QR_ERR_ID_NUL, 422, "an ID holds U+0000"},
    {QR_ERR_COMMAND_MISMATCH, 422, "callbackCommand differs from the path's command"},
    {QR_ERR_NOT_FOUND, 404, "no such resource"},
    {QR_ERR_METHOD_NOT_ALLOWED, 405, "method not allowed here"},
    {QR_ERR_PARAM_UNKNOWN, 400, "unknown parameter"},
    {QR_ERR_PARAM_REPEATED, 400, "repeated parameter"},
    {QR_ERR_PARAM_VALUE, 400, "malformed parameter value"},
    {QR_ERR_WAITERS, 503, "too many are waiting for events"},
};
#define N_ROWS (sizeof rows / sizeof *rows)

_Static_assert(N_ROWS == QR_ERRS, "as many as there are");

size_t qr_err_index(enum qr_err err)
{
    size_t i = 0;

    while (i < N_ROWS && rows[i].err != err) {
        i++;
    }
    return i;
}

enum qr_err qr_err_at(size_t i)
{
    return i < N_ROWS ? rows[i].err : QR_OK;
}

static const struct row *find(enum qr_err err)
{
    static const struct row internal = {QR_OK, 500, "internal error"};
    size_t i = qr_err_index(err);

    return i < N_ROWS ? &rows[i] : &internal;
}

unsigned qr_err_status(enum qr_err err)
{
    return find(err)->status;
}

const char *qr_err_text(enum qr_err err)
{
    return find(err)->text;
}

const char *qr_err_limit_unit(enum qr_err err)
{
    switch (err) {
    case QR_ERR_JSON_DEPTH: return "levels";
    case QR_ERR_JSON_TOKENS: return "values and names";
    case QR_ERR_HEAD_TIMEOUT:
    case QR_ERR_CONTENT_TIMEOUT: return "ms";
    case QR_ERR_PARAM_VALUE: return "as its value";
    default: return "bytes";
    }
}

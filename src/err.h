/*
 * The one error enum, and what the outside is told of an error.
 *
 * 0 or a count is success, a negative enum qr_err is not. The numbers are part of the product: the
 * positive value is the errCode of a reply, so a number is never reused and never changes. They lie
 * in 5000 to 9999, which OpenIM leaves to the servers that it calls.
 */
#ifndef QR_ERR_H
#define QR_ERR_H

#include <stddef.h>
#include <stdint.h>

enum qr_err {
    QR_OK = 0,

    /* src/http: the bytes are not an HTTP/1.x request that we take (RFC 9112, RFC 9110) */
    QR_ERR_REQUEST_LINE = -5100,    /* request line malformed */
    QR_ERR_METHOD_UNKNOWN = -5101,  /* a method that we do not know */
    QR_ERR_TARGET = -5102,          /* request target holds a byte that RFC 3986 does not allow */
    QR_ERR_TARGET_TOO_LONG = -5103, /* over QR_TARGET_MAX */
    QR_ERR_VERSION = -5104,         /* HTTP-version malformed */
    QR_ERR_VERSION_UNSUPPORTED = -5105, /* major version is not 1 */
    QR_ERR_LINE_ENDING = -5106,         /* CR without LF, or LF without CR */
    QR_ERR_FIELD_NAME = -5107,          /* field name is not a token, or white space around it */
    QR_ERR_FIELD_VALUE = -5108,         /* control character in a field value */
    QR_ERR_HEAD_TOO_LARGE = -5109,      /* request line, fields and trailers over QR_HEAD_MAX */
    QR_ERR_HOST = -5110,                /* Host missing, repeated or malformed */
    QR_ERR_CONTENT_LENGTH = -5111,      /* Content-Length malformed or repeated */
    QR_ERR_TRANSFER_ENCODING =
        -5112, /* repeated, with Content-Length, in HTTP/1.0, not chunked last */
    QR_ERR_TRANSFER_CODING = -5113,     /* a coding other than chunked */
    QR_ERR_CONTENT_CODING = -5114,      /* Content-Encoding other than identity */
    QR_ERR_CONTENT_TOO_LARGE = -5115,   /* over QR_CONTENT_MAX */
    QR_ERR_CHUNK = -5116,               /* chunked framing malformed */
    QR_ERR_EXPECTATION = -5117,         /* Expect other than 100-continue */
    QR_ERR_MISDIRECTED = -5118,         /* https, on a connection that is not secured */
    QR_ERR_CHUNK_EXT_TOO_LARGE = -5119, /* over QR_CHUNK_EXT_MAX */

    /* src/conn */
    QR_ERR_HEAD_TIMEOUT = -5150,    /* no whole head within QR_HEAD_TIMEOUT_MS */
    QR_ERR_CONTENT_TIMEOUT = -5151, /* no whole content within QR_CONTENT_TIMEOUT_MS */

    /* src/json (RFC 8259) */
    QR_ERR_JSON_SYNTAX = -5200,    /* not JSON */
    QR_ERR_JSON_TRUNCATED = -5201, /* the text ends inside a value */
    QR_ERR_JSON_UTF8 = -5202,      /* not UTF-8 (RFC 3629) */
    QR_ERR_JSON_CONTROL = -5203,   /* raw control character in a string */
    QR_ERR_JSON_ESCAPE = -5204,    /* unknown or cut escape */
    QR_ERR_JSON_DEPTH = -5205,     /* nested deeper than QR_JSON_DEPTH_MAX */
    QR_ERR_JSON_TOKENS = -5206,    /* more than QR_JSON_TOKENS_MAX values and names */
    QR_ERR_JSON_SURROGATE =
        -5207, /* an escape that is half a surrogate pair: no UTF-8 stands for it */

    /* src/callback */
    QR_ERR_NOT_OBJECT = -5300,       /* the content is not a JSON object */
    QR_ERR_FIELD_MISSING = -5301,    /* groupID or userID missing */
    QR_ERR_FIELD_TYPE = -5302,       /* not a string */
    QR_ERR_ID_EMPTY = -5303,         /* an ID of no bytes */
    QR_ERR_ID_TOO_LONG = -5304,      /* an ID over QR_ID_MAX */
    QR_ERR_ID_NUL = -5305,           /* an ID with U+0000 */
    QR_ERR_COMMAND_MISMATCH = -5306, /* callbackCommand is not the one in the path */

    /* src/api and src/status */
    QR_ERR_NOT_FOUND = -5400,
    QR_ERR_METHOD_NOT_ALLOWED = -5401,
    QR_ERR_PARAM_UNKNOWN = -5402,
    QR_ERR_PARAM_REPEATED = -5403,
    QR_ERR_PARAM_VALUE = -5404,
    QR_ERR_WAITERS = -5405, /* over QR_WAITERS_MAX */

    QR_ERR_NO_SPACE = -5900, /* a caller's buffer is too small: never seen outside */
};

#define QR_NO_OFFSET UINT32_MAX

/* What is wrong, and where. Filled in by whoever finds the fault. */
struct qr_fault {
    enum qr_err err;
    uint32_t offset;  /* byte offset, from 0, within part (of a JSON field: of its value in the
                         content); QR_NO_OFFSET: does not apply */
    uint32_t limit;   /* the limit that was passed; 0: does not apply */
    const char *part; /* what the offset counts in: "content", "groupID", a parameter's name; not
                         terminated; valid as long as what it points into; NULL: does not apply */
    size_t part_len;
};

/* A fault in a part named by a string literal. Returns err, so that `return qr_fault_at(…)` reads
 * well. */
int qr_fault_at(struct qr_fault *fault, enum qr_err err, const char *part, uint32_t offset);

/* A fault that passed a limit of a part named by a string literal. Returns err. */
int qr_fault_limit(struct qr_fault *fault, enum qr_err err, const char *part, uint32_t limit);

/* The HTTP status code (RFC 9110 section 15) that a reply to this error carries. */
unsigned qr_err_status(enum qr_err err);

/* The i-th of the errors, counted from 0, in the order of their numbers; QR_OK: there are no more.
 * qr_err_index() is the other way: QR_ERRS for what is none of them. */
#define QR_ERRS 43
enum qr_err qr_err_at(size_t i);
size_t qr_err_index(enum qr_err err);

/* A short sentence of ASCII for people: what is wrong. Static storage. */
const char *qr_err_text(enum qr_err err);

/* What a fault's limit counts for this error: "bytes", "levels", … Static storage. */
const char *qr_err_limit_unit(enum qr_err err);

#endif

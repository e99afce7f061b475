#include "query.h"

#include <string.h>

/* Takes what stands before the separator off rest; found: whether there was one. */
static struct qr_span split(struct qr_span *rest, char separator, bool *found)
{
    const char *end = memchr(rest->at, separator, rest->len);
    struct qr_span head = {rest->at, end == NULL ? rest->len : (size_t)(end - rest->at)};

    *found = end != NULL;
    rest->at += head.len + *found;
    rest->len -= head.len + *found;
    return head;
}

/* ---- values ---- */

bool qr_query_number(struct qr_span text, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.at[i] - '0';
        if (digit > 9 || *value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *value = *value * 10 + digit;
    }
    return text.len != 0;
}

static unsigned hex_value(char c)
{
    return c <= '9' ? (unsigned)c - '0' : ((unsigned)c | 0x20) - 'a' + 10;
}

/* The next byte of percent-encoded text, in which two digits stand behind each percent sign. A plus
 * is a plus: this is no form. */
static unsigned char take_byte(struct qr_span *text)
{
    unsigned char byte = (unsigned char)*text->at;
    size_t taken = 1;

    if (byte == '%') {
        byte = (unsigned char)(hex_value(text->at[1]) << 4 | hex_value(text->at[2]));
        taken = 3;
    }
    text->at += taken;
    text->len -= taken;
    return byte;
}

static size_t decoded_len(struct qr_span text)
{
    size_t len = 0;

    for (; text.len != 0; len++) {
        (void)take_byte(&text);
    }
    return len;
}

static bool decodes_to(struct qr_span text, struct qr_span id)
{
    size_t i = 0;

    while (i < id.len && text.len != 0 && take_byte(&text) == (unsigned char)id.at[i]) {
        i++;
    }
    return i == id.len && text.len == 0;
}

/* ---- parameters ---- */

static const struct {
    const char *name;
    enum qr_param param;
    uint32_t limit; /* of its value; 0: none, or it is no number */
} params[] = {
    {"since", QR_PARAM_SINCE, 0},           {"limit", QR_PARAM_LIMIT, QR_STATUS_LIMIT_MAX},
    {"groupID", QR_PARAM_GROUP_ID, 0},      {"userID", QR_PARAM_USER_ID, 0},
    {"wait", QR_PARAM_WAIT, QR_WAIT_MAX_S},
};
#define N_PARAMS (sizeof params / sizeof *params)

static int param_fault(struct qr_fault *fault, enum qr_err err, struct qr_span name, uint32_t limit)
{
    *fault = (struct qr_fault){
        .err = err, .offset = QR_NO_OFFSET, .limit = limit, .part = name.at, .part_len = name.len};
    return err;
}

/* Returns false where the value is none that the parameter takes. */
static bool take_value(struct qr_query *query, size_t i, struct qr_span text)
{
    enum qr_param param = params[i].param;
    uint64_t number;

    if (param == QR_PARAM_GROUP_ID || param == QR_PARAM_USER_ID) {
        *(param == QR_PARAM_GROUP_ID ? &query->group_id : &query->user_id) = text;
        return text.len != 0 && decoded_len(text) <= QR_ID_MAX;
    }
    if (!qr_query_number(text, &number) || (params[i].limit != 0 && number > params[i].limit)) {
        return false;
    }
    switch (param) {
    case QR_PARAM_SINCE: query->since = number; return true;
    case QR_PARAM_WAIT: query->wait_s = (uint32_t)number; return true;
    default: query->limit = (uint32_t)number; return number != 0;
    }
}

static int read_param(struct qr_query *query, unsigned allowed, struct qr_span name,
                      struct qr_span value, struct qr_fault *fault)
{
    size_t i = 0;

    while (i < N_PARAMS && !qr_span_is(name, params[i].name)) {
        i++;
    }
    if (i == N_PARAMS || (params[i].param & allowed) == 0) {
        return param_fault(fault, QR_ERR_PARAM_UNKNOWN, name, 0);
    }
    if ((query->given & params[i].param) != 0) {
        return param_fault(fault, QR_ERR_PARAM_REPEATED, name, 0);
    }
    query->given |= params[i].param;
    return take_value(query, i, value)
               ? QR_OK
               : param_fault(fault, QR_ERR_PARAM_VALUE, name, params[i].limit);
}

int qr_query_read(struct qr_query *query, unsigned allowed, const char *text, size_t len,
                  struct qr_fault *fault)
{
    struct qr_span rest = {text, len};
    bool more = len != 0;
    int result = QR_OK;

    *query = (struct qr_query){.limit = QR_STATUS_LIMIT_DEFAULT};
    while (result == QR_OK && more) {
        struct qr_span value = split(&rest, '&', &more);
        bool has_value;
        struct qr_span name = split(&value, '=', &has_value);
        result = name.len != 0 ? read_param(query, allowed, name, value, fault)
                               : qr_fault_at(fault, QR_ERR_PARAM_UNKNOWN, "query",
                                             (uint32_t)(name.at - text));
    }
    return result;
}

bool qr_query_takes(const struct qr_query *query, struct qr_span group_id, struct qr_span user_id)
{
    return ((query->given & QR_PARAM_GROUP_ID) == 0 || decodes_to(query->group_id, group_id)) &&
           ((query->given & QR_PARAM_USER_ID) == 0 || decodes_to(query->user_id, user_id));
}

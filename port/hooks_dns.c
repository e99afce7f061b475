#include "hooks.h"

#include "lwip/pbuf.h"

/* RFC 1035 sections 3.1 and 4.1: bytes of the message's head, of what stands behind a name in a
 * question and in a record, of a label and of a whole name. */
enum { HEAD = 12, QUESTION = 4, RECORD = 10, LABEL_MAX = 63, NAME_MAX_BYTES = 255 };

/* A length byte with both of these bits set is the first of a pointer's two. */
#define POINTER 0xc0

/* There is no such place in a message. */
#define NOWHERE 0

static bool has_nul(const struct qr_content *message, u16_t at, u8_t len)
{
    for (u8_t i = 0; i < len; i++) {
        if (qr_content_8(message, (u16_t)(at + i)) == 0) {
            return true;
        }
    }
    return false;
}

/* Where the pointer at at ends, of a name that begins at name. It leads to what stands before that:
 * so none leads round in a circle (section 4.1.4). */
static u16_t end_of_pointer(const struct qr_content *message, u16_t at, u16_t name)
{
    u16_t to = qr_content_16(message, at) & 0x3fff;

    return message->len - at >= 2 && to >= HEAD && to < name ? (u16_t)(at + 2) : NOWHERE;
}

/* Where the name at at ends. */
static u16_t end_of_name(const struct qr_content *message, u16_t at)
{
    u16_t begin = at;

    while (at < message->len && at - begin < NAME_MAX_BYTES) {
        u8_t len = qr_content_8(message, at);
        if (len == 0) {
            return (u16_t)(at + 1);
        }
        if (len >= POINTER) {
            return end_of_pointer(message, at, begin);
        }
        if (len > LABEL_MAX || len >= message->len - at || has_nul(message, (u16_t)(at + 1), len)) {
            return NOWHERE;
        }
        at = (u16_t)(at + 1 + len);
    }
    return NOWHERE;
}

static u16_t end_of_record(const struct qr_content *message, u16_t at)
{
    u32_t end;

    at = end_of_name(message, at);
    if (at == NOWHERE || message->len - at < RECORD) {
        return NOWHERE;
    }
    end = (u32_t)at + RECORD + qr_content_16(message, (u16_t)(at + RECORD - 2));
    return end > message->len ? NOWHERE : (u16_t)end;
}

bool qr_hook_dns_passes(const struct qr_content *message)
{
    u32_t questions, records;
    u16_t at = HEAD;

    if (message->len < HEAD) {
        return false;
    }
    questions = qr_content_16(message, 4);
    records =
        (u32_t)qr_content_16(message, 6) + qr_content_16(message, 8) + qr_content_16(message, 10);
    for (; questions != 0; questions--) {
        at = end_of_name(message, at);
        if (at == NOWHERE || message->len - at < QUESTION) {
            return false;
        }
        at = (u16_t)(at + QUESTION);
    }
    for (; records != 0; records--) {
        at = end_of_record(message, at);
        if (at == NOWHERE) {
            return false;
        }
    }
    return true;
}

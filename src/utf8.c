#include "utf8.h"

#include <stdbool.h>
#include "words.h"

/* Bytes of the character that this first byte begins; 0: it begins none. */
static size_t lead_len(uint8_t lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc0 || lead >= 0xf8) {
        return 0;
    }
    if (lead < 0xe0) {
        return 2;
    }
    return lead < 0xf0 ? 3 : 4;
}

/* RFC 3629 section 3: each code point has one form, the shortest; surrogates have none. */
static bool form_allowed(uint32_t code_point, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    return code_point >= least[len] && code_point <= 0x10ffff &&
           (code_point < 0xd800 || code_point > 0xdfff);
}

size_t qr_utf8_char(const char *s, size_t len)
{
    if (len == 0) {
        return 0;
    }
    uint8_t lead = (uint8_t)s[0];
    size_t char_len = lead_len(lead);
    if (char_len <= 1) {
        return char_len;
    }
    if (char_len > len) {
        return 0;
    }
    uint32_t code_point = lead & (0x7fu >> char_len);
    for (size_t i = 1; i < char_len; i++) {
        uint8_t byte = (uint8_t)s[i];
        if ((byte & 0xc0) != 0x80) {
            return 0;
        }
        code_point = code_point << 6 | (byte & 0x3fu);
    }
    return form_allowed(code_point, char_len) ? char_len : 0;
}

static bool is_plain(char c)
{
    uint8_t byte = (uint8_t)c;

    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* Nearly every byte of a text is one. */
const char *qr_utf8_skip_plain(const char *s, const char *end)
{
    for (; (size_t)(end - s) >= sizeof(qr_word); s += sizeof(qr_word)) {
        qr_word word = qr_word_at(s);
        qr_word others =
            (word | qr_word_below(word, 0x20) | qr_word_is(word, '"') | qr_word_is(word, '\\')) &
            QR_WORD_TOPS;
        if (others != 0) {
            return s + qr_word_first(others);
        }
    }
    while (s < end && is_plain(*s)) {
        s++;
    }
    return s;
}

size_t qr_utf8_encode(uint32_t code_point, char *out)
{
    static const uint8_t lead_mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len;

    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        len = 2;
    } else {
        len = code_point < 0x10000 ? 3 : 4;
    }
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (char)(lead_mark[len] | code_point);
    return len;
}

size_t qr_utf8_cut(const char *s, size_t len, size_t max)
{
    if (len <= max) {
        return len;
    }
    /* A first byte never stands inside another character, so at most one character begins before
     * max and ends behind it, and it begins at most 3 bytes before. */
    for (size_t back = 1; back <= 3 && back <= max; back++) {
        if (qr_utf8_char(s + max - back, len - (max - back)) > back) {
            return max - back;
        }
    }
    return max;
}

#include "syntax.h"

#include "words.h"

/* ---- bytes ---- */

/* The kinds that go together. */
enum {
    T = QR_TEXT,
    K = QR_TEXT | QR_TOKEN,
    P = QR_TEXT | QR_TARGET,
    S = QR_TEXT | QR_TARGET | QR_NAMING,
    L = QR_TEXT | QR_TARGET | QR_NAMING | QR_TOKEN,
    H = QR_TEXT | QR_TARGET | QR_NAMING | QR_TOKEN | QR_HEX,
    D = QR_TEXT | QR_TARGET | QR_NAMING | QR_TOKEN | QR_HEX | QR_DIGIT
};

/* clang-format off */
const uint8_t qr_syntax_kinds[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, T, 0, 0, 0, 0, 0, 0, /* HTAB */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    T, L, T, K, L, K, L, L, S, S, L, L, S, L, L, P, /* SP ! " # $ % & ' ( ) * + , - . / */
    D, D, D, D, D, D, D, D, D, D, P, S, T, S, T, T, /* 0 to 9 : ; < = > ? */
    P, H, H, H, H, H, H, L, L, L, L, L, L, L, L, L, /* @ A to O */
    L, L, L, L, L, L, L, L, L, L, L, P, T, P, K, L, /* P to Z [ \ ] ^ _ */
    K, H, H, H, H, H, H, L, L, L, L, L, L, L, L, L, /* ` a to o */
    L, L, L, L, L, L, L, L, L, L, L, T, K, T, L, 0, /* p to z { | } ~ DEL */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* from here on obs-text */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
};
/* clang-format on */

/* The kinds that all four bytes are of. */
static unsigned kinds_of_four(const char *bytes)
{
    const unsigned char *four = (const unsigned char *)bytes;

    return qr_syntax_kinds[four[0]] & qr_syntax_kinds[four[1]] & qr_syntax_kinds[four[2]] &
           qr_syntax_kinds[four[3]];
}

/* Eight at a time: much of what a request costs is spent here. */
size_t qr_syntax_skip(enum qr_kind kind, const char *bytes, size_t at, size_t end)
{
    while (end - at >= 8 &&
           (kinds_of_four(bytes + at) & kinds_of_four(bytes + at + 4) & kind) != 0) {
        at += 8;
    }
    while (at < end && qr_syntax_is(kind, bytes[at])) {
        at++;
    }
    return at;
}

/* Field values are long, and are text but for their end and a rare tab. */
size_t qr_syntax_skip_text(const char *bytes, size_t at, size_t end)
{
    for (; end - at >= sizeof(qr_word); at += sizeof(qr_word)) {
        qr_word word = qr_word_at(bytes + at);
        qr_word controls =
            (qr_word_below(word, 0x20) | qr_word_is(word, 0x7f)) & ~word & QR_WORD_TOPS;
        if (controls != 0) {
            at += qr_word_first(controls);
            if (bytes[at] != '\t') {
                return at;
            }
            break;
        }
    }
    return qr_syntax_skip(QR_TEXT, bytes, at, end);
}

size_t qr_syntax_find(char c, const char *bytes, size_t at, size_t end)
{
    for (; end - at >= sizeof(qr_word); at += sizeof(qr_word)) {
        qr_word word = qr_word_at(bytes + at);
        qr_word found = qr_word_is(word, (unsigned char)c) & ~word & QR_WORD_TOPS;
        if (found != 0) {
            return at + qr_word_first(found);
        }
    }
    while (at < end && bytes[at] != c) {
        at++;
    }
    return at;
}

/* ---- uri-host [ ":" port ] ---- */

enum place {
    FIRST, /* nothing yet */
    NAME,
    HEX_1, /* behind a % */
    HEX_2,
    LITERAL_FIRST, /* behind [ */
    LITERAL,
    LITERAL_END, /* behind ] */
    COLON,
    PORT,
    BAD
};

static enum place after_name(char c)
{
    if (c == ':') {
        return COLON;
    }
    if (c == '%') {
        return HEX_1;
    }
    return qr_syntax_is(QR_NAMING, c) ? NAME : BAD;
}

static enum place after_literal(enum place place, char c)
{
    if (c == ']' && place == LITERAL) {
        return LITERAL_END;
    }
    return qr_syntax_is(QR_NAMING, c) || c == ':' ? LITERAL : BAD;
}

static enum place next(enum place place, char c)
{
    switch (place) {
    case FIRST: return c == '[' ? LITERAL_FIRST : after_name(c);
    case NAME: return after_name(c);
    case HEX_1: return qr_syntax_is(QR_HEX, c) ? HEX_2 : BAD;
    case HEX_2: return qr_syntax_is(QR_HEX, c) ? NAME : BAD;
    case LITERAL_FIRST:
    case LITERAL: return after_literal(place, c);
    case LITERAL_END: return c == ':' ? COLON : BAD;
    default: return qr_syntax_is(QR_DIGIT, c) ? PORT : BAD;
    }
}

size_t qr_syntax_host(uint8_t *place, const char *bytes, size_t at, size_t end)
{
    while (at < end) {
        enum place after = next((enum place) * place, bytes[at]);
        if (after == BAD) {
            return at;
        }
        *place = (uint8_t)after;
        at++;
        if (after == NAME) { /* the rest of the name at once */
            at = qr_syntax_skip(QR_NAMING, bytes, at, end);
        }
    }
    return end;
}

bool qr_syntax_host_whole(uint8_t place)
{
    return place == FIRST || place == NAME || place == LITERAL_END || place == COLON ||
           place == PORT;
}

/* ---- targets ---- */

/* RFC 9110 sections 4.2.1 and 4.2.4: an empty host must be refused, and user information should be.
 * *at is where it begins; afterwards its end, or the byte that shows the fault. */
static bool authority(const char *target, size_t end, size_t *at)
{
    uint8_t place = FIRST;

    if (*at == end || target[*at] == ':') {
        return false;
    }
    *at = qr_syntax_host(&place, target, *at, end);
    return *at == end && qr_syntax_host_whole(place);
}

/* The length of "http://" or "https://" at the target's beginning (in any case); 0: neither. */
static size_t scheme_len(const char *target, size_t len)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < 2; i++) {
        size_t n = 0;
        while (n < len && schemes[i][n] != '\0' && (target[n] | 0x20) == schemes[i][n]) {
            n++;
        }
        if (schemes[i][n] == '\0') {
            return n;
        }
    }
    return 0;
}

static bool absolute(const char *target, size_t len, size_t *at)
{
    size_t end = scheme_len(target, len);

    *at = end;
    while (end < len && target[end] != '/' && target[end] != '?') {
        end++;
    }
    return *at != 0 && authority(target, end, at);
}

bool qr_syntax_target(bool asterisk, const char *target, size_t len, size_t *at)
{
    *at = 0;
    if (target[0] == '/' || (asterisk && len == 1 && target[0] == '*')) {
        return true;
    }
    return absolute(target, len, at);
}

/*
 * Bytes, hosts and targets, whatever they are, in pieces of up to 10 bytes and targets of up to 10.
 *
 * CBMC's options: --unwind 12
 */
/* Looks at eight bytes at once by numbers that wrap, as unsigned ones may. */
#pragma CPROVER check push
#pragma CPROVER check disable "unsigned-overflow"
#include "src/syntax.c"
#pragma CPROVER check pop

#include "tests/prove/prove.h"

#define PIECE 10
#define LEN   10

/* What tests/prove/http.c takes for granted. */
PROOF(syntax_kinds, "any byte")
{
    char c;
    bool digit = c >= '0' && c <= '9';
    bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'f';

    assert(qr_syntax_is(QR_DIGIT, c) == digit && qr_syntax_is(QR_HEX, c) == (digit || letter));
    assert(qr_syntax_is(QR_TEXT, c) == (c == '\t' || ((uint8_t)c >= 0x20 && c != 0x7f)));
    assert(c != '\0' || qr_syntax_kinds[0] == 0);
}

PROOF(syntax_skip, "any piece of up to 10 bytes")
{
    char bytes[PIECE];
    size_t at, end, i;
    uint8_t bits;

    prove_assume(at <= end && end <= PIECE);
    enum qr_kind kind = (enum qr_kind)(bits & 63);
    size_t stop = qr_syntax_skip(kind, bytes, at, end);
    assert(stop >= at && stop <= end && (stop == end || !qr_syntax_is(kind, bytes[stop])));
    assert(i < at || i >= stop || (qr_syntax_is(kind, bytes[i]) && bytes[i] != '\0'));
}

PROOF(syntax_skip_text, "any piece of up to 10 bytes")
{
    char bytes[PIECE];
    size_t at, end, i;

    prove_assume(at <= end && end <= PIECE);
    size_t stop = qr_syntax_skip_text(bytes, at, end);
    assert(stop >= at && stop <= end && (stop == end || !qr_syntax_is(QR_TEXT, bytes[stop])));
    assert(i < at || i >= stop || qr_syntax_is(QR_TEXT, bytes[i]));
}

PROOF(syntax_find, "any piece of up to 10 bytes")
{
    char bytes[PIECE], c;
    size_t at, end, i;

    prove_assume(at <= end && end <= PIECE && c >= 0);
    size_t stop = qr_syntax_find(c, bytes, at, end);
    assert(stop >= at && stop <= end && (stop == end || bytes[stop] == c));
    assert(i < at || i >= stop || bytes[i] != c);
}

/* place goes from call to call, so it may be any that a call leaves. */
PROOF(syntax_host, "any piece of up to 10 bytes of a host")
{
    char bytes[PIECE];
    size_t at, end;
    uint8_t place;

    prove_assume(at <= end && end <= PIECE && place < BAD);
    uint8_t before = place;
    size_t stop = qr_syntax_host(&place, bytes, at, end);
    assert(stop >= at && stop <= end && place < BAD && (stop > at || place == before));
    (void)qr_syntax_host_whole(place);
}

/* Where it is good, the path begins before the question mark. */
PROOF(syntax_target, "any target of 1 to 10 bytes")
{
    char bytes[LEN];
    size_t len, at, i;
    bool asterisk;

    prove_assume(len >= 1 && len <= LEN);
    const char *target = bytes + LEN - len;
    bool good = qr_syntax_target(asterisk, target, len, &at);
    assert(at <= len);
    assert(!good || i >= at || target[i] != '?');
}

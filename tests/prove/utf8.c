/*
 * UTF-8: whatever the bytes are. A character has at most 4 bytes, so the first proof has no bound
 * but the text's end; the last one holds for texts of up to 6 bytes.
 *
 * CBMC's options: --unwind 6 --unwindset memcpy.0:9,qr_utf8_skip_plain.1:9
 */
/* Looks at eight bytes at once by numbers that wrap, as unsigned ones may. */
#pragma CPROVER check push
#pragma CPROVER check disable "unsigned-overflow"
#include "src/utf8.c"
#pragma CPROVER check pop
#include "tests/prove/prove.h"

PROOF(utf8_char, "any text")
{
    char text[5];
    size_t len;

    prove_assume(len <= sizeof text);
    size_t char_len = qr_utf8_char(text + sizeof text - len, len);
    assert(char_len <= 4 && char_len <= len);
}

/* What is written for a code point is read as one character, which is it. */
PROOF(utf8_encode, "any code point")
{
    char text[4];
    uint32_t code_point;

    prove_assume(code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff));
    size_t len = qr_utf8_encode(code_point, text);
    assert(len >= 1 && len <= 4 && qr_utf8_char(text, len) == len);
    for (size_t i = 0; i < len; i++) { /* cut short, it is none */
        assert(qr_utf8_char(text, i) == 0);
    }
}

PROOF(utf8_skip_plain, "any text of up to 10 bytes")
{
    char text[10];
    size_t len, i;

    prove_assume(len <= sizeof text);
    const char *s = text + sizeof text - len, *end = text + sizeof text;
    const char *stop = qr_utf8_skip_plain(s, end);
    assert(stop >= s && stop <= end && (stop == end || !is_plain(*stop)));
    assert(i >= (size_t)(stop - s) || is_plain(s[i]));
}

PROOF(utf8_cut, "any text of up to 6 bytes, cut anywhere")
{
    char text[6];
    size_t len, max;

    prove_assume(len <= sizeof text);
    const char *s = text + sizeof text - len;
    size_t cut = qr_utf8_cut(s, len, max);
    assert(cut <= len && cut <= max && (cut == len || max - cut <= 3));
    if (cut > 0 && cut < len) { /* no character begins before the cut and ends behind it */
        for (size_t back = 1; back <= 3 && back <= cut; back++) {
            assert(qr_utf8_char(s + cut - back, len - (cut - back)) <= back);
        }
    }
}

#include "alike.h"

#include <assert.h>
#include <string.h>

static struct {
    size_t len; /* 0: nothing is kept */
    char bytes[QR_HEAD_ALIKE_MAX];
    char state[QR_ALIKE_STATE_MAX];
} kept;

void qr_alike_keep(const char *bytes, size_t len, const void *state, size_t state_len)
{
    assert(state_len <= sizeof kept.state);
    if (len <= sizeof kept.bytes) {
        kept.len = len;
        memcpy(kept.bytes, bytes, len);
        memcpy(kept.state, state, state_len);
    }
}

size_t qr_alike_find(const char *bytes, size_t len, void *state, size_t state_len)
{
    assert(state_len <= sizeof kept.state);
    if (kept.len == 0 || kept.len > len || memcmp(bytes, kept.bytes, kept.len) != 0) {
        return 0;
    }
    memcpy(state, kept.state, state_len);
    return kept.len;
}

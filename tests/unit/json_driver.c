/*
 * Lets another program ask src/json about many texts in one go.
 *
 * stdin:  of each text its length, 4 bytes big-endian, and its bytes
 * stdout: of each text one line:
 *         ok TYPE GROUP_ID USER_ID    TYPE as enum qr_json_type; of the two members "-" where there
 *                                     is none, "!" where it is no string, "s" and the decoded bytes
 *                                     in hexadecimal, or the errCode
 *         ERRCODE OFFSET              OFFSET "-" where the fault has none
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "json.h"

#define TEXT_MAX 65536u

static void print_member(const char *name)
{
    char out[TEXT_MAX];
    qr_json_ref value = qr_json_member(0, name);

    if (value < 0) {
        printf(" -");
        return;
    }
    if (qr_json_type(value) != QR_JSON_STRING) {
        printf(" !");
        return;
    }
    int len = qr_json_string(value, out, sizeof out);
    if (len < 0) {
        printf(" %d", -len);
        return;
    }
    printf(" s");
    for (int i = 0; i < len; i++) {
        printf("%02x", (unsigned)(unsigned char)out[i]);
    }
}

static void print_fault(const struct qr_fault *fault)
{
    printf("%d ", -(int)fault->err);
    if (fault->offset == QR_NO_OFFSET) {
        printf("-\n");
    } else {
        printf("%lu\n", (unsigned long)fault->offset);
    }
}

static bool read_text(char *text, size_t *len)
{
    unsigned char head[4];

    if (fread(head, 1, sizeof head, stdin) != sizeof head) {
        return false;
    }
    *len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    return *len <= TEXT_MAX && fread(text, 1, *len, stdin) == *len;
}

int main(void)
{
    static char text[TEXT_MAX];
    struct qr_fault fault;
    size_t len;

    while (read_text(text, &len)) {
        memset(&fault, 0, sizeof fault);
        if (qr_json_read(guard_copy(text, len), len, &fault) != 0) {
            print_fault(&fault);
            continue;
        }
        printf("ok %d", (int)qr_json_type(0));
        print_member("groupID");
        print_member("userID");
        printf("\n");
    }
    return 0;
}

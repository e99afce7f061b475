#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM 65536u

char *guard_copy(const void *bytes, size_t len)
{
    static char *end;

    if (end == NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        char *map =
            mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED || mprotect(map + ROOM, page, PROT_NONE) != 0) {
            perror("guard page");
            abort();
        }
        end = map + ROOM;
    }
    if (len > ROOM) {
        abort();
    }
    if (len != 0) {
        memcpy(end - len, bytes, len);
    }
    return end - len;
}

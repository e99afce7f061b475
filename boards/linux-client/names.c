#include "names.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

const char qr_names_help[] = "a name or an address";

int qr_names_find(const char *host, const char *port, struct qr_address found[QR_NAMES_MAX],
                  const char **why)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    int n = 0;

    int error = getaddrinfo(host, port, &wanted, &list);
    if (error != 0) {
        *why = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
        return 0;
    }
    for (const struct addrinfo *one = list; one != NULL && n < QR_NAMES_MAX; one = one->ai_next) {
        memcpy(&found[n].addr, one->ai_addr, one->ai_addrlen);
        found[n++].len = one->ai_addrlen;
    }
    freeaddrinfo(list);
    return n;
}

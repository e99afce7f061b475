#include "names.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char qr_names_help[] = "an address or localhost";

int qr_names_find(const char *host, const char *port, struct qr_address found[QR_NAMES_MAX],
                  const char **why)
{
    uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = number};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = number};

    if (strcmp(host, "localhost") == 0) {
        host = "127.0.0.1";
    }
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        memcpy(&found->addr, &in, sizeof in);
        found->len = sizeof in;
        return 1;
    }
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
        memcpy(&found->addr, &in6, sizeof in6);
        found->len = sizeof in6;
        return 1;
    }
    *why = "this program takes an address, not a name";
    return 0;
}

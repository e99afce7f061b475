/*
 * Reads streams, one a line, as hexadecimal digits, and prints what src/http makes of each, one
 * line a stream: its requests, then how it ends. tests/e2e/test_http_oracle.py compares that with
 * what another parser makes of the same bytes.
 *
 *   take METHOD MINOR KEEP_ALIVE PATH QUERY CONTENT START;
 *                 in hexadecimal; QUERY is - where there is none; it began at byte START
 *   more START    the stream ends inside (or before) the request that begins at byte START
 *   stop START    it ends with a request that closes the connection
 *   error CODE OFFSET START
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

#define LINE_MAX_LEN (1u << 20)

static char line[LINE_MAX_LEN];
static char bytes[LINE_MAX_LEN / 2];
static char content[QR_CONTENT_MAX];
static struct qr_http http;

static unsigned digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    if (at == NULL) {
        fprintf(stderr, "http_driver: not a hexadecimal digit\n");
        exit(2);
    }
    return (unsigned)(at - digits);
}

static size_t decode(void)
{
    size_t len = strcspn(line, "\n") / 2;

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(digit(line[2 * i]) << 4 | digit(line[2 * i + 1]));
    }
    return len;
}

static void print_hex(const char *span, size_t len)
{
    printf(" ");
    for (size_t i = 0; i < len; i++) {
        printf("%02x", (unsigned)(unsigned char)span[i]);
    }
    printf(len == 0 ? "." : "");
}

static void print_request(const struct qr_request *request, size_t start)
{
    static const char *const names[] = {"OTHER", "GET", "HEAD", "POST"};

    printf("take %s %u %d", names[request->method], (unsigned)request->minor_version,
           request->keep_alive);
    print_hex(request->path, request->path_len);
    if (request->query == NULL) {
        printf(" -");
    } else {
        print_hex(request->query, request->query_len);
    }
    print_hex(request->content, request->content_len);
    printf(" %zu;", start);
}

static void parse_stream(size_t len)
{
    size_t at = 0;
    size_t start = 0;

    qr_http_init(&http, content, sizeof content);
    while (at < len) {
        int n = qr_http_parse(&http, bytes + at, len - at);
        if (n < 0) {
            printf("error %d %ld %zu\n", n,
                   http.fault.offset == QR_NO_OFFSET ? -1L : (long)http.fault.offset, start);
            return;
        }
        at += (size_t)n;
        if (http.phase == QR_HTTP_DONE) {
            print_request(&http.request, start);
            if (!http.request.keep_alive) {
                printf("stop %zu\n", start);
                return;
            }
            qr_http_next(&http);
            start = at;
        }
    }
    printf("more %zu\n", start);
}

int main(void)
{
    while (fgets(line, sizeof line, stdin) != NULL) {
        parse_stream(decode());
    }
    return 0;
}

/*
 * A client's view of what came back: replies, read strictly (RFC 9112). Pure.
 */
#ifndef QR_TEST_WIRE_H
#define QR_TEST_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#define WIRE_HEAD_MAX    1024
#define WIRE_CONTENT_MAX 200000

enum wire_result {
    WIRE_MORE,  /* the reply is not complete */
    WIRE_WHOLE, /* it is */
    WIRE_BAD    /* no HTTP client would take it */
};

struct wire_reply {
    unsigned status;
    bool chunked, has_length; /* neither: until the connection's end, or no content */
    bool close;               /* Connection: close */
    size_t length;            /* of Content-Length */
    size_t taken;             /* bytes of the stream that the reply is */
    size_t content_len;
    char head[WIRE_HEAD_MAX + 1];       /* terminated; all lines with their ends */
    char content[WIRE_CONTENT_MAX + 1]; /* decoded, terminated */
};

/* Reads the reply that the len bytes begin with. over: no more will come, for the server has sent
 * its FIN. head_only: it answers a HEAD. A 100 (Continue) is a reply without content. */
enum wire_result wire_read(struct wire_reply *reply, const char *bytes, size_t len, bool over,
                           bool head_only);

/* Whether the head has exactly this field line, as "Allow: POST". */
bool wire_has_line(const struct wire_reply *reply, const char *line);

/* Whether the head has a field of this name. */
bool wire_has_field(const struct wire_reply *reply, const char *name);

#endif

#include "url.h"

#include "src/syntax.h"

#include <strings.h>

#define SCHEME       "http://"
#define DEFAULT_PORT "80"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

/* Keeps len bytes as a text. Returns whether they fit, and are there. */
static bool keep(char *to, size_t max, const char *from, size_t len)
{
    if (len == 0 || len > max) {
        return false;
    }
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

static const char *read_port(struct qr_url *url, const char *text, size_t len)
{
    unsigned long port = 0;

    if (!keep(url->port, sizeof url->port - 1, text, len)) {
        return "the port is a number from 1 to 65535";
    }
    for (size_t i = 0; i < len; i++) {
        if (!qr_syntax_is(QR_DIGIT, text[i])) {
            return "the port is a number from 1 to 65535";
        }
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    return port == 0 || port > 65535 ? "the port is a number from 1 to 65535" : NULL;
}

/* [ADDRESS] at the text's beginning: *len is its bytes, with the brackets. */
static const char *read_address6(struct qr_url *url, const char *text, size_t *len)
{
    size_t inside = strspn(text + 1, "0123456789abcdefABCDEF:.");

    if (text[1 + inside] != ']' || !keep(url->host, QR_URL_HOST_MAX, text + 1, inside)) {
        return "an IPv6 address stands in brackets, as [fd77::2]";
    }
    url->brackets = true;
    *len = inside + 2;
    return NULL;
}

static const char *read_name(struct qr_url *url, const char *text, size_t *len)
{
    *len = strspn(text, letters);
    return keep(url->host, QR_URL_HOST_MAX, text, *len) ? NULL : "there is no host's name in it";
}

/* HOST[:PORT], up to end. */
static const char *read_authority(struct qr_url *url, const char *text, const char *end)
{
    size_t len;
    const char *why = *text == '[' ? read_address6(url, text, &len) : read_name(url, text, &len);

    if (why != NULL) {
        return why;
    }
    text += len;
    if (text == end) {
        return read_port(url, DEFAULT_PORT, strlen(DEFAULT_PORT));
    }
    if (*text != ':') {
        return "it is not http://HOST[:PORT][/PREFIX]";
    }
    if (memchr(text + 1, ':', (size_t)(end - text - 1)) != NULL) {
        return "an IPv6 address stands in brackets, as [fd77::2]";
    }
    return read_port(url, text + 1, (size_t)(end - text - 1));
}

static bool is_encoded(const char *text)
{
    return text[0] == '%' && qr_syntax_is(QR_HEX, text[1]) && qr_syntax_is(QR_HEX, text[2]);
}

static const char *read_prefix(struct qr_url *url, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (!qr_syntax_is(QR_TARGET, text[i]) && !is_encoded(text + i)) {
            return "a path has letters, digits and percent-encoded bytes, and no query";
        }
    }
    while (len > 0 && text[len - 1] == '/') {
        len--;
    }
    return len == 0 || keep(url->prefix, QR_URL_PREFIX_MAX, text, len) ? NULL
                                                                       : "its path is too long";
}

const char *qr_url_read(struct qr_url *url, const char *text)
{
    memset(url, 0, sizeof *url);
    if (strncasecmp(text, SCHEME, strlen(SCHEME)) == 0) {
        text += strlen(SCHEME);
    } else if (strstr(text, "://") != NULL) {
        return "it must begin with http://";
    }
    const char *end = text + strcspn(text, "/");
    const char *why = read_authority(url, text, end);
    return why == NULL ? read_prefix(url, end) : why;
}

void qr_url_authority(const struct qr_url *url, struct qr_out *out)
{
    qr_out_text(out, url->brackets ? "[" : "");
    qr_out_text(out, url->host);
    qr_out_text(out, url->brackets ? "]" : "");
    if (strcmp(url->port, DEFAULT_PORT) != 0) {
        qr_out_text(out, ":");
        qr_out_text(out, url->port);
    }
}

void qr_url_show(const struct qr_url *url, struct qr_out *out)
{
    qr_out_text(out, SCHEME);
    qr_url_authority(url, out);
    qr_out_text(out, url->prefix);
}

void qr_url_encode(struct qr_out *out, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        const char encoded[3] = {'%', hex[byte >> 4], hex[byte & 15]};
        if (strchr(letters, byte) != NULL) {
            qr_out_bytes(out, text, 1);
        } else {
            qr_out_bytes(out, encoded, sizeof encoded);
        }
    }
}

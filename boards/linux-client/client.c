#include "client.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "arguments.h"
#include "lines.h"

#define COLUMNS_DEFAULT 80
#define REFUSAL_MAX     1024 /* bytes of an error's content */

/* ---- what the commands share ---- */

void qr_client_write(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, len);
        if (n < 0 && errno != EINTR) {
            dprintf(STDERR_FILENO, "quitring: cannot write: %s\n", strerror(errno));
            exit(1);
        }
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

void qr_client_say(const struct qr_client *client, const char *format, ...)
{
    static char text[QR_URL_HOST_MAX + QR_URL_PREFIX_MAX + 512];
    struct qr_out out;
    va_list arguments;

    qr_out_init(&out, text, sizeof text - 1);
    qr_out_text(&out, "quitring: ");
    qr_url_show(&client->url, &out);
    qr_out_text(&out, ": ");
    va_start(arguments, format);
    int n = vsnprintf(text + out.len, sizeof text - out.len - 1, format, arguments);
    va_end(arguments);
    size_t room = sizeof text - out.len - 2;
    out.len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
    text[out.len++] = '\n';
    (void)!write(STDERR_FILENO, text, out.len);
}

static char line[QR_LINES_MAX];

void qr_client_heading(const struct qr_client *client)
{
    struct qr_out out;

    qr_out_init(&out, line, sizeof line);
    qr_lines_heading(&out, client->columns);
    qr_client_write(out.bytes, out.len);
}

void qr_client_quit(const struct qr_client *client, const struct qr_quit *quit, struct qr_span text,
                    uint64_t now_ms)
{
    struct qr_out out;

    if (client->json) {
        qr_client_write(text.at, text.len);
        qr_client_write("\n", 1);
        return;
    }
    qr_out_init(&out, line, sizeof line);
    qr_lines_quit(&out, quit, now_ms, client->columns);
    qr_client_write(out.bytes, out.len);
}

/* ---- asking ---- */

static void out_number(struct qr_out *out, const char *name, uint64_t value)
{
    if (value != UINT64_MAX) {
        qr_out_text(out, name);
        qr_out_u64(out, value);
    }
}

static void out_id(struct qr_out *out, const char *name, const char *id)
{
    if (id != NULL) {
        qr_out_text(out, name);
        qr_url_encode(out, id);
    }
}

/* Why it refuses: in its own words, if it has any. */
static void read_refusal(struct qr_exchange *exchange)
{
    static char bytes[REFUSAL_MAX];
    char message[64], place[64], shown[96] = "";
    struct qr_span piece;
    struct qr_out content, out;

    qr_out_init(&content, bytes, sizeof bytes);
    while (exchange->response.json && qr_exchange_read(exchange, &piece) == 1 && !content.full) {
        qr_out_bytes(&content, piece.at, piece.len);
    }
    if (qr_facts_error((struct qr_span){bytes, content.len}, message, sizeof message, place,
                       sizeof place)) {
        qr_out_init(&out, shown, sizeof shown - 1);
        (void)qr_lines_text(&out, (struct qr_span){message, strlen(message)}, 60);
        qr_out_text(&out, *place == '\0' ? "" : ", ");
        (void)qr_lines_text(&out, (struct qr_span){place, strlen(place)}, 30);
        shown[out.len] = '\0';
    }
    (void)snprintf(exchange->why, sizeof exchange->why, "it answers %u%s%s",
                   exchange->response.status, *shown == '\0' ? "" : ": ", shown);
}

int qr_client_ask(const struct qr_client *client, struct qr_exchange *exchange,
                  const char *resource, uint64_t limit, uint64_t since)
{
    static char target[QR_EXCHANGE_TARGET_MAX];
    struct qr_out out;
    char *begin;

    qr_out_init(&out, target, sizeof target - 1);
    qr_out_text(&out, resource);
    begin = target + out.len;
    out_number(&out, "&limit=", limit);
    out_number(&out, "&since=", since);
    out_id(&out, "&groupID=", client->group_id);
    out_id(&out, "&userID=", client->user_id);
    target[out.len] = '\0';
    *begin = *begin == '&' ? '?' : '\0';
    int status = qr_exchange_open(exchange, &client->url, target);
    if (status != 200 && status > 0) {
        read_refusal(exchange);
    }
    return status == 200 ? 0 : status;
}

/* ---- the program ---- */

static size_t columns(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO)) {
        return SIZE_MAX;
    }
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    size_t found = known ? size.ws_col : COLUMNS_DEFAULT;
    return found < QR_CLIENT_COLUMNS_MAX ? found : QR_CLIENT_COLUMNS_MAX;
}

static void stop(int number)
{
    (void)number;
    _exit(0);
}

/* Whoever stops it has seen enough: that is no failure. Nothing is left to be done then, since each
 * line is written at once. */
static void take_signal(int number)
{
    struct sigaction action = {.sa_handler = stop};

    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

bool qr_client_asked(int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[1], "status") == 0 || strcmp(argv[1], "tail") == 0);
}

int qr_client_run(int argc, char **argv)
{
    static struct qr_client client;
    bool tail = argc > 1 && strcmp(argv[1], "tail") == 0;

    take_signal(SIGPIPE);
    qr_arguments_read(&client, argv + 2, tail);
    client.columns = columns();
    if (!tail) {
        return qr_client_status(&client);
    }
    take_signal(SIGINT);
    take_signal(SIGTERM);
    return qr_client_tail(&client);
}

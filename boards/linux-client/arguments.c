#include "arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lines.h"
#include "names.h"

#define DEFAULT_URL "http://127.0.0.1:8080" /* what --publish is by default */
#define SHOWN_MAX   60                      /* columns of an argument in a message */

static const char help_status[] =
    "usage: quitring status [OPTIONS] [URL]\n\n"
    "Shows how a quitring is, and the newest quits, the newest last.\n\n"
    "  --limit N    so many quits (default 10)\n"
    "  --group ID   those of that group\n"
    "  --user ID    those of that user\n"
    "  --json       the status document, as it came\n";

static const char help_tail[] =
    "usage: quitring tail [OPTIONS] [URL]\n\n"
    "Shows the newest quits, then each as it comes, until it is stopped. A connection that is\n"
    "lost is made anew; standard error tells that, and what was missed.\n\n"
    "  --limit N    begin with so many quits (default 10)\n"
    "  --since SEQ  begin with those after SEQ\n"
    "  --group ID   those of that group\n"
    "  --user ID    those of that user\n"
    "  --json       each as a line of JSON\n";

static const char help_rest[] =
    "  --help       print this and exit (-h)\n\n"
    "URL is http://HOST[:PORT][/PREFIX] (default " DEFAULT_URL "); HOST is ";

static const char help_exit[] =
    ".\nExit status: 0 fine, or stopped; 1 it cannot be reached, or is no quitring; 2 called "
    "wrongly.\n";

static void print_help(bool tail)
{
    const char *const texts[] = {tail ? help_tail : help_status, help_rest, qr_names_help,
                                 help_exit};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        qr_client_write(texts[i], strlen(texts[i]));
    }
    exit(0);
}

_Noreturn static void refuse(const char *argument, const char *why)
{
    char shown[SHOWN_MAX * 4 + 1];
    struct qr_out out;

    qr_out_init(&out, shown, sizeof shown - 1);
    (void)qr_lines_text(&out, (struct qr_span){argument, strlen(argument)}, SHOWN_MAX);
    shown[out.len] = '\0';
    dprintf(STDERR_FILENO, "quitring: %s: %s (see --help)\n", shown, why);
    exit(2);
}

static uint64_t number_of(const char *option, const char *text, uint64_t max)
{
    char *end;

    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number > max) {
        refuse(option, "takes a number, and that is none, or too large");
    }
    return number;
}

static const char *id_of(const char *option, const char *text)
{
    if (*text == '\0' || strlen(text) > QR_ID_MAX) {
        refuse(option, "takes an ID of 1 to 255 bytes");
    }
    return text;
}

/* Whether argument is the option, as --NAME or --NAME=VALUE; *value is NULL for the former. */
static bool is_option(const char *argument, const char *option, const char **value)
{
    size_t len = strlen(option);

    if (strncmp(argument, option, len) != 0 || (argument[len] != '\0' && argument[len] != '=')) {
        return false;
    }
    *value = argument[len] == '=' ? argument + len + 1 : NULL;
    return true;
}

static void keep_option(struct qr_client *client, char which, const char *option, const char *value)
{
    switch (which) {
    case 'l': client->limit = number_of(option, value, QR_CLIENT_LIMIT_MAX); break;
    case 's':
        client->since = number_of(option, value, UINT64_MAX - 1);
        client->since_given = true;
        break;
    case 'g': client->group_id = id_of(option, value); break;
    default: client->user_id = id_of(option, value);
    }
}

/* Takes an option that has a value, which may be the next argument. Returns how many arguments that
 * took; 0: it is no such option. */
static int take_option(struct qr_client *client, char **arguments, bool tail)
{
    static const char *const options[] = {"--limit", "--group", "--user", "--since"};
    const char *value;

    for (int i = 0; i < (tail ? 4 : 3); i++) {
        if (is_option(arguments[0], options[i], &value)) {
            int taken = value == NULL ? 2 : 1;
            value = value == NULL ? arguments[1] : value;
            if (value == NULL) {
                refuse(options[i], "its value is missing");
            }
            keep_option(client, options[i][2], options[i], value);
            return taken;
        }
    }
    return 0;
}

static void take_url(struct qr_client *client, const char *text)
{
    const char *why = *text == '-'                  ? "there is no such option"
                      : client->url.host[0] != '\0' ? "there is a URL already"
                                                    : qr_url_read(&client->url, text);

    if (why != NULL) {
        refuse(text, why);
    }
}

void qr_arguments_read(struct qr_client *client, char **arguments, bool tail)
{
    *client = (struct qr_client){.limit = QR_CLIENT_LIMIT};
    while (*arguments != NULL) {
        int taken = take_option(client, arguments, tail);
        if (taken == 0) {
            taken = 1;
            if (strcmp(*arguments, "--json") == 0) {
                client->json = true;
            } else if (strcmp(*arguments, "--help") == 0 || strcmp(*arguments, "-h") == 0) {
                print_help(tail);
            } else {
                take_url(client, *arguments);
            }
        }
        arguments += taken;
    }
    if (client->url.host[0] == '\0') {
        take_url(client, DEFAULT_URL);
    }
}

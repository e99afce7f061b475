/* The settings texts of a Linux process, each made of lines of name=value. */
#include "cmdline.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boards/board.h"
#include "machine.h"

#define FILE_BYTES_MAX  65536
#define LINES_BYTES_MAX 16384 /* of the environment's text, and of the command line's */
#define SHOWN_MAX       60    /* bytes of an argument in a message */
#define ENV_PREFIX      "QUITRING_"
#define ENV_CONFIG      ENV_PREFIX "CONFIG"

struct lines {
    size_t len;
    char bytes[LINES_BYTES_MAX];
};

static struct qr_board_text texts[4];
static int texts_len;
static char file_bytes[FILE_BYTES_MAX + 1]; /* one more, to see that a file is larger */
static struct lines environment, command_line;

static void text_add(const char *origin, const char *text, size_t len, bool usage, bool by_line)
{
    texts[texts_len++] = (struct qr_board_text){
        .origin = origin, .text = text, .len = len, .usage = usage, .by_line = by_line};
}

struct qr_board_text qr_board_text(int i)
{
    return texts[i];
}

/* name=value, or name alone where value is NULL. Returns 0, or -1 when it does not fit. */
static int line_add(struct lines *lines, const char *name, size_t name_len, const char *value)
{
    size_t value_len = value == NULL ? 0 : strlen(value);
    if (name_len + value_len + 2 > sizeof lines->bytes - lines->len) {
        return -1;
    }
    char *at = lines->bytes + lines->len;
    memcpy(at, name, name_len);
    at += name_len;
    if (value != NULL) {
        *at++ = '=';
        memcpy(at, value, value_len);
        at += value_len;
    }
    *at++ = '\n';
    lines->len = (size_t)(at - lines->bytes);
    return 0;
}

static bool one_line(const char *value)
{
    return strpbrk(value, "\r\n") == NULL;
}

/* ---- the command line ---- */

_Noreturn static void refuse_argument(const char *argument)
{
    char shown[SHOWN_MAX + 1];
    size_t len = 0;
    for (; len < SHOWN_MAX && argument[len] != '\0'; len++) {
        shown[len] = argument[len];
        if ((unsigned char)shown[len] < ' ' || shown[len] == 0x7f) {
            shown[len] = '?';
        }
    }
    shown[len] = '\0';
    dprintf(STDERR_FILENO, "quitring: unexpected argument '%s%s' (see --help)\n", shown,
            argument[len] == '\0' ? "" : "...");
    qr_board_exit(2);
}

/* The long form of an argument; argument itself when it has none. */
static const char *long_form(const char *argument)
{
    static const char *const forms[][2] = {
        {"-h", "--help"}, {"-V", "--version"}, {"-q", "--quiet"}, {"-v", "--verbose"}};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(argument, forms[i][0]) == 0) {
            return forms[i][1];
        }
    }
    return argument;
}

/* Flags do not take the next argument: `--quiet x` is a mistake, not quiet=x. */
static bool is_flag(const char *name, size_t len)
{
    static const char *const flags[] = {"help", "version", "quiet", "verbose"};

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strlen(flags[i]) == len && memcmp(flags[i], name, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Bytes of the name in name or name=value: letters, digits, hyphens. 0: it is no option's name. */
static size_t name_length(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '-') {
        len++;
    }
    return text[0] == '-' || (text[len] != '\0' && text[len] != '=') ? 0 : len;
}

static const char *file_name(const char *value)
{
    if (value == NULL || value[0] == '\0') {
        dprintf(STDERR_FILENO, "quitring: --config takes a file's name (see --help)\n");
        qr_board_exit(2);
    }
    return value;
}

/* The argument that is the value of the option before it; NULL: it has none. */
static const char *next_value(const char *next)
{
    return next != NULL && strncmp(next, "--", 2) != 0 ? next : NULL;
}

static void option_keep(const char *name, size_t name_len, const char *value)
{
    if (line_add(&command_line, name, name_len, value) != 0) {
        dprintf(STDERR_FILENO, "quitring: the command line is longer than %d bytes\n",
                LINES_BYTES_MAX);
        qr_board_exit(2);
    }
}

/* Takes the option at argv[i]. Returns the index of the next one. */
static int option_take(char **argv, int i, const char **config)
{
    const char *option = long_form(argv[i]);
    const char *name = option + 2;
    size_t name_len = strncmp(option, "--", 2) == 0 ? name_length(name) : 0;
    if (name_len == 0) {
        refuse_argument(argv[i]);
    }

    const char *value = name[name_len] == '=' ? name + name_len + 1 : NULL;
    if (value == NULL && !is_flag(name, name_len)) {
        value = next_value(argv[i + 1]);
        i += value != NULL;
    }
    if (value != NULL && !one_line(value)) {
        refuse_argument(argv[i]);
    }

    if (name_len == strlen("config") && memcmp(name, "config", name_len) == 0) {
        *config = file_name(value);
    } else {
        option_keep(name, name_len, value);
    }
    return i + 1;
}

/* ---- the environment ---- */

/* QUITRING_SOME_NAME=value as some-name=value. Returns 0, or -1 after printing why not. */
static int variable_take(const char *variable)
{
    const char *name = variable + strlen(ENV_PREFIX);
    size_t name_len = strcspn(name, "=");
    size_t start = environment.len;

    if (name[name_len] == '\0') {
        return 0; /* no variable: whoever started us put a string of another kind there */
    }
    if (!one_line(variable)) {
        dprintf(STDERR_FILENO, "quitring: " ENV_PREFIX "%.*s: takes one line of text\n",
                (int)strcspn(name, "=\r\n"), name);
        return -1;
    }
    if (line_add(&environment, name, name_len, name + name_len + 1) != 0) {
        dprintf(STDERR_FILENO, "quitring: the environment's settings are longer than %d bytes\n",
                LINES_BYTES_MAX);
        return -1;
    }
    for (char *c = environment.bytes + start; *c != '='; c++) {
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
    }
    return 0;
}

static int environment_take(void)
{
    for (char **variable = environ; *variable != NULL; variable++) {
        if (strncmp(*variable, ENV_PREFIX, strlen(ENV_PREFIX)) != 0 ||
            strncmp(*variable, ENV_CONFIG "=", strlen(ENV_CONFIG "=")) == 0) {
            continue;
        }
        if (variable_take(*variable) != 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- the file ---- */

/* Returns the bytes read, at most FILE_BYTES_MAX + 1, or -1 with errno. Reads to the end rather
 * than asking for a size, so that a pipe will do. */
static ssize_t file_read(const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    size_t len = 0;
    ssize_t n;
    do {
        n = read(fd, file_bytes + len, sizeof file_bytes - len);
        len += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && len < sizeof file_bytes) || (n < 0 && errno == EINTR));

    int error = errno;
    close(fd);
    errno = error;
    return n < 0 ? -1 : (ssize_t)len;
}

static int file_take(const char *name)
{
    if (name[0] == '\0') {
        dprintf(STDERR_FILENO, "quitring: " ENV_CONFIG " takes a file's name\n");
        return -1;
    }
    ssize_t len = file_read(name);
    if (len < 0) {
        dprintf(STDERR_FILENO, "quitring: cannot read %s: %s\n", name, strerror(errno));
        return -1;
    }
    if (len > FILE_BYTES_MAX) {
        dprintf(STDERR_FILENO, "quitring: cannot read %s: larger than %d bytes\n", name,
                FILE_BYTES_MAX);
        return -1;
    }
    text_add(name, file_bytes, (size_t)len, false, true);
    return 0;
}

int qr_cmdline_read(int argc, char **argv)
{
    const char *config = getenv(ENV_CONFIG);

    for (int i = 1; i < argc;) {
        i = option_take(argv, i, &config);
    }
    text_add("image", qr_machine_settings, strlen(qr_machine_settings), false, false);
    if (config != NULL && file_take(config) != 0) {
        return -1;
    }
    if (environment_take() != 0) {
        return -1;
    }
    text_add("environment", environment.bytes, environment.len, false, false);
    text_add("command line", command_line.bytes, command_line.len, true, false);
    return texts_len;
}

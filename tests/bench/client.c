/*
 * A client that measures a server: so many connections, each with one request under way, each reply
 * looked at. One thread. What it found is one line of JSON.
 *
 *     client ADDR PORT [--NAME VALUE]…
 *
 *     --work callback|connect|poll|mixed   callbacks on connections that stay; a connection for
 * each callback; GETs of --target; 80 % callbacks, and 20 % polls for what came since the poll
 * before
 *     --conns N       connections
 *     --requests N    in the measured part, of all connections together
 *     --slices N      the measured part is done in so many slices, each when a line comes, so that
 *                     several clients can take turns; it says when it is ready, and when one is
 * done
 *     --warm N        before it
 *     --target PATH   of a poll
 *     --fields TEXT   more fields of a callback, with their line ends
 *     --pids P,P…     processes of the server: CPU time that all their threads took
 *     --frames NAME   an interface: frames that it had in and out, from /proc/net/dev
 *
 * Times are between the moment before a request's write and the moment after its reply's last byte;
 * of a connection for each callback, from the moment before the connect. In mixed work they are the
 * callbacks' alone.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX      1024
#define REPLY_MAX      65536
#define REQUEST_MAX    512
#define PIDS_MAX       16
#define CONNECT_WAIT_S 10   /* a server may just be starting */
#define REPLY_WAIT_MS  5000 /* OpenIM's patience */
#define MIXED_POLL     5    /* each fifth request is a poll */
#define WAKE           2    /* requests of each connection before a slice */
#define SETTLE_US      2000 /* until a server that has nothing to do sleeps, so that its time counts */

enum work { CALLBACK, CONNECT, POLL, MIXED };
static const char *const work_names[] = {"callback", "connect", "poll", "mixed"};

struct conn {
    int fd;
    bool connecting, polls; /* its request is a poll */
    unsigned requests;
    uint64_t begun_ns;
    size_t len; /* of reply */
    char reply[REPLY_MAX];
};

struct counts {
    uint64_t cpu_ns, client_ns, wall_ns, frames_in, frames_out;
};

static struct sockaddr_in server;
static enum work work = CALLBACK;
static unsigned conns_len = 1, requests = 10000, warm = 1000, slices;
static const char *target = "/status";
static const char *interface, *fields = "";
static long pids[PIDS_MAX];
static unsigned pids_len;

static struct conn conns[CONNS_MAX];
static int poller;
static unsigned todo, under_way; /* of this part */
static uint64_t *samples;
static size_t samples_len;
static unsigned long long last_seq; /* as the newest poll has told */
static unsigned closes;

__attribute__((format(printf, 1, 2))) _Noreturn static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "client: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- connections ---- */

static int socket_open(int flags)
{
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0) {
        fail("socket: %s", strerror(errno));
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void watch(struct conn *conn, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(poller, how, conn->fd, &event) != 0) {
        fail("epoll_ctl: %s", strerror(errno));
    }
}

/* Waits, since the server may be starting. */
static void conn_open(struct conn *conn)
{
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + CONNECT_WAIT_S * 1000000000ull;

    for (;;) {
        conn->fd = socket_open(0);
        if (connect(conn->fd, (struct sockaddr *)&server, sizeof server) == 0) {
            break;
        }
        if (clock_ns(CLOCK_MONOTONIC) > end) {
            fail("cannot connect: %s", strerror(errno));
        }
        close(conn->fd);
        usleep(10000);
    }
    fcntl(conn->fd, F_SETFL, O_NONBLOCK);
    watch(conn, EPOLLIN, EPOLL_CTL_ADD);
}

static void conn_close(struct conn *conn)
{
    close(conn->fd);
    conn->fd = -1;
}

/* ---- requests ---- */

static size_t request_make(const struct conn *conn, char *request)
{
    static const char content[] =
        "{\"callbackCommand\":\"callbackAfterQuitGroupCommand\",\"groupID\":\"1742938461\","
        "\"userID\":\"6172839405\"}\n";
    int len;

    if (!conn->polls) {
        len =
            snprintf(request, REQUEST_MAX,
                     "POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: %s\r\n"
                     "User-Agent: Go-http-client/1.1\r\n%sContent-Length: %zu\r\n"
                     "Content-Type: application/json; charset=utf-8\r\n"
                     "Operationid: 1732380000123456789\r\nAccept-Encoding: gzip\r\n\r\n%s",
                     inet_ntoa(server.sin_addr), work == CONNECT ? "Connection: close\r\n" : fields,
                     sizeof content - 1, content);
    } else if (work == POLL) {
        len = snprintf(request, REQUEST_MAX, "GET %s HTTP/1.1\r\nHost: q\r\n\r\n", target);
    } else {
        len = snprintf(request, REQUEST_MAX, "GET /status?since=%llu HTTP/1.1\r\nHost: q\r\n\r\n",
                       last_seq);
    }
    return (size_t)len;
}

static void request_send(struct conn *conn)
{
    char request[REQUEST_MAX];
    size_t len = request_make(conn, request);

    if (send(conn->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len) {
        fail("cannot send: %s", strerror(errno));
    }
}

/* Begins the next request of a connection, if there is one to do. */
static void next(struct conn *conn)
{
    if (todo == 0) {
        return;
    }
    todo--;
    under_way++;
    conn->requests++;
    conn->len = 0;
    conn->polls = work == POLL ||
                  (work == MIXED && (conn->requests + (unsigned)(conn - conns)) % MIXED_POLL == 0);
    conn->begun_ns = clock_ns(CLOCK_MONOTONIC);
    if (work != CONNECT) {
        request_send(conn);
        return;
    }
    conn->fd = socket_open(SOCK_NONBLOCK);
    conn->connecting = true;
    if (connect(conn->fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS) {
        fail("cannot connect: %s", strerror(errno));
    }
    watch(conn, EPOLLOUT, EPOLL_CTL_ADD);
}

/* ---- replies ---- */

/* Where chunked content ends, or 0: not yet. */
static size_t chunks_end(const struct conn *conn, size_t at)
{
    for (;;) {
        char *end;
        if (memchr(conn->reply + at, '\n', conn->len - at) == NULL) {
            return 0;
        }
        unsigned long size = strtoul(conn->reply + at, &end, 16);
        if (end == conn->reply + at || *end != '\r' || size > REPLY_MAX) {
            fail("a chunk begins with no size");
        }
        at = (size_t)(end + 2 - conn->reply) + size + 2;
        if (at > conn->len) {
            return 0;
        }
        if (size == 0) {
            return at;
        }
    }
}

/* Where the reply ends, or 0: not yet. */
static size_t reply_end(const struct conn *conn)
{
    const char *head_end = memmem(conn->reply, conn->len, "\r\n\r\n", 4);
    if (head_end == NULL) {
        return 0;
    }
    size_t head_len = (size_t)(head_end + 4 - conn->reply);
    char head[1024];
    if (head_len >= sizeof head) {
        fail("a head of %zu bytes", head_len);
    }
    memcpy(head, conn->reply, head_len);
    head[head_len] = '\0';
    if (strncmp(head, "HTTP/1.1 200 ", 13) != 0) {
        fail("not 200, but: %.*s", (int)strcspn(head, "\r"), head);
    }
    const char *length = strcasestr(head, "\ncontent-length:");
    if (length == NULL) {
        return chunks_end(conn, head_len);
    }
    size_t end = head_len + strtoul(length + strlen("\ncontent-length:"), NULL, 10);
    return end > conn->len ? 0 : end;
}

static void news_take(const struct conn *conn)
{
    const char *found = memmem(conn->reply, conn->len, "\"next\":", 7);
    if (found == NULL) {
        fail("a poll's reply without next");
    }
    unsigned long long seq = strtoull(found + 7, NULL, 10);
    last_seq = seq > last_seq ? seq : last_seq;
}

static void reply_done(struct conn *conn)
{
    if (!conn->polls || work == POLL) {
        samples[samples_len++] = clock_ns(CLOCK_MONOTONIC) - conn->begun_ns;
    } else {
        news_take(conn);
    }
    under_way--;
    if (work == CONNECT) {
        conn_close(conn);
    } else if (memmem(conn->reply, conn->len < 400 ? conn->len : 400, "nection: close", 14) !=
               NULL) {
        closes++;
        conn_close(conn);
        conn_open(conn);
    }
    next(conn);
}

static void conn_ready(struct conn *conn)
{
    if (conn->connecting) {
        conn->connecting = false;
        watch(conn, EPOLLIN, EPOLL_CTL_MOD);
        request_send(conn);
        return;
    }
    ssize_t n = recv(conn->fd, conn->reply + conn->len, REPLY_MAX - 1 - conn->len, 0);
    if (n <= 0) {
        fail("a connection ended before its reply: %s", n < 0 ? strerror(errno) : "closed");
    }
    conn->len += (size_t)n;
    conn->reply[conn->len] = '\0';
    size_t end = reply_end(conn);
    if (end == 0) {
        return;
    }
    if (end != conn->len) {
        fail("%zu bytes behind a reply", conn->len - end);
    }
    reply_done(conn);
}

/* ---- what is measured ---- */

static uint64_t file_number(const char *path)
{
    unsigned long long number = 0;
    FILE *file = fopen(path, "re");
    if (file != NULL) { /* else it has ended meanwhile */
        if (fscanf(file, "%llu", &number) != 1) {
            fail("cannot read %s", path);
        }
        fclose(file);
    }
    return number;
}

/* Nanoseconds on a CPU, of all threads (Documentation/scheduler/sched-stats.rst). */
static uint64_t process_ns(long pid)
{
    char path[300];
    uint64_t sum = 0;

    snprintf(path, sizeof path, "/proc/%ld/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        fail("there is no process %ld", pid);
    }
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        if (task->d_name[0] != '.') {
            snprintf(path, sizeof path, "/proc/%ld/task/%s/schedstat", pid, task->d_name);
            sum += file_number(path);
        }
    }
    closedir(tasks);
    return sum;
}

static void frames_read(struct counts *counts)
{
    char line[512];
    FILE *file = fopen("/proc/net/dev", "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned long long in, out;
        char *colon = strchr(line, ':');
        if (colon == NULL) {
            continue;
        }
        *colon = '\0';
        if (strcmp(line + strspn(line, " "), interface) == 0 &&
            sscanf(colon + 1, "%*u %llu %*u %*u %*u %*u %*u %*u %*u %llu", &in, &out) == 2) {
            counts->frames_in = in;
            counts->frames_out = out;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static struct counts counts_read(void)
{
    struct counts counts = {.client_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID)};

    for (unsigned i = 0; i < pids_len; i++) {
        counts.cpu_ns += process_ns(pids[i]);
    }
    if (interface != NULL) {
        frames_read(&counts);
    }
    return counts;
}

/* ---- parts ---- */

static void part_run(unsigned n)
{
    struct epoll_event events[CONNS_MAX];

    todo = n;
    for (unsigned i = 0; i < conns_len; i++) {
        next(&conns[i]);
    }
    while (under_way > 0) {
        int ready = epoll_wait(poller, events, CONNS_MAX, REPLY_WAIT_MS);
        if (ready == 0) {
            fail("%u replies did not come in %d ms", under_way, REPLY_WAIT_MS);
        }
        for (int i = 0; i < ready; i++) {
            conn_ready(events[i].data.ptr);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The sample that `part` of all samples do not pass. */
static double quantile_us(double part)
{
    size_t at = (size_t)(part * (double)samples_len);
    return (double)samples[at < samples_len ? at : samples_len - 1] / 1e3;
}

/* Requests that do not count. */
static void warm_up(unsigned n)
{
    size_t len = samples_len;
    unsigned n_closed = closes;

    part_run(n);
    usleep(SETTLE_US);
    samples_len = len;
    closes = n_closed;
}

static void slice_run(struct counts *sum, unsigned n)
{
    /* A kernel acknowledges at once what comes after a pause. */
    if (slices > 0 && work != CONNECT) {
        warm_up(WAKE * conns_len);
    }
    struct counts before = counts_read();
    uint64_t begun = clock_ns(CLOCK_MONOTONIC);
    part_run(n);
    sum->wall_ns += clock_ns(CLOCK_MONOTONIC) - begun;
    sum->client_ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before.client_ns;
    usleep(SETTLE_US);
    struct counts after = counts_read();
    sum->cpu_ns += after.cpu_ns - before.cpu_ns;
    sum->frames_in += after.frames_in - before.frames_in;
    sum->frames_out += after.frames_out - before.frames_out;
}

static void say(const char *line)
{
    printf("%s\n", line);
    fflush(stdout);
}

static void wait_for_line(void)
{
    int c;
    do {
        c = getchar();
    } while (c != '\n' && c != EOF);
    if (c == EOF) {
        fail("told to end");
    }
}

static void begin(void)
{
    if (work != CONNECT) {
        for (unsigned i = 0; i < conns_len; i++) {
            conn_open(&conns[i]);
        }
    } else {
        conn_open(&conns[0]); /* until the server is there */
        conn_close(&conns[0]);
    }
    warm_up(warm);
}

static void measure(void)
{
    struct counts sum = {0};
    unsigned done = 0;

    begin();
    for (unsigned slice = 0; slice < slices; slice++) {
        say(slice == 0 ? "ready" : "done");
        wait_for_line();
        unsigned n = requests / slices + (slice < requests % slices);
        slice_run(&sum, n);
        done += n;
    }
    slice_run(&sum, requests - done);
    qsort(samples, samples_len, sizeof *samples, compare);
    printf("{\"replies\":%u,\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
           "\"cpu_us\":%.4f,\"client_cpu_us\":%.4f,\"frames_in\":%.5f,\"frames_out\":%.5f,"
           "\"closes\":%u}\n",
           requests, (double)sum.wall_ns / 1e9, quantile_us(0.5), quantile_us(0.99),
           quantile_us(1.0), (double)sum.cpu_ns / 1e3 / requests,
           (double)sum.client_ns / 1e3 / requests, (double)sum.frames_in / requests,
           (double)sum.frames_out / requests, closes);
}

/* ---- arguments ---- */

static unsigned number(const char *text, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value > max) {
        fail("%s: takes a number to %u", text, max);
    }
    return (unsigned)value;
}

static void pids_take(char *text)
{
    for (char *pid = strtok(text, ","); pid != NULL && pids_len < PIDS_MAX;
         pid = strtok(NULL, ",")) {
        pids[pids_len++] = number(pid, INT32_MAX);
    }
}

static enum work work_take(const char *name)
{
    for (unsigned i = 0; i < sizeof work_names / sizeof *work_names; i++) {
        if (strcmp(name, work_names[i]) == 0) {
            return (enum work)i;
        }
    }
    fail("%s: no such work", name);
}

static void option_take(const char *name, char *value)
{
    if (strcmp(name, "--work") == 0) {
        work = work_take(value);
    } else if (strcmp(name, "--conns") == 0) {
        conns_len = number(value, CONNS_MAX);
    } else if (strcmp(name, "--requests") == 0) {
        requests = number(value, 100000000);
    } else if (strcmp(name, "--slices") == 0) {
        slices = number(value, 1000000);
    } else if (strcmp(name, "--warm") == 0) {
        warm = number(value, 100000000);
    } else if (strcmp(name, "--target") == 0) {
        target = value;
    } else if (strcmp(name, "--fields") == 0) {
        fields = value;
    } else if (strcmp(name, "--pids") == 0) {
        pids_take(value);
    } else if (strcmp(name, "--frames") == 0) {
        interface = value;
    } else {
        fail("%s: no such option", name);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc % 2 == 0) {
        fail("takes ADDR PORT and pairs of --NAME VALUE");
    }
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)number(argv[2], UINT16_MAX));
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
        fail("%s: no address", argv[1]);
    }
    for (int i = 3; i < argc; i += 2) {
        option_take(argv[i], argv[i + 1]);
    }
    samples = calloc((size_t)warm + WAKE * CONNS_MAX + requests, sizeof *samples);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (samples == NULL || poller < 0 || requests == 0) {
        fail("cannot begin");
    }
    measure();
    return 0;
}

/* net.h on a kernel's sockets, against this kernel's, on its loopback. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/port.h"
#include "src/limits.h"

#define LOOPBACK     0x7f000001
#define NOT_OURS     0xc0000201 /* 192.0.2.1 (RFC 5737) */
#define LONG_WAIT_MS 60000      /* for what comes at once */

static const struct qr_net *net;
static int listener;
static uint16_t port;

/* ---- the other side ---- */

static uint16_t port_of(int socket)
{
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;

    assert_int_equal(getsockname(socket, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(ntohl(addr.sin_addr.s_addr), LOOPBACK);
    return ntohs(addr.sin_port);
}

static int connect_client(void)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(client >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof addr), 0);
    return client;
}

static void reset_client(int client)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    assert_int_equal(close(client), 0);
}

static int option(int socket, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    assert_int_equal(getsockopt(socket, level, name, &value, &len), 0);
    return value;
}

/* ---- this side ---- */

static int poll_one(int socket, bool read, bool write, uint32_t timeout_ms)
{
    struct qr_net_poll poll = {.socket = socket, .want_read = read, .want_write = write};
    int result = net->poll(net->ctx, &poll, 1, timeout_ms);

    assert_int_equal(poll.ready, result > 0);
    return result;
}

static void wait_to_read(int socket)
{
    assert_int_equal(poll_one(socket, true, false, LONG_WAIT_MS), 1);
}

static void connect_pair(int *client, int *server)
{
    *client = connect_client();
    wait_to_read(listener);
    *server = net->accept(net->ctx, listener);
    assert_true(*server >= 0);
}

/* Sends until no more goes. Returns the bytes that went. */
static size_t fill(int socket)
{
    static const char bytes[65536];
    size_t sent = 0;
    int result;

    while ((result = net->send(net->ctx, socket, bytes, sizeof bytes)) > 0) {
        sent += (size_t)result;
    }
    assert_int_equal(result, QR_NET_AGAIN);
    return sent;
}

/* The most files that this process may have; returns what it was. */
static rlim_t limit_files(rlim_t files)
{
    struct rlimit limit;
    rlim_t before;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    before = limit.rlim_cur;
    limit.rlim_cur = files;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static int setup(void **state)
{
    (void)state;
    net = qr_net_kernel_start(LOOPBACK);
    listener = net->listen(net->ctx, 0);
    assert_true(listener >= 0);
    port = port_of(listener);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net->close(net->ctx, listener);
    return 0;
}

/* ---- listening ---- */

static void test_port_kernel_listen_says_in_use_where_another_listens(void **state)
{
    (void)state;
    assert_int_equal(net->listen(net->ctx, port), QR_NET_IN_USE);
}

static void test_port_kernel_listen_fails_on_an_address_of_another(void **state)
{
    (void)state;
    net = qr_net_kernel_start(NOT_OURS);
    assert_int_equal(net->listen(net->ctx, 0), QR_NET_FAILED);
}

static void test_port_kernel_listen_says_no_memory_without_a_file_left(void **state)
{
    rlim_t before = limit_files(0);
    int result = net->listen(net->ctx, 0);

    (void)state;
    (void)limit_files(before);
    assert_int_equal(result, QR_NET_NO_MEMORY);
}

static void test_port_kernel_accept_says_again_when_nobody_waits(void **state)
{
    (void)state;
    assert_int_equal(poll_one(listener, true, false, 0), 0);
    assert_int_equal(net->accept(net->ctx, listener), QR_NET_AGAIN);
}

static void test_port_kernel_accept_says_no_memory_and_takes_it_later(void **state)
{
    int client = connect_client();
    rlim_t before;
    int result;

    (void)state;
    wait_to_read(listener);
    before = limit_files(0);
    result = net->accept(net->ctx, listener);
    (void)limit_files(before);
    assert_int_equal(result, QR_NET_NO_MEMORY);
    result = net->accept(net->ctx, listener);
    assert_true(result >= 0);
    net->close(net->ctx, result);
    assert_int_equal(close(client), 0);
}

static void test_port_kernel_accept_has_dead_peers_looked_for(void **state)
{
    int client, server;

    (void)state;
    connect_pair(&client, &server);
    assert_true(option(server, SOL_SOCKET, SO_KEEPALIVE) != 0);
    assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPIDLE), QR_KEEP_IDLE_S);
    assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPINTVL), QR_KEEP_INTERVAL_S);
    assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPCNT), QR_KEEP_COUNT);
    assert_true(option(server, IPPROTO_TCP, TCP_NODELAY) != 0);
    net->close(net->ctx, server);
    assert_int_equal(close(client), 0);
}

/* ---- bytes ---- */

static void test_port_kernel_gives_the_bytes_that_came_and_then_again(void **state)
{
    char bytes[8];
    int client, server;

    (void)state;
    connect_pair(&client, &server);
    assert_int_equal(net->recv(net->ctx, server, bytes, sizeof bytes), QR_NET_AGAIN);
    assert_int_equal(send(client, "abc", 3, 0), 3);
    wait_to_read(server);
    assert_int_equal(net->recv(net->ctx, server, bytes, 2), 2);
    assert_memory_equal(bytes, "ab", 2);
    assert_int_equal(net->recv(net->ctx, server, bytes, sizeof bytes), 1);
    assert_int_equal(bytes[0], 'c');
    assert_int_equal(net->recv(net->ctx, server, bytes, sizeof bytes), QR_NET_AGAIN);
    net->close(net->ctx, server);
    assert_int_equal(close(client), 0);
}

static void test_port_kernel_send_says_again_until_the_reader_goes_on(void **state)
{
    static char bytes[65536];
    int client, server;
    size_t left;

    (void)state;
    connect_pair(&client, &server);
    assert_int_equal(poll_one(server, true, true, 0), 1);
    left = fill(server);
    assert_int_equal(poll_one(server, true, true, 0), 0);
    while (left > 0) {
        ssize_t got = recv(client, bytes, sizeof bytes, 0);
        assert_true(got > 0);
        left -= (size_t)got;
    }
    assert_int_equal(poll_one(server, false, true, LONG_WAIT_MS), 1);
    assert_int_equal(net->send(net->ctx, server, "x", 1), 1);
    net->close(net->ctx, server);
    assert_int_equal(close(client), 0);
}

/* ---- ends ---- */

static void test_port_kernel_recv_says_closed_behind_the_bytes_before_a_fin(void **state)
{
    char bytes[8];
    int client, server;

    (void)state;
    connect_pair(&client, &server);
    assert_int_equal(send(client, "x", 1, 0), 1);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    wait_to_read(server);
    assert_int_equal(net->recv(net->ctx, server, bytes, sizeof bytes), 1);
    wait_to_read(server);
    assert_int_equal(net->recv(net->ctx, server, bytes, sizeof bytes), QR_NET_CLOSED);
    assert_int_equal(net->send(net->ctx, server, "y", 1), 1);
    assert_int_equal(recv(client, bytes, sizeof bytes, 0), 1);
    net->close(net->ctx, server);
    assert_int_equal(close(client), 0);
}

static void test_port_kernel_finish_ends_sending_and_not_receiving(void **state)
{
    char bytes[8];
    int client, server;

    (void)state;
    connect_pair(&client, &server);
    assert_int_equal(net->finish(net->ctx, server), 0);
    assert_int_equal(recv(client, bytes, sizeof bytes, 0), 0);
    assert_int_equal(send(client, "x", 1, 0), 1);
    wait_to_read(server);
    assert_int_equal(net->recv(net->ctx, server, bytes, sizeof bytes), 1);
    net->close(net->ctx, server);
    assert_int_equal(close(client), 0);
}

static void test_port_kernel_says_reset_where_the_peer_has_reset(void **state)
{
    char bytes[8];
    int client, server;

    (void)state;
    connect_pair(&client, &server);
    reset_client(client);
    wait_to_read(server);
    assert_int_equal(net->recv(net->ctx, server, bytes, sizeof bytes), QR_NET_RESET);
    assert_int_equal(net->send(net->ctx, server, "x", 1), QR_NET_RESET); /* and no SIGPIPE */
    assert_int_equal(net->finish(net->ctx, server), QR_NET_RESET);
    net->close(net->ctx, server);
}

static void test_port_kernel_close_lets_what_was_sent_arrive(void **state)
{
    char bytes[8];
    int client, server;

    (void)state;
    connect_pair(&client, &server);
    assert_int_equal(net->send(net->ctx, server, "last", 4), 4);
    net->close(net->ctx, server);
    assert_int_equal(recv(client, bytes, sizeof bytes, MSG_WAITALL), 4);
    assert_int_equal(recv(client, bytes, sizeof bytes, 0), 0);
    assert_int_equal(close(client), 0);
}

static void test_port_kernel_abort_resets_the_peer(void **state)
{
    char bytes[8];
    int client, server;

    (void)state;
    connect_pair(&client, &server);
    net->abort(net->ctx, server);
    assert_int_equal(recv(client, bytes, sizeof bytes, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(close(client), 0);
}

/* ---- waiting ---- */

static void test_port_kernel_has_always_caught_up(void **state)
{
    (void)state;
    assert_int_equal(poll_one(listener, true, false, 0), 0);
    assert_true(net->caught_up(net->ctx));
}

static void test_port_kernel_poll_tells_which_is_ready(void **state)
{
    int client, server;
    struct qr_net_poll polls[2];

    (void)state;
    connect_pair(&client, &server);
    polls[0] = (struct qr_net_poll){.socket = listener, .want_read = true, .ready = true};
    polls[1] = (struct qr_net_poll){.socket = server, .want_write = true};
    assert_int_equal(net->poll(net->ctx, polls, 2, LONG_WAIT_MS), 1);
    assert_false(polls[0].ready);
    assert_true(polls[1].ready);
    net->close(net->ctx, server);
    assert_int_equal(close(client), 0);
}

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
    (void)signal;
    signals++;
}

static void test_port_kernel_poll_ends_for_a_signal_that_came_before_it(void **state)
{
    struct sigaction action = {.sa_handler = on_signal}, old_action;
    sigset_t blocked, old_mask;

    (void)state;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &old_mask), 0);
    assert_int_equal(sigaction(SIGTERM, &action, &old_action), 0);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(signals, 0);
    assert_int_equal(poll_one(listener, true, false, LONG_WAIT_MS), 0);
    assert_int_equal(signals, 1);
    assert_int_equal(sigaction(SIGTERM, &old_action, NULL), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old_mask, NULL), 0);
}

static void test_port_kernel_poll_fails_on_more_sockets_than_may_be(void **state)
{
    rlim_t before = limit_files(0);
    struct qr_net_poll poll = {.socket = listener, .want_read = true, .ready = true};
    int result = net->poll(net->ctx, &poll, 1, 0);

    (void)state;
    (void)limit_files(before);
    assert_int_equal(result, QR_NET_FAILED);
    assert_false(poll.ready);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_port_kernel_listen_says_in_use_where_another_listens),
        TEST(test_port_kernel_listen_fails_on_an_address_of_another),
        TEST(test_port_kernel_listen_says_no_memory_without_a_file_left),
        TEST(test_port_kernel_accept_says_again_when_nobody_waits),
        TEST(test_port_kernel_accept_says_no_memory_and_takes_it_later),
        TEST(test_port_kernel_accept_has_dead_peers_looked_for),
        TEST(test_port_kernel_gives_the_bytes_that_came_and_then_again),
        TEST(test_port_kernel_send_says_again_until_the_reader_goes_on),
        TEST(test_port_kernel_recv_says_closed_behind_the_bytes_before_a_fin),
        TEST(test_port_kernel_finish_ends_sending_and_not_receiving),
        TEST(test_port_kernel_says_reset_where_the_peer_has_reset),
        TEST(test_port_kernel_close_lets_what_was_sent_arrive),
        TEST(test_port_kernel_abort_resets_the_peer),
        TEST(test_port_kernel_has_always_caught_up),
        TEST(test_port_kernel_poll_tells_which_is_ready),
        TEST(test_port_kernel_poll_ends_for_a_signal_that_came_before_it),
        TEST(test_port_kernel_poll_fails_on_more_sockets_than_may_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* How the listener is told, and the connection that a test has accepted. */
enum { LISTENER_TAG = 9, TAG = 4 };

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

/* Returns whether that tag alone was told; nobody else may be. */
static bool told(uint16_t tag, uint32_t timeout_ms)
{
    uint16_t tags[3] = {0};
    int n = net->wait(net->ctx, tags, COUNT(tags), timeout_ms);

    assert_in_range(n, 0, 1);
    assert_true(n == 0 || tags[0] == tag);
    return n == 1;
}

static void wait_for(uint16_t tag)
{
    assert_true(told(tag, LONG_WAIT_MS));
}

static void connect_pair(int *client, int *server)
{
    *client = connect_client();
    wait_for(LISTENER_TAG);
    *server = net->accept(net->ctx, listener, TAG);
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
    listener = net->listen(net->ctx, 0, LISTENER_TAG);
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
    assert_int_equal(net->listen(net->ctx, port, TAG), QR_NET_IN_USE);
}

static void test_port_kernel_listen_fails_on_an_address_of_another(void **state)
{
    (void)state;
    net = qr_net_kernel_start(NOT_OURS);
    assert_int_equal(net->listen(net->ctx, 0, LISTENER_TAG), QR_NET_FAILED);
}

static void test_port_kernel_listen_says_no_memory_without_a_file_left(void **state)
{
    rlim_t before = limit_files(0);
    int result = net->listen(net->ctx, 0, LISTENER_TAG);

    (void)state;
    (void)limit_files(before);
    assert_int_equal(result, QR_NET_NO_MEMORY);
}

static void test_port_kernel_accept_says_again_when_nobody_waits(void **state)
{
    (void)state;
    assert_false(told(LISTENER_TAG, 0));
    assert_int_equal(net->accept(net->ctx, listener, TAG), QR_NET_AGAIN);
}

static void test_port_kernel_accept_says_no_memory_and_takes_it_later(void **state)
{
    int client = connect_client();
    rlim_t before;
    int result;

    (void)state;
    wait_for(LISTENER_TAG);
    before = limit_files(0);
    result = net->accept(net->ctx, listener, TAG);
    (void)limit_files(before);
    assert_int_equal(result, QR_NET_NO_MEMORY);
    result = net->accept(net->ctx, listener, TAG);
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
    wait_for(TAG);
    assert_int_equal(net->peek(net->ctx, server, bytes, 2), 2);
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
    net->watch(net->ctx, server, TAG, true, true);
    assert_true(told(TAG, 0));
    left = fill(server);
    assert_false(told(TAG, 0));
    while (left > 0) {
        ssize_t got = recv(client, bytes, sizeof bytes, 0);
        assert_true(got > 0);
        left -= (size_t)got;
    }
    wait_for(TAG);
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
    wait_for(TAG);
    assert_int_equal(net->recv(net->ctx, server, bytes, sizeof bytes), 1);
    wait_for(TAG);
    assert_int_equal(net->peek(net->ctx, server, bytes, sizeof bytes), QR_NET_CLOSED);
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
    wait_for(TAG);
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
    wait_for(TAG);
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
    assert_false(told(LISTENER_TAG, 0));
    assert_true(net->caught_up(net->ctx));
}

static void test_port_kernel_wait_tells_what_is_ready_until_it_is_not(void **state)
{
    char bytes[8];
    int client, server;

    (void)state;
    connect_pair(&client, &server);
    assert_int_equal(send(client, "abc", 3, 0), 3);
    wait_for(TAG);
    wait_for(TAG);
    assert_int_equal(net->recv(net->ctx, server, bytes, 2), 2);
    assert_true(told(TAG, 0));
    assert_int_equal(net->recv(net->ctx, server, bytes, 2), 1);
    assert_false(told(TAG, 0));
    net->close(net->ctx, server);
    assert_int_equal(close(client), 0);
    assert_false(told(TAG, 0));
}

static void test_port_kernel_wait_goes_by_what_is_watched(void **state)
{
    int client, server;

    (void)state;
    connect_pair(&client, &server);
    assert_int_equal(send(client, "abc", 3, 0), 3);
    wait_for(TAG);
    net->watch(net->ctx, server, TAG, false, false);
    assert_false(told(TAG, 0));
    net->watch(net->ctx, server, TAG + 1, false, true);
    assert_true(told(TAG + 1, 0));
    net->watch(net->ctx, server, TAG, true, false);
    assert_true(told(TAG, 0));
    net->watch(net->ctx, server, TAG, false, false);
    reset_client(client);
    wait_for(TAG); /* that is told in any case */
    net->close(net->ctx, server);
}

/* Where there is room for fewer than are ready, all have their turn. */
static void test_port_kernel_wait_leaves_nobody_out_for_long(void **state)
{
    int client, server, other = connect_client();
    unsigned listener_told = 0, server_told = 0;
    uint16_t tag;

    (void)state;
    connect_pair(&client, &server);
    net->watch(net->ctx, server, TAG, false, true);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(net->wait(net->ctx, &tag, 1, LONG_WAIT_MS), 1);
        listener_told += tag == LISTENER_TAG;
        server_told += tag == TAG;
    }
    assert_int_equal(listener_told, 5);
    assert_int_equal(server_told, 5);
    net->close(net->ctx, server);
    assert_int_equal(close(client), 0);
    assert_int_equal(close(other), 0);
}

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
    (void)signal;
    signals++;
}

static void test_port_kernel_wait_ends_for_a_signal_that_came_before_it(void **state)
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
    assert_false(told(LISTENER_TAG, LONG_WAIT_MS));
    assert_int_equal(signals, 1);
    assert_int_equal(sigaction(SIGTERM, &old_action, NULL), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old_mask, NULL), 0);
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
        TEST(test_port_kernel_wait_tells_what_is_ready_until_it_is_not),
        TEST(test_port_kernel_wait_goes_by_what_is_watched),
        TEST(test_port_kernel_wait_leaves_nobody_out_for_long),
        TEST(test_port_kernel_wait_ends_for_a_signal_that_came_before_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

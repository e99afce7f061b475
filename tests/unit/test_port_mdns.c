/* Our name on the link (RFC 6762), asked and contested by hand, over IPv4 without any IPv6 address.
 * The name, once changed, stays: so the tests stand in the order in which they run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_board.h"
#include "port_link.h"

#define MDNS_PORT 5353
#define GROUP     0xe00000fbu /* 224.0.0.251 */

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_TXT = 16, TYPE_SRV = 33, TYPE_ANY = 255 };

/* What a message counts: questions, answers, authorities, additional records. */
struct counts {
    uint16_t questions, answers, authorities, additional;
};

static int start(void **state)
{
    (void)state;
    return link_start((struct qr_net_config){
               .hostname = "quitring.example", .mdns = true, .page = "/status"}) == NULL;
}

/* ---- messages ---- */

static size_t put_head(uint8_t *message, unsigned flags, struct counts counts)
{
    wire_put16(message, 0);
    wire_put16(message + 2, flags);
    wire_put16(message + 4, counts.questions);
    wire_put16(message + 6, counts.answers);
    wire_put16(message + 8, counts.authorities);
    wire_put16(message + 10, counts.additional);
    return 12;
}

/* A name as people write it, as labels; a type and the class IN. */
static size_t put_name(uint8_t *at, const char *name, unsigned type)
{
    size_t len = 0;

    while (*name != '\0') {
        size_t label = strcspn(name, ".");
        at[len++] = (uint8_t)label;
        memcpy(at + len, name, label);
        len += label;
        name += label + (name[label] == '.');
    }
    at[len++] = 0;
    wire_put16(at + len, type);
    wire_put16(at + len + 2, 1);
    return len + 4;
}

static size_t put_question(uint8_t *message, const char *name, unsigned type)
{
    size_t len = put_head(message, 0, (struct counts){.questions = 1});

    return len + put_name(message + len, name, type);
}

/* Somebody says that the name is at an address. */
static size_t put_claim(uint8_t *message, const char *name, uint32_t addr)
{
    size_t len = put_head(message, 0x8400, (struct counts){.answers = 1});

    len += put_name(message + len, name, TYPE_A);
    wire_put32(message + len, 120);
    wire_put16(message + len + 4, 4);
    wire_put32(message + len + 6, addr);
    return len + 10;
}

static void hear(const uint8_t *message, size_t len)
{
    uint8_t frame[WIRE_FRAME_MAX];

    link_deliver(frame,
                 link_put_udp4(frame, WIRE_HOST_ADDR, GROUP, MDNS_PORT, MDNS_PORT, message, len));
}

/* Whether the i-th message since then that we sent has these bytes in it. */
static bool said(unsigned i, const void *bytes, size_t len)
{
    const struct link_frame *frame = link_udp(MDNS_PORT, i);

    for (size_t at = LINK_UDP4_CONTENT; frame != NULL && at + len <= frame->len; at++) {
        if (memcmp(frame->bytes + at, bytes, len) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned counted(unsigned i, size_t which)
{
    return wire_get16(link_udp(MDNS_PORT, i)->bytes + LINK_UDP4_CONTENT + 4 + 2 * which);
}

static const uint8_t our_addr[] = {192, 168, 1, 50};

/* Asks, waits until an answer may be late no more, and looks whether there is one with these bytes.
 */
static bool answers(const char *name, unsigned type, const void *bytes, size_t len)
{
    uint8_t message[512];

    link_run(1100); /* an answer to all is not repeated within a second (RFC 6762 section 6) */
    link_forget();
    hear(message, put_question(message, name, type));
    link_run(200);
    return said(0, bytes, len);
}

static bool answers_addr(const char *name)
{
    return answers(name, TYPE_A, our_addr, sizeof our_addr);
}

/* ---- tests ---- */

static void test_port_mdns_probes_three_times_then_announces_twice(void **state)
{
    (void)state;
    static const char label[] = "\x08quitring\x05local";
    link_run(3000);
    for (unsigned i = 0; i < 5; i++) {
        const uint8_t *frame = link_udp(MDNS_PORT, i)->bytes;
        assert_int_equal(wire_get32(frame + 30), GROUP);
        assert_int_equal(frame[22], 255); /* time to live (section 11) */
        assert_int_equal(wire_get16(frame + LINK_UDP4_CONTENT + 2), i < 3 ? 0 : 0x8400);
        assert_true(said(i, label, sizeof label));
        assert_true(said(i, our_addr, sizeof our_addr));
    }
    assert_null(link_udp(MDNS_PORT, 5));
    assert_string_equal(fake_board_logged(QR_LOG_INFO), "also http://quitring.local/status");
}

static void test_port_mdns_answers_for_its_name_in_any_case(void **state)
{
    (void)state;
    assert_true(answers_addr("quitring.local"));
    assert_true(answers_addr("QuitRing.LOCAL"));
    assert_false(answers_addr("quitrin.local"));
    assert_false(answers_addr("quitrings.local"));
    assert_false(answers_addr("quitring.example"));
}

static void test_port_mdns_answers_for_its_service(void **state)
{
    (void)state;
    static const char instance[] = "\x08quitring\x05_http\x04_tcp\x05local";
    static const char text[] = "\x0cpath=/status";
    static const uint8_t port[] = {0, 6 + 2, 0, 0, 0, 0, 0, WIRE_OUR_PORT};
    assert_true(answers("_http._tcp.local", TYPE_PTR, text, sizeof text - 1));
    assert_true(answers("quitring._http._tcp.local", TYPE_TXT, text, sizeof text - 1));
    assert_true(answers("quitring._http._tcp.local", TYPE_SRV, instance, sizeof instance));
    assert_true(said(0, port + 2, 6));
    assert_false(answers("_ipp._tcp.local", TYPE_PTR, text, sizeof text - 1));
}

static void test_port_mdns_drops_messages_that_count_more_than_they_hold(void **state)
{
    (void)state;
    static const struct counts lies[] = {{.questions = UINT16_MAX},
                                         {.questions = 6},
                                         {.questions = 1, .answers = UINT16_MAX},
                                         {.questions = 1, .authorities = 3},
                                         {.questions = 1, .additional = 3}};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        uint8_t message[64];
        size_t len = put_question(message, "quitring.local", TYPE_A);
        (void)put_head(message, 0, lies[i]);
        link_run(1100);
        link_forget();
        hear(message, len);
        link_run(200);
        assert_null(link_udp(MDNS_PORT, 0));
    }
    assert_true(answers_addr("quitring.local"));
}

/* Each cut, and each byte wrong in turn, of a question and of an answer. */
static void test_port_mdns_takes_no_harm_from_broken_messages(void **state)
{
    (void)state;
    uint8_t whole[2][128], message[128];
    size_t lens[2] = {put_question(whole[0], "quitring._http._tcp.local", TYPE_ANY),
                      put_claim(whole[1], "other.local", WIRE_HOST_ADDR)};
    for (size_t which = 0; which < 2; which++) {
        for (size_t len = 0; len < lens[which]; len++) {
            hear(whole[which], len);
        }
        for (size_t at = 0; at < lens[which]; at++) {
            static const uint8_t values[] = {0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff};
            for (size_t i = 0; i < sizeof values; i++) {
                memcpy(message, whole[which], lens[which]);
                message[at] = values[i];
                hear(message, lens[which]);
            }
        }
    }
    link_run(10000);
    assert_true(answers_addr("quitring.local"));
}

/* More questions that say that they are not all than there is memory for them. */
static void test_port_mdns_takes_no_harm_from_many_cut_questions(void **state)
{
    (void)state;
    uint8_t message[64];
    size_t len = put_question(message, "quitring.local", TYPE_A);
    message[2] = 0x02; /* truncated */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            hear(message, len);
        }
        link_run(600);
    }
    assert_true(answers_addr("quitring.local"));
}

/* RFC 6762 section 9: it asks whether somebody has the name, and if so, takes another. */
static void test_port_mdns_takes_another_name_where_its_own_is_taken(void **state)
{
    (void)state;
    uint8_t message[64];
    size_t len = put_claim(message, "quitring.local", WIRE_HOST_ADDR);
    hear(message, len);
    for (int i = 0; i < 10 && fake_board_logged(QR_LOG_WARNING)[0] == '\0'; i++) {
        link_run(100);
        hear(message, len);
    }
    assert_string_equal(fake_board_logged(QR_LOG_WARNING), "the name quitring.local is taken");
    link_run(3000);
    assert_string_equal(fake_board_logged(QR_LOG_INFO), "also http://quitring-2.local/status");
    assert_true(answers_addr("quitring-2.local"));
    assert_false(answers_addr("quitring.local"));
    static const uint8_t port[] = {0, WIRE_OUR_PORT};
    assert_true(answers("quitring-2._http._tcp.local", TYPE_SRV, port, sizeof port));
    assert_false(answers("quitring._http._tcp.local", TYPE_SRV, port, sizeof port));
}

/* Somebody who says that he has our own address is no conflict. */
static void test_port_mdns_keeps_its_name_where_others_agree(void **state)
{
    (void)state;
    uint8_t message[64];
    hear(message, put_claim(message, "quitring-2.local", WIRE_OUR_ADDR));
    link_run(3000);
    assert_true(answers_addr("quitring-2.local"));
}

/* It goes on to look for a name, ever more slowly, and has one when that is over. */
static void test_port_mdns_survives_somebody_who_wants_every_name(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        const struct link_frame *probe = link_udp(MDNS_PORT, 0);
        if (probe != NULL && counted(0, 0) != 0) { /* claim what it probes for */
            uint8_t message[64];
            char name[64] = {0};
            memcpy(name, probe->bytes + LINK_UDP4_CONTENT + 13,
                   probe->bytes[LINK_UDP4_CONTENT + 12]);
            strcat(name, ".local");
            hear(message, put_claim(message, name, WIRE_HOST_ADDR));
        } else if (i == 0) {
            uint8_t message[64];
            hear(message, put_claim(message, "quitring-2.local", WIRE_HOST_ADDR));
        }
        link_forget();
        link_run(100);
    }
    link_run(20000);
    assert_non_null(strstr(fake_board_logged(QR_LOG_INFO), "also http://quitring-"));
    assert_null(strstr(fake_board_logged(QR_LOG_INFO), "quitring-2.local"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_mdns_probes_three_times_then_announces_twice),
        cmocka_unit_test(test_port_mdns_answers_for_its_name_in_any_case),
        cmocka_unit_test(test_port_mdns_answers_for_its_service),
        cmocka_unit_test(test_port_mdns_drops_messages_that_count_more_than_they_hold),
        cmocka_unit_test(test_port_mdns_takes_no_harm_from_broken_messages),
        cmocka_unit_test(test_port_mdns_takes_no_harm_from_many_cut_questions),
        cmocka_unit_test(test_port_mdns_takes_another_name_where_its_own_is_taken),
        cmocka_unit_test(test_port_mdns_keeps_its_name_where_others_agree),
        cmocka_unit_test(test_port_mdns_survives_somebody_who_wants_every_name),
    };

    return cmocka_run_group_tests_name("port_mdns", tests, start, NULL);
}

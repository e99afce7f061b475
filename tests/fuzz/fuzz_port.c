/*
 * The port and lwIP: the input says what peers and other hosts do, by the rules or not, how time
 * passes, and which allocations fail. Afterwards lwIP's memory must be back, and a callback be
 * served.
 */
#include <string.h>

#include "input.h"
#include "port_frames.h"
#include "port_session.h"
#include "tests/unit/fake_board.h"
#include "tests/unit/port_memory.h"
#include "tests/unit/port_rig.h"

#define PEERS      32
#define ANSWER_MAX 1200
#define FRAMES_MAX 200 /* less than fake_board.h has room for */

static struct peer peers[PEERS];
static bool open[PEERS];

static void connect_peer(struct fuzz_input *input)
{
    uint8_t which = fuzz_byte(input) % PEERS, how = fuzz_byte(input);
    struct peer *peer = &peers[which];

    if (!open[which]) {
        peer_open(peer);
        open[which] = true;
        peer->mss = how & 1 ? 100 : WIRE_MSS;
        peer->window = how & 2 ? 300 : peer->window;
    }
    peer_send(peer, SYN, NULL, 0);
    rig_settle();
    if ((how & 4) == 0) {
        peer_ack(peer);
    }
}

/* What a peer does that keeps to the rules. */
static void behave(struct fuzz_input *input)
{
    static const char *const texts[] = {RIG_CALLBACK, RIG_STATUS, RIG_HEALTH, "POST ",
                                        "GET /status HTTP/1.0\r\n\r\n"};
    uint8_t which = fuzz_byte(input) % PEERS, how = fuzz_byte(input);
    struct peer *peer = &peers[which];

    if (!open[which]) {
        return;
    }
    switch (how % 8) {
    case 5: peer_send(peer, ACK | FIN, NULL, 0); break;
    case 6: peer_ack(peer); break;
    case 7:
        peer->window = (uint16_t)fuzz_number(input, 0xffff);
        peer_ack(peer);
        break;
    default: peer_say(peer, texts[how % 8]); break;
    }
}

static void answer(struct fuzz_input *input)
{
    static const uint16_t asked[] = {67, 53, 123, 67};
    uint8_t which = fuzz_byte(input);
    const uint8_t *bytes;
    size_t len = fuzz_bytes(input, ANSWER_MAX, &bytes);

    session_answer(asked[which % 4], bytes, len);
}

static void act(struct fuzz_input *input)
{
    uint8_t what = fuzz_byte(input);

    switch (what % 16) {
    case 0: connect_peer(input); break;
    case 1:
    case 2: behave(input); break;
    case 3: rig_run(1 + fuzz_number(input, 100000)); break;
    case 4: rig_run(1u + fuzz_byte(input) * 4u); break;
    case 5: session_ask_dhcp(); break;
    case 6: fake_board_refuse(what & 16); break;
    case 7: session_neighbours(what & 16); break;
    case 8: memory_fail(fuzz_byte(input)); break;
    case 9: answer(input); break;
    case 10: frames_deliver_raw(input); break;
    default: frames_deliver(input, peers, PEERS); break;
    }
    /* Frames may come together with those of the next act. */
    if (what < 128 || fake_board_waiting() > FRAMES_MAX) {
        rig_settle();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    session_prepare();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct fuzz_input input = {bytes, len};

    session_begin();
    memset(open, 0, sizeof open);
    while (input.left != 0) {
        act(&input);
    }
    rig_settle();
    session_end();
    return 0;
}

"""GET /status and its neighbours: what a poller asks for and gets, also while much goes on."""

import json
import os
import select
import threading
import time

import pytest

from boards import BOARD
from conftest import (
    CALLER_TIMEOUT_S,
    CONNS_MAX,
    CONTENT_MAX,
    HANDLED,
    ID_MAX,
    LIMIT_MAX,
    QUIT,
    QUITRING_ASAN,
    RING_MAX,
    assert_refused,
    quit_body,
    quit_request,
    ring_of,
)

SMALLEST_RING = BOARD.limit("RING_MIN")
# A record of the ring is at least this long, and this much longer than its IDs.
RECORD_BYTES = 19


def fill(server, numbers, group="G"):
    """Stores one event a number, over one connection."""
    with server.raw() as raw:
        for batch in batches(list(numbers), 100):
            raw.send(b"".join(quit_request(group, f"U{i}") for i in batch))
            for _ in batch:
                assert raw.reply().body == HANDLED


def batches(items, size):
    return [items[i : i + size] for i in range(0, len(items), size)]


def users(document):
    return [event["userID"] for event in document["events"]]


def seqs(document):
    return [event["seq"] for event in document["events"]]


def since_start(server, seqs):
    """Counted from the test's beginning, where others have stored before."""
    return [seq - server.seq0 for seq in seqs]


def assert_adds_up(document, since):
    """Each seq from since to next is given, in order, or counted as missed."""
    got = seqs(document)
    assert got == sorted(set(got))
    assert all(since < seq <= document["next"] for seq in got)
    assert len(got) + document["missed"] == document["next"] - since


# ---- the document ----


@pytest.mark.not_on_images
@pytest.mark.parametrize("net", ["user", "host"])
def test_status_of_an_empty_ring(start, net):
    reply = start.new(net).ask("GET", "/status")
    assert (reply.status, reply.version) == (200, "HTTP/1.1")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-cache"
    document = reply.json()
    assert (document["service"], document["board"]) == ("quitring", BOARD.board)
    assert document["events"] == []
    assert [document[name] for name in ("next", "more", "missed", "reset")] == [0, False, 0, False]
    ring = document["ring"]
    assert ring.pop("capacityBytes") == BOARD.limit("RING_DEFAULT")
    assert ring == {"usedBytes": 0, "stored": 0, "firstSeq": 1, "lastSeq": 0, "overwritten": 0}


def test_status_shows_events_oldest_first_with_their_times(server):
    before = time.time()
    fill(server, range(5))
    document = server.status("?limit=5")
    assert users(document) == [f"U{i}" for i in range(5)]
    assert since_start(server, seqs(document)) == [1, 2, 3, 4, 5]
    for event in document["events"]:
        assert set(event) == {"seq", "time", "uptimeMs", "groupID", "userID", "operationID"}
    assert_times(document, before)
    uptimes = [event["uptimeMs"] for event in document["events"]]
    assert uptimes == sorted(uptimes) and uptimes[-1] <= document["uptimeMs"]
    ring = document["ring"]
    assert ring["lastSeq"] == server.seq0 + 5
    assert ring["stored"] == ring["lastSeq"] - ring["firstSeq"] + 1 >= 5


def assert_times(document, before):
    """Those of the wall clock. A board may have none."""
    times = [event["time"] for event in document["events"]]
    if document["time"] is None:
        assert BOARD.is_machine and times == [None] * len(times)
        return
    assert times == sorted(times) and times[-1] <= document["time"]
    first = time.strptime(times[0].split(".")[0], "%Y-%m-%dT%H:%M:%S")
    assert abs(time.mktime(first) - time.timezone - before) < 60


@pytest.mark.parametrize(
    "query,since,first,last,more",
    [
        ("", None, 51, 150, False),
        ("?", None, 51, 150, False),
        ("?limit=1", None, 150, 150, False),
        ("?limit=150", None, 1, 150, False),
        ("?since=%d", 0, 1, 100, True),
        ("?since=%d&limit=65535", 0, 1, 150, False),
        ("?since=%d&limit=1", 0, 1, 1, True),
        ("?limit=10&since=%d", 7, 8, 17, True),
        ("?since=%d", 50, 51, 150, False),
        ("?since=%d", 49, 50, 149, True),
        ("?since=%d", 149, 150, 150, False),
        ("?since=00%d", 149, 150, 150, False),
    ],
)
def test_status_gives_the_part_that_is_asked_for(server, query, since, first, last, more):
    fill(server, range(1, 151))
    if since is not None:
        query %= server.seq0 + since
    document = server.status(query)
    assert since_start(server, seqs(document)) == list(range(first, last + 1))
    assert users(document) == [f"U{i}" for i in range(first, last + 1)]
    assert (document["next"], document["more"]) == (server.seq0 + last, more)
    assert (document["missed"], document["reset"]) == (0, False)


def test_status_with_nothing_new_keeps_next(server):
    fill(server, range(3))
    newest = server.seq0 + 3
    document = server.status(f"?since={newest}")
    assert (document["events"], document["next"], document["more"]) == ([], newest, False)
    assert (document["missed"], document["reset"]) == (0, False)


@pytest.mark.parametrize("beyond", [1, 1000, 2**64])
def test_status_beyond_the_newest_says_reset(server, beyond):
    fill(server, range(3))
    newest = server.seq0 + 3
    since = min(newest + beyond, 2**64 - 1)
    document = server.status(f"?since={since}&limit=65535")
    assert document["reset"] is True
    assert (users(document)[-3:], document["next"]) == (["U0", "U1", "U2"], newest)
    whole = server.status("?since=0&limit=65535")
    assert whole["reset"] is False
    assert (document["events"], document["missed"]) == (whole["events"], whole["missed"])


def test_status_after_a_restart_says_reset(start):
    old = start.new(BOARD.usual_net)
    fill(old, range(5))
    before = old.status()
    old.stop()
    new = start.new(BOARD.usual_net)
    fill(new, range(2))
    document = new.status(f"?since={before['next']}")
    assert document["bootId"] != before["bootId"]
    assert (document["reset"], seqs(document), document["next"]) == (True, [1, 2], 2)
    ring = document["ring"]
    assert (ring["stored"], ring["firstSeq"], ring["lastSeq"]) == (2, 1, 2)
    assert ring["usedBytes"] == 2 * (RECORD_BYTES + len("G") + len("U0"))


def test_status_counts_what_was_overwritten(start):
    server = start.on(BOARD.usual_net, "--ring", SMALLEST_RING)
    fill(server, range(1, 501))
    newest = server.seq0 + 500
    ring = server.status()["ring"]
    assert ring["capacityBytes"] == SMALLEST_RING and ring["usedBytes"] <= SMALLEST_RING
    assert ring["stored"] + ring["overwritten"] == ring["lastSeq"] == newest
    assert ring["firstSeq"] == ring["overwritten"] + 1
    assert ring["stored"] >= SMALLEST_RING // (RECORD_BYTES + len("GU500")) - 1
    for since in (0, 100, ring["firstSeq"] - 1, ring["firstSeq"], newest - 1, newest):
        document = server.status(f"?since={since}")
        assert_adds_up(document, since)
        assert document["missed"] == max(ring["firstSeq"] - 1 - since, 0)
        assert (document["next"], document["more"]) == (newest, False)
    assert users(server.status())[-1] == "U500"


def test_status_of_the_smallest_ring_holds_the_largest_event(start):
    server = start.on(BOARD.usual_net, "--ring", SMALLEST_RING)
    for i in range(10):
        text = f"{i}".ljust(ID_MAX, "x")
        assert server.quit(text, text, operationID="o" * 127).body == HANDLED
        document = server.status("?limit=1")
        assert users(document) == [text]
        assert document["events"][0]["operationID"] == "o" * 127


def test_status_is_paged_by_next_while_more(server):
    fill(server, range(1, 251))
    since, got, pages = server.seq0, [], 0
    with server.connection() as connection:
        while True:
            document = connection.ask("GET", f"/status?since={since}&limit=7").json()
            assert_adds_up(document, since)
            got += users(document)
            since, pages = document["next"], pages + 1
            if not document["more"]:
                break
    assert got == [f"U{i}" for i in range(1, 251)]
    assert pages == 36


@pytest.mark.parametrize("binary", ["release", "asan"])
def test_status_streams_a_large_ring_whole(start, binary):
    """With more events than one document gives, where memory and time allow."""
    how = {"binary": QUITRING_ASAN} if binary == "asan" else {}
    size = min(16 << 20, RING_MAX)
    n = 2000
    if binary == "release":
        n = LIMIT_MAX + 465 if BOARD.is_process else min(5000, size // 32)
    server = start.on(BOARD.usual_net, *ring_of(size), **how)
    fill(server, range(1, n + 1))
    since = server.seq0
    document = json.loads(server.curl(f"{server.base}/status?since={since}&limit=65535"))
    given = min(n, LIMIT_MAX)
    assert since_start(server, seqs(document)) == list(range(1, given + 1))
    assert users(document) == [f"U{i}" for i in range(1, given + 1)]
    assert (document["more"], document["missed"]) == (n > LIMIT_MAX, 0)
    rest = server.status(f"?since={since + given}&limit=65535")
    assert since_start(server, seqs(rest)) == list(range(given + 1, n + 1))
    assert rest["more"] is False


# ---- what is asked badly ----


@pytest.mark.parametrize(
    "query,code,place",
    [
        ("x=1", 5402, "x"),
        ("Since=1", 5402, "Since"),
        ("since=1&wrong", 5402, "wrong"),
        ("&since=1", 5402, "query, byte 0"),
        ("%73ince=1", 5402, "%73ince"),
        (f"{'n' * 300}=1", 5402, "n" * 64),
        ("since=1&since=1", 5403, "since"),
        ("limit=5&since=1&limit=5", 5403, "limit"),
        ("since", 5404, "since"),
        ("since=", 5404, "since"),
        ("since=-1", 5404, "since"),
        ("since=+1", 5404, "since"),
        ("since=1x", 5404, "since"),
        ("since=0x1", 5404, "since"),
        ("since=%31", 5404, "since"),
        ("since=18446744073709551616", 5404, "since"),
        ("limit=0", 5404, "limit, at most 65535 as its value"),
        ("limit=65536", 5404, "limit, at most 65535 as its value"),
        ("limit=99999999999999999999", 5404, "limit, at most 65535 as its value"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_status_refuses_parameter(server, query, code, place):
    reply = server.ask("GET", f"/status?{query}")
    assert_refused(reply, 400, code, place)
    counters = server.counters()
    assert (counters["badRequests"], counters["polls"]) == (1, 1)


def test_healthz_is_one_line(server):
    reply = server.ask("GET", "/healthz")
    assert (reply.status, reply.body) == (200, b"ok\n")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert server.curl(f"{server.base}/healthz?x=y") == b"ok\n"


@pytest.mark.parametrize("target", ["/status", "/healthz", "/nowhere"])
def test_head_has_the_head_of_get(server, target):
    with server.raw() as raw:
        heads = []
        for method in ("GET", "HEAD", "GET"):
            raw.send(f"{method} {target} HTTP/1.1\r\nHost: q\r\n\r\n".encode())
            reply = raw.reply(head_only=method == "HEAD")
            reply.headers.pop("date", None)  # a board may have no clock
            heads.append((reply.status, reply.headers))
            assert (reply.body == b"") == (method == "HEAD")
    assert heads[1] == heads[0]


def test_status_of_http_1_0_ends_with_the_connection(server):
    fill(server, range(300))
    target = f"/status?since={server.seq0}&limit=300"
    with server.raw() as raw:
        raw.send(f"GET {target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode())
        reply = raw.reply()
        assert reply.closes and "transfer-encoding" not in reply.headers
        assert users(reply.json()) == [f"U{i}" for i in range(300)]


def test_status_keeps_one_connection_for_many_requests(server):
    with server.connection() as connection:
        for _ in range(100):
            assert connection.ask("GET", "/status").json()["service"] == "quitring"
    counters = server.counters()
    assert (counters["connectionsAccepted"], counters["polls"]) == (2, 101)  # with this poll


def test_status_pipeline_is_answered_in_order(server):
    fill(server, range(1, 51))
    with server.raw() as raw:
        request = b"GET /status?since=%d HTTP/1.1\r\nHost: q\r\n\r\n"
        raw.send(b"".join(request % (server.seq0 + i) for i in range(50)))
        for i in range(50):
            assert users(raw.reply().json()) == [f"U{n}" for n in range(i + 1, 51)]


# ---- under pressure ----


# Each byte of it takes six in the document, which is so larger than all buffers on its way. But
# QEMU's user network takes much of it by itself, and does not tell a board that a reader is gone.
LONG_GROUP = "\x01" * min(ID_MAX, (CONTENT_MAX - 100) // len("\\u0001"))
LONG_RING = min((2 << 20) if BOARD.is_process else (512 << 10), RING_MAX)
LONG_N = LONG_RING // (RECORD_BYTES + len(LONG_GROUP) + len("U1234567"))
# Nor that connections are gone which it could not take.
CROWDED_NETS = SLOW_NETS = ["user", "host", "tap"] if BOARD.is_process else ["host", "tap"]

PROMPT_S = 2 if BOARD.is_process else CALLER_TIMEOUT_S


def get_long(server):
    """The request for all since the test began."""
    return f"GET /status?since={server.seq0}&limit=65535 HTTP/1.1\r\nHost: q\r\n\r\n".encode()


@pytest.mark.parametrize("net", SLOW_NETS)
def test_slow_reader_holds_nobody_up_and_sees_no_torn_event(start, net):
    server = start.on(net, *ring_of(LONG_RING))
    fill(server, range(1, LONG_N + 1), LONG_GROUP)
    assert server.status("?limit=1")["ring"]["firstSeq"] <= server.seq0 + 1
    with server.raw(receive_bytes=4096) as slow:
        slow.send(get_long(server))
        begun = slow.sock.recv(1)
        slowest = 0.0
        with server.connection() as caller, server.connection() as poller:
            for i in range(LONG_N + 1, LONG_N + 101):
                begin = time.monotonic()
                assert caller.ask("POST", QUIT, quit_body(LONG_GROUP, f"U{i}")).body == HANDLED
                assert users(poller.ask("GET", "/status?limit=1").json()) == [f"U{i}"]
                slowest = max(slowest, time.monotonic() - begin)
        assert slowest < PROMPT_S
        # Over all that the slow reader has not got yet.
        fill(server, range(LONG_N + 101, 2 * LONG_N + 101), LONG_GROUP)
        document = slow.reply(begun=begun).json()
    assert_adds_up(document, server.seq0)
    assert document["next"] == server.seq0 + LONG_N
    assert 0 < document["missed"] < LONG_N
    assert users(document) == [f"U{i}" for i in since_start(server, seqs(document))]
    assert all(event["groupID"] == LONG_GROUP for event in document["events"])


@pytest.mark.parametrize("net", SLOW_NETS)
def test_callers_are_served_beside_many_slow_readers(start, net):
    """Half of those who may be busy are such readers."""
    server = start.on(net, *ring_of(LONG_RING))
    fill(server, range(1, LONG_N + 1), LONG_GROUP)
    readers = [server.raw(receive_bytes=4096) for _ in range(BOARD.limit("DESKS_MAX") // 2)]
    try:
        for reader in readers:
            reader.send(get_long(server))
        slowest = 0.0
        for i in range(20):
            begin = time.monotonic()
            assert server.quit("G", f"U{LONG_N + 1 + i}").body == HANDLED
            slowest = max(slowest, time.monotonic() - begin)
        assert slowest < PROMPT_S
        document = readers[0].reply().json()
        assert_adds_up(document, server.seq0)
        assert users(document) == [f"U{i}" for i in since_start(server, seqs(document))]
    finally:
        for reader in readers:
            reader.reset_on_close()
            reader.close()


@pytest.mark.parametrize("net", SLOW_NETS)
def test_reader_that_has_sent_its_fin_gets_the_whole_document(start, net):
    server = start.on(net, *ring_of(LONG_RING))
    fill(server, range(1, LONG_N + 1), LONG_GROUP)
    with server.raw(receive_bytes=4096) as raw:
        raw.send(get_long(server))
        raw.finish()
        assert users(raw.reply().json()) == [f"U{i}" for i in range(1, LONG_N + 1)]
        assert raw.at_end()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("net", SLOW_NETS)
def test_server_sleeps_while_all_wait(start, net):
    """Whatever its connections are waiting for. Of a board, its emulator's time counts."""
    server = start.on(net, *ring_of(LONG_RING))
    fill(server, range(1, LONG_N + 1), LONG_GROUP)
    fresh, caller, half, stuck, gone = (server.raw(receive_bytes=4096) for _ in range(5))
    caller.send(quit_request("G", "U"))
    assert caller.reply().body == HANDLED
    half.send(quit_request("G", "U")[:-1])
    for reader in (stuck, gone):
        reader.send(get_long(server))
        assert reader.sock.recv(1) == b"H"
    stuck.finish()
    assert server.ask("GET", "/healthz").status == 200
    begin, before = time.monotonic(), cpu_seconds(server.process.pid)
    assert not select.select([fresh.sock, caller.sock, half.sock], [], [], 1.0)[0]
    used, passed = cpu_seconds(server.process.pid) - before, time.monotonic() - begin
    assert used < passed / 10
    gone.reset_on_close()
    for raw in (fresh, caller, half, stuck, gone):
        raw.close()


@pytest.mark.parametrize("net", ["user", "host"])
@pytest.mark.parametrize("ring", [SMALLEST_RING, min(4 << 20, RING_MAX)], ids=["small", "large"])
def test_pollers_at_once_see_each_event_once_or_count_it(start, net, ring):
    n, pollers = 3000 if BOARD.is_process else 600, 4
    server = start.on(net, *ring_of(ring))
    done = threading.Event()
    results = []

    def poll():
        since, seen, missed = server.seq0, 0, 0
        with server.connection() as connection:
            while True:
                last_turn = done.is_set()
                document = connection.ask("GET", f"/status?since={since}&limit=500").json()
                assert_adds_up(document, since)
                assert users(document) == [f"U{i}" for i in since_start(server, seqs(document))]
                assert not document["reset"]
                seen += len(document["events"])
                missed += document["missed"]
                since = document["next"]
                if last_turn and not document["more"]:
                    break
        results.append((seen, missed))

    threads = [threading.Thread(target=poll) for _ in range(pollers)]
    for thread in threads:
        thread.start()
    try:
        fill(server, range(1, n + 1))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert len(results) == pollers
    for seen, missed in results:
        assert seen + missed == n
        assert ring == SMALLEST_RING or missed == 0


@pytest.mark.parametrize("net", CROWDED_NETS)
def test_callback_is_served_beside_more_idle_connections_than_slots(start, net):
    server = start.on(net)
    idle = []
    try:
        for _ in range(CONNS_MAX):
            idle.append(server.connect())
        for _ in range(2 * CONNS_MAX + 8):
            idle.append(server.begin_connect())
        begin = time.monotonic()
        assert server.quit("G", "U").body == HANDLED
        assert time.monotonic() - begin < server.patience_s
    finally:
        for sock in idle:
            sock.close()
    counters = server.counters()
    assert counters["connectionsOpenMost"] == CONNS_MAX
    assert counters["connectionsDropped"] > 0


@pytest.mark.parametrize("net", ["user", "host", "tap"])
def test_callers_keep_their_connections_when_slots_run_short(start, net):
    """Replies announce the close; nobody who has sent callbacks is cut off without a word."""
    server = start.on(net)
    spare = BOARD.limit("CONNS_SPARE")
    callers = [server.raw() for _ in range(CONNS_MAX - max(1, spare // 4))]
    try:
        announced = 0
        for _ in range(3):
            for i, caller in enumerate(callers):
                caller.send(quit_request("G", f"U{i}"))
                reply = caller.reply()
                assert reply.body == HANDLED
                if reply.closes:
                    announced += 1
                    caller.finish()
                    assert caller.at_end()
                    caller.close()
                    callers[i] = server.raw()
        assert announced > 0
        assert server.counters()["stored"] == 3 * len(callers)
    finally:
        for caller in callers:
            caller.close()


@pytest.mark.parametrize("net", CROWDED_NETS)
def test_callers_stay_when_new_connections_find_no_slot(start, net):
    """A caller may write its next callback at any time, and would not send it again."""
    server = start.on(net)
    callers = [server.raw() for _ in range(CONNS_MAX // 2)]
    idle = []
    try:
        for caller in callers:
            caller.send(quit_request("G", "first"))
            assert caller.reply().body == HANDLED
        for _ in range(CONNS_MAX // 2 + 20):
            idle.append(server.begin_connect())
        for caller in callers:
            caller.send(quit_request("G", "second"))
            assert caller.reply().body == HANDLED
    finally:
        for connection in callers + idle:
            connection.close()
    assert server.counters()["stored"] == 2 * len(callers)


@pytest.mark.parametrize("net", ["user", "host", "tap"])
def test_pollers_idle_in_every_slot_make_room(start, net):
    server = start.on(net)
    pollers = [server.raw() for _ in range(CONNS_MAX)]
    try:
        for poller in pollers:
            poller.send(b"GET /healthz HTTP/1.1\r\nHost: q\r\n\r\n")
            assert poller.reply().body == b"ok\n"
        begin = time.monotonic()
        assert server.quit("G", "U").body == HANDLED
        assert time.monotonic() - begin < server.patience_s
    finally:
        for poller in pollers:
            poller.close()


def test_many_short_connections_one_after_another(server):
    for i in range(150):
        with server.raw() as raw:
            raw.send(quit_request("G", f"U{i}"))
            assert raw.reply().body == HANDLED
    assert users(server.status("?limit=150")) == [f"U{i}" for i in range(150)]

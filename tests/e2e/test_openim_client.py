"""Quits as an OpenIM server sends them (openim/main.go), over every network: each is stored once,
in its worker's order, and its IDs come back byte for byte."""

import itertools
import json
import subprocess
import threading

import pytest

from boards import BOARD
from conftest import CONNS_MAX, ID_MAX, RING_MAX, inside, quit_request, ring_of

N = 10000 if BOARD.is_process else 1000 if BOARD.is_image else 2000
PAGE = 1000
WORKERS = 2
CLIENT_RUN_S = 60 if BOARD.is_process else 240
RING = min(4 << 20, RING_MAX)
SMALL_RING = BOARD.limit("RING_MIN")
# QEMU's own queue for the port that it forwards is short: a crowd that comes all at once would wait
# there.
STAGGER_USER = "0s" if BOARD.is_process else "15ms" if BOARD.is_image else "5ms"
# A bare board's card holds some 25 requests that come at once, and drops the others; who loses a SYN
# and then a request tries again after seconds.
STAGGER_CARD = "0s" if BOARD.is_process or BOARD.is_image else "2ms"
# Workers for each slot. The smallest board's backlog is short for more that come all at once.
CROWD = 3 if BOARD.name == "mps2-an511" else 4
ROUND = RING // 110  # as many of the client's events fit: they take 60 to 70 bytes on average


# ---- the client's IDs, made a second time ----

ODD = (
    "<>&\u2028\u2029\"\\/\x01\x1f\x7f\t aZ09-\u00e9\u0416\u6f22\uffff\U0001f600\U0010ffff"
)
MASK = 2**64 - 1


class Random:
    """SplitMix64, as in openim/main.go."""

    def __init__(self, seed):
        self.state = seed & MASK

    def next(self, below):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % below


def make_id(kind, worker, counter, random):
    text = f"{kind}{worker}-{counter}".encode()
    draw = random.next(64)
    if draw >= 16:
        return text
    size = ID_MAX if draw == 0 else len(text) + 1 + random.next(60)
    while len(text) < size:
        char = ODD[random.next(len(ODD))].encode()
        text += char if len(text) + len(char) <= size else b"."
    return text


def quits_of(worker, seed):
    """What a worker sends, without end: groupID, userID and operationID in bytes."""
    random = Random((seed << 8) + worker)
    for counter in itertools.count(1):
        group = make_id("g", worker, counter, random)
        user = make_id("u", worker, counter, random)
        yield group, user, f"op-{worker}-{counter}".encode()


# ---- running it ----


class Run:
    """The client at work."""

    def __init__(self, openim, server, n, seed, *more):
        command = [openim, "-base", server.base, "-n", n, "-seed", seed, *more]
        with inside(server.clients):
            self.process = subprocess.Popen(
                [str(word) for word in command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
            )

    def summary(self):
        try:
            output, _ = self.process.communicate(timeout=CLIENT_RUN_S)
        finally:
            self.end()
        assert self.process.returncode == 0
        return json.loads(output)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def assert_all_taken(summary, n):
    assert summary["errors"] == []
    assert (summary["sent"], summary["ok"], summary["failed"]) == (n, n, 0)


def id_bytes(event):
    return tuple(event[name].encode("utf-8") for name in ("groupID", "userID", "operationID"))


class Reader:
    """A poller that follows `next`, and keeps the books: each seq is seen once, or missed."""

    def __init__(self, server):
        self.server = server
        self.since = server.seq0
        self.events = []  # seq, and the IDs in bytes
        self.missed = 0

    def poll(self, client):
        """Whether more is waiting."""
        document = client.ask("GET", f"/status?since={self.since}&limit={PAGE}").json()
        seqs = [event["seq"] for event in document["events"]]
        assert not document["reset"]
        assert seqs == sorted(set(seqs))
        assert all(self.since < seq <= document["next"] for seq in seqs)
        assert len(seqs) + document["missed"] == document["next"] - self.since
        self.events += zip(seqs, map(id_bytes, document["events"]))
        self.missed += document["missed"]
        self.since = document["next"]
        return document["more"]

    def poll_until(self, done):
        """Polls until done is set and nothing is left."""
        with self.server.connection() as client:
            while True:
                last = done.is_set()
                if not self.poll(client) and last:
                    return self

    def read_all(self):
        done = threading.Event()
        done.set()
        return self.poll_until(done)


def assert_each_once_in_order(events, first, n, seed, workers=WORKERS):
    """All n events from seq first on, with nothing between."""
    assert [seq for seq, _ in events] == list(range(first, first + n))
    due = {worker: quits_of(worker, seed) for worker in range(1, workers + 1)}
    for _, ids in events:
        assert ids == next(due[worker_of(ids)])


def worker_of(ids):
    return int(ids[2].split(b"-")[1])


# ---- over every network ----


def run_and_read(openim, server, n, seed, workers=WORKERS, *more):
    """In rounds that fit into the ring, so that each event is seen. Returns how many rounds."""
    rounds = range(0, n, ROUND // workers * workers)
    reader = Reader(server)
    for begin in rounds:
        size = min(ROUND // workers * workers, n - begin)
        run = Run(openim, server, size, seed + begin, "-workers", workers, *more)
        assert_all_taken(run.summary(), size)
        first = reader.since + 1
        reader.events = []
        reader.read_all()
        assert reader.missed == 0
        assert_each_once_in_order(reader.events, first, size, seed + begin, workers)
    return len(rounds)


@pytest.mark.parametrize("net", ["user", "host", "tap", "packet"])
def test_openim_loses_no_quit(openim, start, net):
    server = start.on(net, *ring_of(RING))
    rounds = run_and_read(openim, server, N, 7)
    counters = server.counters()
    assert (counters["callbacks"], counters["stored"], counters["refused"]) == (N, N, 0)
    # Two of its own, kept, one more may lose a race; and ours that read.
    assert counters["connectionsAccepted"] < 4 * rounds + 6
    assert counters["connectionsReset"] == 0


@pytest.mark.parametrize("net", ["user", "host"])
def test_openim_overwrites_the_oldest_and_missed_says_how_many(openim, start, net):
    server = start.on(net, *ring_of(SMALL_RING))
    n, seed = 2000 if BOARD.is_process else 600, 11
    assert_all_taken(Run(openim, server, n, seed).summary(), n)
    reader = Reader(server).read_all()
    ring = server.status()["ring"]
    assert reader.missed == ring["firstSeq"] - 1 - server.seq0 > 0
    assert len(reader.events) == ring["stored"] > 0
    assert len(reader.events) + reader.missed == n
    newest = server.seq0 + n
    assert [seq for seq, _ in reader.events] == list(range(ring["firstSeq"], newest + 1))
    sent = {worker: set(itertools.islice(quits_of(worker, seed), n)) for worker in (1, 2)}
    assert all(ids in sent[worker_of(ids)] for _, ids in reader.events)


@pytest.mark.parametrize("ring", [SMALL_RING, RING], ids=["small", "large"])
@pytest.mark.parametrize("net", ["user", "host", "tap"])
def test_openim_and_pollers_do_not_disturb_each_other(openim, start, net, ring):
    server = start.on(net, *ring_of(ring))
    n, seed = 4000 if BOARD.is_process else 500, 13
    done = threading.Event()
    readers = [Reader(server) for _ in range(4)]
    failures = []

    def follow(reader):
        try:
            reader.poll_until(done)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=follow, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        summary = Run(openim, server, n, seed).summary()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert_all_taken(summary, n)
    for reader in readers:
        assert len(reader.events) + reader.missed == n


def test_openim_services_together_keep_their_connections(openim, start):
    """Eight services of two workers each, as many as OpenIM has: each a process of its own."""
    server = start.on(BOARD.usual_net, *ring_of(RING))
    services = 8
    n = min(500, ROUND // services)
    runs = [Run(openim, server, n, seed) for seed in range(services)]
    try:
        for run in runs:
            assert_all_taken(run.summary(), n)
    finally:
        for run in runs:
            run.end()
    events = Reader(server).read_all().events
    assert len(events) == services * n
    assert len(set(events)) == services * n
    if services * WORKERS + 1 < CONNS_MAX - BOARD.limit("CONNS_SPARE"):
        assert server.counters()["connectionsDropped"] == 0


@pytest.mark.parametrize("how", [
    pytest.param([], id="one-client", marks=pytest.mark.not_on_images),
    pytest.param(["-apart"], id="clients"),
])
@pytest.mark.parametrize("net", ["user", "host", "tap"])
def test_openim_with_more_workers_than_slots_loses_no_quit(openim, start, net, how):
    """Replies then announce the close, and the client connects anew. Together, workers keep two
    connections, as OpenIM does; apart, each keeps its own."""
    server = start.on(net, *ring_of(RING))
    workers = CROWD * CONNS_MAX
    patience = ["-timeout", f"{server.patience_s}s", "-stagger", STAGGER_USER if net == "user" else STAGGER_CARD]
    n = (10 if BOARD.is_process else 3) * workers
    run_and_read(openim, server, n, 17, workers, *how, *patience)


@pytest.mark.not_on_images
@pytest.mark.parametrize("net", ["host", "tap"])
def test_openim_comes_in_though_idle_callers_and_pollers_hold_the_slots(openim, start, net):
    """As many idle callers as are kept, a poller for each slot that is left, and a crowd, in waves. All
    that were idle are there afterwards."""
    server = start.on(net, *ring_of(RING))
    kept = CONNS_MAX - BOARD.limit("CONNS_SPARE")
    stagger = "0s" if BOARD.is_process else "10ms"  # a board's few spare slots, and its short backlog
    workers = 4 * CONNS_MAX
    idle = [server.raw() for _ in range(kept)]
    pollers, done = [], threading.Event()

    def poll():
        while not done.is_set():
            assert server.ask("GET", "/healthz").status == 200
            polls.append(1)

    polls = []
    try:
        for raw in idle:
            raw.send(quit_request("idle", "before"))
            assert not raw.reply().closes
        pollers = [threading.Thread(target=poll) for _ in range(CONNS_MAX - kept)]
        for thread in pollers:
            thread.start()
        for wave in range(3):
            run = Run(openim, server, workers, wave, "-workers", workers, "-apart", "-stagger", stagger)
            assert_all_taken(run.summary(), workers)
        for raw in idle:
            raw.send(quit_request("idle", "after"))
            assert raw.reply().status == 200
    finally:
        done.set()
        for thread in pollers:
            thread.join()
        for raw in idle:
            raw.close()
    assert len(polls) > len(pollers)
    assert server.counters()["stored"] == 3 * workers + 2 * kept

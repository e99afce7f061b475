"""make soak MINUTES=10: callers of eight services and pollers, without a pause; attackers of each kind in
turn, and phases in which the network is bad. All on a TAP device in namespaces that this makes. It takes
two minutes more, until lwIP has forgotten all connections.

Ends with a table. Lost is what was answered and not stored, or stored twice; unanswered, what a caller
gave up after its five seconds, which only a bad network may bring about. Status 1 where something was
lost, or unanswered on a good network, or where lwIP's memory is not back at the end.
"""

import contextlib
import itertools
import sys
import threading
import time

import attacker
from conftest import CLIENT_S, Networks, Starter, build_openim, why_no_networks
from test_attacks import attack
from test_lossy import BAD, QUIET_S, bad_wire, pools_of, until_alone
from test_openim_client import Run, id_bytes, quits_of

WORKERS = 16
PAUSE_S = 0.2  # between the callbacks of a worker
PHASE_S = 15
POLLERS = 4
PHASES = ["calm", *attacker.KINDS, "syns", "lossy"]
COLUMNS = ("attackers", "sent", "stored", "unanswered", "lost", "worst ms")
REST_S = 125  # until lwIP has forgotten the last connection (TIME_WAIT, half-open ones)


class Pollers:
    """Each on its own connection; whoever loses it comes again."""

    def __init__(self, server):
        self.server = server
        self.done = threading.Event()
        self.polls = self.lost = 0
        self.threads = [threading.Thread(target=self.poll) for _ in range(POLLERS)]
        for thread in self.threads:
            thread.start()

    def poll(self):
        since = 0
        while not self.done.is_set():
            with contextlib.suppress(OSError, EOFError, ValueError, LookupError):
                with self.server.connection() as connection:
                    while not self.done.wait(0.5):
                        reply = connection.ask("GET", f"/status?since={since}&limit=50")
                        since = reply.json()["next"]
                        self.polls += 1
            self.lost += 1

    def end(self):
        self.done.set()
        for thread in self.threads:
            thread.join()


class Soak:
    def __init__(self, start, networks, client):
        self.start, self.client = start, client
        space, near, clients, far, self.wire = bad_wire(networks, "tap")
        self.wire.mend()
        self.server = start.serve("--net", f"tap:{near}", "--addr", "10.77.0.2/24,10.77.0.1",
                                  "--ring", 16 << 20, "--verbose", namespace=space, clients=clients)
        self.server.interface = far  # where floods come from

    def callers(self, seed, seconds):
        each = max(1, int(seconds / PAUSE_S))
        words = ["-workers", WORKERS, "-apart", "-stagger", f"{int(PAUSE_S / WORKERS * 1e6)}us"]
        return each, Run(self.client, self.server, WORKERS * each, seed, *words)

    def phase(self, number, kind, seconds):
        """One phase, and its row."""
        since = self.server.status("?limit=1")["ring"]["lastSeq"]
        if kind == "lossy":
            self.wire.spoil(**BAD)
        hostile = kind not in ("calm", "lossy")
        with attack(self.start, self.server, kind) if hostile else contextlib.nullcontext() as foes:
            each, run = self.callers(number, seconds)
            summary = run.summary()
        self.wire.mend()
        row = self.books(since, number, each, summary)
        return [foes.opened if hostile else 0, *row, round(summary["slowestMs"])], summary["errors"]

    def stored(self, since):
        found, more = [], True
        while more:
            document = self.server.status(f"?since={since}&limit=1000")
            found += [id_bytes(event) for event in document["events"]]
            since, more = document["next"], document["more"]
            assert document["missed"] == 0
        return [ids for ids in found if ids[2].startswith(b"op-")]  # an attacker has no number

    def books(self, since, seed, each, summary):
        """Sent, stored, unanswered, lost."""
        stored = self.stored(since)
        unanswered = {operation.encode() for operation in summary["unanswered"]}
        sent = set()
        for worker in range(1, WORKERS + 1):
            source = quits_of(worker, seed)
            sent |= {next(source) for _ in range(each)}
        answered = {ids for ids in sent if ids[2] not in unanswered}
        lost = len(answered - set(stored)) + len(stored) - len(set(stored) & sent)
        return len(sent), len(set(stored)), len(unanswered), lost


def print_row(name, values):
    print(f"{name:<18}" + "".join(f"{value:>12}" for value in values), flush=True)


def run(minutes):
    """Whether all went well."""
    networks = Networks()
    start = Starter(lambda: networks)
    end = time.monotonic() + 60 * minutes
    total, good = [0] * len(COLUMNS), True
    try:
        soak = Soak(start, networks, build_openim())
        with soak.wire:
            pollers = Pollers(soak.server)
            try:
                print_row("", COLUMNS)
                for number, kind in enumerate(itertools.cycle(PHASES)):
                    if time.monotonic() >= end:
                        break
                    seconds = min(PHASE_S, 60 * minutes / len(PHASES))
                    row, errors = soak.phase(number, kind, seconds)
                    print_row(kind, row)
                    _, _, _, unanswered, lost, worst = row
                    if lost or (unanswered and kind != "lossy"):
                        good = False
                        print(*errors, sep="\n")
                    total = [a + b for a, b in zip(total[:-1], row)] + [max(total[-1], worst)]
            finally:
                pollers.end()
            print_row("all", total)
            print(f"polls: {pollers.polls}; pollers that lost a connection: {pollers.lost - POLLERS}")
            until_alone(soak.server)
            soak.wire.until_quiet(QUIET_S, CLIENT_S)
            time.sleep(REST_S)
            soak.server.stop()
        begin, left = pools_of(soak.server)
        print_row("lwIP's memory", begin)
        print_row("  at the start", begin.values())
        print_row("  at the end", left.values())
        return good and begin == left
    finally:
        start.end()
        networks.remove()


if __name__ == "__main__":
    missing = why_no_networks()
    if missing is not None:
        sys.exit(f"make soak: {missing}")
    sys.exit(0 if run(float(sys.argv[1])) else 1)

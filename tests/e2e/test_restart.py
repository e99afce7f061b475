"""A server that ends and comes back while OpenIM's clients post: what was answered was stored, and only
what was not answered may be missing."""

import signal
import time

import pytest

from conftest import LIMIT_MAX, ring_of
from test_openim_client import Run, id_bytes, quits_of

WORKERS = 16
EACH = 100
LIFE_S = 0.6
SEED = 29

# Only the Linux program ends.
pytestmark = pytest.mark.not_on_boards


def stored_by_worker(server):
    """The numbers of the callbacks that are in the ring, in order."""
    found = {worker: [] for worker in range(1, WORKERS + 1)}
    for event in server.status(f"?limit={LIMIT_MAX}")["events"]:
        ids = id_bytes(event)
        _, worker, number = ids[2].decode().split("-")
        found[int(worker)].append((int(number), ids))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
@pytest.mark.parametrize("net", ["tap", "host"])
def test_restart_loses_only_what_was_not_answered(openim, start, net, number):
    server = start.new(net, *ring_of(4 << 20))
    run = Run(openim, server, WORKERS * EACH, SEED, "-workers", WORKERS, "-apart", "-stagger", "2ms")
    try:
        for _ in range(2):
            time.sleep(LIFE_S)
            if number == signal.SIGTERM:
                server.stop()
            else:
                server.stopped = True
                server.signal(number)
                server.wait()
            server = start.serve(
                *server.arguments, namespace=server.namespace, clients=server.clients
            )
        summary = run.summary()
    finally:
        run.end()
    assert summary["sent"] == WORKERS * EACH
    unanswered = set(summary["unanswered"])
    assert len(unanswered) == summary["failed"] < summary["sent"] // 2
    for worker, events in stored_by_worker(server).items():
        source = quits_of(worker, SEED)
        sent = [next(source) for _ in range(EACH)]
        numbers = [n for n, _ in events]
        assert [ids for _, ids in events] == [sent[n - 1] for n in numbers]
        assert numbers == sorted(set(numbers))
        begin = numbers[0] if numbers else EACH + 1
        answered = {n for n in range(begin, EACH + 1) if f"op-{worker}-{n}" not in unanswered}
        assert answered <= set(numbers)
    print(net, number, summary["ok"], summary["failed"], summary["slowestMs"])

"""A network that loses, delays, repeats and reorders: OpenIM's calls are stored once each, and all of
lwIP's memory is back afterwards."""

import re
import time

import pytest

from badwire import BadWire
from conftest import CLIENT_S, LIMIT_MAX, RING_MAX, ring_of
from test_net import leave_no_checksum_to_the_card
from test_openim_client import Run, id_bytes, quits_of

BAD = {"lose": 0.10, "twice": 0.05, "ahead": 0.05, "delay": 0.05, "vary": 0.03}
WORKERS = 16  # of 8 services
EACH = 12  # callbacks of a worker
SEED = 23
QUIET_S = 2
POOL = re.compile(r"(\w+) (\d+) of (\d+) \(most (\d+)\)")


def bad_wire(networks, net):
    """Where the server is, its interface; where its clients are, and theirs; and the wire between, to be
    entered."""
    clients, middle = networks.namespace(), networks.namespace()
    far, two = networks.wire(clients, middle)
    networks.up(clients, far, "10.77.0.1/24")
    leave_no_checksum_to_the_card(clients, far)
    if net == "tap":
        space, near = middle, networks.tap(middle)
        one = near
    else:
        space = networks.namespace()
        near, one = networks.wire(space, middle)
    return space, near, clients, far, BadWire(middle, one, two, **BAD)


def pools_of(server):
    """Of a server that has stopped: how much of each was used at the start, and at the end."""
    lines = [line for line in server.errors().splitlines() if " pools: " in line]
    assert len(lines) == 2, lines
    return [{name: int(used) for name, used, _, _ in POOL.findall(line)} for line in lines]


def until_alone(server):
    """Waits until all connections of the test are gone; the one that asks, too."""
    deadline = time.monotonic() + CLIENT_S
    with server.connection() as connection:
        while True:
            counters = connection.ask("GET", "/status?limit=1").json()["counters"]
            if counters["connectionsOpen"] == 1:
                return
            assert time.monotonic() < deadline, counters


def assert_each_answered_once(server, summary, seed, workers, each):
    """What was answered is stored once, what was not at most once, and nothing else is."""
    stored = [id_bytes(event) for event in server.status(f"?limit={LIMIT_MAX}")["events"]]
    assert len(stored) == len(set(stored))
    sent = set()
    for worker in range(1, workers + 1):
        source = quits_of(worker, seed)
        sent |= {next(source) for _ in range(each)}
    unanswered = {operation.encode() for operation in summary["unanswered"]}
    answered = {ids for ids in sent if ids[2] not in unanswered}
    assert answered <= set(stored) <= sent
    assert len(answered) == summary["ok"]


@pytest.mark.not_on_boards
@pytest.mark.parametrize("net", ["tap", "packet"])
def test_lossy_network_stores_each_answered_callback_once(openim, start, networks, net):
    space, near, clients, _, wire = bad_wire(networks, net)
    with wire:
        server = start.serve("--net", f"{net}:{near}", "--addr", "10.77.0.2/24", "--verbose",
                             *ring_of(min(4 << 20, RING_MAX)), namespace=space, clients=clients)
        n = WORKERS * EACH
        summary = Run(openim, server, n, SEED, "-workers", WORKERS, "-apart").summary()
        wire.mend()
        assert wire.lost > n // 10
        assert summary["sent"] == n
        assert summary["ok"] > n // 2
        assert_each_answered_once(server, summary, SEED, WORKERS, EACH)
        until_alone(server)
        wire.until_quiet(QUIET_S, CLIENT_S)
        server.stop()
    print({name: summary[name] for name in ("ok", "failed", "seconds", "slowestMs")}, wire.lost)
    begin, end = pools_of(server)
    assert end == begin

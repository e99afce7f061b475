"""What make bench measures with: that it counts, and that it looks at replies. How fast anything is
depends on the machine, and is no matter of passing or failing."""

import json
import subprocess
import sys

import pytest

from boards import BOARD, ROOT, plain_environment
from conftest import QUITRING, ip

__test__ = BOARD.name == "linux"

BUILT = ROOT / "build/bench"
MEASURE_S = 60
REQUESTS = 60


@pytest.fixture(scope="module")
def tools():
    for name in "client", "epoll_server":
        BOARD.make(f"build/bench/{name}")


def bench(folder, *words):
    """Runs tests/bench/bench.py with a lock of its own. Returns what it writes, and what it prints."""
    found = folder / "bench.json"
    process = subprocess.Popen(
        [sys.executable, ROOT / "tests/bench/bench.py", "--json", found, "--rounds", "2",
         "--requests", str(REQUESTS), *words],
        env=plain_environment(TMPDIR=str(folder)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    try:
        out, err = process.communicate(timeout=MEASURE_S)
    finally:
        process.terminate()
    assert process.returncode == 0, err
    assert f"qb{process.pid}" not in ip("netns", "list")
    return json.loads(found.read_text()), out


def client(server, *words):
    return subprocess.run([BUILT / "client", "127.0.0.1", str(server.port), *words],
                          capture_output=True, text=True, timeout=MEASURE_S, check=False)


def test_bench_finds_figures_of_each_server_and_leaves_nothing(tools, networks, tmp_path):
    servers = [f"tap:{QUITRING}", f"host:{QUITRING}", "epoll"]
    works = ["2", "16", "connect", "poll"]
    found, told = bench(tmp_path, "--servers", ",".join(servers), "--works", ",".join(works))

    assert list(found["works"]) == works
    for work, by_name in found["works"].items():
        for name in servers[:2] if work == "poll" else servers:
            assert len(by_name[name]) == 2
            for a_round in by_name[name]:
                assert a_round["replies"] == REQUESTS
                assert a_round["seconds"] > 0 and a_round["cpu_us"] > 0
                assert 0 < a_round["p50_us"] <= a_round["p99_us"] <= a_round["max_us"]
                if name == servers[0]:
                    assert a_round["frames_in"] >= 1 and a_round["frames_out"] >= 1
        assert f"\n{work}: " in told


def test_bench_ratios_are_those_of_a_round_and_missed_goals_are_told(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests/bench")
    import goals

    ours = [{"cpu_us": cpu} for cpu in (6, 9, 30)]
    theirs = [{"cpu_us": cpu} for cpu in (10, 10, 100)]
    results = goals.find({"16": {"packet": ours, "epoll": theirs}})
    assert [(r["found"], r["least"], r["most"], r["reached"]) for r in results] == [
        (0.6, 0.3, 0.9, True)]
    assert not goals.find({"16": {"packet": theirs, "epoll": ours}})[0]["reached"]


@pytest.mark.parametrize("work, least, most", [
    ("callback", 500, 500),
    ("connect", 500, 500),
    ("mixed", 390, 410),  # each fifth of a connection's requests is none
])
def test_bench_client_asks_as_often_as_it_is_told(work, least, most, tools, start):
    server = start.publish("host")
    done = client(server, "--work", work, "--conns", "10", "--requests", "400", "--warm", "100")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["replies"] == 400
    assert least <= server.counters()["stored"] <= most


def test_bench_client_refuses_a_reply_that_is_not_200(tools, start):
    done = client(start.publish("host"), "--work", "poll", "--target", "/nothing")
    assert done.returncode == 1
    assert "not 200" in done.stderr and not done.stdout

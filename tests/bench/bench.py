"""Servers beside each other: what a callback costs, and how long its reply takes.

    bench.py [--servers NAME,…] [--works NAME,…] [--rounds N] [--requests N] [--json FILE]

Needs root, for network namespaces, and two CPUs: servers are on the first, the client on the second.
Each round has every server do the same work in turn, so that what the machine does meanwhile weighs
on each alike; medians over the rounds are shown, and their range. CPU time is that of all threads of
a server, from the kernel. Some seconds, with what is built (make build-bench):

    bench.py --servers tap,packet,epoll --works 16,100 --rounds 9 --requests 5000

Of quitring's servers (tap, packet, user, host), NAME:PROGRAM measures another program, to compare two:

    bench.py --servers tap,tap:/tmp/other/quitring,epoll --works 16
"""

import argparse
import contextlib
import fcntl
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile

import goals
import net as nets
import peers

CLIENT = f"{peers.BUILT}/client"
CLIENT_CPU = 1
CALLBACK = "/callbackAfterQuitGroupCommand"
ROUND_S = 60  # at most

# By the names that tables have: what the client is told, and requests in a round.
WORKS = {
    "1": (("callback", 1), 2000),
    "2": (("callback", 2), 3000),
    "16": (("callback", 16), 8000),
    "64": (("callback", 64), 8000),
    "100": (("callback", 100), 8000),
    "128": (("callback", 128), 8000),
    "256": (("callback", 256), 8000),
    "connect": (("connect", 16), 2000),
    "poll": (("poll", 1), 50),
    "mixed": (("mixed", 100), 5000),
}
ALL = ("1", "2", "16", "100", "connect")  # what each server does
SCALE = ("1", "16", "64", "128", "256")
KINDS = {"callback": "callbacks", "connect": "callbacks, a connection for each",
         "poll": "polls of 100 events (of others, a file of 15 KB)",
         "mixed": "80 % callbacks, 20 % polls for what is new"}


def ask(net, server, work, requests):
    """One round of one server. Returns what the client found."""
    (kind, conns), usual = WORKS[work]
    requests = requests or usual
    target = "/status"
    if server.gets and kind == "callback":
        kind, target = "poll", CALLBACK
    command = [CLIENT, server.address, str(server.port), "--work", kind, "--conns", str(conns),
               "--target", target, "--requests", str(requests),
               "--warm", str(max(conns, requests // 10)),
               "--pids", ",".join(map(str, server.pids()))]
    if server.fields:
        command += ["--fields", server.fields]
    if server.frames:
        command += ["--frames", server.frames]
    process = net.start(net.callers, CLIENT_CPU, command, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate(timeout=ROUND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise RuntimeError(f"no end after {ROUND_S} s") from None
    if process.returncode:
        raise RuntimeError(err.strip())
    found = json.loads(out)
    found["rate"] = found["replies"] / found["seconds"]
    return found


def measure(net, servers, works, rounds, requests):
    """Returns [work][server]: what each round found. Another's server that fails is left out."""
    found = {work: {name: [] for name in servers} for work in works}
    for n in range(rounds):
        for work in works:
            names = [name for name in servers if work in ALL or work in servers[name].works]
            first = n % max(1, len(names))
            for name in names[first:] + names[:first]:
                try:
                    found[work][name].append(ask(net, servers[name], work, requests))
                except RuntimeError as error:
                    if servers[name].ours:
                        raise RuntimeError(f"{name}, {work}: {error}") from error
                    print(f"\nskip {name}: {work}: {error}", file=sys.stderr)
                    servers.pop(name).stop()
                    for by_name in found.values():
                        del by_name[name]
        print(f"\rround {n + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


WIDTH = 24  # of a name


def spread(rounds, key):
    """The median, and the range."""
    values = [a_round[key] for a_round in rounds]
    middle = statistics.median(values)
    digits = 0 if middle >= 1000 else 1
    return f"{middle:.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


COLUMNS = (("CPU us", "cpu_us"), ("p50 us", "p50_us"), ("p99 us", "p99_us"), ("a second", "rate"))


def label(name):
    """NAME:PROGRAM is shown with what its path ends with."""
    kind, colon, program = name.partition(":")
    return kind + colon + program[-(WIDTH - len(kind) - len(colon)):] if program else name


def table(found):
    """Medians and ranges; CPU time is that of a callback, or of whatever the work's requests are."""
    for work, by_name in found.items():
        (kind, conns), _ = WORKS[work]
        print(f"\n{work}: {KINDS[kind]}, {conns} connection{'s' if conns > 1 else ''}")
        print(f"  {'':<{WIDTH}}" + "".join(f"{head:>24}" for head, _ in COLUMNS) + "  frames to it, from it")
        for name, rounds in by_name.items():
            if rounds:
                print(f"  {label(name):<{WIDTH}}"
                      + "".join(f"{spread(rounds, key):>24}" for _, key in COLUMNS) + remark(rounds))


def remark(rounds):
    """What else there is to say of a server: frames, and connections that it closed."""
    told = ""
    out, back, closes = (statistics.median(r[key] for r in rounds)
                         for key in ("frames_out", "frames_in", "closes"))
    if out:
        told += f"  {out:.3f}, {back:.3f}"
    if closes:
        told += f"  closed {closes:.0f} connections"
    return told


def scaling(found):
    """What a callback costs with more and fewer connections than 16."""
    works = [work for work in SCALE if work in found]
    for name, base in found.get("16", {}).items():
        if works[1:] and all(found[work].get(name) for work in works):
            ratios = (statistics.median(a["cpu_us"] / b["cpu_us"]
                                        for a, b in zip(found[work][name], base)) for work in works)
            print(f"  {label(name):<{WIDTH}}"
                  + "".join(f"{work:>7}: {ratio:.2f}" for work, ratio in zip(works, ratios)))


def version(command):
    """What a program says of itself in its first line."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).splitlines()[0]
    except (OSError, IndexError):
        return None


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {
        "kernel": os.uname().release, "processor": os.uname().machine, "model": models[:1],
        "cpus": os.cpu_count(), "load": os.getloadavg(),
        "quitring": version([peers.QUITRING, "--version"]), "nginx": version(["nginx", "-v"]),
        "lighttpd": version(["lighttpd", "-v"]), "go": version(["go", "version"]),
        "node": version(["node", "--version"]),
    }


def begin(net, names):
    """Starts them. Returns those that are there by name."""
    servers = {}
    for name in names:
        server = peers.make(net, name)
        try:
            server.begin()
        except peers.Missing as error:
            print(f"skip {name}: {error}", file=sys.stderr)
            server.stop()
        else:
            servers[name] = server
    return servers


@contextlib.contextmanager
def alone():
    """Waits until no other measurement runs on this machine: they would have the same CPUs."""
    with open(f"{tempfile.gettempdir()}/quitring-bench.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--servers", default=",".join(peers.SERVERS))
    parser.add_argument("--works", default=",".join(WORKS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--json", default=f"{peers.ROOT}/build/bench.json")
    return parser.parse_args()


def main():
    options = arguments()
    if os.geteuid() != 0:
        sys.exit("bench: needs root, for network namespaces of its own")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: needs two CPUs, one for servers and one for the client")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was made goes
    servers = {}
    with alone(), nets.Net() as net:
        try:
            servers = begin(net, options.servers.split(","))
            found = measure(net, servers, options.works.split(","), options.rounds, options.requests)
        except RuntimeError as error:
            sys.exit(f"bench: {error}")
        finally:
            for server in servers.values():
                server.stop()
    table(found)
    print("\nCPU time of a callback, to that with 16 connections")
    scaling(found)
    reached = goals.find(found)
    print("\nGoals: the median of the rounds' ratios, and their range")
    goals.show(reached)
    with open(options.json, "w") as file:
        json.dump({"machine": machine(), "options": vars(options), "works": found,
                   "goals": reached}, file, indent=1)


if __name__ == "__main__":
    main()

"""Servers beside each other: what a callback costs, and how long its reply takes.

    bench.py [--servers NAME,…] [--works NAME,…] [--rounds N] [--requests N] [--json FILE]

Needs root, for network namespaces, and two CPUs: servers are on the first, the client on the second.
Each round has every server do the same work, in slices that take turns, so that what the machine does
meanwhile weighs on each alike; medians over the rounds are shown, and their range. CPU time is that of all threads of
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
import select
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
SLICES = 5  # of a round
SAY_S = 30  # a slice takes at most

# By the names that tables have: what the client is told, and requests in a round.
WORKS = {
    "1": (("callback", 1), 2000),
    "2": (("callback", 2), 3000),
    "16": (("callback", 16), 8000),
    "64": (("callback", 64), 20000),
    "100": (("callback", 100), 20000),
    "128": (("callback", 128), 20000),
    "256": (("callback", 256), 20000),
    "connect": (("connect", 16), 2000),
    "poll": (("poll", 1), 50),
    "mixed": (("mixed", 100), 10000),
}
ALL = ("1", "2", "16", "100", "connect")  # what each server does
SCALE = ("1", "16", "64", "128", "256")
KINDS = {"callback": "callbacks", "connect": "callbacks, a connection for each",
         "poll": "polls of 100 events (of others, a file of 15 KB)",
         "mixed": "80 % callbacks, 20 % polls for what is new"}


def client(net, server, work, requests):
    """Starts one. Returns it."""
    kind, conns = WORKS[work][0]
    target = "/status"
    if server.gets and kind == "callback":
        kind, target = "poll", CALLBACK
    command = [CLIENT, server.address, str(server.port), "--work", kind, "--conns", str(conns),
               "--target", target, "--requests", str(requests), "--slices", str(SLICES),
               "--warm", str(max(conns, requests // 10)),
               "--pids", ",".join(map(str, server.pids()))]
    if server.fields:
        command += ["--fields", server.fields]
    if server.frames:
        command += ["--frames", server.frames]
    return net.start(net.callers, CLIENT_CPU, command, stdin=subprocess.PIPE,
                     stderr=subprocess.PIPE, text=True)


def listen(process):
    """What a client says next."""
    if not select.select([process.stdout], [], [], SAY_S)[0]:
        process.kill()
        raise Failed(f"the client says nothing for {SAY_S} s")
    line = process.stdout.readline()
    if not line:
        raise Failed(process.stderr.read().strip())
    return line


class Failed(Exception):
    """A server, or its client, in a round."""


class Round:
    """One work, by all servers: their clients take turns in short slices, since a machine's speed
    comes and goes."""

    def __init__(self, net, servers, work, requests):
        self.net, self.servers, self.work = net, servers, work
        self.requests = requests or WORKS[work][1]
        self.clients = {}

    def each(self, names, do):
        """Does it for each, and leaves out another's server for which it fails."""
        for name in names:
            try:
                do(name)
            except Failed as failed:
                if self.servers[name].ours:
                    raise RuntimeError(f"{name}, {self.work}: {failed}") from failed
                print(f"\nskip {name}: {self.work}: {failed}", file=sys.stderr)
                self.servers.pop(name).stop()
                self.end(self.clients.pop(name))

    def begin(self, name):
        self.clients[name] = client(self.net, self.servers[name], self.work, self.requests)
        listen(self.clients[name])

    def slice(self, name):
        self.clients[name].stdin.write("\n")
        self.clients[name].stdin.flush()
        self.last[name] = listen(self.clients[name])

    def run(self, names, first):
        """Returns what each of them found."""
        self.last = {}
        try:
            self.each(names, self.begin)
            for n in range(first, first + SLICES):
                names = list(self.clients)
                turn = n % max(1, len(names))
                self.each(names[turn:] + names[:turn], self.slice)
        finally:
            for process in self.clients.values():
                self.end(process)
        found = {name: json.loads(self.last[name]) for name in self.clients}
        for a_round in found.values():
            a_round["rate"] = a_round["replies"] / a_round["seconds"]
        return found

    @staticmethod
    def end(process):
        process.kill()
        process.communicate()


def measure(net, servers, works, rounds, requests):
    """Returns [work][server]: what each round found. Another's server that fails is left out."""
    found = {work: {name: [] for name in servers} for work in works}
    for n in range(rounds):
        for work in works:
            names = [name for name in servers if work in ALL or work in servers[name].works]
            for name, a_round in Round(net, servers, work, requests).run(names, n).items():
                found[work][name].append(a_round)
        print(f"\rround {n + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {work: {name: by_name[name] for name in by_name if name in servers}
            for work, by_name in found.items()}


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
    lines = []
    for name, base in found.get("16", {}).items():
        if works[1:] and all(found[work].get(name) for work in works):
            ratios = (statistics.median(a["cpu_us"] / b["cpu_us"]
                                        for a, b in zip(found[work][name], base)) for work in works)
            lines.append(f"  {label(name):<{WIDTH}}" + "".join(
                f"{work:>7}: {ratio:.2f}" for work, ratio in zip(works, ratios)))
    if lines:
        print("\nCPU time of a callback, to that with 16 connections", *lines, sep="\n")


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
    scaling(found)
    reached = goals.find(found)
    goals.show(reached)
    with open(options.json, "w") as file:
        json.dump({"machine": machine(), "options": vars(options), "works": found,
                   "goals": reached}, file, indent=1)


if __name__ == "__main__":
    main()

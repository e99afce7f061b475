"""What a measurement runs in: two network namespaces without a way out, gone at the end. Whoever
calls is in one, with loopback, TAP devices and an end of each veth pair; who serves on a pair's other
end is in the other one, so that no frame comes by another way than it would on a wire.
"""

import itertools
import os
import subprocess

# One connection for each callback uses up a port each time.
SETTINGS = ("net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1",
            "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Net:
    def __init__(self):
        self.callers, self.servers = (f"qb{os.getpid()}{end}" for end in "cs")
        self.numbers = itertools.count(1)

    def __enter__(self):
        try:
            for name in self.callers, self.servers:
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
                assert not ip("-n", name, "route", "show", "default")
                for setting in SETTINGS:
                    subprocess.run(self.inside(name, "sysctl", "-qw", setting), check=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.callers, self.servers:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    @staticmethod
    def inside(name, *command):
        return ["ip", "netns", "exec", name, *command]

    def tap(self):
        """A TAP device among the callers. Returns its name, and the address of who serves there."""
        n = next(self.numbers)
        ip("-n", self.callers, "tuntap", "add", "dev", f"qb{n}", "mode", "tap")
        return self.up(n)

    def wire(self):
        """A veth pair. Returns the callers' end, the servers' end, and the address of who serves."""
        n = next(self.numbers)
        ip("link", "add", f"qb{n}", "netns", self.callers, "type", "veth",
           "peer", "name", f"qs{n}", "netns", self.servers)
        ip("-n", self.servers, "link", "set", f"qs{n}", "up")
        name, address = self.up(n)
        return name, f"qs{n}", address

    def up(self, n):
        ip("-n", self.callers, "addr", "add", f"10.99.{n}.1/24", "dev", f"qb{n}")
        ip("-n", self.callers, "link", "set", f"qb{n}", "up")
        return f"qb{n}", f"10.99.{n}.2"

    def port(self):
        """One of loopback that nobody else has: below those that callers get."""
        return 200 + next(self.numbers)

    def start(self, namespace, cpu, command, first=True, **settings):
        """A program in a namespace, on one CPU, and `first` there: its own process, since each part
        of this execs."""
        return subprocess.Popen(
            self.inside(namespace, *command), stdout=subprocess.PIPE,
            preexec_fn=lambda: take_cpu(cpu, first), **{"stdin": subprocess.DEVNULL, **settings})


def take_cpu(cpu, first):
    """This process stays on the CPU, and comes before all others there, whatever else this machine
    does; where that is not permitted, it does not. One that waits for a thread of its own by spinning
    would wait for ever then: it only weighs more than others."""
    os.sched_setaffinity(0, {cpu})
    try:
        if first:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        else:
            os.setpriority(os.PRIO_PROCESS, 0, -20)
    except PermissionError:
        pass

"""Who is measured: each is started once, and stays until the end."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILT = f"{ROOT}/build/bench"
QUITRING = f"{BUILT}/quitring"
SERVER_CPU = 0
END_S = 10


class Missing(Exception):
    """A server that this machine has not got."""


class Server:
    """One that runs. `frames` is the interface of the callers whose frames are counted, or None."""

    polls = False  # whether it has a status document
    frames = None
    address = "127.0.0.1"

    def __init__(self, net):
        self.net = net
        self.port = net.port()
        self.process = None

    def start(self, command, namespace=None, **settings):
        self.process = self.net.start(
            namespace or self.net.callers, SERVER_CPU, command, **settings)

    def pids(self):
        """It and its children, which are there when it has answered once."""
        return [self.process.pid] + children(self.process.pid)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


class Quitring(Server):
    polls = True

    def __init__(self, net, program=QUITRING):
        super().__init__(net)
        self.program = program

    def run(self, *words, namespace=None):
        if not os.path.exists(self.program):
            raise Missing(f"{self.program} is not there")
        self.start([self.program, *words, "--quiet"], namespace)
        if not self.process.stdout.readline():  # it serves
            raise Missing(f"{self.program} {' '.join(words)} does not start")


class Tap(Quitring):
    def begin(self):
        self.frames, self.address = self.net.tap()
        self.port = 80
        self.run("--net", f"tap:{self.frames}", "--addr", f"{self.address}/24")


class Packet(Quitring):
    def begin(self):
        self.frames, card, self.address = self.net.wire()
        self.port = 80
        self.run("--net", f"packet:{card}", "--addr", f"{self.address}/24",
                 namespace=self.net.servers)


class User(Quitring):
    def begin(self):
        self.run("--net", "user", "--publish", f"127.0.0.1:{self.port}")


class Host(Quitring):
    def begin(self):
        self.run("--net", "host", "--publish", f"127.0.0.1:{self.port}")


class Epoll(Server):
    def begin(self):
        self.start([f"{BUILT}/epoll_server", str(self.port)])


# By the names that tables have.
SERVERS = {"tap": Tap, "packet": Packet, "user": User, "host": Host, "epoll": Epoll}


def make(net, name):
    """A server by name; of quitring's, name:PROGRAM is another program than the one built here."""
    kind, _, program = name.partition(":")
    return SERVERS[kind](net, program) if program else SERVERS[kind](net)

"""What the end-to-end tests stand on: servers that run, clients, and networks of their own.

QUITRING_BOARD says which board is tested (boards.py); for linux, QUITRING and QUITRING_ASAN say
which programs; what `make` builds, if not set. Nothing here sleeps for a fixed time, and whatever
is started is ended by its process ID.

A Linux program starts at once, so each test has its own. A board takes its time, so tests share
those that run, and count from where theirs began: server.seq0, server.counters(), server.events().
"""

import contextlib
import ctypes
import http.client
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

from boards import BOARD, ROOT, plain_environment

QUITRING = os.environ.get("QUITRING", str(ROOT / "build/linux/quitring"))
QUITRING_ASAN = os.environ.get("QUITRING_ASAN", str(ROOT / "build/asan/quitring"))

QUIT = "/callbackAfterQuitGroupCommand"
HANDLED = b'{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}'

TARGET_MAX = BOARD.limit("TARGET_MAX")
HEAD_MAX = BOARD.limit("HEAD_MAX")
CONTENT_MAX = BOARD.limit("CONTENT_MAX")
OPERATION_ID_MAX = BOARD.limit("OPERATION_ID_MAX")
ID_MAX = BOARD.limit("ID_MAX")
JSON_TOKENS_MAX = BOARD.limit("JSON_TOKENS_MAX")
LIMIT_MAX = BOARD.limit("STATUS_LIMIT_MAX")
RING_MAX = BOARD.limit("RING_MAX")
CONNS_MAX = BOARD.limit("CONNS_MAX")
STOP_TIMEOUT_S = BOARD.limit("STOP_TIMEOUT_MS") // 1000

CALLER_TIMEOUT_S = 5  # OpenIM's
# QEMU's user network has two short queues on a connection's way: its own, where a client of this
# machine waits 1, 3, 7 or 15 s before the next try, and the board's backlog, where it waits 6 or 18 s
# itself. Nothing of that is the board's: on a TAP device it has to keep to the caller's timeout.
USER_PATIENCE_S = 60

READY_S = 15 if BOARD.is_process else 90  # until what was started has told so
EXIT_S = 15  # until a program that was asked to stop has done so
CLIENT_S = 20  # until a client gives up

SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:")
LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<level>error|warn|info|debug) +(?P<text>\S.*)"
)


# A board's console after something that must not happen.
FAULT = re.compile(r"(?i)\b(fault|watchdog|assert\w*|Kernel panic|Oops|restarting)\b")
SERVING = re.compile(r"quitring \S+ is serving")
CONSOLE_LINES = 20  # told of it

# ---- network namespaces ----

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def inside(namespace):
    """This thread's new sockets, and programs it starts, belong to the namespace; None: to ours."""
    if namespace is None:
        yield
        return
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if LIBC.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if LIBC.setns(here, CLONE_NEWNET) != 0:
                os._exit(70)  # nothing may go on in a network that is not the one it believes
    finally:
        os.close(there)
        os.close(here)


def ip(*words):
    return subprocess.run(
        ["ip", *words], check=True, capture_output=True, text=True, timeout=CLIENT_S
    ).stdout


class Networks:
    """Makes namespaces without a way out, and what is in them. All of it is gone at the end."""

    numbers = itertools.count()

    def __init__(self):
        self.names = []

    def name(self):
        """For a namespace or an interface: at most 15 bytes."""
        return f"qr{os.getpid()}x{next(self.numbers)}"

    def namespace(self):
        name = self.name()
        ip("netns", "add", name)
        self.names.append(name)
        ip("-n", name, "link", "set", "lo", "up")
        assert ip("-n", name, "route", "show", "default") == ""
        return name

    def command(self, namespace, *words):
        return ip("-n", namespace, *words)

    def tap(self, namespace, *addresses):
        """A TAP device. Returns its name."""
        tap = self.name()
        ip("-n", namespace, "tuntap", "add", "dev", tap, "mode", "tap")
        self.up(namespace, tap, *addresses)
        return tap

    def bridge(self, namespace, *addresses):
        bridge = self.name()
        ip("-n", namespace, "link", "add", bridge, "type", "bridge")
        self.up(namespace, bridge, *addresses)
        return bridge

    def wire(self, namespace, other):
        """A pair of virtual Ethernet cards, an end in each. Returns their names."""
        one, two = self.name(), self.name()
        ip("link", "add", one, "netns", namespace, "type", "veth",
           "peer", "name", two, "netns", other)
        self.up(namespace, one)
        self.up(other, two)
        return one, two

    def up(self, namespace, interface, *addresses):
        for address in addresses:
            ip("-n", namespace, "address", "add", address, "dev", interface)
        ip("-n", namespace, "link", "set", interface, "up")

    def remove(self):
        for name in reversed(self.names):
            subprocess.run(["ip", "netns", "del", name], check=False, timeout=CLIENT_S)
        self.names.clear()


def why_no_networks():
    """What is missing for network namespaces; None: nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need ip (iproute2)"
    name = f"qr{os.getpid()}try"
    inside = ["ip", "netns", "exec", name, "ip"]
    tries = (
        ["ip", "netns", "add", name],
        [*inside, "link", "set", "lo", "up"],
        [*inside, "tuntap", "add", "dev", "try0", "mode", "tap"],
        [*inside, "link", "add", "try1", "type", "veth", "peer", "name", "try2"],
    )
    try:
        for words in tries:
            made = subprocess.run(
                words, capture_output=True, text=True, check=False, timeout=CLIENT_S
            )
            if made.returncode != 0:
                return f"network namespaces: {' '.join(words)}: {made.stderr.strip()}"
    finally:
        subprocess.run(
            ["ip", "netns", "del", name], capture_output=True, check=False, timeout=CLIENT_S
        )
    return None


@pytest.fixture(scope="session")
def networks_allowed():
    return why_no_networks()


@pytest.fixture
def networks_made():
    """Goes after the programs of `start`, whoever asks first."""
    made = Networks()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def networks(networks_allowed, networks_made):
    if networks_allowed is not None:
        pytest.skip(networks_allowed)
    return networks_made


# ---- clients ----


class Reply:
    def __init__(self, version, status, headers, body):
        self.version = version
        self.status = status
        self.headers = headers  # names in lower case
        self.body = body

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    @property
    def closes(self):
        return self.headers.get("connection") == "close"


FIVE_FIELDS = {
    "actionCode": int,
    "errCode": int,
    "errMsg": str,
    "errDlt": str,
    "nextCode": int,
}


def assert_handled(reply):
    assert (reply.status, reply.body) == (200, HANDLED)
    assert reply.headers["content-type"] == "application/json"


def assert_refused(reply, status, code, place):
    """The status, and the five fields that say what is wrong, and where."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/json"
    said = reply.json()
    assert {name: type(value) for name, value in said.items()} == FIVE_FIELDS
    assert (said["actionCode"], said["nextCode"]) == (1, 0)
    assert said["errCode"] == code and 5000 <= code <= 9999
    assert said["errMsg"] != ""
    assert said["errDlt"] == place


def read_line(file):
    line = file.readline(65536)
    if line == b"":
        raise EOFError("the connection is closed")
    assert line.endswith(b"\r\n"), line
    return line[:-2]


def read_exactly(file, size):
    data = file.read(size)
    if len(data) != size:
        raise EOFError(f"the connection is closed after {len(data)} of {size} bytes")
    return data


def read_chunks(file):
    body = bytearray()
    while True:
        size = int(read_line(file), 16)
        if size == 0:
            assert read_line(file) == b""
            return bytes(body)
        body += read_exactly(file, size)
        assert read_line(file) == b""


def read_reply(file, head_only=False, begun=b""):
    """The next reply, framed as it says and not a byte more, so that pipelines can be read."""
    version, status, _ = (begun + read_line(file)).split(b" ", 2)
    headers = {}
    while line := read_line(file):
        name, value = line.split(b":", 1)
        assert name.lower() not in headers, line
        headers[name.lower().decode("ascii")] = value.strip().decode("ascii")
    status = int(status)
    if head_only or status < 200:
        body = b""
    elif headers.get("transfer-encoding") == "chunked":
        assert "content-length" not in headers
        body = read_chunks(file)
    elif "content-length" in headers:
        body = read_exactly(file, int(headers["content-length"]))
    else:
        body = file.read()
    return Reply(version.decode("ascii"), status, headers, body)


class Connection(http.client.HTTPConnection):
    """Python's own client, connecting where the server is."""

    def __init__(self, server):
        super().__init__(server.host, server.port, timeout=CLIENT_S)
        self.server = server

    def connect(self):
        self.sock = self.server.connect()

    def ask(self, method, target, body=None, headers=()):
        self.request(method, target, body=body, headers=dict(headers))
        return self.answer()

    def answer(self):
        response = self.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        version = {10: "HTTP/1.0", 11: "HTTP/1.1"}[response.version]
        return Reply(version, response.status, headers, response.read())


class Raw:
    """A bare TCP connection."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data)

    def finish(self):
        self.sock.shutdown(socket.SHUT_WR)

    def wait(self):
        """Until a reply begins."""
        assert self.sock.recv(1, socket.MSG_PEEK) != b""

    def reply(self, head_only=False, begun=b""):
        """begun: bytes of it that were read already."""
        return read_reply(self.file, head_only, begun)

    def at_end(self):
        """Waits for what the server does next. Whether it has closed."""
        return self.file.read(1) == b""

    def reset_on_close(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def quit_body(group, user, **more):
    """As OpenIM's encoder writes it: a line feed behind it, and no blanks inside."""
    fields = {"callbackCommand": QUIT[1:], "groupID": group, "userID": user, **more}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def quit_request(group, user, *fields, target=QUIT):
    """All of a callback's bytes."""
    body = quit_body(group, user)
    lines = [
        f"POST {target} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {len(body)}",
        *fields,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# ---- servers ----


class Program:
    """A process with its standard output and error. The latter goes to a file, so that it never
    waits for a reader; a console is both, in one."""

    def __init__(self, command, namespace=None, console=False, **environment):
        prefix = [] if namespace is None else ["ip", "netns", "exec", namespace]
        self.log = tempfile.TemporaryFile()
        self.seen = b""  # of stdout
        self.process = subprocess.Popen(
            prefix + [str(word) for word in command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self.log if console else subprocess.PIPE,
            stderr=self.log,
            env=plain_environment(**environment),
        )

    def output(self, lines):
        """Waits for that many lines of standard output; fewer where it ended first."""
        deadline = time.monotonic() + READY_S
        fd = self.process.stdout.fileno()
        while self.seen.count(b"\n") < lines:
            left = deadline - time.monotonic()
            assert left > 0, f"said only {self.seen!r} in {READY_S} s; {self.errors()}"
            if select.select([fd], [], [], left)[0]:
                data = os.read(fd, 65536)
                if data == b"":
                    break
                self.seen += data
        return self.seen.decode("utf-8").splitlines()

    def errors(self):
        """All of stderr, or of the console, so far."""
        self.log.flush()
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode("utf-8", errors="replace")

    def until(self, text):
        """Waits until it has written that to standard error."""
        deadline = time.monotonic() + READY_S
        while text not in self.errors():
            assert self.process.poll() is None, self.errors()
            assert time.monotonic() < deadline, self.errors()
            time.sleep(0.005)

    def wait(self, timeout=EXIT_S):
        return self.process.wait(timeout)

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """Whatever has happened, it is gone afterwards."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.log.close()


# Counters that are not sums.
GAUGES = ("connectionsOpen", "connectionsOpenMost")


class Server(Program):
    """A quitring that is serving, and who talks to it from where its clients are."""

    def __init__(self, arguments, binary=QUITRING, namespace=None, clients=None, **environment):
        super().__init__([binary, *arguments], namespace, **environment)
        self.begin(arguments, namespace, clients)

    def begin(self, arguments, namespace, clients):
        self.arguments = arguments
        self.namespace = namespace
        self.clients = namespace if clients is None else clients
        self.interface = None  # a board's TAP device
        self.stopped = False
        self.host, self.port = None, None
        self.seq0 = 0  # the newest event before the test
        self.counters0 = {}  # the counters before the test

    def ready(self):
        """Waits for the address that it tells; None where it ended instead."""
        lines = self.output(2)
        if len(lines) < 2:
            return None
        found = re.fullmatch(r"open http://([0-9.]+)(?::(\d+))?/", lines[0])
        assert found, lines
        self.host, self.port = found[1], int(found[2] or 80)
        return self

    @property
    def base(self):
        return f"http://{self.host}:{self.port}"

    @property
    def patience_s(self):
        """A caller's, while more connect than there are slots."""
        return CALLER_TIMEOUT_S

    def socket(self):
        with inside(self.clients):
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    def connect(self, receive_bytes=None):
        sock = self.socket()
        try:
            if receive_bytes is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            sock.settimeout(CLIENT_S)
            sock.connect((self.host, self.port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return sock

    def begin_connect(self):
        """A connection under way, which may wait until the server takes it."""
        sock = self.socket()
        sock.setblocking(False)
        sock.connect_ex((self.host, self.port))
        return sock

    def raw(self, **how):
        return Raw(self.connect(**how))

    def connection(self):
        return contextlib.closing(Connection(self))

    def ask(self, method, target, body=None, headers=()):
        with self.connection() as connection:
            return connection.ask(method, target, body, headers)

    def exchange(self, data, head_only=False):
        """One connection: these bytes, the reply to them."""
        with self.raw() as raw:
            raw.send(data)
            return raw.reply(head_only)

    def quit(self, group, user, **headers):
        return self.ask("POST", QUIT, quit_body(group, user), headers)

    def status(self, query=""):
        reply = self.ask("GET", f"/status{query}")
        assert reply.status == 200, reply.body
        return reply.json()

    def events(self):
        """All that were stored since the test began."""
        document = self.status(f"?since={self.seq0}&limit={LIMIT_MAX}")
        assert document["missed"] == 0
        return document["events"]

    def counters(self):
        """How far they have gone since the test began."""
        return difference(self.status("?limit=1")["counters"], self.counters0)

    def mark(self):
        """A test begins."""
        document = self.status("?limit=1")
        self.seq0 = document["ring"]["lastSeq"]
        self.counters0 = document["counters"]

    def curl(self, *arguments):
        """Standard output of curl, which must succeed."""
        prefix = [] if self.clients is None else ["ip", "netns", "exec", self.clients]
        words = ["curl", "--silent", "--show-error", "--max-time", str(CLIENT_S), *arguments]
        run = subprocess.run(
            prefix + words, capture_output=True, timeout=2 * CLIENT_S, check=False
        )
        assert run.returncode == 0, run.stderr.decode(errors="replace")
        return run.stdout

    def stop(self, number=signal.SIGTERM, timeout=EXIT_S):
        """Asks it to stop. It must end as it promises, without a sanitizer's report."""
        if self.stopped:
            return
        self.stopped = True
        self.signal(number)
        try:
            status = self.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"did not stop within {timeout} s; {self.errors()}")
        assert status == 0, f"ended with status {status}; {self.errors()}"
        assert not SANITIZER.search(self.errors()), self.errors()


def difference(after, before):
    """Of counters, also of those by name: there, those that stand still are left out."""
    found = {}
    for name, value in after.items():
        was = before.get(name)
        if isinstance(value, dict):
            found[name] = {k: v for k, v in difference(value, was or {}).items() if v}
        else:
            found[name] = value if name in GAUGES else value - (was or 0)
    return found


def accept_queue(host, port):
    """Connections to a listener here that it has not accepted yet."""
    address = socket.inet_aton(host)[::-1].hex().upper()
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            _, local, _, state, queues, *_ = line.split()
            if local == f"{address}:{port:04X}" and state == "0A":  # listens
                return int(queues.split(":")[1], 16)
    return 0


class Machine(Server):
    """A board, or the program of another processor, as `make run` starts it."""

    def __init__(self, arguments, publish, net, namespace=None, tap=None, without=""):
        netdev = f"tap,ifname={tap},script=no,downscript=no" if tap else ""
        command, environment = BOARD.command(arguments, publish, netdev, without)
        Program.__init__(self, command, namespace, console=True, **environment)
        self.begin(arguments, namespace, None)
        self.interface = tap
        self.net = net
        self.publish = publish

    def ready(self):
        """Waits for the address that it tells; None where it ended instead."""
        deadline = time.monotonic() + READY_S
        while (found := re.search(r"open http://([0-9.]+)(?::(\d+))?/(?=\s)", self.errors())) is None:
            if self.process.poll() is not None:
                return None
            assert time.monotonic() < deadline, f"does not serve: {self.last_lines()}"
            time.sleep(0.01)
        self.host, self.port = found[1], int(found[2] or 80)
        if self.net == "user":
            self.host, self.port = self.publish.split(":")
            self.port = int(self.port)
        return self

    @property
    def patience_s(self):
        return USER_PATIENCE_S if self.net == "user" else CALLER_TIMEOUT_S

    def mark(self):
        """Waits, too, until it has noticed that the connections of earlier tests are gone."""
        deadline = time.monotonic() + READY_S
        with self.connection() as connection:
            while True:
                counters = connection.ask("GET", "/status?limit=1").json()["counters"]
                if counters["connectionsOpen"] == 1:
                    break
                assert time.monotonic() < deadline, counters
                time.sleep(0.02)
        super().mark()

    def connect(self, **how):
        sock = super().connect(**how)
        self.until_taken()
        return sock

    def begin_connect(self):
        sock = super().begin_connect()
        self.until_taken()
        return sock

    def until_taken(self):
        """QEMU has a queue for one new connection to the port that it forwards. The next would have
        to be sent again, after a second: waits until the queue is empty."""
        deadline = time.monotonic() + CLIENT_S
        while self.net == "user" and accept_queue(self.host, self.port) > 0:
            assert time.monotonic() < deadline, "QEMU takes no connection"
            time.sleep(0.001)

    def trouble(self):
        """What has gone wrong with it by itself; None: nothing."""
        if self.stopped:
            return None
        console = self.errors()
        if self.process.poll() is not None:
            return f"the board ended by itself, status {self.process.returncode}"
        if found := FAULT.search(console):
            return f"the board's console says {found[0]}"
        return "the board has restarted" if len(SERVING.findall(console)) > 1 else None

    def stop(self, number=signal.SIGTERM, timeout=EXIT_S):
        trouble = None if self.stopped else self.trouble()
        assert trouble is None, f"{trouble}; {self.last_lines()}"
        super().stop(number, timeout)

    def last_lines(self):
        return "\n".join(["the console's last lines:", *self.errors().splitlines()[-CONSOLE_LINES:]])


def free_port():
    """A TCP port of 127.0.0.1 that nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ring_of(size):
    """The setting for a ring of that many bytes: none where the board's own is as large, so that
    fewer boards have to start."""
    return [] if size == BOARD.limit("RING_DEFAULT") else ["--ring", size]


def need_program(path, how):
    if not os.access(path, os.X_OK):
        pytest.skip(f"{path} is not there: {how}")


class Starter:
    """Starts programs, and ends them all."""

    def __init__(self, networks, shared=None):
        self.networks = networks  # to be called for them
        self.shared = shared  # boards that run; None: each server is new
        self.programs = []

    def program(self, command, **how):
        program = Program(command, **how)
        self.programs.append(program)
        return program

    def quitring(self, *arguments, binary=QUITRING, **how):
        """One that may not come to serve."""
        need_program(binary, "make" if binary == QUITRING else "make build-asan")
        return self.keep(Server(arguments, binary, **how))

    def keep(self, server):
        self.programs.append(server)
        return server

    def serve(self, *arguments, **how):
        server = self.quitring(*arguments, **how)
        assert server.ready() is not None, server.errors()
        return server

    def publish(self, net, *arguments, **how):
        """A server on a free port of 127.0.0.1. Another program may take the port first."""
        for _ in range(5):
            where = f"127.0.0.1:{free_port()}"
            if BOARD.is_process:
                server = self.quitring("--net", net, "--publish", where, *arguments, **how)
            else:
                server = self.keep(Machine(arguments, where, net))
            if server.ready() is not None:
                return server
            server.wait()
            server.stopped = True
            if not re.search("in use|Could not set up host forwarding", server.errors()):
                break
        pytest.fail(server.errors())

    def on(self, net, *arguments, **how):
        """A server on any network. With tap and packet it is 10.77.0.2, and its clients 10.77.0.1:
        where the TAP device is, or at the other end of a wire. A board may have run before."""
        if self.shared is not None:
            return self.shared.on(net, *arguments)  # how: of Linux programs only
        return self.new(net, *arguments, **how)

    def new(self, net, *arguments, **how):
        """As on(), and nobody has talked to it before."""
        if net in ("user", "host"):
            return self.publish(net, *arguments, **how)
        networks = self.networks()
        space = networks.namespace()
        if net == "tap":
            interface, clients = networks.tap(space, "10.77.0.1/24"), space
        else:
            clients = networks.namespace()
            interface, far = networks.wire(space, clients)
            networks.up(clients, far, "10.77.0.1/24")
        if BOARD.is_machine:
            return self.on_tap(space, interface, "--addr", "10.77.0.2/24", *arguments)
        where = ["--net", f"{net}:{interface}", "--addr", "10.77.0.2/24"]
        return self.serve(*where, *arguments, namespace=space, clients=clients, **how)

    def on_tap(self, namespace, tap, *arguments):
        """A board on a TAP device that exists. It asks DHCP for its address where --addr is not
        among its settings."""
        server = self.keep(Machine(arguments, "", "tap", namespace, tap))
        assert server.ready() is not None, server.errors()
        return server

    def end(self):
        """Those that have served are asked to stop, and must do so well."""
        try:
            for program in self.programs:
                if isinstance(program, Server) and program.host is not None:
                    program.stop()
        finally:
            for program in self.programs:
                program.end()


class Shared:
    """Boards that run, for one test after another: by network and settings."""

    MOST = 4  # at once, since each takes memory

    def __init__(self, starter):
        self.starter = starter
        self.servers = {}
        self.used = []  # by this test

    def on(self, net, *arguments):
        key = (net, *arguments)
        if key not in self.servers:
            while len(self.servers) >= self.MOST:
                self.give_up(next(iter(self.servers)))
            self.servers[key] = self.starter.new(net, *arguments)
        server = self.servers[key]
        self.used.append(server)
        server.mark()
        return server

    def give_up(self, key):
        server = self.servers.pop(key)
        server.stop()

    def troubles(self):
        """What has happened to any of them, and forgets those: the next test gets a new one."""
        told = []
        for key, server in list(self.servers.items()):
            trouble = server.trouble()
            if trouble is not None:
                told.append(f"{trouble}; {server.last_lines()}")
                server.stopped = True
            if server.stopped:
                del self.servers[key]
        return told


@pytest.fixture(scope="session")
def shared_boards(networks_allowed):
    """None for a Linux program."""
    if BOARD.is_process:
        yield None
        return
    networks = Networks()

    def allowed():
        if networks_allowed is not None:
            pytest.skip(networks_allowed)
        return networks

    starter = Starter(allowed)
    try:
        yield Shared(starter)
    finally:
        starter.end()
        networks.remove()


@pytest.fixture
def start(request, networks_made, shared_boards):
    """Starts programs for one test."""
    starter = Starter(lambda: request.getfixturevalue("networks"), shared_boards)
    try:
        yield starter
    finally:
        starter.end()


@pytest.fixture(params=["user", "host", "asan"])
def server(request, start):
    """A server without settings. With asan, user with sanitizers."""
    if request.param == "asan":
        return start.publish("user", binary=QUITRING_ASAN)
    return start.on(request.param)


@pytest.fixture(autouse=True)
def no_trouble(shared_boards):
    """A board that ended, restarted or reported a fault fails the test that ran."""
    if shared_boards is not None:
        shared_boards.used = []
    yield
    if shared_boards is not None:
        troubles = shared_boards.troubles()
        assert not troubles, "\n".join(troubles)


# ---- which tests are a board's ----


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "not_on_images: takes a boot or long; the Linux program is the same code"
    )
    config.addinivalue_line(
        "markers", "not_on_boards: is about the Linux program, or about none that runs"
    )


def is_ours(item):
    """Whether the board has what the test, with these parameters, is about."""
    if BOARD.is_process:
        return True
    given = item.callspec.params if hasattr(item, "callspec") else {}
    net = given.get("net", given.get("server", given.get("board", BOARD.usual_net)))
    sanitized = given.get("binary") in ("asan", QUITRING_ASAN)
    if net not in BOARD.nets or sanitized or item.get_closest_marker("not_on_boards"):
        return False
    return not (BOARD.is_image and item.get_closest_marker("not_on_images"))


def pytest_collection_modifyitems(config, items):
    others = [item for item in items if not is_ours(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if is_ours(item)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A test that fails shows what the boards said last."""
    report = (yield).get_result()
    starter = item.funcargs.get("start") if hasattr(item, "funcargs") else None
    shared = item.funcargs.get("shared_boards") if hasattr(item, "funcargs") else None
    if report.failed and report.when == "call":
        machines = list(shared.used) if shared else []
        machines += [p for p in starter.programs if isinstance(p, Machine)] if starter else []
        report.sections += [("board", machine.last_lines()) for machine in machines]


# ---- a caller written in Go ----

GO_BUILD_S = 300


@pytest.fixture(scope="session")
def openim():
    """The path of the client in openim/."""
    if shutil.which("go") is None:
        pytest.skip("go is not there: apt-get install golang-go")
    return build_openim()


def build_openim():
    """It is built without a network and outside of the sources."""
    build = ROOT / "build/test"
    build.mkdir(parents=True, exist_ok=True)
    client = build / "openim"
    environment = plain_environment(
        CGO_ENABLED="0",
        GO111MODULE="on",
        GOCACHE=str(build / "go-cache"),
        GOFLAGS="-mod=mod -buildvcs=false",
        GOPATH=str(build / "go-path"),
        GOPROXY="off",
        GOTOOLCHAIN="local",
    )
    run = subprocess.run(
        ["go", "build", "-o", str(client), "."],
        cwd=ROOT / "tests/e2e/openim",
        env=environment,
        capture_output=True,
        text=True,
        timeout=GO_BUILD_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return client

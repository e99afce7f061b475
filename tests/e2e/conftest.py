"""What the end-to-end tests stand on: servers that run, clients, and networks of their own.

QUITRING and QUITRING_ASAN say which programs are tested; what `make` builds, if not set. Nothing
here sleeps for a fixed time, and whatever is started is ended by its process ID.
"""

import contextlib
import ctypes
import http.client
import itertools
import json
import os
import pathlib
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

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUITRING = os.environ.get("QUITRING", str(ROOT / "build/linux/quitring"))
QUITRING_ASAN = os.environ.get("QUITRING_ASAN", str(ROOT / "build/asan/quitring"))

QUIT = "/callbackAfterQuitGroupCommand"
HANDLED = b'{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}'

# src/limits.h
TARGET_MAX = 2048
HEAD_MAX = 8192
CONTENT_MAX = 4096
OPERATION_ID_MAX = 127
ID_MAX = 255
LIMIT_MAX = 65535
STOP_TIMEOUT_S = 2

# boards/linux/board.mk
CONNS_MAX = 64

CALLER_TIMEOUT_S = 5  # OpenIM's

READY_S = 15  # until a program that was started has told so
EXIT_S = 15  # until a program that was asked to stop has done so
CLIENT_S = 20  # until a client gives up

SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:")
LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<level>error|warn|info|debug) +(?P<text>\S.*)"
)


def plain_environment(**extra):
    """The environment without settings of quitring, but those that are given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("QUITRING")}
    return dict(kept, **extra)


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

    def __init__(self):
        self.names = []
        self.numbers = itertools.count()

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
    """A process with its standard output and error. stderr goes to a file, so that it never waits
    for a reader."""

    def __init__(self, command, namespace=None, **environment):
        prefix = [] if namespace is None else ["ip", "netns", "exec", namespace]
        self.log = tempfile.TemporaryFile()
        self.seen = b""  # of stdout
        self.process = subprocess.Popen(
            prefix + [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
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
        """All of stderr so far."""
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
        self.process.stdout.close()
        self.log.close()


class Server(Program):
    """A quitring that is serving, and who talks to it from where its clients are."""

    def __init__(self, arguments, binary=QUITRING, namespace=None, clients=None, **environment):
        super().__init__([binary, *arguments], namespace, **environment)
        self.arguments = arguments
        self.namespace = namespace
        self.clients = namespace if clients is None else clients
        self.stopped = False
        self.host, self.port = None, None

    def ready(self):
        """Waits for the address that it tells; None where it ended instead."""
        lines = self.output(2)
        if len(lines) < 2:
            return None
        found = re.fullmatch(r"open http://([0-9.]+)(?::(\d+))?/status", lines[0])
        assert found, lines
        self.host, self.port = found[1], int(found[2] or 80)
        return self

    @property
    def base(self):
        return f"http://{self.host}:{self.port}"

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

    def counters(self):
        return self.status("?limit=1")["counters"]

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


def free_port():
    """A TCP port of 127.0.0.1 that nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def need_program(path, how):
    if not os.access(path, os.X_OK):
        pytest.skip(f"{path} is not there: {how}")


class Starter:
    """Starts programs, and ends them all."""

    def __init__(self, request):
        self.request = request
        self.programs = []

    def program(self, command, **how):
        program = Program(command, **how)
        self.programs.append(program)
        return program

    def quitring(self, *arguments, binary=QUITRING, **how):
        """One that may not come to serve."""
        need_program(binary, "make" if binary == QUITRING else "make build-asan")
        server = Server(arguments, binary, **how)
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
            server = self.quitring("--net", net, "--publish", where, *arguments, **how)
            if server.ready() is not None:
                return server
            server.wait()
            server.stopped = True
            if "in use" not in server.errors():
                break
        pytest.fail(server.errors())

    def on(self, net, *arguments, **how):
        """A server on any network: user, host, tap, packet. The last two are 10.77.0.2, and their
        clients 10.77.0.1: where the TAP device is, or at the other end of a wire."""
        if net in ("user", "host"):
            return self.publish(net, *arguments, **how)
        networks = self.request.getfixturevalue("networks")
        space = networks.namespace()
        if net == "tap":
            interface, clients = networks.tap(space, "10.77.0.1/24"), space
        else:
            clients = networks.namespace()
            interface, far = networks.wire(space, clients)
            networks.up(clients, far, "10.77.0.1/24")
        where = ["--net", f"{net}:{interface}", "--addr", "10.77.0.2/24"]
        return self.serve(*where, *arguments, namespace=space, clients=clients, **how)

    def end(self):
        """Those that have served are asked to stop, and must do so well."""
        try:
            for program in self.programs:
                if isinstance(program, Server) and program.host is not None:
                    program.stop()
        finally:
            for program in self.programs:
                program.end()


@pytest.fixture
def start(request, networks_made):
    """Starts programs for one test."""
    starter = Starter(request)
    try:
        yield starter
    finally:
        starter.end()


@pytest.fixture(params=["user", "host", "asan"])
def server(request, start):
    """With asan, user with sanitizers."""
    if request.param == "asan":
        return start.publish("user", binary=QUITRING_ASAN)
    return start.publish(request.param)


# ---- a caller written in Go ----

GO_BUILD_S = 300


@pytest.fixture(scope="session")
def openim():
    """The path of the client in openim/, built without a network and outside of the sources."""
    if shutil.which("go") is None:
        pytest.skip("go is not there: apt-get install golang-go")
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

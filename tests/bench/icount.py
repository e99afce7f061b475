"""Instructions that a bare board needs for a request, all included: driver, lwIP, server.

    icount.py BOARD [REQUESTS]

QEMU counts: with -icount shift=5 an instruction takes 32 ns of the board's time, so its 25 MHz timer
ticks once in 1.25 instructions. What was slept of them does not count. So the figures do not depend
on what this machine does meanwhile, but for lwIP's timers that fall into the time.

The stack's peak is that of this work; tests/e2e/test_mps2_stack.py looks for more.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{ROOT}/tests/e2e")

from gdb import debugger, stack_peak, symbols  # noqa: E402

TICK_INSTRUCTIONS = 1.25
TIMER0 = 0x40000004  # its value; counts down
WARM_UP = 20
ROUNDS = 4  # of which the least counts: acknowledgements that come apart from requests cost
START_S = 30

BODY = (
    b'{"callbackCommand":"callbackAfterQuitGroupCommand","groupID":"G001","userID":"user123"}\n'
)
CALLBACK = (
    b"POST /callbackAfterQuitGroupCommand?contenttype=json HTTP/1.1\r\n"
    b"Host: 192.168.1.50:80\r\nUser-Agent: Go-http-client/1.1\r\n"
    b"Content-Length: %d\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Operationid: 1732380000123456789\r\nAccept-Encoding: gzip\r\n\r\n" % len(BODY)
) + BODY
GET = b"GET %s HTTP/1.1\r\nHost: 192.168.1.50:80\r\n\r\n"

# name, request, the reply's end
WORK = (
    ("a callback", CALLBACK, b'"nextCode":0}'),
    ("a poll with nothing new", GET % b"/status?since=%d", b"\r\n0\r\n\r\n"),
    ("a poll of 100 events", GET % b"/status", b"\r\n0\r\n\r\n"),
)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def connect(port):
    """When the board answers: until then the port is not there, or resets."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(START_S)
        try:
            sock.connect(("127.0.0.1", port))
            exchange(sock, GET % b"/healthz", b"ok\n")
            return sock
        except OSError:
            sock.close()
            time.sleep(0.05)
    sys.exit(f"bench: no answer within {START_S} s")


def exchange(sock, request, end):
    sock.sendall(request)
    reply = b""
    while not reply.endswith(end):
        data = sock.recv(65536)
        if data == b"":
            raise OSError("the board closed the connection")
        reply += data
    if not reply.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"bench: the board refuses: {reply!r}")


def slept_address(program):
    return next(at for name, at in symbols(program).items() if "qr_clock_slept_ticks" in name)


class Counter:
    """Reads the board's clocks while it stands still."""

    def __init__(self, gdb, slept):
        self.gdb, self.slept = gdb, slept

    def ticks_awake(self):
        with debugger(self.gdb) as stopped:
            timer = int.from_bytes(stopped.read(TIMER0, 4), "little")
            slept = int.from_bytes(stopped.read(self.slept, 4), "little")
        return -timer - slept

    def instructions(self, work):
        before = self.ticks_awake()
        work()
        return (self.ticks_awake() - before) % 2**32 * TICK_INSTRUCTIONS


@contextlib.contextmanager
def running(board, port, gdb):
    """The board in QEMU, which counts."""
    process = subprocess.Popen(
        ["boards/mps2/run", board, "-icount", "shift=5", "-gdb", f"unix:{gdb},server=on,wait=off"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=dict(os.environ, PUBLISH=f"127.0.0.1:{port}", SETTINGS=""),
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def figures(board, requests, told=lambda peak: None):
    """Instructions for each of WORK; tells of the stack besides."""
    program, port, found = f"build/{board}/quitring", free_port(), []
    with tempfile.TemporaryDirectory() as folder, running(board, port, f"{folder}/gdb"):
        sock = connect(port)
        counter = Counter(f"{folder}/gdb", slept_address(program))
        sent = 0
        for _, request, end in WORK:
            n = max(requests // 20, 1) if request is not CALLBACK else requests
            filled = request.replace(b"%d", b"%d" % sent)
            for _ in range(WARM_UP):
                exchange(sock, filled, end)
            work = lambda: [exchange(sock, filled, end) for _ in range(n)]  # noqa: E731
            found.append(min(counter.instructions(work) for _ in range(ROUNDS)) / n)
            sent += ROUNDS * n + WARM_UP if request is CALLBACK else 0
        with debugger(f"{folder}/gdb") as stopped:
            told(stack_peak(stopped, program))
    return found


def main():
    os.chdir(ROOT)
    board, stacks = sys.argv[1], []
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    for (name, _, _), n in zip(WORK, figures(board, requests, stacks.append)):
        print(f"{board}: {n:8.0f} instructions for {name}")
    used, size = stacks[0]
    print(f"{board}: stack: {used} of {size} bytes at most so far")


if __name__ == "__main__":
    main()

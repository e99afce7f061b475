"""What a callback's reply takes while others read: idle, beside slow readers of the whole ring, and
beside as many event streams as there may be. On the kernel's sockets of this machine, in turn, so
that what the machine does meanwhile weighs on each alike; the ratio is the result.

    readers.py [PROGRAM]
"""

import contextlib
import os
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
READERS = 16
STREAMS = 21  # QR_WAITERS_MAX of the Linux board
ROUNDS = 9
CALLBACKS = 400  # a round
FILL = 12000  # events, about what the default ring holds

BODY = b'{"callbackCommand":"callbackAfterQuitGroupCommand","groupID":"%s","userID":"user123"}\n'


def callback(group):
    body = BODY % group
    return (
        b"POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: q\r\nContent-Length: %d\r\n"
        b"Content-Type: application/json; charset=utf-8\r\nOperationid: 1732380000123456789\r\n\r\n"
        % len(body) + body
    )


def exchange(sock, request):
    sock.sendall(request)
    reply = b""
    while not reply.endswith(b'"nextCode":0}'):
        data = sock.recv(4096)
        if not data:
            sys.exit("bench: the server closed the connection")
        reply += data


def connect(port, receive_bytes=None):
    sock = socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


@contextlib.contextmanager
def readers(port, request, n, bytes_a_turn, pause_s):
    """n connections whose replies are read in small portions, and asked for again when they end."""
    stop = threading.Event()
    poll = selectors.DefaultSelector()
    socks = [connect(port, 4096) for _ in range(n)]
    for sock in socks:
        sock.sendall(request)
        sock.setblocking(False)
        poll.register(sock, selectors.EVENT_READ, bytearray())

    def read():
        while not stop.wait(pause_s):
            for key, _ in poll.select(0):
                tail = key.data
                tail += key.fileobj.recv(bytes_a_turn)
                if tail.endswith(b"0\r\n\r\n"):
                    key.fileobj.sendall(request)
                del tail[:-5]

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for sock in socks:
            sock.close()


def round_us(sock, request):
    times = []
    for _ in range(CALLBACKS):
        begin = time.perf_counter()
        exchange(sock, request)
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e6


def measure(port):
    whole = b"GET /status?since=0&limit=65535 HTTP/1.1\r\nHost: q\r\n\r\n"
    stream = b"GET /events HTTP/1.1\r\nHost: q\r\n\r\n"
    request = callback(b"G001")
    kinds = {
        "idle": contextlib.nullcontext,
        f"{READERS} slow readers of the whole ring": lambda: readers(port, whole, READERS, 2048, 0.001),
        f"{STREAMS} event streams": lambda: readers(port, stream, STREAMS, 65536, 0.001),
    }
    with contextlib.closing(connect(port)) as sock:
        for _ in range(FILL):
            exchange(sock, request)
        found = {name: [] for name in kinds}
        for _ in range(ROUNDS):
            for name, beside in kinds.items():
                with beside():
                    time.sleep(0.05)  # until they are under way
                    found[name].append(round_us(sock, request))
    idle = found["idle"]
    for name, times in found.items():
        ratio = statistics.median(t / i for t, i in zip(times, idle))
        print(f"linux: {statistics.median(times):6.0f} us for a callback, {name}: {ratio:.2f} of idle")


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else f"{ROOT}/build/linux/quitring"
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    process = subprocess.Popen(
        [program, "--net", "host", "--publish", f"127.0.0.1:{port}", "--quiet"],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        process.stdout.readline()  # it serves
        # Apart, as on two machines: whether both are on one processor makes more difference than readers.
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, {cpus[0]})
        os.sched_setaffinity(0, {cpus[-1]})
        measure(port)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()

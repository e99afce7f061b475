"""`quitring status` and `quitring tail`: the program as a client, for a terminal and for scripts."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from boards import BOARD, ROOT, plain_environment
from conftest import (
    CLIENT_S,
    HANDLED,
    QUIT,
    QUITRING,
    QUITRING_ASAN,
    READY_S,
    SANITIZER,
    free_port,
    quit_body,
)

pytestmark = pytest.mark.not_on_boards

WAITERS_MAX = BOARD.limit("WAITERS_MAX")
ELLIPSIS = "\u2026"
HOSTILE = "\x1b[2J\x1b]0;gone\x07\x9b2J\u202egnp"
VISIBLE = r"\u001b[2J\u001b]0;gone\u0007\u009b2J\u202egnp"


def environment():
    return plain_environment(TZ="UTC0")


def run(*arguments, binary=QUITRING, **how):
    """status, stdout, stderr of a client that ends by itself."""
    done = subprocess.run([binary, *map(str, arguments)], cwd=ROOT, env=environment(),
                          capture_output=True, timeout=CLIENT_S, check=False, **how)
    errors = done.stderr.decode()
    assert not SANITIZER.search(errors), errors
    return done.returncode, done.stdout.decode(), errors


def store(server, *pairs, **headers):
    with server.connection() as connection:
        for group, user in pairs:
            reply = connection.ask("POST", QUIT, quit_body(group, user), headers)
            assert reply.body == HANDLED


def rows(text):
    """(seq, group, user, …) of the table's rows."""
    lines = [line.split() for line in text.splitlines()]
    return [(int(words[0]), *words[3:]) for words in lines if words and words[0].isdigit()]


@pytest.fixture
def tail(start):
    """Starts a `quitring tail`."""
    def begin(*arguments, binary=QUITRING):
        return start.program([binary, "tail", *arguments], TZ="UTC0")
    return begin


# ---- status ----


@pytest.mark.parametrize("binary", [QUITRING, QUITRING_ASAN], ids=["plain", "asan"])
@pytest.mark.parametrize("net", ["user", "host"])
def test_status_shows_facts_and_the_newest(start, net, binary):
    server = start.on(net)
    store(server, *[("G%03d" % i, f"user{i}") for i in range(1, 12)], operationID="op-1")
    assert server.quit("", "u").status == 422
    status, text, errors = run("status", server.base, binary=binary)
    assert (status, errors) == (0, "")
    document = server.status()
    lines = text.splitlines()
    assert lines[0] == f"quitring    {server.base} (linux, version {document['version']})"
    assert re.fullmatch(rf"up          00:0\d:\d\d, boot ID {document['bootId']}", lines[1])
    assert re.fullmatch(r"clock       \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", lines[2])
    used, size = document["ring"]["usedBytes"], document["ring"]["capacityBytes"]
    assert lines[3] == f"ring        11 events, 1 to 11; {used} of {size} bytes; 0 overwritten"
    assert lines[4] == "callbacks   11 stored, 1 refused, 0 ignored"
    assert "trouble" not in text
    when = document["events"][10]["time"][:19].replace("T", " ")
    assert lines[-1] == f"     11  {when}  G011              user11            op-1"
    assert rows(text) == [(i, "G%03d" % i, f"user{i}", "op-1") for i in range(2, 12)]


def test_status_tells_troubles(start):
    server = start.on("host")
    assert server.quit("g" * 256, "u").status == 422
    _, text, _ = run("status", server.base)
    assert "\ntrouble     idTooLong 1\n" in text
    assert "\nring        0 events; 0 of " in text
    assert "SEQ" not in text


def test_status_asks_for_what_was_asked(start):
    server = start.on("host")
    store(server, ("g&=%+ ä", "u1"), ("g2", "u1"), ("g&=%+ ä", "u2"))
    for arguments, wanted in [
        (["--limit", 2], [2, 3]),
        (["--limit=0"], []),
        (["--group", "g&=%+ ä"], [1, 3]),
        (["--group=g&=%+ ä", "--user=u2"], [3]),
        (["--user", "u1", "--limit", "1"], [2]),
        (["--user", "nobody"], []),
    ]:
        status, text, errors = run("status", *arguments, server.base)
        assert (status, errors) == (0, "")
        assert [row[0] for row in rows(text)] == wanted


def test_status_json_is_the_document(start):
    server = start.on("host")
    store(server, (HOSTILE, "u"), ("g", "u"))
    status, text, errors = run("status", "--json", f"{server.host}:{server.port}")
    assert (status, errors) == (0, "")
    assert text.endswith("}\n") and text.count("\n") == 1
    said, wanted = json.loads(text), server.status("?limit=10")
    for name in ("version", "board", "bootId", "ring", "events", "next", "missed"):
        assert said[name] == wanted[name]


def test_status_takes_the_fullest_document(start):
    """All commands that can be ignored, and as many events as there are."""
    server = start.on("host")
    names = re.findall(r'"(callback\w+Command)"', (ROOT / "src/callback.c").read_text())
    with server.connection() as connection:
        for name in names:
            body = json.dumps({"callbackCommand": name, "groupID": "g", "userID": "u"})
            assert connection.ask("POST", f"/{name}", body).status == 200
    store(server, *[(f"g{i}", "u" * 255) for i in range(2000)])
    assert len(server.counters()["ignoredCommands"]) > 50
    status, text, _ = run("status", "--limit", 65535, server.base, binary=QUITRING_ASAN)
    assert status == 0
    stored = server.status("?limit=1")["ring"]["stored"]
    assert len(rows(text)) == stored >= 2000


# ---- on a terminal ----


@contextlib.contextmanager
def terminal(*arguments, columns=80):
    """A client whose standard output is a terminal. Gives it, and what reads what it shows."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([QUITRING, *map(str, arguments)], cwd=ROOT, env=environment(),
                               stdin=subprocess.DEVNULL, stdout=its, stderr=subprocess.PIPE)
    os.close(its)
    seen = b""

    def lines(wanted=None):
        """All lines; the first that many."""
        nonlocal seen
        with contextlib.suppress(OSError):  # how a terminal ends
            while wanted is None or seen.count(b"\n") < wanted:
                data = os.read(ours, 65536)
                if data == b"":
                    break
                seen += data
        return seen.decode().replace("\r\n", "\n").splitlines()

    try:
        yield process, lines
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()
        os.close(ours)


def test_status_fits_the_terminal(start):
    server = start.on("host")
    store(server, ("a-group-that-is-long", "群组" * 20), ("g", HOSTILE), operationID="9" * 60)
    for columns in (80, 60, 200):
        with terminal("status", server.base, columns=columns) as (process, lines):
            shown = lines()
            assert process.wait(CLIENT_S) == 0
        width = max(sum(2 if char > "\u2e80" else 1 for char in line) for line in shown[-2:])
        assert width <= columns
        assert (ELLIPSIS in shown[-2], columns > 100) in [(True, False), (True, True)]
        assert not any(char < " " or char in "\x7f\x9b\u202e" for line in shown for char in line)
        if columns == 200:
            assert VISIBLE in shown[-1] and ELLIPSIS not in shown[-1].replace("9" + ELLIPSIS, "")


def test_no_terminal_gets_ids_whole(start):
    server = start.on("host")
    store(server, ("a-group-that-is-quite-long", HOSTILE), operationID="9" * 60)
    _, text, _ = run("status", server.base)
    assert rows(text) == [(1, "a-group-that-is-quite-long", VISIBLE, "9" * 60)]


@pytest.mark.parametrize("columns", [80, 65535])
def test_tail_on_a_terminal_ends_on_ctrl_c(start, columns):
    server = start.on("host")
    store(server, ("g1", HOSTILE))
    with terminal("tail", server.base, columns=columns) as (process, lines):
        assert lines(2)[0].split() == ["SEQ", "TIME", "GROUP", "USER", "OPERATION"]
        store(server, ("g2", "u"))
        shown = lines(3)
        assert rows("\n".join(shown))[1][:3] == (2, "g2", "u")
        assert "\x1b" not in "".join(shown)
        process.send_signal(signal.SIGINT)
        assert process.wait(CLIENT_S) == 0
        assert process.stderr.read() == b""


# ---- tail ----


@pytest.mark.parametrize("binary", [QUITRING, QUITRING_ASAN], ids=["plain", "asan"])
@pytest.mark.parametrize("net", ["user", "host"])
def test_tail_shows_the_newest_then_each_as_it_comes(start, tail, net, binary):
    server = start.on(net)
    store(server, *[("g", f"u{i}") for i in range(1, 13)])
    program = tail(server.base, binary=binary)
    assert rows("\n".join(program.output(10))) == [(i, "g", f"u{i}") for i in range(3, 13)]
    for i in range(13, 16):
        store(server, ("g", f"u{i}"))
        assert rows(program.output(i - 2)[-1]) == [(i, "g", f"u{i}")]
    program.signal(signal.SIGTERM)
    assert program.wait() == 0
    assert program.errors() == ""


@pytest.mark.parametrize("arguments,wanted", [
    (["--since", "0"], [1, 2, 3]),
    (["--since=2"], [3]),
    (["--limit", "1"], [3]),
    (["--limit", "0"], []),
    (["--group", "g2"], [2]),
    (["--since=0", "--user", "u"], [1, 2, 3]),
])
def test_tail_json_is_a_line_for_each(start, tail, arguments, wanted):
    server = start.on("host")
    store(server, ("g1", "u"), ("g2", "u"), ("g1", "u"))
    program = tail("--json", *arguments, server.base)
    seen = [json.loads(line) for line in program.output(len(wanted))]
    until_streams(server, 1)
    store(server, ("g2", "u"))
    seen = [json.loads(line) for line in program.output(len(wanted) + 1)]
    assert [event["seq"] for event in seen] == [*wanted, 4]
    assert seen == [server.events()[event["seq"] - 1] for event in seen]


def until_streams(server, n):
    deadline = time.monotonic() + READY_S
    while server.counters()["connectionsWaiting"] != n:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_client_ends_well_when_its_reader_is_gone(start, tail):
    server = start.on("host")
    store(server, *[("g", "u" * 255)] * 2000)
    program = tail(server.base)
    program.output(10)
    until_streams(server, 1)
    program.process.stdout.close()  # and nothing is stored any more
    assert program.process.wait(CLIENT_S) == 0
    assert program.errors() == ""
    program.process.stdout = None
    with subprocess.Popen([QUITRING, "status", "--limit", "65535", server.base],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as status:
        status.stdout.read(1)
        status.stdout.close()
        assert (status.wait(CLIENT_S), status.stderr.read()) == (0, b"")


def test_tail_goes_on_when_the_server_was_restarted(start, tail):
    """Also where the new one has stored more already than the old one had."""
    server = start.on("host")
    where = f"{server.host}:{server.port}"
    store(server, ("g", "old"))
    program = tail(server.base)
    program.output(1)
    until_streams(server, 1)
    server.stop()
    program.until("; trying again every 2 s\n")
    server = start.serve("--net", "host", "--publish", where)
    store(server, ("g", "new1"), ("g", "new2"))
    assert rows("\n".join(program.output(3)[1:])) == [(1, "g", "new1"), (2, "g", "new2")]
    program.until("following again")
    store(server, ("g", "new3"))
    assert rows(program.output(4)[3]) == [(3, "g", "new3")]
    assert program.errors().splitlines() == [
        f"quitring: {server.base}: it has stopped; trying again every 2 s",
        f"quitring: {server.base}: it was restarted, and counts from 1 again",
        f"quitring: {server.base}: following again",
    ]


def test_tail_polls_while_all_streams_are_taken(start, tail):
    server = start.on("host")
    streams = [server.raw() for _ in range(WAITERS_MAX)]
    try:
        for raw in streams:
            raw.send(b"GET /events HTTP/1.1\r\nHost: q\r\n\r\n")
        until_streams(server, WAITERS_MAX)
        program = tail(server.base)
        program.until("as many follow it as may; asking every 2 s\n")
        store(server, ("g", "polled"))
        assert rows(program.output(1)[0]) == [(1, "g", "polled")]
    finally:
        for raw in streams:
            raw.close()
    program.until("following again\n")
    store(server, ("g", "followed"))
    assert rows(program.output(2)[1]) == [(2, "g", "followed")]
    assert len(program.errors().splitlines()) == 2


def test_tail_tells_what_was_overwritten(start, tail):
    server = start.on("host", "--ring", BOARD.limit("RING_MIN"))
    store(server, *[("g", "u" * 200)] * 20)
    ring = server.status()["ring"]
    assert len(rows(run("status", server.base)[1])) == min(10, ring["stored"])
    program = tail("--since", "2", server.base)
    program.output(ring["stored"])
    program.until(f": {ring['firstSeq'] - 3} quits were overwritten before they could be shown\n")


# ---- who answers otherwise ----


@contextlib.contextmanager
def somebody(*answers):
    """A server that is none: gives each who asks the next answer, and closes. Gives its URL, and what
    it was asked for."""
    targets = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            for answer in answers:
                with listener.accept()[0] as sock:
                    targets.append(sock.recv(65536).split(b" ")[1].decode())
                    sock.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", targets
        thread.join(CLIENT_S)


def answer(content, kind="application/json", status="200 OK"):
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content.encode()


@pytest.mark.parametrize("command", ["status", "tail"])
@pytest.mark.parametrize("said,why", [
    (b"", "the connection is lost"),
    (b"SSH-2.0-OpenSSH_9.2p1\r\n", "it does not answer as HTTP does"),
    (answer("<html>", "text/html"), "it answers, but not as a quitring"),
    (answer('{"service":"other","events":[]}'), "it answers, but not as a quitring"),
    (answer('{"a":1}'), "it answers, but not as a quitring"),
    (answer('{"service":"quitring"')[:-5], "the connection is lost"),
    (answer("", "text/plain", "302 Found"), "it answers 302"),
    (answer('{"errMsg":"no\x7f","errDlt":"such"}', status="404 Not Found"),
     r"it answers 404: no\u007f, such"),
])
def test_client_says_what_is_no_quitring(command, said, why):
    with somebody(said) as (url, _):
        status, _, errors = run(command, url, binary=QUITRING_ASAN)
    assert (status, errors) == (1, f"quitring: {url}: {why}\n")


def test_status_json_prints_no_page():
    with somebody(answer("<html>", "text/html")) as (url, _):
        status, text, errors = run("status", "--json", url)
    assert (status, text) == (1, "")
    assert errors == f"quitring: {url}: it answers, but not as a quitring\n"


def test_tail_resumes_a_stream_that_broke(start):
    """It asks for what follows the last that it has shown."""
    server = start.on("host")
    store(server, ("g", "one"))
    document = server.ask("GET", "/status").body.decode()
    event = document.split('"events":[')[1].split("]")[0].replace('"seq":1', '"seq":2')
    stream = (f'event: start\ndata: {{"bootId":"{server.status()["bootId"]}","lastSeq":2,"reset":false}}'
              f"\n\nid: 2\ndata: {event}\n\nid: 3\ndata: {event[:20]}")
    broken = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              + f"{len(stream):x}\r\n{stream}\r\n".encode())
    nothing = answer(json.dumps(dict(json.loads(document), events=[], next=5)))
    other = b"HTTP/1.1 200 OK\r\n\r\ndata: {}\n\n"
    with somebody(answer(document), broken, nothing, other) as (url, targets):
        program = start.program([QUITRING, "tail", "--user", "u v", url], TZ="UTC0")
        program.until("its stream is not a quitring's; trying again every 2 s\n")
    assert [row[0] for row in rows("\n".join(program.output(2)))] == [1, 2]
    assert targets == [
        "/status?limit=10&userID=u%20v", "/events?since=1&userID=u%20v",
        "/status?since=2&userID=u%20v", "/events?since=5&userID=u%20v",
    ]
    assert [line.split(": ", 2)[2] for line in program.errors().splitlines()] == [
        "the connection is lost; trying again every 2 s", "following again",
        "its stream is not a quitring's; trying again every 2 s",
    ]


# ---- calling it ----


@pytest.mark.parametrize("command", ["status", "tail"])
def test_client_says_that_nobody_is_there(command):
    url = f"http://127.0.0.1:{free_port()}"
    status, text, errors = run(command, url)
    assert (status, text) == (1, "")
    assert errors == f"quitring: {url}: cannot reach it: Connection refused\n"


def test_client_says_that_it_cannot_write(start):
    server = start.on("host")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([QUITRING, "status", server.base], stdout=full, stderr=subprocess.PIPE,
                              timeout=CLIENT_S, check=False)
    assert (done.returncode, done.stderr) == (1, b"quitring: cannot write: No space left on device\n")


@pytest.mark.parametrize("arguments", [
    ["status", "--lines"], ["status", "--since", "1"], ["status", "-x"], ["status", "--limit"],
    ["status", "--limit", "x"], ["status", "--limit", "65536"], ["status", "--limit="],
    ["status", "--limit=-1"], ["status", "--group", ""], ["status", "--user", "u" * 256],
    ["status", "a", "b"], ["status", "https://a"], ["status", "a:0"], ["status", ""],
    ["tail", "--since", "18446744073709551615"], ["tail", "--since", "-1"], ["tail", "--since"],
    ["tail", "\x1b[2J"], ["tail", "--jsonx"], ["tail", "fd77::2"],
])
def test_client_called_wrongly_says_so(arguments):
    status, text, errors = run(*arguments)
    assert (status, text) == (2, "")
    assert errors.startswith("quitring: ") and errors.endswith(" (see --help)\n")
    assert errors.count("\n") == 1 and "\x1b" not in errors


@pytest.mark.parametrize("command", ["status", "tail"])
def test_client_has_a_help(command):
    status, text, errors = run(command, "--json", "--help")
    assert (status, errors) == (0, "")
    assert text.startswith(f"usage: quitring {command} ")
    assert ("--since" in text) == (command == "tail")
    assert all(len(line) <= 100 for line in text.splitlines())
    assert f"quitring {command} " in run("--help")[1]

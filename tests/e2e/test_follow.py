"""Following what is stored: filters, long polls, entity tags, event streams, counters by minute, and
the counters as Prometheus scrapes them."""

import json
import re
import select
import subprocess
import threading
import time
import urllib.parse

import pytest

from boards import BOARD
from conftest import (
    CLIENT_S,
    CONNS_MAX,
    HANDLED,
    ID_MAX,
    QUIT,
    free_port,
    quit_body,
    quit_request,
)
from services import libraries, tool

WAITERS_MAX = BOARD.limit("WAITERS_MAX")
QUICK_S = 5  # far less than any wait that a test asks for


def seqs(server, document):
    """Of its events, counted from the test's beginning."""
    return [event["seq"] - server.seq0 for event in document["events"]]


def store(server, *pairs):
    with server.connection() as connection:
        for group, user in pairs:
            assert connection.ask("POST", QUIT, quit_body(group, user)).body == HANDLED


# ---- filters ----


def test_filter_gives_the_events_of_a_group_or_user(server):
    store(server, ("g1", "u1"), ("g2", "u1"), ("g1", "u2"), ("g2", "u2"), ("g1", "u1"))
    since = server.seq0
    for query, wanted in [
        ("groupID=g1", [1, 3, 5]),
        ("userID=u2", [3, 4]),
        ("groupID=g1&userID=u1", [1, 5]),
        ("groupID=g3", []),
        ("groupID=G1", []),
        ("groupID=%671", [1, 3, 5]),
    ]:
        document = server.status(f"?since={since}&{query}")
        assert (seqs(server, document), document["more"]) == (wanted, False)
        assert document["next"] == since + 5
        newest = server.status(f"?limit=2&{query}")
        assert seqs(server, newest)[-2:] == wanted[-2:]
    page = server.status(f"?since={since}&groupID=g1&limit=2")
    assert (seqs(server, page), page["more"], page["next"]) == ([1, 3], True, since + 3)
    rest = server.status(f"?since={page['next']}&groupID=g1&limit=2")
    assert (seqs(server, rest), rest["more"], rest["next"]) == ([5], False, since + 5)


@pytest.mark.parametrize("name", ["a b", "a+b", "&=%?#", "\u6f22\u5b57", "\x01", "x" * ID_MAX])
def test_filter_takes_any_id_percent_encoded(server, name):
    store(server, (name, "u"), ("other", name), (name + "x" if len(name) < ID_MAX else "y", "u"))
    quoted = urllib.parse.quote(name, safe="")
    for field, wanted in [("groupID", [1]), ("userID", [2])]:
        document = server.status(f"?since={server.seq0}&{field}={quoted}")
        assert seqs(server, document) == wanted


@pytest.mark.parametrize("query, code, place", [
    ("groupID=", 5404, "groupID"),
    ("userID=&groupID=a", 5404, "userID"),
    ("groupID=a&groupID=b", 5403, "groupID"),
    (f"userID={'x' * (ID_MAX + 1)}", 5404, "userID"),
    ("wait=61", 5404, "wait, at most 60 as its value"),
    ("wait=x", 5404, "wait, at most 60 as its value"),
    ("groupid=a", 5402, "groupid"),
])
def test_filter_and_wait_refuse_bad_values(server, query, code, place):
    reply = server.ask("GET", f"/status?{query}")
    said = reply.json()
    assert (reply.status, said["errCode"], said["errDlt"]) == (400, code, place)


# ---- long polls ----


def begin(server, target, *fields, **how):
    """A request on a connection of its own, whose reply is still to come."""
    raw = server.raw(**how)
    lines = "".join(f"{field}\r\n" for field in fields)
    raw.send(f"GET {target} HTTP/1.1\r\nHost: q\r\n{lines}\r\n".encode())
    return raw


def until_waiting(server, n):
    """Until so many wait."""
    deadline = time.monotonic() + CLIENT_S
    while server.status("?limit=1")["counters"]["connectionsWaiting"] != n:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_long_poll_is_answered_when_an_event_is_stored(server):
    with begin(server, f"/status?since={server.seq0}&wait=60") as raw:
        until_waiting(server, 1)
        assert select.select([raw.sock], [], [], 0)[0] == []
        started = time.monotonic()
        assert server.quit("g", "u").body == HANDLED
        assert seqs(server, raw.reply().json()) == [1]
        assert time.monotonic() - started < QUICK_S


def test_long_poll_waits_for_an_event_that_it_asks_for(server):
    with begin(server, f"/status?since={server.seq0}&groupID=mine&wait=60") as raw:
        until_waiting(server, 1)
        store(server, ("other", "u"), ("another", "mine"))
        until_waiting(server, 1)
        assert select.select([raw.sock], [], [], 0)[0] == []
        store(server, ("mine", "u"))
        assert seqs(server, raw.reply().json()) == [3]


def test_long_poll_has_an_answer_at_once_where_there_is_one(server):
    store(server, ("g", "u"))
    started = time.monotonic()
    assert seqs(server, server.status(f"?since={server.seq0}&wait=60")) == [1]
    beyond = server.status(f"?since={server.seq0 + 1000}&wait=60")
    assert beyond["reset"]
    assert server.status(f"?since={server.seq0 + 1}&wait=0")["events"] == []
    assert time.monotonic() - started < QUICK_S


def test_long_poll_is_answered_when_its_time_is_over(server):
    started = time.monotonic()
    document = server.status(f"?since={server.seq0}&wait=1")
    assert document["events"] == []
    assert time.monotonic() - started >= 1


def test_long_poll_of_a_client_that_goes_away_is_over(server):
    with begin(server, "/status?wait=60"):
        until_waiting(server, 1)
    until_waiting(server, 0)


def test_long_polls_and_streams_leave_slots_to_callers(server):
    """As many as may wait do; one more gets its reply at once, and callers get theirs."""
    waiting = [begin(server, "/events" if i % 2 else "/status?wait=60") for i in range(WAITERS_MAX)]
    try:
        until_waiting(server, WAITERS_MAX)
        started = time.monotonic()
        assert server.status(f"?since={server.seq0}&wait=60")["events"] == []
        refused = server.ask("GET", "/events")
        assert (refused.status, refused.json()["errCode"]) == (503, 5405)
        assert time.monotonic() - started < QUICK_S
        for i in range(CONNS_MAX):
            assert server.quit("g", f"u{i}").body == HANDLED
        assert server.counters()["waitsRefused"] == 2
    finally:
        for raw in waiting:
            raw.close()


# ---- entity tags ----


def test_entity_tag_spares_what_has_not_changed(server):
    with server.connection() as connection:
        tag = connection.ask("GET", "/status").headers["etag"]
        assert re.fullmatch(r'W/"[0-9a-f]{16}-\d+"', tag)
        for known in (tag, "*", f'"x", {tag}, W/"y"', tag[2:]):
            reply = connection.ask("GET", "/status", headers={"If-None-Match": known})
            assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", tag)
            assert "content-length" not in reply.headers
        for other in (tag[:-2] + '9"', '"x"', tag.upper()):
            reply = connection.ask("GET", "/status", headers={"If-None-Match": other})
            assert reply.status == 200
        assert connection.ask("HEAD", "/status", headers={"If-None-Match": tag}).status == 304
        store(server, ("g", "u"))
        reply = connection.ask("GET", "/status", headers={"If-None-Match": tag})
        assert reply.status == 200
        assert reply.headers["etag"] != tag


def test_entity_tag_and_wait_go_together(server):
    tag = server.ask("GET", "/status").headers["etag"]
    reply = server.ask("GET", "/status?wait=1", headers={"If-None-Match": tag})
    assert reply.status == 304


# ---- event streams ----


class Stream:
    """Reads an event stream: blocks of lines with an empty one behind."""

    def __init__(self, server, target="/events", *fields, **how):
        self.raw = begin(server, target, *fields, **how)
        self.server = server
        self.buffer = b""
        status = self.raw.file.readline()
        assert status == b"HTTP/1.1 200 OK\r\n", status
        self.headers = {}
        while (line := self.raw.file.readline()) != b"\r\n":
            name, value = line.split(b":", 1)
            self.headers[name.lower().decode()] = value.strip().decode()

    def block(self):
        while b"\n\n" not in self.buffer:
            size = int(self.raw.file.readline(), 16)
            assert size != 0, "the stream has ended"
            self.buffer += self.raw.file.read(size)
            assert self.raw.file.read(2) == b"\r\n"
        block, self.buffer = self.buffer.split(b"\n\n", 1)
        return block.decode()

    def message(self):
        """The next one, without heartbeats: event, id, data."""
        while (block := self.block()) == ":":
            pass
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        return fields.get("event"), fields.get("id"), json.loads(fields["data"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()


def test_stream_tells_events_as_they_are_stored(server):
    store(server, ("old", "u"))
    with Stream(server) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        kind, _, start = stream.message()
        assert (kind, start["lastSeq"], start["reset"]) == ("start", server.seq0 + 1, False)
        assert re.fullmatch("[0-9a-f]{16}", start["bootId"])
        for i in range(3):
            started = time.monotonic()
            store(server, ("g", f"u{i}<&>\n"))
            kind, number, event = stream.message()
            assert (kind, int(number)) == (None, server.seq0 + 2 + i)
            assert (event["seq"], event["userID"]) == (int(number), f"u{i}<&>\n")
            assert time.monotonic() - started < QUICK_S


def test_stream_resumes_where_it_was(server):
    store(server, ("a", "u"), ("b", "u"), ("c", "u"))
    first = server.seq0
    for target, fields, wanted in [
        (f"/events?since={first}", (), [1, 2, 3]),
        (f"/events?since={first}", (f"Last-Event-ID: {first + 2}",), [3]),
        ("/events", (f"last-event-id: {first + 1}",), [2, 3]),
        (f"/events?since={first}&groupID=b", (), [2]),
    ]:
        with Stream(server, target, *fields) as stream:
            assert stream.message()[0] == "start"
            assert [stream.message()[2]["seq"] - first for _ in wanted] == wanted


def test_stream_says_reset_after_a_restart(server):
    store(server, ("a", "u"))
    with Stream(server, "/events", f"Last-Event-ID: {server.seq0 + 1000}") as stream:
        assert stream.message()[2]["reset"]


def test_stream_refuses_what_it_cannot_read(server):
    for target, fields, place in [
        ("/events?limit=1", (), "limit"),
        ("/events?wait=1", (), "wait"),
        ("/events", ("Last-Event-ID: x",), "Last-Event-ID"),
    ]:
        with begin(server, target, *fields) as raw:
            reply = raw.reply()
            assert (reply.status, reply.json()["errDlt"]) == (400, place)


@pytest.mark.not_on_images
@pytest.mark.parametrize("net", ["user", "host"])
def test_stream_counts_what_a_slow_reader_missed(start, net):
    """It does not read while the ring turns over; each event is then given or counted."""
    server = start.on(net, "--ring", BOARD.limit("RING_MIN"))
    n = 20000 if BOARD.is_process else 3000
    with Stream(server, f"/events?since={server.seq0}", receive_bytes=4096) as stream:
        assert stream.message()[0] == "start"
        with server.raw() as raw:
            for at in range(0, n, 100):
                raw.send(quit_request("group", "user" * 50) * 100)
                for _ in range(100):
                    assert raw.reply().body == HANDLED
        missed, last = 0, server.seq0
        while last < server.seq0 + n:
            kind, number, data = stream.message()
            if kind == "missed":
                missed += data["missed"]
                last += data["missed"]
            else:
                assert int(number) == last + 1
                last += 1
        assert missed > 0


@pytest.mark.not_on_boards
def test_stream_ends_with_the_program(start):
    server = start.publish("host")
    with Stream(server) as stream, begin(server, "/status?wait=60") as raw:
        assert stream.message()[0] == "start"
        until_waiting(server, 2)
        done = []

        def read():
            done.append(raw.reply().json()["events"])
            done.append(stream.raw.file.read())
            raw.close()
            stream.raw.close()

        thread = threading.Thread(target=read)
        thread.start()
        server.stop()
        thread.join(CLIENT_S)
        assert done == [[], b"0\r\n\r\n"]


# ---- documents beside ----


def test_rates_count_this_minute_and_hour(server):
    before = server.ask("GET", "/rates").json()
    store(server, *[("g", f"u{i}") for i in range(5)])
    after = server.ask("GET", "/rates").json()
    assert (len(after["minutes"]), len(after["hours"])) == (60, 24)
    assert sum(after["minutes"][-3:]) - sum(before["minutes"][-3:]) in range(0, 6)
    assert sum(after["hours"]) == sum(before["hours"]) + 5
    assert after["bootId"] == server.status()["bootId"]


def test_table_is_for_who_takes_no_compressed_page(server):
    store(server, ("<i>g</i>", "u&\""))
    for target in ("/", "/table"):
        reply = server.ask("GET", target, headers={"Accept-Encoding": "identity"})
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert b"<td>&lt;i&gt;g&lt;/i&gt;<td>u&amp;&quot;<td>" in reply.body
        assert "default-src 'none'" in reply.headers["content-security-policy"]
    page = server.ask("GET", "/", headers={"Accept-Encoding": "gzip, br"})
    assert page.headers["content-encoding"] == "gzip"
    assert page.headers["vary"] == "Accept-Encoding"
    assert page.body[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("target", ["/", "/table", "/status", "/events", "/metrics", "/rates"])
def test_every_document_has_a_head_and_takes_nothing_else(server, target):
    with server.raw() as raw:
        raw.send(f"HEAD {target} HTTP/1.1\r\nHost: q\r\n\r\n".encode())
        assert raw.reply(head_only=True).status == 200
        raw.send(f"PUT {target} HTTP/1.1\r\nHost: q\r\n\r\n".encode())
        reply = raw.reply()
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


# ---- Prometheus ----


def test_metrics_are_as_promtool_wants_them(server):
    store(server, ("g", "u"))
    text = server.ask("GET", "/metrics").body
    promtool = tool("promtool")
    run = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True,
                         env=libraries(promtool), timeout=CLIENT_S, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    assert b"\nquitring_callbacks_total{outcome=\"stored\"} " in text


@pytest.mark.not_on_boards
@pytest.mark.parametrize("net", ["host"])
def test_metrics_are_scraped_by_prometheus(start, net, tmp_path):
    server = start.on(net)
    store(server, ("g", "u"), ("g", "v"))
    (tmp_path / "prometheus.yml").write_text(
        "scrape_configs:\n- job_name: quitring\n  scrape_interval: 1s\n  scrape_timeout: 1s\n"
        f"  static_configs: [{{targets: ['{server.host}:{server.port}']}}]\n"
    )
    prometheus = tool("prometheus")
    address = f"127.0.0.1:{free_port()}"
    program = start.program(
        [prometheus, f"--config.file={tmp_path}/prometheus.yml", f"--web.listen-address={address}",
         f"--storage.tsdb.path={tmp_path}/data", "--log.level=warn"],
        **libraries(prometheus))
    query = "quitring_callbacks_total{outcome=\"stored\"}"
    deadline = time.monotonic() + 60
    while True:
        run = subprocess.run(
            ["curl", "--silent", "--max-time", "5", "-G", f"http://{address}/api/v1/query",
             "--data-urlencode", f"query={query}"],
            capture_output=True, timeout=CLIENT_S, check=False)
        found = json.loads(run.stdout)["data"]["result"] if run.returncode == 0 else []
        if found and found[0]["value"][1] == "2":
            break
        assert time.monotonic() < deadline, program.errors()
        time.sleep(0.2)

"""Each row of http_rules.md, sent to a running server: the answer, whether the connection goes on,
and that nothing behind a refused request is taken for another one."""

import contextlib
import email.utils
import re
import time

import pytest

import rules
from boards import BOARD
from conftest import CONTENT_MAX, HANDLED, QUIT, assert_refused, quit_request

TABLES = rules.read("http_rules.md")

ANSWER = re.compile(r"(\d{3}|nothing,)(?: (\d{4}))?( closes)?(?: `(.*): (.*)`)?")

# Behind each row. Where the connection has ended, none of it may be looked at.
NEXT = b"GET /healthz HTTP/1.1\r\nHost: q\r\n\r\n"
SMUGGLED = NEXT + quit_request("smuggled", "U")

CUT_MAX = 250  # bytes of a request that is also sent byte by byte
CLOCK_S = 60  # between a reply's Date and when it is looked at


class Case:
    def __init__(self, table, row):
        self.name = row["case"]
        text = table.sent(row)
        self.finishes = text.endswith("<FIN>")
        pieces = re.split("<(no 100|100)>", text.removesuffix("<FIN>"))
        marked = [rules.as_bytes(part) for part in pieces[::2]]
        self.parts = [data for data, _ in marked]
        self.waits = pieces[1::2]  # between them
        self.data = b"".join(self.parts)
        self.place = self.find_place(rules.code(row["errDlt"]), marked[0][1])
        found = ANSWER.fullmatch(row["answer"])
        assert found, row
        self.status = int(found[1]) if found[1] != "nothing," else None
        self.code = int(found[2] or 0)
        self.closes = bool(found[3])
        self.field = (found[4], found[5]) if found[4] else None

    def find_place(self, where, mark):
        if where == "target":
            return f"target, byte {mark - self.data.index(b' ') - 1}"
        return f"request, byte {mark}" if where == "" else rules.expand(where)

    @property
    def stores(self):
        return self.status == 200 and QUIT.encode() in self.data

    def cuts(self):
        """Its parts whole and, where that is cheap, in single bytes; but not where it expects a 100
        and has sent the content at once, since one may come in between."""
        yield [[part] for part in self.parts]
        may_wait = b"100-continue" in self.data and b"/1.1" in self.data and not self.waits
        if BOARD.is_process and len(self.data) <= CUT_MAX and not may_wait:
            yield [[part[i : i + 1] for i in range(len(part))] for part in self.parts]


def send(raw, watch, case, parts):
    for i, pieces in enumerate(parts):
        if i > 0 and case.waits[i - 1] == "100":
            assert raw.reply().status == 100
        elif i > 0:  # asked behind it, so that it has looked at both
            assert watch.ask("GET", "/healthz").status == 200
        behind = NEXT if not case.closes else SMUGGLED
        if i == len(parts) - 1 and not case.finishes:
            pieces = pieces[:-1] + [pieces[-1] + behind]
        for piece in pieces:
            raw.send(piece)
    if case.finishes:
        raw.finish()


def assert_well_formed(case, reply):
    """What holds for every reply."""
    assert reply.version == "HTTP/1.1"
    chunked = reply.headers.get("transfer-encoding") == "chunked"
    assert not chunked or b"HTTP/1.0" not in case.data
    assert chunked or reply.closes or "content-length" in reply.headers
    if BOARD.is_process:  # others may have no clock
        date = email.utils.parsedate_to_datetime(reply.headers["date"])
        assert abs(date.timestamp() - time.time()) < CLOCK_S


def assert_answer(case, raw):
    if case.status is None:
        assert raw.at_end()
        return
    reply = raw.reply(head_only=case.data.startswith(b"HEAD "))
    assert_well_formed(case, reply)
    if case.code:
        assert_refused(reply, case.status, case.code, case.place)
    assert reply.status == case.status, reply.body
    if case.field:
        assert reply.headers[case.field[0].lower()] == case.field[1]
    assert reply.closes == case.closes
    if case.closes:
        raw.finish()
        assert raw.at_end()
    else:
        assert raw.reply().body == b"ok\n"


def moved(case):
    """The counters that it moves."""
    names = []
    if case.stores:
        names.append("stored")
    if (case.status or 0) >= 400:
        names.append("refused" if 5200 <= case.code < 5400 else "badRequests")
    return names + ([rules.LIMITS[case.code]] if case.code in rules.LIMITS else [])


@pytest.mark.parametrize("table", TABLES, ids=rules.ids(TABLES))
def test_http_answers_as_the_rules_say(server, table):
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(rules.watching(server))
        raw = None
        for case in [Case(table, row) for row in table.rows]:
            for parts in case.cuts():
                with rules.told(case.name):
                    raw = raw or stack.enter_context(server.raw())
                    send(raw, watch, case, parts)
                    assert_answer(case, raw)
                    assert watch.look() == (moved(case), [("G", "U")] * case.stores)
                if case.closes:
                    raw.close()
                    raw = None


def test_http_reply_reaches_a_client_that_goes_on_sending(server):
    """RFC 9112 section 9.6: a close at once would be a reset, and could take the reply with it."""
    head = f"POST {QUIT} HTTP/1.1\r\nHost: q\r\nContent-Length: {1 << 20}\r\n\r\n"
    with server.raw() as raw:
        raw.send(head.encode())
        for _ in range(64):
            raw.send(bytes(1 << 14))
        reply = raw.reply()
        assert_refused(reply, 413, 5115, f"content, at most {CONTENT_MAX} bytes")
        assert reply.closes
        raw.finish()
        assert raw.at_end()
    assert server.quit("G", "U").body == HANDLED

"""Tables of rules, in Markdown, each row a case: http_rules.md and json_rules.md, which say what
the cells mean."""

import contextlib
import re

from boards import BOARD, ROOT, arithmetic
from conftest import QUIT

PLACE = "…"  # of a row's bytes, in the line above its table
WORDS = {"QUIT": QUIT, "BODY": '{"groupID":"G","userID":"U"}'}
NAME = re.compile(r"<([^<>]+)>")
TOKEN = re.compile(rb"\\x([0-9a-f]{2})|\\([rnt])|(\^)|[^\\^]+|.", re.DOTALL)
SHORT = {b"r": b"\r", b"n": b"\n", b"t": b"\t"}


def number(expression):
    return arithmetic(re.sub("[A-Z_]{2,}", lambda name: str(BOARD.limit(name[0])), expression), {})


def expand(text):
    """<NAME>, <x×LENGTH> and <hex NUMBER> as what they stand for; others stay."""

    def one(found):
        words = found[1]
        if words in ("100", "no 100", "FIN"):
            return found[0]
        if words in WORDS:
            return WORDS[words]
        if words.startswith("hex "):
            return f"{number(words[4:]):x}"
        text, times, length = words.rpartition("×")
        return text * number(length) if times else str(number(words))

    return NAME.sub(one, text)


def as_bytes(text, short=True):
    """What the text stands for, without its mark ^, and where that stood (None: nowhere)."""
    data, mark = bytearray(), None
    for found in TOKEN.finditer(text.encode()):
        if found[1]:
            data.append(int(found[1], 16))
        elif short and found[2]:
            data += SHORT[found[2]]
        elif found[3]:
            assert mark is None, text
            mark = len(data)
        else:
            data += found[0]
    return bytes(data), mark


def code(cell):
    """What stands in a cell, without the backticks around it."""
    found = re.fullmatch(r"(`+)(.*)\1", cell)
    return found[2] if found else cell


class Table:
    def __init__(self, title, frame):
        self.title = title
        self.frame = frame
        self.columns = None
        self.rows = []

    def add(self, line):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if self.columns is None:
            self.columns = cells
        elif cells[0].strip("-"):
            assert len(cells) == len(self.columns), line
            self.rows.append(dict(zip(self.columns, cells)))

    def sent(self, row):
        """What the row sends, as text. Its own mark counts, or else the one around it."""
        sent = code(row["sent"])
        frame = self.frame.replace("^", "") if "^" in sent else self.frame
        return expand(frame.replace(PLACE, sent))


def read(name):
    """The tables of a file in this folder, in order."""
    tables, title = [], ""
    for line in (ROOT / "tests/e2e" / name).read_text("utf-8").splitlines():
        if line.startswith("## "):
            title = re.sub(r" \(.*", "", line[3:])
        elif line.startswith("Sent: "):
            tables.append(Table(title, code(line.removeprefix("Sent: "))))
        elif line.startswith("|"):
            tables[-1].add(line)
    return tables


def ids(tables):
    """A name for each, which pytest prints."""
    titles = [table.title for table in tables]
    counts = [titles[: i + 1].count(title) for i, title in enumerate(titles)]
    return [f"{title}, {count}" if count > 1 else title for title, count in zip(titles, counts)]


# ---- what a server says of itself between one case and the next ----

# What a refusal moves besides, by its errCode.
LIMITS = {
    5103: "targetTooLong",
    5109: "headTooLarge",
    5115: "contentTooLarge",
    5119: "chunkExtTooLarge",
    5205: "jsonTooDeep",
    5206: "jsonTooManyTokens",
    5304: "idTooLong",
}
COUNTERS = ("stored", "refused", "badRequests", *LIMITS.values())


class Watch:
    def __init__(self, connection):
        self.ask = connection.ask
        document = self.ask("GET", "/status?limit=1").json()
        self.seq = document["next"]
        self.counters = document["counters"]

    def look(self):
        """The counters that have moved since the last look, each as often as it has; the IDs that
        were stored."""
        document = self.ask("GET", f"/status?since={self.seq}").json()
        before, self.counters, self.seq = self.counters, document["counters"], document["next"]
        moved = [name for name in COUNTERS for _ in range(before[name], self.counters[name])]
        return moved, [(event["groupID"], event["userID"]) for event in document["events"]]


@contextlib.contextmanager
def watching(server):
    with server.connection() as connection:
        yield Watch(connection)


@contextlib.contextmanager
def told(case):
    """Which case it was that failed."""
    try:
        yield
    except (AssertionError, EOFError, OSError) as error:
        raise AssertionError(f"{case}: {error!r}") from error

"""Who may include whom: DESIGN's table, read against the actual #include lines.

Each room names the rooms that it may include; a room not named is an arrow that runs upward. The
C library's freestanding headers and <string.h> and <assert.h> are for all; other headers of the
system, lwIP, libslirp and jsmn only for the rooms that say so.
"""

import os
import re
import sys

import report

TOP_FOLDERS = {"firmware", "port", "src", "boards", "tests"}
TOP_FILES = re.compile(r"Makefile|LICEN[CS]E(\.\w+)?|COPYING|\w+\.md|\..+")

FREESTANDING = {"assert.h", "limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}

# room: the rooms below it that it may include
BASE = ["clock", "err", "limits", "span", "stats", "utf8"]
DOCUMENT = BASE + ["cursor", "event", "query", "reply", "ring"]
ROOMS = {
    "clock": [],
    "limits": [],
    "span": [],
    "err": [],
    "stats": ["err"],
    "words": [],
    "utf8": ["words"],
    "net": [],
    "ring": BASE,
    "syntax": ["words"],
    "alike": BASE,
    "http": BASE + ["alike", "syntax"],
    "json": BASE,
    "reply": BASE,
    "query": BASE,
    "cursor": BASE + ["query", "ring"],
    "event": BASE + ["reply", "ring"],
    "callback": BASE + ["http", "json", "reply", "ring"],
    "status": DOCUMENT,
    "events": DOCUMENT,
    "table": DOCUMENT + ["page", "status"],  # for the facts that a document is made of
    "metrics": DOCUMENT + ["status"],
    "rates": BASE + ["reply"],
    "page": [],
    "no_page": ["page"],
    "handler": BASE + ["http", "reply"],
    "conn": BASE + ["handler", "http", "reply"],
    "api": DOCUMENT
    + ["callback", "events", "handler", "http", "metrics", "page", "rates", "status", "table"],
    "slots": BASE + ["conn"],
    "server": BASE + ["conn", "net", "slots"],
    "board": [],
    "port": ["board", "net", "limits"],
    "client": BASE + ["json", "reply", "syntax"],
    "boards": ["board", "client"],
}
ROOMS["firmware"] = list(ROOMS)

# Headers that are not ours: which rooms, or single files, may have them.
LWIP = re.compile(r"(lwip|netif)/")
SLIRP = re.compile(r"(slirp/)?libslirp\.h")
JSMN = re.compile(r"(.*/)?jsmn\.h")
PAGE = re.compile(r"page_data\.h")  # made by src/page.py
OTHERS = {  # kind: who
    "lwip": {"port"},
    "slirp": {"boards"},
    "jsmn": {"src/json.c"},
    "page": {"src/page.c"},
    "system": {"boards", "client", "port/net_kernel.c"},
}
# What the port has to give to lwIP: errno, formats, struct timeval.
PORT_SYSTEM = {"errno.h", "inttypes.h", "sys/time.h"}


def room_of(path):
    """The room that a file of ours stands in; None when there is no such room."""
    folder, name = os.path.split(path)
    stem = name.rsplit(".", 1)[0]
    if folder == "src":
        return stem if stem in ROOMS and stem not in ("board", "client", "port", "boards") else None
    if path == "boards/board.h":
        return "board"
    if folder == "boards/linux-client":
        return "client"
    top = path.split("/")[0]
    if top == "boards":
        return "boards" if folder != "boards" else None
    return top if top in ("port", "firmware") else None


def find(name, path):
    """The file of ours that an #include in path means, or None."""
    for folder in (os.path.dirname(path), "."):
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(candidate) and not candidate.startswith(("..", "/", "build/")):
            return candidate
    if os.path.isfile(os.path.join("port", name)):  # lwipopts.h
        return os.path.join("port", name)
    return None


def folders_named(folder):
    """The other folders of boards/ that the .mk files of one name: it is built with them."""
    named = set()
    for name in os.listdir(folder):
        if name.endswith(".mk"):
            named |= set(re.findall(r"boards/[\w-]+", report.read(os.path.join(folder, name))))
    return named - {folder}


def kind_of(name):
    for kind, pattern in (("lwip", LWIP), ("slirp", SLIRP), ("jsmn", JSMN), ("page", PAGE)):
        if pattern.match(name):
            return kind
    return "system"


def fault_of(path, room, name, quoted):
    """What is wrong with this include, or None."""
    target = find(name, path) if quoted else None
    if target:
        other = room_of(target)
        if target.startswith("tests/"):
            return "only tests may include tests"
        if other is None:
            return f"{target} is in no room"
        if other != room and other not in ROOMS[room]:
            return f"room {room} may not include room {other}"
        here, there = os.path.dirname(path), os.path.dirname(target)
        if other == room == "boards" and here != there and there not in folders_named(here):
            return f"a board may include another only where its .mk names it: {there}"
        return None
    kind = kind_of(name)
    if kind == "system":
        if quoted:
            return "there is no such file"
        if name in FREESTANDING or (room == "port" and name in PORT_SYSTEM):
            return None
    if room in OTHERS[kind] or path in OTHERS[kind]:
        return None
    return f"room {room} may not include a header of {'the ' if kind == 'system' else ''}{kind}"


def include_faults(path):
    room = room_of(path)
    if room is None:
        return [f"{path}: stands in no room of the table"]
    faults = []
    text = report.code_only(report.read(path), keep_strings=True)
    first_quoted = None
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\b\s*(?:"([^"]*)"|<([^>]*)>)?', line)
        if not match:
            continue
        name = match.group(1) or match.group(2)
        if name is None:
            faults.append(f"{path}:{number}: an #include must name its file")
            continue
        first_quoted = first_quoted or (name if match.group(1) else None)
        fault = fault_of(path, room, name, quoted=bool(match.group(1)))
        if fault:
            faults.append(f"{path}:{number}: includes {name}: {fault}")
    own = path[:-2] + ".h"
    if path.endswith(".c") and os.path.isfile(own) and first_quoted != os.path.basename(own):
        if first_quoted != own:
            faults.append(f"{path}: its own header comes first")
    return faults


def test_faults(path):
    """Tests may include all, but jsmn stays json's own."""
    names = re.findall(r'^\s*#\s*include\s*["<]([^">]*)', report.read(path), re.MULTILINE)
    return [f"{path}: includes {name}: only src/json.c may" for name in names if JSMN.match(name)]


def top_faults():
    faults = []
    for name in sorted(os.listdir(".")):
        if name == "build" or name.startswith("."):
            continue
        if os.path.isdir(name):
            if name not in TOP_FOLDERS:
                faults.append(f"{name}/: no such folder at the top (DESIGN)")
        elif not TOP_FILES.fullmatch(name):
            faults.append(f"{name}: at the top stand only the Makefile and documents")
    return faults


def table_faults():
    """The table itself must run one way."""
    order, left = [], dict(ROOMS)
    while left:
        free = [room for room in left if all(other in order for other in left[room])]
        if not free:
            return [f"the table runs in a circle: {', '.join(sorted(left))}"]
        order += free
        for room in free:
            del left[room]
    return []


def main():
    report.start()
    faults = table_faults() + top_faults()
    for path in report.files(report.ROOMS, (".c", ".h", ".S")):
        faults += include_faults(path)
    for path in report.files(["tests"], (".c", ".h")):
        faults += test_faults(path)
    report.finish("includes", faults, "the table is in tests/check/includes.py")


if __name__ == "__main__":
    sys.exit(main())

"""Instructions for a callback and for a poll, against those that instructions.txt keeps:
instructions.py [--write] PROGRAM COMPILER…

PROGRAM is build/linux/client_board, a program of ours whose card is a client. callgrind counts a run
of it, and one with more requests; of the difference each has its part. A file's figure is that of
its own code, wherever it was inlined, and of the C library's for it.

Then a callback's of a bare board, all included, as QEMU counts (tests/bench/icount.py): the least of
some runs, since acknowledgements that come apart from requests cost, and when they come is up to this
machine. A poll's are more than its work for the same reason, and are not compared.

Another compiler makes other code: it has nothing to say about the kept figures, so that the check is
skipped, aloud. --write writes the file anew.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import report

sys.path.insert(0, f"{report.ROOT}/tests/bench")

import icount  # noqa: E402

KEPT = "tests/check/instructions.txt"
BARE = "mps2-an385"
FLAGS = "-O3 -g -flto=auto -ffat-lto-objects"  # the product's
COMPILER = "gcc 12 x86_64"
REQUESTS = 1000  # in a second of the board's clock: what is done once in each is in, in proportion
ICOUNT_REQUESTS = 400
BOOTS = 3
TOLERANCE = 0.03
TOLERANCE_LEAST = 15  # instructions: of a small file, 3 % are nothing
TIMEOUT_S = 100
WORK = ("callback", "poll with nothing new")

OURS = ("src", "port", "firmware")


def row_of(path):
    """The row that a source file belongs to; None: of none, as the client's."""
    path = path.removeprefix(report.ROOT + "/")
    if path.endswith("/jsmn.h"):
        return "jsmn"
    if "lwip/src/" in path:
        return "lwIP"
    return path.rsplit(".", 1)[0] if path.split("/")[0] in OURS else None


def counts(path):
    """By row, of a file that callgrind wrote. Its manual, chapter 6, has the format."""
    rows, names = {}, {"file": {}, "object": {}}
    here = object_here = called = None
    calling = False

    def name(kind, text):
        number, _, rest = text.partition(" ")
        return names[kind].setdefault(number, rest)

    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _, text = line.rstrip("\n").partition("=")
            if key in ("fl", "fi", "fe"):
                here = row_of(name("file", text))
            elif key == "ob":
                object_here = called = name("object", text)
            elif key == "cob":
                called = name("object", text)
            elif key in ("cfi", "cfl"):
                name("file", text)
            elif key == "calls":
                calling = True
            elif re.match(r"[+*\d-]", line):
                if here is not None and (not calling or called != object_here):
                    rows[here] = rows.get(here, 0) + int(line.split()[1])
                if calling:
                    calling, called = False, object_here
    return rows


def run(program, callbacks, polls):
    callback = icount.CALLBACK.replace(b"123456789", b"#########").replace(b"user123", b"user###")
    requests = [callback, icount.GET % (b"/status?since=%d" % REQUESTS)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program,
             str(callbacks), str(polls), *requests],
            capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            report.finish("instructions", [f"{program} ended badly: {done.stderr[-300:]}"], "")
        return counts(f"{folder}/out")


def measured(program):
    """Of each kind of work: instructions by row."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        few, more, polls = pool.map(
            lambda n: run(program, *n), ((REQUESTS, 0), (2 * REQUESTS, 0), (REQUESTS, REQUESTS))
        )
    found = {}
    for work, after in zip(WORK, (more, polls)):
        parts = {row: round((n - few.get(row, 0)) / REQUESTS) for row, n in after.items()}
        parts["ours"] = sum(n for row, n in parts.items() if row.split("/")[0] in OURS)
        found.update({(work, row): n for row, n in parts.items() if n != 0})
    found[WORK[0], BARE] = round(min(icount.figures(BARE, ICOUNT_REQUESTS)[0] for _ in range(BOOTS)))
    return found


def kept():
    found = {}
    for line in report.read(KEPT).splitlines():
        match = re.fullmatch(r"(\w[\w ]*): (\S+) (\d+)", line)
        if match:
            found[match.group(1, 2)] = int(match.group(3))
    return found


def written(found):
    order = {work: i for i, work in enumerate(WORK)}
    last = {"ours": 1, "jsmn": 2, "lwIP": 3, BARE: 4}
    rows = sorted(found, key=lambda key: (order[key[0]], last.get(key[1], 0), -found[key], key))
    return "".join(f"{work}: {row} {found[work, row]}\n" for work, row in rows)


HEAD = f"""# Instructions for one callback, and for one poll with nothing new, by file: {COMPILER}, {FLAGS}.
# "ours" is the sum without jsmn and lwIP; {BARE} is all of that board's.
# `make instructions` writes this file; `make check-instructions` compares.
"""


def compare(found):
    """What is more than it was, as lines of faults; and what is much less, as lines to be told."""
    before = kept()
    more, less = [], []
    for key in sorted(before.keys() | found.keys()):
        was, now = before.get(key, 0), found.get(key, 0)
        line = f"a {key[0]}: {key[1]}: {was} instructions are kept, {now} now"
        if now - was > max(TOLERANCE * was, TOLERANCE_LEAST):
            more.append(line)
        elif was - now > max(TOLERANCE * was, TOLERANCE_LEAST):
            less.append(line)
    return more, less


def unable(compiler):
    """Why nothing can be counted here, or None."""
    command = compiler.split()
    version = subprocess.run([command[0], "-dumpversion"], capture_output=True, text=True, check=False)
    here = f"{command[0]} {version.stdout.split('.')[0].strip()} {os.uname().machine}"
    if here != COMPILER or " ".join(command[1:]) != FLAGS:
        return f"kept are the figures of {COMPILER} {FLAGS}; this is {here} {' '.join(command[1:])}"
    if shutil.which("valgrind") is None:
        return "no valgrind (make deps)"
    return None


def main():
    report.start()
    write = sys.argv[1] == "--write"
    program, *compiler = sys.argv[1 + write :]
    why = unable(" ".join(compiler))
    if why:
        report.skip("instructions", why)
    found = measured(program)
    if write:
        with open(KEPT, "w", encoding="ascii") as file:
            file.write(HEAD + written(found))
        print(HEAD + written(found), end="")
        return
    more, less = compare(found)
    for line in less:
        print(f"less: {line}: please keep that (make instructions)")
    report.finish("instructions", more, "make instructions keeps other figures, where they have a reason")


if __name__ == "__main__":
    main()

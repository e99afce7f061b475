"""How a check says what it found: one line `ok NAME`, or `FAIL NAME: why (what to do)`."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOMS = ("src", "port", "firmware", "boards")


def start():
    """Every check works from the repository's root."""
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    os.chdir(ROOT)


def finish(name, faults, advice):
    """Prints the faults, and ends the program."""
    if faults:
        for fault in faults:
            print(f"FAIL {name}: {fault}")
        print(f"({name}: {advice})")
        sys.exit(1)
    print(f"ok {name}")
    sys.exit(0)


def skip(name, why):
    print(f"skip {name}: {why}")
    sys.exit(0)


def files(folders, endings):
    """Paths below the folders with one of these endings, sorted."""
    found = []
    for folder in folders:
        for path, folders_in, names in os.walk(folder):
            folders_in[:] = [name for name in folders_in if name != "__pycache__"]
            found += [os.path.join(path, name) for name in names if name.endswith(endings)]
    return sorted(found)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


PIECES = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)


def code_only(text, keep_strings=False):
    """C without comments and, unless kept, without what stands in literals; lines stay lines."""

    def blank(match):
        piece = match.group()
        if piece[0] == "/":
            return " " + "\n" * piece.count("\n")
        return piece if keep_strings else piece[0] * 2

    return PIECES.sub(blank, text)

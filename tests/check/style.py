"""What STYLE asks for that a few lines of code can see.

- No conditional compilation of ours but include guards, outside src/limits.h, port/ and boards/.
- Headers in src/ have under 150 lines, a guard named after them, and no data.
- No text of others: no copyright notice, no licence text, no copy of lwIP or jsmn.
- No struct, union or enum behind a typedef in src/ and firmware/.
- Nothing left to do in the code.
"""

import os
import re
import sys

import report

HEADER_LINES = 150

CONDITIONAL = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else|endif)\b(.*)$", re.MULTILINE)
NOTICE = re.compile(
    r"copyright\b|\(c\) *[12][0-9]{3}|©|all rights reserved|SPDX-License|permission is hereby"
    r"|redistribution and use|licensed under|@author|\bauthors?:",
    re.IGNORECASE,
)
TYPEDEF = re.compile(r"\btypedef\s+(?:const\s+)?(?:struct|union|enum)\b")
DATA = re.compile(r"^\w[\w *]*[ *]\w+(?:\[[^\]]*\])*\s*=", re.MULTILINE)
LEFT = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
OTHERS_FILES = re.compile(r"jsmn\.[ch]|lwip(-|_)?\d.*|cmocka\.h|.*\.(orig|rej|patch|diff)")


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def guard_of(path, conditionals, code):
    """The header's guard taken off its conditionals; a fault as text where there is none."""
    name = "QR_" + os.path.basename(path)[:-2].upper() + "_H"
    first = re.search(r"^[ \t]*#.*$", code, re.MULTILINE)
    whole = (
        len(conditionals) >= 2
        and first
        and first.group().split() == ["#ifndef", name]
        and re.search(rf"^#define {name}$", code, re.MULTILINE)
        and conditionals[-1].group(1) == "endif"
        and not code[conditionals[-1].end() :].strip()
    )
    if not whole:
        return conditionals, [f"{path}: no guard {name} around all of it"]
    return conditionals[1:-1], []


def conditional_faults(path, code):
    conditionals = list(CONDITIONAL.finditer(code))
    faults = []
    if path.endswith(".h"):
        conditionals, faults = guard_of(path, conditionals, code)
    if path == "src/limits.h":
        return faults
    for found in conditionals:
        where = line_of(code, found.start())
        faults.append(f"{path}:{where}: #{found.group(1)}{found.group(2)}: conditional compilation")
    return faults


def header_faults(path, text, code):
    faults = []
    lines = text.count("\n")
    if lines >= HEADER_LINES and path != "src/limits.h":  # a list, each with its reason
        faults.append(f"{path}: {lines} lines, under {HEADER_LINES} are wanted")
    for found in DATA.finditer(code):
        faults.append(f"{path}:{line_of(code, found.start())}: data in a header")
    return faults


def text_faults(path, text):
    faults = []
    if OTHERS_FILES.fullmatch(os.path.basename(path)):
        faults.append(f"{path}: a file of somebody else's")
    for pattern, what in ((NOTICE, "a notice as others' text has it"), (LEFT, "left to do")):
        for found in pattern.finditer(text):
            faults.append(f"{path}:{line_of(text, found.start())}: {found.group()}: {what}")
    return faults


def main():
    report.start()
    faults = []
    for path in report.files(("src", "firmware"), (".c", ".h")):
        text = report.read(path)
        code = report.code_only(text)
        faults += conditional_faults(path, code)
        if path.startswith("src/") and path.endswith(".h"):
            faults += header_faults(path, text, code)
        for found in TYPEDEF.finditer(code):
            faults.append(f"{path}:{line_of(code, found.start())}: {found.group()}: no typedef")
    everywhere = report.files(report.ROOMS + ("tests",), ("",))
    for path in everywhere + ["Makefile"]:
        if path != "tests/check/style.py" and "\0" not in report.read(path)[:1024]:
            faults += text_faults(path, report.read(path))
    report.finish("style", faults, "see STYLE; a limit of ours belongs in src/limits.h")


if __name__ == "__main__":
    sys.exit(main())

"""Which lines and branches of the server, of its port and of what else needs no board the unit tests
reach: coverage.py BUILD [-v], where BUILD holds them built by
gcc with --coverage.

Prints a table by file, and with -v also each line that is not reached and each that has a branch
which is not taken. Every line has to be reached, and 95 % of the branches in src/. A line that is
not stands in tests/check/coverage.txt, with its reason; what stands there and is reached is a fault
too.

Counted are the branches that gcc makes without optimizing: two for each condition, one for each case
of a switch. Those of an assert() are not: one side of it is what must not happen.
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import report

LISTED = "tests/check/coverage.txt"
FOLDERS = ("src", "port")
BESIDE = ("firmware/settings.c", "boards/mps2/blob.c", "boards/mps2/chance.c")
BRANCHES_PERCENT = 95
TEST_TIMEOUT_S = 300

ASSERT = re.compile(r"\s*assert\(")
HEAD = re.compile(r"[a-z][\w *]*?\b(\w+)\(")


def run_tests(build):
    """Runs each unit test from nothing; returns the names of those that failed."""
    for path in report.files([build], (".gcda",)):
        os.remove(path)
    tests = [f"{build}/{path[:-2].split('/')[-1]}" for path in report.files(["tests/unit"], (".c",))]
    tests = [path for path in tests if "/test_" in path]

    def failed(path):
        done = subprocess.run([path], capture_output=True, timeout=TEST_TIMEOUT_S, check=False)
        return done.returncode != 0

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [path for path, bad in zip(tests, pool.map(failed, tests)) if bad]


def counts_of(build):
    """By file of ours and line: how often it was reached, and each of its branches."""
    notes = [path for path in report.files([f"{build}/obj"], (".gcno",)) if wanted(source(path, build))]
    done = subprocess.run(
        ["gcov", "--branch-probabilities", "--json-format", "--stdout"] + notes, capture_output=True, text=True, check=True
    )
    files = {}
    for unit in done.stdout.splitlines():
        for file in json.loads(unit)["files"]:
            if wanted(file["file"]):
                add_lines(files.setdefault(file["file"], {}), file["lines"])
    return files


def source(note, build):
    return note[len(f"{build}/obj/") : -len(".gcno")] + ".c"


def wanted(path):
    return path.split("/")[0] in FOLDERS or path in BESIDE


def add_lines(file, lines):
    """A header's inline functions are in many objects: what one of them reaches is reached."""
    for line in lines:
        count, branches = file.setdefault(line["line_number"], [0, []])
        more = [branch["count"] for branch in line["branches"]]
        if len(branches) == len(more):
            branches = [a + b for a, b in zip(branches, more)]
        else:
            branches = branches or more
        file[line["line_number"]] = [count + line["count"], branches]


def without_asserts(path, lines):
    """Takes the branches off the lines of an assert(), up to its semicolon."""
    inside = False
    for number, text in enumerate(report.read(path).split("\n"), 1):
        inside = inside or ASSERT.match(text) is not None
        if inside and number in lines:
            lines[number][1] = []
        inside = inside and not text.rstrip().endswith(";")


def listed():
    """File, function and code of a line, "*" for all of the function: its reason."""
    found = {}
    for line in report.read(LISTED).splitlines():
        if line and not line.startswith("#"):
            path, function, code, reason = (part.strip() for part in line.split(" | "))
            found[path, function, code] = reason
    return found


def percent(part, whole):
    return "     -" if whole == 0 else f"{100 * part / whole:5.1f}%"


def table(files):
    """Prints it; returns lines, lines reached, branches, branches reached, by folder."""
    sums = {}
    print(f"{'':24} {'lines':>6}        {'branches':>8}")
    for path in sorted(files):
        lines = files[path].values()
        sizes = [len(lines), sum(1 for count, _ in lines if count),
                 sum(len(branches) for _, branches in lines),
                 sum(1 for _, branches in lines for count in branches if count)]
        total = sums.setdefault(path.split("/")[0], [0, 0, 0, 0])
        sums[path.split("/")[0]] = [a + b for a, b in zip(total, sizes)]
        row(path, sizes)
    for folder, sizes in sums.items():
        row(f"{folder}/", sizes)
    return sums


def row(name, sizes):
    lines, reached, branches, taken = sizes
    print(f"{name:24} {lines:6} {percent(reached, lines)} {branches:8} {percent(taken, branches)}")


def function_of(text):
    """The function that the last of these lines is in: its head begins in column 1."""
    for line in reversed(text):
        head = HEAD.match(line)
        if head:
            return head.group(1)
    return ""


def missed(files, tell):
    """The lines that are not reached, as listed() names them, and where they are."""
    lines_missed = {}
    for path in sorted(files):
        text = report.read(path).split("\n")
        for number, (count, branches) in sorted(files[path].items()):
            code, function = text[number - 1].strip(), function_of(text[:number])
            left = sum(1 for taken in branches if not taken)
            if count == 0:
                lines_missed[path, function, code] = f"{path}:{number}: not reached: {code}"
                tell(lines_missed[path, function, code])
            elif left:
                tell(f"{path}:{number}: {left} of {len(branches)} branches not taken: {code}")
    return lines_missed


def line_faults(lines_missed):
    """Lines that are missed and not listed; and the other way round."""
    reasons = listed()
    faults, used = [], set()
    for (path, function, code), where in lines_missed.items():
        names = {(path, function, code), (path, function, "*")} & set(reasons)
        used |= names
        if not names:
            faults.append(where)
    for name in reasons:
        if name not in used:
            faults.append(f"{LISTED}: reached, or not there: {' | '.join(name)}")
    return faults


def main():
    report.start()
    build = sys.argv[1]
    failed = run_tests(build)
    if failed:
        report.finish("coverage", [f"{path} fails" for path in failed], "make unit")
    files = counts_of(build)
    for path, lines in files.items():
        without_asserts(path, lines)
    sums = table(files)
    faults = line_faults(missed(files, print if "-v" in sys.argv else lambda line: None))
    _, _, branches, taken = sums["src"]
    if 100 * taken < BRANCHES_PERCENT * branches:
        faults.append(f"src/: {percent(taken, branches)} of branches, {BRANCHES_PERCENT} are wanted")
    report.finish("coverage", faults, f"test what is not reached, or name it in {LISTED}")


if __name__ == "__main__":
    sys.exit(main())

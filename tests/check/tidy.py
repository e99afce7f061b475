"""clang-tidy on each C file of ours, with the checks of .clang-tidy: tidy.py (FILE 'FLAGS')…"""

import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import report


FINDING = re.compile(r"([^:\s]+):\d+:\d+: (?:warning|error): ")


def run(path, flags):
    """What clang-tidy has to say on one file: lines, empty when nothing."""
    command = ["clang-tidy", "--quiet", path, "--"] + shlex.split(flags)
    done = subprocess.run(command, capture_output=True, text=True)
    lines, ours = [], False
    for line in done.stdout.replace(os.getcwd() + "/", "").splitlines():
        finding = FINDING.match(line)
        if finding:  # the lines after it, notes and excerpts, go with it
            ours = finding.group(1).split("/")[0] in report.ROOMS
        if ours:
            lines.append(line)
    faults = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error:")]
    if faults or (done.returncode and not done.stdout):  # it did not come to look
        lines = [f"{path}:0:0: error: clang-tidy ended with {done.returncode}"] + faults
    return lines


def main():
    report.start()
    try:
        subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True)
    except OSError:
        report.finish("tidy", ["no clang-tidy"], "make deps")
    pairs = list(zip(sys.argv[1::2], sys.argv[2::2]))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = [line for lines in pool.map(lambda pair: run(*pair), pairs) for line in lines]
    faults = {line for line in found if FINDING.match(line)}
    if faults:
        print("\n".join(found))
        report.finish("tidy", [f"{len(faults)} findings, above"], "the checks are in .clang-tidy")
    report.finish("tidy", [], "")


if __name__ == "__main__":
    sys.exit(main())

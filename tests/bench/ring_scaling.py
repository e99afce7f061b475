"""What a push and a status document cost in rings of 4 KB to 16 MB: instructions where valgrind is
there, else CPU time. The ratio, in brackets, is to the smallest ring.

    ring_scaling.py PROGRAM
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

SIZES = {"4 KB": 4 << 10, "64 KB": 64 << 10, "1 MB": 1 << 20, "16 MB": 16 << 20}


def run(words):
    """Name, how often and ns for each, of each line."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def nanoseconds(program, size):
    return {name: float(ns) for name, _, ns in run([program, str(size)])}


def instructions(program, size):
    """One file of callgrind's for each time that measured() ends."""
    with tempfile.TemporaryDirectory() as folder:
        lines = run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                     "--toggle-collect=measured", "--dump-after=measured", program, str(size)])
        counts = []
        for path in sorted(glob.glob(f"{folder}/out.*"), key=lambda p: int(p.rpartition(".")[2])):
            with open(path, encoding="utf-8") as file:
                counts.append(int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M)[1]))
    return {name: count / int(times) for (name, times, _), count in zip(lines, counts, strict=True)}


def main():
    program = os.path.abspath(sys.argv[1])
    cost, unit = (instructions, "instructions") if shutil.which("valgrind") else (nanoseconds, "ns")
    found = {label: cost(program, size) for label, size in SIZES.items()}
    smallest = next(iter(found.values()))
    print(f"ring: {unit:25}" + "".join(f"{label:>17}" for label in found))
    for name, base in smallest.items():
        row = "".join(f"{values[name]:9.0f} ({values[name] / base:5.2f})" for values in found.values())
        print(f"ring: {name:25}{row}")


if __name__ == "__main__":
    main()

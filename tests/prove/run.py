#!/usr/bin/python3
"""Proves what the files in this folder say, with CBMC: run.py [NAME…], without a name all.

A line for each proof: `proved NAME: what for, N checks, S s`; or `FAIL NAME: …` and the property that
does not hold. Ends with status 1 when one fails.

Looked at are, besides each assert(): bounds of arrays and objects, pointers and what is done with
them, overflow of signed and of unsigned numbers, shifts, division by zero, and whether each loop
ends within its bound. Arithmetic of 64 bits, little endian; char is signed.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = "tests/prove"
TIMEOUT_S = 1200

PROOF = re.compile(r'^\w*PROOF\((\w+),\s*"([^"]*)"', re.MULTILINE)
OPTIONS = re.compile(r"^ \* CBMC's options: (.*)", re.MULTILINE)
CHECKS = ["--pointer-overflow-check", "--unsigned-overflow-check", "--unwinding-assertions",
          "--stop-on-fail", "--object-bits", "12"]
INCLUDES = ["-I.", "-I" + (os.environ.get("JSMN_DIR") or "build/jsmn")]
VIOLATED = re.compile(r"^Violated property:\n((?:  .*\n)+)", re.MULTILINE)


def proofs():
    """Name, file, what for, CBMC's options."""
    found = []
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".c"):
            path = os.path.join(HERE, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            options = OPTIONS.search(text).group(1).split()
            found += [(proof, path, what, options) for proof, what in PROOF.findall(text)]
    return found


def prove(cbmc, proof):
    """Whether it holds, and what there is to say."""
    name, path, what, options = proof
    begin = time.monotonic()
    try:
        done = subprocess.run(
            [cbmc, path, "--function", f"prove_{name}", "--verbosity", "8"]
            + INCLUDES + CHECKS + options,
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"FAIL {name}: no answer after {TIMEOUT_S} s"
    seconds = time.monotonic() - begin
    checks = re.search(r"^Generated (\d+) VCC", done.stdout, re.MULTILINE)
    if done.returncode == 0 and checks:
        return True, f"proved {name}: {what}, {checks.group(1)} checks, {seconds:.1f} s"
    violated = VIOLATED.search(done.stdout)
    why = violated.group(1).rstrip() if violated else (done.stdout + done.stderr)[-2000:]
    return False, f"FAIL {name}: {what}: does not hold\n{why}"


def main():
    os.chdir(ROOT)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    cbmc = "build/cbmc/cbmc" if os.path.exists("build/cbmc/cbmc") else shutil.which("cbmc")
    if cbmc is None:
        sys.exit("quitring: no cbmc: make prove gets it")
    wanted = [proof for proof in proofs() if not sys.argv[1:] or proof[0] in sys.argv[1:]]
    unknown = set(sys.argv[1:]) - {proof[0] for proof in wanted}
    if unknown:
        sys.exit(f"quitring: no proof {', '.join(sorted(unknown))}")
    begin = time.monotonic()
    failed = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for holds, line in pool.map(lambda proof: prove(cbmc, proof), wanted):
            failed += not holds
            print(line, flush=True)
    print(f"{len(wanted) - failed} proved, {failed} failed, {time.monotonic() - begin:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

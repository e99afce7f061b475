"""What README.md shows is what happens.

```console blocks are run, in order, from the repository's root: a line `$ command`, then the lines
that it prints. `...` (or `…`) matches anything: alone on a line any lines, within a line any text.
A command must end with status 0. A command that ends in `&` stays in the background until all is
done; it is waited for until it has printed what the block shows. `make test` is not run: it is what
runs this.

```sh blocks are for what can't be run here (a clone, another machine's shell). They must parse, and
so must, there and wherever else the README has code, each `make TARGET` and each `quitring --OPTION`
be one that there is.

```python, ```go and ```javascript blocks are programs that follow what is stored: each is run, when all
console blocks were, until it has printed what the README's callback has stored, and what is stored
then. A ```yaml block is
Prometheus's configuration.

All of it happens in a network namespace of its own where that may be made, so that the ports that
the README names are free.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import report

README = "README.md"
TOOLS = "build/tools/usr/bin"  # where get_tools.sh puts what is not installed
STORED = "G001 user123"
CALLBACK = "http://127.0.0.1:8080/callbackAfterQuitGroupCommand"
PROGRAMS = {
    "python": ("follow.py", ["python3", "{}"]),
    "go": ("follow.go", ["go", "run", "{}"]),
    "javascript": ("follow.mjs", ["node", "{}"]),
}
PROGRAM = "build/linux/quitring"
COMMAND_TIMEOUT_S = 120
NOT_RUN = re.compile(r"make( -j\S*)? (test|run-tests|check|check-readme)")


def blocks(text):
    """(language, first line's number, lines) of each fenced block."""
    found, fence = [], None
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r"^\s*(```+|~~~+)\s*(\w*)", line)
        if fence is None and match:
            fence = match.group(1)
            found.append((match.group(2), number + 1, []))
        elif fence is not None and line.strip() == fence:
            fence = None
        elif fence is not None:
            found[-1][2].append(line)
    return found


def steps(first, lines):
    """(line number, command, expected lines) of a console block."""
    found, number = [], first
    lines = list(lines)
    while lines:
        line = lines.pop(0)
        if line.startswith("$ "):
            command = line[2:]
            at = number
            while command.endswith("\\") and lines:
                number += 1
                command += "\n" + re.sub(r"^> ?", "", lines.pop(0))
            found.append((at, command, []))
        elif found:
            found[-1][2].append(line.rstrip())
        elif line.strip():
            raise ValueError(f"line {number}: output before any command")
        number += 1
    for _, _, expected in found:
        while expected and not expected[-1]:
            expected.pop()
    return found


def pattern_of(expected, open_end):
    """A regular expression for the output that the block shows."""
    pattern = ""
    for line in expected:
        if line.strip() in ("...", "…"):
            pattern += r"(?:[^\n]*\n)*?"
        else:
            parts = [re.escape(part) for part in re.split(r"\.\.\.|…", line)]
            pattern += "[^\n]*?".join(parts) + r"[ \t\r]*\n"
    return re.compile(pattern + ("" if open_end else r"\Z"))


def matches(expected, output, open_end=False):
    if not open_end:  # empty lines at the end are not told apart, in a README or on a screen
        output = output.rstrip("\n") + "\n" if output.strip("\n") else ""
    return pattern_of(expected, open_end).match(output) is not None


def difference(expected, output):
    shown = "\n".join(f"      {line}" for line in expected) or "      (nothing)"
    printed = "\n".join(f"      {line}" for line in output.rstrip("\n").split("\n")[-40:])
    return f"the README shows\n{shown}\n    it printed\n{printed}"


def environment(home):
    """As in somebody's terminal: without what a make above us set, and without the progress meter
    that curl shows only where its output is not a terminal."""
    with open(os.path.join(home, ".curlrc"), "w", encoding="ascii") as file:
        file.write("no-progress-meter\n")
    drop = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKE_TERMOUT", "MAKE_TERMERR", "CC")
    env = {name: value for name, value in os.environ.items() if name not in drop}
    go = {"GOCACHE": os.path.abspath("build/test/go-cache"), "GOPATH": f"{home}/go",
          "GOPROXY": "off", "GO111MODULE": "off", "CGO_ENABLED": "0"}
    return dict(env, CURL_HOME=home, **go)


def start(command, output, env):
    return subprocess.Popen(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
    )


def text_of(output):
    with open(output.name, encoding="utf-8", errors="replace") as file:
        return file.read()


def foreground(command, expected, env):
    """What is wrong with how it went, or None."""
    with tempfile.NamedTemporaryFile() as output:
        process = start(command, output, env)
        try:
            status = process.wait(COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"not done after {COMMAND_TIMEOUT_S} s; so far: {text_of(output)}"
        printed = text_of(output)
        if status != 0:
            return f"ended with status {status}: {printed.strip()}"
        if not matches(expected, printed):
            return difference(expected, printed)
    return None


def background(command, expected, env, running):
    """Starts it and waits until it has printed what is expected."""
    output = tempfile.NamedTemporaryFile()
    process = start(command.rstrip().rstrip("&"), output, env)
    running.append((process, output))
    return until(process, output, expected)


def until(process, output, expected):
    """Waits until all that it has printed begins so. What is wrong, or None."""
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    while not matches(expected, text_of(output), open_end=True):
        if process.poll() is not None or time.monotonic() > deadline:
            return difference(expected, text_of(output))
        time.sleep(0.02)
    return None


def stop(running):
    for process, output in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.close()


def follow(language, lines, folder, env, running, told):
    """Runs a program until it has told what was stored, and what is stored then. told grows by the
    latter. What is wrong, or None."""
    name, words = PROGRAMS[language]
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    command = " ".join(words).format(path)
    fault = background(command, told, env, running)
    if fault:
        return fault
    told.append(f"G002 {language}")
    subprocess.run(["curl", "-s", "-d", json.dumps({"groupID": "G002", "userID": language}), CALLBACK],
                   env=env, check=True, capture_output=True, timeout=COMMAND_TIMEOUT_S)
    process, output = running[-1]
    return until(process, output, told)


def config_fault(lines, folder, env):
    path = os.path.join(folder, "prometheus.yml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    env = dict(env, PATH=f"{env['PATH']}:{TOOLS}")
    promtool = shutil.which("promtool", path=env["PATH"])
    if promtool is None:
        return None  # the end-to-end tests say what is missing
    done = subprocess.run([promtool, "check", "config", path], env=env, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stdout + done.stderr


def programs(text, folder, env, running):
    told = [STORED]
    for language, first, lines in blocks(text):
        fault = None
        if language in PROGRAMS:
            fault = follow(language, lines, folder, env, running, told)
        elif language == "yaml":
            fault = config_fault(lines, folder, env)
        if fault:
            yield f"{README}:{first}: {language}: {fault}"


def run(found, text, folder, env):
    """Runs all steps; stops at the first fault, since later steps build on earlier ones."""
    running = []
    try:
        for number, command, expected in found:
            if NOT_RUN.fullmatch(command.strip()):
                continue
            if command.rstrip().endswith("&"):
                fault = background(command, expected, env, running)
            else:
                fault = foreground(command, expected, env)
            if fault:
                return [f"{README}:{number}: {command}: {fault}"]
        return list(programs(text, folder, env, running))
    finally:
        stop(running)


def named_faults(text):
    """Targets and options that are named and are not there."""
    code = "\n".join(
        ["\n".join(lines) for language, _, lines in blocks(text) if language in ("sh", "console")]
        + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"(?ms)^\s*```.*?^\s*```", "", text))
    )
    makefile = report.read("Makefile")
    options = set()
    for command in ([], ["status"], ["tail"]):
        done = subprocess.run([PROGRAM, *command, "--help"], capture_output=True, text=True)
        options |= set(re.findall(r"--[a-z][a-z-]*", done.stdout + done.stderr))
    faults = []
    values = r"(?:[A-Za-z_]+=(?:\"[^\"]*\"|[^\"\s]\S*) )*"
    for target in re.findall(rf"(?m)(?:^|[;&|] *|\$ )make ({values}[a-z][\w-]*)", code):
        target = target.split(" ")[-1]
        if "=" not in target and not re.search(rf"(?m)^{re.escape(target)}(?: [\w -]+)?:", makefile):
            faults.append(f"{README}: make {target}: no such target")
    for line in re.findall(r"(?m)(?:^|[/ ])quitring( [^\n|;]*)", code):
        for option in re.findall(r"(?<=\s)--[a-z][a-z-]*", line):
            if option not in options:
                faults.append(f"{README}: quitring {option}: no such option")
    return sorted(set(faults))


def shell_faults(text):
    faults = []
    for language, first, lines in blocks(text):
        if language == "sh":
            done = subprocess.run(
                ["bash", "-n"], input="\n".join(lines), capture_output=True, text=True
            )
            if done.returncode != 0:
                faults.append(f"{README}:{first}: not a shell's: {done.stderr.strip()}")
        elif language in ("bash", "shell", "zsh") or (
            language != "console" and any(line.startswith("$ ") for line in lines)
        ):
            faults.append(f"{README}:{first}: a shell's block is marked sh, or console to be run")
    return faults


def own_network():
    """Runs this very check again in a network namespace of its own, where that can be had."""
    if os.environ.get("README_NETWORK"):
        return
    enter = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    inner = 'ip link set lo up && exec "$@"'
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    env = dict(os.environ, README_NETWORK="own", PATH=path)
    trial = enter + ["sh", "-c", inner, "sh"]
    try:
        if subprocess.run(trial + ["true"], env=env, capture_output=True).returncode != 0:
            return
    except OSError:
        return
    os.execvpe(trial[0], trial + [sys.executable] + sys.argv, env)


def main():
    report.start()
    if not os.path.exists(README):
        report.skip("readme", "there is no README.md yet")
    own_network()
    text = report.read(README)
    faults = shell_faults(text)
    try:
        found = [
            step
            for language, first, lines in blocks(text)
            if language == "console"
            for step in steps(first, lines)
        ]
    except ValueError as error:
        found = []
        faults.append(f"{README}: {error}")
    if not found:
        faults.append(f"{README} has no ```console block that is run")
    faults += named_faults(text)
    if not faults:
        with tempfile.TemporaryDirectory() as home:
            faults = run(found, text, home, environment(home))
    report.finish("readme", faults, "what the blocks mean is in tests/check/readme.py")


if __name__ == "__main__":
    main()

"""The board that the end-to-end tests are about: QUITRING_BOARD=NAME, one of `make -s names`; linux
where it is not set. What it is like is asked of the Makefile, not written down a second time."""

import os
import pathlib
import re
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAKE_S = 60

# Of the make that runs us, these are another board's.
NOT_OURS = ("CC", "WITHOUT", "BOARD_NEEDS", "PUBLISH", "SETTINGS", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")


def plain_environment(**extra):
    """The environment without settings of quitring, but those that are given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("QUITRING")}
    return dict(kept, **extra)


def arithmetic(text, known):
    """The value of a limit: a number, or made from other limits."""
    while re.search("[A-Z]", text.replace("U", "")):
        text = re.sub(r"QR_\w+", lambda name: known[name[0]], text)
    assert re.fullmatch(r"[0-9U ()+*/-]+", text), text
    return eval(text.replace("U", "").replace("/", "//"))  # the characters above only


class Board:
    def __init__(self, name):
        self.name = name
        self.board, self.arch = (name, "")
        if name.startswith("linux-"):  # for another processor
            self.board, self.arch = name.split("-")
        self.limits = self.ask_limits()

    def make(self, target, **variables):
        """What `make` prints."""
        words = [f"{name}={value}" for name, value in variables.items()]
        environment = {k: v for k, v in plain_environment().items() if k not in NOT_OURS}
        run = subprocess.run(
            ["make", "-s", "-C", ROOT, f"BOARD={self.board}", f"ARCH={self.arch}", *words, target],
            env=environment, capture_output=True, text=True, timeout=MAKE_S, check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def ask_limits(self):
        lines = self.make("limits").splitlines()
        said = dict(line.split("=", 1) for line in lines)
        return {name: arithmetic(value, said) for name, value in said.items()}

    def limit(self, name):
        """QR_name of src/limits.h, as this board is built."""
        return self.limits[f"QR_{name}"]

    @property
    def is_process(self):
        """It is the Linux program itself: it starts at once, so each test has one of its own."""
        return self.name == "linux"

    @property
    def is_machine(self):
        """It is a whole machine, inside QEMU."""
        return self.board != "linux"

    @property
    def is_image(self):
        """It is such a machine with Linux, which takes seconds to boot."""
        return "linux-image/" in (ROOT / "boards" / self.board / "board.mk").read_text()

    @property
    def nets(self):
        """user: a port of this machine is forwarded to it. tap: it is a host on a TAP device, and
        packet, behind a card. host: the kernel's sockets."""
        if self.is_process:
            return ("user", "host", "tap", "packet")
        return ("user", "tap") if self.is_machine else ("host",)

    @property
    def usual_net(self):
        return self.nets[0]

    def command(self, arguments, publish, netdev="", without=""):
        """The words, and the environment's variables, with which `make run` starts it.

        arguments: settings in the way of the command line, "--ring", "4096", "--verbose".
        without: what this build of it leaves out."""
        if self.is_machine:
            variables = {"PUBLISH": publish, "SETTINGS": as_settings(arguments)}
        else:
            variables = {"PUBLISH": publish, "ARGS": " ".join(map(str, arguments))}
        if netdev:
            variables["NETDEV"] = netdev
        return shlex.split(self.make("show-run", WITHOUT=without, **variables)), variables


def as_settings(arguments):
    """As the words name=value of SETTINGS."""
    words = []
    for argument in map(str, arguments):
        if argument.startswith("--"):
            words.append(argument[2:])
        else:
            words[-1] += f"={argument}"
    return " ".join(words)


BOARD = Board(os.environ.get("QUITRING_BOARD", "linux"))

"""What only bare metal has: faults and hangs that end in a restart, and the settings blob."""

import http.client
import itertools
import json
import re

import pytest

from boards import BOARD
from conftest import CLIENT_S, ROOT, free_port
from gdb import debugger

__test__ = BOARD.name.startswith("mps2-")

BLOB = 0x21000000
WATCHDOG_CONTROL = 0x40008008
CARD_RX_DATA = 0x40200000
FREE_CODE = 0x3FF00  # the last of the smaller board's, where no program reaches
BURST_BYTES = 32  # of boards/mps2/nic.c

# What is put there, and how the console names what comes of it. Thumb code.
CRASHES = {
    "undefined": (b"\xff\xde", r"fault: no such instruction .*"),
    "null": (b"\x00\x20\x00\x60", r"fault: no data may be there address=0x00000000 .*"),
    "overflow": (b"\xff\xb4\xfd\xe7", r"fault: .*the stack overflowed.*"),  # push all; again
    "hang": (b"\xfe\xe7", r"watchdog: the loop hangs .*"),  # to itself
}

SERVING = [
    r" *\d+\.\d{3} info  quitring \S+ is serving",
    r"open http://127\.0\.0\.1:\d+/",
    r"try  curl .*",
]


class Bare:
    def __init__(self, start, tmp_path, settings="", *arguments):
        self.port = free_port()
        self.gdb = tmp_path / "gdb"
        self.program = start.program(
            [ROOT / "boards/mps2/run", BOARD.name, "-gdb", f"unix:{self.gdb},server=on,wait=off"]
            + list(arguments),
            PUBLISH=f"127.0.0.1:{self.port}",
            SETTINGS=settings,
        )
        self.lines = 0

    def says(self, *patterns):
        """Waits for these lines on the console, and no other, behind those that were seen."""
        begin, self.lines = self.lines, self.lines + len(patterns)
        lines = self.program.output(self.lines)[begin : self.lines]
        assert len(lines) == len(patterns), (lines, self.program.errors())
        for pattern, line in zip(patterns, lines):
            assert re.fullmatch(pattern, line), (pattern, lines)

    def status(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CLIENT_S)
        connection.request("GET", "/status")
        document = json.loads(connection.getresponse().read())
        connection.close()
        return document


@pytest.fixture
def board(start, tmp_path):
    numbers = itertools.count()

    def boot(settings="", *arguments):
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return Bare(start, folder, settings, *arguments)

    return boot


@pytest.mark.parametrize("crash", CRASHES)
def test_mps2_restarts_after_a_crash(board, crash):
    code, line = CRASHES[crash]
    machine = board()
    machine.says(*SERVING)
    before = machine.status()
    with debugger(machine.gdb) as stopped:
        assert stopped.read(FREE_CODE, 16) == bytes(16)
        stopped.write(FREE_CODE, code + b"\xfe\xe7")
        stopped.jump(FREE_CODE)
    machine.says("", line + r"; restarting", *SERVING)
    after = machine.status()
    assert after["bootId"] != before["bootId"]
    assert after["uptimeMs"] < before["uptimeMs"] + 8000


def test_mps2_names_where_a_fault_was(board):
    machine = board()
    machine.says(*SERVING)
    with debugger(machine.gdb) as stopped:
        stopped.jump(0x30000000)
    machine.says("", r"fault: no code is here .* pc=0x30000000 lr=0x\w{8}; restarting", *SERVING)


def test_mps2_puts_the_card_in_order_when_its_fifo_was_overread(board):
    machine = board()
    machine.says(*SERVING)
    with debugger(machine.gdb) as stopped:
        stopped.read(CARD_RX_DATA, 4)
    machine.status()
    machine.says(r".* warn  the network card's receiver was in disorder: restarted")
    machine.status()


def test_mps2_moves_frames_of_every_length_through_the_fifos(board):
    """They pass in bursts of eight words, then in single words, and begin and end within one."""
    machine = board()
    machine.says(*SERVING)
    connection = http.client.HTTPConnection("127.0.0.1", machine.port, timeout=CLIENT_S)
    for n in range(2 * BURST_BYTES):
        path = "/x" + "x" * n  # comes back in the refusal, at least 64 bytes of it
        connection.request("GET", path)
        reply = connection.getresponse()
        assert path[:64] + '"' in reply.read().decode("ascii")
        assert reply.status == 404
    connection.close()


def test_mps2_stops_at_a_wrong_setting(board):
    machine = board("ring=1", "-no-reboot")  # QEMU would end
    machine.says(
        r".* error settings blob line 2: ring=1: takes bytes from .*", r".* info  stopped"
    )
    with debugger(machine.gdb) as stopped:
        assert stopped.read(WATCHDOG_CONTROL, 4) == bytes(4)  # which would start it anew


def test_mps2_takes_settings(board):
    machine = board("addr=10.0.2.20/24 port=8000 ring=4K")
    machine.says(*SERVING)
    assert machine.status()["ring"]["capacityBytes"] == 4096


@pytest.mark.parametrize(
    "place, data, line",
    [
        (0, b"\xff\xff\xff\xff", r".* info  no settings blob: defaults"),
        (8, b"\x02", r".* warn  settings blob: its version is not 1: defaults"),
        (12, b"\xff\xff", r".* warn  settings blob: its text is too long: defaults"),
        (50, b"?", r".* warn  settings blob: its checksum is wrong: defaults"),
    ],
    ids=["absent", "version", "length", "checksum"],
)
def test_mps2_uses_defaults_without_a_whole_blob(board, place, data, line):
    machine = board("ring=4K", "-S")
    with debugger(machine.gdb) as stopped:
        stopped.write(BLOB + place, data)
    machine.says(line, r".* warn  no seed: .*", SERVING[0], r"open http://10\.0\.2\.15/")
    assert machine.status()["ring"]["capacityBytes"] > 4096


def test_mps2_gives_each_start_another_boot_id(board):
    ids = set()
    for _ in range(3):
        machine = board("", "-icount", "shift=5")  # the same moments in each: the seed is all
        machine.says(*SERVING)
        ids.add(machine.status()["bootId"])
    assert len(ids) == 3

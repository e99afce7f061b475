"""The smallest board in a build without all that can be left out. What the whole one does is looked at
by the other files; this one has to do the same, but for what is not there."""

import time

import pytest

from boards import BOARD
from conftest import READY_S, Machine, free_port
from test_short import exercise

__test__ = BOARD.name == "mps2-an511"

WITHOUT = "ipv6 mdns ntp page"


@pytest.fixture
def lean(start):
    def boot(*arguments):
        where = f"127.0.0.1:{free_port()}"
        return start.keep(Machine(arguments, where, "user", without=WITHOUT))

    return boot


def test_lean_serves_and_takes_settings_that_decline_what_is_left_out(lean):
    board = lean("--ring", "4K", "--ipv6", "no", "--mdns", "no", "--ntp", "off")
    assert board.ready() is not None, board.errors()
    exercise(board)
    assert board.status()["time"] is None
    page = board.ask("GET", "/", headers={"Accept-Encoding": "gzip"})
    assert page.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("setting, why", [
    ("ipv6=yes", "takes no: this build is without it"),
    ("mdns=yes", "takes no: this build is without it"),
    ("help=yes", "takes no: this build is without it"),
    ("ntp=dhcp", "takes off: this build is without NTP"),
])
def test_lean_refuses_what_is_left_out(lean, setting, why):
    board = lean("--" + setting)
    deadline = time.monotonic() + READY_S
    while "stopped" not in board.errors():
        assert time.monotonic() < deadline, board.errors()
        time.sleep(0.01)
    assert f"settings blob line 2: {setting}: {why}" in board.errors()
    assert "is serving" not in board.errors()

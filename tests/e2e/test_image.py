"""What is special about the Linux images: how the machine starts and ends. Only where one of them is
QUITRING_BOARD; what it serves, the other files look at."""

import contextlib
import http.client
import os
import re
import select
import shutil
import subprocess
import time

import pytest

from boards import BOARD, ROOT, plain_environment
from conftest import CLIENT_S, EXIT_S, HANDLED, QUIT, READY_S, free_port, inside, quit_body

__test__ = BOARD.is_image

CTRL_C = b"\x03"
TOLD = r"open http://([0-9.]+)(?::\d+)?/\r?\n"
OFF = "reboot: Power down"  # the kernel's last words
CARD_MAC = "52:54:00:12:34:56"  # of the first card that QEMU gives to a machine


class Console:
    """A board in the foreground, with what it writes and a keyboard."""

    def __init__(self, arguments, publish="", namespace=None, tap=None):
        netdev = f"tap,ifname={tap},script=no,downscript=no" if tap else ""
        command, variables = BOARD.command(arguments, publish, netdev)
        self.seen = ""
        with inside(namespace):
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=plain_environment(**variables),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )

    def read(self, deadline):
        """Waits for more. False: it has ended."""
        fd = self.process.stdout.fileno()
        left = max(0, deadline - time.monotonic())
        assert select.select([fd], [], [], left)[0], f"says no more: {self.seen}"
        data = os.read(fd, 65536)
        self.seen += data.decode("utf-8", errors="replace")
        return data != b""

    def until(self, pattern):
        deadline = time.monotonic() + READY_S
        while (found := re.search(pattern, self.seen)) is None:
            assert self.read(deadline), f"ended: {self.seen}"
        return found

    def type(self, keys):
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def switched_off(self, within_s):
        """Waits until it has switched itself off, and says so."""
        deadline = time.monotonic() + within_s
        while self.read(deadline):
            pass
        assert self.process.wait(EXIT_S) == 0
        assert OFF in self.seen
        return True

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def boot(networks_made):
    """Starts boards, which end before the networks that they are on."""
    with contextlib.ExitStack() as stack:

        def boot_one(*arguments, **where):
            console = Console(arguments, **where)
            stack.callback(console.end)
            return console

        yield boot_one


def ask(host, port, method, target, body=None):
    connection = http.client.HTTPConnection(host, port, timeout=CLIENT_S)
    with contextlib.closing(connection):
        connection.request(method, target, body)
        return connection.getresponse().read()


def test_image_switches_itself_off_on_ctrl_c(boot):
    port = free_port()
    board = boot("--verbose", publish=f"127.0.0.1:{port}")
    board.until(TOLD)
    assert ask("127.0.0.1", port, "POST", QUIT, quit_body("G", "U")) == HANDLED
    board.type(CTRL_C)
    assert board.switched_off(EXIT_S)
    assert "info  stopping" in board.seen


@pytest.mark.parametrize("setting,why", [
    (("--ring", "much"), "environment: ring=much: takes bytes"),
    (("--net", "packet:eth7"), "packet:eth7: no such interface"),
])
def test_image_that_cannot_serve_says_why_and_switches_off(boot, setting, why):
    board = boot(*setting, publish=f"127.0.0.1:{free_port()}")
    assert board.switched_off(READY_S)
    assert why in board.seen
    assert "is serving" not in board.seen


def test_image_gets_its_address_by_dhcp_for_the_cards_own(boot, networks, start, tmp_path):
    if shutil.which("dnsmasq") is None:
        pytest.skip("dnsmasq is not there: apt-get install dnsmasq-base")
    space = networks.namespace()
    tap = networks.tap(space, "10.79.0.1/24")
    leases = tmp_path / "leases"
    start.program(
        [
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root",
            "--no-ping", "--dhcp-authoritative", "--log-facility=-", "--pid-file=",
            "--bind-interfaces", "--except-interface=lo", f"--interface={tap}",
            "--dhcp-range=10.79.0.50,10.79.0.60,255.255.255.0,1h", f"--dhcp-leasefile={leases}",
        ],
        namespace=space,
    ).until("IP range")
    board = boot("--hostname", "ring-1", namespace=space, tap=tap)
    address = board.until(TOLD)[1]
    assert leases.read_text().split()[1:4] == [CARD_MAC, address, "ring-1"]
    with inside(space):
        assert ask(address, 80, "POST", QUIT, quit_body("G", "U")) == HANDLED

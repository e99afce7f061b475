"""A client of GDB's remote protocol, as far as QEMU's stub needs it: a debugger without symbols.

QEMU waits for it at a socket: -gdb unix:PATH,server=on,wait=off. The machine stands still while one
is connected, and goes on when it leaves.
"""

import contextlib
import socket
import subprocess
import time

TIMEOUT_S = 20

PC = 15  # in QEMU's order of an M-profile processor's registers
READ_MAX = 1024  # bytes that one answer of QEMU's can hold, and more

STACK_PAINT = b"\xa5"  # of boards/mps2/start.h


def connect(path):
    """As soon as QEMU, which may just have been started, is there."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(TIMEOUT_S)
        try:
            made.connect(path)
            return made
        except OSError:
            made.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


class Debugger:
    def __init__(self, path):
        self.socket = connect(str(path))
        self.file = self.socket.makefile("rb")
        # QEMU shows the registers to those who asked what there are. It may have told before that
        # the machine stands.
        self.send("qXfer:features:read:target.xml:0,ffb")
        while not self.answer().startswith("l<"):
            pass

    def send(self, text):
        data = text.encode("ascii")
        self.socket.sendall(b"$" + data + b"#" + f"{sum(data) % 256:02x}".encode())

    def answer(self):
        while (byte := self.file.read(1)) != b"$":
            assert byte != b"", "the debugger's connection is closed"
        answer = b""
        while (byte := self.file.read(1)) != b"#":
            assert byte != b"", "the debugger's connection is closed"
            answer += byte
        self.file.read(2)
        self.socket.sendall(b"+")
        return answer.decode("ascii", errors="replace")

    def ask(self, text):
        self.send(text)
        return self.answer()

    def read(self, address, size):
        parts = [(at, min(READ_MAX, address + size - at))
                 for at in range(address, address + size, READ_MAX)]
        return b"".join(bytes.fromhex(self.ask(f"m{at:x},{n:x}")) for at, n in parts)

    def write(self, address, data):
        assert self.ask(f"M{address:x},{len(data):x}:{data.hex()}") == "OK"

    def jump(self, address):
        assert self.ask(f"P{PC:x}={address.to_bytes(4, 'little').hex()}") == "OK"

    def leave(self):
        assert self.ask("D") == "OK"
        self.file.close()
        self.socket.close()


@contextlib.contextmanager
def debugger(path):
    """Goes on with the machine behind it; when something fails, the machine is of no use anyway."""
    made = Debugger(path)
    yield made
    made.leave()


def symbols(program):
    """The addresses of a program's names."""
    listing = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    words = [line.split() for line in listing.splitlines()]
    return {word[2]: int(word[0], 16) for word in words if len(word) == 3}


def stack_peak(stopped, program):
    """How many bytes of a bare board's stack have been used at most, and how many there are."""
    addresses = symbols(program)
    begin, end = addresses["qr_stack"], addresses["qr_stack_end"]
    stack = stopped.read(begin, end - begin)
    return len(stack.lstrip(STACK_PAINT)), len(stack)

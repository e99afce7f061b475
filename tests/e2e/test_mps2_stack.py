"""How much of its stack a bare board uses at most. Nothing there takes more than mDNS: so neighbours
ask, contest and answer by hand-made messages, of the kinds that take most, while callers call."""

import contextlib
import socket
import struct

from boards import BOARD
from conftest import (
    CLIENT_S,
    HANDLED,
    ID_MAX,
    ROOT,
    Machine,
    Program,
    inside,
    need_program,
)
from gdb import debugger, stack_peak
from services import ROUTER, Lan

# Only for boards of this family.
__test__ = BOARD.name.startswith("mps2-")

GROUP4, GROUP6, MDNS_PORT = "224.0.0.251", "ff02::fb", 5353
A, PTR, TXT, AAAA, SRV, ANY = 1, 12, 16, 28, 33, 255
IN, FLUSH, UNICAST = 1, 0x8000, 0x8000  # classes, and what their highest bit says
QUERY, TRUNCATED, RESPONSE = 0, 0x0200, 0x8400
QUESTION, ANSWER, AUTHORITY = 0, 1, 2
TTL_S = 4500

ADDRESS = "10.77.0.2"
LONGEST_LABEL = "x" * 63
JUMPS = 5  # that lwIP follows in a name


# ---- messages (RFC 1035 section 4) ----


def labels(name):
    """A name in full."""
    return b"".join(bytes([len(word)]) + word.encode() for word in name.split(".")) + b"\0"


def jump(offset):
    """A name that stands elsewhere."""
    return struct.pack(">H", 0xC000 | offset)


class Message:
    def __init__(self, flags):
        self.flags = flags
        self.counts = [0, 0, 0, 0]
        self.data = b""

    def bytes(self):
        return struct.pack(">HH4H", 0, self.flags, *self.counts) + self.data

    def ask(self, name, kind, klass=IN):
        self.counts[QUESTION] += 1
        offset = 12 + len(self.data)
        self.data += name + struct.pack(">HH", kind, klass)
        return offset

    def ask_far(self, name, kind, klass=IN):
        """The same question again and again, each naming what the one before names. Returns the name
        that takes the most jumps."""
        offset = self.ask(labels(name), kind, klass)
        for _ in range(JUMPS - 1):
            offset = self.ask(jump(offset), kind, klass)
        return jump(offset)

    def record(self, section, name, kind, content):
        self.counts[section] += 1
        self.data += name + struct.pack(">HHIH", kind, IN | FLUSH, TTL_S, len(content)) + content


def service_of(host):
    return f"{host}._http._tcp.local"


def probe(host, port, flags=QUERY):
    """Somebody else wants the host's service (RFC 6762 section 8.2), with nearly the same data."""
    message = Message(flags)
    target = labels(f"{host}.local")
    name = message.ask_far(service_of(host), ANY)
    for each in (port, port, port + 1):
        content = struct.pack(">HHH", 0, 0, each) + target
        message.record(AUTHORITY, name, SRV, content)
        content = struct.pack(">HHH", 0, 0, each) + name
        message.record(AUTHORITY, name, SRV, content)
    message.record(AUTHORITY, name, TXT, b"\x06path=/")
    return message.bytes()


def probe_for_host(host, address):
    message = Message(QUERY)
    name = message.ask_far(f"{host}.local", ANY)
    message.record(AUTHORITY, name, A, socket.inet_aton(address))
    return message.bytes()


def questions(host, klass=IN, section=ANSWER):
    """All that a board can be asked, with answers that are known to who asks; or, as authority, are
    wanted by who asks."""
    message = Message(QUERY)
    host_name = message.ask_far(f"{host}.local", ANY, klass)
    service = message.ask_far(service_of(host), ANY, klass)
    kind = message.ask_far("_http._tcp.local", ANY, klass)
    every = message.ask(labels("_services._dns-sd._udp.local"), ANY, klass)
    reverse = message.ask(labels("2.0.77.10.in-addr.arpa"), ANY, klass)
    message.ask(labels(".".join(["y" * 63] * 3 + ["z" * 61])), ANY, klass)  # 255 bytes
    message.record(section, kind, PTR, service)
    message.record(section, jump(every), PTR, kind)
    message.record(section, jump(reverse), PTR, host_name)
    message.record(section, service, SRV, struct.pack(">HHH", 0, 0, 80) + host_name)
    message.record(section, service, TXT, b"\x0cpath=/else")
    message.record(section, host_name, A, socket.inet_aton(ADDRESS))
    message.record(section, host_name, AAAA, bytes(16))
    return message.bytes()


def claim(host):
    """Somebody has the name, and the service (section 9)."""
    message = Message(RESPONSE)
    host_name = message.ask_far(f"{host}.local", ANY)
    service = message.ask_far(service_of(host), ANY)
    message.record(ANSWER, service, SRV, struct.pack(">HHH", 0, 0, 80) + host_name)
    message.record(ANSWER, host_name, A, socket.inet_aton(ROUTER))
    return message.bytes()


# ---- a neighbour ----


class Neighbour:
    """Hears what is said to all by mDNS over IPv4, and talks over both."""

    def __init__(self, lan):
        with inside(lan.namespace):
            self.index = socket.if_nametoindex(lan.interface)
            self.four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.legacy = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        member = socket.inet_aton(GROUP4) + struct.pack("@4si", socket.inet_aton(ROUTER), self.index)
        for sock in (self.four, self.legacy):
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, member)
        self.four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.four.settimeout(CLIENT_S)
        self.four.bind(("", MDNS_PORT))
        self.six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.six.bind(("", MDNS_PORT))
        self.names = []  # that the board has wanted, in turn

    def say(self, message):
        self.four.sendto(message, (GROUP4, MDNS_PORT))
        self.six.sendto(message, (GROUP6, MDNS_PORT, 0, self.index))

    def ask_in_the_old_way(self, message):
        """From another port (section 6.7)."""
        self.legacy.sendto(message, (GROUP4, MDNS_PORT))

    def hear(self, flags):
        """The next message of that kind that the board sends."""
        while True:
            message, (address, _) = self.four.recvfrom(2048)
            if address == ADDRESS and struct.unpack(">H", message[2:4])[0] == flags:
                return message

    def name_wanted(self):
        """The next name that the board asks for."""
        while True:
            message = self.hear(QUERY)
            name = message[13 : 13 + message[12]].decode()
            if name not in self.names:
                self.names.append(name)
                return name

    def close(self):
        for sock in (self.four, self.six, self.legacy):
            sock.close()


# ---- the board ----


class Board(Machine):
    """One that a debugger can stop."""

    def __init__(self, name, lan, gdb):
        need_program(ROOT / f"build/{name}/quitring", f"make BOARD={name}")
        self.program, self.gdb = ROOT / f"build/{name}/quitring", gdb
        Program.__init__(
            self,
            [ROOT / "boards/mps2/run", name, "-gdb", f"unix:{gdb},server=on,wait=off"],
            lan.namespace,
            console=True,
            SETTINGS=f"addr={ADDRESS}/24 hostname={LONGEST_LABEL}",
            NETDEV=f"tap,ifname={lan.interface},script=no,downscript=no",
        )
        self.begin((), lan.namespace, None)
        self.interface, self.net = lan.interface, "tap"

    def work(self):
        """Returns when all that came before has been taken."""
        assert self.quit("g" * ID_MAX, "u" * ID_MAX).body == HANDLED
        assert self.ask("POST", "/callbackAfterQuitGroupCommand", '{"groupID":"\\ud800"}').status == 422
        self.status()

    def stack_peak(self):
        with debugger(self.gdb) as stopped:
            return stack_peak(stopped, self.program)


def contest(board, neighbour):
    """The neighbour wants the names that the board wants, asks all, and has the names in the end."""
    name = neighbour.name_wanted()
    for message in (
        probe(name, 80),
        probe(name, 80, TRUNCATED),
        probe_for_host(name, "9.9.9.9"),  # the board's address is the later: it goes on
        questions(name, section=AUTHORITY),
    ):
        neighbour.say(message)
        board.work()
    board.until(f"also http://{name}.local/")
    for klass in (IN, IN | UNICAST):
        for section in (ANSWER, AUTHORITY):
            neighbour.say(questions(name, klass, section))
            board.work()
    message = Message(QUERY)
    message.ask(labels(service_of(name)), ANY)
    neighbour.ask_in_the_old_way(message.bytes())
    neighbour.hear(RESPONSE)
    neighbour.say(claim(name))
    while f"the name {name}.local is taken" not in board.errors():
        neighbour.hear(QUERY)  # it asks once more
        neighbour.say(claim(name))
        board.work()


def test_mps2_never_uses_the_last_fifth_of_its_stack(start, networks, tmp_path):
    space = networks.namespace()
    lan = Lan(start, networks, tmp_path, space, networks.tap(space, f"{ROUTER}/24"))
    with contextlib.closing(Neighbour(lan)) as neighbour:
        board = start.keep(Board(BOARD.name, lan, tmp_path / "gdb"))
        assert board.ready() is not None, board.errors()
        for _ in range(2):
            contest(board, neighbour)
        # Its address is the earlier: it waits for a second (section 8.2), then asks again.
        wanted = neighbour.name_wanted()
        neighbour.say(probe_for_host(wanted, "99.9.9.9"))
        board.until(f"also http://{wanted}.local/")
        board.work()
    used, size = board.stack_peak()
    print(f"{BOARD.name}: stack: {used} of {size} bytes")
    assert used < size * 4 // 5

"""What a board asks of its LAN, and is found by: DHCP, IPv6, time and names, each with the servers and
clients that real LANs have. A board that takes its time to start (QUITRING_BOARD) does so a few times
only; the Linux program, whose lwIP is the same, for each setting.
"""

import calendar
import ipaddress
import os
import re
import select
import socket
import struct
import threading
import time

import pytest

from boards import BOARD
from conftest import CLIENT_S, CONTENT_MAX, HANDLED, Networks, Server, Starter, inside
from services import PREFIX6, ROUTER, ROUTER6, Lan


def settings_as_arguments(settings):
    return [word for name, value in settings.items() for word in (f"--{name}", value)]


class TapBoard:
    """The Linux board on a TAP device."""

    def __init__(self, start, networks):
        self.start, self.networks = start, networks
        self.namespace = networks.namespace()
        self.interface = networks.tap(self.namespace, f"{ROUTER}/24")
        self.net = f"tap:{self.interface}"
        self.here = self.namespace

    def serve(self, **settings):
        words = ["--net", self.net, *settings_as_arguments(settings)]
        return self.start.serve(*words, namespace=self.here, clients=self.namespace)


class PacketBoard(TapBoard):
    """The Linux board behind a virtual network card."""

    def __init__(self, start, networks):
        self.start, self.networks = start, networks
        self.here, self.namespace = networks.namespace(), networks.namespace()
        near, self.interface = networks.wire(self.here, self.namespace)
        networks.up(self.namespace, self.interface, f"{ROUTER}/24")
        self.net = f"packet:{near}"


class MachineBoard(TapBoard):
    """A board in QEMU, its card on a TAP device."""

    def serve(self, **settings):
        return self.start.on_tap(self.namespace, self.interface, *settings_as_arguments(settings))


BOARDS = {"tap": TapBoard, "packet": PacketBoard} if BOARD.is_process else {"tap": MachineBoard}

# Not for programs of other processors, which have the kernel's network only.
__test__ = "tap" in BOARD.nets


@pytest.fixture(params=BOARDS)
def board(request, start, networks):
    """Not running yet: a LAN comes first."""
    return BOARDS[request.param](start, networks)


@pytest.fixture
def lan(board, start, networks, tmp_path):
    return Lan(start, networks, tmp_path, board.namespace, board.interface)


ADVERTISE = ("--enable-ra", "--dhcp-range=fd77::,ra-only,64")


def eventually(ask, good):
    """Asks until the answer is good. Returns it."""
    deadline = time.monotonic() + CLIENT_S
    while not good(answer := ask()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)
    return answer


# ---- LANs with a board that one test after the other looks at ----


class Home:
    """All that LANs have. The board asks it for everything."""

    def __init__(self, board, folder):
        self.lan = Lan(board.start, board.networks, folder, board.namespace, board.interface)
        self.lan.chronyd()
        self.lan.dnsmasq(*ADVERTISE, f"--dhcp-option=option:ntp-server,{ROUTER}")
        self.neighbour = self.lan.avahi()
        self.server = board.serve(hostname="door-1", port="81")
        self.begin()

    def begin(self):
        assert self.server.quit("G", "U").body == HANDLED
        self.six = self.lan.neighbour6(self.server)  # its global address, where a router tells one
        self.link = self.six.replace("fd77::", "fe80::")


class Link(Home):
    """Nothing but a neighbour, who already has the board's name."""

    def __init__(self, board, folder):
        self.lan = Lan(board.start, board.networks, folder, board.namespace, board.interface)
        self.neighbour = self.lan.avahi(name="door")
        self.server = board.serve(addr="10.77.0.2/24", hostname="door.example.test")
        self.begin()


@pytest.fixture(scope="module")
def settle(networks_allowed, tmp_path_factory):
    """Makes such a LAN for a board: settle("tap", Home)."""
    if networks_allowed is not None:
        pytest.skip(networks_allowed)
    networks = Networks()
    start = Starter(lambda: networks)
    try:
        yield lambda name, kind: kind(BOARDS[name](start, networks), tmp_path_factory.mktemp(name))
    finally:
        start.end()
        networks.remove()


@pytest.fixture(scope="module", params=BOARDS)
def homes(request, settle):
    return settle(request.param, Home)


@pytest.fixture(scope="module", params=BOARDS)
def links(request, settle):
    return settle(request.param, Link)


@pytest.fixture
def home(homes):
    homes.server.mark()
    return homes


@pytest.fixture
def link(links):
    links.server.mark()
    return links


# ---- IPv6 ----


def reached(server, address):
    """A socket to its port at that address; None: not, yet."""
    try:
        return connect6(server.clients, address, server.port, timeout=1)
    except OSError:
        return None


def connect6(clients, address, port, timeout):
    with inside(clients):  # where a link's name is known, which an address may end with
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(socket.getaddrinfo(address, port)[0][4])
        except OSError:
            sock.close()
            raise
    return sock


def over_ipv6(server, address):
    """The server at its IPv6 address, when that has come."""
    eventually(lambda: reached(server, address), lambda sock: sock is not None).close()
    return Server6(server, address)


class Server6(Server):
    """The same one, asked at another address."""

    def __init__(self, server, address):
        self.host = address.split("%", maxsplit=1)[0]
        self.port, self.clients = server.port, server.clients
        self.address = address

    @property
    def base(self):
        return f"http://[{self.host}]:{self.port}"

    def connect(self, receive_bytes=None):
        return connect6(self.clients, self.address, self.port, CLIENT_S)


def ping6(server, address, size):
    """Whether an echo comes back as it was sent (RFC 4443 section 4)."""
    content = bytes(i % 256 for i in range(size))
    identifier = os.getpid() & 0xFFFF
    with inside(server.clients):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with sock:
        sock.settimeout(CLIENT_S)
        sock.sendto(struct.pack(">BBHHH", 128, 0, 0, identifier, size) + content, (address, 0))
        while True:
            echo, (whose, *_) = sock.recvfrom(65536)
            if echo[0] == 129 and echo[4:8] == struct.pack(">HH", identifier, size):
                same = ipaddress.ip_address(whose) == ipaddress.ip_address(address)
                return same and echo[8:] == content


def test_ipv6_address_comes_from_the_router_and_serves_beside_ipv4(home):
    server = home.server
    assert server.quit("G", "over 4").body == HANDLED
    six = over_ipv6(server, home.six)
    assert ipaddress.ip_address(six.address) in ipaddress.ip_network(PREFIX6)
    assert six.quit("G", "over 6").body == HANDLED
    assert [event["userID"] for event in server.events()] == ["over 4", "over 6"]
    assert six.status()["bootId"] == server.status()["bootId"]
    long = '{"groupID":"%s","userID":"U","x":""}' % ("g" * 255)
    long = long[:-2] + "x" * (CONTENT_MAX - len(long)) + long[-2:]
    assert six.curl("-d", long, six.base + "/callbackAfterQuitGroupCommand") == HANDLED


def test_ipv6_answers_ping(home):
    six = over_ipv6(home.server, home.six)
    for size in (0, 1, 56, 1232, 1452):
        assert ping6(six, six.address, size)


def test_ipv6_works_on_a_link_without_a_router(link):
    six = over_ipv6(link.server, f"{link.link}%{link.lan.interface}")
    assert six.quit("G", "over 6").body == HANDLED
    assert [event["userID"] for event in link.server.events()] == ["over 6"]


@pytest.mark.not_on_boards
def test_ipv6_can_be_switched_off(board, lan):
    router = lan.dnsmasq(*ADVERTISE)
    server = board.serve(ipv6="no", ntp="off", mdns="no")
    assert server.quit("G", "U").body == HANDLED
    address = lan.neighbour6(server)
    router.until("RTR-ADVERT")
    assert reached(server, address) is None
    assert server.quit("G", "U").body == HANDLED


# ---- DHCP ----


def test_dhcp_server_learns_the_host_name(home):
    assert home.server.quit("G", "U").body == HANDLED
    assert home.lan.hostname_leased() == "door-1"


# ---- time ----


def seconds_of(event):
    text = event["time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    parsed = time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(parsed) + float(text[19:23])


SET_BY = "the clock is set by time server "


def is_now(event):
    return -2 < seconds_of(event) - time.time() < 2


def test_clock_is_set_by_the_time_server_that_dhcp_names(home):
    home.server.until(SET_BY)
    assert home.server.errors().count(SET_BY + ROUTER) == 1
    assert home.server.quit("G", "U").body == HANDLED
    document = home.server.status("?limit=1")
    assert is_now(document) and is_now(document["events"][0])


@pytest.mark.not_on_boards
@pytest.mark.parametrize(
    "named", ["by address", "by IPv6 address", "by name", "by name, over IPv6"]
)
def test_clock_is_set_by_a_time_server(board, lan, named):
    lan.chronyd()
    options = []
    settings = {
        "by address": {"ntp": ROUTER, "addr": "10.77.0.2/24"},
        "by IPv6 address": {"ntp": ROUTER6},
        "by name": {"ntp": "time.test"},
        "by name, over IPv6": {"ntp": "time.test", "addr": "10.77.0.2/24"},
    }[named]
    if "IPv6" in named:
        options += ADVERTISE
    if named == "by name":
        options += [f"--address=/time.test/{ROUTER}"]
    if named == "by name, over IPv6":  # the name server is known from the router's advertisement
        options += ["--local=/test/", f"--host-record=time.test,{ROUTER6}",
                    f"--dhcp-option=option6:dns-server,[{ROUTER6}]"]
    lan.dnsmasq(*options)
    server = board.serve(**settings)
    server.until(SET_BY)
    who = ROUTER6.upper() if "IPv6" in named else ROUTER
    assert server.errors().count(SET_BY + who) == 1
    assert server.quit("G", "U").body == HANDLED
    assert is_now(server.status())


class ShiftedTime:
    """An NTP server whose clock is ahead of this machine's, as RFC 4330 section 5 wants its answers.
    ahead: seconds. Also counts who asks."""

    def __init__(self, namespace, ahead):
        self.ahead = ahead
        with inside(namespace):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind((ROUTER, 123))
        self.wake, self.stopped = socket.socketpair()
        self.thread = threading.Thread(target=self.answer)
        self.thread.start()

    def stamp(self):
        """64 bits of the seconds since 1900, of which 32 are behind the point."""
        return int((time.time() + self.ahead + 2208988800) * 2**32) % 2**64

    def answer(self):
        while True:
            ready, _, _ = select.select([self.sock, self.stopped], [], [])
            if self.stopped in ready:
                return
            question, who = self.sock.recvfrom(1024)
            received = self.stamp()
            head = bytes([0x24, 1, 6, 0xEC]) + bytes(8) + b"TEST"
            times = struct.pack(">Q8sQQ", received, question[40:48], received, self.stamp())
            self.sock.sendto(head + times, who)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wake.send(b"x")
        self.thread.join()
        for sock in (self.sock, self.wake, self.stopped):
            sock.close()


# Seconds: an hour; and past 2036-02-07, where NTP's seconds begin anew.
@pytest.mark.not_on_boards
@pytest.mark.parametrize("ahead", [3600, 15 * 365 * 86400])
def test_events_carry_the_time_server_s_time(board, lan, ahead):
    lan.dnsmasq()
    with ShiftedTime(lan.namespace, ahead):
        server = board.serve(ntp=ROUTER)
        server.until(SET_BY)
        assert server.quit("G", "U").body == HANDLED
    document = server.status()
    for where in (document, document["events"][0]):
        assert -2 < seconds_of(where) - time.time() - ahead < 0.5


@pytest.mark.not_on_boards
def test_time_server_that_tells_a_time_of_long_ago_is_not_believed(board, lan):
    lan.dnsmasq()
    with ShiftedTime(lan.namespace, -20 * 365 * 86400):
        server = board.serve(ntp=ROUTER)
        server.until(f"a time before 2024 is refused from time server {ROUTER}")
        assert server.quit("G", "U").body == HANDLED
    assert SET_BY not in server.errors()
    assert server.status()["time"] is None or abs(seconds_of(server.status()) - time.time()) < 2


# ---- names ----


def test_name_and_service_are_found_on_the_link(home):
    server, neighbour = home.server, home.neighbour
    server.until("also http://door-1.local:81/")
    assert neighbour.resolve("door-1.local", 4) == server.host
    assert neighbour.resolve("door-1.local", 6) in (home.six, home.link)
    found = eventually(lambda: neighbour.browse("_http._tcp"), lambda found: len(found) >= 2)
    assert {entry[1:3] + entry[4:] for entry in found} == {
        ("door-1", "door-1.local", 81, '"path=/"')
    }
    assert {entry[0] for entry in found} == {"IPv4", "IPv6"}
    assert {entry[3] for entry in found} <= {server.host, home.six, home.link}


def another_name(server, neighbour):
    server.until("also http://door-2.local/")
    assert "the name door.local is taken" in server.errors()
    assert neighbour.resolve("door-2.local", 4) == server.host
    assert neighbour.resolve("door.local", 4) == ROUTER
    found = neighbour.browse("_http._tcp")
    return bool(found) and {entry[1] for entry in found} == {"door-2"}


def test_name_that_is_taken_gets_a_number(link):
    assert another_name(link.server, link.neighbour)


@pytest.mark.not_on_boards
def test_name_that_is_taken_gets_a_number_without_ipv6(board, lan):
    lan.dnsmasq()
    neighbour = lan.avahi(name="door")
    server = board.serve(ntp="off", hostname="door.example.test", ipv6="no")
    assert server.quit("G", "U").body == HANDLED
    assert another_name(server, neighbour)


@pytest.mark.not_on_boards
def test_name_is_found_without_ipv6(board, lan):
    neighbour = lan.avahi()
    server = board.serve(addr="10.77.0.2/24", ntp="off", ipv6="no")
    server.until("also http://quitring.local/")
    assert neighbour.resolve("quitring.local", 4) == "10.77.0.2"
    assert neighbour.resolve("quitring.local", 6) is None


@pytest.mark.not_on_boards
def test_mdns_can_be_switched_off(board, lan):
    neighbour = lan.avahi()
    server = board.serve(addr="10.77.0.2/24", ntp="off", mdns="no")
    assert server.quit("G", "U").body == HANDLED
    assert neighbour.resolve("quitring.local", 4) is None
    assert "quitring.local" not in server.errors()

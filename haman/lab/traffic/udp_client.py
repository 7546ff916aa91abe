"""UDP requests at 1 kHz, each answered or lost, and by whom.

Two flows take turns. The steady one comes from one socket for ever: the kernel's IPVS entry carries it. The new one
comes from another source address each time: each is scheduled anew. The addresses are a whole prefix that is local
to the host (`ip route add local PREFIX dev lo`), so one socket is enough for as many clients.

An answer's time is the kernel's own time stamp of its arrival, so reading late does not make a request look slow.
"""

from __future__ import annotations

import argparse
import collections
import ipaddress
import socket
import struct
import time

from haman.lab.traffic import recording

SO_RCVBUFFORCE, SO_TIMESTAMPNS, SO_RXQ_OVFL, IP_PKTINFO = 33, 35, 40, 8
RECEIVE_BUFFER = 32 << 20
PATIENCE = 0.5
"""A request that is not answered within so many seconds is lost."""

READ_EVERY = 0.01
STEADY, NEW = 0, 1

_SEQUENCE = struct.Struct("!Q")
_PKTINFO = struct.Struct("=i4s4s")
_TIMESPEC = struct.Struct("@qq")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size) + socket.CMSG_SPACE(4)


class Client:
    def __init__(self, options: argparse.Namespace) -> None:
        self.server = (options.address, options.port)
        self.sources = ipaddress.ip_network(options.sources) if options.sources else None
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        self.sock.bind(("", 0))
        self.sock.setblocking(False)
        self.real_minus_monotonic = time.time() - time.monotonic()
        self.waiting: collections.deque[tuple[int, float]] = collections.deque()
        self.answers: dict[int, tuple[float, str]] = {}
        self.sent = self.unsendable = self.dropped = self.late = 0
        self.oldest = 0

    def send(self, number: int, now: float) -> None:
        """A request that cannot even be sent (no route, no buffer) is a lost one."""
        payload = _SEQUENCE.pack(number)
        self.waiting.append((number, now))
        self.sent += 1
        try:
            if number % 2 == NEW and self.sources:
                source = self.sources[1 + number // 2 % (self.sources.num_addresses - 2)].packed
                pktinfo = _PKTINFO.pack(0, source, source)
                self.sock.sendmsg([payload], [(socket.IPPROTO_IP, IP_PKTINFO, pktinfo)], 0, self.server)
            else:
                self.sock.sendto(payload, self.server)
        except OSError:
            self.unsendable += 1

    def read(self) -> None:
        """Every answer that is there."""
        while True:
            try:
                answer, control, _, _ = self.sock.recvmsg(64, _ANCILLARY)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier request; that request stays unanswered
                continue
            at = 0.0
            for level, kind, data in control:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = _TIMESPEC.unpack(data)
                    at = seconds + nanoseconds / 1e9 - self.real_minus_monotonic
                elif level == socket.SOL_SOCKET and kind == SO_RXQ_OVFL:
                    self.dropped = int.from_bytes(data, "little")
            (number,) = _SEQUENCE.unpack_from(answer)
            if number < self.oldest:
                self.late += 1
            else:
                self.answers[number] = (at, answer[8:].decode())

    def settled(self, now: float, recorder: recording.Recorder) -> None:
        """Record, in the order they were sent, the requests whose fate is known."""
        while self.waiting:
            number, sent = self.waiting[0]
            answer = self.answers.pop(number, None)
            if answer is None and now - sent < PATIENCE:
                return
            self.waiting.popleft()
            self.oldest = number + 1
            if answer:
                recorder.add(f'[{number},{sent:.6f},{answer[0]:.6f},"{answer[1]}"]')
            else:
                recorder.add(f'[{number},{sent:.6f},null,""]')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--sources", help="prefix of the new flows' source addresses; without it all are steady")
    parser.add_argument("--real-time", type=int, default=0, metavar="PRIORITY")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    recording.real_time(options.real_time)
    client = Client(options)
    pace = recording.Pace(options.rate)
    recorder = recording.Recorder(options.out, start=pace.started, interval=pace.interval)
    read_at = 0.0
    while not recorder.stopping:
        number = pace.wait()
        now = time.monotonic()
        client.send(number, now)
        if now >= read_at:
            read_at = now + READ_EVERY
            client.read()
        if recorder.due(now):
            client.settled(now, recorder)
            covered = client.waiting[0][1] if client.waiting else now
            recorder.flush(now, covered, dropped=client.dropped, unsendable=client.unsendable, late=client.late)
    time.sleep(PATIENCE)
    client.read()
    client.settled(time.monotonic() + PATIENCE, recorder)
    recorder.end(sent=client.sent, unsendable=client.unsendable, dropped=client.dropped, late=client.late)


if __name__ == "__main__":
    main()

"""Twenty long downloads, checked chunk by chunk. A stream that is reset, closed, shows a hole in its numbers or hangs
longer than the limit is lost, and replaced by a new one, so that the next drill begins with all of them again.
SIGUSR1 replaces all of them: what earlier drills left of the old ones in some director's memory does not help the new.
"""

from __future__ import annotations

import argparse
import errno
import select
import signal
import socket
import time
from dataclasses import dataclass, field

from haman.lab.traffic import recording
from haman.lab.traffic.download_server import CHUNK

RETRY_AFTER = 0.5


@dataclass(slots=True)
class Stream:
    number: int
    sock: socket.socket
    heard: float
    expected: int = 0
    buffer: bytearray = field(default_factory=bytearray)


class Client:
    def __init__(self, server: tuple[str, int], wanted: int, spacing: float) -> None:
        self.server = server
        self.wanted = wanted
        self.spacing = spacing
        self.epoll = select.epoll()
        self.streams: dict[int, Stream] = {}
        self.begun = self.lost = self.renewals = 0
        self.next_begin = 0.0
        self.lines: list[str] = []

    def begin(self, now: float) -> None:
        """One new stream, if one is missing and the time has come."""
        if len(self.streams) >= self.wanted or now < self.next_begin:
            return
        self.next_begin = now + self.spacing
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        code = sock.connect_ex(self.server)
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            self.next_begin = now + RETRY_AFTER
            return
        self.streams[sock.fileno()] = Stream(self.begun, sock, now)
        self.begun += 1
        self.epoll.register(sock, select.EPOLLIN)

    def wait(self, timeout: float) -> None:
        for number, _ in self.epoll.poll(timeout):
            stream = self.streams[number]
            now = time.monotonic()
            try:
                data = stream.sock.recv(1 << 16)
            except BlockingIOError:
                continue
            except OSError as error:
                self.end(stream, now, "refused" if error.errno == errno.ECONNREFUSED else "reset")
                continue
            if data:
                self.check(stream, data, now)
            else:
                self.end(stream, now, "closed")

    def check(self, stream: Stream, data: bytes, now: float) -> None:
        stream.heard = now
        stream.buffer += data
        while len(stream.buffer) >= CHUNK:
            number = int(stream.buffer[:10])
            del stream.buffer[:CHUNK]
            if number != stream.expected:
                self.end(stream, now, "hole")
                return
            stream.expected += 1
        self.lines.append(f'[{stream.number},{now:.6f},{stream.expected},"data"]')

    def end(self, stream: Stream, now: float, how: str) -> None:
        """A stream that never got its first chunk is recorded too: the service was away when it began."""
        self.lines.append(f'[{stream.number},{now:.6f},{stream.expected},"{how}"]')
        self.lost += 1
        self.next_begin = max(self.next_begin, now + RETRY_AFTER)
        del self.streams[stream.sock.fileno()]
        stream.sock.close()

    def give_up(self, now: float, limit: float) -> None:
        for stream in [each for each in self.streams.values() if now - each.heard > limit]:
            self.end(stream, now, "hang")

    def renew(self, now: float) -> None:
        for stream in list(self.streams.values()):
            self.end(stream, now, "renewed")
        self.next_begin = now
        self.renewals += 1

    def write(self, recorder: recording.Recorder) -> None:
        for line in self.lines:
            recorder.add(line)
        self.lines.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--spacing", type=float, default=0.01, help="seconds between two streams' beginnings")
    parser.add_argument("--limit", type=float, default=15, help="seconds without a chunk after which a stream is lost")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    client = Client((options.address, options.port), options.streams, options.spacing)
    recorder = recording.Recorder(options.out, streams=options.streams, limit=options.limit)
    asked_to_renew = 0

    def renew(*_: object) -> None:
        nonlocal asked_to_renew
        asked_to_renew += 1

    signal.signal(signal.SIGUSR1, renew)
    while not recorder.stopping:
        now = time.monotonic()
        if client.renewals < asked_to_renew:
            client.renew(now)
        client.begin(now)
        if recorder.due(now):
            client.give_up(now, options.limit)
            client.write(recorder)
            recorder.flush(now, now, streams=len(client.streams), renewals=client.renewals)
        client.wait(options.spacing if len(client.streams) < client.wanted else recording.FLUSH_EVERY)
    client.write(recorder)
    recorder.end(begun=client.begun, lost=client.lost)


if __name__ == "__main__":
    main()

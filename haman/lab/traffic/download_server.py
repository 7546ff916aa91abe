"""Long downloads: every client gets numbered chunks at a steady, modest rate, for as long as it stays."""

from __future__ import annotations

import argparse
import collections
import select
import socket
import time
from dataclasses import dataclass

CHUNK = 512
"""Bytes; a chunk starts with its number as 10 digits."""


def chunk(number: int) -> bytes:
    return b"%010d" % number + b"." * (CHUNK - 11) + b"\n"


@dataclass(slots=True)
class Stream:
    sock: socket.socket
    number: int = 0
    unsent: bytes = b""


class Server:
    def __init__(self, port: int, interval: float) -> None:
        self.listener = socket.create_server(("", port), backlog=128)
        self.listener.setblocking(False)
        self.interval = interval
        self.epoll = select.epoll()
        self.epoll.register(self.listener, select.EPOLLIN)
        self.due: collections.deque[tuple[float, Stream]] = collections.deque()

    def serve(self) -> None:
        """Each stream keeps the phase it was accepted in, so they do not all send at once."""
        while True:
            timeout = self.due[0][0] - time.monotonic() if self.due else None
            if self.epoll.poll(timeout if timeout is None else max(0.0, timeout)):
                client, _ = self.listener.accept()
                self.due.appendleft((0.0, Stream(client)))
            now = time.monotonic()
            while self.due and self.due[0][0] <= now:
                at, stream = self.due.popleft()
                if self.feed(stream):
                    self.due.append(
                        (max(at, now - self.interval) + self.interval if at else now + self.interval, stream)
                    )

    def feed(self, stream: Stream) -> bool:
        """The next chunk, or the rest of the last one when the network takes no more. False: the stream is over."""
        if not stream.unsent:
            stream.unsent = chunk(stream.number)
            stream.number += 1
        try:
            sent = stream.sock.send(stream.unsent, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            stream.sock.close()
            return False
        stream.unsent = stream.unsent[sent:]
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--interval", type=float, default=0.2, help="seconds between a stream's chunks")
    options = parser.parse_args()
    Server(options.port, options.interval).serve()


if __name__ == "__main__":
    main()

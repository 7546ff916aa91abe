"""Short TCP requests, each on a connection of its own: begun, ended, and how.

After connecting a client thinks for a moment before it asks, so that at any time several connections stand between
their first packet and their last: a move of the virtual IP has to carry them.
"""

from __future__ import annotations

import argparse
import collections
import errno
import os
import select
import socket
import time
from dataclasses import dataclass

from haman.lab.traffic import recording

REQUEST = b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
OUTCOMES = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
}


@dataclass(slots=True)
class Connection:
    sock: socket.socket
    port: int
    begun: float
    connected: bool = False
    asked: bool = False


class Client:
    """own: the first of the client's own ports, each of which is used once, in turn; 0 lets the kernel choose."""

    def __init__(self, address: str, ports: list[int], think: float, patience: float, own: int = 0) -> None:
        self.address = address
        self.ports = ports
        self.think = think
        self.patience = patience
        self.own = own
        self.epoll = select.epoll()
        self.open: dict[int, Connection] = {}
        self.thinking: collections.deque[tuple[float, Connection]] = collections.deque()
        self.begun = 0
        self.lines: list[str] = []

    def begin(self, now: float) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if self.own:
            self.bind(sock)
        connection = Connection(sock, self.ports[self.begun % len(self.ports)], now)
        self.begun += 1
        self.open[sock.fileno()] = connection
        code = sock.connect_ex((self.address, connection.port))
        if code not in (0, errno.EINPROGRESS):
            self.end(connection, now, code)
        else:
            self.epoll.register(sock, select.EPOLLOUT)

    def bind(self, sock: socket.socket) -> None:
        """To the next port that nobody else has."""
        while True:
            self.own += 1
            try:
                sock.bind(("", self.own - 1))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return

    def end(self, connection: Connection, now: float, how: int | str, server: str = "") -> None:
        outcome = how if isinstance(how, str) else OUTCOMES.get(how, "unreachable")
        self.lines.append(f'[{connection.port},{connection.begun:.6f},{now:.6f},"{outcome}","{server}"]')
        del self.open[connection.sock.fileno()]
        connection.sock.close()

    def wait(self, timeout: float) -> None:
        """Handle what comes within `timeout` seconds."""
        for number, _ in self.epoll.poll(max(0.0, timeout)):
            connection = self.open.get(number)
            if connection is None:
                continue
            now = time.monotonic()
            if connection.connected:
                self.answered(connection, now)
            elif code := connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.end(connection, now, code)
            else:
                connection.connected = True
                self.thinking.append((now + self.think, connection))
                self.epoll.modify(number, select.EPOLLIN)

    def answered(self, connection: Connection, now: float) -> None:
        try:
            answer = connection.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError as error:
            self.end(connection, now, error.errno or 0)
            return
        if answer.startswith(b"HTTP/1.1 200 "):
            self.end(connection, now, "ok", answer.rpartition(b"\r\n\r\n")[2].decode().strip())
        else:
            self.end(connection, now, "bad" if answer else "closed")

    def ask(self, now: float) -> None:
        """Those that have thought long enough."""
        while self.thinking and self.thinking[0][0] <= now:
            _, connection = self.thinking.popleft()
            if connection.sock.fileno() < 0:
                continue
            try:
                connection.sock.send(REQUEST)
            except OSError as error:
                self.end(connection, now, error.errno or 0)

    def give_up(self, now: float) -> None:
        for connection in [each for each in self.open.values() if now - each.begun > self.patience]:
            self.end(connection, now, "timeout")

    def oldest(self, now: float) -> float:
        """When the oldest request began that has not ended."""
        return min((each.begun for each in self.open.values()), default=now)

    def write(self, recorder: recording.Recorder) -> None:
        for line in self.lines:
            recorder.add(line)
        self.lines.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, action="append", required=True, help="may be repeated: they take turns")
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--think", type=float, default=0.2)
    parser.add_argument("--patience", type=float, default=10)
    parser.add_argument("--own", type=int, default=0, metavar="PORT", help="from here on, each once")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    client = Client(options.address, options.port, options.think, options.patience, options.own)
    recorder = recording.Recorder(options.out, ports=options.port, think=options.think, patience=options.patience)
    interval = 1.0 / options.rate
    next_begin = now = time.monotonic()
    while not recorder.stopping:
        wake = min(next_begin, client.thinking[0][0]) if client.thinking else next_begin
        client.wait(wake - now)
        now = time.monotonic()
        if now >= next_begin:
            client.begin(now)
            next_begin = max(next_begin + interval, now)
        client.ask(now)
        if recorder.due(now):
            client.give_up(now)
            client.write(recorder)
            recorder.flush(now, client.oldest(now))
    client.write(recorder)
    recorder.end(begun=client.begun, unfinished=len(client.open), pid=os.getpid())


if __name__ == "__main__":
    main()

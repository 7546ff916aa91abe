"""Requests and answers for rates: a client, to be called on a client's host, and the server it asks.

Clients keep BATCH requests under way: all are sent before the first answer is read, so that what a packet costs is more
of the whole than what waking a program costs. A request that is not answered ends the measurement, it is no slow one.

The server echoes, as `python -m bench.load --first 8001 --ports 7 ADDRESS...`: TCP on all its addresses, UDP on each
ADDRESS by a socket of its own, since an answer has to come from the address that was asked.
"""

from __future__ import annotations

import argparse
import select
import socket
import time
from typing import Final

from haman.errors import LabError

BATCH: Final = 16
REQUEST: Final = bytes(64)
PATIENCE: Final = 10.0
"""Seconds until an answer is a lost one; a machine that stood still has not lost it."""


class Client:
    """Asks one address and port for ever. fresh: each request on a TCP connection of its own; else on BATCH sockets of
    this kind, which stay. Made on the host it asks from; `close` ends it.

    rate: requests a second so far, of the time in which it asked. asked: requests so far.
    """

    def __init__(self, address: str, port: int, kind: socket.SocketKind, *, fresh: bool) -> None:
        self._address, self._port, self._kind = address, port, kind
        self._opened = [] if fresh else self._open()
        self._turns, self._seconds = 0, 0.0

    def ask(self, seconds: float) -> None:
        """For about so long, on the host where it was made. Errors: LabError for an answer that does not come."""
        begun = now = time.perf_counter()
        try:
            while now < begun + seconds:
                if self._opened:
                    _exchange(self._opened)
                else:
                    opened = self._open()
                    _exchange(opened)
                    for each in opened:
                        each.close()
                self._turns += 1
                now = time.perf_counter()
        except OSError as error:
            where = f"{self._address} port {self._port}, {self._kind.name}"
            raise LabError(f"{where}: no answer after {self.asked} requests: {error}") from None
        self._seconds += now - begun

    @property
    def asked(self) -> int:
        return self._turns * BATCH

    @property
    def rate(self) -> float:
        return self.asked / self._seconds

    def _open(self) -> list[socket.socket]:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        opened = []
        for _ in range(BATCH):
            made = socket.socket(family, self._kind)
            made.settimeout(PATIENCE)
            made.connect((self._address, self._port))
            opened.append(made)
        return opened

    def close(self) -> None:
        for each in self._opened:
            each.close()


def _exchange(opened: list[socket.socket]) -> None:
    for each in opened:
        each.send(REQUEST)
    for each in opened:
        if len(each.recv(len(REQUEST))) != len(REQUEST):
            raise OSError("half an answer")


def serve(first: int, ports: int, addresses: list[str]) -> None:
    """For ever."""
    epoll = select.epoll()
    listeners: dict[int, socket.socket] = {}
    talking: dict[int, socket.socket] = {}
    single: dict[int, socket.socket] = {}
    for port in range(first, first + ports):
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
        listener.setblocking(False)
        listeners[listener.fileno()] = listener
        for address in addresses:
            taker = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            taker.bind((address, port))
            taker.setblocking(False)
            single[taker.fileno()] = taker
    for number in (*listeners, *single):
        epoll.register(number, select.EPOLLIN)
    print("serving", flush=True)
    while True:
        for number, _ in epoll.poll():
            try:
                if (taker := single.get(number)) is not None:
                    while True:
                        data, peer = taker.recvfrom(2048)
                        taker.sendto(data, peer)
                elif (listener := listeners.get(number)) is not None:
                    while True:
                        made, _ = listener.accept()
                        made.setblocking(False)
                        talking[made.fileno()] = made
                        epoll.register(made, select.EPOLLIN)
                elif data := talking[number].recv(2048):
                    talking[number].send(data)
                else:
                    talking.pop(number).close()
            except BlockingIOError:
                pass
            except OSError:
                talking.pop(number).close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--ports", type=int, required=True)
    parser.add_argument("addresses", nargs="*")
    options = parser.parse_args()
    serve(options.first, options.ports, options.addresses)


if __name__ == "__main__":
    main()

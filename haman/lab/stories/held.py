"""Thousands of TCP connections that one client holds: on each it says a little now and then, and hears it back.

A download keeps a server and a recording busy; here it is the number that counts, so each costs next to nothing. They
belong to the lab's own process, opened on the client's host.
"""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from haman.lab.hosts import Host

EVERY = 2.0
"""Seconds between two words on one connection: well within the time in which a director listens for each."""

CONNECT = 30.0
"""Seconds one of them may take to be established."""

FILES = 512
"""Open files of the lab's process beside these."""


class Held:
    """lost: how many have ended since, by a reset or otherwise."""

    def __init__(self, connections: Sequence[socket.socket]) -> None:
        self._sockets = dict(enumerate(connections))
        self._numbers = {each.fileno(): number for number, each in self._sockets.items()}
        self._said = [0] * len(connections)
        self._heard = [0] * len(connections)
        self._over = threading.Event()
        self.lost = 0

    def begun(self) -> list[int]:
        """For `silent`: this moment."""
        return list(self._said)

    def silent(self, begun: Sequence[int]) -> int:
        """On how many of those that live nothing has come back of what was said since then."""
        return sum(self._heard[number] <= begun[number] for number in list(self._sockets))

    def talk(self) -> None:
        """Until `stop`; in a thread of its own."""
        epoll = select.epoll()
        for each in self._sockets.values():
            epoll.register(each, select.EPOLLIN)
        while not self._over.is_set():
            again = time.monotonic() + EVERY
            for number in list(self._sockets):
                self._say(number)
            while not self._over.is_set() and (left := again - time.monotonic()) > 0:
                for fd, _ in epoll.poll(min(left, 0.2)):
                    self._hear(self._numbers[fd])
        for each in self._sockets.values():
            each.close()

    def stop(self) -> None:
        self._over.set()

    def _say(self, number: int) -> None:
        try:
            self._said[number] += self._sockets[number].send(b".")
        except BlockingIOError:
            pass
        except OSError:
            self._lose(number)

    def _hear(self, number: int) -> None:
        try:
            if said := self._sockets[number].recv(4096):
                self._heard[number] += len(said)
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._lose(number)

    def _lose(self, number: int) -> None:
        self._sockets.pop(number).close()  # which ends its place in the epoll as well
        self.lost += 1


@contextlib.contextmanager
def hold(host: Host, address: str, port: int, count: int) -> Iterator[Held]:
    """So many, all established. Errors: OSError if one cannot be."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < count + FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + FILES, max(most, count + FILES)))
    held = Held(host.call(_connect, address, port, count))
    thread = threading.Thread(target=held.talk)
    thread.start()
    try:
        yield held
    finally:
        held.stop()
        thread.join()


def _connect(address: str, port: int, count: int) -> list[socket.socket]:
    found: list[socket.socket] = []
    try:
        for _ in range(count):
            found.append(socket.create_connection((address, port), CONNECT))
            found[-1].setblocking(False)
    except OSError:
        for each in found:
            each.close()
        raise
    return found

"""The relay's loop: which descriptor is ready, and whose it is. epoll and nothing around it.

Not asyncio: there is nothing to await here, and its transports would keep what a slow receiver does not take, where a
session must know (see `account`). `python -m bench.relay` puts it beside the least relay that asyncio allows.
"""

from __future__ import annotations

import select
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

EDGE = select.EPOLLIN | select.EPOLLPRI | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
LEVEL = select.EPOLLIN

BATCH = 512


class Watched(Protocol):
    def event(self, mask: int) -> None:
        """Something is ready. mask: as in epoll."""


class Poll:
    """now: monotonic seconds, as of the last look."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Watched] = {}
        self._again: deque[Callable[[], None]] = deque()
        self._discarded: list[socket.socket] = []
        self.now = time.monotonic()

    def watch(self, fd: int, watched: Watched, mask: int) -> None:
        self._epoll.register(fd, mask)
        self._watched[fd] = watched

    def discard(self, sock: socket.socket) -> None:
        """Close it, but not before `sweep`: its number must not become another socket's while there are events of its
        own left."""
        self.unwatch(sock.fileno())
        self._discarded.append(sock)

    def unwatch(self, fd: int) -> None:
        """If it is watched."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def again(self, work: Callable[[], None]) -> None:
        """There is more to do than one turn is for: others first."""
        self._again.append(work)

    def turn(self, patience: float) -> None:
        """One look, and what it finds. patience: seconds. Call `sweep` between two of them."""
        events = self._epoll.poll(0.0 if self._again else patience, BATCH)
        self.now = time.monotonic()
        watched = self._watched
        for fd, mask in events:
            each = watched.get(fd)  # an earlier event of this turn may have closed it
            if each is not None:
                each.event(mask)
        for _ in range(len(self._again)):
            self._again.popleft()()

    def sweep(self) -> None:
        """Close what was discarded."""
        for sock in self._discarded:
            sock.close()
        self._discarded.clear()

    def close(self) -> None:
        self._epoll.close()

"""Waiting for many sockets and deadlines at the price of one reader and one timer of the loop.

A check waits for a socket once or twice and then never again, and hardly ever for its deadline. The loop's own readers
and timers are made for long lives: for a thousand checks a second they cost more than the checks. Here a wait is one
system call and one entry in a dict, a deadline one in a heap, and the clock is read once for all that is ready.
"""

from __future__ import annotations

import heapq
import select
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

READABLE, WRITABLE = select.EPOLLIN, select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP
"""What may be reported beside what was waited for, or instead of it: ask the socket for its error."""

BATCH = 64
"""Sockets handled in a row before the loop may do something else (some milliseconds)."""


CLEAR = 1000
"""Cancelled deadlines that may wait for their time to be forgotten, or as many as there are others."""


def _ignored(events: int) -> None:
    """Of a socket that nobody uses."""


class Deadline:
    """`call` at `when` (monotonic seconds), unless it is cancelled before."""

    __slots__ = ("call", "when")

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when = when
        self.call: Callable[[], None] | None = call


class Watcher:
    """now: when what is being handled was noticed, monotonic seconds; between two callbacks it does not move."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[int], None]] = {}
        self._deadlines: list[tuple[float, int, Deadline]] = []
        self._cancelled = 0
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None
        self.now = loop.time()
        loop.add_reader(self._epoll.fileno(), self._ready)

    def look(self) -> float:
        """Read the clock: the beginning of something that nobody waited for."""
        self.now = self._loop.time()
        return self.now

    def wait(self, descriptor: int, events: int, call: Callable[[int], None]) -> None:
        """Call once, with what has happened, as soon as one of `events` has, or the socket has broken."""
        known = descriptor in self._calls
        self._calls[descriptor] = call
        # One shot: a descriptor is not reported again, even if a child process still holds a copy of it when we close
        # ours, and the next socket gets its number.
        change = self._epoll.modify if known else self._epoll.register
        change(descriptor, events | select.EPOLLONESHOT)

    def rest(self, descriptor: int) -> None:
        """Nothing is waited for on it at present; it stays open, and will be waited for again."""
        if descriptor in self._calls:  # else nothing ever was, and epoll does not know it
            self._calls[descriptor] = _ignored

    def forget(self, descriptor: int, *, waiting: bool) -> None:
        """BEFORE closing it. waiting: what was waited for last has not happened yet."""
        self._calls.pop(descriptor, None)
        if waiting:
            self._epoll.unregister(descriptor)

    def at(self, when: float, call: Callable[[], None]) -> Deadline:
        """Call then, unless `cancel` comes before."""
        deadline = Deadline(when, call)
        heapq.heappush(self._deadlines, (when, next(self._order), deadline))
        if self._deadlines[0][2] is deadline:
            self._arm()
        return deadline

    def cancel(self, deadline: Deadline) -> None:
        """Idempotent, also after it was called. The loop's timer stays: moving it would cost more than its waking."""
        if deadline.call is None:
            return
        deadline.call = None
        self._cancelled += 1
        if self._cancelled > CLEAR and self._cancelled * 2 > len(self._deadlines):
            self._deadlines = [entry for entry in self._deadlines if entry[2].call is not None]
            heapq.heapify(self._deadlines)
            self._cancelled = 0

    def close(self) -> None:
        """Idempotent; nothing is called any more."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._calls.clear()
        self._deadlines.clear()
        self._arm()

    def _ready(self) -> None:
        ready = self._epoll.poll(0, BATCH)
        self.now = self._loop.time()
        for descriptor, events in ready:
            call = self._calls.get(descriptor)
            if call is not None:  # else one of the calls before has forgotten it
                call(events)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._deadlines:
            self._timer = self._loop.call_at(self._deadlines[0][0], self._due)

    def _due(self) -> None:
        self._timer = None
        self.now = self._loop.time()
        while self._deadlines and (self._deadlines[0][2].call is None or self._deadlines[0][0] <= self.now):
            deadline = heapq.heappop(self._deadlines)[2]
            call, deadline.call = deadline.call, None
            if call is None:
                self._cancelled -= 1
            else:
                call()
        self._arm()

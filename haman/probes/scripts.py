"""Programs that check: so many at a time, the others wait their turn; all end with us.

A program costs a fork of this process and a processor for as long as it runs. A thousand of them at once would stop the
machine that they are to keep alive.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.program import Run

MOST = 32
"""Programs at a time."""


class Scripts:
    def __init__(self, most: int = MOST) -> None:
        self._free = most
        self._waiting: deque[Callable[[], None]] = deque()
        self._running: set[Run] = set()
        self._calling = False

    def queue(self, call: Callable[[], None]) -> None:
        """Call as soon as there is room for one more program: at once, if there is now. It must `began` or `give`."""
        self._waiting.append(call)
        self._next()

    def forget(self, call: Callable[[], None]) -> None:
        """Idempotent: it waits no longer."""
        if call in self._waiting:
            self._waiting.remove(call)

    def began(self, run: Run) -> None:
        """This program has the place of the call; BEFORE its start."""
        self._running.add(run)

    def ended(self, run: Run) -> None:
        self._running.discard(run)
        self._free += 1
        self._next()

    def close(self) -> None:
        """Kill them all, with what they have started."""
        self._waiting.clear()
        for run in self._running:
            run.close()
        self._running.clear()

    def _next(self) -> None:
        if self._calling:  # a program that cannot be started ends within the call; no deeper for each of them
            return
        self._calling = True
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft()()
        self._calling = False

"""Simulated time: what is to happen when. Things of one moment happen in the order in which they were asked for."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Timeline:
    """now: seconds since the story began."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._asked = 0

    def at(self, when: float, do: Callable[[], None]) -> None:
        self._asked += 1
        heapq.heappush(self._heap, (when if when > self.now else self.now, self._asked, do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self.at(self.now + seconds, do)

    def step(self, until: float) -> bool:
        """The next thing, if it is due by `until`; else the time is `until`, and False."""
        heap = self._heap
        if not heap or heap[0][0] > until:
            self.now = until
            return False
        self.now, _, do = heapq.heappop(heap)
        do()
        return True

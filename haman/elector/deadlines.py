"""When each of many elections has to be looked at again, and which comes first: at hand however many there are."""

from __future__ import annotations

import heapq

SPARE = 64
"""Entries that are no longer true may stay in the heap, as many as true ones and these."""


def earliest(*times: float | None) -> float | None:
    """Of those that there are. Asked with each packet, so without the detour of `min` over a generator."""
    found = None
    for at in times:
        if at is not None and (found is None or at < found):
            found = at
    return found


class Deadlines:
    """Times are monotonic seconds. A name has one time or none."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, name: str, at: float | None) -> None:
        if self._at.get(name) == at:
            return
        if at is None:
            del self._at[name]
            return
        self._at[name] = at
        heapq.heappush(self._heap, (at, name))
        if len(self._heap) > 2 * len(self._at) + SPARE:
            self._heap = [(each, known) for known, each in self._at.items()]
            heapq.heapify(self._heap)

    def clear(self) -> None:
        self._at.clear()
        self._heap.clear()

    @property
    def earliest(self) -> float | None:
        heap = self._heap
        while heap and self._at.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def take_due(self, now: float) -> list[str]:
        """The names whose time has come, the earliest first. They have none any more until it is set again."""
        due = []
        while (at := self.earliest) is not None and at <= now:
            _, name = heapq.heappop(self._heap)
            del self._at[name]
            due.append(name)
        return due

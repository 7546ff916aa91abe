"""Starts checks when they are due: one ticker for all of them, not a task each.

Due checks are started together, slot by slot: measured, that costs half of what a task per server does, and 1,000
checks a second take about a tenth of a core. An idle scheduler sleeps until the next slot that has work.
"""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING

from haman.probes import kinds
from haman.probes.equipment import Equipment

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from haman.probes.budget import Budget
    from haman.probes.outcome import Result
    from haman.probes.prober import Prober
    from haman.probes.question import Question

SLOT = 0.02
"""Seconds. Checks start at multiples of it, so a check is at most that late; one that is due now starts now, or the
roundings of several checks in a row would add up to a later verdict."""

CHUNK = 32
"""Checks started in a row before the loop may do something else (some milliseconds)."""


class _Entry:
    """A question's place in the order. due: when its present or next check is. prober None: it was removed."""

    __slots__ = ("due", "prober")

    def __init__(self, due: float) -> None:
        self.due = due
        self.prober: Prober | None = None


class Scheduler:
    """answered(question, due, result, now) -> when the same question is due next, monotonic seconds. It is called once
    per started check, and decides everything; the scheduler only keeps the time. A question is asked once at a time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        budget: Budget,
        answered: Callable[[Question, float, Result, float], float],
    ) -> None:
        self._loop = loop
        self._budget = budget
        self._answered = answered
        self._due: list[tuple[float, int, _Entry]] = []
        self._order = count()
        self._equipment = Equipment(loop)
        self._watcher = self._equipment.watcher
        self._entries: dict[Question, _Entry] = {}
        self._flying: set[_Entry] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def add(self, question: Question, due: float) -> None:
        """Ask this for the first time at `due`, and from then on whenever `answered` says."""
        entry = _Entry(due)

        def done(result: Result) -> None:
            self._flying.discard(entry)
            self._budget.give()
            entry.due = self._answered(question, entry.due, result, self._watcher.now)
            if entry.prober is not None:  # else `answered` has removed it
                heapq.heappush(self._due, (entry.due, next(self._order), entry))
            self._arm()

        entry.prober = kinds.prober(self._equipment, question, done)
        self._entries[question] = entry
        heapq.heappush(self._due, (due, next(self._order), entry))
        self._arm()

    def remove(self, question: Question) -> None:
        """Ask this no more; a check in flight ends without a result."""
        entry = self._entries.pop(question)
        prober, entry.prober = entry.prober, None
        if entry in self._flying:
            self._flying.discard(entry)
            self._budget.give()
            assert prober is not None
            prober.abandon()
        self._arm()

    def resize(self, capacity: int) -> None:
        """So many checks at a time from now on; what is in flight beyond it ends as it would have."""
        self._budget.capacity = capacity
        self._arm()

    @property
    def in_flight(self) -> int:
        return len(self._flying)

    def lateness(self) -> float:
        """For how long the check that should have started first has been waiting, seconds."""
        return max(0.0, self._loop.time() - self._due[0][0]) if self._due else 0.0

    def close(self) -> None:
        """Stop for good; checks in flight end without a result."""
        self._due.clear()
        self._arm()
        for entry in self._flying:
            assert entry.prober is not None
            entry.prober.abandon()
        self._flying.clear()
        self._equipment.close()

    def _arm(self) -> None:
        """One timer, for the slot of the earliest due check; none while the budget is used up: what ends re-arms."""
        if self._timer is not None:
            if self._due and self._timer_at <= self._due[0][0]:  # a slot is never before what is due in it
                return
            if self._due and self._timer_at <= self._slot():
                return
            self._timer.cancel()
            self._timer = None
        if self._due and self._budget.used < self._budget.capacity:
            self._timer_at = self._slot()
            self._timer = self._loop.call_at(self._timer_at, self._tick)

    def _slot(self) -> float:
        due = self._due[0][0]
        return due if due <= self._watcher.now else math.ceil(due / SLOT) * SLOT

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        for _ in range(CHUNK):
            if not self._due or self._due[0][0] > now or not self._budget.take():
                break
            entry = heapq.heappop(self._due)[2]
            if entry.prober is None:
                self._budget.give()
            else:
                self._flying.add(entry)
                entry.prober.start()
        self._arm()

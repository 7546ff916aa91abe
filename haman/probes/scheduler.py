"""Starts checks when they are due: one ticker for all of them, not a task each.

Due checks are started together, slot by slot: measured, that costs half of what a task per server does, and 1,000
checks a second take about a tenth of a core. An idle scheduler sleeps until the next slot that has work.
"""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING, assert_never

from haman.model.cluster import HttpProbe, TcpProbe
from haman.probes.http import HttpAttempt
from haman.probes.tcp import TcpAttempt
from haman.probes.watcher import Watcher

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from haman.probes.attempt import Attempt
    from haman.probes.budget import Budget
    from haman.probes.outcome import Result
    from haman.probes.question import Question

SLOT = 0.02
"""Seconds. Checks start at multiples of it, so a check is at most that late; one that is due now starts now, or the
roundings of several checks in a row would add up to a later verdict."""

CHUNK = 32
"""Checks started in a row before the loop may do something else (some milliseconds)."""


class Scheduler:
    """answered(question, due, result, now) -> when the same question is due next, monotonic seconds. It is called once
    per started check, and decides everything; the scheduler only keeps the time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        budget: Budget,
        answered: Callable[[Question, float, Result, float], float],
    ) -> None:
        self._loop = loop
        self._budget = budget
        self._answered = answered
        self._due: list[tuple[float, int, Question]] = []
        self._order = count()
        self._watcher = Watcher(loop)
        self._flying: set[Attempt] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, question: Question, due: float) -> None:
        """Ask this for the first time at `due`, and from then on whenever `answered` says."""
        heapq.heappush(self._due, (due, next(self._order), question))
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
        for attempt in self._flying:
            attempt.abandon()
        self._flying.clear()
        self._watcher.close()

    def _arm(self) -> None:
        """One timer, for the slot of the earliest due check; none while the budget is used up: what ends re-arms."""
        if self._timer is not None:
            if self._due and self._timer.when() <= self._slot():
                return
            self._timer.cancel()
            self._timer = None
        if self._due and self._budget.used < self._budget.capacity:
            self._timer = self._loop.call_at(self._slot(), self._tick)

    def _slot(self) -> float:
        due = self._due[0][0]
        return due if due <= self._watcher.now else math.ceil(due / SLOT) * SLOT

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        for _ in range(CHUNK):
            if not self._due or self._due[0][0] > now or not self._budget.take():
                break
            due, _, question = heapq.heappop(self._due)
            self._start(question, due)
        self._arm()

    def _start(self, question: Question, due: float) -> None:
        def done(result: Result) -> None:
            self._flying.discard(attempt)
            self._budget.give()
            again = self._answered(question, due, result, self._watcher.now)
            heapq.heappush(self._due, (again, next(self._order), question))
            self._arm()

        attempt = begin(self._watcher, question, done)
        self._flying.add(attempt)
        attempt.start()


def begin(watcher: Watcher, question: Question, done: Callable[[Result], None]) -> Attempt:
    """The attempt for this type of probe, not started yet."""
    match question.probe:
        case TcpProbe():
            return TcpAttempt(watcher, question, done)
        case HttpProbe():
            return HttpAttempt(watcher, question, done)
        case unknown:
            assert_never(unknown)

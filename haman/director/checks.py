"""Checks joined to health: every question asked once, its answer given to all targets that share it.

Deciding happens in `health.board`; here results meet it, and what follows is handed on within the same call.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haman.health.cadence import next_due
from haman.model.cluster import HttpProbe
from haman.model.transition import Kind
from haman.observe.journal import log
from haman.probes.question import Question
from haman.probes.scheduler import Scheduler

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Iterable

    from haman.health.board import Board
    from haman.model.cluster import Check, Service, Target
    from haman.model.transition import Transition
    from haman.observe.tally import CheckLabels, Tally
    from haman.probes.budget import Budget
    from haman.probes.outcome import Result

QUIET = 60.0
"""Seconds between two complaints that this machine itself lacks the means to check."""


@dataclass(slots=True)
class _Asked:
    """Those who share one question. answered: for the first time."""

    check: Check
    labels: CheckLabels
    targets: list[Target] = field(default_factory=list)
    answered: bool = False


class Checks:
    """record: takes transitions. weights_changed: called with the services in which a verdict changed. first_checked:
    called when a target was checked for the first time."""

    def __init__(
        self,
        board: Board,
        tally: Tally,
        record: Callable[[Transition], None],
        weights_changed: Callable[[Collection[str]], None],
        first_checked: Callable[[], None],
    ) -> None:
        self._board = board
        self._tally = tally
        self._record = record
        self._weights_changed = weights_changed
        self._first_checked = first_checked
        self._asked: dict[Question, _Asked] = {}
        self._complained = -QUIET
        self._noticed = self._noticed_at = 0.0  # what was noticed together has one time of day
        self._scheduler: Scheduler | None = None
        self.latest: dict[Target, Result] = {}

    def add(self, services: Iterable[Service]) -> int:
        """Prepare the questions of these services. Returns how many there are in all."""
        for service in services:
            if service.check is None:
                continue
            for target, server in service.targets():
                question = Question.about(target, server, service.check)
                asked = self._asked.get(question)
                if asked is None:
                    probe = "http" if isinstance(question.probe, HttpProbe) else "tcp"
                    labels = (str(question.address), str(question.port), probe)
                    asked = self._asked[question] = _Asked(service.check, labels)
                asked.targets.append(target)
        return len(self._asked)

    def start(self, loop: asyncio.AbstractEventLoop, budget: Budget) -> None:
        """All are asked at once, as far as the budget allows; later they spread."""
        self._scheduler = Scheduler(loop, budget, self.answered)
        now = loop.time()
        for question in self._asked:
            self._scheduler.add(question, now)

    def close(self) -> None:
        if self._scheduler is not None:
            self._scheduler.close()

    @property
    def in_flight(self) -> int:
        return self._scheduler.in_flight if self._scheduler else 0

    def lateness(self) -> float:
        return self._scheduler.lateness() if self._scheduler else 0.0

    def answered(self, question: Question, due: float, result: Result, now: float) -> float:
        """One answer, for the scheduler, noticed at `now`. Returns when to ask again."""
        asked = self._asked[question]
        self._tally.check(asked.labels, result.outcome.value, result.latency)
        for target in asked.targets:
            self.latest[target] = result
        first = not asked.answered
        if result.conclusive:
            self._take(asked.targets, result, now)
            if first:
                asked.answered = True
                self._first_checked()
        else:
            self._complain(result, now)
        in_doubt = not result.conclusive or any(self._board.health[target].in_doubt for target in asked.targets)
        return next_due(asked.check, due, now, in_doubt=in_doubt, first=first, draw=random.random())

    def _take(self, targets: list[Target], result: Result, now: float) -> None:
        if now != self._noticed:
            self._noticed, self._noticed_at = now, time.time()
        changes: list[Transition] = []
        services: set[str] = set()
        for target in targets:
            told = self._board.result(target, passed=result.passed, words=result.words, now=now, at=self._noticed_at)
            if any(change.kind is Kind.SERVER for change in told):
                services.add(target.service)
            changes += told
        if services:
            self._weights_changed(services)  # BEFORE anything is written down: the kernel comes first
        for change in changes:
            self._record(change)

    def _complain(self, result: Result, now: float) -> None:
        if now - self._complained >= QUIET:
            self._complained = now
            log.warning("checks: %s", result.words)

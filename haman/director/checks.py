"""Checks joined to health: every question asked once, its answer given to all targets that share it.

Deciding happens in `health.board`; here results meet it, and what follows is handed on within the same call.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from haman.health import expiry
from haman.health.cadence import next_due
from haman.model.checks import HttpProbe
from haman.observe.journal import log
from haman.probes import kinds
from haman.probes.budget import capacity_for
from haman.probes.question import Question
from haman.probes.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from haman.health.board import Board
    from haman.model.checks import Check, Tls
    from haman.model.services import Service, Target
    from haman.model.transition import Transition
    from haman.observe.tally import CheckLabels, Tally
    from haman.probes.budget import Budget
    from haman.probes.outcome import Result

Name = TypeVar("Name", str, "CheckLabels")

QUIET = 60.0
"""Seconds between two complaints that this machine itself lacks the means to check."""


@dataclass(slots=True)
class _Asked:
    """Those who share one question. services, labels (of metrics, by name of the check): with how many targets each.
    answered: for the first time. certificate: see health.expiry."""

    check: Check
    targets: list[Target] = field(default_factory=list)
    services: Counter[str] = field(default_factory=Counter)
    labels: Counter[CheckLabels] = field(default_factory=Counter)
    answered: bool = False
    certificate: str | None = None


class Checks:
    """record: takes transitions. weights_changed: called with the services in which a weight changed. checked: called
    when a target has become one that is checked."""

    def __init__(
        self,
        board: Board,
        tally: Tally,
        record: Callable[[Transition], None],
        weights_changed: Callable[[Collection[str]], None],
        checked: Callable[[], None],
    ) -> None:
        self._board = board
        self._tally = tally
        self._record = record
        self._weights_changed = weights_changed
        self._checked = checked
        self._asked: dict[Question, _Asked] = {}
        self._shown: Counter[str | CheckLabels] = Counter()  # services, and labels of questions, with metrics
        self._complained = -QUIET
        self._noticed = self._noticed_at = 0.0  # what was noticed together has one time of day
        self._scheduler: Scheduler | None = None
        self.latest: dict[Target, Result] = {}

    def add(self, services: Iterable[Service]) -> int:
        """Prepare the questions of these services. Returns how many there are in all."""
        for service in services:
            for target, question, check in _questions(service):
                asked = self._asked.get(question)
                if asked is None:
                    asked = self._asked[question] = _Asked(check)
                    if self._scheduler is not None:
                        self._scheduler.add(question, asyncio.get_running_loop().time())
                labels = _labels(question, check)
                asked.targets.append(target)
                asked.services[service.name] += 1
                asked.labels[labels] += 1
                self._shown.update((service.name, labels))
        return len(self._asked)

    def remove(self, service: Service) -> None:
        """Ask for this one's servers no more, unless somebody else asks the same. Call it AFTER `add` of what takes
        its place, so that what goes on is not begun anew."""
        for target, question, check in _questions(service):
            asked, labels = self._asked[question], _labels(question, check)
            asked.targets.remove(target)
            asked.services -= Counter([service.name])
            asked.labels -= Counter([labels])
            self._hide(service.name, self._tally.latencies)
            self._hide(labels, self._tally.checks)
            if not asked.targets:
                del self._asked[question]
                if self._scheduler is not None:
                    self._scheduler.remove(question)

    def _hide(self, name: Name, metrics: dict[Name, Any]) -> None:
        """What nobody asks about any more has no metrics: its last certificate would end there one day."""
        self._shown[name] -= 1
        if not self._shown[name]:
            del self._shown[name]
            metrics.pop(name, None)

    def resize(self) -> None:
        """After questions came or went: as many at a time as this process may have descriptors for."""
        if self._scheduler is not None:
            self._scheduler.resize(capacity_for(len(self._asked)))

    def forget(self, targets: Iterable[Target]) -> None:
        """These are in no configuration any more."""
        for target in targets:
            self.latest.pop(target, None)

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
        for labels in asked.labels:
            self._tally.check(labels, result.outcome.value, result.latency)
        for target in asked.targets:
            self.latest[target] = result
        if result.certificate_ends is not None:
            self._look_at_certificate(question, asked, result.certificate_ends)
        for service in asked.services:
            self._tally.latency(service, result.latency)
        first = not asked.answered
        if result.conclusive:
            asked.answered = True
            self._take(asked.targets, result, now)
        else:
            self._complain(result, now)
        in_doubt = not result.conclusive or any(self._board.health[target].in_doubt for target in asked.targets)
        return next_due(asked.check, due, now, in_doubt=in_doubt, first=first, draw=random.random())

    def _take(self, targets: list[Target], result: Result, now: float) -> None:
        if now != self._noticed:
            self._noticed, self._noticed_at = now, time.time()
        unchecked = self._board.unchecked
        changes: list[Transition] = []
        for target in targets:
            changes += self._board.result(
                target,
                passed=result.passed,
                words=result.words,
                now=now,
                at=self._noticed_at,
                weight=result.weight,
            )
        if services := self._board.take_reweighed():
            self._weights_changed(services)  # BEFORE anything is written down: the kernel comes first
        for change in changes:
            self._record(change)
        if self._board.unchecked != unchecked:
            self._checked()

    def _look_at_certificate(self, question: Question, asked: _Asked, ends: float) -> None:
        for labels in asked.labels:
            self._tally.certificate(labels, ends)
        tls, at = _tls(question), time.time()
        name = f" ({tls.server_name})" if tls is not None and tls.server_name else ""
        warn_before = 0.0 if tls is None else tls.warn_before
        change = expiry.transition(
            f"{question.address}:{question.port}{name}", asked.certificate, ends, at, warn_before
        )
        asked.certificate = expiry.state(ends, at, warn_before)
        if change is not None:
            self._record(change)

    def _complain(self, result: Result, now: float) -> None:
        if now - self._complained >= QUIET:
            self._complained = now
            log.warning("checks: %s", result.words)


def _questions(service: Service) -> Iterator[tuple[Target, Question, Check]]:
    if service.check is not None:
        for target, server in service.targets():
            yield target, Question.about(target, server, service.check), service.check


def _labels(question: Question, check: Check) -> CheckLabels:
    return check.name, str(question.address), str(question.port), kinds.name(question.probe)


def _tls(question: Question) -> Tls | None:
    return question.probe.tls if isinstance(question.probe, HttpProbe) else None

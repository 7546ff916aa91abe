"""What the director counts for metrics: numbers that only grow, and the last value of a few that do not.

Counted on the loop, rendered elsewhere: `copy` gives a value of its own to a thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from haman.model.transition import Kind, Role

if TYPE_CHECKING:
    from haman.model.transition import Transition

TAKEOVER_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds in seconds. A takeover of a few addresses takes 1 ms, of hundreds some 100 ms."""

CONFIRMATION_BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Upper bounds in seconds: from neighbours that follow at once to those that were told six times."""

CHECK_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds: from a connection on the same segment to a slow page."""


class Histogram:
    """counts: one per bucket of `bounds` (upper bounds in seconds) and one for what is longer."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def copy(self) -> Histogram:
        """Shares nothing that changes later."""
        other = Histogram(self.bounds)
        other.counts, other.total = list(self.counts), self.total
        return other


@dataclass(slots=True)
class Asked:
    """How one check found one server so far. outcomes: by name. total, latest: seconds it took. certificate_ends: of
    the last certificate that was seen, wall-clock seconds."""

    outcomes: Counter[str] = field(default_factory=Counter)
    total: float = 0.0
    latest: float = 0.0
    certificate_ends: float | None = None


CheckLabels = tuple[str, str, str, str]
"""Name of the check, server address, port, type of probe."""


@dataclass(slots=True)
class Tally:
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)  # kind, cause
    roles: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # router, role, cause
    releases: Counter[str] = field(default_factory=Counter)  # router -> times it was active no longer
    splits: Counter[str] = field(default_factory=Counter)  # router -> times another one was active beside it
    takeovers: dict[str, Histogram] = field(default_factory=dict)  # by router
    confirmations: dict[str, Histogram] = field(default_factory=dict)  # by router
    latencies: dict[str, Histogram] = field(default_factory=dict)  # of checks, by service
    checks: dict[CheckLabels, Asked] = field(default_factory=dict)
    drift: Counter[str] = field(default_factory=Counter)  # missing, changed, unexpected
    refusals: int = 0
    hooks: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # program, event, result
    hook_status: dict[tuple[str, str], int] = field(default_factory=dict)  # program, event -> last exit status
    hook_seconds: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)  # -> runs, seconds in all
    hooks_superseded: int = 0

    def transition(self, transition: Transition) -> None:
        self.transitions[transition.kind.value, transition.cause] += 1
        if transition.kind is Kind.ROUTER:
            self.roles[transition.who, transition.after, transition.cause] += 1
            if transition.before == Role.ACTIVE.value:
                self.releases[transition.who] += 1

        elif transition.kind is Kind.SPLIT and transition.before == "none":
            self.splits[transition.who] += 1

    def takeover(self, router: str, seconds: float) -> None:
        self._histogram(self.takeovers, router, TAKEOVER_BUCKETS).observe(seconds)

    def confirmed(self, router: str, seconds: float) -> None:
        self._histogram(self.confirmations, router, CONFIRMATION_BUCKETS).observe(seconds)

    def latency(self, service: str, seconds: float) -> None:
        """A check of one of its servers took so long."""
        self._histogram(self.latencies, service, CHECK_BUCKETS).observe(seconds)

    @staticmethod
    def _histogram(of: dict[str, Histogram], name: str, bounds: tuple[float, ...]) -> Histogram:
        found = of.get(name)
        if found is None:
            found = of[name] = Histogram(bounds)
        return found

    def check(self, labels: CheckLabels, outcome: str, seconds: float) -> None:
        asked = self.checks.get(labels)
        if asked is None:
            asked = self.checks[labels] = Asked()
        asked.outcomes[outcome] += 1
        asked.total += seconds
        asked.latest = seconds

    def certificate(self, labels: CheckLabels, ends: float) -> None:
        """Of a question that was asked before."""
        self.checks[labels].certificate_ends = ends

    def hook(self, program: str, event: str, result: str, status: int, seconds: float) -> None:
        self.hooks[program, event, result] += 1
        self.hook_status[program, event] = status
        runs, total = self.hook_seconds.get((program, event), (0, 0.0))
        self.hook_seconds[program, event] = (runs + 1, total + seconds)

    def copy(self) -> Tally:
        """Shares nothing that changes later."""
        return Tally(
            transitions=Counter(self.transitions),
            roles=Counter(self.roles),
            releases=Counter(self.releases),
            splits=Counter(self.splits),
            takeovers={name: each.copy() for name, each in self.takeovers.items()},
            confirmations={name: each.copy() for name, each in self.confirmations.items()},
            latencies={name: each.copy() for name, each in self.latencies.items()},
            checks={key: replace(each, outcomes=Counter(each.outcomes)) for key, each in self.checks.items()},
            drift=Counter(self.drift),
            refusals=self.refusals,
            hooks=Counter(self.hooks),
            hook_status=dict(self.hook_status),
            hook_seconds=dict(self.hook_seconds),
            hooks_superseded=self.hooks_superseded,
        )

"""What the director counts for metrics: numbers that only grow, and the last value of a few that do not.

Counted on the loop, rendered elsewhere: `copy` gives a value of its own to a thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from haman.model.transition import Kind

if TYPE_CHECKING:
    from haman.model.transition import Transition

TAKEOVER_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds in seconds. A takeover of a few addresses takes 1 ms, of hundreds some 100 ms."""


@dataclass(slots=True)
class Histogram:
    """counts: one per bucket of TAKEOVER_BUCKETS and one for what is longer."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(TAKEOVER_BUCKETS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(TAKEOVER_BUCKETS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Asked:
    """The checks of one question so far. outcomes: by name. total, latest: seconds they took."""

    outcomes: Counter[str] = field(default_factory=Counter)
    total: float = 0.0
    latest: float = 0.0


CheckLabels = tuple[str, str, str]
"""Server address, port, type of probe."""


@dataclass(slots=True)
class Tally:
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)  # kind, cause
    roles: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # router, role, cause
    takeovers: dict[str, Histogram] = field(default_factory=dict)  # by router
    checks: dict[CheckLabels, Asked] = field(default_factory=dict)
    drift: Counter[str] = field(default_factory=Counter)  # missing, changed, unexpected
    refusals: int = 0
    hooks: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # program, event, result
    hook_status: dict[tuple[str, str], int] = field(default_factory=dict)  # program, event -> last exit status
    hooks_superseded: int = 0

    def transition(self, transition: Transition) -> None:
        self.transitions[transition.kind.value, transition.cause] += 1
        if transition.kind is Kind.ROUTER:
            self.roles[transition.who, transition.after, transition.cause] += 1

    def takeover(self, router: str, seconds: float) -> None:
        self.takeovers.setdefault(router, Histogram()).observe(seconds)

    def check(self, labels: CheckLabels, outcome: str, seconds: float) -> None:
        asked = self.checks.get(labels)
        if asked is None:
            asked = self.checks[labels] = Asked()
        asked.outcomes[outcome] += 1
        asked.total += seconds
        asked.latest = seconds

    def hook(self, program: str, event: str, result: str, status: int) -> None:
        self.hooks[program, event, result] += 1
        self.hook_status[program, event] = status

    def copy(self) -> Tally:
        """Shares nothing that changes later."""
        return Tally(
            transitions=Counter(self.transitions),
            roles=Counter(self.roles),
            takeovers={name: Histogram(list(each.counts), each.total) for name, each in self.takeovers.items()},
            checks={key: replace(each, outcomes=Counter(each.outcomes)) for key, each in self.checks.items()},
            drift=Counter(self.drift),
            refusals=self.refusals,
            hooks=Counter(self.hooks),
            hook_status=dict(self.hook_status),
            hooks_superseded=self.hooks_superseded,
        )

"""What the elector counts: by router (or `interface NAME`), and how late its loop was. Counts only grow."""

from __future__ import annotations

from collections import Counter, defaultdict

from haman.model.elector import Counters


class Tally:
    def __init__(self) -> None:
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._latest = 0.0

    def count(self, where: str, what: str, times: int = 1) -> None:
        self._counts[where][what] += times

    def late(self, seconds: float) -> None:
        """A deadline was handled so much later than it should have been."""
        self._latest = max(self._latest, seconds)

    def report(self) -> Counters:
        """The counts so far, and the worst lateness since the last report."""
        lag, self._latest = self._latest, 0.0
        return Counters(routers={where: dict(counts) for where, counts in self._counts.items()}, lag=lag)

"""What is wrong with what others say on the network: words for the operator, kept for as long as it goes on.

The log gets each at once, and again not before a minute has passed: a flood must not become a flood of lines. The
status of a router shows what was heard in the last minute. There is one entry for each router (or interface) and kind,
so nobody's packets make this grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.model.transition import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = 60.0
"""Seconds between two log lines about one thing, and how long a status shows what is heard no more."""


@dataclass(slots=True)
class _Complaint:
    """noted: when the log was told. until: when it is forgotten, unless it is heard again."""

    words: str
    noted: float
    until: float


class Complaints:
    def __init__(self, note: Callable[[Kind, str, str, str, str, str], None]) -> None:
        self._note = note
        self._open: dict[tuple[str, str], _Complaint] = {}

    def add(self, where: str, what: str, after: str, words: str, now: float) -> None:
        """where: a router or an interface. what: the stable name of its kind. after: `refused` or `mismatch`."""
        known = self._open.get((where, what))
        if known is not None and now - known.noted < QUIET:
            known.until = now + QUIET
            return
        self._open[where, what] = _Complaint(words, now, now + QUIET)
        before = "packet" if after == "refused" else what
        self._note(Kind.PACKET, where, before, after, f"{after}_{what}", words)

    def about(self, where: str) -> tuple[str, ...]:
        if not self._open:
            return ()
        return tuple(complaint.words for (place, _), complaint in self._open.items() if place == where)

    @property
    def deadline(self) -> float | None:
        """When one may be forgotten."""
        return min((complaint.until for complaint in self._open.values()), default=None) if self._open else None

    def expire(self, now: float) -> set[str]:
        """Forget what was not heard again. Returns whom it was about."""
        over = [key for key, complaint in self._open.items() if now >= complaint.until]
        for key in over:
            del self._open[key]
        return {where for where, _ in over}

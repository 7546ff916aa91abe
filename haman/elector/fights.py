"""Somebody takes our addresses away again and again: how often they are put back, and when that is no answer any more.

One deletion is a restart of the network, and is undone at once. FEW within WINDOW is a fight: from then on it is undone
ten times a second, which floods neither the log nor the neighbours' tables; and the role is offered to the other
director, whose machine may be at peace (see Engine.contested). Pure.
"""

from __future__ import annotations

from collections import deque

FEW = 5
WINDOW = 10.0
REST = 0.1
"""Seconds between two repairs of one router in a fight."""


class Fights:
    def __init__(self) -> None:
        self._repairs: dict[str, deque[float]] = {}

    def rest(self, router: str, now: float) -> float:
        """Seconds until the router's addresses are to be put back; 0: at once."""
        repairs = self._recent(router, now)
        return max(0.0, repairs[-1] + REST - now) if len(repairs) >= FEW else 0.0

    def repaired(self, router: str, now: float) -> bool:
        """Whether this repair is the one that makes it a fight; the count begins anew with it."""
        repairs = self._recent(router, now)
        repairs.append(now)
        return len(repairs) % FEW == 0

    def _recent(self, router: str, now: float) -> deque[float]:
        repairs = self._repairs.setdefault(router, deque(maxlen=1000))
        while repairs and repairs[0] <= now - WINDOW:
            repairs.popleft()
        return repairs

"""What the relay says for the log, bounded: it takes strangers' bytes, and one that was overcome could fill a disk.

By itself it tells each reason of each way once a minute (relay.account). Pure.
"""

from __future__ import annotations

WITHIN = 60.0
"""Seconds."""

LINES = 200
"""That are taken in these: every reason of a dozen ways."""


class Words:
    def __init__(self) -> None:
        self._begun = -WITHIN
        self._taken = self._left_out = 0

    def take(self, words: str, now: float) -> list[str]:
        """The lines for the log. now: monotonic seconds."""
        lines = self.due(now)
        if now - self._begun >= WITHIN:
            self._begun, self._taken = now, 0
        if self._taken == LINES:
            self._left_out += 1
            return lines
        self._taken += 1
        return [*lines, words]

    def due(self, now: float) -> list[str]:
        """How many were left out, once their time is over. Call it now and then: the relay may say nothing more."""
        if not self._left_out or now - self._begun < WITHIN:
            return []
        left, self._left_out = self._left_out, 0
        return [f"the relay said {LINES} lines for the log within {WITHIN:g} s, and {left:,} more that were left out"]

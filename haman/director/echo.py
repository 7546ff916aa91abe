"""Was a question asked of this director, in this life of it and just now? It names something that this one has said to
all on the channel: the life, and the number of what was heard of it last. So what was recorded of it proves nothing to
another director, to a later life of this one, or after a while. Pure: time comes in as `now`.
"""

from __future__ import annotations

from collections import deque

from haman.director.peers import PATIENCE


class Echo:
    """life: of this director process, as all that it says tells it."""

    def __init__(self, life: int) -> None:
        self._life = life
        self._said: deque[tuple[float, int]] = deque()

    def said(self, number: int, now: float) -> None:
        self._forget(now)
        self._said.append((now, number))

    def shows(self, life: int, number: int, now: float) -> bool:
        """Whether these are of something that was said so lately that whoever heard it takes this director for one that
        is heard."""
        self._forget(now)
        return life == self._life and any(number == each for _, each in self._said)

    def _forget(self, now: float) -> None:
        while self._said and now - self._said[0][0] > PATIENCE:
            self._said.popleft()

"""The last transitions, newest last: what `haman status` shows, bounded in memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.transition import Transition

LENGTH = 1000


class History:
    def __init__(self, length: int = LENGTH) -> None:
        self._ring: deque[Transition] = deque(maxlen=length)

    def record(self, transition: Transition) -> None:
        self._ring.append(transition)

    def last(self, count: int) -> list[Transition]:
        """At most `count`, oldest first."""
        return list(self._ring)[-count:] if count > 0 else []

"""How long an ordinary program had to wait for the processor while a story was played: what starves it starves the
servers and clients of the story too, and an answer that comes after its time counts as none.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

EVERY = 0.1
"""Seconds between two beats."""

STARVED = 0.5
"""Seconds a beat may be late: a quarter of what a client waits for an answer."""


class Pulse:
    """A thread that beats while the block runs. latest: by how much the latest beat was late, seconds."""

    def __init__(self) -> None:
        self.latest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        due = time.monotonic() + EVERY
        while not self._over.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            self.latest = max(self.latest, now - due)
            due = now + EVERY

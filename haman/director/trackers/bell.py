"""Waiting for something to happen, but never longer than an interval: a lost notification costs so much and no more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Bell:
    """Rung from anywhere in the loop. A context manager that lets go of the descriptors it listens to."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()
        self._descriptors: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in list(self._descriptors):
            self.ignore(descriptor)

    def ring(self) -> None:
        self._rung.set()

    def listen(self, descriptor: int, drain: Callable[[], None]) -> None:
        """Rings when the descriptor becomes readable, after `drain` has read what is there."""

        def readable() -> None:
            drain()
            self.ring()

        self._descriptors.add(descriptor)
        self._loop.add_reader(descriptor, readable)

    def ignore(self, descriptor: int) -> None:
        """BEFORE the descriptor is closed. Idempotent."""
        if descriptor in self._descriptors:
            self._descriptors.discard(descriptor)
            self._loop.remove_reader(descriptor)

    async def wait(self, seconds: float) -> None:
        """Until it rings, or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            pass
        self._rung.clear()

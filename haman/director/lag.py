"""How late this process's loop is: measured all the time, the worst of about the last second kept."""

from __future__ import annotations

import asyncio

EVERY = 0.1
WINDOW = 1.0
"""Seconds."""


class Lag:
    def __init__(self) -> None:
        self._worst = [0.0, 0.0]

    @property
    def worst(self) -> float:
        """Seconds: in this window and the one before it."""
        return max(self._worst)

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        window = loop.time()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            now = loop.time()
            self._worst[-1] = max(self._worst[-1], now - due)
            if now - window >= WINDOW:
                window = now
                self._worst = [self._worst[-1], 0.0]

"""Waiting for a state that others bring about: looked at again whenever one of them says that something has changed.

Whoever changes what somebody may wait for (a role, what another director said) calls `happened`; nobody looks at the
clock in between.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Changing:
    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def happened(self) -> None:
        for each in self._waiting:
            each.set()

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Returns once it holds, or `seconds` are over, and then whether it holds. What holds already is not waited
        for."""
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    changed.clear()
                    await changed.wait()
            return True
        except TimeoutError:
            return holds()
        finally:
            self._waiting.discard(changed)

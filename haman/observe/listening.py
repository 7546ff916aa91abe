"""Where metrics are to be served, as a level: said by whoever reads the configuration, followed by `web`.

Apart from `web`, because that loads half of the director's memory, and only for who wants it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.cluster import Listen


class Listening:
    """wanted: where to listen; None for nowhere. problem: why it is not so yet, in words; what was there before stays
    meanwhile."""

    def __init__(self, wanted: Listen | None) -> None:
        self.wanted = wanted
        self.problem: str | None = None
        self.changed = asyncio.Event()

    def want(self, listen: Listen | None) -> None:
        if listen != self.wanted:
            self.wanted = listen
            self.changed.set()

    async def needed(self) -> None:
        """Returns once anything is wanted."""
        while self.wanted is None:
            await self.changed.wait()
            self.changed.clear()

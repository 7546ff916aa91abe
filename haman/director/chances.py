"""Second chances at work: what `second_chance` decides, on the loop's clock, told to those who live on it.

It is looked at whenever readiness is, whenever something was heard of a peer, and when its own time has come.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from haman.director.preemption import preemptions
from haman.director.second_chance import SecondChances
from haman.model.transition import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Mapping

    from haman.director.company import Own
    from haman.director.peers import Peers
    from haman.model.transition import Transition

FROM_NOBODY = ("active_silent", "nobody_active")
"""Causes of becoming active without anybody who may know connections."""


class Chances:
    """own, peers: asked for at every look. asked: of what is `taken`, what the packet filter has the rules for.
    reconsider: called when `taken` has changed. due: called when its own time has come, for readiness may depend on
    it."""

    def __init__(
        self,
        *,
        own: Callable[[], Own],
        peers: Callable[[], Peers],
        asked: Callable[[], Mapping[str, str]],
        reconsider: Callable[[], None],
        due: Callable[[], None],
    ) -> None:
        self._own = own
        self._peers = peers
        self._asked = asked
        self._reconsider = reconsider
        self._due = due
        self._chances = SecondChances()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def able(self) -> bool:
        return self._chances.able

    @property
    def taken(self) -> Mapping[str, str]:
        """As in SecondChances."""
        return self._chances.taken

    @property
    def expecting(self) -> tuple[str, ...]:
        """As in a Standing."""
        return self._chances.expecting(self._asked())

    async def learn(self, sends_on: Callable[[], Awaitable[bool]]) -> None:
        """Beside the start, which need not wait for nft, and when there may be another director. sends_on: can the
        kernel do it?"""
        if not self._chances.able and len(self._own().cluster.directors) > 1:
            self._chances.able = await sends_on()

    def prepare(self, unready: Container[str]) -> dict[str, str]:
        """By router that nothing else is lacking for (`unready`), what it had better wait for, a moment at most."""
        now = asyncio.get_running_loop().time()
        self._chances.wish(preemptions(self._own(), self._peers(), unready), now)
        self.look()
        return self._chances.unprepared(self._asked(), now)

    def happened(self, transition: Transition) -> None:
        """Of the election."""
        if transition.kind is Kind.ROUTER and transition.cause in FROM_NOBODY:
            self._chances.silent(transition.who)
            self.look()

    def look(self) -> None:
        loop = asyncio.get_running_loop()
        self._chances.node = self._own().node
        if self._chances.look(self._peers(), loop.time()):
            self._reconsider()
        if self._timer is not None:
            self._timer.cancel()
        at = self._chances.next
        self._timer = loop.call_at(at, self._turn) if math.isfinite(at) else None

    def _turn(self) -> None:
        self.look()
        self._due()

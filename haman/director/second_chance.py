"""Whom this director asks about connections that it does not know: the one whose router it takes over while that lives.

Connection sync tells of a connection only seconds after it began. In a planned move the one that leaves says beforehand
who is to have its router; of a preemption the better one knows itself. It has the rules in the packet filter BEFORE the
role moves (`plan.filter`): in the one case it says so on the channel, and the other one waits for that; in the other it
is ready to preempt only then. What it does not know goes to the old director, which still has the VIP, silently, and
its table. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.director.peers import Peers
    from haman.director.preemption import Preemption

LASTS = 10.0
"""Seconds after the move. A connection is told of after 4 s at most if it carries three packets; what was begun at the
old director, and has said nothing since, is reset when it speaks again after this time."""

PREPARED = 3.0
"""Seconds in which the rules must be there, or the role moves without them, ordered by force or not: whoever takes it
serves all the same, and what it does not know is reset. It takes a tenth of one; a busy machine is waited for, since
nobody is without the VIP meanwhile."""


@dataclass(frozen=True, slots=True)
class _Wish:
    preemption: Preemption
    since: float


class SecondChances:
    """node: this director's name. able: can the kernel do it? Nothing is taken while it is not known."""

    def __init__(self, node: str = "", *, able: bool = False) -> None:
        self.node = node
        self.able = able
        self._until: dict[tuple[str, str], float] = {}  # by router and the director it came from
        self._wishes: dict[str, _Wish] = {}
        self._in_vain: set[str] = set()
        self._looked = 0.0
        self.offered: Mapping[str, str] = {}

    @property
    def taken(self) -> dict[str, str]:
        """By router that is being taken over, or has just been, the director that served it before."""
        return dict(self._until.keys())

    def expecting(self, asked: Mapping[str, str]) -> tuple[str, ...]:
        """Of the routers that are offered, those for which nothing is left to prepare. asked: of `taken`, what is in
        the kernel."""
        return tuple(
            sorted(router for router, giver in self.offered.items() if not self.able or asked.get(router) == giver)
        )

    def unprepared(self, asked: Mapping[str, str], now: float) -> dict[str, str]:
        """By router that is about to be preempted, and had better wait for its rules, words about it."""
        return {
            router: f"prepares to send on to {wish.preemption.giver} what it does not know"
            for router, wish in self._wishes.items()
            if self.able
            and wish.preemption.held
            and asked.get(router) != wish.preemption.giver
            and now < wish.since + PREPARED
        }

    @property
    def next(self) -> float:
        """When to look again, monotonic seconds; infinite if nothing ends or begins by itself."""
        turns = (
            wish.since + age
            for wish in self._wishes.values()
            for age in (wish.preemption.begins or PREPARED, wish.preemption.takes + LASTS)
        )
        return min((at for at in (*self._until.values(), *turns) if at > self._looked), default=math.inf)

    def wish(self, preemptions: Mapping[str, Preemption], now: float) -> None:
        """What this director is about to take by itself; `look` afterwards."""
        before = self._wishes
        self._wishes = {
            router: kept if (kept := before.get(router)) and kept.preemption == preemption else _Wish(preemption, now)
            for router, preemption in preemptions.items()
        }

    def silent(self, router: str) -> None:
        """It was taken over from somebody who was silent: until the next time there is nobody to ask. `look`
        afterwards."""
        self._in_vain.add(router)

    def look(self, peers: Peers, now: float) -> bool:
        """Whether `taken` has changed. Call it when something was heard of a peer, and at `next`."""
        before, self._looked = self.taken, now
        self.offered = peers.offers(self.node)
        claims = {**self._wished(now), **self.offered}
        self._until = {key: until for key, until in self._until.items() if key[0] not in self._in_vain}
        claims, self._in_vain = (
            {router: giver for router, giver in claims.items() if router not in self._in_vain},
            self._in_vain & claims.keys(),
        )
        for router, giver in claims.items() if self.able else ():
            self._until = {key: until for key, until in self._until.items() if key[0] != router}
            self._until[router, giver] = math.inf
        for (router, giver), until in list(self._until.items()):
            if claims.get(router) != giver:
                self._until[router, giver] = until = min(until, now + LASTS)
            if until <= now or not peers.has_part(giver, router):
                del self._until[router, giver]
        return self.taken != before

    def _wished(self, now: float) -> dict[str, str]:
        return {
            router: wish.preemption.giver
            for router, wish in self._wishes.items()
            if wish.preemption.begins <= now - wish.since < wish.preemption.takes + LASTS
        }

"""Two engines on one wire under a clock turned by hand: whole reloads, not single routers.

Advertisements take `DELAY`; addresses follow what `holding` says at once. What lies on the NICs is looked at with
every step: by VIP, how long was it nowhere, and how long in two places?
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from haman.elector.engine import Engine
from haman.elector.tally import Tally
from haman.model.elector import ElectorConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haman.model.elector import Happened, Roles, RouterConfig
    from haman.wire.packet import Packet

DELAY = 0.0002
EPOCH = 1_800_000_000.0


class Side:
    """A director: plays the engine's World."""

    def __init__(self, wire: Pair, name: str, source: str) -> None:
        self.name = name
        self.source = IPv4Address(source)
        self.wire = wire
        self.deadline: float | None = None
        self.tally = Tally()
        self.engine = Engine(self, self.tally, clock=lambda: wire.now, wall=lambda: EPOCH + wire.now)
        self.generation = 0

    def reload(self, routers: Sequence[RouterConfig], priorities: Sequence[int]) -> None:
        """`priorities`: of the routers, here."""
        self.generation += 1
        mine = tuple(
            replace(router, source=self.source, priority=priority)
            for router, priority in zip(routers, priorities, strict=True)
        )
        first = self.generation == 1
        self.engine.links({"eth0": True, "eth1": True})
        self.engine.configure(ElectorConfig(generation=self.generation, node=self.name, routers=mine), adopting=first)
        self.engine.readiness({})

    def held(self) -> set[IPv4Address]:
        playing = self.engine.playing()
        holding = self.engine.holding()
        routers = playing.routers if playing is not None else ()
        return {vip.ip for router in routers if holding.get(router.name) for vip in router.addresses}  # type: ignore[misc]

    def send(self, interface: str, packet: Packet) -> int:
        self.wire.carry(self, interface, packet)
        return 0

    def wake_at(self, when: float | None) -> None:
        self.deadline = when

    def wake_keeper(self) -> None:
        pass

    def tell(self, message: Roles | Happened) -> None:
        pass


class Pair:
    """longest_nowhere, longest_twice: seconds, by VIP, among those `watch` was told of."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sides = (Side(self, "lb1", "10.0.0.1"), Side(self, "lb2", "10.0.0.2"))
        self._air: list[tuple[float, int, Side, str, Packet]] = []
        self._sent = 0
        self.heard: list[Packet] = []  # by whoever listens to the segment
        self.forget()

    def forget(self) -> None:
        """What was is no matter any more."""
        self.watched: frozenset[IPv4Address] = frozenset()
        self._since: dict[tuple[str, IPv4Address], float] = {}
        self.longest: defaultdict[tuple[str, IPv4Address], float] = defaultdict(float)

    def watch(self, *routers: RouterConfig) -> None:
        self.watched = frozenset(vip.ip for router in routers for vip in router.addresses)  # type: ignore[misc]
        self._look()

    def worst(self, what: str) -> float:
        """`nowhere` or `twice`."""
        return max((seconds for (kind, _), seconds in self.longest.items() if kind == what), default=0.0)

    def carry(self, sender: Side, interface: str, packet: Packet) -> None:
        self._sent += 1
        self.heard.append(packet)
        other = self.sides[1] if sender is self.sides[0] else self.sides[0]
        heapq.heappush(self._air, (self.now + DELAY, self._sent, other, interface, packet))

    def inject(self, interface: str, packet: Packet) -> None:
        """Somebody else's, to everybody."""
        for side in self.sides:
            side.engine.packet(interface, packet)
            side.engine.settle()
        self._look()

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            deadlines = [(side.deadline, side) for side in self.sides if side.deadline is not None]
            at = min([when for when, _ in deadlines] + [entry[0] for entry in self._air[:1]] + [until])
            self.now = max(self.now, at)
            if at >= until:
                break
            if self._air and self._air[0][0] <= self.now:
                _, _, side, interface, packet = heapq.heappop(self._air)
                side.engine.packet(interface, packet)
                side.engine.settle()
            else:
                next(side for when, side in deadlines if when <= self.now).engine.tick()
            self._look()
        self._look()

    def _look(self) -> None:
        held = [side.held() for side in self.sides]
        for vip in self.watched:
            places = sum(vip in each for each in held)
            for kind, found in (("nowhere", places == 0), ("twice", places == 2)):
                if found:
                    begun = self._since.setdefault((kind, vip), self.now)
                    self.longest[kind, vip] = max(self.longest[kind, vip], self.now - begun)
                else:
                    self._since.pop((kind, vip), None)

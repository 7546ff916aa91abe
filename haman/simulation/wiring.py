"""Which directors can hear one another, for one election. Only what the story does to network and hosts changes it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haman.simulation.world import World


class Wiring:
    """linked: pairs that hear each other, both ways, over IPv4. parts: sets of directors that any packet of this
    election can pass between, each with whether all of its pairs are linked."""

    def __init__(self, world: World, routers: Sequence[str]) -> None:
        segments = {world.setup.segment_of(router) for router in routers}
        hosts, network = world.hosts, world.network
        versions = (4, 6) if world.setup.shape == "dual" else (4,)
        self.linked: set[frozenset[str]] = set()
        touched: dict[str, set[str]] = {name: {name} for name, host in hosts.items() if host.running}
        for one, other in combinations(touched, 2):
            a, b = hosts[one], hosts[other]
            there = any(network.reaches(a, b, segment) for segment in segments)
            back = any(network.reaches(b, a, segment) for segment in segments)
            if there and back:
                self.linked.add(frozenset((one, other)))
            somehow = there or back
            for version in versions:
                for segment in segments:
                    somehow = somehow or network.reaches(a, b, segment, version)
                    somehow = somehow or network.reaches(b, a, segment, version)
            if somehow:
                touched[one].add(other)
                touched[other].add(one)
        self.parts: list[tuple[frozenset[str], bool]] = []
        seen: set[str] = set()
        for name in touched:
            if name in seen:
                continue
            part, edge = {name}, [name]
            while edge:
                for each in touched[edge.pop()] - part:
                    part.add(each)
                    edge.append(each)
            seen |= part
            whole = all(frozenset(pair) in self.linked for pair in combinations(part, 2))
            self.parts.append((frozenset(part), whole))
        self._whole = {name: part for part, whole in self.parts if whole for name in part}

    def part_of(self, name: str) -> frozenset[str]:
        """The whole part it is in; empty if that has a pair that cannot hear each other."""
        return self._whole.get(name, frozenset())

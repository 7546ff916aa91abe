"""Whose word counts for a server's weight: this director's own checks', or that of the director that is active. Pure.

A scheduler that computes the server from the packet (Maglev hashing) is what makes a takeover free: whichever director
gets a packet sends it to the same server. That holds only while all of them have the same servers with the same
weights, added in the same order. Each checks for itself, so for moments, or for long when one sees a server that
another cannot reach, they would not. Where directors are real servers as well such a moment is a loop: each
takes the other for the server, and the packet goes to and fro until its TTL ends.

So for these services the directors that are not active take over what the active one says its table holds. Their own
checks go on; what they say counts as soon as nobody is heard saying otherwise, and on whoever becomes active.

One thing a follower knows better: what it is given is for itself. So a director that is a real server has itself in
its table, last, also while the active one has not: it gets nothing then, and when it is added there, last, both
tables are the same at once, not when word of it has come.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, MutableMapping

    from haman.model.cluster import Cluster
    from haman.model.services import Service, Target
    from haman.model.standing import Shares

COMPUTED = frozenset({"mh", "sh", "dh"})
"""Schedulers that choose by hashing: with equal tables two directors choose the same server for a packet."""

PATIENCE = 5.0
"""Seconds after which the word of somebody who is not heard any more does not count."""

HEAVIEST = 65535
"""As in a configuration."""

Servers = tuple[tuple[str, int], ...]
"""(server, weight), in the order in which they were added."""


@dataclass(frozen=True, slots=True)
class _Word:
    """said: as the director said it. weights, order: what follows from it for this node's table."""

    director: str
    said: Mapping[int, Servers]
    weights: Mapping[Target, int | None]
    order: Mapping[int, tuple[str, ...]]
    heard: float


class Agreement:
    """Of one node. `configure` it first; every method that can change what is to be in the table returns the names of
    the services it changed it for."""

    def __init__(self) -> None:
        self._node = ""
        self._services: dict[str, Service] = {}
        self._router: dict[str, str | None] = {}
        self._active: frozenset[str] = frozenset()
        self._words: dict[str, _Word] = {}

    def configure(self, cluster: Cluster, node: str) -> None:
        """Another configuration. What was heard was said of another one, and is forgotten."""
        self._node = node
        mine = [service for service in cluster.services_of(node) if service.scheduler in COMPUTED]
        self._services = {service.name: service for service in mine}
        routers = {service.name: cluster.router_of(service) for service in mine}
        self._router = {name: None if router is None else router.name for name, router in routers.items()}
        self._words = {}

    def active(self, routers: Iterable[str]) -> set[str]:
        """This node is active for these routers, and no others."""
        before = {name for name in self._words if self.follows(name)}
        self._active = frozenset(routers)
        return {name for name in self._words if bool(self.follows(name)) != (name in before)}

    def leads(self, service: str) -> bool:
        """Does this node say for the others what the table holds? For a service by firewall mark, which belongs to no
        router, whoever is active for any does."""
        if service not in self._services:
            return False
        router = self._router[service]
        return bool(self._active) if router is None else router in self._active

    def follows(self, service: str) -> str | None:
        """The director whose word counts here for this service; None: this node's own."""
        word = self._words.get(service)
        return None if word is None or self.leads(service) else word.director

    def hear(self, shares: Shares, now: float) -> set[str]:
        """From a director that is active and lives by the same configuration."""
        changed = set()
        for name, fronts in shares.of.items():
            service = self._services.get(name)
            said = None if service is None else _named(service, fronts)
            if said is None:
                continue
            before = self._words.get(name)
            if before is not None and before.said == said:
                self._words[name] = replace(before, director=shares.node, heard=now)
                continue
            self._words[name] = self._word(shares.node, name, said, now)
            if not self.leads(name):
                changed.add(name)
        return changed

    def look(self, now: float) -> set[str]:
        """Call it now and then: who is not heard any more is not followed."""
        gone = {name for name, word in self._words.items() if now - word.heard > PATIENCE}
        changed = {name for name in gone if self.follows(name)}
        for name in gone:
            del self._words[name]
        return changed

    def weights(self, own: Mapping[Target, int | None]) -> Mapping[Target, int | None]:
        """What the table is to hold, given what this node's own checks say."""
        followed: MutableMapping[Target, int | None] = {}
        for name, word in self._words.items():
            if self.follows(name):
                followed.update(word.weights)
        return ChainMap(followed, own) if followed else own  # type: ignore[arg-type]

    def order(self) -> dict[str, Mapping[int, tuple[str, ...]]]:
        """By service that is followed, then front port: the servers in the order they are to be added in."""
        return {name: word.order for name, word in self._words.items() if self.follows(name)}

    def differing(self, service: str, own: Mapping[Target, int | None]) -> list[Target]:
        """The servers whose weight would be another one by this node's own checks."""
        if not self.follows(service):
            return []
        said = self._table(service, self._words[service].said)
        return [target for target, weight in said.items() if own.get(target) != weight]

    def _word(self, director: str, name: str, said: Mapping[int, Servers], now: float) -> _Word:
        wanted = {front: self._and_itself(name, servers) for front, servers in said.items()}
        order = {front: tuple(server for server, _ in servers) for front, servers in wanted.items()}
        return _Word(director, said, self._table(name, wanted), order, now)

    def _table(self, name: str, fronts: Mapping[int, Servers]) -> dict[Target, int | None]:
        service = self._services[name]
        table: dict[Target, int | None] = {target: None for target, _ in service.targets()}
        for front, servers in fronts.items():
            for server, weight in servers:
                table[service.target(service.servers[server], front)] = weight
        return table

    def _and_itself(self, name: str, servers: Servers) -> Servers:
        """As the active director has them, and this node behind them if it is one and is not there."""
        there = {server for server, _ in servers}
        mine = self._services[name].servers.values()
        return servers + tuple((s.name, s.weight) for s in mine if s.director == self._node and s.name not in there)


def numbered(service: Service, fronts: Mapping[int, Servers]) -> dict[int, tuple[tuple[int, int], ...]]:
    """As it is said to others: servers by their number among the sorted names. Who has the same configuration, in
    whatever order it is written, has the same numbers."""
    numbers = {name: number for number, name in enumerate(sorted(service.servers))}
    return {front: tuple((numbers[server], weight) for server, weight in servers) for front, servers in fronts.items()}


def _named(service: Service, fronts: Mapping[int, Collection[tuple[int, int]]]) -> dict[int, Servers] | None:
    """None for what cannot be this service: nothing from the network is believed as it comes."""
    names = sorted(service.servers)
    if set(fronts) != set(service.fronts):
        return None
    for servers in fronts.values():
        numbers = {number for number, _ in servers}
        if len(numbers) < len(servers) or any(number >= len(names) for number in numbers):
            return None
        if any(weight > HEAVIEST for _, weight in servers):
            return None
    return {front: tuple((names[number], weight) for number, weight in servers) for front, servers in fronts.items()}

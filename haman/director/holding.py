"""How many connections this director's table holds, by router: what it tells the others, and compares with theirs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from haman.model.standing import Connections
from haman.plan.identity import service_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from haman.model.cluster import Cluster
    from haman.model.kernel import ServiceKey

EVERY = 1.0
"""Seconds between two counts."""

SHARE = 20
"""A count rests so many times as long as it took: ten thousand servers take some 50 ms."""


class Holding:
    """read: what the kernel counts now, by service; empty when it does not tell. counted: called after each count.
    by_router: the last count of every router that has anything to be counted behind it."""

    def __init__(self, read: Callable[[], Awaitable[Mapping[ServiceKey, Connections]]], counted: Callable[[], None]):
        self._read = read
        self._counted = counted
        self._routers: dict[ServiceKey, tuple[str, ...]] = {}
        self._wanted = asyncio.Event()
        self.by_router: Mapping[str, Connections] = {}

    def configure(self, cluster: Cluster, node: str) -> None:
        """From now on these are counted: the services behind each router, with those by firewall mark behind all of
        them. Nothing is counted where nothing is synchronised."""
        self._routers = {}
        self._wanted.clear()
        if cluster.sync is not None and node in cluster.sync.interfaces:
            everywhere = tuple(router.name for router in cluster.routers_of(node))
            for service in cluster.services_of(node):
                router = cluster.router_of(service)
                for front in service.fronts:
                    self._routers[service_key(service, front)] = everywhere if router is None else (router.name,)
        behind = {name for names in self._routers.values() for name in names}
        self.by_router = {name: self.by_router.get(name, Connections(0, 0)) for name in sorted(behind)}
        if behind:
            self._wanted.set()

    async def run(self) -> None:
        """For ever; idle while nothing is to be counted."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            begun = loop.time()
            counted = await self._read()
            found = dict.fromkeys(self.by_router, Connections(0, 0))
            for key, names in self._routers.items():
                if (count := counted.get(key)) is not None:
                    for name in names:
                        found[name] += count
            self.by_router = found
            self._counted()
            await asyncio.sleep(max(EVERY, SHARE * (loop.time() - begun)))

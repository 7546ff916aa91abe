"""What passes through IPVS, counted by the kernel: read when somebody asks, under haman's own names.

Only what the configuration knows is shown: services of others in the same kernel are theirs.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from haman.errors import HamanError
from haman.model.kernel import DestinationKey, ServiceKey
from haman.observe.figures import Traffic
from haman.plan.identity import place, service_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from haman.kernel.ipvs.decode import Traffic as Counted
    from haman.model.cluster import Cluster

FRESH = 1.0
"""Seconds for which one reading serves all who ask: the kernel adds its totals up every two."""


class Counting(Protocol):
    """kernel.ipvs.Ipvs, as it is needed here."""

    async def counters(self) -> Mapping[ServiceKey | DestinationKey, Counted]: ...

    def close(self) -> None: ...


class TrafficReader:
    """Has a socket of its own: a scrape must hold up neither a repair nor a look. open_table: raises
    KernelUnavailable."""

    def __init__(self, cluster: Cluster, node: str, open_table: Callable[[], Counting]) -> None:
        self._open_table = open_table
        self._table: Counting | None = None
        self._turn = asyncio.Lock()
        self._latest: Traffic | None = None
        self._read_at = -FRESH
        self._fronts: dict[ServiceKey, tuple[str, int]] = {}
        self._servers: dict[DestinationKey, tuple[str, int, str]] = {}
        self.learn(cluster, node)

    def learn(self, cluster: Cluster, node: str) -> None:
        """From now on these are what is counted. Takes a while for ten thousand servers; may be called in a thread."""
        fronts: dict[ServiceKey, tuple[str, int]] = {}
        servers: dict[DestinationKey, tuple[str, int, str]] = {}
        for service in (each for whole in cluster.services_of(node) for each in whole.everywhere()):
            for front in service.fronts:
                key = service_key(service, front)
                fronts.setdefault(key, (service.name, front))
                for server in service.servers.values():
                    servers[place(service, key, front, server)] = (service.name, front, server.name)
        self._fronts, self._servers = fronts, servers

    async def read(self) -> Traffic | None:
        """None when there is nothing to count, or the kernel does not tell."""
        async with self._turn:
            if not self._fronts:
                return None
            if time.monotonic() - self._read_at >= FRESH:
                try:
                    if self._table is None:
                        self._table = self._open_table()
                    self._latest = self._named(await self._table.counters())
                except HamanError:
                    self._latest = None  # that IPVS is not there is said elsewhere
                    self.close()
                self._read_at = time.monotonic()
            return self._latest

    def close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None

    def _named(self, counted: Mapping[ServiceKey | DestinationKey, Counted]) -> Traffic:
        services, servers = {}, {}
        for key, traffic in counted.items():
            if isinstance(key, DestinationKey):
                if key in self._servers:
                    servers[self._servers[key]] = traffic
            elif key in self._fronts:
                services[self._fronts[key]] = traffic
        return Traffic(services=services, servers=servers)

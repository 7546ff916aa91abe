from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from haman.director.holding import Holding
from haman.model.cluster import Sync
from haman.model.kernel import ServiceKey
from haman.model.services import Protocol
from haman.model.standing import Connections
from tests.director.support import cluster, service

if TYPE_CHECKING:
    from collections.abc import Mapping

SYNC = Sync(interfaces={"lb1": "eth0"}, sync_id=1, group=IPv4Address("224.0.0.81"))
WEB = ServiceKey.at(Protocol.TCP, IPv4Address("10.0.0.100"), 80)
SHOP = ServiceKey.at(Protocol.TCP, IPv4Address("10.0.1.100"), 81)
MARKED = ServiceKey.marked(7)
FOREIGN = ServiceKey.at(Protocol.TCP, IPv4Address("10.9.9.9"), 80)
KERNEL = {WEB: Connections(3, 4), SHOP: Connections(10, 0), MARKED: Connections(100, 1), FOREIGN: Connections(9999, 9)}


async def read() -> Mapping[ServiceKey, Connections]:
    return KERNEL


async def counted(holding: Holding) -> None:
    """One count, if there is anything to count."""
    task = asyncio.create_task(holding.run())
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()


def test_a_router_has_the_connections_of_the_services_behind_it_and_of_those_by_mark() -> None:
    mark = replace(service("mark"), protocol=None, address=None, ports=(), fwmark=7)
    of = cluster(sync=SYNC, services={"web": service(), "shop": service("shop", "10.0.1.100", 81), "mark": mark})
    told: list[None] = []

    async def scenario() -> None:
        holding = Holding(read, lambda: told.append(None))
        holding.configure(of, "lb1")
        assert holding.by_router == {"public": Connections(0, 0)}, "not counted yet, and known to be counted"
        await counted(holding)
        assert holding.by_router == {"public": Connections(113, 5)}
        assert told == [None]
        holding.configure(of, "lb1")
        assert holding.by_router == {"public": Connections(113, 5)}, "a reload does not forget"

    asyncio.run(scenario())


def test_nothing_is_counted_where_nothing_is_synchronised() -> None:
    async def scenario() -> None:
        for of, node in (
            (cluster(), "lb1"),
            (cluster(sync=SYNC), "lb2"),
            (cluster(sync=SYNC, services={}), "lb1"),
        ):
            holding = Holding(read, lambda: None)
            holding.configure(of, node)
            await counted(holding)
            assert holding.by_router == {}

    asyncio.run(scenario())

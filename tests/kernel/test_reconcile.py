"""Planning against a real kernel: what is ours becomes what is wanted, whatever was there, and the rest stays."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_address
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from pyroute2 import IPVS, IPVSDest, IPVSService

from haman.kernel import sysctls
from haman.kernel.addresses import Addresses
from haman.kernel.ipvs import Ipvs
from haman.kernel.nftables import PacketFilter
from haman.lab.waiting import until
from haman.model.kernel import (
    SENTINEL_FWMARK,
    AddressKey,
    DestinationConfig,
    DestinationKey,
    Kernel,
    ServiceConfig,
    ServiceKey,
    SysctlKey,
    TableKey,
    TimeoutsConfig,
    TimeoutsKey,
)
from haman.model.services import Forward, Protocol
from haman.plan.diff import diff
from haman.plan.ownership import Ownership, foreign, owned
from tests.plan.test_diff import assert_agrees
from tests.plan.worlds import SYSCTLS, VIPS, World, worlds

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from haman.lab.hosts import Host
    from haman.plan.ops import Op


class Real:
    """All of one host's kernel that haman could change."""

    def __init__(self, ipvs: Ipvs, addresses: Addresses, packet_filter: PacketFilter) -> None:
        self._ipvs = ipvs
        self._filter = packet_filter
        self._addresses = addresses

    async def snapshot(self) -> Kernel:
        table = await self._ipvs.snapshot()
        addresses = (await self._addresses.snapshot()).addresses
        tables = await self._filter.snapshot()
        return replace(table, addresses=addresses, sysctls=sysctls.read(SYSCTLS), tables=tables)

    async def apply(self, ops: Sequence[Op]) -> list[str]:
        """In the order given, each by the one whose kind it is. What was refused, in words."""
        refusals = []
        for kind, some in groupby(ops, lambda op: type(op.key)):
            batch = list(some)
            if kind is SysctlKey:
                refusals += sysctls.apply(batch)
            elif kind is TableKey:
                refusals += await self._filter.apply(batch)
            elif kind is AddressKey:
                refusals += await self._addresses.apply(batch)
            else:
                refusals += await self._ipvs.apply(batch)
        return [str(refusal.error) for refusal in refusals]

    async def reach(self, wanted: Kernel, ownership: Ownership) -> None:
        """Plan from what is there, carry it out."""
        ops = diff(wanted, await self.snapshot(), ownership)
        assert await self.apply(ops) == [], [str(op) for op in ops]


def on(host: Host, steps: Callable[[Real], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        ipvs, addresses, packet_filter = Ipvs(), Addresses(), PacketFilter()
        await addresses.open()
        try:
            return await steps(Real(ipvs, addresses, packet_filter))
        finally:
            await addresses.close()
            ipvs.close()
            packet_filter.close()

    return host.call(asyncio.run, run())


@pytest.fixture
def host(network) -> Host:
    lan, other = network.segment("lan"), network.segment("other")
    host = network.host("one", {"eth0": (lan, ["10.0.0.1/24", "2001:db8::1/64"]), "eth1": (other, "10.9.0.1/24")})
    host.sysctl("net/ipv4/conf/all/promote_secondaries", 1)
    # What the kernel makes of its own addresses by itself is no difference that anybody made.
    until("usable addresses", lambda: "tentative" not in host.run("ip", "-6", "address").stdout, within=20)
    return host


def everything(kernel: Kernel) -> Ownership:
    """A claim on all that an earlier example has left, so that the next begins where it wants."""
    return Ownership(
        addresses=frozenset((key.device, key.ip) for key in kernel.addresses if key.ip in VIPS),
        services=frozenset(kernel.services),
        daemons=frozenset(kernel.daemons),
        tables=frozenset(kernel.tables),
    )


@given(world=worlds())
@settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
def test_a_plan_carried_out_reaches_what_is_wanted(host: Host, world: World) -> None:
    """Routes and rules, which this kernel takes only beside addresses and links that suit them, are test_routing's."""
    start = replace(world.actual, routes={}, rules={}, timeouts={TimeoutsKey(): TimeoutsConfig(900, 120, 300)})
    desired = replace(world.desired, routes={}, rules={})

    async def steps(real: Real) -> None:
        await real.reach(start, everything(await real.snapshot()))
        before = await real.snapshot()
        await real.reach(desired, world.ownership)
        after = await real.snapshot()
        assert_agrees(owned(after, world.ownership), desired)
        assert foreign(after, world.ownership) == foreign(before, world.ownership)
        assert diff(desired, after, world.ownership) == ()

    on(host, steps)


VIP = ip_address("10.0.0.100")
WEB = ServiceKey.at(Protocol.TCP, VIP, 80)
OURS = Ownership(vips=frozenset({VIP}), fwmarks=frozenset({SENTINEL_FWMARK}))
WANTED = Kernel(
    services={
        ServiceKey.marked(SENTINEL_FWMARK): ServiceConfig("none"),
        WEB: ServiceConfig("mh", frozenset({"mh-port"})),
    },
    destinations={
        DestinationKey(WEB, ip_address(f"10.0.0.{last}"), 80): DestinationConfig(Forward.DR, 1) for last in (11, 12)
    },
)
TABLE = [
    "-A -t 10.0.0.100:80 -s mh -b mh-port",
    "-a -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 1",
    "-a -t 10.0.0.100:80 -r 10.0.0.12:80 -g -w 1",
    "-A -f 1751215457 -s none",
]
FOREIGN = ["-A -t 10.0.0.200:80 -s rr", "-a -t 10.0.0.200:80 -r 10.0.0.12:80 -g -w 3"]


@pytest.mark.parametrize(
    "drift",
    [
        "-C",
        "-D -t 10.0.0.100:80",
        "-d -t 10.0.0.100:80 -r 10.0.0.11:80",
        "-e -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 0",
        "-e -t 10.0.0.100:80 -r 10.0.0.11:80 -m -w 1",
        "-a -t 10.0.0.100:80 -r 10.0.0.13:80 -g",
        "-E -t 10.0.0.100:80 -s wlc",
        "-A -u 10.0.0.100:53 -s rr",
        "-D -f 1751215457",
    ],
)
def test_drift_is_repaired_and_what_is_foreign_stays(host: Host, drift: str) -> None:
    on(host, lambda real: real.reach(WANTED, OURS))
    host.run("ipvsadm", *drift.split())
    host.run("ipvsadm", "-R", input="\n".join(FOREIGN) + "\n")
    on(host, lambda real: real.reach(WANTED, OURS))
    assert sorted(host.run("ipvsadm", "-Sn").stdout.splitlines()) == sorted(TABLE + FOREIGN)


def test_a_destination_turned_into_a_local_node_is_turned_back(host: Host) -> None:
    """Nothing but a program that writes this method by hand does so: the kernel delivers it locally whatever it is."""
    on(host, lambda real: real.reach(WANTED, OURS))
    key = DestinationKey(WEB, ip_address("10.0.0.11"), 80)

    def by_hand() -> None:
        with IPVS() as ipvs:
            service = IPVSService(addr="10.0.0.100", port=80, protocol=socket.IPPROTO_TCP)
            ipvs.dest("set", service=service, dest=IPVSDest(addr="10.0.0.11", port=80, fwd_method=1))

    host.call(by_hand)
    assert on(host, lambda real: real.snapshot()).destinations[key].local
    on(host, lambda real: real.reach(WANTED, OURS))
    assert on(host, lambda real: real.snapshot()).destinations == WANTED.destinations

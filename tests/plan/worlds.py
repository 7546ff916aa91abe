"""Hypothesis strategies for kernels small enough that desired and actual often speak of the same objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, TypeVar

from hypothesis import assume
from hypothesis import strategies as st

from haman.model.filter import Mark, Ruleset
from haman.model.kernel import (
    SENTINEL_FWMARK,
    AddressConfig,
    AddressKey,
    AddressState,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationConfig,
    DestinationKey,
    Kernel,
    RouteConfig,
    RouteKey,
    RuleConfig,
    RuleKey,
    ServiceConfig,
    ServiceKey,
    SysctlConfig,
    SysctlKey,
    TableConfig,
    TableKey,
    TimeoutsConfig,
    TimeoutsKey,
)
from haman.model.services import Forward, Protocol, Tunnel, TunnelChecksum, TunnelType
from haman.plan.ownership import Ownership, foreign, owned
from haman.wire.nftables import render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import DrawFn, SearchStrategy

    from haman.model.addresses import Address

K = TypeVar("K")
C = TypeVar("C")
T = TypeVar("T")

VIPS: tuple[Address, ...] = (ip_address("10.0.0.100"), ip_address("10.0.0.101"), ip_address("2001:db8::100"))
SERVERS: tuple[Address, ...] = (
    ip_address("10.0.0.11"),
    ip_address("10.0.0.12"),
    ip_address("10.0.0.13"),
    ip_address("2001:db8::11"),
)
MARKS = (7, SENTINEL_FWMARK)
ADDRESSES = [
    AddressKey(device, ip, prefix)
    for device in ("lo", "eth0", "eth1")
    for ip in VIPS
    for prefix in ((24, 32) if ip.version == 4 else (64, 128))
]
ROUTES = [RouteKey(ip_network(net), 254, metric) for net in ("10.9.0.0/16", "0.0.0.0/0") for metric in (0, 50)]
ROUTE_CONFIGS = [RouteConfig(via, "eth0") for via in (None, ip_address("10.0.0.254"), ip_address("10.0.0.253"))]
RULES = [RuleKey(4, priority, 100, source=ip_network("10.0.0.100/32")) for priority in (1000, 1001)]
SYSCTLS = [SysctlKey(f"net/ipv4/vs/{name}") for name in ("sloppy_tcp", "expire_nodest_conn", "backup_only")]
SERVICES = [
    *(ServiceKey.at(protocol, ip, 80) for protocol in (Protocol.TCP, Protocol.UDP) for ip in VIPS),
    *(ServiceKey.marked(mark, ipv6=ipv6) for mark in MARKS for ipv6 in (False, True)),
]
SERVICE_CONFIGS = [
    ServiceConfig("rr"),
    ServiceConfig("mh", frozenset({"mh-port"})),
    ServiceConfig("rr", persistence=300, prefix=24),
    ServiceConfig("rr", one_packet=True),
]
TUNNEL = Tunnel(type=TunnelType.GUE, port=6080, checksum=TunnelChecksum.REMOTE)
DESTINATION_CONFIGS = [
    *(DestinationConfig(Forward.DR, weight) for weight in (0, 1, 2)),
    DestinationConfig(Forward.NAT, 1, 10, 5),
    *(DestinationConfig(Forward.TUN, weight, tunnel=TUNNEL) for weight in (0, 1)),
]
TUNNELLED = [config for config in DESTINATION_CONFIGS if config.tunnel]
DAEMONS = [DaemonKey(role) for role in DaemonRole]
GROUPS = (IPv4Address("224.0.0.81"), IPv6Address("ff02::81"))
DAEMON_CONFIGS = [DaemonConfig("eth0", 1, group, 8848, 1, length) for group in GROUPS for length in (0, 1, 1024, 1472)]
TABLE_CONFIGS = [
    TableConfig(render(Ruleset(marks=(Mark(mark=mark, version=4, protocols=(Protocol.TCP,)),)))) for mark in (1, 2)
]
TIMEOUTS = [TimeoutsConfig(tcp, tcp_fin, 300) for tcp in (0, 900) for tcp_fin in (0, 120)]


@dataclass(frozen=True)
class World:
    """Something to plan for. desired is within ownership, and can stand beside what is foreign in actual."""

    desired: Kernel
    actual: Kernel
    ownership: Ownership


@st.composite
def worlds(draw: DrawFn) -> World:
    actual = draw(kernels())
    states = {key: draw(st.sampled_from(AddressState)) for key in actual.addresses if key.ip.version == 6}
    found = {key: AddressConfig(states.get(key, AddressState.USABLE)) for key in actual.addresses}
    actual = replace(actual, addresses=found)
    claimed = draw(ownerships(actual))
    desired = owned(draw(kernels()), claimed)
    theirs = foreign(actual, claimed)
    assume(not (any(map(is_mixed, desired.destinations)) and theirs.daemons))
    assume(not (any(map(is_mixed, theirs.destinations)) and desired.daemons))
    # Settings are claimed exactly while they are wanted.
    return World(desired, actual, replace(claimed, sysctls=frozenset(desired.sysctls), timeouts=bool(desired.timeouts)))


@st.composite
def kernels(draw: DrawFn) -> Kernel:
    """What a real kernel can hold at one time."""
    services = draw(_some(SERVICES, SERVICE_CONFIGS))
    mixed = draw(st.booleans())
    keys = [DestinationKey(service, ip, 80) for service in services for ip in SERVERS]
    same = [key for key in keys if not is_mixed(key)]
    destinations = draw(_some(same, DESTINATION_CONFIGS))
    if mixed:  # by tunnel only
        destinations |= draw(_some([key for key in keys if is_mixed(key)], TUNNELLED))
    return Kernel(
        addresses=dict.fromkeys(draw(_addresses()), AddressConfig()),
        routes=draw(_some(ROUTES, ROUTE_CONFIGS)),
        rules=draw(_some(RULES, [RuleConfig()])),
        sysctls=draw(_some(SYSCTLS, [SysctlConfig("0"), SysctlConfig("1")])),
        services=services,
        destinations=destinations,
        # The kernel has daemons or destinations of another family than their service, not both.
        daemons={} if mixed else draw(_some(DAEMONS, DAEMON_CONFIGS)),
        timeouts=draw(_some([TimeoutsKey()], TIMEOUTS)),
        tables=draw(_some([TableKey()], TABLE_CONFIGS)),
    )


@st.composite
def ownerships(draw: DrawFn, kernel: Kernel) -> Ownership:
    def some(values: Iterable[T]) -> frozenset[T]:
        pool = list(values)
        return draw(st.frozensets(st.sampled_from(pool), max_size=5)) if pool else frozenset()

    return Ownership(
        addresses=some((key.device, key.ip) for key in ADDRESSES),
        vips=some(VIPS),
        fwmarks=some(MARKS),
        services=some(SERVICES),
        sysctls=frozenset(SYSCTLS),
        daemons=some(DAEMONS),
        timeouts=True,
        tables=some([TableKey()]),
        remembered=some([*kernel.addresses, *kernel.services, *kernel.daemons]),
    )


def _some(keys: Iterable[K], configs: list[C]) -> SearchStrategy[dict[K, C]]:
    pool = list(keys)
    if not pool:
        return st.just({})
    return st.dictionaries(st.sampled_from(pool), st.sampled_from(configs), max_size=5)


def _addresses() -> SearchStrategy[list[AddressKey]]:
    """A device holds an IPv6 address once, an IPv4 address once per prefix length."""

    def once(key: AddressKey) -> tuple[object, ...]:
        return (key.device, key.ip, key.prefix if key.ip.version == 4 else None)

    return st.lists(st.sampled_from(ADDRESSES), unique_by=once, max_size=5)


def is_mixed(key: DestinationKey) -> bool:
    """Is the destination of another address family than its service?"""
    return (key.address.version == 6) != key.service.ipv6

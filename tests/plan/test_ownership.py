"""Whose is it? What the configuration claims and what we remember is ours, all else is not."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from haman.model.kernel import (
    SENTINEL_FWMARK,
    AddressKey,
    DaemonKey,
    DaemonRole,
    DestinationKey,
    Kernel,
    Key,
    ServiceConfig,
    ServiceKey,
    SysctlKey,
    TimeoutsKey,
)
from haman.model.services import Protocol
from haman.plan.ownership import foreign, of_director, of_elector, owned
from tests.plan.clusters import cluster, elector_config

VIP = ip_address("10.0.0.100")
VIP6 = ip_address("2001:db8::100")
OTHER = ip_address("10.0.0.200")


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        (AddressKey("eth0", VIP, 24), True),
        (AddressKey("eth0", VIP, 32), True),  # another prefix length is still our address
        (AddressKey("lo", VIP, 32), True),
        (AddressKey("eth1", VIP, 24), False),  # not the device this VIP belongs to
        (AddressKey("eth0", OTHER, 24), False),
        (AddressKey("lo", ip_address("127.0.0.1"), 8), False),
        (AddressKey("eth9", ip_address("192.0.2.1"), 32), True),  # remembered
        (SysctlKey("net/ipv4/conf/all/arp_ignore"), True),
        (SysctlKey("net/ipv4/ip_forward"), False),
    ],
)
def test_the_electors(key: Key, ours: bool) -> None:
    ownership = of_elector(elector_config(), [AddressKey("eth9", ip_address("192.0.2.1"), 32)])
    assert (key in ownership) is ours


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        (ServiceKey.at(Protocol.TCP, VIP, 80), True),
        (ServiceKey.at(Protocol.UDP, VIP, 9999), True),  # not configured, but on our VIP
        (ServiceKey.at(Protocol.TCP, VIP6, 80), True),
        (ServiceKey.at(Protocol.TCP, OTHER, 80), False),
        (ServiceKey.at(Protocol.TCP, ip_address("10.0.9.9"), 443), True),  # configured, on no router's address
        (ServiceKey.at(Protocol.TCP, ip_address("10.0.9.9"), 80), False),
        (ServiceKey.marked(7), True),
        (ServiceKey.marked(7, ipv6=True), True),
        (ServiceKey.marked(8), False),
        (ServiceKey.marked(SENTINEL_FWMARK, ipv6=True), True),
        (ServiceKey.at(Protocol.TCP, ip_address("192.0.2.7"), 80), True),  # remembered
        (DestinationKey(ServiceKey.at(Protocol.TCP, VIP, 80), OTHER, 80), True),
        (DestinationKey(ServiceKey.at(Protocol.TCP, OTHER, 80), OTHER, 80), False),
        (DaemonKey(DaemonRole.BACKUP), True),
        (TimeoutsKey(), True),
        (SysctlKey("net/ipv4/vs/expire_nodest_conn"), True),
        (SysctlKey("net/ipv4/vs/conntrack"), False),
    ],
)
def test_the_directors(key: Key, ours: bool) -> None:
    remembered = [ServiceKey.at(Protocol.TCP, ip_address("192.0.2.7"), 80)]
    assert (key in of_director(cluster(), "lb1", remembered)) is ours


def test_daemons_and_timeouts_the_configuration_is_silent_about_are_not_ours() -> None:
    ownership = of_director(cluster(sync=None, timeouts=(0, 0, 0)), "lb1", [DaemonKey(DaemonRole.MASTER)])
    assert TimeoutsKey() not in ownership
    assert DaemonKey(DaemonRole.BACKUP) not in ownership
    assert DaemonKey(DaemonRole.MASTER) in ownership  # we started it once


def test_a_router_the_node_has_no_part_in_gives_it_no_claim() -> None:
    assert ServiceKey.at(Protocol.TCP, VIP, 80) not in of_director(cluster(), "lb3", [])


def test_owned_and_foreign_are_the_two_halves() -> None:
    ours, theirs = ServiceKey.at(Protocol.TCP, VIP, 80), ServiceKey.at(Protocol.TCP, OTHER, 80)
    kernel = Kernel(services={ours: ServiceConfig("rr"), theirs: ServiceConfig("wlc")})
    ownership = of_director(cluster(), "lb1", [])
    assert owned(kernel, ownership) == Kernel(services={ours: ServiceConfig("rr")})
    assert foreign(kernel, ownership) == Kernel(services={theirs: ServiceConfig("wlc")})

"""The paper kernel refuses what a real one refuses, and operations read like sentences."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from haman.model.kernel import (
    AddressConfig,
    AddressKey,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationConfig,
    DestinationKey,
    Kernel,
    ServiceConfig,
    ServiceKey,
    SysctlConfig,
    SysctlKey,
    TimeoutsConfig,
    TimeoutsKey,
)
from haman.model.services import Forward, Protocol, Tunnel, TunnelChecksum, TunnelType
from haman.plan.ops import Add, Op, Remove, Set, simulate

WEB = ServiceKey.at(Protocol.TCP, ip_address("10.0.0.100"), 80)
WEB6 = ServiceKey.at(Protocol.TCP, ip_address("2001:db8::100"), 80)
RS1 = DestinationKey(WEB, ip_address("10.0.0.11"), 80)
RS6 = DestinationKey(WEB, ip_address("2001:db8::11"), 80)
VIP = AddressKey("eth0", ip_address("10.0.0.100"), 24)
VIP6 = AddressKey("eth0", ip_address("2001:db8::100"), 64)
MASTER = DaemonKey(DaemonRole.MASTER)
RR = ServiceConfig("rr")
DR = DestinationConfig(Forward.DR, 1)
TUN = DestinationConfig(Forward.TUN, 1, tunnel=Tunnel())
NONE = AddressConfig()
DAEMON = DaemonConfig("eth1", 7, ip_address("224.0.0.81"), 8848, 1, 0)
HELD = Kernel(
    addresses={VIP: NONE, VIP6: NONE},
    services={WEB: RR},
    destinations={RS1: DR},
    daemons={MASTER: DAEMON},
    timeouts={TimeoutsKey(): TimeoutsConfig(900, 120, 300)},
)


@pytest.mark.parametrize(
    ("op", "why"),
    [
        (Add(WEB, RR), "it is there already"),
        (Set(WEB6, RR), "it is not there"),
        (Remove(WEB6), "it is not there"),
        (Add(RS1, DR), "it is there already"),
        (Add(DestinationKey(WEB6, RS6.address, 80), DR), "its service is not there"),
        (Set(DestinationKey(WEB, ip_address("10.0.0.12"), 80), DR), "it is not there"),
        (Add(VIP, NONE), "it is there already"),
        (Remove(AddressKey("eth0", VIP.ip, 32)), "it is not there"),
        (Set(VIP, NONE), "an address cannot be changed, only added and removed"),
        (Add(AddressKey("eth0", VIP6.ip, 128), NONE), "the device holds this IPv6 address with another prefix length"),
        (Set(MASTER, DAEMON), "a sync daemon cannot be changed, only stopped and started"),
        (Add(MASTER, DAEMON), "it is there already"),
        (Add(RS6, TUN), "its address family is not its service's, and a sync daemon runs"),
        (Remove(TimeoutsKey()), "a setting can only be set"),
        (Add(SysctlKey("net/ipv4/vs/sloppy_tcp"), SysctlConfig("1")), "a setting can only be set"),
    ],
)
def test_simulate_refuses(op: Op, why: str) -> None:
    with pytest.raises(ValueError) as refusal:
        simulate([op], HELD)
    assert str(refusal.value) == f"{op}: {why}"


def test_a_daemon_does_not_start_beside_a_destination_of_another_family() -> None:
    mixed = simulate([Remove(MASTER), Add(RS6, TUN)], HELD)
    with pytest.raises(ValueError, match="another address family"):
        simulate([Add(MASTER, DAEMON)], mixed)


def test_another_address_family_is_reached_by_tunnel_only() -> None:
    with pytest.raises(ValueError, match="reached by tunnel only"):
        simulate([Remove(MASTER), Add(RS6, DR)], HELD)


def test_a_service_takes_its_destinations_with_it() -> None:
    other = DestinationKey(WEB6, RS6.address, 80)
    held = simulate([Add(WEB6, RR), Add(other, DR), Remove(WEB)], HELD)
    assert held.services == {WEB6: RR}
    assert held.destinations == {other: DR}


def test_simulate_carries_out_what_it_does_not_refuse() -> None:
    sloppy = SysctlKey("net/ipv4/vs/sloppy_tcp")
    ops: list[Op] = [
        Set(sloppy, SysctlConfig("1")),
        Set(TimeoutsKey(), TimeoutsConfig(60, 60, 60)),
        Set(WEB, ServiceConfig("mh")),
        Set(RS1, DestinationConfig(Forward.DR, 0)),
        Add(AddressKey("lo", VIP.ip, 32), NONE),
        Add(AddressKey("eth0", VIP.ip, 32), NONE),
        Remove(VIP),
        Remove(MASTER),
    ]
    assert simulate(ops, HELD) == Kernel(
        addresses={VIP6: NONE, AddressKey("lo", VIP.ip, 32): NONE, AddressKey("eth0", VIP.ip, 32): NONE},
        sysctls={sloppy: SysctlConfig("1")},
        services={WEB: ServiceConfig("mh")},
        destinations={RS1: DestinationConfig(Forward.DR, 0)},
        timeouts={TimeoutsKey(): TimeoutsConfig(60, 60, 60)},
    )
    assert HELD.services == {WEB: RR}


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (Add(VIP, NONE), "add 10.0.0.100/24 on eth0"),
        (Remove(RS6), "remove tcp 10.0.0.100:80 -> [2001:db8::11]:80"),
        (Set(SysctlKey("net/ipv4/vs/sync_threshold"), SysctlConfig("3 0")), "set net/ipv4/vs/sync_threshold = 3 0"),
        (
            Add(ServiceKey.marked(7, ipv6=True), ServiceConfig("mh", frozenset({"mh-port", "mh-fallback"}))),
            "add fwmark 7 ipv6 (mh, mh-fallback, mh-port)",
        ),
        (
            Set(WEB6, ServiceConfig("wlc", persistence=300, prefix=64, engine="sip", one_packet=True)),
            "set tcp [2001:db8::100]:80 (wlc, persistent 300 s, clients by /64, engine sip, one packet)",
        ),
        (
            Add(
                RS1,
                DestinationConfig(
                    Forward.TUN, 0, 10, 5, Tunnel(type=TunnelType.GUE, port=6080, checksum=TunnelChecksum.REMOTE)
                ),
            ),
            "add tcp 10.0.0.100:80 -> 10.0.0.11:80 (tun, weight 0, gue port 6080 checksum remote, connections 5 to 10)",
        ),
        (
            Add(MASTER, DaemonConfig("eth1", 7, ip_address("ff02::81"), 8848, 1, 1400)),
            "add sync daemon master (eth1, id 7, ff02::81 port 8848 ttl 1, maxlen 1400)",
        ),
        (Set(TimeoutsKey(), TimeoutsConfig(900, 0, 300)), "set ipvs timeouts (tcp 900 s, udp 300 s)"),
    ],
)
def test_an_operation_reads_like_a_sentence(op: Op, text: str) -> None:
    assert str(op) == text

"""A real server that has what it needs, and one that lacks a thing: exactly that is found."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

import pytest

from haman import doctor
from haman.doctor import clock
from haman.doctor.scene import Scene
from haman.model.kernel import (
    AddressKey,
    DeviceConfig,
    DeviceKey,
    GuePortConfig,
    GuePortKey,
    Kernel,
    Unwrapper,
)
from haman.model.routers import VirtualAddress
from haman.model.services import Forward, Server, Tunnel, TunnelType
from haman.plan import realserver
from tests.director.support import cluster, service

if TYPE_CHECKING:
    from pathlib import Path

    from haman.doctor.finding import Finding

RIP, VIP, INNER = map(ip_address, ("10.2.0.11", "10.0.0.100", "10.1.0.254"))
SETTINGS = {
    "sys/net/ipv4/conf/all/arp_ignore": "1",
    "sys/net/ipv4/conf/eth0/arp_ignore": "0",
    "sys/net/ipv4/conf/all/arp_announce": "2",
    "sys/net/ipv4/conf/eth0/arp_announce": "0",
    "sys/net/ipv4/conf/all/rp_filter": "0",
    "sys/net/ipv4/conf/tunl0/rp_filter": "2",
    "sys/net/ipv4/conf/all/drop_gratuitous_arp": "0",
    "sys/net/ipv4/conf/eth0/drop_gratuitous_arp": "0",
}
OWN, ON_LO, ON_TUNNEL = AddressKey("eth0", RIP, 24), AddressKey("lo", VIP, 32), AddressKey("tunl0", VIP, 32)
TUNL0 = {DeviceKey("tunl0"): DeviceConfig(Unwrapper.IPIP, IPv4Address(0), loose=True)}
GRE = {DeviceKey("gre1"): DeviceConfig(Unwrapper.GRE, RIP)}
GUE = Tunnel(type=TunnelType.GUE, port=6080)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_kernel", lambda: (0x2001, 400))


def scene(root: Path, server: dict[str, Any], settings: dict[str, str], **changes: Any) -> Scene:
    """rs1 with its address; the VIP where its method wants it, but for `changes` and `settings`."""
    for name, value in (SETTINGS | settings).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n")
    web = replace(service(), servers={"rs1": Server(name="rs1", address=RIP, **server)})
    plain = cluster(services={"web": web})
    vips = (*plain.routers["public"].addresses, VirtualAddress(interface=ip_interface_of(INNER), device="eth1"))
    made = replace(plain, routers={"public": replace(plain.routers["public"], addresses=vips)})
    tunnelled = server.get("forward") is Forward.TUN
    return replace(
        Scene(
            file="/etc/haman/haman.yaml",
            cluster=made,
            links={"lo": True, "eth0": True},
            addresses={OWN, ON_TUNNEL if tunnelled else ON_LO},
            unwrapping=Kernel(devices=TUNL0) if tunnelled else Kernel(),
            gateways={4: INNER, 6: None},
            parts=tuple(realserver.parts(made, (), {RIP})),
            proc=root,
        ),
        **changes,
    )


def ip_interface_of(address: Any) -> Any:
    from ipaddress import ip_interface

    return ip_interface(f"{address}/24")


DR: dict[str, Any] = {}
NAT: dict[str, Any] = {"forward": Forward.NAT}
TUN: dict[str, Any] = {"forward": Forward.TUN}
TUN_GRE = {**TUN, "tunnel": Tunnel(type=TunnelType.GRE)}
TUN_GUE = {**TUN, "tunnel": GUE}
PORT = {GuePortKey(4, 6080): GuePortConfig()}
REDIRECT = ({"rule": {"family": "ip", "expr": [{"match": {"right": str(VIP)}}, {"redirect": None}]}},)


def rows(tmp_path: Path, server: dict[str, Any], settings: dict[str, str], **changes: Any) -> list[Finding]:
    return [finding for _, finding in doctor.examine(scene(tmp_path, server, settings, **changes))]


@pytest.mark.parametrize(
    ("server", "changes"),
    [
        (DR, {}),
        (DR, {"addresses": {OWN}, "rules": REDIRECT}),
        (NAT, {"addresses": {OWN}}),
        (TUN, {}),
        (TUN_GRE, {"unwrapping": Kernel(devices=GRE), "addresses": {OWN, AddressKey("gre1", VIP, 32)}}),
        (TUN_GUE, {"unwrapping": Kernel(devices=TUNL0, gue_ports=PORT)}),
    ],
    ids=["dr", "redirect", "nat", "ipip", "gre", "gue"],
)
def test_a_server_that_is_ready(tmp_path: Path, server: dict[str, Any], changes: dict[str, Any]) -> None:
    settings = {"sys/net/ipv4/conf/gre1/rp_filter": "2"}
    assert [finding.what for finding in rows(tmp_path, server, settings, **changes)] == []


DEVICE_SETTINGS = "sys/net/ipv4/conf/tunl0/rp_filter"
STRICT = {"sys/net/ipv4/conf/all/rp_filter": "1", DEVICE_SETTINGS: "0"}
PLANTED: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, Any], str, bool]] = {
    "no vip": (DR, {}, {"addresses": {OWN}}, "the VIP 10.0.0.100 is not here, and packets for it come by dr", False),
    "vip on the nic": (
        DR,
        {},
        {"addresses": {OWN, AddressKey("eth0", VIP, 32)}},
        "the VIP 10.0.0.100 is on eth0 of a real server",
        False,
    ),
    "arp_ignore": (
        DR,
        {"sys/net/ipv4/conf/all/arp_ignore": "0"},
        {},
        "this real server answers ARP for the VIP 10.0.0.100 on eth0",
        True,
    ),
    "arp_ignore on lo": (
        DR,
        {"sys/net/ipv4/conf/all/arp_ignore": "0", "sys/net/ipv4/conf/lo/arp_ignore": "1"},
        {},
        "this real server answers ARP for the VIP 10.0.0.100 on eth0",
        True,
    ),
    "arp_announce": (
        DR,
        {"sys/net/ipv4/conf/all/arp_announce": "1"},
        {},
        "this real server asks for its neighbours in the name of the VIP 10.0.0.100 on eth0",
        True,
    ),
    "no device": (
        TUN,
        {},
        {"unwrapping": Kernel(), "addresses": {OWN, ON_LO}},
        "nothing unwraps IP in IP that is sent to 10.2.0.11",
        False,
    ),
    "device down": (
        TUN,
        {},
        {"unwrapping": Kernel(devices={key: replace(config, up=False) for key, config in TUNL0.items()})},
        "nothing unwraps IP in IP that is sent to 10.2.0.11",
        False,
    ),
    "other kind": (
        TUN_GRE,
        {},
        {},
        "nothing unwraps GRE that is sent to 10.2.0.11",
        False,
    ),
    "checksum": (
        TUN_GRE,
        {"sys/net/ipv4/conf/gre1/rp_filter": "2"},
        {
            "unwrapping": Kernel(devices={key: replace(config, checksum=True) for key, config in GRE.items()}),
            "addresses": {OWN, AddressKey("gre1", VIP, 32)},
        },
        "gre1 takes GRE packets with checksum only",
        False,
    ),
    "no gue port": (TUN_GUE, {}, {}, "nobody unwraps GUE on IPv4 port 6080", False),
    "strict": (TUN, STRICT, {}, "tunl0 drops what it unwraps: its reverse path filter is strict", True),
    "loose without address": (
        TUN,
        {},
        {"addresses": {OWN, ON_LO}},
        "tunl0 drops what it unwraps: its reverse path filter is loose, and tunl0 has no address of its own",
        False,
    ),
    "way back": (
        NAT,
        {},
        {"gateways": {4: ip_address("10.1.0.1")}},
        "service web comes by NAT, and answers do not leave by way of the active director",
        False,
    ),
    "no way back": (
        NAT,
        {},
        {"gateways": {4: None}},
        "service web comes by NAT, and answers do not leave by way of the active director",
        False,
    ),
    "deaf": (
        NAT,
        {"sys/net/ipv4/conf/eth0/drop_gratuitous_arp": "1"},
        {},
        "this machine does not hear when its gateway, a VIP, moves to another director",
        True,
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_and_nothing_else(tmp_path: Path, name: str) -> None:
    server, settings, changes, expected, fixable = PLANTED[name]
    (finding,) = rows(tmp_path, server, settings, **changes)
    assert finding.what == expected
    assert bool(finding.settings) == fixable
    assert finding.evidence
    assert finding.consequence
    assert finding.fix


def test_the_way_back_is_named(tmp_path: Path) -> None:
    (finding,) = rows(tmp_path, NAT, {}, gateways={4: ip_address("10.0.0.1")})
    assert finding.evidence == "ip route show default: via 10.0.0.1"
    assert finding.fix == "ip route replace default via 10.0.1.100"
    assert finding.consequence == "after a takeover answers go to a director that does not know the connection"


def test_a_device_that_only_ipv6_comes_out_of_is_not_filtered(tmp_path: Path) -> None:
    rip6, vip6 = map(ip_address, ("2001:db8:2::11", "2001:db8::100"))
    seen = scene(tmp_path, TUN, {"sys/net/ipv4/conf/all/rp_filter": "1", "sys/net/ipv4/conf/ip6tnl1/rp_filter": "2"})
    assert seen.cluster is not None
    servers = {"rs1": Server(name="rs1", address=rip6, forward=Forward.TUN)}
    six = replace(service(), name="web6", address=vip6, servers=servers)
    both = replace(seen.cluster, services={**seen.cluster.services, "web6": six})
    seen = replace(
        seen,
        cluster=both,
        parts=tuple(realserver.parts(both, (), {RIP, rip6})),
        addresses={OWN, ON_TUNNEL, AddressKey("ip6tnl1", vip6, 128)},
        unwrapping=Kernel(devices=TUNL0 | {DeviceKey("ip6tnl1"): DeviceConfig(Unwrapper.IP6TNL, rip6)}),
    )
    assert [finding.what for _, finding in doctor.examine(seen)] == []

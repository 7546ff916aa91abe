"""Marks that haman sets, on a real kernel: many addresses, ports and protocols behind one service, and gateways."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from haman.kernel.nftables import PacketFilter
from tests.kernel.gateway_net import Site, said

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Network

pytestmark = pytest.mark.kernel

HEAD = """
cluster: test
directors: {lb1: {address: 10.0.0.1, address6: '2001:db8::1'}}
routers:
  public: {interface: eth0, vrid: 51, advert_interval: 1s,
    addresses: [10.0.0.100/24, 10.0.0.101/24, '2001:db8::100/64']}
"""


@pytest.fixture
def site(network: Network, tmp_path: Path) -> Site:
    return Site(network, tmp_path)


def test_one_service_for_several_addresses_ports_ranges_and_protocols_keeps_a_client_on_one_server(site: Site) -> None:
    """By full NAT, which knows its connections by the mark. What is not named is not balanced."""
    ports = (80, 8000, 8001, 9000)
    for host in (site.near, site.far):
        site.serve(host, *ports)
    site.start(
        HEAD
        + """
services:
  all4: &all {fwmark: 7, match: [{router: public, protocol: tcp, ports: [80, "8000-8100"]},
              {addresses: [10.0.0.101, '2001:db8::100'], protocol: udp, ports: [80]}],
         scheduler: rr, forward: fullnat, check: false, persistence: {timeout: 1m},
         servers: {near: {address: 10.0.0.12}, far: {address: 10.9.0.11}}}
  all6: {<<: *all, family: ipv6, servers: {near: {address: '2001:db8::12'}, far: {address: '2001:db8:9::11'}}}
"""
    )
    asked = [("10.0.0.100", port, False) for port in (80, 8000, 8001)]
    asked += [("10.0.0.101", 8001, False), ("10.0.0.101", 80, True)]
    names = {said(site.client, address, port, udp=udp).split(" ")[0] for address, port, udp in asked * 2}
    assert len(names) == 1, (names, site.log())
    assert names <= {"near", "far"}
    six = {said(site.client, "2001:db8::100", 80, udp=udp).split(" ")[0] for udp in (False, True) * 2}
    assert len(six) == 1, (six, site.log())
    assert six <= {"near", "far"}
    for address, port, udp in (("10.0.0.100", 9000, False), ("10.0.0.100", 80, True)):
        assert said(site.client, address, port, udp=udp, timeout=0.5) == ""
    shown = [service["where"] for service in site.status()["services"]]
    assert shown == ["fwmark 7", "fwmark 7"]


def test_addresses_that_no_interface_has_are_taken_out_of_what_passes(site: Site) -> None:
    """A routed network as VIPs: no address, no ARP; both families. The director's own addresses stay its own."""
    site.client.ip("route add 203.0.113.0/28 via 10.0.0.1", "route add 2001:db8:77::/64 via 2001:db8::1")
    site.serve(site.far, 80)
    site.far.ip("address add 203.0.113.5/32 dev lo", "address add 2001:db8:77::5/128 dev lo")
    site.far.ip("route add 10.0.0.0/24 via 10.9.0.1", "route add 2001:db8::/64 via 2001:db8:9::1")
    site.start(
        HEAD
        + """
services:
  net4: {fwmark: 7, match: [{addresses: [203.0.113.0/28], ports: [80]}], scheduler: rr, check: false,
         servers: {far: {address: 10.9.0.11}}}
  net6: {fwmark: 7, family: ipv6, match: [{addresses: ['2001:db8:77::/64'], ports: [80]}], scheduler: rr,
         check: false, servers: {far: {address: '2001:db8:9::11'}}}
"""
    )
    site.until(lambda: said(site.client, "203.0.113.5", 80) == "far 10.0.0.9")
    site.until(lambda: said(site.client, "2001:db8:77::5", 80) == "far 2001:db8::9")
    assert "10400" in site.lb1.run("ip", "rule").stdout
    assert site.lb1.run("ip", "route", "show", "table", "10400").stdout.split()[:2] == ["local", "default"]
    site.reload(HEAD)
    site.until(lambda: "10400" not in site.lb1.run("ip", "rule").stdout)
    assert "haman" not in site.nft("list", "tables")


def test_clients_of_an_intranet_are_balanced_over_two_routers_to_the_outside(network: Network, site: Site) -> None:
    """Two providers' routers, which know only the director's addresses; what is for the intranet is not touched."""
    site.client.route("default", via="10.0.0.1")
    uplinks = {}
    for number, name in enumerate(("isp1", "isp2"), 1):
        outside = network.segment(name)
        router = network.host(
            name,
            {"eth0": (site.back, f"10.9.0.{20 + number}/24"), "eth1": (outside, f"198.51.100.{number}/24")},
            forward=True,
        )
        uplinks[name] = network.host(f"web{number}", {"eth0": (outside, "198.51.100.80/24")})
        uplinks[name].route("default", via=f"198.51.100.{number}")
        site.serve(uplinks[name], 80)
        assert router.name == name
    site.serve(site.far, 80)
    site.far.route("default", via="10.9.0.1")
    site.start(
        HEAD
        + """
services:
  out: {fwmark: 9, match: [{sources: [10.0.0.0/24], dev: eth0, exclude: [10.0.0.0/8]}], masquerade: true,
        scheduler: rr, check: false, servers: {isp1: {address: 10.9.0.21}, isp2: {address: 10.9.0.22}}}
"""
    )
    for udp in (False, True):
        answers = [said(site.client, "198.51.100.80", 80, udp=udp) for _ in range(6)]
        assert sorted(set(answers)) == ["web1 10.9.0.1", "web2 10.9.0.1"], (udp, answers, site.nft("list", "ruleset"))
    assert said(site.client, "10.9.0.11", 80) == "far 10.0.0.9"
    assert site.lb1.read("/proc/sys/net/ipv4/vs/conntrack").strip() == "1"


def test_the_kernel_can_send_packets_on_for_a_second_chance(site: Site) -> None:
    assert site.lb1.call(_sends_on) is True


def _sends_on() -> bool:
    return asyncio.run(PacketFilter().sends_on())

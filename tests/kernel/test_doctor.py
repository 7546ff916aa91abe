"""What `haman doctor` reads from a real kernel: rows whose evidence no made-up scene could prove to be read right."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.test_forwarding import CASES, configuration

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network

HAMAN = (sys.executable, "-m", "haman")
DIRECTOR = """
cluster: test
directors: {lb1: {address: 10.0.0.1, priority: 150}, lb2: {address: 10.0.0.2}}
routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24]}}
services:
  web: {address: 10.0.0.100, port: 80, check: false, servers: {rs1: {address: 10.0.0.11}}}
  marked: {fwmark: 7, check: false, servers: {rs1: {address: 10.0.0.11}}}
"""


def doctor(host: Host, file: Path, *options: str) -> dict[str, Any]:
    said = host.run(*HAMAN, "doctor", "--config", file, "--json", *options, check=False, timeout=60)
    assert said.returncode in (0, 3), said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def problems(host: Host, file: Path, *options: str) -> list[str]:
    """Of the subjects that are tried here."""
    tried = ("realserver", "services", "sync", "filters")
    return [each["what"] for each in doctor(host, file, *options)["findings"] if each["subject"] in tried]


def test_a_real_server_made_by_hand(network: Network, tmp_path: Path) -> None:
    file = tmp_path / "haman.yaml"
    file.write_text(configuration(CASES["ipip"]))
    lan = network.segment("lan")
    host = network.host("rs1", {"eth0": (lan, ["10.2.0.11/24", "fd00:2::11/64"])})
    host.sysctl("net/ipv4/conf/all/rp_filter", 1)
    assert problems(host, file) == [
        "the VIP 10.0.0.100 is not here, and packets for it come by tun",
        "the VIP fd00::100 is not here, and packets for it come by tun",
        "nothing unwraps IP in IP that is sent to 10.2.0.11",
        "nothing unwraps packets in IPv6 that is sent to fd00:2::11",
    ]
    host.ip(
        "link set tunl0 up",
        "link set ip6tnl0 up",
        "address add 10.0.0.100/32 dev tunl0",
        "address add fd00::100/128 dev ip6tnl0 nodad",
    )
    host.run("ip", "link", "set", "ip6tnl0", "type", "ip6tnl", "mode", "any", check=False)
    loud = [
        "this real server answers ARP for the VIP 10.0.0.100 on eth0",
        "this real server asks for its neighbours in the name of the VIP 10.0.0.100 on eth0",
        "tunl0 drops what it unwraps: its reverse path filter is strict",
    ]
    assert problems(host, file) == loud, "reverse path filters are for IPv4, and IPv6 alone comes out of ip6tnl0"
    fixed = doctor(host, file, "--fix")
    assert [(each["setting"], each["before"], each["after"], each["refused"]) for each in fixed["fixed"]] == [
        ("net.ipv4.conf.all.arp_ignore", "0", "1", ""),
        ("net.ipv4.conf.all.arp_announce", "0", "2", ""),
        ("net.ipv4.conf.tunl0.rp_filter", "0", "2", ""),
    ]
    assert fixed["servers"] == ["rs1"]
    assert fixed["node"] is None
    assert fixed["problems"] == 0


def test_the_way_back_of_nat(network: Network, tmp_path: Path) -> None:
    file = tmp_path / "haman.yaml"
    file.write_text(configuration(CASES["nat"]))
    lan = network.segment("lan")
    host = network.host("rs1", {"eth0": (lan, ["10.1.0.11/24", "fd00:1::11/64"])})
    host.ip("route add default via 10.1.0.254", "route add default via fd00:1::254")
    assert problems(host, file) == []
    host.ip("route replace default via 10.1.0.1")
    assert set(problems(host, file)) == {
        f"service {name} comes by NAT, and answers do not leave by way of the active director"
        for name in ("tcp4", "udp4")
    }
    host.ip("route replace default via 10.1.0.254")
    host.sysctl("net/ipv4/conf/eth0/drop_gratuitous_arp", 1)
    assert set(problems(host, file)) == {
        "this machine does not hear when its gateway, a VIP, moves to another director"
    }


@pytest.fixture
def director(network: Network) -> Host:
    lan = network.segment("lan")
    return network.host("lb1", {"eth0": (lan, "10.0.0.1/24"), "eth1": (lan, "10.1.0.1/24")})


NO_MARK = "nothing marks packets with 7 for service marked"


def test_marks(director: Host, tmp_path: Path) -> None:
    file = tmp_path / "haman.yaml"
    file.write_text(DIRECTOR)
    assert problems(director, file) == [NO_MARK]
    director.run(
        "nft",
        "-f",
        "-",
        input="""
table inet mangle {
  chain prerouting {
    type filter hook prerouting priority mangle
    ip daddr 10.0.0.100 tcp dport 443 meta mark set 7
  }
}
""",
    )
    assert problems(director, file) == []
    director.run(
        "nft",
        "-f",
        "-",
        input="""
flush ruleset
table inet mangle {
  map marks { type inet_service : mark; elements = { 443 : 0x7, 444 : 0x8 }
  }
  chain prerouting {
    type filter hook prerouting priority mangle
    meta mark set tcp dport map @marks
  }
}
""",
    )
    assert problems(director, file) == []


def test_packet_filter(director: Host, tmp_path: Path) -> None:
    file = tmp_path / "haman.yaml"
    file.write_text(DIRECTOR.replace("  marked:", "  # marked:"))
    director.run("ipvsadm", "-Ln")  # net/ipv4/vs is there now
    director.run(
        "nft",
        "-f",
        "-",
        input="""
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state invalid drop
    tcp dport 22 accept
  }
  chain nat {
    type nat hook postrouting priority srcnat
    oifname "eth0" masquerade
  }
}
""",
    )
    closed = "the packet filter may not let clients in to port 80"
    assert problems(director, file) == [closed]
    director.sysctl("net/ipv4/vs/conntrack", 1)
    assert set(problems(director, file)) == {
        closed,
        "the packet filter drops packets of direct routing and tunnels as invalid",
        "source NAT without a limit takes packets of direct routing and tunnels too",
    }


def test_a_daemon_whose_interface_is_gone(director: Host, tmp_path: Path) -> None:
    file = tmp_path / "haman.yaml"
    file.write_text(DIRECTOR.replace("  marked:", "  # marked:"))
    director.ip("link add gone type dummy", "link set gone up")
    director.run("ipvsadm", "--start-daemon", "master", "--mcast-interface", "gone", "--syncid", "51")
    assert problems(director, file) == []
    director.ip("link del gone")
    assert problems(director, file) == ["the sync daemon master is bound to gone, which is gone"]

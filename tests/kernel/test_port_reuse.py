"""A client that uses a port again after a takeover, where directors serve by marks: what the old director still knows
of that port goes before its marks. With TCP until it has forgotten it (docs/how-to/two-box.md); with UDP haman's rules
lead the packet past IPVS. By ipvsadm and nft alone.
"""

from __future__ import annotations

import socket
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from haman.lab.stories import servers
from haman.lab.waiting import until
from haman.model.filter import Mark, Ruleset
from haman.model.services import Protocol
from haman.wire.nftables import render

if TYPE_CHECKING:
    from haman.lab.hosts import Host, Network

VIP, PORT, OWN = "10.0.0.100", 80, 4001
LONG = 60.0


class Boxes:
    """Two directors that serve. node2 is the active one and gives node1 the client's connection; then node1 is,
    and gives node2 the next one."""

    def __init__(self, network: Network, mode: int, remembers: int) -> None:
        lan = network.segment("lan")
        self.one, self.two = (network.host(f"node{n}", {"eth0": (lan, f"10.0.0.{n}/24")}) for n in (1, 2))
        self.client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
        for host in (self.one, self.two):
            servers.silent_vip(host, VIP)
            servers.web(host, PORT)
            host.sysctl("net/ipv4/vs/conn_reuse_mode", mode)
            host.run("ipvsadm", "--set", "0", str(remembers), "0")
        rule = f"ether saddr != {self.one.mac('eth0')} ip daddr {VIP} tcp dport {PORT} meta mark set 7"
        chain = f"chain marks {{\ntype filter hook prerouting priority mangle;\n{rule}\n}}"
        self.two.run("nft", "-f", "-", input=f"table inet t {{\n{chain}\n}}\n")
        give(self.two, "-f", "7", "10.0.0.1")
        self.send_to(self.two)
        assert self.client.call(ask, LONG) == "node1"

    def move(self) -> None:
        give(self.one, "-t", f"{VIP}:{PORT}", "10.0.0.2")
        self.send_to(self.one)

    def send_to(self, node: Host) -> None:
        self.client.ip(f"neigh replace {VIP} lladdr {node.mac('eth0')} dev eth0 nud permanent")


def give(host: Host, kind: str, service: str, server: str) -> None:
    host.run("ipvsadm", "-A", kind, service, "-s", "wlc")
    host.run("ipvsadm", "-a", kind, service, "-r", server, "-g")


@pytest.mark.parametrize("mode", [1, 3])
def test_what_is_remembered_of_a_port_sends_its_next_connection_back(network: Network, mode: int) -> None:
    boxes = Boxes(network, mode, remembers=120)
    until("its end to be seen", lambda: any(" FIN_WAIT " in each for each in connections(boxes.two)), LONG)
    boxes.move()
    assert boxes.client.call(ask, 3.0) == ""


def test_what_is_forgotten_does_not(network: Network) -> None:
    boxes = Boxes(network, 1, remembers=2)
    until("it to be forgotten", lambda: not connections(boxes.two), LONG)
    boxes.move()
    assert boxes.client.call(ask, LONG) == "node2"


ADDRESSES = {4: ("10.0.0.{}", 24), 6: ("2001:db8::{}", 64)}
DNS = 53


@pytest.mark.parametrize("passed", [True, False], ids=["by haman's rules", "by marks alone"])
@pytest.mark.parametrize("version", [4, 6])
def test_of_udp_even_what_is_remembered_is_passed_over(network: Network, version: int, *, passed: bool) -> None:
    """node2 knows the client's flow, as node1's. Now node1 is the director, and gives it to node2."""
    lan = network.segment("lan")
    address, length = ADDRESSES[version]
    vip = address.format(100)
    one, two, client = (
        network.host(name, {"eth0": (lan, [f"{address.format(n)}/{length}"])})
        for n, name in ((1, "node1"), (2, "node2"), (9, "client"))
    )
    for host in (one, two):
        servers.silent_vip(host, vip)
        servers.echo(host, vip, DNS)
    mark = Mark(
        mark=7,
        version=version,
        protocols=(Protocol.UDP,),
        destinations=(ip_network(vip),),
        ports=((DNS, DNS),),
        screened=True,
    )
    rules = render(Ruleset(marks=(mark,), peers=(one.mac("eth0"),)))
    if not passed:
        rules = "\n".join(line for line in rules.splitlines() if "pkttype" not in line) + "\n"
    two.run("nft", "-f", "-", input=rules)
    family = ["-6"] if version == 6 else []
    two.run("ipvsadm", "-A", "-f", "7", *family, "-s", "wlc")
    two.run(
        "ipvsadm", "-a", "-f", "7", *family, "-r", f"[{address.format(1)}]:{DNS}" if family else address.format(1), "-g"
    )

    def send_to(node: Host) -> None:
        client.ip(f"neigh replace {vip} lladdr {node.mac('eth0')} dev eth0 nud permanent")

    with client.call(socket.socket, socket.AF_INET6 if family else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3.0)
        sock.connect((vip, DNS))
        send_to(two)
        until("node1 to answer by way of node2", lambda: asked(sock) == "node1", LONG)
        give(
            one,
            "-u",
            f"[{vip}]:{DNS}" if family else f"{vip}:{DNS}",
            f"[{address.format(2)}]:{DNS}" if family else address.format(2),
        )
        send_to(one)
        assert asked(sock) == ("node2" if passed else "")


def asked(sock: socket.socket) -> str:
    """Who answers; empty when nobody does."""
    try:
        sock.send(b"question")
        return sock.recv(64)[8:].decode()
    except OSError:
        return ""


def connections(host: Host) -> list[str]:
    return host.read("/proc/thread-self/net/ip_vs_conn").splitlines()[1:]


def ask(within: float) -> str:
    """Who answers a request from our one port; empty when nobody does."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("10.0.0.9", OWN))
        sock.settimeout(within)
        try:
            sock.connect((VIP, PORT))
            sock.send(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while part := sock.recv(4096):
                answer += part
        except OSError:
            return ""
        return answer.rpartition(b"\r\n\r\n")[2].decode().strip()

"""What the kernel does with a connection that it is told while its server is not in the table, by ipvsadm alone: the
reason for which haman starts the listening sync daemon last (docs/explanation/synchronisation.md)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from haman.lab.stories import servers
from haman.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Host, Network

VIP, PORT = "10.0.0.100", 5000
SERVICE = f"{VIP}:{PORT}"
LONG = 60.0


class Pair:
    """lb1 tells, lb2 is told; the client sends to whom it is told to, always from one port."""

    def __init__(self, network: Network) -> None:
        lan = network.segment("lan")
        self.directors = {
            name: network.host(name, {"eth0": (lan, address)}, forward=True)
            for name, address in (("lb1", "10.0.0.1/24"), ("lb2", "10.0.0.2/24"))
        }
        self.client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
        for n in (1, 2):
            host = network.host(f"rs{n}", {"eth0": (lan, f"10.0.0.1{n}/24")})
            servers.silent_vip(host, VIP)
            servers.echo(host, VIP, PORT)
        for host in self.directors.values():
            servers.silent_vip(host, VIP)
            # Something else in the table: without any service the kernel lets go of its packet hooks.
            ipvs(host, "-A", "-f", "4242", "-s", "rr")
            ipvs(host, "-A", "-u", SERVICE, "-s", "rr")
            host.sysctl("net/ipv4/vs/expire_nodest_conn", 1)
            host.sysctl("net/ipv4/vs/sync_threshold", "3 0")
            host.sysctl("net/ipv4/vs/sync_refresh_period", 3)
        for name, role in (("lb1", "master"), ("lb2", "backup")):
            ipvs(self.directors[name], "--start-daemon", role, "--mcast-interface", "eth0", "--syncid", "7")
        self.socket = self.client.call(_socket)

    def close(self) -> None:
        self.socket.close()

    def send_to(self, name: str) -> None:
        self.client.ip(f"neigh replace {VIP} lladdr {self.directors[name].mac('eth0')} dev eth0 nud permanent")

    def answer(self) -> str:
        """Who answers the next question; empty when nobody does."""
        self.socket.send(b"12345678")
        try:
            return self.socket.recv(64)[8:].decode()
        except TimeoutError:
            return ""

    def answers(self) -> set[str]:
        return {self.answer() for _ in range(5)}

    def told(self) -> bool:
        assert self.answer() == "rs1"
        return " 0A00000B " in self.directors["lb2"].read("/proc/thread-self/net/ip_vs_conn")

    def bound(self) -> bool:
        assert self.answer() == "rs1"
        return counted(self.directors["lb2"]) == [("10.0.0.11", 1), ("10.0.0.12", 0)]


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("10.0.0.9", 4000))
    sock.connect((VIP, PORT))
    sock.settimeout(5.0)
    return sock


def ipvs(host: Host, *arguments: str) -> str:
    return host.run("ipvsadm", *arguments).stdout


def add(host: Host, *names: int) -> None:
    for n in names:
        ipvs(host, "-a", "-u", SERVICE, "-r", f"10.0.0.1{n}", "-g")


def counted(host: Host) -> list[tuple[str, int]]:
    """By server, how many connections the kernel counts (all of UDP is inactive)."""
    rows = [line.split() for line in ipvs(host, "-Ln").splitlines()]
    return sorted((row[1].partition(":")[0], int(row[5])) for row in rows if len(row) == 6 and row[5].isdigit())


@pytest.fixture
def pair(network: Network) -> Iterator[Pair]:
    built = Pair(network)
    add(built.directors["lb1"], 1)
    built.send_to("lb1")
    yield built
    built.close()


def test_told_without_its_server_it_outlives_the_servers_removal(pair: Pair) -> None:
    lb1, lb2 = pair.directors.values()
    until("lb2 to be told", pair.told, LONG)
    ipvs(lb1, "--stop-daemon", "master")
    add(lb2, 1, 2)
    pair.send_to("lb2")
    assert pair.answers() == {"rs1"}
    assert counted(lb2) == [("10.0.0.11", 0), ("10.0.0.12", 0)], "bound to none"
    ipvs(lb2, "-d", "-u", SERVICE, "-r", "10.0.0.11")
    assert pair.answers() == {"rs1"}, "expire_nodest_conn is for connections that were bound"


def test_told_again_it_is_bound_and_leaves_with_its_server(pair: Pair) -> None:
    lb2 = pair.directors["lb2"]
    until("lb2 to be told", pair.told, LONG)
    add(lb2, 1, 2)
    until("lb2 to be told again", pair.bound, LONG)
    pair.send_to("lb2")
    assert pair.answers() == {"rs1"}
    ipvs(lb2, "-d", "-u", SERVICE, "-r", "10.0.0.11")
    assert pair.answers() == {"rs2"}

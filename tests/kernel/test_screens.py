"""Two directors that are each other's real servers, with a scheduler that does not hash: no packet goes round."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.kernel.gateway_net import ECHO, said
from tests.kernel.pair import Pair

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

HEAD = """
cluster: test
channel: CHANNEL
directors:
  lb1: {address: 10.0.0.1, priority: 150}
  lb2: {address: 10.0.0.2, priority: 100}
routers:
  public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], advert_interval: 1s}
services:
  web: {address: 10.0.0.100, port: 80, scheduler: rr, check: false,
        servers: {lb1: {director: lb1}, lb2: {director: lb2}}}
"""
TEXT = HEAD.replace("CHANNEL", "{port: 8850}")


@pytest.fixture
def pair(network: Network, tmp_path: Path) -> Pair:
    pair = Pair(network, tmp_path)
    for name, host in pair.hosts.items():
        host.sysctl("net/ipv4/ip_forward", 1)
        host.spawn(sys.executable, ECHO, name, "80")
        pair.until(lambda host=host: said(host, "127.0.0.1", 80))  # type: ignore[misc]
    return pair


@pytest.fixture
def client(network: Network, pair: Pair) -> Host:
    return network.host("client", {"eth0": (pair.lan, "10.0.0.9/24")})


def marked(host: Host) -> bool:
    return "@peers" in host.run("nft", "list", "table", "inet", "haman", check=False).stdout


def too_old(host: Host) -> int:
    """Packets that ended here because their TTL did: the end of every loop."""
    lines = host.run("nstat", "-az", "IcmpOutTimeExcds").stdout.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("IcmpOutTimeExcds"))


def test_a_pair_that_tells_each_other_its_macs_shares_connections_and_loops_none(pair: Pair, client: Host) -> None:
    for name in pair.hosts:
        pair.start(name, TEXT)
    pair.until(lambda: {pair.role(name) for name in pair.hosts} == {"active", "standby"})
    pair.until(lambda: all(marked(host) for host in pair.hosts.values()))
    pair.until(lambda: {said(client, "10.0.0.100", 80) for _ in range(4)} == {"lb1 10.0.0.9", "lb2 10.0.0.9"})
    looped = sum(map(too_old, pair.hosts.values()))
    answers = [said(client, "10.0.0.100", 80) for _ in range(40)]
    assert sum(map(too_old, pair.hosts.values())) == looped
    assert sorted(set(answers)) == ["lb1 10.0.0.9", "lb2 10.0.0.9"]
    assert answers.count("lb2 10.0.0.9") == 20
    for host in pair.hosts.values():
        host.run("nft", "flush", "ruleset")
    pair.until(lambda: all(marked(host) for host in pair.hosts.values()))
    (service,) = pair.ask("lb1", "status")["services"]
    assert service["where"] == "tcp 10.0.0.100:80"  # the operator's service, not our mark
    assert pair.ask("lb1", "status")["problems"] == []
    mac = pair.hosts["lb2"].mac("eth0")
    assert mac in pair.hosts["lb1"].run("nft", "list", "table", "inet", "haman").stdout


def test_without_the_peers_mac_the_active_director_answers_alone_and_says_so(pair: Pair, client: Host) -> None:
    pair.start("lb1", TEXT)
    pair.until(lambda: pair.role("lb1") == "active" and pair.ask("lb1", "status")["kernel"]["loaded"])
    pair.until(lambda: pair.ask("lb1", "status")["problems"])
    (problem,) = pair.ask("lb1", "status")["problems"]
    assert "the MAC addresses of director lb2 are not known" in problem
    pair.until(lambda: said(client, "10.0.0.100", 80) == "lb1 10.0.0.9")
    assert {said(client, "10.0.0.100", 80) for _ in range(6)} == {"lb1 10.0.0.9"}
    pair.start("lb2", TEXT)  # it tells
    pair.until(lambda: marked(pair.hosts["lb1"]))
    pair.until(lambda: not pair.ask("lb1", "status")["problems"])


def test_macs_that_are_written_need_no_channel(pair: Pair, client: Host) -> None:
    text = HEAD.replace("CHANNEL", "false")
    for name, host in pair.hosts.items():
        text = text.replace(f"{name}: {{address:", f"{name}: {{macs: ['{host.mac('eth0').upper()}'], address:")
    pair.start("lb1", text)
    pair.until(lambda: marked(pair.hosts["lb1"]))
    assert pair.hosts["lb2"].mac("eth0") in pair.hosts["lb1"].run("nft", "list", "table", "inet", "haman").stdout

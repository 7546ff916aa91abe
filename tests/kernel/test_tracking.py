"""Trackers and sync groups beside a real election: what is lost on one director moves the role, and is named."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.pair import HEAD, Pair

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

TRACKED = (
    HEAD
    + """
trackers:
  gateway: {ping: 10.0.0.254, interval: 200ms, timeout: 150ms, rise: 1, fall: 2}
  gateway6: {ping: "fe80::fe", dev: eth0, interval: 200ms, timeout: 150ms, rise: 1, fall: 2}
  neighbour: {arp: 10.0.0.254, interval: 200ms, timeout: 150ms, rise: 1, fall: 2}
  uplink: {route: 198.51.100.0/24, via: 10.0.0.254}
  proxy: {process: sleep, arguments: ["86401"], interval: 200ms}
  weight: {file: /run/weight}
  allowed: {script: "/usr/bin/test -e /run/allowed", user: root, interval: 200ms, timeout: 5s, rise: 1, fall: 1}
routers:
  public:
    interface: eth0
    vrid: 51
    addresses: [10.0.0.100/24]
    advert_interval: 100ms
    preempt: true
    track:
      - gateway
      - gateway6
      - neighbour
      - uplink
      - allowed
      - {tracker: proxy, penalty: 60}
      - {tracker: weight, weight: 1}
"""
)


def active(pair: Pair, name: str) -> bool:
    return pair.role(name) == "active"


def router(pair: Pair, name: str) -> dict[str, Any]:
    found: dict[str, Any] = pair.ask(name, "status")["routers"][0]
    return found


class Tracked:
    def __init__(self, pair: Pair, gateway: Host) -> None:
        self.pair = pair
        self.gateway = gateway
        self.proxies = {name: host.spawn("sleep", "86401") for name, host in pair.hosts.items()}
        for host in pair.hosts.values():
            host.route("198.51.100.0/24", via="10.0.0.254")
            host.run("touch", "/run/allowed")
        for name in pair.hosts:
            pair.start(name, TRACKED)
        self.home()

    def home(self) -> None:
        self.pair.until(lambda: active(self.pair, "lb1") and self.pair.role("lb2") == "standby")

    def away(self, why: str) -> None:
        """lb2 has taken over, and lb1 says why."""
        self.pair.until(lambda: active(self.pair, "lb2") and self.pair.role("lb1") == "fault")
        self.pair.until(lambda: why in router(self.pair, "lb1")["why"] + self.pair.log("lb1"))

    def outweighed(self) -> None:
        """lb2 has taken over, because lb1 is worth less."""
        self.pair.until(lambda: active(self.pair, "lb2") and self.pair.role("lb1") == "standby")
        self.pair.until(lambda: router(self.pair, "lb1")["priority"] == 90)


@pytest.fixture
def tracked(network: Network, tmp_path: Path) -> Tracked:
    pair = Pair(network, tmp_path)
    return Tracked(pair, network.host("gw", {"eth0": (pair.lan, ["10.0.0.254/24", "fe80::fe/64"])}))


def test_what_is_lost_on_one_director_moves_the_role(tracked: Tracked) -> None:
    pair = tracked.pair
    first = pair.hosts["lb1"]

    first.run("sh", "-c", "echo -60 > /run/weight")
    tracked.outweighed()
    first.run("rm", "/run/weight")
    tracked.home()

    first.ip("route del 198.51.100.0/24")
    tracked.away("uplink: no route to 198.51.100.0/24 via 10.0.0.254")
    first.route("198.51.100.0/24", via="10.0.0.254")
    tracked.home()

    tracked.proxies["lb1"].kill()
    tracked.outweighed()
    first.spawn("sleep", "86401")
    tracked.home()

    first.run("rm", "/run/allowed")
    tracked.away("allowed: the program says failing: exit status 1")
    first.run("touch", "/run/allowed")
    tracked.home()

    first.ip("address del 10.0.0.1/24 dev eth0", "address add 10.0.0.111/24 dev eth0")
    tracked.away("this machine does not have 10.0.0.1, the address it advertises from")
    first.ip("address del 10.0.0.111/24 dev eth0", "address add 10.0.0.1/24 dev eth0")
    first.route("198.51.100.0/24", via="10.0.0.254")
    tracked.home()


def test_a_gateway_that_nobody_reaches_is_a_fault_of_both_and_its_return_ends_it(tracked: Tracked) -> None:
    pair = tracked.pair
    tracked.gateway.cut("eth0")
    pair.until(lambda: pair.role("lb1") == pair.role("lb2") == "fault")
    # One is noticed before the other; in the end both are named.
    pair.until(lambda: "gateway: 2 of 2 failed: " in router(pair, "lb1")["why"])
    words = "neighbour: 2 of 2 failed: no answer from 10.0.0.254 on eth0 within 0.15 s"
    pair.until(lambda: words in router(pair, "lb1")["why"])
    tracked.gateway.heal("eth0")
    tracked.home()


def test_a_gateway_is_asked_by_its_link_local_address(tracked: Tracked) -> None:
    pair = tracked.pair
    tracked.gateway.ip("address del fe80::fe/64 dev eth0")
    pair.until(lambda: pair.role("lb1") == pair.role("lb2") == "fault")
    pair.until(lambda: "gateway6: 2 of 2 failed: " in router(pair, "lb1")["why"])
    tracked.gateway.ip("address add fe80::fe/64 dev eth0")
    tracked.home()


def test_the_elector_keeps_the_last_verdicts_while_the_director_is_away(tracked: Tracked) -> None:
    pair = tracked.pair
    pair.hosts["lb1"].run("sh", "-c", "echo -60 > /run/weight")
    tracked.outweighed()
    elector = pair.processes["lb1"].pid
    children = [pid for pid in pair.hosts["lb1"].processes() if parent(pid) == elector]
    begun = pair.log("lb1").count("director: stopped -> running")
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    pair.until(lambda: pair.log("lb1").count("director: stopped -> running") > begun)
    pair.until(lambda: pair.role("lb1"))
    assert router(pair, "lb1")["priority"] == 90
    pair.until(lambda: active(pair, "lb2"))
    tracked.pair.hosts["lb1"].run("rm", "/run/weight")
    tracked.home()


def parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


GROUPED = (
    HEAD.replace("priority: 150}", "priority: 150, routers: {inside: {address: 10.1.0.1}}}").replace(
        "priority: 100}", "priority: 100, routers: {inside: {address: 10.1.0.2}}}"
    )
    + """
routers:
  outside: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], advert_interval: 400ms, preempt: true}
  inside: {interface: eth1, vrid: 52, addresses: [10.1.0.100/24], advert_interval: 400ms, preempt: true}
groups: {both: {routers: [outside, inside]}}
"""
)


def roles(pair: Pair, name: str) -> set[str]:
    return {each["role"] for each in pair.ask(name, "status")["routers"]}


def holds(host: Host) -> list[bool]:
    shown = host.run("ip", "-4", "-brief", "address").stdout
    return [address in shown for address in ("10.0.0.100", "10.1.0.100")]


@pytest.fixture
def grouped(network: Network, tmp_path: Path) -> Pair:
    pair = Pair.__new__(Pair)
    pair.directory, pair.processes = tmp_path, {}
    pair.lan = network.segment("lan")
    inner = network.segment("inner")
    pair.hosts = {
        f"lb{n}": network.host(f"lb{n}", {"eth0": (pair.lan, f"10.0.0.{n}/24"), "eth1": (inner, f"10.1.0.{n}/24")})
        for n in (1, 2)
    }
    for name in pair.hosts:
        pair.start(name, GROUPED)
    pair.until(lambda: active(pair, "lb1") and pair.role("lb2") == "standby")
    return pair


def test_a_group_moves_as_one_and_a_broken_path_on_one_segment_moves_nothing(grouped: Pair) -> None:
    first, second = grouped.hosts["lb1"], grouped.hosts["lb2"]
    assert holds(first) == [True, True]
    assert holds(second) == [False, False]

    first.cut("eth1")
    grouped.until(lambda: roles(grouped, "lb2") == {"active"})
    grouped.until(lambda: holds(first) == [False, False] and holds(second) == [True, True])
    assert roles(grouped, "lb1") == {"fault"}
    assert "group both: active -> fault" in grouped.log("lb1")
    first.heal("eth1")
    grouped.until(lambda: roles(grouped, "lb1") == {"active"} and roles(grouped, "lb2") == {"standby"})
    grouped.until(lambda: holds(first) == [True, True] and holds(second) == [False, False])

    changes = grouped.log("lb1").count("group both:"), grouped.log("lb2").count("group both:")
    received = grouped.ask("lb2", "status")["now"]
    first.unplug_switch("eth1")
    grouped.until(lambda: grouped.ask("lb2", "status")["now"] > received + 6)  # four times its patience
    assert (roles(grouped, "lb1"), roles(grouped, "lb2")) == ({"active"}, {"standby"})
    assert (grouped.log("lb1").count("group both:"), grouped.log("lb2").count("group both:")) == changes

"""Routes and rules of our own on a real kernel, and how they follow the role."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, TypeVar

import pytest

from haman.kernel.routing import Routing
from haman.kernel.routing_watch import RoutingWatch
from haman.model.kernel import Kernel, RouteConfig, RouteKey, RuleConfig, RuleKey
from haman.plan.diff import diff
from haman.plan.ops import Add, Remove, Set
from haman.plan.ownership import Ownership
from tests.kernel.pair import HEAD, Pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

T = TypeVar("T")

GATEWAY, GATEWAY6 = IPv4Address("10.0.0.254"), IPv6Address("2001:db8::fe")
FAR = RouteKey(IPv4Network("10.9.0.0/16"), 254, 0)
DEFAULT = RouteKey(IPv4Network("0.0.0.0/0"), 1000, 50)
NEAR = RouteKey(IPv4Network("10.8.0.0/24"), 254, 7)
FAR6 = RouteKey(IPv6Network("2001:db8:9::/48"), 254, 1024)
ROUTES = {
    FAR: RouteConfig(GATEWAY, "eth0", IPv4Address("10.0.0.1")),
    DEFAULT: RouteConfig(GATEWAY, "eth0", None),
    NEAR: RouteConfig(None, "eth0", None),
    FAR6: RouteConfig(GATEWAY6, "eth0", None),
}
RULES = {
    RuleKey(4, 1000, 1000, source=IPv4Network("10.0.0.100/32")): RuleConfig(),
    RuleKey(4, 1001, 1000, destination=IPv4Network("10.9.0.0/16"), fwmark=7, incoming="eth0"): RuleConfig(),
    RuleKey(6, 1000, 1000, source=IPv6Network("2001:db8::100/128")): RuleConfig(),
}


@pytest.fixture
def host(network: Network) -> Host:
    return network.host("lb1", {"eth0": (network.segment("lan"), ("10.0.0.1/24", "2001:db8::1/64"))})


def there(host: Host, call: Callable[[Routing], T]) -> T:
    def visit() -> T:
        routing = Routing()
        try:
            return call(routing)
        finally:
            routing.close()

    return host.call(visit)


def test_what_is_made_is_read_back_the_same(host: Host) -> None:
    wanted = Kernel(routes=ROUTES, rules=RULES)
    ops = diff(wanted, Kernel(), Ownership())
    assert there(host, lambda routing: routing.apply(ops)) == []
    assert there(host, Routing.snapshot) == wanted
    assert diff(wanted, there(host, Routing.snapshot), Ownership()) == ()
    assert "proto 104" in host.run("ip", "route", "show", "10.9.0.0/16").stdout
    assert there(host, lambda routing: routing.apply([Remove(key) for key in (*RULES, *ROUTES)])) == []
    assert there(host, Routing.snapshot) == Kernel()


def test_a_route_is_changed_in_place(host: Host) -> None:
    there(host, lambda routing: routing.apply([Add(FAR, ROUTES[FAR])]))
    other = RouteConfig(IPv4Address("10.0.0.253"), "eth0", None)
    assert there(host, lambda routing: routing.apply([Set(FAR, other)])) == []
    assert there(host, Routing.snapshot).routes == {FAR: other}


def test_a_gateways_device_is_the_kernels_to_find(host: Host) -> None:
    wanted = Kernel(routes={FAR: RouteConfig(GATEWAY)})
    there(host, lambda routing: routing.apply([Add(FAR, RouteConfig(GATEWAY))]))
    assert diff(wanted, there(host, Routing.snapshot), Ownership()) == ()


def test_others_routes_and_rules_are_never_touched(host: Host) -> None:
    host.ip("route add 10.9.0.0/16 via 10.0.0.250", "rule add from 10.0.0.100 table 1000 priority 1000")
    assert there(host, Routing.snapshot) == Kernel()
    refusals = there(host, lambda routing: routing.apply([Add(FAR, ROUTES[FAR])]))
    assert [str(refusal.error) for refusal in refusals] == [
        "add route to 10.9.0.0/16 (via 10.0.0.254 dev eth0 src 10.0.0.1) (somebody else has one there, which is left"
        " alone): File exists (errno 17)"
    ]
    there(host, lambda routing: routing.apply([Remove(FAR), *(Remove(rule) for rule in RULES)]))
    assert "via 10.0.0.250" in host.run("ip", "route", "show", "10.9.0.0/16").stdout
    assert "10.0.0.100" in host.run("ip", "rule", "show").stdout


def test_a_gateway_out_of_reach_is_said(host: Host) -> None:
    (refusal,) = there(host, lambda routing: routing.apply([Add(FAR, RouteConfig(IPv4Address("192.0.2.1")))]))
    assert "its gateway is on no network of this machine" in str(refusal.error)


def ip(*commands: str) -> None:
    """On the host of the thread that calls: `Host.call` lends its own, and Host.ip would wait for it."""
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, timeout=30)


def test_only_others_changes_of_what_is_ours_are_told(host: Host) -> None:
    """A flood of others' routes is filtered in the kernel, so that nobody wakes."""

    def visit() -> None:
        with closing(Routing()) as routing, closing(RoutingWatch(routing.is_ours)) as watch:
            assert not watch.changed()
            made = [Add(FAR, ROUTES[FAR]), Add(FAR6, ROUTES[FAR6]), *(Add(rule, RULES[rule]) for rule in RULES)]
            assert routing.apply(made) == []
            assert not watch.changed(), "our own"
            ip("route add 10.7.0.0/16 via 10.0.0.254", "route add 10.6.0.0/16 via 10.0.0.254 proto bird")
            with pytest.raises(BlockingIOError):
                watch._socket.recv(1, socket.MSG_PEEK)
            ip("rule add from 10.7.0.1 table 77 priority 77")
            assert not watch.changed(), "somebody else's rule"
            for theirs in (
                "route del 10.9.0.0/16 proto 104",
                "-6 route del 2001:db8:9::/48",
                "rule del priority 1000",
                "-6 rule del priority 1000",
                "route add 10.5.0.0/16 via 10.0.0.254 proto 104",
            ):
                ip(theirs)
                assert watch.changed(), theirs
                assert not watch.changed()

    host.call(visit)


def test_what_was_lost_counts_as_a_change_and_the_rest_is_heard(host: Host) -> None:
    def visit() -> None:
        with closing(Routing()) as routing, closing(RoutingWatch(lambda port: port != 0)) as watch:
            watch._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            for number in range(100):
                key = RouteKey(IPv4Network((0x0A090000 + number * 256, 24)), 254, 0)
                routing.apply([Add(key, RouteConfig(GATEWAY))])
            assert watch.changed(), "ENOBUFS, though all that was heard is called ours"
            assert not watch.changed()
            watch._is_ours = lambda port: False
            ip("route del 10.9.5.0/24 proto 104")
            assert watch.changed()

    host.call(visit)


FOLLOWING = (
    HEAD
    + """
routers:
  public:
    interface: eth0
    vrid: 51
    advert_interval: 100ms
    addresses: [10.0.0.100/24]
    routes:
      - {to: 10.9.0.0/16, via: 10.0.0.254, source: 10.0.0.100}
      - {to: default, via: 10.0.0.254, table: 1000}
    rules: [{source: 10.0.0.100/32, table: 1000, priority: 1000}]
"""
)


def shown(host: Host) -> list[bool]:
    route = host.run("ip", "route", "show", "proto", "104").stdout
    default = host.run("ip", "route", "show", "table", "1000", check=False).stdout
    rule = host.run("ip", "rule", "show").stdout
    return ["10.9.0.0/16" in route, "10.0.0.254" in default, "lookup 1000" in rule]


def test_a_deleted_one_is_put_back_without_waiting_for_the_next_look(host: Host, tmp_path: Path) -> None:
    """There is no next look for an hour: only the kernel's word brings them back."""
    file, log = tmp_path / "haman.yaml", tmp_path / "log"
    file.write_text(FOLLOWING)

    def until() -> None:
        begin = time.monotonic()
        while not all(shown(host)):
            assert time.monotonic() - begin < 60, log.read_text()
            time.sleep(0.02)

    process = host.spawn(sys.executable, "-m", "tests.kernel.keeper_alone", str(file), log=log)
    until()
    for theirs in ("route del 10.9.0.0/16", "rule del priority 1000", "route del default table 1000"):
        host.ip(theirs)
        until()
    process.signal(signal.SIGKILL)
    process.wait(20)
    assert log.read_text().split() == ["route_missing", "rule_missing", "route_missing"]


def test_they_follow_the_role_and_come_back_when_deleted(network: Network, tmp_path: Path) -> None:
    pair = Pair(network, tmp_path)
    first, second = pair.hosts["lb1"], pair.hosts["lb2"]
    pair.start("lb1", FOLLOWING)
    pair.until(lambda: all(shown(first)))
    pair.start("lb2", FOLLOWING)
    pair.until(lambda: pair.role("lb2") == "standby")
    assert not any(shown(second))

    first.ip("route del 10.9.0.0/16", "rule del priority 1000")
    pair.until(lambda: all(shown(first)), 15)

    first.cut("eth0")
    pair.until(lambda: all(shown(second)))
    pair.until(lambda: not any(shown(first)))
    first.heal("eth0")
    pair.until(lambda: pair.role("lb1") == "standby")

    # Both processes of the active director die one after the other: what is left takes the routes along.
    elector = pair.processes["lb2"].pid

    os.kill(elector, signal.SIGKILL)
    pair.until(lambda: all(shown(first)))
    pair.until(lambda: not any(shown(second)))

"""Addresses, links and their notifications on real devices; `ip` is the witness."""

from __future__ import annotations

import asyncio
import errno
import json
import subprocess
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from haman.kernel import sysctls
from haman.kernel.addresses import AddressAdded, Addresses, AddressRemoved, LinkChanged, Lost, Watch
from haman.model.kernel import AddressConfig, AddressKey, SysctlConfig, SysctlKey
from haman.plan.ops import Add, Op, Remove, Set

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from haman.lab.hosts import Host

VIP = AddressKey("eth0", ip_address("10.0.0.100"), 24)
VIP6 = AddressKey("eth0", ip_address("2001:db8::100"), 64)
ON_LO = AddressKey("lo", VIP.ip, 32)
NONE = AddressConfig()
PATIENCE = 60


@pytest.fixture
def host(network) -> Host:
    lan = network.segment("lan")
    return network.host("one", {"eth0": (lan, ["10.0.0.1/24", "2001:db8::1/64"])})


def on(host: Host, steps: Callable[[Addresses], Coroutine[Any, Any, Any]]) -> Any:
    """Run `steps` on that host with open Addresses, to the end."""

    async def run() -> Any:
        addresses = Addresses()
        await addresses.open()
        try:
            async with asyncio.timeout(PATIENCE):
                return await steps(addresses)
        finally:
            await addresses.close()

    return host.call(asyncio.run, run())


def apply(host: Host, *ops: Op) -> list[str]:
    """What the kernel refused, in words."""
    refusals = on(host, lambda addresses: addresses.apply(ops))
    return [str(refusal.error) for refusal in refusals]


def shown(host: Host, device: str) -> dict[str, dict[str, Any]]:
    """What `ip` says of the global addresses of a device."""
    output = host.run("ip", "-j", "address", "show", "dev", device, "scope", "global").stdout
    found = [one for link in json.loads(output) for one in link.get("addr_info", ())]
    return {f"{one['local']}/{one['prefixlen']}": one for one in found if one}


def test_a_vip_comes_and_goes_in_both_families(host: Host) -> None:
    assert apply(host, Add(VIP, NONE), Add(VIP6, NONE), Add(ON_LO, NONE)) == []
    assert set(shown(host, "eth0")) == {"10.0.0.1/24", "10.0.0.100/24", "2001:db8::1/64", "2001:db8::100/64"}
    assert set(shown(host, "lo")) == {"10.0.0.100/32"}
    held = on(host, lambda addresses: addresses.snapshot()).addresses
    assert {VIP, VIP6, ON_LO, AddressKey("lo", ip_address("127.0.0.1"), 8)} <= held.keys()
    assert apply(host, Remove(VIP), Remove(VIP6), Remove(ON_LO)) == []
    assert set(shown(host, "eth0")) == {"10.0.0.1/24", "2001:db8::1/64"}
    assert set(shown(host, "lo")) == set()


def test_an_ipv6_vip_is_usable_at_once_and_never_a_source(host: Host) -> None:
    on_lo = AddressKey("lo", VIP6.ip, 128)
    apply(host, Add(VIP6, NONE), Add(on_lo, NONE))
    for one in (shown(host, "eth0")["2001:db8::100/64"], shown(host, "lo")["2001:db8::100/128"]):
        assert one["nodad"]
        assert not one.get("tentative")
        assert one["preferred_life_time"] == 0
        assert one["valid_life_time"] == 2**32 - 1
    assert "src 2001:db8::1 " in host.run("ip", "route", "get", "2001:db8::9").stdout


def test_what_is_already_as_asked_counts_as_done(host: Host) -> None:
    assert apply(host, Add(VIP, NONE), Add(VIP6, NONE), Add(VIP, NONE), Add(VIP6, NONE)) == []
    assert apply(host, Remove(VIP), Remove(VIP6), Remove(VIP), Remove(VIP6)) == []


def test_a_refusal_names_the_operation_and_loses_no_other(host: Host) -> None:
    nowhere = AddressKey("eth9", VIP.ip, 24)
    multicast = AddressKey("eth0", ip_address("ff02::9"), 64)
    assert apply(host, Add(nowhere, NONE), Remove(nowhere), Add(multicast, NONE), Add(VIP, NONE)) == [
        "add 10.0.0.100/24 on eth9: No such device (errno 19)",
        "add ff02::9/64 on eth0: Cannot assign requested address (errno 99)",
    ]
    assert "10.0.0.100/24" in shown(host, "eth0")


def test_a_device_without_ipv6(host: Host) -> None:
    host.sysctl("net/ipv6/conf/eth0/disable_ipv6", 1)
    [refusal] = on(host, lambda addresses: addresses.apply([Add(VIP6, NONE)]))
    assert refusal.error.errno == errno.EACCES
    assert "IPv6 is switched off on that device" in str(refusal.error)


def test_an_address_with_two_prefix_lengths(host: Host) -> None:
    other = AddressKey("eth0", VIP.ip, 32)
    apply(host, Add(VIP, NONE), Add(other, NONE), Remove(VIP))
    assert set(shown(host, "eth0")) == {"10.0.0.1/24", "10.0.0.100/32", "2001:db8::1/64"}


def test_a_host_address_leaves_the_subnet_to_the_nodes_own(host: Host) -> None:
    """However the network is restarted while the VIP is held: the node goes on sending with its own address."""
    vip = AddressKey("eth0", VIP.ip, 32)
    host.run("ip", "address", "flush", "dev", "eth0", "scope", "global")
    apply(host, Add(vip, NONE))
    host.add_address("eth0", "10.0.0.1/24")
    host.route("default", via="10.0.0.254")
    assert "src 10.0.0.1 " in host.run("ip", "route", "get", "10.0.0.9").stdout
    routes = host.run("ip", "route").stdout
    apply(host, Remove(vip))
    assert host.run("ip", "route").stdout == routes
    assert set(shown(host, "eth0")) == {"10.0.0.1/24"}


def test_with_promotion_a_vip_that_brought_the_subnet_leaves_others_behind(host: Host) -> None:
    host.run("ip", "address", "flush", "dev", "eth0", "scope", "global")
    setting = Set(SysctlKey("net/ipv4/conf/all/promote_secondaries"), SysctlConfig("1"))
    assert host.call(sysctls.apply, [setting]) == []
    apply(host, Add(VIP, NONE))
    host.add_address("eth0", "10.0.0.1/24")
    apply(host, Remove(VIP))
    assert set(shown(host, "eth0")) == {"10.0.0.1/24"}


def test_a_thousand_addresses(host: Host) -> None:
    keys = [AddressKey("lo", ip_address(f"10.1.{number // 250}.{number % 250}"), 32) for number in range(1000)]
    assert apply(host, *(Add(key, NONE) for key in keys)) == []
    held = on(host, lambda addresses: addresses.snapshot()).addresses
    assert set(keys) <= held.keys()
    assert apply(host, *(Remove(key) for key in keys)) == []
    assert not shown(host, "lo")


def test_links_are_up_when_traffic_can_pass(network) -> None:
    lan = network.segment("lan")
    one = network.host(
        "one", {"eth0": (lan, "10.0.0.1/24"), "eth1": (lan, "10.0.1.1/24"), "eth2": (lan, "10.0.2.1/24")}
    )
    one.cut("eth1")
    one.run("ip", "link", "set", "eth2", "down")
    seen = on(one, lambda addresses: addresses.links())
    assert {name: seen[name] for name in ("lo", "eth0", "eth1", "eth2")} == {
        "lo": True,
        "eth0": True,
        "eth1": False,
        "eth2": False,
    }


# -- notifications -----------------------------------------------------------------------------------------


def ip(*lines: str) -> None:
    """`ip -batch` on the host whose thread calls."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def events(host: Host, *causes: Callable[[], Any], until: Any) -> list[Any]:
    """What a Watch tells, from its beginning until it tells `until`. It begins with Lost(), and with each Lost() the
    next of `causes` runs, on the loop's own thread: nobody reads meanwhile."""

    async def run() -> list[Any]:
        seen: list[Any] = []
        async with asyncio.timeout(60):
            async for event in Watch():
                seen.append(event)
                if event == Lost():
                    causes[seen.count(Lost()) - 1]()
                if event == until:
                    return seen
        return seen

    return host.call(asyncio.run, run())


def test_what_happened_before_it_listened_is_lost(host: Host) -> None:
    assert events(host, lambda: None, until=Lost()) == [Lost()]


def test_addresses_are_told_as_they_come_and_go(host: Host) -> None:
    coming_and_going = ["address add 10.0.0.100/24 dev eth0", "address del 10.0.0.100/24 dev eth0"]
    seen = events(host, lambda: ip(*coming_and_going), until=AddressRemoved(VIP))
    assert seen == [Lost(), AddressAdded(VIP, NONE), AddressRemoved(VIP)]


def test_links_are_told_by_name(host: Host) -> None:
    assert events(host, lambda: host.cut("eth0"), until=LinkChanged("eth0"))[0] == Lost()


def test_an_overflow_is_told_and_survived(host: Host) -> None:
    """More news than the socket can hold while nobody reads: one Lost() more, and then news again."""
    flood = [f"address add 10.2.{number // 250}.{number % 250}/32 dev lo" for number in range(4000)]
    seen = events(
        host, lambda: ip(*flood), lambda: ip("address add 10.0.0.100/24 dev eth0"), until=AddressAdded(VIP, NONE)
    )
    assert seen.count(Lost()) == 2
    assert len(seen) < 4000

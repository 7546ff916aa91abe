"""What a real server needs, by the methods that reach it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from haman.model.kernel import (
    AddressConfig,
    AddressKey,
    DeviceConfig,
    DeviceKey,
    GuePortConfig,
    GuePortKey,
    Kernel,
    SysctlConfig,
    SysctlKey,
    Unwrapper,
)
from haman.model.services import Forward, Server, Service, Tunnel, TunnelChecksum, TunnelType
from haman.plan import realserver
from haman.plan.diff import diff
from haman.plan.ops import Add, Remove, Set, simulate
from tests.director.support import cluster, service

RIP, RIP6 = ip_address("10.2.0.11"), ip_address("2001:db8:2::11")
VIP, VIP6 = ip_address("10.0.0.100"), ip_address("2001:db8::100")
SILENT = {
    SysctlKey("net/ipv4/conf/all/arp_ignore"): SysctlConfig("1"),
    SysctlKey("net/ipv4/conf/all/arp_announce"): SysctlConfig("2"),
}


def one(address=RIP, vip=VIP, **server: object) -> Service:
    entry = Server(name="far", address=address, **server)  # type: ignore[arg-type]
    return replace(service(), address=vip, servers={"far": entry})


def needs(*services: Service, address=RIP, unwrap: bool = True) -> Kernel:
    named = {f"s{number}": replace(each, name=f"s{number}") for number, each in enumerate(services)}
    found = realserver.parts(cluster(services=named), (), {address})
    assert realserver.conflict(found) is None
    return realserver.wanted(found, unwrap=unwrap)


def test_direct_routing_needs_a_silent_vip_on_lo() -> None:
    assert needs(one()) == Kernel(addresses={AddressKey("lo", VIP, 32): AddressConfig()}, sysctls=SILENT)


def test_ipv6_is_silent_by_itself() -> None:
    wanted = needs(one(RIP6, VIP6), address=RIP6)
    assert wanted == Kernel(addresses={AddressKey("lo", VIP6, 128): AddressConfig()})


def test_nat_needs_nothing() -> None:
    assert needs(one(forward=Forward.NAT)) == Kernel()


def test_each_tunnel_needs_the_device_that_takes_it_apart() -> None:
    gue = Tunnel(type=TunnelType.GUE, port=6080)
    gre = Tunnel(type=TunnelType.GRE, checksum=TunnelChecksum.FULL)
    cases = [
        (RIP, VIP, None, "ipip", Unwrapper.IPIP, False),
        (RIP, VIP6, None, "sit", Unwrapper.SIT, False),
        (RIP6, VIP, None, "ip6tnl", Unwrapper.IP6TNL, False),
        (RIP6, VIP6, None, "ip6tnl", Unwrapper.IP6TNL, False),
        (RIP, VIP, gue, "ipip", Unwrapper.IPIP, False),
        (RIP6, VIP6, gue, "ip6tnl", Unwrapper.IP6TNL, False),
        (RIP, VIP, gre, "gre", Unwrapper.GRE, True),
        (RIP6, VIP, gre, "ip6gre", Unwrapper.IP6GRE, True),
    ]
    for address, vip, tunnel, name, kind, checksum in cases:
        wanted = needs(one(address, vip, forward=Forward.TUN, tunnel=tunnel), address=address)
        assert wanted.devices == {DeviceKey(f"haman-{name}"): DeviceConfig(kind, address, checksum)}
        assert list(wanted.addresses) == [AddressKey(f"haman-{name}", vip, vip.max_prefixlen)]
        port = {GuePortKey(address.version, 6080): GuePortConfig()} if tunnel is gue else {}
        assert wanted.gue_ports == port
        assert wanted.sysctls == (SILENT if vip.version == 4 else {})


def test_a_machine_with_two_addresses_has_two_devices() -> None:
    second = ip_address("10.3.0.11")
    services = {
        "a": replace(one(forward=Forward.TUN), name="a"),
        "b": replace(one(second, forward=Forward.TUN), name="b", ports=(81,)),
    }
    found = realserver.parts(cluster(services=services), (), {RIP, second})
    assert [key.name for key in realserver.wanted(found).devices] == ["haman-ipip", "haman-ipip2"]


def test_one_device_cannot_have_both_checksums() -> None:
    plain = one(forward=Forward.TUN, tunnel=Tunnel(type=TunnelType.GRE))
    full = one(forward=Forward.TUN, tunnel=Tunnel(type=TunnelType.GRE, checksum=TunnelChecksum.FULL))
    services = {"a": replace(plain, name="a"), "b": replace(full, name="b", ports=(81,))}
    words = realserver.conflict(realserver.parts(cluster(services=services), (), {RIP}))
    assert words is not None
    assert words.startswith("b/far and a/far reach 10.2.0.11 by GRE with and without checksum")


def test_somebody_else_unwraps() -> None:
    wanted = needs(one(forward=Forward.TUN), unwrap=False)
    assert wanted == Kernel(addresses={AddressKey("lo", VIP, 32): AddressConfig()}, sysctls=SILENT)


def test_a_mark_can_stand_for_any_vip_of_its_family() -> None:
    marked = replace(one(), address=None, protocol=None, ports=(), fwmark=7)
    assert sorted(str(key.ip) for key in needs(marked).addresses) == ["10.0.0.100", "10.0.1.100"]


def test_a_directors_vips_are_left_to_haman_run() -> None:
    found = realserver.parts(cluster(services={"web": one(director="lb1")}), (), {RIP})
    assert [part.vips for part in found] == [()]
    assert realserver.wanted(found) == Kernel()
    assert list(realserver.hints(found)) == ["web/far: this machine is a director for it, haman run keeps its VIPs"]


def test_a_machine_is_found_under_any_name() -> None:
    services = {
        "a": replace(one(), name="a"),
        "b": replace(one(), name="b", servers={"x": Server(name="x", address=RIP)}),
    }
    found = realserver.parts(cluster(services=services), {"x"}, {RIP})
    assert [(part.service.name, part.server.name) for part in found] == [("a", "far"), ("b", "x")]


# -- on the way there -----------------------------------------------------------------------------------------

DEVICE = DeviceKey("haman-gre")
HELD = DeviceConfig(Unwrapper.GRE, RIP)


def steps(wanted: Kernel, held: Kernel, *made: object) -> list[str]:
    ops = diff(wanted, held, realserver.ownership(wanted, made))  # type: ignore[arg-type]
    after = simulate(ops, held)
    assert diff(wanted, after, realserver.ownership(wanted, made)) == ()  # type: ignore[arg-type]
    return [str(op) for op in ops]


def test_silence_comes_before_the_address_and_the_device_too() -> None:
    wanted = needs(one(forward=Forward.TUN, tunnel=Tunnel(type=TunnelType.GUE, port=6080)))
    assert steps(wanted, Kernel()) == [
        "set net/ipv4/conf/all/arp_ignore = 1",
        "set net/ipv4/conf/all/arp_announce = 2",
        "add GUE on IPv4 port 6080",
        "add tunnel device haman-ipip (ipip to 10.2.0.11)",
        "add 10.0.0.100/32 on haman-ipip",
    ]


def test_what_was_made_goes_and_nothing_else() -> None:
    mine, theirs = AddressKey("lo", VIP, 32), AddressKey("lo", VIP6, 128)
    port = GuePortKey(4, 6080)
    held = Kernel(
        addresses={mine: AddressConfig(), theirs: AddressConfig()},
        devices={DEVICE: HELD},
        gue_ports={port: GuePortConfig(), GuePortKey(4, 6081): GuePortConfig()},
    )
    assert steps(Kernel(), held, mine, port) == [
        "remove 10.0.0.100/32 on lo",
        "remove tunnel device haman-gre",
        "remove GUE on IPv4 port 6080",
    ]


def test_a_device_is_changed_in_place_or_made_anew() -> None:
    def ops(**changes: object) -> list[object]:
        wanted = Kernel(devices={DEVICE: HELD})
        held = Kernel(devices={DEVICE: replace(HELD, **changes)})  # type: ignore[arg-type]
        return list(diff(wanted, held, realserver.ownership(wanted, ())))

    assert ops() == []
    assert ops(up=False) == [Set(DEVICE, HELD)]
    assert ops(loose=False) == [Set(DEVICE, HELD)]
    assert ops(checksum=True) == [Remove(DEVICE), Add(DEVICE, HELD)]
    assert ops(local=ip_address("10.2.0.12")) == [Remove(DEVICE), Add(DEVICE, HELD)]


def test_a_device_under_another_name_gives_way_first() -> None:
    wanted, other = Kernel(devices={DEVICE: HELD}), DeviceKey("haman-gre2")
    ops = diff(wanted, Kernel(devices={other: HELD}), realserver.ownership(wanted, ()))
    assert ops == (Remove(other), Add(DEVICE, HELD))

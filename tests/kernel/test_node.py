"""A host knows its own addresses, also where everything may be bound."""

from __future__ import annotations

from ipaddress import IPv4Address

from haman.config.node import is_local


def test_an_address_is_local_where_it_is_and_nowhere_else(network) -> None:
    lan = network.segment("lan")
    one = network.host("one", {"eth0": (lan, "10.0.0.1/24")})
    two = network.host("two", {"eth0": (lan, "10.0.0.2/24")})
    two.sysctl("net/ipv4/ip_nonlocal_bind", 1)
    for host, own in ((one, "10.0.0.1"), (two, "10.0.0.2")):
        local = [
            address for address in ("10.0.0.1", "10.0.0.2", "192.0.2.1") if host.call(is_local, IPv4Address(address))
        ]
        assert local == [own]

"""Which address a router speaks from, and the words for what is missing."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address

import pytest

from haman.elector.sources import Sources
from haman.model.elector import RouterConfig
from haman.model.kernel import AddressConfig, AddressKey, AddressState
from haman.model.routers import VirtualAddress

SIX = RouterConfig(
    name="six",
    vrid=51,
    priority=100,
    interface="eth0",
    source=None,
    advert_interval=1.0,
    addresses=(
        VirtualAddress(interface=IPv6Interface("2001:db8::100/64"), device="eth0"),
        VirtualAddress(interface=IPv6Interface("fe80::1/64"), device="eth0"),
    ),
)
UNICAST = replace(SIX, source6=IPv6Address("2001:db8::1"), peers=(IPv6Address("2001:db8::2"),))
FOUR = replace(
    SIX,
    source=IPv4Address("10.0.0.1"),
    addresses=(VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),),
)


def sources(*found: tuple[str, str, AddressState]) -> Sources:
    made = Sources()
    made.set_vips([SIX])
    made.replace({AddressKey(dev, ip_address(ip), 64): AddressConfig(state) for dev, ip, state in found})
    return made


USABLE, TENTATIVE, DUPLICATE = AddressState.USABLE, AddressState.TENTATIVE, AddressState.DUPLICATE


def test_the_lowest_link_local_address_of_the_interface() -> None:
    found = sources(
        ("eth0", "fe80::9", USABLE),
        ("eth0", "fe80::5", USABLE),
        ("eth0", "fe80::4", TENTATIVE),
        ("eth0", "fe80::1", USABLE),  # a VIP
        ("eth0", "2001:db8::1", USABLE),
        ("eth1", "fe80::2", USABLE),
    )
    assert str(found.of(SIX, 6)) == "fe80::5"
    assert found.missing(SIX) is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "no usable link-local address on eth0 yet (or IPv6 is switched off there)"),
        ([("eth1", "fe80::2", USABLE)], "no usable link-local address on eth0 yet (or IPv6 is switched off there)"),
        (
            [("eth0", "fe80::2", TENTATIVE)],
            "fe80::2 on eth0 is tentative: the kernel still asks whether another machine has it",
        ),
        (
            [("eth0", "fe80::2", DUPLICATE)],
            "another machine has fe80::2, the address of eth0 (duplicate address detection)",
        ),
    ],
)
def test_what_is_missing(found: list[tuple[str, str, AddressState]], words: str) -> None:
    assert sources(*found).missing(SIX) == words
    assert sources(*found).of(SIX, 6) is None


def test_unicast_speaks_from_its_configured_address_wherever_it_is() -> None:
    assert sources(("eth0", "fe80::2", USABLE)).of(UNICAST, 6) is None
    none = sources(("eth0", "fe80::2", USABLE)).missing(UNICAST)
    assert none == "this machine does not have 2001:db8::1, the address it advertises from"
    assert sources(("eth0", "2001:db8::1", TENTATIVE)).of(UNICAST, 6) is None
    there = sources(("lo", "2001:db8::1", USABLE))
    assert str(there.of(UNICAST, 6)) == "2001:db8::1"
    assert there.missing(UNICAST) is None


def test_the_source_of_ipv4_is_the_configured_one() -> None:
    words = "this machine does not have 10.0.0.1, the address it advertises from"
    assert sources(("eth0", "10.0.0.2", USABLE)).missing(FOUR) == words
    assert sources(("eth0", "10.0.0.1", USABLE)).missing(FOUR) is None
    assert str(sources().of(FOUR, 4)) == "10.0.0.1"


def test_before_anybody_has_looked_nothing_is_said() -> None:
    assert Sources().missing(SIX) is None


def test_what_changes_is_told_once_and_vips_are_not() -> None:
    found = sources()
    key = AddressKey("eth0", ip_address("fe80::2"), 64)
    assert found.change(key, AddressConfig(TENTATIVE))
    assert not found.change(key, AddressConfig(TENTATIVE))
    assert found.change(key, AddressConfig())
    assert str(found.of(SIX, 6)) == "fe80::2"
    assert found.change(key, None)
    assert found.missing(SIX) is not None
    assert not found.change(AddressKey("eth0", ip_address("2001:db8::100"), 64), AddressConfig())

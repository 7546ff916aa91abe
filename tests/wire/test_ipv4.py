from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.wire import ipv4
from haman.wire.packet import Packet

GROUP = IPv4Address("224.0.0.18")
SOURCE = IPv4Address("10.0.0.1")
MESSAGE = bytes.fromhex("3133 9602 000a 3963 0a000064 0a000065")

CAPTURED = bytes.fromhex("45c00024 00010000 ff70d095 0a000001 e0000012") + MESSAGE
"""An advertisement of keepalived 2.2.7 of Debian 12, taken down by tcpdump 4.99.3."""

PACKET = Packet(SOURCE, GROUP, 255, MESSAGE)


def test_split() -> None:
    assert ipv4.split(CAPTURED) == PACKET


def test_split_ends_where_the_header_says() -> None:
    """Ethernet pads short frames to 46 bytes; the padding is no payload."""
    assert ipv4.split(CAPTURED + b"\xee" * 10) == PACKET


def test_split_leaves_options_out() -> None:
    router_alert = bytes.fromhex("46c00028 00010000 ff70 0000 0a000001 e0000012 94040000") + MESSAGE
    assert ipv4.split(router_alert) == PACKET


def test_split_gives_the_ttl_as_it_is() -> None:
    packet = ipv4.split(CAPTURED[:8] + b"\xfe" + CAPTURED[9:])
    assert packet is not None
    assert packet.ttl == 254


def test_a_packet_cut_anywhere_is_no_packet() -> None:
    for length in range(len(CAPTURED)):
        assert ipv4.split(CAPTURED[:length]) is None, length


@pytest.mark.parametrize(
    ("what", "head"),
    [
        ("IPv6", "65c00024"),
        ("a header of 16 bytes", "44c00024"),
        ("a header longer than the packet", "4fc00024"),
        ("a total length below the header's", "45c00013"),
        ("a total length beyond the buffer", "45c00025"),
    ],
)
def test_no_packet(what: str, head: str) -> None:
    assert ipv4.split(bytes.fromhex(head) + CAPTURED[4:]) is None, what


def test_an_empty_payload_is_a_packet() -> None:
    assert ipv4.split(bytes.fromhex("45c00014") + CAPTURED[4:20]) == Packet(SOURCE, GROUP, 255, b"")


def test_wrap() -> None:
    """As keepalived sends it but for identification and header checksum, which are the kernel's (raw(7))."""
    expected = bytes.fromhex("45c00024 00000000 ff700000 0a000001 e0000012") + MESSAGE
    assert ipv4.wrap(PACKET).hex(" ", 4) == expected.hex(" ", 4)


@given(st.binary(max_size=120))
def test_no_bytes_raise(data: bytes) -> None:
    packet = ipv4.split(data)
    assert packet is None or len(packet.payload) <= len(data) - 20


@given(st.binary(max_size=1028), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_round_trip(payload: bytes, source: int, destination: int) -> None:
    packet = Packet(IPv4Address(source), IPv4Address(destination), 255, payload)
    assert ipv4.split(ipv4.wrap(packet)) == packet

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.errors import BadPacket
from haman.model.routers import ChecksumForm
from haman.wire import vrrp
from haman.wire.advertisement import Advertisement, Refusal
from tests.wire.vectors import GROUP, GROUP6, LINK_LOCAL, MALFORMED, PEER, SOURCE, VECTORS, VERSION_2, Malformed, Vector

ADDRESSES = st.integers(0, 2**32 - 1).map(IPv4Address)
ADVERTISEMENTS = st.builds(
    Advertisement,
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    interval=st.integers(1, 4095).map(lambda centiseconds: centiseconds / 100),
    addresses=st.lists(ADDRESSES, min_size=1, max_size=255).map(tuple),
)

SIX = st.integers(0, 2**128 - 1).map(IPv6Address)
ADVERTISEMENTS_6 = st.builds(
    Advertisement,
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    interval=st.integers(1, 4095).map(lambda centiseconds: centiseconds / 100),
    addresses=st.lists(SIX, min_size=1, max_size=90).map(tuple),
)
ADVERTISEMENTS_V2 = st.builds(
    Advertisement,
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    interval=st.integers(1, 255).map(float),
    addresses=st.lists(ADDRESSES, min_size=1, max_size=255).map(tuple),
    version=st.just(2),
    password=st.none() | st.text("abcXYZ09!é ", max_size=8),
)

every_vector = pytest.mark.parametrize("vector", VECTORS + VERSION_2, ids=lambda vector: vector.name)


@every_vector
def test_decode(vector: Vector) -> None:
    assert vrrp.decode(vector.message, vector.source, vector.destination) == vector.advertisement


@every_vector
def test_encode(vector: Vector) -> None:
    message = vrrp.encode(vector.advertisement, vector.source, vector.destination, vector.form)
    assert message.hex(" ", 4) == vector.message.hex(" ", 4)


@every_vector
def test_bytes_after_the_last_address_are_left_alone(vector: Vector) -> None:
    """The trailer of draft-cassen-vrrp-auth-hmac is 28 bytes, and no part of the checksum."""
    trailed = vector.message + bytes(range(28))
    assert vrrp.decode(trailed, vector.source, vector.destination) == vector.advertisement


@every_vector
def test_a_message_cut_anywhere_is_too_short(vector: Vector) -> None:
    for length in range(len(vector.message)):
        with pytest.raises(BadPacket) as caught:
            vrrp.decode(vector.message[:length], vector.source, vector.destination)
        assert caught.value.reason is Refusal.TOO_SHORT, length


@every_vector
def test_one_bit_turned_is_noticed(vector: Vector) -> None:
    """A one's complement sum misses no single bit, and neither form may let through what the other refuses."""
    for bit in range(len(vector.message) * 8):
        damaged = bytearray(vector.message)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(BadPacket):
            vrrp.decode(bytes(damaged), vector.source, vector.destination)


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda malformed: malformed.name)
def test_malformed(malformed: Malformed) -> None:
    with pytest.raises(BadPacket) as caught:
        vrrp.decode(malformed.message, malformed.source, malformed.destination)
    assert caught.value.reason is malformed.refusal


def test_reserved_bits_are_ignored_on_reception() -> None:
    """Section 5.2.6: "The Reserve field MUST be set to zero on transmission and ignored on reception"."""
    reserved = bytes.fromhex("3101 6401 f064 b7f1 c0a801fe")
    assert vrrp.decode(reserved, SOURCE, GROUP) == Advertisement(1, 100, 1.0, (IPv4Address("192.168.1.254"),))


def test_the_pseudo_header_holds_for_its_own_addresses_only() -> None:
    unicast = bytes.fromhex("3133 fe02 0001 a77c 0a000064 0a000065")
    assert vrrp.decode(unicast, SOURCE, PEER).priority == 254
    with pytest.raises(BadPacket, match="checksum"):
        vrrp.decode(unicast, SOURCE, IPv4Address("10.0.0.3"))


def test_the_form_without_pseudo_header_is_what_is_sent_unless_asked() -> None:
    advertisement = Advertisement(51, 150, 1.0, (IPv4Address("10.0.0.100"), IPv4Address("10.0.0.101")))
    assert vrrp.encode(advertisement, SOURCE, GROUP)[6:8] == b"\x23\x9d"


@pytest.mark.parametrize(
    ("seconds", "centiseconds"), [(0.01, 1), (0.1, 10), (0.29, 29), (0.57, 57), (1.0, 100), (1.13, 113), (40.95, 4095)]
)
def test_centiseconds_are_rounded_not_cut(seconds: float, centiseconds: int) -> None:
    """0.29 * 100 and others are a hair below the whole number in binary."""
    message = vrrp.encode(Advertisement(51, 150, seconds, (SOURCE,)), SOURCE, GROUP)
    assert struct.unpack_from("!H", message, 4) == (centiseconds,)
    assert vrrp.decode(message, SOURCE, GROUP).interval == seconds


@pytest.mark.parametrize(
    "advertisement",
    [
        Advertisement(51, 150, 0.0, (SOURCE,)),
        Advertisement(51, 150, 0.004, (SOURCE,)),
        Advertisement(51, 150, 40.96, (SOURCE,)),
        Advertisement(51, 150, -1.0, (SOURCE,)),
        Advertisement(51, 150, 1.0, ()),
        Advertisement(51, 150, 1.0, (SOURCE,) * 256),
        Advertisement(0, 150, 1.0, (SOURCE,)),
        Advertisement(256, 150, 1.0, (SOURCE,)),
        Advertisement(51, 256, 1.0, (SOURCE,)),
        Advertisement(51, -1, 1.0, (SOURCE,)),
        Advertisement(51, 150, 1.0, (SOURCE, GROUP6)),
        Advertisement(51, 150, 1.0, (GROUP6,)),
        Advertisement(51, 150, 0.5, (SOURCE,), version=2),
        Advertisement(51, 150, 1.5, (SOURCE,), version=2),
        Advertisement(51, 150, 256.0, (SOURCE,), version=2),
        Advertisement(51, 150, 1.0, (SOURCE,), version=2, password="ninebytes"),
    ],
)
def test_what_has_no_encoding_is_our_own_mistake(advertisement: Advertisement) -> None:
    with pytest.raises(ValueError, match="fit"):
        vrrp.encode(advertisement, SOURCE, GROUP)


@given(ADVERTISEMENTS, ADDRESSES, ADDRESSES, st.sampled_from(ChecksumForm))
def test_round_trip(
    advertisement: Advertisement, source: IPv4Address, destination: IPv4Address, form: ChecksumForm
) -> None:
    message = vrrp.encode(advertisement, source, destination, form)
    assert len(message) == 8 + 4 * len(advertisement.addresses)
    assert vrrp.decode(message, source, destination) == advertisement


@given(ADVERTISEMENTS_6, SIX, SIX)
def test_round_trip_of_ipv6(advertisement: Advertisement, source: IPv6Address, destination: IPv6Address) -> None:
    message = vrrp.encode(advertisement, source, destination)
    assert len(message) == 8 + 16 * len(advertisement.addresses)
    assert vrrp.decode(message, source, destination) == advertisement


@given(ADVERTISEMENTS_V2, ADDRESSES, ADDRESSES)
def test_round_trip_of_version_2(advertisement: Advertisement, source: IPv4Address, destination: IPv4Address) -> None:
    message = vrrp.encode(advertisement, source, destination)
    assert len(message) == 8 + 4 * len(advertisement.addresses) + 8
    assert vrrp.decode(message, source, destination) == advertisement


@given(st.binary(max_size=1100))
def test_no_bytes_raise_anything_but_bad_packet(data: bytes) -> None:
    decode_or_refuse(data)


@given(
    first=st.sampled_from([0x31, 0x21]),
    vrid=st.integers(0, 255),
    priority=st.integers(0, 255),
    count=st.integers(0, 255),
    rest=st.binary(max_size=1060),
)
def test_no_likely_bytes_raise_anything_but_bad_packet(
    first: int, vrid: int, priority: int, count: int, rest: bytes
) -> None:
    """Right version and type, and where there is room a right checksum: further in than chance gets."""
    message = bytearray([first, vrid, priority, count]) + rest
    if len(message) >= 8:
        message[6:8] = b"\0\0"
        words = message[: 8 + 4 * count + (8 if first == 0x21 else 0)]
        total = sum(struct.unpack(f"!{len(words) // 2}H", words[: len(words) // 2 * 2]))
        message[6:8] = struct.pack("!H", 0xFFFF - (total % 0xFFFF or 0xFFFF))
    decode_or_refuse(bytes(message))


def decode_or_refuse(data: bytes) -> None:
    for source, group in ((SOURCE, GROUP), (LINK_LOCAL, GROUP6)):
        try:
            advertisement = vrrp.decode(data, source, group)
        except BadPacket:
            continue
        assert 1 <= advertisement.vrid <= 255
        assert 0 <= advertisement.priority <= 255
        assert 0.01 <= advertisement.interval <= (40.95 if advertisement.version == 3 else 255)
        assert 1 <= len(advertisement.addresses) <= 255

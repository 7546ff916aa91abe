"""The trailer against the images that draft-cassen-vrrp-auth-hmac publishes, and what each flaw in one is called."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.errors import BadPacket
from haman.model.authentication import Credentials, Key
from haman.wire import authentication, vrrp
from haman.wire.advertisement import Advertisement, Refusal
from haman.wire.freshness import Marks

if TYPE_CHECKING:
    from haman.model.addresses import Address

KEY = Key(number=1, secret="000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
RING = Credentials(keys=(KEY,), send=1)
SEQUENCE = 0x6800000080000000
THEN = 0x68000000 + 0.5
"""When the images were signed."""

FOUR = bytes.fromhex("3133c80100644402c0000264 010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265")
SIX = bytes.fromhex(
    "3133c8010064a2e9 fe800000000000000000000000000100 010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78"
)
HERE4, HERE6 = ip_address("198.51.100.10"), ip_address("fe80::10")
THERE6 = ip_address("fe80::20")
SAYS4 = Advertisement(51, 200, 1.0, (ip_address("192.0.2.100"),))
SAYS6 = Advertisement(51, 200, 1.0, (ip_address("fe80::100"),))


def judge(
    image: bytes, source: Address, ring: Credentials = RING, wall: float = THEN, marks: Marks | None = None
) -> Refusal | int:
    message, tail = vrrp.split(image, source.version)
    try:
        return authentication.check(message, tail, source, ring, marks or Marks(), source, wall)
    except BadPacket as bad:
        return Refusal(bad.reason)


@pytest.mark.parametrize(("image", "source", "says"), [(FOUR, HERE4, SAYS4), (SIX, HERE6, SAYS6)])
def test_the_published_images_are_read_and_believed(image: bytes, source: Address, says: Advertisement) -> None:
    destination = THERE6 if source.version == 6 else ip_address("224.0.0.18")
    assert vrrp.decode(image, source, destination) == says
    assert judge(image, source) == 0


@pytest.mark.parametrize(
    ("image", "source", "to", "says"), [(FOUR, HERE4, ip_address("192.0.2.1"), SAYS4), (SIX, HERE6, THERE6, SAYS6)]
)
def test_the_published_images_are_what_we_send(image: bytes, source: Address, to: Address, says: Advertisement) -> None:
    message = vrrp.encode(says, source, to)
    trailer = authentication.trailer(message, source, KEY, SEQUENCE)
    assert vrrp.signed(message, source, to, trailer).hex(" ", 4) == image.hex(" ", 4)


@pytest.mark.parametrize(
    ("offset", "outcome"),
    [
        (2, Refusal.SIGNATURE),  # priority
        (5, Refusal.SIGNATURE),  # interval
        (7, 0),  # the checksum is no part of it
        (8 + 15, Refusal.SIGNATURE),  # the VIP
        (24, Refusal.TRAILER),  # type
        (25, Refusal.UNKNOWN_KEY),
        (27, Refusal.TRAILER),  # reserved
        (31, Refusal.SIGNATURE),  # one second off
        (28, Refusal.STALE),  # half a year off
        (35, Refusal.SIGNATURE),  # counter
        (51, Refusal.SIGNATURE),
    ],
)
def test_one_bit_turned(offset: int, outcome: Refusal | int) -> None:
    damaged = bytearray(SIX)
    damaged[offset] ^= 1
    assert judge(bytes(damaged), HERE6) == outcome


def test_it_is_bound_to_its_sender_and_to_its_router() -> None:
    assert judge(SIX, THERE6) is Refusal.SIGNATURE
    assert judge(FOUR[:1] + b"\x34" + FOUR[2:], HERE4) is Refusal.SIGNATURE
    assert judge(b"\x21" + FOUR[1:], HERE4) is Refusal.SIGNATURE


@pytest.mark.parametrize(
    ("tail", "refusal"), [(b"", Refusal.UNSIGNED), (b"\x01", Refusal.TRAILER), (FOUR[12:] + b"\0", Refusal.TRAILER)]
)
def test_without_a_whole_trailer(tail: bytes, refusal: Refusal) -> None:
    assert judge(FOUR[:12] + tail, HERE4) is refusal


@pytest.mark.parametrize(
    ("wall", "outcome"),
    [(THEN + 5, 5), (THEN + 6, Refusal.STALE), (THEN - 5, -5), (THEN - 6, Refusal.STALE), (THEN + 2**32, 0)],
)
def test_the_window_of_time(wall: float, outcome: Refusal | int) -> None:
    assert judge(FOUR, HERE4, wall=wall) == outcome


def test_without_a_window_only_the_order_counts() -> None:
    assert judge(FOUR, HERE4, replace(RING, window=None), wall=THEN + 86400) == 86400


def test_a_replay_is_refused_and_a_forgery_before_it_changes_nothing() -> None:
    marks = Marks()
    forged = FOUR[:20] + bytes.fromhex("6800000480000000") + FOUR[28:]
    assert judge(forged, HERE4, marks=marks) is Refusal.SIGNATURE
    assert judge(FOUR, HERE4, marks=marks) == 0
    assert judge(FOUR, HERE4, marks=marks) is Refusal.REPLAY


def test_during_a_rotation_both_keys_are_believed() -> None:
    new = Key(number=2, secret="ff" * 32)
    ring = Credentials(keys=(KEY, new), send=2)
    message = vrrp.encode(SAYS4, HERE4, ip_address("224.0.0.18"))
    for key in ring.keys:
        image = message + authentication.trailer(message, HERE4, key, SEQUENCE)
        assert judge(image, HERE4, ring) == 0
    assert judge(image, HERE4, RING) is Refusal.UNKNOWN_KEY
    assert judge(image, HERE4, Credentials(keys=(replace(KEY, number=2),), send=2)) is Refusal.SIGNATURE


def test_no_secret_is_shown() -> None:
    assert "0001020304" not in repr(RING)


@given(st.binary(max_size=80))
def test_no_tail_raises_anything_else_or_is_believed(tail: bytes) -> None:
    assert isinstance(judge(FOUR[:12] + tail, HERE4), Refusal)

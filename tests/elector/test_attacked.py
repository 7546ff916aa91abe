"""An attacker on the segment of two directors: what forged and recorded advertisements do without keys, and with them
not. The same attacks on real kernels: tests/kernel/test_attacker.py."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import TYPE_CHECKING

import pytest

from haman.model.authentication import Credentials, Key, Mode
from haman.model.routers import VirtualAddress
from haman.wire import authentication, vrrp
from haman.wire.advertisement import GROUPS, Advertisement
from haman.wire.freshness import of_clock
from haman.wire.packet import Packet
from tests.election.support import CONFIG
from tests.elector.pair import EPOCH, Pair

if TYPE_CHECKING:
    from haman.model.elector import RouterConfig

VIP = IPv4Address("10.0.0.100")
LB2, STRANGER = IPv4Address("10.0.0.2"), IPv4Address("10.0.0.66")
OPEN = replace(
    CONFIG,
    name="a",
    vrid=51,
    interface="eth0",
    addresses=(VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),),
)
ONE, TWO = Key(number=1, secret="11" * 32), Key(number=2, secret="22" * 32)
RING = Credentials(keys=(ONE,), send=1)


def router(ring: Credentials | None) -> RouterConfig:
    return replace(OPEN, credentials=ring)


def serving(ring: Credentials | None) -> Pair:
    """lb1 (150) is active, lb2 (100) is standby, and has been for a while."""
    pair = Pair()
    for side, priority in zip(pair.sides, (150, 100), strict=True):
        side.reload([router(ring)], [priority])
    pair.run(10)
    pair.watch(router(ring))
    pair.run(5)
    return pair


def forged(priority: int, source: IPv4Address = STRANGER, tail: bytes = b"") -> Packet:
    message = vrrp.encode(Advertisement(51, priority, OPEN.advert_interval, (VIP,)), source, GROUPS[4])
    return Packet(source, GROUPS[4], 255, message + tail)


def moved(pair: Pair) -> bool:
    """Whether lb1 was ever not the only one that holds the VIP, within the next seconds."""
    pair.run(5)
    return pair.worst("nowhere") > 0 or pair.worst("twice") > 0 or not pair.sides[0].held()


def counts(pair: Pair, side: int = 0) -> dict[str, int]:
    return pair.sides[side].tally.report().routers["a"]


def attack(pair: Pair, packet: Packet, seconds: int = 10) -> None:
    for _ in range(seconds * 10):
        pair.inject("eth0", packet)
        pair.run(0.1)


def test_without_keys_a_forged_priority_255_takes_the_vip_off_everybody() -> None:
    pair = serving(None)
    attack(pair, forged(255))
    assert moved(pair)


def test_with_keys_it_is_counted_and_nothing_else() -> None:
    pair = serving(RING)
    attack(pair, forged(255))
    assert not moved(pair)
    assert counts(pair)["refused_unsigned"] == counts(pair, 1)["refused_unsigned"] == 100


def test_without_keys_a_forged_goodbye_makes_two_owners() -> None:
    pair = serving(None)
    attack(pair, forged(0, IPv4Address("10.0.0.1")))
    assert moved(pair)


def test_with_keys_a_goodbye_in_the_name_of_the_active_one_moves_nothing() -> None:
    pair = serving(RING)
    tail = authentication.trailer(bytes(12), STRANGER, replace(ONE, secret="00" * 32), of_clock(EPOCH + pair.now))
    attack(pair, forged(0, IPv4Address("10.0.0.1"), tail))
    assert not moved(pair)
    assert counts(pair, 1)["refused_signature"] + counts(pair, 1).get("refused_stale", 0) == 100


@pytest.mark.parametrize(("ring", "reason"), [(RING, "stale"), (replace(RING, window=None), "replay")])
def test_a_recorded_goodbye_is_worth_nothing_later(ring: Credentials, reason: str) -> None:
    """lb1 left in good order once, and came back."""
    pair = serving(ring)
    pair.sides[0].reload([], [])
    pair.run(5)
    (goodbye,) = {packet for packet in pair.heard if packet.payload[2] == 0}
    pair.sides[0].reload([replace(router(ring), preempt=replace(OPEN.preempt, allowed=True))], [150])
    pair.run(30)
    pair.watch()
    pair.watch(router(ring))
    pair.longest.clear()
    attack(pair, goodbye)
    assert not moved(pair)
    assert counts(pair, 1)[f"refused_{reason}"] == 100


def test_a_recording_played_at_once_is_a_replay() -> None:
    pair = serving(RING)
    pair.inject("eth0", pair.heard[-1])
    assert counts(pair, 1)["refused_replay"] == 1
    assert not moved(pair)


def test_keys_are_rotated_without_a_flap() -> None:
    """First both are known everywhere, then the new one signs, then the old one goes; one director after the other."""
    pair = serving(RING)
    both = Credentials(keys=(ONE, TWO), send=1)
    for ring in (both, replace(both, send=2), Credentials(keys=(TWO,), send=2)):
        for side, priority in ((1, 100), (0, 150)):
            pair.sides[side].reload([router(ring)], [priority])
            pair.run(7)
    assert not moved(pair)
    assert not [name for side in (0, 1) for name in counts(pair, side) if name.startswith(("refused", "mismatch"))]


def test_a_key_that_the_other_does_not_know_makes_two_owners_so_the_order_matters() -> None:
    pair = serving(RING)
    pair.sides[0].reload([router(Credentials(keys=(TWO,), send=2))], [150])
    pair.run(7)
    assert pair.worst("twice") > 1
    assert counts(pair, 1)["refused_unknown_key"] > 3


@pytest.mark.parametrize("first", [Mode.PERMISSIVE, Mode.RECEIVE_ONLY])
def test_keys_are_brought_in_without_a_flap(first: Mode) -> None:
    pair = serving(None)
    modes = [first, Mode.PERMISSIVE, Mode.ENFORCE]
    for mode in modes:
        for side, priority in ((0, 150), (1, 100)):
            pair.sides[side].reload([router(replace(RING, mode=mode))], [priority])
            pair.run(7)
    assert not moved(pair)
    assert counts(pair, 1)["adverts_authenticated"] > 5
    assert "refused_unsigned" not in counts(pair, 1)
    assert counts(pair, 1).get("mismatch_unsigned", 0) == (
        0 if first is Mode.PERMISSIVE else counts(pair, 1)["mismatch_unsigned"]
    )


def test_permissive_counts_what_enforce_would_refuse_and_believes_it() -> None:
    pair = serving(replace(RING, mode=Mode.PERMISSIVE))
    attack(pair, forged(255), 1)
    assert counts(pair)["mismatch_unsigned"] == 10
    assert "mode is permissive" in " ".join(pair.sides[0].engine.roles().roles[0].complaints)
    assert moved(pair)


def test_clocks_that_drift_are_told_of_before_they_part() -> None:
    pair = serving(RING)
    source = LB2
    message = vrrp.encode(Advertisement(51, 100, OPEN.advert_interval, (VIP,)), source, GROUPS[4])
    trailer = authentication.trailer(message, source, ONE, of_clock(EPOCH + pair.now + 4))
    pair.sides[0].engine.packet("eth0", Packet(source, GROUPS[4], 255, message + trailer))
    pair.sides[0].engine.settle()
    assert counts(pair)["mismatch_clock"] == 1
    assert "the clock of 10.0.0.2 is +4 s from ours" in pair.sides[0].engine.roles().roles[0].complaints[0]

"""A takeover that asks whether it took: rounds, verdicts, and what they cost."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from haman.election import confirmation
from haman.election.confirmation import Announce, Asking, Place, Probe, Question
from haman.model.confirmation import Confirm, Confirmation, Neighbour, TakeoverVerdict

OURS = bytes.fromhex("020000000001")
THEIRS = bytes.fromhex("525400aabb02")
NOBODY = ip_address("0.0.0.0")
VIP = Place("eth0", ip_address("10.0.0.100"))
GATEWAY = Neighbour(address=ip_address("10.0.0.254"), hardware=bytes.fromhex("0200000000fe"), fresh=True)
SERVER = Neighbour(address=ip_address("10.0.0.11"), hardware=bytes.fromhex("02000000000b"), fresh=True)
OLD = Neighbour(address=ip_address("10.0.0.77"), hardware=bytes.fromhex("02000000004d"), fresh=False)


def asking(*neighbours: Neighbour, places: tuple[Place, ...] = (VIP,), linger: float = 0.05) -> Asking:
    """Decided at 0; the first announcements are out at 0.001."""
    return Asking(Confirm(), places, {"eth0": neighbours}, [OURS], linger, 0.0)


def follow(asked: Asking, neighbour: Neighbour, at: float, place: Place = VIP) -> None:
    asked.heard("eth0", neighbour.address, neighbour.hardware, place.vip, at)


def claim(asked: Asking, at: float, mac: bytes = THEIRS, place: Place = VIP) -> None:
    asked.heard("eth0", place.vip, mac, NOBODY, at)


def tick(asked: Asking) -> tuple[float, tuple[object, ...], Confirmation | None]:
    """At its deadline."""
    assert asked.deadline is not None
    now = asked.deadline
    return now, *asked.tick(now)


def to_the_end(asked: Asking, limit: int = 30) -> tuple[float, Confirmation]:
    """Nothing more is heard."""
    for _ in range(limit):
        now, _, outcome = tick(asked)
        if outcome is not None:
            return now, outcome
    raise AssertionError("no outcome")


def test_confirmed() -> None:
    asked = asking(GATEWAY, SERVER)
    assert asked.begin(0.001) == (Probe(VIP), Question(VIP, GATEWAY), Question(VIP, SERVER))
    follow(asked, SERVER, 0.002)
    follow(asked, GATEWAY, 0.0031)
    now, frames, outcome = tick(asked)
    assert (now, frames, outcome) == (pytest.approx(0.101), (Probe(VIP),), None)
    now, frames, outcome = tick(asked)
    assert outcome is not None
    assert (now, frames, outcome.verdict) == (pytest.approx(0.301), (), TakeoverVerdict.CONFIRMED)
    assert outcome.seconds == pytest.approx(0.0031)
    assert outcome.why == "confirmed in 3.1 ms: 2 neighbours in view follow, and nobody else answers"
    assert asked.over


def test_nobody_is_in_view() -> None:
    asked = asking()
    asked.begin(0.001)
    now, outcome = to_the_end(asked)
    assert now == pytest.approx(0.301)
    assert outcome.why == "confirmed in 301.0 ms: no neighbour is in view, and nobody else answers"


def test_a_neighbour_that_missed_it_is_told_again_until_it_follows() -> None:
    asked = asking(GATEWAY, SERVER)
    asked.begin(0.0)
    follow(asked, SERVER, 0.001)
    times = []
    while len(times) < 4:
        now, frames, outcome = tick(asked)
        assert outcome is None
        assert frames == (Announce(VIP), Probe(VIP), Question(VIP, GATEWAY))
        times.append(now)
    assert times == pytest.approx([0.1, 0.3, 0.7, 1.5])
    follow(asked, GATEWAY, 1.502)
    now, frames, outcome = tick(asked)
    assert outcome is not None
    assert outcome.verdict is TakeoverVerdict.CONFIRMED
    assert outcome.seconds == pytest.approx(1.502)


def test_a_neighbour_that_never_answers_is_given_up() -> None:
    """Six times in 3.1 s, and 3.2 s for the last answer."""
    asked = asking(GATEWAY, SERVER)
    asked.begin(0.0)
    follow(asked, SERVER, 0.001)
    now, outcome = to_the_end(asked)
    assert now == pytest.approx(6.3)
    assert outcome.verdict is TakeoverVerdict.UNCONFIRMED
    assert outcome.why == "unconfirmed: 10.0.0.254 did not answer 10.0.0.100, told 6 times; nobody else has it"
    assert asked.over


def test_the_silence_of_one_that_was_not_heard_of_lately_means_nothing() -> None:
    asked = asking(OLD, GATEWAY)
    assert asked.begin(0.0)[1:] == (Question(VIP, GATEWAY), Question(VIP, OLD))
    follow(asked, GATEWAY, 0.002)
    _, outcome = to_the_end(asked)
    assert outcome.verdict is TakeoverVerdict.CONFIRMED
    assert outcome.why.endswith("answers; 10.0.0.77, not heard of lately before, did not answer")


def test_but_if_there_is_no_other_it_does() -> None:
    asked = asking(OLD)
    asked.begin(0.0)
    assert to_the_end(asked)[1].verdict is TakeoverVerdict.UNCONFIRMED


def test_who_lingers_is_no_second_owner() -> None:
    asked = asking(GATEWAY)
    asked.begin(0.0)
    claim(asked, 0.001)
    follow(asked, GATEWAY, 0.002)
    _, frames, outcome = tick(asked)  # what the gateway knew, it may have been told otherwise
    assert (frames, outcome) == ((Announce(VIP), Probe(VIP), Question(VIP, GATEWAY)), None)
    follow(asked, GATEWAY, 0.102)
    _, outcome = to_the_end(asked)
    assert outcome.why == "confirmed in 102.0 ms: 1 neighbour in view follows, and nobody else answers"


def test_a_second_owner_is_told_and_announced_against_until_it_is_gone() -> None:
    asked = asking(GATEWAY)
    asked.begin(0.0)
    told, times = [], []
    while not times or times[-1] < 60.0:
        claim(asked, (times or [0.0])[-1] + 0.001)
        follow(asked, GATEWAY, (times or [0.0])[-1] + 0.002)
        now, frames, outcome = tick(asked)
        assert frames == (Announce(VIP), Probe(VIP), Question(VIP, GATEWAY))
        told += [outcome] if outcome is not None else []
        times.append(now)
    assert times == pytest.approx([0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 16.3, 26.3, 36.3, 46.3, 56.3, 66.3])
    assert asked.lasting
    (outcome,) = told
    assert outcome.verdict is TakeoverVerdict.SECOND_OWNER
    assert outcome.owners == ("52:54:00:aa:bb:02",)
    assert outcome.why == "second owner 52:54:00:aa:bb:02 answers for 10.0.0.100 too; announced again while it does"
    follow(asked, GATEWAY, times[-1] + 0.002)
    now, frames, outcome = tick(asked)
    assert (now, outcome) == (pytest.approx(76.3), None)
    assert Announce(VIP) in frames
    now, frames, outcome = tick(asked)
    assert now == pytest.approx(77.3)
    assert outcome is not None
    assert outcome.verdict is TakeoverVerdict.CONFIRMED
    assert outcome.why.endswith("nobody else answers; 52:54:00:aa:bb:02 did, and is gone")


def test_another_second_owner_is_told_as_well() -> None:
    asked = asking()
    asked.begin(0.0)
    owners = []
    for number in range(8):
        claim(asked, 0.0, THEIRS if number < 5 else b"\x02" * 6)
        outcome = tick(asked)[2]
        owners += [outcome.owners] if outcome is not None else []
    assert owners == [("52:54:00:aa:bb:02",), ("02:02:02:02:02:02",)]


def test_one_lost_answer_does_not_end_it() -> None:
    asked = asking()
    asked.begin(0.0)
    for number in range(5):
        if number != 2:
            claim(asked, 0.0)
        _, _, outcome = tick(asked)
        assert outcome is None or outcome.verdict is TakeoverVerdict.SECOND_OWNER


def test_our_own_interfaces_are_nobody_else() -> None:
    asked = asking(GATEWAY)
    asked.begin(0.0)
    claim(asked, 0.001, OURS)
    follow(asked, GATEWAY, 0.001)
    assert to_the_end(asked)[1].verdict is TakeoverVerdict.CONFIRMED


def test_answers_from_another_interface_or_to_another_address_count_for_nothing() -> None:
    asked = asking(GATEWAY)
    asked.begin(0.0)
    asked.heard("eth1", GATEWAY.address, GATEWAY.hardware, VIP.vip, 0.001)
    asked.heard("eth0", GATEWAY.address, GATEWAY.hardware, ip_address("10.0.0.1"), 0.001)
    asked.heard("eth1", VIP.vip, THEIRS, NOBODY, 0.001)
    assert to_the_end(asked)[1].verdict is TakeoverVerdict.UNCONFIRMED


def test_announced_again_everybody_is_asked_again() -> None:
    asked = asking(GATEWAY)
    asked.begin(0.0)
    follow(asked, GATEWAY, 0.001)
    asked.again()
    assert tick(asked)[1] == (Announce(VIP), Probe(VIP), Question(VIP, GATEWAY))


def test_a_thousand_addresses_are_asked_about_in_a_few_frames() -> None:
    """Eight addresses, sixteen neighbours: at most 8 * (1 + 1 + 16) frames in a round."""
    many = tuple(Place("eth0", ip_address("10.0.4.0") + number) for number in range(500))
    six = tuple(Place("eth0", ip_address("2001:db8::1") + number) for number in range(500))
    crowd = [
        Neighbour(address=ip_address("10.0.0.1") + number, hardware=bytes([2, 0, 0, 0, 1, number]), fresh=number > 200)
        for number in range(250)
    ]
    asked = Asking(Confirm(), (*many, *six), {"eth0": crowd}, [OURS], 0.05, 0.0)
    frames = asked.begin(0.0)
    assert [frame.place for frame in frames if isinstance(frame, Probe)] == [
        each for pair in zip(many[:4], six[:4], strict=True) for each in pair
    ]
    assert len(frames) == 4 * 17 + 4
    assert all(frame.neighbour.fresh for frame in frames if isinstance(frame, Question))
    assert len(asked.tick(0.1)[0]) == 4 * 18 + 4


def test_who_has_the_addresses_itself_is_not_asked() -> None:
    """A real server of direct routing, known by two addresses of one interface."""
    link_local = Neighbour(address=ip_address("fe80::b"), hardware=SERVER.hardware, fresh=True)
    assert confirmation.others([GATEWAY, SERVER, link_local], {SERVER.address}) == (GATEWAY,)

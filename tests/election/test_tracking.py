"""What surroundings mean: carrier, patience with it, the source address, the director's verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from haman.election.events import Assessed
from haman.election.tracking import Surroundings, Tracking, combined
from haman.model.trackers import Standing, Track, TrackedInterface, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

LINKS = (
    TrackedInterface(interface="eth1"),
    TrackedInterface(interface="eth2", penalty=30),
    TrackedInterface(interface="eth3", penalty=20),
    TrackedInterface(interface="eth4"),
)
UP = dict.fromkeys(("eth0", "eth1", "eth2", "eth3", "eth4"), True)
GOOD = Verdict(standing=Standing.UP, why="answered")
BAD = Verdict(standing=Standing.DOWN, why="3 of 3 failed: no answer within 500 ms")


def tracking(*track: TrackedInterface, watch: tuple[Track, ...] = ()) -> Tracking:
    return Tracking("eth0", "public", track, watch)


def links(carrier: Mapping[str, bool], *track: TrackedInterface) -> Assessed:
    return tracking(*track).assess(Surroundings(carrier), 0.0)


def judged(track: Track, verdict: Verdict | None) -> Assessed:
    verdicts = {} if verdict is None else {track.tracker: verdict}
    return tracking(watch=(track,)).assess(Surroundings(UP, verdicts=verdicts), 0.0)


def number(number: int) -> Verdict:
    return Verdict(standing=Standing.DOWN if number else Standing.UP, why=f"holds {number}", number=number)


def test_all_well() -> None:
    assert links(UP) == Assessed(None, 0)
    assert links(UP, *LINKS) == Assessed(None, 0)


def test_its_own_interface_is_always_tracked() -> None:
    assert links(UP | {"eth0": False}) == Assessed("interface eth0 has no carrier", deaf=True)
    assert links({}) == Assessed("interface eth0 does not exist", deaf=True)


def test_the_own_interface_comes_first() -> None:
    assert links({"eth1": False}, *LINKS) == Assessed("interface eth0 does not exist", deaf=True)


def test_a_tracked_interface_is_a_fault() -> None:
    assert links(UP | {"eth1": False}, *LINKS) == Assessed("interface eth1 has no carrier")


def test_all_faults_are_named() -> None:
    carrier = {"eth0": True, "eth1": False, "eth2": True, "eth3": True}
    assert links(carrier, *LINKS) == Assessed("interface eth1 has no carrier; interface eth4 does not exist")


def test_penalties_add_up() -> None:
    assert links(UP | {"eth2": False}, *LINKS) == Assessed(None, 30)
    assert links(UP | {"eth2": False, "eth3": False}, *LINKS) == Assessed(None, 50)


def test_a_fault_keeps_the_penalties_beside_it() -> None:
    assert links(UP | {"eth1": False, "eth2": False}, *LINKS) == Assessed("interface eth1 has no carrier", 30)


def test_other_interfaces_do_not_matter() -> None:
    assert links(UP | {"eth1": False, "eth9": False}) == Assessed(None, 0)


def test_reverse_an_interface_must_not_be_up() -> None:
    reverse = TrackedInterface(interface="eth1", reverse=True)
    assert links(UP, reverse) == Assessed("interface eth1 has carrier, and must not")
    assert links(UP | {"eth1": False}, reverse) == Assessed(None)
    assert links({"eth0": True}, reverse) == Assessed(None)


# -- patience ---------------------------------------------------------------------------------------------------


def fault(one: Tracking, up: bool, now: float, name: str = "eth1") -> str | None:
    return one.assess(Surroundings(UP | {name: up}), now).fault


def test_a_loss_counts_once_it_has_lasted() -> None:
    one = tracking(TrackedInterface(interface="eth1", down_after=2.0))
    assert fault(one, True, 10.0) is None
    assert one.deadline is None
    assert fault(one, False, 11.0) is None
    assert one.deadline == 13.0
    assert fault(one, False, 12.999) is None
    assert fault(one, False, 13.0) == "interface eth1 has no carrier"
    assert one.deadline is None


def test_a_short_loss_is_none_and_the_next_one_counts_from_its_own_beginning() -> None:
    one = tracking(TrackedInterface(interface="eth1", down_after=2.0))
    fault(one, True, 10.0)
    fault(one, False, 11.0)
    assert fault(one, True, 12.5) is None
    assert one.deadline is None
    assert fault(one, False, 12.6) is None
    assert one.deadline == pytest.approx(14.6)
    assert fault(one, False, 13.5) is None


def test_a_return_counts_once_it_has_lasted() -> None:
    one = tracking(TrackedInterface(interface="eth1", up_after=5.0))
    fault(one, True, 10.0)
    assert fault(one, False, 11.0) is not None
    assert fault(one, True, 12.0) is not None
    assert one.deadline == 17.0
    assert fault(one, True, 17.0) is None


def test_what_is_seen_first_counts_at_once() -> None:
    one = tracking(TrackedInterface(interface="eth1", down_after=2.0, up_after=2.0))
    assert fault(one, False, 10.0) is not None


def test_the_own_interface_may_have_patience_too() -> None:
    one = tracking(TrackedInterface(interface="eth0", down_after=0.5))
    assert fault(one, True, 10.0, "eth0") is None
    assert fault(one, False, 10.1, "eth0") is None
    assert one.deadline == 10.6
    assert one.assess(Surroundings(UP | {"eth0": False}), 10.6) == Assessed("interface eth0 has no carrier", deaf=True)


def test_other_settings_keep_what_was_seen() -> None:
    one = tracking(TrackedInterface(interface="eth1", down_after=2.0))
    fault(one, True, 10.0)
    fault(one, False, 11.0)
    one.reconfigure("public", (TrackedInterface(interface="eth1", down_after=3.0),), ())
    assert fault(one, False, 13.0) is None
    assert one.deadline == 14.0


# -- the address that advertisements come from ---------------------------------------------------------------------


def test_without_a_source_it_waits_in_fault() -> None:
    why = "this machine does not have 10.0.0.5, the address it advertises from"
    assert tracking().assess(Surroundings(UP, {"public": why}), 0.0) == Assessed(why)
    assert tracking().assess(Surroundings(UP, {"inner": why}), 0.0) == Assessed(None)


# -- verdicts -----------------------------------------------------------------------------------------------------


def test_a_bad_tracker_is_a_fault_with_its_reason() -> None:
    assert judged(Track(tracker="gateway"), GOOD) == Assessed(None)
    assert judged(Track(tracker="gateway"), BAD) == Assessed("gateway: 3 of 3 failed: no answer within 500 ms")


def test_or_a_penalty() -> None:
    assert judged(Track(tracker="gateway", penalty=60), GOOD) == Assessed(None)
    assert judged(Track(tracker="gateway", penalty=60), BAD) == Assessed(None, 60)


def test_reverse() -> None:
    assert judged(Track(tracker="drain", reverse=True), BAD) == Assessed(None)
    assert judged(Track(tracker="drain", reverse=True), GOOD) == Assessed("drain: answered")
    assert judged(Track(tracker="drain", reverse=True, penalty=60), GOOD) == Assessed(None, 60)


@pytest.mark.parametrize(
    ("weight", "reverse", "held", "expected"),
    [
        (1, False, -20, Assessed(None, 20)),
        (1, False, 20, Assessed(None, -20)),
        (2, False, -20, Assessed(None, 40)),
        (-1, False, 20, Assessed(None, 20)),
        (1, True, 20, Assessed(None, 20)),
        (1, False, 0, Assessed(None, 0)),
        (1, False, 9999, Assessed(None, -253)),
        (1, False, -253, Assessed(None, 253)),
        (1, False, -254, Assessed("file: -254 times 1 is below -253", 253)),
    ],
)
def test_a_weight_adds_the_number(weight: int, reverse: bool, held: int, expected: Assessed) -> None:
    assert judged(Track(tracker="file", weight=weight, reverse=reverse), number(held)) == expected


def test_what_was_never_judged_counts_as_bad_but_only_for_now() -> None:
    assert judged(Track(tracker="gateway"), None) == Assessed("gateway: not judged yet", pending=True)
    assert judged(Track(tracker="gateway", penalty=60), None) == Assessed(None, 60)
    assert judged(Track(tracker="gateway", weight=2), None) == Assessed(None, 0)


def test_a_fault_that_is_known_is_not_pending() -> None:
    one = tracking(TrackedInterface(interface="eth1"), watch=(Track(tracker="gateway"),))
    known = one.assess(Surroundings(UP | {"eth1": False}), 0.0)
    assert known == Assessed("interface eth1 has no carrier; gateway: not judged yet")


# -- groups -------------------------------------------------------------------------------------------------------


def group(*members: Assessed, **common: Any) -> Assessed:
    return combined(members, Assessed(common.pop("fault", None), **common))


def test_a_fault_of_one_is_a_fault_of_all() -> None:
    assert group(Assessed(None), Assessed("eth1"), fault="gateway") == Assessed("eth1; gateway")


def test_penalties_of_members_and_group_add_up() -> None:
    assert group(Assessed(None, 10), Assessed(None, 20), penalty=5) == Assessed(None, 35)


def test_a_group_is_deaf_only_on_all_its_interfaces() -> None:
    assert group(Assessed("a", deaf=True), Assessed(None)) == Assessed("a")
    assert group(Assessed("a", deaf=True), Assessed("b", deaf=True)) == Assessed("a; b", deaf=True)


def test_a_group_is_pending_only_if_nothing_is_known_to_be_wrong() -> None:
    assert group(Assessed("x", pending=True), Assessed(None)).pending
    assert not group(Assessed("x", pending=True), Assessed("y")).pending

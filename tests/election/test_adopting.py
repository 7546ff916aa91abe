"""After a restart the VIP may still lie on the NIC: it stays while nobody else is heard, and no longer."""

from __future__ import annotations

import pytest

from haman.election.events import Assessed, Start, Stop, Tick
from haman.model.routers import Preempt
from haman.model.transition import Role
from tests.election.support import FAULT, FINE, PREEMPT, active, heard, router, said, standby


def test_what_is_found_is_left_alone_until_it_has_started() -> None:
    """Whoever plans addresses between the making and the start of a router must not take them off."""
    assert router(adopting=True).holds is None
    assert router().holds is False
    assert router((Stop(), 0.5), adopting=True).holds is False
    assert router((FAULT, 0.5), (Start(), 1.0), adopting=True).holds is False


def test_what_is_found_is_left_alone_while_nobody_is_heard() -> None:
    adopting = standby(adopting=True)
    assert (adopting.role, adopting.holds) == (Role.STANDBY, None)
    adopting.handle(Tick(), 2.0)
    assert adopting.holds is None


def test_it_is_kept_by_a_takeover() -> None:
    adopting = standby(adopting=True)
    assert said(adopting.handle(Tick(), 3.609375)) == "advertise 100, standby -> active (nobody_active), announce"
    assert adopting.holds is True


@pytest.mark.parametrize("preempt", [Preempt(), PREEMPT, Preempt(allowed=True, after=30.0)])
@pytest.mark.parametrize("priority", [50, 100, 150])
def test_one_advertisement_takes_it_off(preempt: Preempt, priority: int) -> None:
    """Also a worse router's that we mean to preempt: until then it is the one that serves. It stays a linger longer,
    since the other may have only just taken over; more advertisements do not prolong that."""
    adopting = standby((heard(priority), 0.5), (heard(priority), 0.53), adopting=True, preempt=preempt)
    assert (adopting.holds, adopting.deadline) == (None, 0.55)
    adopting.handle(Tick(), 0.55)
    assert adopting.holds is False


@pytest.mark.parametrize(("priority", "confession"), [(1, 0), (50, 1), (150, 1)])
def test_what_was_found_on_the_nic_is_told_to_whoever_is_active_and_once(priority: int, confession: int) -> None:
    """It was active when it was killed, and may have had the neighbours' belief since."""
    adopting = standby(adopting=True, believed=True)
    assert said(adopting.handle(heard(priority), 0.5)) == f"advertise {confession}"
    assert adopting.handle(heard(priority), 0.53) == []
    alone = standby((Tick(), 3.609375), adopting=True, believed=True)
    assert said(alone.handle(heard(150), 4.0)) == "advertise 100, active -> standby (priority_higher)"
    assert alone.handle(heard(150), 4.1) == []


def test_a_goodbye_takes_nothing_off() -> None:
    """Whoever says it is about to go, and we are about to take over."""
    adopting = standby((heard(0), 0.5), adopting=True)
    assert adopting.holds is None
    assert adopting.deadline == 1.109375


def test_a_fault_takes_it_off_for_good() -> None:
    adopting = standby((FAULT, 0.5), adopting=True)
    assert adopting.holds is False
    adopting.handle(FINE, 1.0)
    assert adopting.holds is False


PENDING = Assessed("gateway: not judged yet", pending=True)


def test_what_is_not_known_yet_takes_nothing_off() -> None:
    waiting = router((PENDING, 0.5), (Start(), 1.0), adopting=True)
    assert (waiting.role, waiting.holds) == (Role.FAULT, None)
    waiting.handle(FINE, 1.5)
    assert (waiting.role, waiting.holds) == (Role.STANDBY, None)
    waiting.handle(Tick(), 5.109375)
    assert (waiting.role, waiting.holds) == (Role.ACTIVE, True)


def test_unless_it_turns_out_to_be_wrong_or_a_peer_has_the_role() -> None:
    assert router((PENDING, 0.5), (Start(), 1.0), (FAULT, 1.5), adopting=True).holds is False
    assert router((PENDING, 0.5), (Start(), 1.0), (heard(50), 1.5), adopting=True).holds is False
    assert router((PENDING, 0.5), (Start(), 1.0), (heard(0), 1.5), adopting=True).holds is None


def test_a_stop_takes_it_off() -> None:
    assert standby((Stop(), 0.5), adopting=True).holds is False


def test_without_an_earlier_life_nothing_is_left_as_found() -> None:
    assert standby().holds is False


def test_a_role_lost_later_is_no_earlier_life() -> None:
    assert active((heard(150), 10.5), (Tick(), 10.55), adopting=True).holds is False


def test_what_is_not_known_yet_takes_nothing_from_a_router_that_is_up() -> None:
    """A reload has added a tracker: until it is judged nothing is known against it."""
    serving = active((PENDING, 10.5))
    assert (serving.role, serving.holds) == (Role.ACTIVE, True)
    waiting = standby((PENDING, 0.5))
    assert (waiting.role, waiting.deadline) == (Role.STANDBY, 3.609375)
    assert said(active((PENDING, 10.5)).handle(FAULT, 10.6)) == "advertise 0"

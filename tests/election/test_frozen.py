"""The frozen-node rule: after a stall longer than its peers' patience a router listens before it speaks.

An event that finds the stall may be a packet from the queue, a timer, or a message; none may speak first.
"""

from __future__ import annotations

import pytest

from haman.election.events import Event, Readiness, Reconfigured, Stop, Tick
from haman.election.states import Standby
from haman.model.transition import Role
from tests.election.support import FINE, PREEMPT, active, config, heard, leaving, said, standby

EVENTS: tuple[Event, ...] = (
    Tick(),
    heard(1),
    FINE,
    Readiness(None),
    Readiness("not yet"),
    Reconfigured(config(priority=200)),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_active_router_gives_up_the_role_without_a_word(event: Event) -> None:
    """No goodbye either, unless somebody is active who would take any other word for a claim."""
    frozen = active()  # advertised last at 10.0
    words = said(frozen.handle(event, 13.001))
    assert words == "active -> standby (frozen)" + (", advertise 0" if event == heard(1) else "")
    assert frozen.role is Role.STANDBY
    assert frozen.why.startswith("this process stood still for 3 s, longer than its peers' patience")


def test_then_it_listens_for_a_whole_active_down_interval() -> None:
    frozen = active((Tick(), 20.0))
    assert frozen.holds is False
    assert frozen.state == Standby(active_down_at=23.609375)
    assert frozen.handle(Tick(), 23.609) == []
    assert said(frozen.handle(Tick(), 23.609375)) == "advertise 100, standby -> active (nobody_active), announce"


def test_after_a_short_stall_the_address_stays_until_somebody_else_is_heard() -> None:
    """Up to four intervals no peer need have taken over: whoever will, in the time of its skew, finds it still here."""
    frozen = active((Tick(), 13.9))
    assert (frozen.role, frozen.holds, frozen.deadline) == (Role.STANDBY, None, 17.509375)
    frozen.handle(heard(50), 13.95)
    assert (frozen.holds, frozen.deadline) == (None, 14.0)
    frozen.handle(Tick(), 14.0)
    assert frozen.holds is False
    alone = active((Tick(), 13.9), (Tick(), 17.509375))
    assert (alone.role, alone.holds) == (Role.ACTIVE, True)


def test_the_boundary_is_the_shortest_patience_of_any_peer() -> None:
    assert said(active().handle(Tick(), 13.0)) == "advertise 100"
    assert said(active().handle(Tick(), 13.0000001)) == "active -> standby (frozen)"


def test_queued_advertisements_count_as_heard_now() -> None:
    """A peer took over while we stood still: its packets are in the queue, and they are handled first."""
    frozen = active((heard(50), 20.0), (heard(50), 20.0))
    assert frozen.deadline == 23.609375
    assert frozen.handle(Tick(), 20.0) == []


def test_a_frozen_router_that_is_better_comes_back_only_as_preemption_allows() -> None:
    never = active((heard(50), 20.0))
    for second in range(21, 60):
        assert never.handle(heard(50), float(second)) == []
    allowed = active((heard(50), 20.0), (heard(50), 21.0), preempt=PREEMPT)
    assert said(allowed.handle(Tick(), 23.609375)) == "advertise 100, standby -> active (preempting), announce"


def test_a_stop_after_a_stall_says_no_goodbye() -> None:
    assert said(active().handle(Stop(), 20.0)) == "active -> standby (frozen), standby -> stopped (stop)"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_standby_does_not_believe_a_silence_it_slept_through(event: Event) -> None:
    """Its timer stood at 3.609375; beyond 6.609375 silence proves nothing."""
    frozen = standby()
    assert said(frozen.handle(event, 6.7)) == "standby -> standby (frozen)"
    # 6.7 + 3.609375; with priority 200; not ready, one interval more
    assert frozen.deadline in (10.309375, 9.91875, 11.309375)


def test_a_standby_that_is_a_little_late_takes_over() -> None:
    assert standby().handle(Tick(), 6.609375) != []
    assert standby((heard(200), 1.0)).handle(Tick(), 7.6) != []


def test_a_standbys_patience_is_that_for_its_active_router() -> None:
    slow = standby((heard(200, interval=10.0), 1.0))  # due at 37.09375
    assert said(slow.handle(Tick(), 60.0)) == "advertise 100, standby -> active (active_silent), announce"
    slow = standby((heard(200, interval=10.0), 1.0))
    assert said(slow.handle(Tick(), 67.1)) == "standby -> standby (frozen)"


def test_a_stall_during_an_adoption_leaves_it_as_found() -> None:
    """Still nobody was heard to have the address; the first advertisement takes it off as ever."""
    adopting = standby(adopting=True)
    assert said(adopting.handle(Tick(), 20.0)) == "standby -> standby (frozen)"
    assert adopting.holds is None
    assert adopting.deadline == 23.609375
    adopting.handle(heard(50), 21.0)
    adopting.handle(Tick(), 21.05)
    assert adopting.holds is False


def test_a_stall_while_leaving_ends_in_the_release() -> None:
    """It has said goodbye already; there is nothing to listen for."""
    assert said(leaving().handle(Tick(), 30.0)) == "active -> stopped (stop)"


def test_a_longer_interval_is_no_stall() -> None:
    """The last advertisement promised the old interval: what counts is the promise, not the new one."""
    serving = active(advert_interval=10.0)
    assert said(serving.handle(Reconfigured(config(advert_interval=0.01)), 35.0)) == "advertise 100"
    assert serving.deadline == 35.01

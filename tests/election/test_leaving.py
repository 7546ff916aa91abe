"""The orderly ways out: asked to stop, or driven by a fault; and the linger after a better router has spoken."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise

import pytest

from haman.election.events import Readiness, Reconfigured, Start, Stop, Tick
from haman.election.states import Down, Peer, Standby
from haman.model.routers import Preempt
from haman.model.transition import Role
from tests.election.support import (
    DEAF,
    FAULT,
    FINE,
    HIGH,
    HIGH6,
    LOW,
    SELF6,
    active,
    config,
    heard,
    leaving,
    said,
    standby,
)

# -- asked to stop -------------------------------------------------------------------------------------------------


def test_it_serves_until_its_successor_has_spoken_and_a_linger_longer() -> None:
    stopping = leaving()
    assert (stopping.role, stopping.holds, stopping.deadline) == (Role.ACTIVE, True, 11.5)
    assert said(stopping.handle(heard(50), 11.25)) == "advertise 1"
    assert (stopping.role, stopping.holds, stopping.deadline) == (Role.ACTIVE, True, 11.3)
    assert stopping.handle(Tick(), 11.299) == []
    assert stopping.holds is True
    assert said(stopping.handle(Tick(), 11.3)) == "active -> stopped (stop)"
    assert (stopping.role, stopping.holds, stopping.deadline) == (Role.STOPPED, False, None)
    assert stopping.why == f"the operator stops this router; {HIGH} serves"


def test_without_a_successor_it_serves_for_two_intervals_and_the_slack() -> None:
    """The first goodbye may be lost; the second is followed by any peer's skew."""
    stopping = leaving()
    assert said(stopping.handle(Tick(), 11.5)) == "advertise 0"
    assert said(stopping.handle(Tick(), 12.5)) == "advertise 0"
    assert stopping.deadline == 13.0
    assert stopping.handle(Tick(), 12.999) == []
    assert stopping.holds is True
    assert said(stopping.handle(Tick(), 13.0)) == "advertise 0, active -> stopped (stop)"
    assert stopping.why == "the operator stops this router; no successor was heard"


def test_a_lost_goodbye_is_said_again() -> None:
    """At 10 ms the bound leaves room for 51 more goodbyes, one each interval."""
    stopping = active(advert_interval=0.01)
    assert said(stopping.handle(Stop(), 10.0005)) == "advertise 0"
    goodbyes = [10.0005]
    while stopping.deadline is not None:
        at = stopping.deadline
        if said(stopping.handle(Tick(), at)) == "advertise 0":
            goodbyes.append(at)
    assert len(goodbyes) in (52, 53), "the last one may fall on the bound itself"
    gaps = [round(after - before, 9) for before, after in pairwise(goodbyes)]
    assert set(gaps) == {0.01}


def test_no_goodbye_once_a_successor_is_heard() -> None:
    stopping = leaving((heard(50), 11.484375), linger=0.0625)
    assert stopping.handle(Tick(), 11.5) == []
    assert stopping.deadline == 11.546875


def test_the_first_successor_says_when_it_is_over_and_the_last_who_serves() -> None:
    stopping = leaving((heard(50, LOW), 11.25), (heard(60, HIGH), 11.28))
    assert stopping.deadline == 11.3
    assert stopping.peer == Peer(IPv4Address(HIGH), 60, 1.0, 11.28, 11.28)


def test_a_successor_heard_late_prolongs_nothing() -> None:
    assert leaving((Tick(), 11.5), (Tick(), 12.5), (heard(50), 12.98)).deadline == 13.0


def test_another_one_that_leaves_is_no_successor() -> None:
    assert leaving((heard(0), 11.0)).peer is None


def test_it_stops_once() -> None:
    stopping = leaving()
    assert stopping.handle(Stop(), 11.0) == []
    assert stopping.deadline == 11.5


def test_nothing_brings_a_stopped_router_back_but_a_start() -> None:
    stopping = leaving()
    for event in (FAULT, FINE, Readiness(None), Readiness("not yet"), Reconfigured(config(priority=200))):
        assert stopping.handle(event, 11.0) == []
    assert said(stopping.handle(Tick(), 13.0)) == "advertise 0, active -> stopped (stop)"
    for later in (FAULT, FINE, Readiness(None), heard(50), Tick(), Stop()):
        assert stopping.handle(later, 13.5) == []
    assert said(stopping.handle(Start(), 14.0)) == "stopped -> standby (start)"


def test_a_standby_says_nothing() -> None:
    assert said(standby((heard(200), 1.0)).handle(Stop(), 1.5)) == "standby -> stopped (stop)"


def test_stopping_and_cut_off_ends_at_once_and_stays_stopped() -> None:
    """Nobody hears it, so nobody need be waited for; the link's return must not bring it back."""
    stopping = leaving()
    assert said(stopping.handle(DEAF, 11.0)) == "active -> stopped (stop)"
    assert stopping.handle(FINE, 11.5) == []
    assert stopping.state == Down()


# -- the goodbye as its peers hear it --------------------------------------------------------------------------


@pytest.mark.parametrize(("priority", "due"), [(1, 2.99609375), (100, 2.609375), (254, 2.0078125)])
def test_a_goodbye_said_again_does_not_starve_the_skew(priority: int, due: float) -> None:
    """The first one counts, however often and however soon it is repeated, and however late the timer runs."""
    waiting = standby((heard(200), 1.0), (heard(0), 2.0), priority=priority)
    for at in (2.001, 2.005, 2.9, 3.2):
        waiting.handle(heard(0), at)
        assert waiting.deadline == due
    assert said(waiting.handle(Tick(), 3.2)) == f"advertise {priority}, standby -> active (active_left), announce"


def test_a_goodbye_taken_back_is_forgotten() -> None:
    waiting = standby((heard(200), 1.0), (heard(0), 2.0), (heard(200), 2.25))
    assert waiting.deadline == 5.859375
    waiting.handle(heard(0), 3.0)
    assert waiting.deadline == 3.609375


def test_a_standby_that_heard_the_goodbye_waits_no_longer_for_what_the_leaver_says_of_itself() -> None:
    """It was told to somebody else, or to our own last word, when this router had just been beaten."""
    for allowed in (False, True):
        waiting = standby((heard(200), 1.0), (heard(0), 2.0), preempt=Preempt(allowed=allowed))
        assert waiting.handle(heard(1), 2.01) == []
        assert waiting.handle(heard(1, HIGH6, own=SELF6, leads=False), 2.011) == []
        assert said(waiting.handle(Tick(), 2.609375)) == "advertise 100, standby -> active (active_left), announce"


def test_another_ones_word_of_the_lowest_priority_is_an_heirs() -> None:
    assert standby((heard(200), 1.0), (heard(0), 2.0), (heard(1, LOW), 2.01)).deadline == 5.619375


# -- driven by a fault --------------------------------------------------------------------------------------------


def test_a_fault_is_an_orderly_leave_while_others_can_hear() -> None:
    faulty = active()
    assert said(faulty.handle(FAULT, 10.5)) == "advertise 0"
    assert (faulty.role, faulty.holds) == (Role.ACTIVE, True)
    assert said(faulty.handle(heard(50), 10.75)) == "advertise 1"
    assert said(faulty.handle(Tick(), 10.8)) == "active -> fault (fault)"
    assert (faulty.role, faulty.holds) == (Role.FAULT, False)
    assert faulty.state == Down("interface eth1 has no carrier")


def test_the_latest_fault_is_the_one_told() -> None:
    faulty = active((FAULT, 10.5), (replace(FAULT, fault="interface eth2 has no carrier"), 10.6), (heard(50), 10.75))
    assert faulty.why == "leaving: interface eth2 has no carrier"
    faulty.handle(Tick(), 10.8)
    assert faulty.state == Down("interface eth2 has no carrier")
    assert faulty.why == f"interface eth2 has no carrier; {HIGH} serves"


def test_cut_off_it_drops_the_address_at_once() -> None:
    deaf = active()
    assert said(deaf.handle(DEAF, 10.5)) == "active -> fault (fault)"
    assert deaf.holds is False
    assert deaf.deadline is None


def test_cut_off_while_leaving_for_a_fault() -> None:
    assert said(active((FAULT, 10.5)).handle(DEAF, 10.6)) == "active -> fault (fault)"


def test_a_fault_that_clears_before_anybody_took_over_drops_nothing() -> None:
    flapping = active((FAULT, 10.5))
    assert said(flapping.handle(FINE, 10.6)) == "advertise 100"
    assert (flapping.role, flapping.holds, flapping.deadline) == (Role.ACTIVE, True, 11.6)


def test_a_fault_that_clears_after_a_successor_spoke_leaves_it_the_role() -> None:
    flapping = active((FAULT, 10.5), (heard(50), 10.75))
    assert said(flapping.handle(FINE, 10.76)) == "active -> standby (fault_cleared)"
    assert flapping.holds is True
    assert flapping.state == Standby(
        active_down_at=14.369375, peer=Peer(IPv4Address(HIGH), 50, 1.0, 10.75, 10.75), linger_until=10.8
    )


def test_a_fault_that_clears_when_the_wait_was_over_already_listens() -> None:
    """A stall may come between the bound and its timer; by then anybody may be active."""
    stalled = active((FAULT, 10.5))
    assert said(stalled.handle(FINE, 13.0)) == "active -> standby (fault_cleared)"
    assert stalled.holds is False


def test_a_stop_during_a_faults_leave_stays_a_stop() -> None:
    stopping = active((FAULT, 10.5), (Stop(), 10.6))
    assert stopping.handle(FINE, 10.7) == []
    assert said(stopping.handle(Tick(), 13.0)) == "advertise 0, active -> stopped (stop)"


def test_a_standby_in_fault_says_nothing() -> None:
    faulty = standby((heard(200), 1.0))
    assert said(faulty.handle(FAULT, 1.5)) == "standby -> fault (fault)"
    assert faulty.deadline is None
    assert faulty.handle(heard(0), 2.0) == []


def test_the_fault_clears() -> None:
    faulty = standby((FAULT, 1.0))
    assert said(faulty.handle(FINE, 5.0)) == "fault -> standby (fault_cleared)"
    assert faulty.deadline == 9.609375, "not ready after a fault: one interval more"


def test_another_fault_is_told_without_a_transition() -> None:
    faulty = standby((FAULT, 1.0))
    assert faulty.handle(DEAF, 2.0) == []
    assert faulty.why == "interface eth0 has no carrier"


def test_a_stop_ends_the_fault() -> None:
    faulty = standby((FAULT, 1.0))
    assert said(faulty.handle(Stop(), 2.0)) == "fault -> stopped (stop)"
    assert faulty.handle(FINE, 3.0) == []


def test_a_fault_at_the_start() -> None:
    faulty = standby((Stop(), 0.5), (FAULT, 1.0))
    assert said(faulty.handle(Start(), 2.0)) == "stopped -> fault (fault)"
    assert said(faulty.handle(FINE, 3.0)) == "fault -> standby (fault_cleared)"


# -- the linger ---------------------------------------------------------------------------------------------------


def test_beaten_it_serves_a_linger_longer() -> None:
    beaten = active((heard(150), 10.5))
    assert (beaten.role, beaten.holds, beaten.deadline) == (Role.STANDBY, True, 10.55)
    assert beaten.handle(Tick(), 10.549) == []
    assert beaten.holds is True
    assert beaten.handle(Tick(), 10.55) == []
    assert (beaten.role, beaten.holds, beaten.deadline) == (Role.STANDBY, False, 14.109375)


def test_more_advertisements_do_not_prolong_the_linger() -> None:
    beaten = active((heard(150), 10.5), (heard(150), 10.52), (heard(150), 10.54))
    assert beaten.deadline == 10.55


def test_a_linger_of_nothing_ends_with_the_next_tick() -> None:
    beaten = active((heard(150), 10.5), linger=0.0)
    assert beaten.deadline == 10.5
    beaten.handle(Tick(), 10.5)
    assert beaten.holds is False


def test_a_fault_during_the_linger_ends_it() -> None:
    assert active((heard(150), 10.5), (FAULT, 10.51)).holds is False


def test_a_start_before_a_successor_spoke_cancels_the_stop() -> None:
    stopping = leaving()
    assert said(stopping.handle(Start(), 11.0)) == "advertise 100"
    assert (stopping.role, stopping.holds, stopping.deadline) == (Role.ACTIVE, True, 12.0)


def test_a_start_after_a_successor_spoke_leaves_the_role_with_it() -> None:
    stopping = leaving((heard(50), 11.0))
    assert said(stopping.handle(Start(), 11.01)) == "active -> standby (stop_cancelled)"
    assert stopping.holds is True  # it lingers as it would have


# -- what the neighbours are told ------------------------------------------------------------------------------------


def test_only_the_active_router_announces_and_only_until_a_successor_speaks() -> None:
    assert not standby().announces
    assert active().announces
    leaver = leaving()
    assert leaver.announces
    leaver.handle(heard(50), 10.6)
    assert leaver.holds
    assert not leaver.announces


def test_a_router_in_its_linger_has_the_addresses_and_announces_no_more() -> None:
    beaten = active((heard(200), 10.5))
    assert beaten.holds
    assert not beaten.announces


def test_the_first_successor_is_told_once_that_it_was_there() -> None:
    """Behind a cut both may have been active, and the goodbyes unheard: then the other one is to announce again."""
    stopping = leaving()
    words = [
        said(stopping.handle(heard(priority, source), 10.6 + number / 1000))
        for number, (priority, source) in enumerate([(0, LOW), (50, HIGH), (50, HIGH), (60, LOW), (1, LOW)])
    ]
    assert words == ["", "advertise 1", "", "", ""]


def test_a_successor_of_the_lowest_priority_hears_the_goodbye_once_more() -> None:
    """At equal priorities our address, if it is the higher one, would win."""
    stopping = leaving()
    assert said(stopping.handle(heard(1, LOW), 10.6)) == "advertise 0"
    assert stopping.handle(heard(1, LOW), 10.61) == []


def test_a_fault_that_is_gone_after_a_stall_is_no_reason_to_speak() -> None:
    """Its goodbye was due again at 10.2: it slept for longer than its peers' patience, and somebody has taken over."""
    awake = active((FAULT, 10.5))
    assert said(awake.handle(FINE, 12.9)) == "advertise 100"
    asleep = active((FAULT, 10.1), advert_interval=0.1)
    assert said(asleep.handle(FINE, 10.75)) == "active -> standby (fault_cleared)"

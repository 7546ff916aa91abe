"""RFC 9568, sections 6.4.1 to 6.4.3 (with errata 7947, 7949 and 8298), one test per sentence, the sentence above it.

What the RFC says of link-layer addresses and of IPv6 is not the election's: ARP and who accepts packets follow from
`Router.holds`. Where haman does more than the sentence, the test says so.
"""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from haman.election.events import Readiness, Start, Stop, Tick
from haman.election.states import Active, Down, Peer, Standby
from haman.model.routers import Preempt
from haman.model.transition import Role
from tests.election.support import HIGH, LOW, PREEMPT, active, config, heard, leaving, router, said, standby

# -- 6.4.1 Initialize --------------------------------------------------------------------------------------------


def test_641_startup_of_the_owner() -> None:
    """ "If the Priority = 255, i.e., the router owns the IPvX address(es) associated with the Virtual Router, then:
    Send an ADVERTISEMENT; ... broadcast a gratuitous ARP message ...; Set the Adver_Timer to Advertisement_Interval;
    Transition to the {Active} state." """
    owner = router(priority=255)
    assert said(owner.handle(Start(), 5.0)) == "advertise 255, stopped -> active (owner), announce"
    assert owner.state == Active(advertise_at=6.0, advertised_at=5.0, announced_at=5.0)


def test_641_startup_of_an_owner_that_is_not_ready() -> None:
    """haman's own: the readiness gate holds for an owner too, while somebody else may be serving."""
    owner = router(ready=False, priority=255)
    assert said(owner.handle(Start(), 5.0)) == "stopped -> standby (start)"
    assert owner.deadline == 9.00390625
    assert said(owner.handle(Readiness(None), 5.5)) == "advertise 255, standby -> active (owner), announce"


def test_641_startup_of_a_backup() -> None:
    """ "else // Router is not the address owner: Set the Active_Adver_Interval to Advertisement_Interval; Set the
    Active_Down_Timer to Active_Down_Interval; Transition to the {Backup} state." """
    started = router()
    assert said(started.handle(Start(), 5.0)) == "stopped -> standby (start)"
    assert started.state == Standby(active_down_at=8.609375)


def test_641_nothing_but_a_startup_leaves_initialize() -> None:
    """ "The purpose of this state is to wait for a Startup event." """
    made = router()
    for event in (heard(0), heard(1), heard(255), Tick(), Stop()):
        assert made.handle(event, 5.0) == []
        assert made.state == Down()
        assert made.deadline is None


# -- 6.4.2 Backup ------------------------------------------------------------------------------------------------


def test_642_a_backup_does_not_have_the_address() -> None:
    """ "It MUST NOT respond to ARP requests for the IPv4 address(es) associated with the Virtual Router. It MUST NOT
    accept packets addressed to the IPvX address(es) associated with the Virtual Router." """
    assert standby().holds is False
    assert standby((heard(200), 1.0)).holds is False


def test_642_shutdown() -> None:
    """ "If a Shutdown event is received, then: Cancel the Active_Down_Timer; Transition to the {Initialize} state." """
    stopped = standby((heard(200), 1.0))
    assert said(stopped.handle(Stop(), 1.5)) == "standby -> stopped (stop)"
    assert stopped.state == Down()
    assert stopped.deadline is None


def test_642_the_active_down_timer_fires() -> None:
    """ "If the Active_Down_Timer fires, then: Send an ADVERTISEMENT; ... broadcast a gratuitous ARP message ...; Set
    the Adver_Timer to Advertisement_Interval; Transition to the {Active} state." """
    taking = standby()
    assert taking.deadline == 3.609375
    assert taking.handle(Tick(), 3.609374) == []
    effects = taking.handle(Tick(), 3.609375)
    assert said(effects) == "advertise 100, standby -> active (nobody_active), announce"
    assert taking.state == Active(advertise_at=4.609375, advertised_at=3.609375, announced_at=3.609375)
    assert taking.holds is True


def test_642_priority_zero() -> None:
    """ "If the Priority in the ADVERTISEMENT is 0, then: Set the Active_Down_Timer to Skew_Time." """
    waiting = standby((heard(200), 1.0))
    assert waiting.deadline == 4.609375
    assert waiting.handle(heard(0), 2.0) == []
    assert waiting.deadline == 2.609375
    assert said(waiting.handle(Tick(), 2.609375)) == "advertise 100, standby -> active (active_left), announce"


def test_642_priority_zero_skews_by_the_active_routers_interval() -> None:
    """Section 6.1: Skew_Time is "((256 - Priority) * Active_Adver_Interval) / 256", and Active_Adver_Interval is what
    the active router advertised: 10 s here, ours is 1 s."""
    waiting = standby((heard(200, interval=10.0), 1.0), (heard(0, interval=10.0), 2.0))
    assert waiting.deadline == 8.09375


@pytest.mark.parametrize("priority", [1, 99, 100, 101, 255])
def test_642_preempt_mode_false(priority: int) -> None:
    """ "If Preempt_Mode is False ..., then: Set the Active_Adver_Interval to the Max Advertise Interval contained in
    the ADVERTISEMENT; Recompute the Skew_Time; Recompute the Active_Down_Interval; Set the Active_Down_Timer to
    Active_Down_Interval." """
    waiting = standby(preempt=Preempt(allowed=False))
    assert waiting.handle(heard(priority, interval=0.5), 2.0) == []
    assert waiting.deadline == 3.8046875  # 2 + 3 * 0.5 + 156/256 * 0.5
    assert waiting.peer == Peer(IPv4Address(HIGH), priority, 0.5, 2.0, 2.0)


@pytest.mark.parametrize("priority", [100, 101, 255])
@pytest.mark.parametrize("source", [LOW, HIGH])
def test_642_priority_greater_than_or_equal(priority: int, source: str) -> None:
    """ "... or if the Priority in the ADVERTISEMENT is greater than or equal to the local Priority, then: [the same]."
    Addresses are not compared in this state."""
    waiting = standby(preempt=PREEMPT)
    assert waiting.handle(heard(priority, source, interval=2.0), 2.0) == []
    assert waiting.deadline == 9.21875  # 2 + 3 * 2 + 156/256 * 2


def test_642_discard() -> None:
    """ "else // preempt was true and priority was less than the local priority: Discard the ADVERTISEMENT." """
    preempting = standby(preempt=PREEMPT)
    for at in (1.0, 2.0, 3.0):
        assert preempting.handle(heard(99, interval=10.0), at) == []
    assert preempting.deadline == 3.609375
    assert said(preempting.handle(Tick(), 3.609375)) == "advertise 100, standby -> active (preempting), announce"


def test_61_the_owner_always_preempts() -> None:
    """Section 6.1, Preempt_Mode: "The exception is that the VRRP Router that owns the IPvX address(es) associated with
    the Virtual Router always preempts, independent of the setting of this flag." """
    owner = standby(ready=False, priority=255, preempt=Preempt(allowed=False))
    owner.handle(heard(254), 1.0)
    assert said(owner.handle(Readiness(None), 1.5)) == "advertise 255, standby -> active (owner), announce"


# -- 6.4.3 Active ------------------------------------------------------------------------------------------------


def test_643_the_active_router_has_the_address() -> None:
    """ "It MUST respond to ARP requests for the IPv4 address(es) associated with the Virtual Router." """
    assert active().holds is True


def test_643_shutdown() -> None:
    """ "If a Shutdown event is received, then: Cancel the Adver_Timer; Send an ADVERTISEMENT with Priority = 0;
    Transition to the {Initialize} state." haman serves on in between, until a successor is heard or a bound is over."""
    stopping = active()
    assert said(stopping.handle(Stop(), 10.5)) == "advertise 0"
    assert type(stopping.state).__name__ == "Leaving"
    assert stopping.holds is True
    assert said(stopping.handle(Tick(), 11.0)) == "", "the Adver_Timer is cancelled"
    assert said(stopping.handle(Tick(), 13.0)) == "advertise 0, active -> stopped (stop)"
    assert stopping.state == Down()


def test_643_the_adver_timer_fires() -> None:
    """ "If the Adver_Timer fires, then: Send an ADVERTISEMENT; Reset the Adver_Timer to Advertisement_Interval." """
    serving = active()
    assert serving.handle(Tick(), 10.999) == []
    assert said(serving.handle(Tick(), 11.0)) == "advertise 100"
    assert serving.deadline == 12.0


def test_643_priority_zero() -> None:
    """ "If the Priority in the ADVERTISEMENT is 0, then: Send an ADVERTISEMENT; Reset the Adver_Timer to
    Advertisement_Interval." haman announces as well: until now the other one has told the neighbours its address."""
    serving = active()
    assert said(serving.handle(heard(0), 10.25)) == "advertise 100, announce"
    assert serving.deadline == 11.25


@pytest.mark.parametrize(("priority", "source"), [(101, LOW), (255, LOW), (101, HIGH), (100, HIGH)])
def test_643_priority_greater_or_equal_with_a_greater_address(priority: int, source: str) -> None:
    """ "If the Priority in the ADVERTISEMENT is greater than the local Priority or the Priority in the ADVERTISEMENT is
    equal to the local Priority and the primary IPvX address of the sender is greater than the local primary IPvX
    address (based on an unsigned integer comparison of the IPvX addresses in network byte order), then: Cancel the
    Adver_Timer; Set the Active_Adver_Interval to the Max Advertise Interval contained in the ADVERTISEMENT; Recompute
    the Skew_Time; Recompute the Active_Down_Interval; Set the Active_Down_Timer to Active_Down_Interval; Transition to
    the {Backup} state." haman says one last word, so that the winner knows whom to announce against, and lingers."""
    beaten = active()
    cause = "priority_higher" if priority > 100 else "address_higher"
    assert (
        said(beaten.handle(heard(priority, source, interval=2.0), 10.5))
        == f"advertise 100, active -> standby ({cause})"
    )
    assert beaten.state == Standby(
        active_down_at=17.71875,  # 10.5 + 3 * 2 + 156/256 * 2
        peer=Peer(IPv4Address(source), priority, 2.0, 10.5, 10.5),
        linger_until=10.55,
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "who"),
    [
        ("10.0.0.9", "10.0.0.10", "theirs"),  # as text the other way round
        ("10.0.0.10", "10.0.0.9", "ours"),
        ("10.0.0.127", "10.0.0.128", "theirs"),  # as signed bytes the other way round
        ("127.0.0.1", "128.0.0.1", "theirs"),  # as a signed integer the other way round
        ("10.0.1.0", "10.1.0.0", "theirs"),  # in host byte order the other way round
    ],
)
def test_643_addresses_are_unsigned_integers_in_network_byte_order(ours: str, theirs: str, who: str) -> None:
    equal = active(source=IPv4Address(ours))
    equal.handle(heard(100, theirs, own=ours), 10.5)
    assert equal.role is (Role.STANDBY if who == "theirs" else Role.ACTIVE)


@pytest.mark.parametrize(("priority", "source"), [(99, LOW), (99, HIGH), (1, HIGH), (100, LOW)])
def test_643_discard_and_assert(priority: int, source: str) -> None:
    """ "else // new Active Router logic: Discard the ADVERTISEMENT; Send an ADVERTISEMENT immediately to assert the
    {Active} state to the sending VRRP Router and to update any learning bridges with the correct Active VRRP Router
    path." haman announces as well, since the other one has told the neighbours its own address."""
    serving = active()
    assert said(serving.handle(heard(priority, source, interval=7.0), 10.5)) == "advertise 100, announce"
    assert serving.role is Role.ACTIVE
    assert serving.deadline == 11.5


@pytest.mark.parametrize("preempt", [Preempt(allowed=False), Preempt(allowed=True), Preempt(allowed=True, after=30.0)])
def test_643_preempt_mode_is_not_considered(preempt: Preempt) -> None:
    """ "Note: When a router is in the {Active} state, the Preempt_Mode Flag is not considered." """
    assert said(active(preempt=preempt).handle(heard(99), 10.5)) == "advertise 100, announce"
    assert active((heard(101), 10.5), preempt=preempt).role is Role.STANDBY


def test_erratum_8298_an_owner_hears_another_owner() -> None:
    """The owner check of section 7.1 is for the log: two owners are settled by address like any equals."""
    lower = router((Start(), 0.0), priority=255)
    lower.handle(heard(255, HIGH), 0.5)
    assert lower.role is Role.STANDBY
    higher = router((Start(), 0.0), priority=255)
    higher.handle(heard(255, LOW), 0.5)
    assert higher.role is Role.ACTIVE


# -- numbers -----------------------------------------------------------------------------------------------------


def test_lateness_does_not_add_up() -> None:
    """Each advertisement is 0.2 s late; the next one is due where it would have been, not 0.2 s later."""
    serving = active()
    for due in (11.0, 12.0, 13.0):
        assert serving.deadline == due
        serving.handle(Tick(), due + 0.2)


def test_a_very_late_advertisement_is_not_made_up_for_by_a_burst() -> None:
    serving = active((Tick(), 12.75))
    assert serving.deadline == 13.25, "half an interval later, not at once"


def test_the_interval_of_an_active_router_that_is_gone_is_forgotten() -> None:
    """Active_Adver_Interval belongs to the active router; our own interval counts when we start to listen anew."""
    again = standby((heard(200, interval=10.0), 1.0), (Stop(), 2.0), (Start(), 3.0))
    assert again.deadline == 6.609375


def test_what_is_known_of_the_peer() -> None:
    assert standby().peer is None
    assert standby((heard(200), 1.0)).peer == Peer(IPv4Address(HIGH), 200, 1.0, 1.0, 1.0)
    assert active((heard(50), 10.5)).peer == Peer(IPv4Address(HIGH), 50, 1.0, 10.5, 10.5)
    assert leaving((heard(50), 10.75)).peer == Peer(IPv4Address(HIGH), 50, 1.0, 10.75, 10.75)
    assert router().peer is None


def test_configuration_is_as_given() -> None:
    assert router().config == config()
    assert router().waiting is None
    assert router(ready=False).waiting == "the director has not reported yet"

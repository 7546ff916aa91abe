"""A role that is offered goes to a peer that takes it, and stays where it is when none does."""

from __future__ import annotations

from haman.election.events import Assessed, Offer, Readiness, Stop, Tick
from haman.election.states import Active, Down
from haman.model.transition import Role
from tests.election.segment import Segment
from tests.election.support import CONFIG, DEAF, FAULT, active, heard, said
from tests.election.test_segment import node, orderly, pair, settled, watched

OFFER = Offer("the director does not come up")


def test_a_peer_takes_what_is_offered_and_no_moment_is_without_an_owner() -> None:
    segment = orderly(pair())
    segment.tell("a", Readiness("the director is being restarted"))
    segment.tell("a", OFFER)
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "b"
    assert segment.nodes["a"].router.why.startswith("the director does not come up; ")


def test_alone_it_keeps_the_role_and_the_address() -> None:
    segment = watched(Segment(node(CONFIG, "a", "10.0.0.1")))
    segment.start()
    segment.run(9.0)
    orderly(segment)
    segment.tell("a", OFFER)
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "a"


def test_nobody_wants_it() -> None:
    """Two seconds and half a second of slack after the offer."""
    offering = active()
    assert said(offering.handle(OFFER, 10.5)) == "advertise 0"
    assert said(offering.handle(Tick(), 11.5)) == "advertise 0"
    assert said(offering.handle(Tick(), 12.5)) == "advertise 0"
    assert said(offering.handle(Tick(), 13.0)) == "advertise 100"
    assert offering.role is Role.ACTIVE
    assert isinstance(offering.state, Active)
    assert offering.why == "the director does not come up; nobody took the role over"


def test_somebody_takes_it() -> None:
    offering = active()
    offering.handle(OFFER, 10.5)
    offering.handle(heard(50), 11.0)
    assert offering.holds is True, "the linger"
    assert said(offering.handle(Tick(), 11.05)) == "active -> standby (offered)"
    assert offering.holds is False
    assert offering.deadline == 14.609375, "a whole patience from the successor's advertisement"


def test_a_linger_longer_than_a_silence_takes_nothing_back() -> None:
    """The patience counts from the successor's last word: 15.0 and 3.609375 s."""
    offering = active(linger=5.0)
    offering.handle(OFFER, 10.5)
    for at in (11.0, 12.0, 13.0, 14.0, 15.0):
        offering.handle(heard(50), at)
    assert said(offering.handle(Tick(), 16.0)) == "active -> standby (offered)"
    assert offering.deadline == 18.609375


def test_a_stop_or_a_fault_makes_it_final() -> None:
    for event, after in ((Stop(), None), (FAULT, FAULT.fault)):
        offering = active()
        offering.handle(OFFER, 10.5)
        offering.handle(event, 10.6)
        offering.handle(Tick(), 13.0)
        assert offering.state == Down(after)
    offering = active()
    offering.handle(OFFER, 10.5)
    offering.handle(DEAF, 10.6)
    assert offering.state == Down(DEAF.fault)


def test_only_an_active_router_has_something_to_offer() -> None:
    leaving = active((Stop(), 10.25))
    assert leaving.handle(OFFER, 10.5) == []
    leaving.handle(Tick(), 13.0)
    assert leaving.role is Role.STOPPED
    fine = active((Assessed(None, penalty=60), 10.1))
    assert said(fine.handle(OFFER, 10.5)) == "advertise 0"

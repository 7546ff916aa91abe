"""The deadline, whatever has happened: it moves on, so that the loop outside never spins, and somebody always waits."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from haman.election.effects import Advertise, Announce, Changed
from haman.election.events import Assessed, Event, Readiness, Reconfigured, Start, Stop, Tick
from haman.election.router import Router
from haman.election.states import Down
from haman.model.routers import Preempt
from tests.election.support import DEAF, FAULT, FINE, HIGH, LOW, config, heard

if TYPE_CHECKING:
    from haman.model.elector import RouterConfig

PRIORITIES = st.sampled_from([1, 50, 100, 101, 150, 254, 255])
INTERVALS = st.sampled_from([0.01, 0.1, 1.0, 40.95])
CONFIGS = st.builds(
    config,
    priority=PRIORITIES,
    advert_interval=INTERVALS,
    linger=st.sampled_from([0.0, 0.05, 2.0]),
    preempt=st.builds(Preempt, allowed=st.booleans(), after=st.sampled_from([0.0, 0.3, 30.0])),
    source=st.sampled_from([IPv4Address("10.0.0.5"), IPv4Address("10.0.0.9")]),
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(heard, st.just(0) | PRIORITIES, st.sampled_from([LOW, HIGH]), INTERVALS),
    st.just(Tick()),
    st.sampled_from([Start(), Stop(), FINE, FAULT, DEAF, Assessed(None, penalty=60)]),
    st.sampled_from([Readiness(None), Readiness("not yet")]),
    st.builds(Reconfigured, CONFIGS),
)
DELAYS = st.sampled_from([0.0, 1e-6, 0.001, 0.02, 0.3, 1.0, 3.0, 5.0, 100.0])


def settle(router: Router, now: float) -> None:
    """The loop outside: ticks until nothing is due any more."""
    for _ in range(4):
        due = router.deadline
        if due is None or due > now:
            return
        before = router.state
        router.handle(Tick(), now)
        assert router.state != before, "a tick at the deadline does something"
        assert router.deadline is None or router.deadline > due, "and the deadline moves on"
    raise AssertionError(f"still due at {router.deadline} after four ticks at {now}: {router.state}")


@given(CONFIGS, st.booleans(), st.lists(st.tuples(EVENTS, DELAYS), max_size=30))
def test_no_loop_is_kept_busy(settings: RouterConfig, adopting: bool, story: list[tuple[Event, float]]) -> None:
    """Events in any order at any pace; the loop's own timer is always served before the next one."""
    router = Router(settings, adopting=adopting)
    router.handle(Start(), 0.0)
    now = 0.0
    for event, delay in story:
        until = now + delay
        for _ in range(20):  # beyond that it is the same over and over, or a stall, which is welcome too
            if router.deadline is None or router.deadline > until:
                break
            now = max(now, router.deadline)
            settle(router, now)
        now = until
        role = router.role
        for effect in router.handle(event, now):
            match effect:
                case Changed(before, after):
                    assert before is role
                    role = after
                case Advertise(priority):
                    assert 0 <= priority <= 255
                case Announce():
                    assert role.value == "active"
        assert router.role is role
        assert (router.deadline is None) == isinstance(router.state, Down)
        settle(router, now)


@given(CONFIGS, st.lists(st.tuples(EVENTS, DELAYS), max_size=20))
def test_a_loop_that_was_not_served_catches_up(settings: RouterConfig, story: list[tuple[Event, float]]) -> None:
    """The same with a process that stalls: events come in with deadlines long past."""
    router = Router(settings)
    router.handle(Start(), 0.0)
    now = 0.0
    for event, delay in story:
        now += delay
        router.handle(event, now)
    settle(router, now)
    assert router.deadline is None or router.deadline > now

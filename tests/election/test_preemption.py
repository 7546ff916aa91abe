"""When a better router takes the role from a living, worse one: allowed, delayed, ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from haman.election.events import Assessed, Readiness, Reconfigured, Tick
from haman.model.routers import Preempt
from haman.model.transition import Role
from tests.election.support import HIGH, PREEMPT, READY, config, heard, said, standby

if TYPE_CHECKING:
    from haman.election.router import Router

DELAYED = Preempt(allowed=True, after=30.0)
UNREADY = Readiness("rs2 of web was not checked yet")


def every_second(router: Router, priority: int, start: int, end: int) -> list[str]:
    """A worse router is active from `start` to `end`; what ours did, with the time. Deadlines are kept meanwhile."""
    did: list[tuple[float, str]] = []
    for second in range(start, end):
        did += [(second, said(router.handle(heard(priority), float(second))))]
        while router.deadline is not None and router.deadline < second + 1:
            at = router.deadline
            did += [(at, said(router.handle(Tick(), at)))]
    return [f"{at:g}: {words}" for at, words in did if words]


def test_without_delay_the_worse_router_counts_as_silent() -> None:
    done = "3.60938: advertise 100, standby -> active (preempting), announce"
    assert every_second(standby(preempt=PREEMPT), 50, 1, 4) == [done]


def test_not_allowed() -> None:
    assert every_second(standby(preempt=Preempt(allowed=False)), 50, 1, 60) == []


def test_an_equal_router_is_never_preempted() -> None:
    assert every_second(standby(preempt=PREEMPT), 100, 1, 60) == []


def test_the_delay_counts_from_the_first_worse_advertisement() -> None:
    done = "31: advertise 100, standby -> active (preempting), announce"
    assert every_second(standby(preempt=DELAYED), 50, 1, 33)[:1] == [done]


def test_while_the_delay_runs_the_worse_router_is_heeded() -> None:
    waiting = standby((heard(50), 1.0), preempt=DELAYED)
    assert waiting.deadline == 4.609375
    assert said(waiting.handle(Tick(), 4.609375)) == "advertise 100, standby -> active (active_silent), announce"


def test_a_better_router_ends_the_delay() -> None:
    waiting = standby(preempt=DELAYED)
    assert every_second(waiting, 50, 1, 20) == []
    assert every_second(waiting, 101, 20, 40) == []
    assert every_second(waiting, 50, 40, 70) == []
    assert every_second(waiting, 50, 70, 71) == ["70: advertise 100, standby -> active (preempting), announce"]


def test_an_equal_router_ends_the_delay() -> None:
    waiting = standby(preempt=DELAYED)
    assert every_second(waiting, 50, 1, 20) == []
    assert every_second(waiting, 100, 20, 40) == []
    assert every_second(waiting, 50, 40, 69) == []


def test_a_goodbye_ends_the_wait() -> None:
    waiting = standby((heard(50), 1.0), (heard(0), 2.0), preempt=DELAYED)
    assert said(waiting.handle(Tick(), 2.609375)) == "advertise 100, standby -> active (active_left), announce"


# -- readiness -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preempt", [PREEMPT, DELAYED])
def test_no_preemption_before_ready(preempt: Preempt) -> None:
    waiting = standby(ready=False, preempt=preempt)
    assert waiting.waiting == "the director has not reported yet"
    assert every_second(waiting, 50, 1, 60) == []
    waiting.handle(UNREADY, 60.0)
    assert waiting.waiting == "rs2 of web was not checked yet"
    assert every_second(waiting, 50, 60, 120) == []


def test_ready_at_last() -> None:
    waiting = standby(ready=False, preempt=PREEMPT)
    every_second(waiting, 50, 1, 20)
    waiting.handle(READY, 19.5)
    # From the last advertisement that was heeded, at 19.0.
    done = "22.6094: advertise 100, standby -> active (preempting), announce"
    assert every_second(waiting, 50, 20, 23) == [done]


def test_the_delay_counts_from_readiness() -> None:
    waiting = standby(ready=False, preempt=DELAYED)
    every_second(waiting, 50, 1, 20)
    waiting.handle(READY, 19.5)
    assert every_second(waiting, 50, 20, 50) == []
    assert every_second(waiting, 50, 50, 51) == ["50: advertise 100, standby -> active (preempting), announce"]


def test_readiness_told_again_does_not_restart_the_delay() -> None:
    waiting = standby(preempt=DELAYED)
    for second in range(1, 31):
        assert every_second(waiting, 50, second, second + 1) == [], second
        waiting.handle(READY, second + 0.5)
    assert every_second(waiting, 50, 31, 32) == ["31: advertise 100, standby -> active (preempting), announce"]


def test_readiness_lost_ends_the_delay() -> None:
    waiting = standby(preempt=DELAYED)
    every_second(waiting, 50, 1, 30)
    waiting.handle(UNREADY, 29.5)
    assert every_second(waiting, 50, 30, 60) == []
    waiting.handle(READY, 59.5)
    assert every_second(waiting, 50, 60, 90) == []
    assert every_second(waiting, 50, 90, 91) == ["90: advertise 100, standby -> active (preempting), announce"]


def test_readiness_lost_while_the_timer_already_runs_out() -> None:
    """Advertisements at 1, 2 and 3 were passed over, so the timer stands at 3.6; the one at 3.0 counts after all."""
    waiting = standby((heard(50), 1.0), (heard(50), 2.0), (heard(50), 3.0), preempt=PREEMPT)
    waiting.handle(UNREADY, 3.25)
    assert waiting.deadline == 7.609375, "and one interval more, since it is not ready"
    assert waiting.handle(Tick(), 3.609375) == []


EAGER = Readiness("holds 812 of 1,034 connections of lb2", eager=True)


def test_one_that_lacks_connections_alone_preempts_nobody_and_takes_over_from_silence_at_once() -> None:
    waiting = standby(preempt=PREEMPT)
    waiting.handle(EAGER, 0.5)
    assert every_second(waiting, 50, 1, 60) == []
    assert waiting.deadline == 62.609375, "59, when it was heard last, and the usual patience"
    assert said(waiting.handle(Tick(), 62.609375)) == "advertise 100, standby -> active (active_silent), announce"


def test_what_else_it_lacks_after_a_fault_makes_it_hesitate_again() -> None:
    waiting = standby()
    waiting.handle(EAGER, 0.5)
    waiting.handle(Assessed("eth0 has no carrier"), 1.0)
    waiting.handle(Assessed(None), 2.0)
    assert waiting.waiting == "the servers have not been checked since the fault"
    assert waiting.deadline == 6.609375, "4.609375 and one interval more"
    waiting.handle(EAGER, 3.0)
    assert waiting.deadline == 5.609375


def test_an_unready_router_still_takes_over_from_silence() -> None:
    """The gate protects a service that runs; where nobody serves, something is better than nothing. It waits for one
    interval more, so that somebody who is ready goes first."""
    silent = standby(ready=False)
    assert silent.handle(Tick(), 3.609375) == []
    assert silent.deadline == 4.609375
    assert said(silent.handle(Tick(), 4.609375)) == "advertise 100, standby -> active (nobody_active), announce"
    left = standby((heard(200), 1.0), (heard(0), 2.0), ready=False)
    assert left.handle(Tick(), 2.609375) == []
    assert said(left.handle(Tick(), 3.609375)) == "advertise 100, standby -> active (active_left), announce"


def test_readiness_ends_the_longer_wait() -> None:
    """Told in the interval that an unready router waits more, it takes over at once."""
    silent = standby(ready=False)
    assert silent.handle(READY, 4.0) == []
    assert silent.deadline == 3.609375
    assert said(silent.handle(Tick(), 4.0)) == "advertise 100, standby -> active (nobody_active), announce"


def test_an_owner_does_not_take_the_role_from_another_owner() -> None:
    """Readiness reports come whenever the director has news; with two owners each would be a fight."""
    beaten = standby((heard(255), 1.0), ready=False, priority=255)
    for second in (2.0, 3.0):
        assert beaten.handle(UNREADY, second) == []
        assert beaten.handle(READY, second + 0.5) == []
    assert beaten.role is Role.STANDBY


def test_an_owner_that_loses_readiness_takes_nothing() -> None:
    owner = standby(priority=255, ready=False)
    assert owner.handle(UNREADY, 1.0) == []
    assert owner.role is Role.STANDBY


# -- the ground shifts -------------------------------------------------------------------------------------------


def test_a_lowered_priority_ends_the_delay() -> None:
    waiting = standby(preempt=DELAYED)
    every_second(waiting, 50, 1, 31)
    waiting.handle(Assessed(None, penalty=60), 30.5)
    assert waiting.handle(Tick(), 31.0) == []
    assert every_second(waiting, 50, 31, 60) == []


def test_a_lowered_priority_while_the_timer_already_runs_out() -> None:
    waiting = standby((heard(50), 1.0), (heard(50), 2.0), (heard(50), 3.0), preempt=PREEMPT)
    waiting.handle(Assessed(None, penalty=60), 3.25)
    assert waiting.deadline == 6.84375  # 3.0 + 3 + (256 - 40)/256


def test_a_raised_priority_preempts() -> None:
    waiting = standby((Assessed(None, penalty=60), 0.0), preempt=PREEMPT)
    assert every_second(waiting, 50, 1, 10) == []
    waiting.handle(Assessed(None), 9.5)
    assert every_second(waiting, 50, 10, 13) == ["12.8438: advertise 100, standby -> active (preempting), announce"]


def test_preemption_switched_off_while_the_delay_runs() -> None:
    waiting = standby(preempt=DELAYED)
    every_second(waiting, 50, 1, 31)
    waiting.handle(Reconfigured(config(preempt=Preempt(allowed=False))), 30.5)
    assert every_second(waiting, 50, 31, 60) == []


def test_the_delay_made_shorter_while_it_runs() -> None:
    waiting = standby(preempt=DELAYED)
    every_second(waiting, 50, 1, 12)
    waiting.handle(Reconfigured(config(preempt=Preempt(allowed=True, after=5.0))), 11.5)
    done = "12: advertise 100, standby -> active (preempting), announce"
    assert every_second(waiting, 50, 12, 13) == [done]


def test_the_same_configuration_again_changes_nothing() -> None:
    waiting = standby((heard(50), 1.0), preempt=DELAYED)
    before = waiting.state
    waiting.handle(Reconfigured(config(preempt=DELAYED)), 1.5)
    assert waiting.state == before


def test_the_reason_says_who_was_preempted() -> None:
    waiting = standby(preempt=PREEMPT)
    every_second(waiting, 50, 1, 4)
    assert waiting.why == f"our priority 100 is above the 50 of {HIGH}"

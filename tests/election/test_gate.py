"""A standby with an arbiter: asked in time, heard when it answers this silence, and what becomes of no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from haman.election.effects import Ask
from haman.election.events import Readiness, Reconfigured, Ruled, Start, Tick
from haman.election.gate import Ruling
from haman.election.states import Standby
from haman.model.arbiter import Arbitration
from haman.model.routers import Preempt
from haman.model.transition import Role
from tests.election.support import FAULT, FINE, READY, config, heard, router, said, standby

if TYPE_CHECKING:
    from haman.election.router import Router

ARBITER = Arbitration()
STRICT = Arbitration(strict=True)


def yes(asked: float) -> Ruled:
    return Ruled(Ruling(asked, True, "10.0.0.254 answers"))


def no(asked: float) -> Ruled:
    return Ruled(Ruling(asked, False, "10.0.0.254 does not answer"))


def guarded(**changes: Any) -> Router:
    """Its active router was heard last at 10.0: Active_Down ends at 13.609375."""
    settings = {"arbiter": ARBITER} | changes
    return standby((heard(150), 1.0), (heard(150), 4.0), (heard(150), 7.0), (heard(150), 10.0), **settings)


def run(of: Router, until: float) -> list[str]:
    """Tick whenever it wants to, and what it said then."""
    told = []
    while of.deadline is not None and of.deadline <= until:
        now = of.deadline
        told.append(f"{now:g}: {said(of.handle(Tick(), now))}")
        assert of.deadline is None or of.deadline > now
    return told


def test_it_asks_when_half_an_advertisement_is_overdue_and_takes_over_no_later_than_without() -> None:
    of = guarded()
    assert run(of, 11.6) == ["11.5: ask at 11.5"]
    assert of.handle(yes(11.5), 11.51) == []
    assert run(of, 13.7) == [
        "12.5: ask at 12.5",
        "13.5: ask at 13.5",
        "13.6094: advertise 100, standby -> active (active_silent), announce",
    ]
    assert "the arbiter agrees: 10.0.0.254 answers" in of.why


def test_a_peer_that_speaks_on_is_no_question() -> None:
    of = guarded()
    for second in range(11, 20):
        assert run(of, second) == []
        of.handle(heard(150), float(second))


def test_a_no_holds_it_back_for_as_long_as_it_is_the_last_word() -> None:
    of = guarded()
    run(of, 11.5)
    of.handle(no(11.5), 11.51)
    assert run(of, 14.6) == ["12.5: ask at 12.5", "13.5: ask at 13.5", "13.6094: ", "14.5: ask at 14.5"]
    assert of.role is Role.STANDBY
    assert of.held is not None
    assert of.held.endswith("but the arbiter says no: 10.0.0.254 does not answer")
    assert of.handle(yes(14.5), 14.51) == []
    assert of.held is None


def test_after_that_it_listens_before_it_takes_the_role() -> None:
    """A mended line carries the arbiter's answer sooner than the next advertisement."""
    of = guarded()
    run(of, 11.5)
    of.handle(no(11.5), 11.51)
    run(of, 14.5)
    of.handle(yes(14.5), 14.51)
    assert run(of, 16.1) == ["16.01: ask at 16.01"]
    of.handle(yes(16.01), 16.02)
    assert run(of, 18.2)[-1] == "18.1194: advertise 100, standby -> active (active_silent), announce"


def test_held_for_long_is_not_frozen() -> None:
    of = guarded()
    run(of, 11.5)
    of.handle(no(11.5), 11.51)
    for told in run(of, 60.0):
        assert "frozen" not in told
    of.handle(Tick(), 64.7)
    assert of.why.startswith("this process stood still for 4.2 s")


def test_an_answer_that_comes_late_is_waited_for() -> None:
    of = guarded()
    run(of, 13.61)
    assert of.role is Role.STANDBY
    assert of.held is None
    assert said(of.handle(yes(11.5), 13.7)) == "advertise 100, standby -> active (active_silent), announce"


def test_an_answer_to_an_earlier_silence_is_worth_nothing() -> None:
    of = guarded()
    run(of, 11.5)
    of.handle(yes(11.5), 11.51)
    of.handle(heard(150), 11.6)
    assert run(of, 13.2) == ["13.1: ask at 13.1"]
    of.handle(yes(11.5), 13.2)
    run(of, 15.3)
    assert of.role is Role.STANDBY


def test_whose_active_router_comes_back_is_held_no_more() -> None:
    of = guarded()
    run(of, 11.5)
    of.handle(no(11.5), 11.51)
    run(of, 13.7)
    assert of.held is not None
    of.handle(heard(150), 13.8)
    assert of.held is None
    assert run(of, 15.4) == ["15.3: ask at 15.3"]


def test_a_role_that_is_given_away_is_taken_without_a_question() -> None:
    of = guarded()
    run(of, 11.5)
    of.handle(no(11.5), 11.51)
    run(of, 13.7)
    of.handle(heard(0), 13.8)
    assert run(of, 14.5) == ["14.4094: advertise 100, standby -> active (active_left), announce"]


@pytest.mark.parametrize(
    ("strict", "word", "takes"),
    [
        (False, None, True),
        (False, yes(5.0), True),
        (False, no(5.0), False),
        (True, None, False),
        (True, yes(5.0), False),
    ],
)
def test_where_nobody_answers_the_last_word_counts(strict: bool, word: Ruled | None, takes: bool) -> None:
    """There is no director process to ask: two seconds and two intervals after the first question that is known."""
    of = guarded(arbiter=STRICT if strict else ARBITER)
    if word is not None:
        of.handle(word, 10.1)
    run(of, 15.4)
    assert of.role is Role.STANDBY
    run(of, 16.6)
    assert (of.role is Role.ACTIVE, of.held is None) == (takes, takes)


def test_a_start_asks_as_well() -> None:
    of = standby(arbiter=ARBITER)
    assert run(of, 1.5) == ["1.5: ask at 1.5"]
    of.handle(no(1.5), 1.6)
    run(of, 5.0)
    assert of.held is not None


def test_the_owner_of_the_address_asks_too() -> None:
    of = router((Start(), 0.0), (READY, 0.1), arbiter=ARBITER, priority=255)
    assert of.role is Role.STANDBY
    run(of, 2.0)
    of.handle(Readiness("the table"), 2.1)
    assert of.handle(READY, 2.2) == []


def test_an_address_that_was_found_stays_while_it_is_held_unless_strict() -> None:
    for arbiter, holds in ((ARBITER, None), (STRICT, False)):
        of = router((Start(), 0.0), arbiter=arbiter, adopting=True)
        run(of, 1.5)
        of.handle(no(1.5), 1.6)
        run(of, 5.0)
        assert of.held is not None
        assert of.holds is holds


@pytest.mark.parametrize("after", [0.0, 5.0])
def test_preemption_asks_and_goes_on_listening_while_it_is_held(after: float) -> None:
    of = standby(arbiter=ARBITER, preempt=Preempt(allowed=True, after=after))
    of.handle(no(0.5), 0.5)
    for tenth in range(10, 120):
        now = tenth / 10
        run(of, now)
        if tenth % 10 == 0:
            of.handle(heard(50), now)
        if isinstance(of.state, Standby) and of.state.asked is not None:
            of.handle(no(of.state.asked), now)
        assert of.role is Role.STANDBY
    assert of.held is not None
    assert isinstance(of.state, Standby)
    assert of.state.asked is not None
    of.handle(yes(of.state.asked), 12.0)
    assert of.held is None
    for tenth in range(121, 190):
        now = tenth / 10
        if tenth % 10 == 0:
            of.handle(heard(50), now)
        run(of, now)
        if isinstance(of.state, Standby) and of.state.asked is not None:
            of.handle(yes(of.state.asked), now)
    assert of.role is Role.ACTIVE
    assert of.why.startswith("our priority 100 is above the 50 of")


def test_without_an_arbiter_any_more_it_is_held_no_more() -> None:
    of = guarded()
    run(of, 11.5)
    of.handle(no(11.5), 11.51)
    run(of, 13.7)
    of.handle(Reconfigured(config()), 13.8)
    assert of.held is None
    assert said(of.handle(Tick(), 13.8)) == "advertise 100, standby -> active (active_silent), announce"


def test_a_fault_ends_it_and_begins_the_questions_anew() -> None:
    of = guarded()
    run(of, 11.5)
    of.handle(no(11.5), 11.51)
    run(of, 13.7)
    of.handle(FAULT, 14.0)
    assert of.held is None
    of.handle(FINE, 15.0)
    assert run(of, 16.6) == ["16.5: ask at 16.5"]


def test_who_may_preempt_no_more_asks_about_the_next_silence() -> None:
    of = standby((heard(50), 1.0), arbiter=ARBITER, preempt=Preempt(allowed=True))
    run(of, 1.5)
    of.handle(yes(1.5), 1.51)
    of.handle(heard(50), 2.0)
    of.handle(Readiness("the table"), 2.1)
    of.handle(READY, 2.2)
    assert isinstance(of.state, Standby)
    assert of.state.first_asked is None


def test_a_question_says_whether_the_other_one_lives() -> None:
    of = standby((heard(50), 1.0), arbiter=ARBITER, preempt=Preempt(allowed=True))
    asked = []
    for tenth in range(11, 90):
        now = tenth / 10
        if tenth % 10 == 0 and now < 5.0:
            of.handle(heard(50), now)
        asked += [(effect.at < 5.5, effect.living) for effect in of.handle(Tick(), now) if isinstance(effect, Ask)]
        if isinstance(of.state, Standby) and of.state.asked is not None:
            of.handle(no(of.state.asked), now)
    assert set(asked) == {(True, True), (False, False)}


def test_a_yes_about_a_living_one_is_none_about_its_silence() -> None:
    of = standby((heard(50), 1.0), arbiter=ARBITER, preempt=Preempt(allowed=True, after=60.0))
    run(of, 2.5)
    assert isinstance(of.state, Standby)
    for now in (2.5, 3.0, 4.0):
        of.handle(heard(50), now)
        run(of, now + 0.5)
        assert isinstance(of.state, Standby)
        assert of.state.asked is not None
        of.handle(yes(of.state.asked), now + 0.6)
    run(of, 9.0)
    assert of.role is Role.STANDBY
    assert isinstance(of.state, Standby)
    assert of.state.asked is not None
    of.handle(yes(of.state.asked), 9.0)
    assert of.role is Role.ACTIVE


def test_the_first_question_about_a_silence_does_not_wait_for_its_turn() -> None:
    """Questions are a tenth of a second apart, and with these intervals a whole silence takes less: a standby that has
    been waiting for its preemption asks about the silence no later than those that have not."""
    of = standby(arbiter=ARBITER, advert_interval=0.02, preempt=Preempt(allowed=True, after=60.0))
    run(of, 0.05)
    assert isinstance(of.state, Standby)
    assert of.state.asked is not None, "about its own start"
    last = 0.0
    for hundredths in range(6, 26, 2):
        last = hundredths / 100
        run(of, last)
        of.handle(heard(50, interval=0.02), last)
    assert of.state.living
    while not any(isinstance(effect, Ask) and not effect.living for effect in of.handle(Tick(), of.deadline or 9.0)):
        assert of.deadline is not None
        assert of.deadline < 9.0
    assert of.state.asked == pytest.approx(last + 1.5 * 0.02)


def test_who_stood_still_is_patient_anew() -> None:
    """No answer could be heard meanwhile."""
    of = guarded()
    run(of, 12.5)
    assert said(of.handle(Tick(), 14.6)) == "ask at 14.6"
    run(of, 18.5)
    assert of.role is Role.STANDBY
    run(of, 18.7)
    assert of.role is Role.ACTIVE
    assert of.why.endswith("nobody has answered for the arbiter for 4 s, so it is not waited for")

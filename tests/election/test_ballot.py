"""A vote is one candidate's at a time, the best one's, and nobody's while somebody is active."""

from __future__ import annotations

from dataclasses import replace

from haman.election.ballot import Ballots, Candidate, open_for

LB2, LB3 = Candidate("lb2", 100, True, 0.1), Candidate("lb3", 50, True, 0.1)


def held(ballots: Ballots, *candidates: Candidate, now: float, active: str = "") -> dict[str, bool]:
    """Who gets the vote; advertisements come each 100 ms."""
    assert [ballots.enter("public", each) for each in candidates] == [True, *[False] * (len(candidates) - 1)]
    return {name: yes for name, (yes, _) in ballots.close("public", active, now).items()}


def test_the_best_of_those_who_ask_within_a_ballot_gets_it() -> None:
    unready = Candidate("lb1", 200, False, 0.1)
    assert held(Ballots(0.0), LB3, LB2, unready, now=10.0) == {"lb1": False, "lb2": True, "lb3": False}
    assert held(Ballots(0.0), LB3, unready, now=10.0) == {"lb1": False, "lb3": True}
    assert held(Ballots(0.0), unready, now=10.0) == {"lb1": True}, "better than nobody"


def test_of_equals_the_same_one_gets_the_votes_of_all() -> None:
    twins = Candidate("lb2", 50, True, 0.1), LB3
    assert held(Ballots(0.0), *twins, now=10.0) == held(Ballots(0.0), *reversed(twins), now=10.0)


def test_nobody_gets_it_while_one_says_that_it_is_active() -> None:
    ballots = Ballots(0.0)
    ballots.enter("public", LB2)
    assert ballots.close("public", "lb1", 10.0) == {"lb2": (False, "lb1 says that it is active")}
    assert held(ballots, LB3, now=10.1) == {"lb3": True}, "none was given"


def test_it_is_not_given_twice_before_it_has_lapsed() -> None:
    ballots = Ballots(0.0)
    assert held(ballots, LB3, now=10.0) == {"lb3": True}
    assert held(ballots, LB2, now=10.1) == {"lb2": False}, "not even to a better one"
    assert held(ballots, LB3, LB2, now=10.8) == {"lb2": False, "lb3": True}, "said again to who has it"
    assert held(ballots, LB3, LB2, now=10.95) == {"lb2": False, "lb3": False}, "too late to be used"
    ballots.enter("public", LB2)
    assert ballots.close("public", "", 11.2) == {"lb2": (False, "its vote is lb3's for 0.1 s more")}
    assert held(ballots, LB3, LB2, now=11.3) == {"lb2": True, "lb3": False}, "0.8 s and half a second are over"


def test_who_asks_on_and_on_keeps_it_and_gets_the_votes_of_all_whenever_they_begin() -> None:
    """Else the votes of two that did not begin together come and go in turns, and are never enough at once."""
    ballots = Ballots(0.0)
    assert all(held(ballots, LB3, now=10.0 + number / 10)["lb3"] for number in range(50))


def test_it_is_not_prolonged_for_a_worse_one_that_asks_on() -> None:
    ballots = Ballots(0.0)
    assert held(ballots, LB3, now=10.0) == {"lb3": True}
    got = [held(ballots, LB3, LB2, now=10.125 + number / 10) for number in range(20)]
    assert [each["lb3"] for each in got] == [*[True] * 8, *[False] * 12]
    assert [each["lb2"] for each in got] == [*[False] * 12, *[True] * 8]


def test_who_asked_in_the_ballot_before_is_a_candidate_in_this_one() -> None:
    """With 10 ms between advertisements each asks every 100 ms, and a ballot is over after 50."""
    ballots = Ballots(0.0)
    lb2, lb3 = replace(LB2, interval=0.01), replace(LB3, interval=0.01)
    for now, candidate, expected in (
        (10.0, lb3, True),
        (10.05, lb2, False),
        (10.1, lb3, False),
        (10.55, lb2, False),
        (10.6, lb3, False),
        (10.65, lb2, True),
    ):
        ballots.enter("public", candidate)
        assert ballots.close("public", "", now)[candidate.node][0] is (expected or now == 10.1), now


def test_a_voter_that_has_just_begun_may_have_given_it_before() -> None:
    ballots = Ballots(10.0)
    assert held(ballots, LB2, now=11.2) == {"lb2": False}
    assert held(ballots, LB2, now=11.4) == {"lb2": True}


def test_a_vote_is_bound_for_as_long_as_who_has_it_may_use_it() -> None:
    """lb3 heard a second between two advertisements, lb2 a tenth: lb3 is elected up to 3.5 s after its question."""
    slow = replace(LB3, interval=1.0)
    ballots = Ballots(0.0)
    assert held(ballots, slow, now=10.0) == {"lb3": True}
    assert [held(ballots, LB2, now=now)["lb2"] for now in (11.4, 14.0, 18.4, 18.5)] == [False, False, False, True]
    assert held(ballots, slow, now=18.6) == {"lb3": False}
    assert held(ballots, slow, now=19.9) == {"lb3": True}, "lb2's lapses by lb2's"


def test_one_that_becomes_hasty_does_not_shorten_what_it_was_given() -> None:
    ballots = Ballots(0.0)
    assert held(ballots, replace(LB2, interval=1.0), now=10.0) == {"lb2": True}
    assert held(ballots, LB2, now=10.1) == {"lb2": True}
    assert held(ballots, LB3, now=18.4) == {"lb3": False}


def test_a_voter_that_has_just_begun_waits_by_the_slowest_that_asks() -> None:
    ballots = Ballots(10.0)
    assert held(ballots, replace(LB2, interval=1.0), now=18.4) == {"lb2": False}
    assert held(ballots, replace(LB2, interval=1.0), now=18.6) == {"lb2": True}


def test_routers_have_votes_of_their_own() -> None:
    ballots = Ballots(0.0)
    assert held(ballots, LB3, now=10.0) == {"lb3": True}
    ballots.enter("inside", LB2)
    assert ballots.close("inside", "", 10.0)["lb2"][0]


def test_a_ballot_is_open_for_an_interval_and_never_too_long_for_who_asks() -> None:
    assert open_for(0.1, 0.5) == 0.1
    assert open_for(0.01, 0.5) == 0.05
    assert open_for(1.0, 0.5) == 0.25

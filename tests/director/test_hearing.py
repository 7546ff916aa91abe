"""How long a returning director waits for the active one's connections. It listens 7 s: 3 of refresh, 4 of delay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from haman.director.hearing import Hearing, Situation, situations
from haman.model.standing import Connections
from haman.model.transition import Kind, Role
from tests.director.support import report

if TYPE_CHECKING:
    from collections.abc import Callable

ALONE = Situation(since=90.0, hears=True, own=Connections(0, 0))


def hearing(limit: float = 60.0) -> Hearing:
    return Hearing(refresh=3.0, limit=limit)


def has(theirs: int, own: int, said: float, others: int = 0) -> Situation:
    """lb2 is active and said at `said` that it has so many."""
    return replace(ALONE, own=Connections(own, 0), active="lb2", theirs=Connections(theirs, others), said=said)


def told(watched: Hearing, situation: Situation | None, now: float) -> list[str]:
    changes = watched.look({} if situation is None else {"public": situation}, now, at=5.0)
    assert all(each.kind is Kind.SYNC and each.who == "public" and each.at == 5.0 for each in changes)
    return [f"{each.before} -> {each.after} ({each.cause}): {each.why}" for each in changes]


def seconds_until_ready(watched: Hearing, situation: Callable[[float], Situation], most: int = 600) -> tuple[int, str]:
    """From 100.0 on, looked at every second: how many pass, and for what cause it was enough."""
    for second in range(most):
        now = 100.0 + second
        changes = watched.look({"public": situation(now)}, now, at=0.0)
        if "public" not in watched.waiting:
            return second, changes[-1].cause if changes else ""
    raise AssertionError(watched.waiting)


def test_it_listens_for_one_period_at_least_although_it_holds_as_many() -> None:
    watched = hearing()
    first = "ready -> waiting (listening): listens to connections for 7 s; holds 1,034 of 1,034 connections of lb2"
    assert told(watched, has(1034, 1034, said=100.0), 100.0) == [first]
    assert told(watched, has(1034, 1034, said=106.0), 106.9) == []
    assert watched.waiting == {
        "public": "listens to connections for 7 s; holds 1,034 of 1,034 connections of lb2",
    }
    assert told(watched, has(1034, 1034, said=106.0), 107.0) == [
        "waiting -> ready (held): holds 1,034 of 1,034 connections of lb2"
    ]
    assert watched.waiting == {}


def test_it_waits_for_those_that_are_missing() -> None:
    """Every second it learns 40 more of 1,000: at 99 of a hundred, after 25 s, it is enough."""
    watched = hearing()
    assert seconds_until_ready(watched, lambda now: has(1000, int(now - 100) * 40, said=now)) == (25, "held")


def test_how_far_it_is_is_said() -> None:
    watched = hearing()
    told(watched, has(1034, 0, said=100.0), 100.0)
    told(watched, has(1034, 812, said=108.0), 108.0)
    assert watched.waiting == {"public": "holds 812 of 1,034 connections of lb2"}


def test_silent_connections_are_not_waited_for_much_longer_than_a_period() -> None:
    """812 come in the first 5 s, then none: after 8 s they have been there for 3, and 10 s later nothing new was."""
    watched = hearing()
    growing = lambda now: has(1034, min(812, int(now - 100) * 163), said=now)  # noqa: E731
    assert seconds_until_ready(watched, growing) == (18, "nothing_new")


def test_short_ones_that_are_never_told_in_time_do_not_hold_it_up() -> None:
    """A few of them are always there, never nearly all."""
    watched = hearing()
    assert seconds_until_ready(watched, lambda now: has(500, 3 + int(now) % 3, said=now)) == (10, "nothing_new")


def test_short_ones_beside_long_ones_are_no_news() -> None:
    """20 long ones are all held after 4 s; up to 7 short ones, other ones each time, come on top here and there."""
    watched = hearing()
    noise = (3, 7, 0, 5, 1, 6, 2, 7, 4, 0, 6)
    busy = lambda now: has(  # noqa: E731
        20 + noise[int(now) % 11], min(20, int(now - 100) * 5) + noise[int(now * 7) % 11] // 2, said=now
    )
    seconds, cause = seconds_until_ready(watched, busy)
    assert seconds <= 20
    assert cause in {"held", "nothing_new"}


def test_a_trickle_ends_at_the_limit() -> None:
    """1 of 100 every 5 s is news."""
    watched = hearing()
    trickle = lambda now: has(1000, int((now - 100) / 5) * 10, said=now)  # noqa: E731
    assert seconds_until_ready(watched, trickle) == (60, "limit")


@pytest.mark.parametrize("limit", [0.0, 5.0])
def test_the_limit_may_be_shorter_than_a_period(limit: float) -> None:
    watched = hearing(limit)
    assert seconds_until_ready(watched, lambda now: has(1000, 0, said=now)) == (int(limit), "limit" if limit else "")


def test_without_a_word_from_the_active_one_it_listens_for_a_period() -> None:
    """keepalived, or no channel."""
    assert seconds_until_ready(hearing(), lambda now: ALONE) == (7, "listened")


def test_what_was_said_before_it_began_counts_as_nothing_said() -> None:
    assert seconds_until_ready(hearing(), lambda now: has(0, 0, said=99.9)) == (7, "listened")


def test_where_there_is_nothing_to_hear_nobody_waits() -> None:
    watched = hearing()
    assert told(watched, has(0, 0, said=100.0), 100.0) == []
    assert watched.waiting == {}


def test_udp_is_heard_for_a_period_though_nobody_can_say_how_much_of_it_lives() -> None:
    assert seconds_until_ready(hearing(), lambda now: has(0, 0, said=now, others=5)) == (7, "held")


def test_time_without_a_daemon_is_no_listening() -> None:
    watched = hearing()
    deaf = lambda now: replace(has(10, 10, said=now), hears=now >= 120.0)  # noqa: E731
    told(watched, deaf(100.0), 100.0)
    assert watched.waiting == {"public": "no sync daemon listens here; holds 10 of 10 connections of lb2"}
    assert seconds_until_ready(watched, deaf) == (27, "held")
    assert seconds_until_ready(hearing(), lambda now: replace(ALONE, hears=False)) == (60, "limit")


def test_once_ready_it_stays_so_until_it_is_standby_anew() -> None:
    watched = hearing()
    seconds_until_ready(watched, lambda now: has(10, 10, said=now))
    assert told(watched, has(1000, 10, said=200.0), 200.0) == []
    again = replace(has(1000, 10, said=300.0), since=300.0)
    assert [change.split(":")[0] for change in told(watched, again, 300.0)] == ["ready -> waiting (listening)"]


def test_what_else_is_missing_comes_first() -> None:
    """A router that is not named is forgotten: listening begins when the table stands."""
    watched = hearing()
    told(watched, ALONE, 100.0)
    assert told(watched, None, 105.0) == []
    assert watched.waiting == {}
    assert told(watched, ALONE, 106.0) != []
    assert watched.waiting != {}
    assert told(watched, ALONE, 112.9) == []
    assert len(told(watched, ALONE, 113.0)) == 1


def test_a_table_that_was_not_whole_is_told_everything_again() -> None:
    watched = hearing()
    seconds_until_ready(watched, lambda now: has(10, 10, said=now))
    watched.restart(199.0)
    assert told(watched, has(10, 10, said=200.0), 200.0) != []
    assert watched.waiting != {}


def test_a_table_that_is_never_left_alone_keeps_nobody_waiting() -> None:
    """Only the first change counts until there was a minute without one."""
    watched = hearing()
    seconds_until_ready(watched, lambda now: has(10, 10, said=now))
    for second in range(200, 208):
        watched.restart(float(second))
        told(watched, has(10, 10, said=float(second)), float(second))
    assert watched.waiting == {}
    watched.restart(266.9)
    told(watched, has(10, 10, said=267.0), 267.0)
    assert watched.waiting == {}
    watched.restart(326.9)
    told(watched, has(10, 10, said=327.0), 327.0)
    assert watched.waiting != {}


def test_that_its_role_is_known_at_last_is_no_news() -> None:
    watched = hearing()
    assert len(told(watched, replace(ALONE, since=0.0), 100.0)) == 1
    assert told(watched, ALONE, 101.0) == []
    assert told(watched, ALONE, 107.9) == [], "it listens from then on"
    assert len(told(watched, ALONE, 108.0)) == 1


def test_who_was_active_knows_them() -> None:
    """Until it was in fault."""
    watched = hearing()
    watched.look({}, 100.0, 0.0, active=["public"])
    assert told(watched, has(1000, 10, said=101.0), 101.0) == []
    assert watched.waiting == {}
    assert told(watched, has(1000, 10, said=102.0), 102.0) == []
    watched.forget(["public"])
    assert len(told(watched, replace(has(1000, 10, said=110.0), since=110.0), 110.0)) == 1
    assert watched.waiting != {}


def test_a_fault_between_active_and_standby_is_not_overlooked() -> None:
    watched = hearing()
    watched.look({}, 100.0, 0.0, active=["public"])
    watched.forget(["public"])
    told(watched, has(1000, 10, said=101.0), 101.0)
    assert watched.waiting != {}


# -- whose business it is ----------------------------------------------------------------------------------------

HELD = {"public": Connections(7, 1)}


def nobody(router: str) -> None:
    return None


def test_only_a_standby_that_lacks_nothing_else_listens() -> None:
    standby = report(Role.STANDBY, since=50.0)
    assert situations([standby], HELD, {}, hears=True, serving=nobody) == {
        "public": Situation(since=50.0, hears=True, own=Connections(7, 1))
    }
    assert situations([standby], HELD, {"public"}, hears=True, serving=nobody) == {}
    assert situations([standby], {}, {}, hears=True, serving=nobody) == {}
    for role in (Role.ACTIVE, Role.FAULT, Role.STOPPED):
        assert situations([report(role)], HELD, {}, hears=True, serving=nobody) == {}


def test_a_role_that_is_not_known_yet_counts_as_standby() -> None:
    assert situations([], HELD, {}, hears=True, serving=nobody)["public"].since == 0.0


def test_what_the_active_one_has() -> None:
    found = situations([], HELD, {}, hears=True, serving=lambda router: ("lb2", Connections(9, 2), 77.0))
    assert (found["public"].active, found["public"].theirs, found["public"].said) == ("lb2", Connections(9, 2), 77.0)

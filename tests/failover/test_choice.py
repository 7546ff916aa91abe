"""Which site serves. Times are seconds on a clock of the test's own."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haman.failover import choice as failover
from haman.failover.choice import Choice, Level, Said
from haman.model.sites import LOCAL, AllDown, Failover, Order

ALL, NONE = 1.0, 0.0
RULES = Failover(below=0.3, hold=2.0, above=0.6, after=10.0)
PROMPT = Failover(after=10.0)


class World:
    """One service with two backups, followed through time."""

    def __init__(self, rules: Failover = RULES, *, serving: int = LOCAL, backups: int = 2) -> None:
        self.rules = rules
        self.now = 100.0
        self.choice = failover.begin(backups, self.now, serving)
        self.changes: list[tuple[float, int, int]] = []
        self.level = Level(NONE, known=False, up=(None,) * backups)

    def see(self, share: float, *up: bool | None, known: bool = True) -> Choice:
        return self._take(Level(share, known, up or self.level.up))

    def wait(self, seconds: float) -> Choice:
        """Deadlines are met on the way."""
        end = self.now + seconds
        while (due := failover.deadline(self.choice, self.rules, self.now)) is not None and due <= end:
            self.now = due
            self._take(self.level)
        self.now = end
        return self.choice

    def order(self, order: Order) -> Choice:
        self.choice = failover.ordered(self.choice, order)
        return self._take(self.level)

    def _take(self, level: Level) -> Choice:
        self.level = level
        before, self.choice = self.choice, failover.decide(self.choice, self.rules, level, self.now)
        if before.serving != self.choice.serving:
            self.changes.append((self.now, before.serving, self.choice.serving))
        return self.choice


def test_nothing_moves_before_the_local_servers_were_checked() -> None:
    world = World(PROMPT)
    assert world.see(NONE, True, True, known=False).serving == LOCAL
    assert world.see(NONE, True, True).serving == 1
    assert world.choice.why == "no local server is up"


def test_none_left_moves_after_the_hold_time_and_not_before() -> None:
    world = World()
    world.see(ALL, True, True)
    world.see(NONE)
    assert world.wait(1.999).serving == LOCAL
    assert world.wait(0.001).serving == 1
    assert world.choice.cause == "local_down"


def test_a_dip_shorter_than_the_hold_time_is_nothing() -> None:
    world = World()
    world.see(ALL, True, True)
    for _ in range(50):
        world.see(NONE)
        world.wait(1.9)
        world.see(ALL)
        world.wait(0.1)
    assert world.changes == []


def test_below_the_threshold_moves_and_at_the_threshold_does_not() -> None:
    world = World()
    world.see(0.3, True, True)
    assert world.wait(60.0).serving == LOCAL
    world.see(0.29)
    assert world.wait(2.0).serving == 1
    assert world.choice.why == "29% of the local weight is up, less than 30% for 2 s"


def test_back_when_enough_was_up_for_its_time() -> None:
    world = World(serving=1)
    world.see(0.59, True, True)
    assert world.wait(60.0).serving == 1
    world.see(0.6)
    assert world.wait(9.9).serving == 1
    assert world.wait(0.1).serving == LOCAL


def test_the_time_for_the_return_begins_anew_after_every_relapse() -> None:
    world = World(serving=1)
    for _ in range(20):
        world.see(ALL, True, True)
        world.wait(9.0)
        world.see(0.5)
    assert world.changes == []


def test_manual_return_waits_for_the_operator() -> None:
    world = World(Failover(after=10.0, manual=True), serving=1)
    world.see(ALL, True, True)
    assert world.wait(3600.0).serving == 1
    assert world.order(Order.LOCAL).serving == LOCAL
    assert world.order(Order.AUTO).serving == LOCAL


def test_a_backup_that_is_down_is_skipped() -> None:
    world = World(PROMPT)
    world.see(ALL, False, True)
    assert world.see(NONE).serving == 2


def test_backups_cascade_and_the_earlier_one_returns_once_it_is_steady() -> None:
    world = World(PROMPT)
    world.see(ALL, True, True)
    world.see(NONE)
    assert world.see(NONE, False, True).serving == 2
    world.see(NONE, True, True)
    assert world.wait(9.9).serving == 2
    assert world.wait(0.1).serving == 1
    assert [change[1:] for change in world.changes] == [(0, 1), (1, 2), (2, 1)]


def test_few_local_servers_are_better_than_none() -> None:
    """Also with a return by hand: the operator wanted stability, not silence."""
    world = World(Failover(below=0.9, manual=True), serving=1)
    world.see(0.1, True, False)
    assert world.see(0.1, False, False).serving == LOCAL
    assert not world.choice.open


def test_few_local_servers_are_better_than_a_backup_that_comes_and_goes() -> None:
    world = World(Failover(below=0.9, after=10.0))
    world.see(0.5, True, False)
    assert world.choice.serving == 1
    for _ in range(20):
        world.see(0.5, False, False)
        world.wait(1.0)
        world.see(0.5, True, False)
        world.wait(9.0)
    assert [change[1:] for change in world.changes] == [(0, 1), (1, 0)]
    assert world.wait(1.0).serving == 1


@pytest.mark.parametrize(
    ("policy", "serving", "is_open"),
    [(AllDown.REFUSE, 2, False), (AllDown.LAST_KNOWN, 2, True), (AllDown.FAIL_OPEN, LOCAL, True)],
)
def test_with_all_down_the_policy_is_the_operators(policy: AllDown, serving: int, is_open: bool) -> None:
    world = World(Failover(all_down=policy))
    world.see(NONE, False, True)
    assert world.choice.serving == 2
    world.see(NONE, False, False)
    assert (world.choice.serving, world.choice.open) == (serving, is_open)
    world.see(NONE, True, False)
    assert (world.choice.serving, world.choice.open) == (1, False)


def test_what_was_not_asked_yet_is_not_down() -> None:
    """A director that starts with its local servers dead opens nothing before it has asked the backups."""
    world = World(Failover(all_down=AllDown.FAIL_OPEN))
    world.see(NONE, False, None)
    assert not world.choice.open
    assert world.see(NONE, False, False).open


def test_fail_open_ends_with_the_first_local_server() -> None:
    world = World(Failover(all_down=AllDown.FAIL_OPEN))
    world.see(NONE, False, False)
    assert world.choice.open
    assert not world.see(0.1, False, False).open
    assert world.choice.serving == LOCAL


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(
    ("policy", "serving"), [(AllDown.FAIL_OPEN, LOCAL), (AllDown.LAST_KNOWN, LOCAL), (AllDown.LAST_KNOWN, 1)]
)
def test_what_is_open_stays_open_while_nothing_is_known(policy: AllDown, serving: int, order: Order) -> None:
    """A director whose cable was out: nothing of what it found out meanwhile counts, until it has asked again."""
    world = World(replace(RULES, all_down=policy), serving=serving)
    world.order(order)
    world.see(NONE, False, False)
    world.wait(3.0)
    before = world.choice
    assert before.open
    for known, up in ((False, (None, None)), (False, (False, None)), (True, (None, False)), (True, (False, False))):
        assert world.see(NONE, *up, known=known).open
        assert world.wait(1.0).since == before.since
    assert not world.see(ALL, True, True).open


@pytest.mark.parametrize("order", [Order.AUTO, Order.BACKUP])
def test_what_is_open_ends_with_the_first_backup_that_is_up(order: Order) -> None:
    world = World(replace(PROMPT, all_down=AllDown.LAST_KNOWN), serving=1)
    world.order(order)
    assert world.see(NONE, False, False).open
    assert world.see(NONE, None, None, known=False).open
    world.see(NONE, None, True)
    assert (world.choice.serving, world.choice.open) == (2, False)


def test_the_operator_moves_it_and_gives_it_back() -> None:
    world = World(PROMPT)
    world.see(ALL, False, True)
    assert world.order(Order.BACKUP).serving == 2
    assert world.wait(3600.0).serving == 2
    assert world.see(ALL, False, False).serving == LOCAL  # a wish is no reason to refuse
    assert world.see(ALL, False, True).serving == 2
    assert world.order(Order.LOCAL).serving == LOCAL
    assert world.see(NONE, True, True).serving == LOCAL
    assert world.order(Order.AUTO).serving == 1


def test_a_follower_has_the_site_and_the_wish_of_who_leads_and_goes_on_from_there() -> None:
    level = Level(ALL, known=True, up=(True, True))
    mine = failover.decide(failover.begin(2, 100.0), PROMPT, level, 100.0)
    mine = failover.follow(mine, PROMPT, level, 101.0, Said("lb1", 2, open=False, order=Order.BACKUP))
    assert (mine.serving, mine.order, mine.why) == (2, Order.BACKUP, "director lb1 is active and has it so")
    assert failover.decide(mine, PROMPT, level, 500.0).serving == 2


class Step(NamedTuple):
    seconds: float
    share: float
    up: tuple[bool, bool]


SHARES = st.sampled_from([0.0, 0.1, 0.29, 0.3, 0.5, 0.6, 1.0])
SECONDS = st.integers(1, 40).map(lambda number: number * 0.75)  # sums and thirds of these are exact
UPS = st.tuples(st.booleans(), st.booleans())
STEPS = st.lists(st.builds(Step, SECONDS, SHARES, UPS), max_size=60)
FLAPS = st.lists(st.builds(Step, SECONDS, SHARES, st.just((True, True))), max_size=60)
ANY_RULES = st.builds(
    Failover,
    below=st.sampled_from([0.0, 0.3]),
    hold=st.sampled_from([0.0, 2.0]),
    above=st.sampled_from([0.3, 0.6, 1.0]),
    after=st.sampled_from([5.0, 10.0]),
    manual=st.booleans(),
    all_down=st.sampled_from(AllDown),
)


@given(FLAPS, ANY_RULES)
@settings(max_examples=300)
def test_flapping_servers_do_not_flap_the_site(steps: list[Step], rules: Failover) -> None:
    """However local servers come and go: back only after `after`, so two changes in each such time at most."""
    world = World(rules)
    for step in steps:
        world.see(step.share, *step.up)
        world.wait(step.seconds)
    back = [at for at, before, after in world.changes if after == LOCAL]
    away = [at for at, before, after in world.changes if before == LOCAL]
    assert not rules.manual or not back
    assert all(at - max(each for each in away if each <= at) >= rules.after - 1e-6 for at in back)
    assert len(world.changes) <= 2 * ((world.now - 100.0) // rules.after) + 1


def _unforgetting(before: float | None, holds: bool, now: float) -> float | None:
    return before if before is not None else now if holds else None


def test_a_planted_core_that_counts_time_across_relapses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "_since", _unforgetting)
    with pytest.raises(AssertionError):
        test_flapping_servers_do_not_flap_the_site()


@given(STEPS, ANY_RULES)
@settings(max_examples=300)
def test_who_serves_is_up_if_anybody_is(steps: list[Step], rules: Failover) -> None:
    """Once the hold time is over a site that has nothing never serves beside one that has something."""
    world = World(rules)
    for step in steps:
        world.see(step.share, *step.up)
        world.wait(max(step.seconds, rules.hold))
        level, serving = world.level, world.choice.serving
        has = level.share > 0 if serving == LOCAL else bool(level.up[serving - 1])
        assert has or not (level.share > 0 or any(level.up))
        assert not (has and world.choice.open)


@given(STEPS, ANY_RULES)
@settings(max_examples=200)
def test_it_follows_from_level_and_time_alone(steps: list[Step], rules: Failover) -> None:
    """To be asked more often than needed changes nothing: no event is an edge."""
    once, often = World(rules), World(rules)
    for step in steps:
        for world in (once, often):
            world.see(step.share, *step.up)
        for _ in range(3):
            often.see(step.share, *step.up)
            often.wait(step.seconds / 3)
        once.wait(step.seconds)
        often.now = once.now
        assert once.choice.serving == often.choice.serving

"""Faults planted in the election, one at a time, and the story or invariant that must notice each.

A plant is a change of the source of one function, or of one number; the sound code passes the same stories in
test_segment and the other modules here.
"""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from haman.election import parameters, router, states
from haman.election.events import Tick
from tests.election import (
    test_adopting,
    test_families,
    test_frozen,
    test_gate,
    test_leaving,
    test_preemption,
    test_rfc9568,
    test_rivals,
    test_segment,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Plant:
    """`sound` becomes `broken` in the source of Router's `method`, everywhere; `noticed` then fails with `words`."""

    name: str
    method: str
    sound: str
    broken: str
    noticed: Callable[[], None]
    words: str = ""


PLANTS = (
    Plant(
        "a tie is nobody's",
        "_heard",
        "advert.priority == self.priority and _higher(event)",
        "False",
        test_segment.test_equals_that_begin_together_are_settled_by_address,
        "one active",
    ),
    Plant(
        "a tie goes to the lower address",
        "_heard",
        "_higher(event)",
        "not _higher(event)",
        test_segment.test_equals_that_begin_together_are_settled_by_address,
    ),
    Plant(
        "the interval of the active router is not adopted",
        "_defer",
        "self._active_down(peer.interval)",
        "self._active_down(self.config.advert_interval)",
        test_segment.test_a_slow_active_router_and_a_fast_standby_agree,
    ),
    Plant(
        "a takeover is not announced",
        "_take_over",
        "yield Announce()",
        "pass",
        test_rfc9568.test_642_the_active_down_timer_fires,
    ),
    Plant(
        "the loser goes without a word",
        "_yield",
        "yield Advertise(self.priority)",
        "pass",
        test_segment.test_after_a_heal_the_winner_has_announced_when_it_spoke_first,
        "the neighbours follow",
    ),
    Plant(
        "one limit of announcements for all rivals",
        "_announce_against",
        "rival.address not in active.rivals",
        "False",
        test_segment.test_two_heals_soon_after_one_another_are_both_announced_against,
        "the neighbours follow",
    ),
    Plant(
        "no limit of announcements",
        "_announce_against",
        "rival.address not in active.rivals",
        "True",
        test_rivals.test_a_rival_that_cannot_hear_us_makes_no_flood,
    ),
    Plant(
        "the frozen-node rule is off",
        "_frozen",
        "gap > parameters.patience(interval)",
        "False",
        test_segment.test_a_machine_that_stood_still_wakes_without_a_word,
        "it listens before it speaks",
    ),
    Plant(
        "the frozen-node rule forgets the standbys",
        "_frozen",
        "gap, interval = now - standby.active_down_at - self._reluctance, self._interval(standby)",
        "return",
        test_segment.test_a_frozen_standby_does_not_jump_up,
    ),
    Plant(
        "the frozen-node rule says goodbye",
        "_frozen",
        'yield from self._listen(now, "frozen"',
        'yield Advertise(0); yield from self._listen(now, "frozen"',
        lambda: test_frozen.test_an_active_router_gives_up_the_role_without_a_word(Tick()),
    ),
    Plant(
        "no linger after a better router has spoken",
        "_yield",
        "linger_until=now + self.config.linger",
        "linger_until=None",
        test_segment.test_preemption_back_leaves_no_moment_without_an_owner,
        "never nowhere",
    ),
    Plant(
        "no linger after a successor has spoken",
        "_heard",
        "min(leaving.release_at, now + self.config.linger)",
        "now",
        test_segment.test_an_orderly_stop_leaves_no_moment_without_an_owner,
        "never nowhere",
    ),
    Plant(
        "no goodbye",
        "_leave",
        "yield Advertise(PRIORITY_LEAVING)",
        "yield from ()",
        test_rfc9568.test_643_shutdown,
    ),
    Plant(
        "a goodbye is not said again",
        "_tick",
        "yield Advertise(PRIORITY_LEAVING)",
        "pass",
        test_segment.test_a_goodbye_that_is_lost_is_said_again,
    ),
    Plant(
        "a goodbye said again restarts the skew",
        "_heard",
        "soon = min(soon, standby.active_down_at)",
        "pass",
        lambda: test_leaving.test_a_goodbye_said_again_does_not_starve_the_skew(100, 2.609375),
    ),
    Plant(
        "preemption before ready",
        "_would_preempt",
        "self._waiting is None",
        "True",
        test_segment.test_preemption_waits_for_readiness,
    ),
    Plant(
        "preemption in spite of the operator",
        "_would_preempt",
        "self.config.preempt.allowed",
        "True",
        test_segment.test_no_preemption_unless_allowed,
    ),
    Plant(
        "preemption in spite of readiness lost",
        "_weigh_again",
        "down = max(down, peer.at + self._active_down(peer.interval))",
        "pass",
        test_preemption.test_readiness_lost_while_the_timer_already_runs_out,
    ),
    Plant(
        "a delay that each report restarts",
        "_ready",
        "changed, self._waiting = (waiting is None) != (self._waiting is None), waiting",
        "changed, self._waiting, self._eligible_since = True, waiting, None",
        test_preemption.test_readiness_told_again_does_not_restart_the_delay,
    ),
    Plant(
        "an adopted address stays beside the active router's",
        "_linger",
        "now + self.config.linger",
        "None",
        test_segment.test_a_restarted_process_drops_the_address_that_another_has,
        "one holder",
    ),
    Plant(
        "a restart takes the address off",
        "_start",
        "adopting=adopting",
        "adopting=False",
        test_adopting.test_what_is_found_is_left_alone_while_nobody_is_heard,
    ),
    Plant(
        "a flapping link drops the address",
        "_stay",
        "now >= leaving.release_at",
        "True",
        test_segment.test_a_tracked_link_that_flaps_leaves_no_moment_without_an_owner,
        "never nowhere",
    ),
    Plant(
        "a tie is settled in whatever family it is heard",
        "_heard",
        "advert.priority == self.priority and not event.leads",
        "False",
        lambda: test_families.test_two_equals_end_with_one_active_whatever_is_lost(True, 6, 4),
        "one active",
    ),
    Plant(
        "a tie over the following family is never settled",
        "_aside",
        "now - tie.since >= (patience if higher else 2 * patience)",
        "False",
        lambda: test_families.test_two_equals_end_with_one_active_whatever_is_lost(True, 4, 4),
        "one active",
    ),
    Plant(
        "the higher address over the following family stays for ever",
        "_aside",
        "2 * patience)",
        "9e9)",
        lambda: test_families.test_two_equals_end_with_one_active_whatever_is_lost(True, None, 4),
        "one active",
    ),
    Plant(
        "both give a tie over the following family up at the same time",
        "_aside",
        "2 * patience)",
        "patience)",
        lambda: test_families.test_two_equals_end_with_one_active_whatever_is_lost(True, 4, 4),
    ),
    Plant(
        "what a rival says within the limit is forgotten",
        "_announce_against",
        "announce_at=at",
        "announce_at=None",
        test_segment.test_a_rival_that_is_restarted_soon_is_answered_in_the_end,
        "the neighbours follow",
    ),
    Plant(
        "whoever left unheard keeps it to itself",
        "_confess",
        "yield _confession(active)",
        "yield from ()",
        test_segment.test_a_router_frozen_alone_in_a_cut_has_the_neighbours_told,
        "the neighbours follow",
    ),
    Plant(
        "it would win by what it confesses",
        "_confess",
        "_confession(active)",
        "Advertise(self.priority)",
        lambda: test_segment.test_what_was_active_alone_in_a_cut_does_not_move_the_role(150, 100),
    ),
    Plant(
        "an active router of the lowest priority loses by being told",
        "_confess",
        "_confession(active)",
        "Advertise(PRIORITY_LOWEST)",
        lambda: test_segment.test_an_active_router_of_the_lowest_priority_is_told_and_keeps_the_role("10.0.0.4"),
    ),
    Plant(
        "whoever leaves takes the first it hears for its heir",
        "_heard",
        "yield _confession(peer)",
        "yield from ()",
        lambda: test_segment.test_a_router_that_leaves_as_a_cut_heals_has_the_neighbours_told(100, 0.609375),
        "the neighbours follow",
    ),
    Plant(
        "whoever leaves may win by its last word",
        "_heard",
        "_confession(peer)",
        "Advertise(PRIORITY_LOWEST)",
        lambda: test_segment.test_it_takes_two_words_to_have_the_neighbours_told(1, 0),
    ),
    Plant(
        "an heir takes its predecessor for a rival",
        "_inherited",
        "return giver is not None",
        "return False",
        test_segment.test_an_heir_that_took_the_role_at_a_goodbye_announces_once,
    ),
    Plant(
        "a standby takes the last word of who left for a return",
        "_heard",
        "_confesses(peer, giver)",
        "False",
        test_leaving.test_a_standby_that_heard_the_goodbye_waits_no_longer_for_what_the_leaver_says_of_itself,
    ),
    Plant(
        "a short stall drops the address",
        "_frozen",
        "gap <= parameters.longest_patience(interval)",
        "False",
        lambda: test_segment.test_a_stall_that_ends_before_the_peer_takes_over_leaves_no_moment_without_an_owner(3.3),
        "never nowhere",
    ),
    Plant(
        "a stall of any length keeps the address",
        "_frozen",
        "gap <= parameters.longest_patience(interval)",
        "True",
        test_frozen.test_then_it_listens_for_a_whole_active_down_interval,
    ),
    Plant(
        "an unready standby goes as early as a ready one",
        "_if_time_has_come",
        "self._reluctance",
        "0.0",
        test_preemption.test_an_unready_router_still_takes_over_from_silence,
    ),
    Plant(
        "the arbiter is not asked",
        "_if_time_has_come",
        "gate.needed(standby)",
        "False",
        test_gate.test_a_no_holds_it_back_for_as_long_as_it_is_the_last_word,
    ),
    Plant(
        "who was held takes the role at the first yes",
        "_if_time_has_come",
        "gate.Leave() if standby.held",
        "gate.Leave() if False",
        test_gate.test_after_that_it_listens_before_it_takes_the_role,
    ),
    Plant(
        "an answer to another silence counts",
        "_weigh_again",
        "first_asked=None, ",
        "",
        test_gate.test_who_may_preempt_no_more_asks_about_the_next_silence,
    ),
    Plant(
        "forged rivals without bound",
        "_announce_against",
        "len(active.rivals) < RIVALS",
        "True",
        test_families.test_rivals_are_bounded,
    ),
    Plant(
        "lateness adds up",
        "_advertise",
        "(now if scheduled is None else scheduled)",
        "now",
        test_rfc9568.test_lateness_does_not_add_up,
    ),
)


def plant(monkeypatch: pytest.MonkeyPatch, method: str, sound: str, broken: str) -> None:
    """Router's `method` with `sound` replaced, in its own module's names."""
    source = textwrap.dedent(inspect.getsource(getattr(router.Router, method)))
    assert sound in source, f"{method} does not have {sound!r} any more: plant the fault anew"
    names = dict(vars(router))
    exec("from __future__ import annotations\n" + source.replace(sound, broken), names)
    monkeypatch.setattr(router.Router, method, names[method])


def noticed_by(story: Callable[[], None], words: str) -> None:
    with pytest.raises(AssertionError) as failure:
        story()
    assert words in str(failure.value), failure.value


@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.name)
def test_it_is_noticed(monkeypatch: pytest.MonkeyPatch, planted: Plant) -> None:
    planted.noticed()
    plant(monkeypatch, planted.method, planted.sound, planted.broken)
    noticed_by(planted.noticed, planted.words)


def test_no_skew_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "skew", lambda priority, interval, version: 0.0)
    noticed_by(test_segment.test_the_best_takes_over_alone, "")


def test_a_skew_the_wrong_way_round_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "skew", lambda priority, interval, version: priority * interval / 256)
    noticed_by(test_segment.test_the_best_takes_over_alone, "")


def test_a_winner_that_does_not_announce_again_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "_answer", lambda *rivals: iter(()))
    noticed_by(
        test_segment.test_after_a_heal_the_winner_has_announced_when_the_loser_spoke_first, "the neighbours follow"
    )


def test_a_leave_that_does_not_cover_the_second_goodbye_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "leave_bound", lambda interval: interval + parameters.LEAVE_SLACK)
    noticed_by(lambda: test_segment.test_a_goodbye_that_is_lost_leaves_no_moment_without_an_owner(1), "never nowhere")


def test_unready_standbys_that_do_not_wait_longer_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router.Router, "_reluctance", 0.0)
    noticed_by(test_segment.test_a_ready_standby_goes_before_an_unready_one_of_higher_priority, "")


def test_an_address_dropped_at_the_goodbye_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    sound: property = vars(router.Router)["holds"]
    broken = property(lambda self: not isinstance(self.state, states.Leaving) and sound.__get__(self))
    monkeypatch.setattr(router.Router, "holds", broken)
    noticed_by(test_segment.test_an_orderly_stop_leaves_no_moment_without_an_owner, "never nowhere")

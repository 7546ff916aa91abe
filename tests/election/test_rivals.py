"""After a heal the winner announces, however the first words cross, and a rival that is deaf makes no flood."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from haman.election.effects import Advertise, Announce, Rivalled
from haman.election.events import Event, Tick
from haman.model.transition import Role
from tests.election.support import FAULT, FINE, HIGH, HIGH6, LOW, SELF6, active, heard, said, standby

if TYPE_CHECKING:
    from haman.election.router import Router

OTHER = "10.0.0.77"


@pytest.mark.parametrize("word", [heard(50), heard(0)], ids=["an advertisement", "a goodbye"])
def test_the_first_word_of_a_rival_is_answered_at_once(word: Event) -> None:
    """Also right after the takeover: the rival may have announced later than we did."""
    assert said(active().handle(word, 10.001)) == "advertise 100, announce"


def test_the_loser_lets_the_winner_know() -> None:
    """When the winner's advertisement crosses first, this is the only word of the loser that the winner hears."""
    assert said(active().handle(heard(150), 10.5)) == "advertise 100, active -> standby (priority_higher)"


def test_a_rival_that_cannot_hear_us_makes_no_flood() -> None:
    """It goes on each second; it is answered each time, and announced against once per Active_Down_Interval."""
    serving = active()
    announced = []
    for tenth in range(101, 301):
        now = tenth / 10
        effects = serving.handle(heard(50), now) if tenth % 10 == 0 else []
        if serving.deadline is not None and serving.deadline <= now:
            effects += serving.handle(Tick(), now)
        if "announce" in said(effects):
            announced.append(now)
    assert announced == [11.0, 13.7, 17.4, 21.1, 24.8, 28.5]


def test_every_rival_is_announced_against() -> None:
    serving = active()
    assert said(serving.handle(heard(50, HIGH), 10.5)) == "advertise 100, announce"
    assert said(serving.handle(heard(50, OTHER), 10.75)) == "advertise 100, announce"
    assert said(serving.handle(heard(50, HIGH), 11.0)) == "advertise 100"
    assert said(serving.handle(heard(50, OTHER), 11.25)) == "advertise 100"
    assert said(serving.handle(heard(50, LOW), 11.5)) == "advertise 100, announce"


def test_many_rivals_do_not_put_the_limit_off() -> None:
    serving = active((heard(50, HIGH), 10.5), (heard(50, OTHER), 11.5), (heard(50, LOW), 12.5))
    assert said(serving.handle(heard(50, HIGH), 13.6)) == "advertise 100"
    assert said(serving.handle(Tick(), 13.609375)) == "announce"
    assert said(serving.handle(heard(50, HIGH), 14.0)) == "advertise 100"
    assert said(serving.handle(heard(50, OTHER), 14.0)) == "advertise 100, announce"


def test_the_last_word_is_ours() -> None:
    """A rival that is restarted soon after its first word has announced again; it is answered as soon as the limit
    allows, once for all that was said, and that is the end of it."""
    serving = active((heard(50, HIGH), 10.5), (heard(50, HIGH), 11.0), (heard(50, HIGH), 12.0))
    serving.handle(Tick(), 13.0)
    assert serving.deadline == 13.609375
    assert serving.handle(Tick(), 13.609) == []
    assert serving.handle(Tick(), 13.609375) == [Announce(), Rivalled(IPv4Address(HIGH), 50)]
    assert said(serving.handle(Tick(), 14.0)) == "advertise 100"
    assert serving.deadline == 15.0


def test_what_is_owed_is_paid_after_a_leave_that_was_taken_back() -> None:
    serving = active((heard(50, HIGH), 10.5), (heard(50, HIGH), 11.0), (FAULT, 11.5))
    assert said(serving.handle(FINE, 11.6)) == "advertise 100, announce"


def test_more_rivals_than_are_answered_at_once_are_answered_together() -> None:
    serving = active(*((heard(50, f"10.0.1.{number}"), 10.5) for number in range(40)))
    serving.handle(Tick(), 11.0)
    serving.handle(Tick(), 12.0)
    serving.handle(Tick(), 13.0)
    effects = serving.handle(Tick(), 13.609375)
    assert effects.count(Announce()) == 1
    assert sum(isinstance(effect, Rivalled) for effect in effects) == 16


def test_a_rival_is_known_by_name_afterwards() -> None:
    serving = active((heard(50), 10.5))
    assert serving.peer is not None
    assert (str(serving.peer.address), serving.peer.priority) == (HIGH, 50)


def test_a_rival_is_told_of_as_often_as_it_is_announced_against() -> None:
    serving = active()
    told = [
        (now, effect)
        for now in (10.5, 11.0, 12.0, 13.0, 14.5)
        for effect in serving.handle(heard(50), now)
        if isinstance(effect, Rivalled)
    ]
    assert told == [(10.5, Rivalled(IPv4Address(HIGH), 50)), (14.5, Rivalled(IPv4Address(HIGH), 50))]


def test_one_that_leaves_or_wins_is_no_rival() -> None:
    for word in (heard(0), heard(150)):
        assert not any(isinstance(effect, Rivalled) for effect in active().handle(word, 10.5))


def test_a_rival_is_a_split_once_a_role_has_had_its_time_to_change_hands() -> None:
    """Active_Down_Interval: 3.609375 s after the takeover at 10. It lasts four intervals after the last word."""
    serving = active((Tick(), 11.0), (Tick(), 12.0), (Tick(), 13.0), (heard(50, HIGH), 13.5))
    assert serving.rival is None
    serving.handle(Tick(), 13.609375)
    serving.handle(heard(50, HIGH), 14.5)
    assert serving.rival is not None
    assert str(serving.rival.address) == HIGH
    for tick in (15.5, 16.5, 17.5):
        serving.handle(Tick(), tick)
    assert serving.rival is not None
    serving.handle(Tick(), 18.5)
    assert serving.rival is None


def test_one_that_only_was_active_is_no_split() -> None:
    """It confesses with the lowest priority, so that it is announced against."""
    serving = active((Tick(), 11.0), (Tick(), 12.0), (Tick(), 13.0), (heard(1, HIGH), 14.0))
    assert serving.role is Role.ACTIVE
    assert serving.rival is None


def heir() -> Router:
    """HIGH said goodbye at 9.5; at priority 100 the skew is over at 10.109375."""
    taken = standby((heard(150, HIGH), 9.0), (heard(0, HIGH), 9.5))
    assert said(taken.handle(Tick(), 10.109375)) == "advertise 100, standby -> active (active_left), announce"
    return taken


def test_who_gave_the_role_and_says_that_it_was_there_is_no_news() -> None:
    """The takeover was announced after its goodbye: it is answered as the RFC asks, and is no rival."""
    serving = heir()
    assert serving.handle(heard(1, HIGH), 10.11) == [Advertise(100)]
    assert serving.handle(heard(1, HIGH6, own=SELF6, leads=False), 10.111) == [Advertise(100)], "over both families"
    assert serving.rival is None


def test_but_it_is_after_our_second_word_or_from_another_or_at_another_priority() -> None:
    """After a lost first word it may have announced later than we did; another one knew nothing of us."""
    for word, at in ((heard(1, HIGH), 11.2), (heard(1, LOW), 10.11), (heard(2, HIGH), 10.11), (heard(0, HIGH), 10.11)):
        assert said(heir().handle(word, at)) == "advertise 100, announce", word


def test_whoever_took_a_silent_role_is_told_by_the_one_that_was_there() -> None:
    """Nobody gave it the role, so whoever says that it was there was believed on the other side of a cut."""
    assert said(active().handle(heard(1, HIGH), 10.1)) == "advertise 100, announce"

"""After a heal the winner announces, however the first words cross, and a rival that is deaf makes no flood."""

from __future__ import annotations

import pytest

from haman.election.events import Event, Tick
from tests.election.support import HIGH, LOW, active, heard, said

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
        if tenth % 10 == 0 and "announce" in said(serving.handle(heard(50), now)):
            announced.append(now)
        if serving.deadline is not None and serving.deadline <= now:
            serving.handle(Tick(), now)
    assert announced == [11.0, 14.0, 18.0, 22.0, 26.0, 30.0]


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
    assert said(serving.handle(heard(50, HIGH), 13.609375)) == "advertise 100, announce"
    assert said(serving.handle(heard(50, HIGH), 14.0)) == "advertise 100"
    assert said(serving.handle(heard(50, OTHER), 14.0)) == "advertise 100, announce"


def test_a_rival_is_known_by_name_afterwards() -> None:
    serving = active((heard(50), 10.5))
    assert serving.peer is not None
    assert (str(serving.peer.address), serving.peer.priority) == (HIGH, 50)

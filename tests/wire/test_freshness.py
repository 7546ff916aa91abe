"""Numbers made of the clock: later ones after earlier ones, whatever the clock does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haman.wire.freshness import SENDERS, Marks, Sequence, of_clock, skew

NOON = 1_800_000_000.25


def test_seconds_fraction_and_counter_have_their_places() -> None:
    assert of_clock(NOON) == 0x6B49_D200_4000_0000


def test_within_one_moment_numbers_count_and_with_the_clock_they_jump() -> None:
    sequence = Sequence()
    assert [sequence.next(NOON, 5.0) - of_clock(NOON) for _ in range(3)] == [0, 1, 2]
    assert sequence.next(NOON + 1, 5.0) == of_clock(NOON + 1)


def test_a_clock_that_was_set_back_a_little_is_waited_for_and_a_lot_is_followed() -> None:
    sequence = Sequence()
    first = sequence.next(NOON, 5.0)
    assert sequence.next(NOON - 4, 5.0) == first + 1
    assert sequence.next(NOON - 3600, 5.0) == of_clock(NOON - 3600)


def test_without_a_window_it_never_goes_back() -> None:
    sequence = Sequence()
    first = sequence.next(NOON, None)
    assert sequence.next(NOON - 3600, None) == first + 1


def test_the_wrap_of_the_seconds_is_no_event() -> None:
    wrap = float(1 << 32)
    sequence, marks = Sequence(), Marks()
    for wall in (wrap - 1, wrap, wrap + 1):
        assert marks.take("lb1", sequence.next(wall, 5.0), wall, 5.0)
    assert skew(of_clock(wrap - 1), wrap + 1) == 2


def test_a_mark_beyond_the_window_forbids_nothing() -> None:
    """A sender whose clock was an hour ahead, and was set right."""
    marks = Marks()
    assert marks.take("lb1", of_clock(NOON + 3600), NOON + 3600, 5.0)
    assert marks.take("lb1", of_clock(NOON), NOON, 5.0)
    assert not marks.take("lb1", of_clock(NOON), NOON, 5.0)
    assert marks.take("lb2", of_clock(NOON), NOON, 5.0)


def test_without_a_window_a_mark_holds_for_ever() -> None:
    marks = Marks()
    assert marks.take("lb1", of_clock(NOON + 3600), NOON, None)
    assert not marks.take("lb1", of_clock(NOON), NOON, None)


def test_no_more_senders_are_remembered_than_there_is_room_for() -> None:
    marks = Marks()
    for number in range(SENDERS + 1):
        assert marks.take(number, of_clock(NOON), NOON, None)
    assert marks.take(0, of_clock(NOON), NOON, None), "the oldest was forgotten"
    assert not marks.take(SENDERS, of_clock(NOON), NOON, None)


@given(st.lists(st.floats(-4, 4), max_size=50))
def test_whatever_the_clock_does_within_the_window_nothing_is_refused(steps: list[float]) -> None:
    sequence, marks, wall = Sequence(), Marks(), NOON
    for step in steps:
        wall = max(NOON - 2, min(NOON + 2, wall + step))
        assert marks.take("lb1", sequence.next(wall, 5.0), wall, 5.0)

from __future__ import annotations

from haman.director.trackers.judge import Judge, Look
from haman.model.trackers import Standing, Verdict

GOOD, BAD = Look(True, "answered"), Look(False, "no answer")
UP = Verdict(standing=Standing.UP, why="answered")


def judge(rise: int = 2, fall: int = 3) -> Judge:
    return Judge(rise=rise, fall=fall)


def test_the_first_look_counts_at_once() -> None:
    good, bad = judge(), judge()
    assert good.take(GOOD)
    assert good.verdict == UP
    assert bad.take(BAD)
    assert bad.verdict == Verdict(standing=Standing.DOWN, why="no answer")


def test_as_many_failures_in_a_row_as_fall_says() -> None:
    one = judge()
    assert [one.take(look) for look in (GOOD, BAD, BAD, GOOD, BAD, BAD)] == [True, *[False] * 5]
    assert one.verdict == UP
    assert one.take(BAD)
    assert one.verdict == Verdict(standing=Standing.DOWN, why="3 of 3 failed: no answer")


def test_as_many_good_ones_as_rise_says() -> None:
    one = judge()
    assert [one.take(look) for look in (BAD, GOOD, BAD, GOOD)] == [True, False, False, False]
    assert one.take(GOOD)
    assert one.verdict == Verdict(standing=Standing.UP, why="2 of 2 good: answered")


def test_other_words_for_the_same_are_no_news_but_another_number_is() -> None:
    one = judge(1, 1)
    assert one.take(Look(False, "holds 3", 3))
    assert not one.take(Look(False, "holds 3 still", 3))
    assert one.take(Look(False, "holds 4", 4))
    assert one.verdict == Verdict(standing=Standing.DOWN, why="holds 4", number=4)

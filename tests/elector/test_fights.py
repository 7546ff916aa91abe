from __future__ import annotations

from haman.elector.fights import Fights


def test_a_few_deletions_are_undone_at_once() -> None:
    fights = Fights()
    for step in range(4):
        assert fights.rest("public", step * 0.01) == 0.0
        assert not fights.repaired("public", step * 0.01)


def test_the_fifth_in_ten_seconds_is_a_fight_and_takes_its_time() -> None:
    fights = Fights()
    assert [fights.repaired("public", step * 2.0) for step in range(5)] == [False] * 4 + [True]
    assert round(fights.rest("public", 8.0), 6) == 0.1
    assert round(fights.rest("public", 8.06), 6) == 0.04
    assert fights.rest("public", 8.2) == 0.0
    assert fights.rest("inner", 8.0) == 0.0, "each router by itself"


def test_it_is_forgotten_after_ten_seconds() -> None:
    fights = Fights()
    for step in range(5):
        fights.repaired("public", step * 0.1)
    assert fights.rest("public", 10.5) == 0.0
    assert not fights.repaired("public", 10.5)


def test_the_role_is_offered_again_with_every_fifth() -> None:
    fights = Fights()
    fifth = [False] * 4 + [True]
    assert [fights.repaired("public", 1 + step * 0.1) for step in range(10)] == fifth + fifth

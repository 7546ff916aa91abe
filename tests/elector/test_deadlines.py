from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haman.elector.deadlines import SPARE, Deadlines

NAMES = st.sampled_from("abcde")
TIMES = st.one_of(st.none(), st.integers(0, 9).map(float))


@given(st.lists(st.one_of(st.tuples(NAMES, TIMES), st.integers(0, 9).map(float))))
def test_it_is_what_a_dictionary_would_say(steps: list[tuple[str, float | None] | float]) -> None:
    """A step sets a name's time, or takes those that are due."""
    deadlines = Deadlines()
    plain: dict[str, float] = {}
    for step in steps:
        if isinstance(step, tuple):
            name, at = step
            deadlines.set(name, at)
            plain = {known: each for known, each in plain.items() if known != name}
            if at is not None:
                plain[name] = at
        else:
            taken = deadlines.take_due(step)
            assert sorted(taken) == sorted(name for name, at in plain.items() if at <= step)
            assert [plain[name] for name in taken] == sorted(plain[name] for name in taken)
            plain = {name: at for name, at in plain.items() if at > step}
        assert deadlines.earliest == min(plain.values(), default=None)


def test_what_is_set_again_and_again_takes_no_room() -> None:
    deadlines = Deadlines()
    for step in range(10_000):
        deadlines.set("one", float(step))
    assert len(deadlines._heap) <= SPARE + 3
    assert deadlines.take_due(9998.0) == []
    assert deadlines.take_due(9999.0) == ["one"]
    assert deadlines.earliest is None

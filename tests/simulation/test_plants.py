"""The simulation finds what is wrong: one fault is put into haman at a time, and the stories that were written down, or
a few from seeds, are enough to see it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from haman.simulation import fate
from haman.simulation.play import play
from haman.simulation.story import parse
from tests.simulation.plants import PLANTS
from tests.simulation.test_scenarios import FILES

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

SEEDS = range(1, 60)


@pytest.mark.parametrize(("plant", "invariants"), PLANTS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_it_is_found(plant: Callable[[], AbstractContextManager[Any]], invariants: tuple[str, ...]) -> None:
    stories = chain((parse(file.read_text()) for file in FILES), map(fate.story, SEEDS))
    with plant():
        found = next((played for story in stories if (played := play(story)).violation), None)
    assert found is not None, "no story showed it"
    assert found.invariant in invariants, found.violation

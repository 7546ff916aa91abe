"""Parsers of what comes from outside: nothing raises but their refusal, and nothing is taken that a second, strict
reading refuses or reads otherwise.

The same inputs with every run, as many as time allows; their number and seed stand at the end of pytest's output.
`make fuzz` takes fresh ones, for as long as one likes.
"""

from __future__ import annotations

import random

import pytest

from tests.fuzz.conftest import COUNTS, SEED
from tests.fuzz.mutate import mutated
from tests.fuzz.run import Finding, fuzz, judge
from tests.fuzz.targets import TARGETS, Target

INPUTS, SECONDS = 50_000, 2.0
"""For each target: whichever is over first."""

by_name = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@by_name
def test_two_readings_agree(target: Target) -> None:
    COUNTS[target.name] = count = fuzz(target, SEED, inputs=INPUTS, seconds=SECONDS)
    assert count.taken > 0, "what is always refused tests nothing"


@by_name
def test_what_is_valid_is_taken_by_both(target: Target) -> None:
    """At least the first of the vectors; and the second reading refuses none that haman takes."""
    assert judge(target, target.vectors[0]) or judge(target, target.vectors[-1])
    for vector in target.vectors:
        judge(target, vector)


@by_name
def test_a_parser_that_takes_too_much_is_found(target: Target) -> None:
    """It takes what it should refuse, as the first valid input would be read."""
    usual = target.read(target.vectors[0]) or target.read(target.vectors[-1])
    careless = Target(target.name, target.vectors, lambda data: target.read(data) or usual, target.again, target.repair)
    with pytest.raises(Finding, match="the second time as"):
        fuzz(careless, SEED, inputs=5_000, seconds=60.0)


def test_a_parser_that_raises_is_found() -> None:
    careless = Target("careless", [b"abcd"], lambda data: data[3], lambda data: data[3])
    with pytest.raises(Finding, match="IndexError"):
        fuzz(careless, SEED, inputs=5_000, seconds=60.0)


def test_a_parser_that_does_not_end_is_found() -> None:
    def read(data: bytes) -> None:
        while data:
            pass

    with pytest.raises(Finding, match="does not come to an end"):
        fuzz(Target("endless", [b"abcd"], read, read), SEED, inputs=5_000, seconds=60.0, patience=0.1)


def test_a_seed_gives_the_same_inputs() -> None:
    def inputs(seed: int) -> list[bytes]:
        chance = random.Random(seed)
        return [mutated(chance, TARGETS[0].vectors) for _ in range(100)]

    assert inputs(1) == inputs(1) != inputs(2)

from __future__ import annotations

import os

import pytest

from haman.lab.processors import reserved


@pytest.fixture(autouse=True)
def two_processors(monkeypatch):
    """Numbers no real machine has, so that a laboratory running beside this test does not hold them."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {900001, 900002})


def test_each_machine_gets_a_processor_of_its_own_and_the_last_one_none():
    with reserved() as first, reserved() as second, reserved() as third:
        assert (first, second, third) == (900002, 900001, None)


def test_a_processor_is_free_again_afterwards():
    with reserved() as first:
        pass
    with reserved() as second:
        assert second == first == 900002

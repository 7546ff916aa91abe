from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.health.cadence import detection_time, next_due
from tests.health.support import CHECK


@pytest.mark.parametrize(
    ("in_doubt", "first", "draw", "jitter", "ended", "expected"),
    [
        (False, False, 0.5, 0.0, 10.1, 12.0),
        (True, False, 0.5, 0.0, 10.1, 10.5),
        (False, False, 0.0, 0.1, 10.1, 11.8),
        (False, False, 0.75, 0.1, 10.1, 12.1),
        (True, False, 0.5, 0.0, 11.0, 11.0),  # the check took longer than the fast interval: at once, never twice
        (False, True, 0.25, 0.0, 10.1, 10.5),  # spread over the interval after the start
        (False, True, 0.0, 0.0, 10.1, 10.1),
        (True, True, 0.25, 0.0, 10.1, 10.5),
    ],
)
def test_next_due(in_doubt: bool, first: bool, draw: float, jitter: float, ended: float, expected: float) -> None:
    check = replace(CHECK, jitter=jitter)
    assert next_due(check, 10.0, ended, in_doubt=in_doubt, first=first, draw=draw) == pytest.approx(expected)


def test_a_fast_interval_longer_than_the_interval_is_not_used() -> None:
    check = replace(CHECK, interval=0.2, fast_interval=5.0)
    assert next_due(check, 10.0, 10.0, in_doubt=True, first=False, draw=0.5) == pytest.approx(10.2)


@pytest.mark.parametrize(
    ("interval", "fast", "timeout", "fall", "jitter", "expected"),
    [
        (2.0, 0.5, 1.0, 3, 0.0, 5.0),  # 2 + 1 + 1 + 1: timeouts are longer than the fast interval
        (1.0, 0.5, 0.2, 3, 0.0, 2.2),  # 1 + 0.5 + 0.5 + 0.2
        (1.0, 0.5, 0.2, 1, 0.0, 1.2),
        (1.0, 0.5, 0.2, 2, 0.1, 1.85),  # 1.1 + 0.55 + 0.2
    ],
)
def test_detection_time(
    interval: float, fast: float, timeout: float, fall: int, jitter: float, expected: float
) -> None:
    check = replace(CHECK, interval=interval, fast_interval=fast, timeout=timeout, fall=fall, jitter=jitter)
    assert detection_time(check) == pytest.approx(expected)


@given(
    interval=st.floats(0.1, 60),
    fast=st.floats(0.1, 60),
    timeout=st.floats(0.01, 10),
    jitter=st.floats(0, 0.5),
    fall=st.integers(1, 6),
    draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=10, max_size=10),
)
def test_no_schedule_exceeds_the_detection_time(
    interval: float, fast: float, timeout: float, jitter: float, fall: int, draws: list[float]
) -> None:
    """A server that freezes right after an answer at time 0, asked by `next_due`, is down within the bound."""
    check = replace(CHECK, interval=interval, fast_interval=fast, timeout=timeout, jitter=jitter, fall=fall)
    due = next_due(check, 0.0, 0.0, in_doubt=False, first=False, draw=draws[0])
    for failure in range(1, fall + 1):
        ended = due + timeout
        if failure < fall:
            due = next_due(check, due, ended, in_doubt=True, first=False, draw=draws[failure])
    assert ended <= detection_time(check) + 1e-9

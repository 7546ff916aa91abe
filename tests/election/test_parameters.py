from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.election import parameters


@pytest.mark.parametrize(
    ("priority", "interval", "skew", "active_down"),
    [
        # RFC 9568, section 6.1, worked by hand: skew = (256 - priority) * interval / 256
        (100, 1.0, 0.609375, 3.609375),
        (255, 1.0, 0.00390625, 3.00390625),
        (254, 1.0, 0.0078125, 3.0078125),
        (1, 1.0, 0.99609375, 3.99609375),
        (150, 0.1, 0.04140625, 0.34140625),
        (100, 0.01, 0.00609375, 0.03609375),
        (100, 40.95, 24.95390625, 147.80390625),
    ],
)
def test_skew_and_active_down(priority: int, interval: float, skew: float, active_down: float) -> None:
    assert parameters.skew(priority, interval) == pytest.approx(skew, abs=1e-12)
    assert parameters.active_down(priority, interval) == pytest.approx(active_down, abs=1e-12)


def test_patience_is_what_the_best_peer_has_at_least() -> None:
    assert parameters.patience(1.0) == 3.0
    assert parameters.patience(0.01) == 0.03
    assert parameters.patience(1.0) < parameters.active_down(255, 1.0)


def test_the_longest_patience_is_what_no_peer_has() -> None:
    assert parameters.longest_patience(1.0) == 4.0
    assert parameters.active_down(1, 1.0) < 4.0
    assert parameters.active_down(1, 1.0, version=2) < 4.0


def test_a_leaving_router_waits_longer_than_its_second_goodbye_and_any_skew() -> None:
    assert parameters.leave_bound(1.0) == 2.5
    assert parameters.leave_bound(0.01) == 0.52


@given(st.integers(1, 255), st.integers(1, 4095))
def test_no_skew_reaches_one_interval(priority: int, centiseconds: int) -> None:
    """What the leave bound and the cadence of goodbyes rest on."""
    interval = centiseconds / 100
    assert 0 < parameters.skew(priority, interval) < interval


@given(st.integers(1, 254), st.integers(1, 4095))
def test_the_better_router_is_the_less_patient(priority: int, centiseconds: int) -> None:
    interval = centiseconds / 100
    assert parameters.active_down(priority + 1, interval) < parameters.active_down(priority, interval)


@pytest.mark.parametrize(
    ("priority", "penalty", "effective"),
    [(100, 0, 100), (100, 60, 40), (100, 99, 1), (100, 100, 1), (100, 1000, 1), (254, 1, 253), (255, 100, 255)],
)
def test_effective(priority: int, penalty: int, effective: int) -> None:
    assert parameters.effective(priority, penalty) == effective

from __future__ import annotations

import time

import pytest

from haman.cli.times import precise, since, until

NOW = time.mktime((2026, 11, 22, 14, 30, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("10m", 600),
        ("1.5h", 5400),
        ("2d", 172800),
        ("30s", 30),
        ("14:05", 1500),
        ("14:29:30", 30),
        ("14:31", 86400 - 60),
        ("2026-11-22 14:00", 1800),
        ("2026-11-22T14:00:10", 1790),
        ("2026-11-22", 14 * 3600 + 1800),
    ],
)
def test_when_an_operator_means(text: str, ago: float) -> None:
    assert since(text, NOW) == NOW - ago


@pytest.mark.parametrize("text", ["", "yesterday", "10", "10x", "25:00", "-5m"])
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time: write 10m, 2h, 14:05 or 2026-11-22 14:05"):
        since(text, NOW)


@pytest.mark.parametrize(
    ("text", "ahead"),
    [
        ("10m", 600),
        ("+1.5h", 5400),
        ("14:31", 60),
        ("14:30:30", 30),
        ("14:30", 86400),
        ("02:30", 12 * 3600),
        ("2026-11-23 14:30", 86400),
        ("2026-11-22 14:00", -1800),
    ],
)
def test_when_an_operator_wants_it(text: str, ahead: float) -> None:
    assert until(text, NOW) == NOW + ahead


def test_yesterday_may_be_in_another_year_or_have_another_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        new_year = time.mktime((2027, 1, 1, 1, 0, 0, 0, 0, -1))
        assert time.strftime("%F %T", time.localtime(since("22:15", new_year))) == "2026-12-31 22:15:00"
        morning = time.mktime((2026, 10, 25, 8, 0, 0, 0, 0, -1))  # summer time has ended in this night
        assert time.strftime("%F %T", time.localtime(since("22:15", morning))) == "2026-10-24 22:15:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_tomorrow_may_be_in_another_year_or_have_another_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        last = time.mktime((2026, 12, 31, 23, 0, 0, 0, 0, -1))
        assert time.strftime("%F %T", time.localtime(until("02:30", last))) == "2027-01-01 02:30:00"
        evening = time.mktime((2026, 10, 24, 20, 0, 0, 0, 0, -1))  # summer time ends in that night
        assert until("06:00", evening) == evening + 11 * 3600
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "tonight", "10", "25:00", "-5m", "2026-13-01 02:30"])
def test_no_time_to_come(text: str) -> None:
    with pytest.raises(ValueError, match="is no time: write 10m, 2h, 02:30 or 2026-11-23 02:30"):
        until(text, NOW)


def test_to_the_millisecond() -> None:
    assert precise(NOW + 0.25, NOW) == "14:30:00.250"

"""What shows that a question was asked of this director, in this life, just now."""

from __future__ import annotations

from haman.director.echo import Echo


def test_what_was_said_in_the_last_five_seconds_shows_it() -> None:
    echo = Echo(life=7)
    echo.said(1, 10.0)
    echo.said(2, 12.0)
    assert echo.shows(7, 1, 15.0)
    assert not echo.shows(7, 1, 15.1)
    assert echo.shows(7, 2, 17.0)
    assert not echo.shows(7, 2, 17.1)


def test_another_life_or_a_number_that_was_never_said_shows_nothing() -> None:
    echo = Echo(life=7)
    assert not echo.shows(7, 0, 10.0)
    echo.said(4, 10.0)
    assert not echo.shows(6, 4, 10.1)
    assert not echo.shows(7, 3, 10.1)
    assert not echo.shows(7, 5, 10.1)

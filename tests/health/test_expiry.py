from __future__ import annotations

from haman.health import expiry
from haman.model.transition import Kind

DAY = 86400.0
NOW = 1.7e9


def test_nothing_is_told_while_it_holds() -> None:
    assert expiry.transition("10.0.0.11:443", None, NOW + 15 * DAY, NOW, 14 * DAY) is None
    assert expiry.transition("10.0.0.11:443", "valid", NOW + 15 * DAY, NOW, 14 * DAY) is None


def test_it_is_told_once_that_it_ends_and_once_that_it_was_renewed() -> None:
    told = expiry.transition("10.0.0.11:443", None, NOW + 13 * DAY, NOW, 14 * DAY)
    assert told is not None
    assert (told.kind, told.before, told.after, told.cause) == (
        Kind.CERTIFICATE,
        "valid",
        "ending",
        "certificate_ending",
    )
    assert told.why == "the server's certificate ends in 13 days"
    assert expiry.transition("10.0.0.11:443", "ending", NOW + 12 * DAY, NOW, 14 * DAY) is None
    renewed = expiry.transition("10.0.0.11:443", "ending", NOW + 90 * DAY, NOW, 14 * DAY)
    assert renewed is not None
    assert (renewed.before, renewed.after, renewed.cause) == ("ending", "valid", "certificate_renewed")


def test_it_can_be_turned_off() -> None:
    assert expiry.transition("10.0.0.11:443", None, NOW - DAY, NOW, 0.0) is None


def test_words() -> None:
    assert expiry.words(6.54 * DAY) == "the server's certificate ends in 6.5 days"
    assert expiry.words(-2 * DAY) == "the server's certificate ended 2.0 days ago"

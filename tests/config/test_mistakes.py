"""How mistakes are printed."""

from __future__ import annotations

import pytest

from haman.config.mistakes import Mistake, Spot, dotted, quoted, shown
from haman.config.source import Source


def picture(text: str, spot: Spot) -> str:
    return Mistake(Source("f", text), spot, (), "what", "cure").picture()


def test_one_line_says_where_what_and_the_cure() -> None:
    mistake = Mistake(Source("f.yaml", ""), Spot(12, 16), ("services", "web", "ports", 1), "it is odd", "make it even")
    assert str(mistake) == "f.yaml:12:16: services.web.ports[1]: it is odd; make it even"


def test_a_warning_says_so() -> None:
    assert str(Mistake(Source("f", ""), Spot(1, 1), (), "odd", "even", warning=True)) == "f:1:1: warning: odd; even"


def test_the_caret_is_under_the_word() -> None:
    assert picture("a: 1\nbcd: efg\n", Spot(2, 6, 3)) == "    2 | bcd: efg\n      |      ^^^"


def test_a_word_that_goes_on_in_the_next_line_is_marked_to_the_end() -> None:
    assert picture('a: "b\n  c"', Spot(1, 4, 0)) == '    1 | a: "b\n      |    ^^'


def test_tabs_and_wide_letters_keep_their_width() -> None:
    assert picture("\tログ: xy", Spot(1, 6, 2)) == "    1 | \tログ: xy\n      | \t      ^^"


def test_of_a_long_line_only_the_surroundings() -> None:
    shown_line, caret = picture("x" * 500 + "word" + "y" * 500, Spot(1, 501, 4)).splitlines()
    assert "word" in shown_line
    assert len(shown_line) < 130
    assert caret.index("^") == shown_line.index("word")


@pytest.mark.parametrize("spot", [Spot(9, 1), Spot(1, 400), Spot(2, 1)])
def test_places_that_are_not_in_the_text(spot: Spot) -> None:
    picture("a: 1\n\n", spot)


def test_what_is_printed_cannot_play_with_the_terminal() -> None:
    assert quoted("\x1b[31m\u202e") == "'\\x1b[31m\\u202e'"
    assert quoted("a" * 70) == "'" + "a" * 57 + "...'"
    assert dotted(("a", "b.c", 0, "\x1b")) == 'a."b.c"[0]."\\x1b"'
    assert len(dotted(tuple("abcdefghij" * 100))) == 160


def test_values_in_words() -> None:
    assert [shown(value) for value in (None, True, 5, 1.5, "x", {}, [])] == [
        "nothing", "true", "5", "1.5", "'x'", "a mapping", "a list",
    ]  # fmt: skip

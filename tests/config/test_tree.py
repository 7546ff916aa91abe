"""What YAML means to haman, and that no text is too strange for it."""

from __future__ import annotations

import time

import pytest

from haman.config import source, tree


def grown(text: str) -> tree.Tree:
    return tree.grow(source.from_text(text, "f"))


def value(text: str) -> object:
    found = grown(text)
    assert not found.mistakes
    assert found.root
    return found.root.value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("22:22", "22:22"),
        ("190:20:30", "190:20:30"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("012", "012"),
        ("0o14", "0o14"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1,000", "1,000"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01 10:00:00", "2026-01-01 10:00:00"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("=", "="),
        ("<<", "<<"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.100/24", "10.0.0.100/24"),
        ("2001:db8::1", "2001:db8::1"),
        ("50%", "50%"),
        ("+", "+"),
        ("--5", "--5"),
        ("99999999999999999999", "99999999999999999999"),
        ("9" * 5000, "9" * 5000),
        ("1e999", "1e999"),
        ("0", 0),
        ("80", 80),
        ("-1", -1),
        ("+7", 7),
        ("0x10", 16),
        ("0x68616D61", 1751215457),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'80'", "80"),
        ('"true"', "true"),
        ("''", ""),
        ("|\n  80", "80"),
    ],
)
def test_a_word_means_what_it_looks_like(written: str, meant: object) -> None:
    found = value(f"a: {written}")
    assert found == {"a": meant}
    assert type(found["a"]) is type(meant)  # type: ignore[index]


def test_a_number_with_a_fraction_remembers_how_it_was_written() -> None:
    number = value("1.10")
    assert number == 1.1
    assert str(number) == "1.10"


def test_keys_are_text_whatever_they_look_like() -> None:
    assert value("{80: a, true: b, on: c, null: d, 1.10: e, 012: f, ~: g}") == {
        "80": "a", "true": "b", "on": "c", "null": "d", "1.10": "e", "012": "f", "~": "g",
    }  # fmt: skip


def test_what_is_merged_gives_way_to_what_is_written() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 9}\nd: {<<: *a}\n"
    found = value(text)
    assert found["c"] == {"x": 9, "y": 2, "z": 4}  # type: ignore[index]
    assert found["d"] == {"x": 1, "y": 2}  # type: ignore[index]


def test_a_quoted_merge_key_is_a_key() -> None:
    assert value("{'<<': {a: 1}}") == {"<<": {"a": 1}}


def test_places_are_those_of_an_editor() -> None:
    found = grown("a:\r\n  - b: 1\r\n    größe: 'zwölf'\r\n")
    assert found.spot(("a", 0, "b")) == (spot := found.spot(("a", 0, "b")))
    assert (spot.line, spot.column, spot.width) == (2, 8, 1)
    spot = found.spot(("a", 0, "größe"))
    assert (spot.line, spot.column, spot.width) == (3, 12, 7)
    spot = found.spot(("a", 0, "größe"), at_key=True)
    assert (spot.line, spot.column, spot.width) == (3, 5, 5)


def test_the_place_of_what_is_missing_is_the_key_it_is_missing_under() -> None:
    found = grown("a:\n  b:\n    c: 1\n")
    spot = found.spot(("a", "b", "d"))
    assert (spot.line, spot.column) == (2, 3)
    assert found.value(("a", "b", "d")) is None
    assert not found.has(("a", "b", "d"))
    assert found.has(("a", "b", "c"))


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? ", "{a: ", "[[{x: "])
def test_brackets_without_end_are_refused_at_once(opening: str) -> None:
    """PyYAML's own composer dies by SIGSEGV on these."""
    begun = time.process_time()
    found = grown(opening * 500_000)
    assert found.root is None
    assert "nested more than 24 levels deep" in str(found.mistakes[-1])
    assert time.process_time() - begun < 5


def test_aliases_are_followed_only_so_far() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 15)]
    found = grown("\n".join(rows))
    assert found.root is None
    assert "the aliases make more than 1,000,000 values" in str(found.mistakes[-1])


def test_an_alias_that_is_used_twice_is_one_object() -> None:
    """So memory grows with the file, not with what it expands to."""
    found = grown("a: &a {b: [1, 2, 3]}\nc: *a\nd: *a\n")
    assert found.root
    assert found.root.value["c"] is found.root.value["d"]


def test_syntax_ends_the_reading_and_other_mistakes_do_not() -> None:
    found = grown("a: 1\na: 2\nb: !!str 3\nc: *d\ne: [1\n")
    assert [(mistake.spot.line, mistake.spot.column) for mistake in found.mistakes] == [(2, 1), (3, 4), (4, 4), (5, 4)]

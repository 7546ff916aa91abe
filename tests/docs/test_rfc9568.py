"""docs/reference/rfc9568.md has a row for every requirement of RFC 9568, and every test it names is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/reference/rfc9568.md").read_text(encoding="utf-8")
ROWS = [tuple(line.strip("| ").split(" | ")) for line in re.findall(r"^\| \d.*\|$", PAGE, re.MULTILINE)]
NODES = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
NODE = re.compile(r"`tests/[\w/]+\.py::\w+`")

OBLIGATIONS = {
    "5.1.1.2": 1, "5.1.1.3": 2, "5.1.2.2": 1, "5.1.2.3": 2, "5.2.2": 1, "5.2.4": 2, "5.2.5": 1, "5.2.6": 2, "5.2.9": 2,
    "6.1": 1, "6.4.1": 2, "6.4.2": 10, "6.4.3": 12,
    "7.1": 8, "7.2": 4, "7.4": 1,
    "8.1.2": 2, "8.1.3": 1, "8.2.2": 4, "8.2.3": 1, "8.4.2": 3,
}  # fmt: skip
"""How many MUST and MUST NOT each section has, the steps of a list that MUST be done counted one by one, and errata
8299, 8300 and 8301 with section 7.1 and 5.2.5."""
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}
VERDICTS = ("yes", "kernel", "partly", "no", "not asked")


def test_every_obligation_has_its_row() -> None:
    counted = Counter(number.rpartition("-")[0] for number, level, *_ in ROWS if level.startswith("MUST"))
    assert counted == OBLIGATIONS


def test_rows_are_numbered_within_their_section() -> None:
    sections: dict[str, list[int]] = {}
    for number, *_ in ROWS:
        section, _, place = number.rpartition("-")
        sections.setdefault(section, []).append(int(place))
    for section, places in sections.items():
        assert places == list(range(1, len(places) + 1)), section


def test_every_row_has_a_level_and_a_verdict() -> None:
    for row in ROWS:
        assert len(row) in (4, 5), row
        assert row[1] in LEVELS, row
        assert re.match(rf"(?:{'|'.join(VERDICTS)})\b", row[3]), row


def test_what_is_claimed_is_shown() -> None:
    """Whatever haman or the kernel does for a MUST has a test."""
    for number, level, _, verdict, *shown in ROWS:
        if level.startswith("MUST") and verdict.startswith(("yes", "kernel", "partly")):
            assert NODE.search(" ".join(shown)), number


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize(("path", "name"), sorted(set(NODES)))
def test_a_named_test_is_there(path: str, name: str) -> None:
    assert (ROOT / path).is_file(), path
    assert name in functions(path)


def test_there_are_many() -> None:
    assert len(set(NODES)) > 40

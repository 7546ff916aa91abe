"""Every broken file of `cases/` says exactly what it should, where it should."""

from __future__ import annotations

import pytest

from tests.config import casebook

CASES = casebook.every()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.book}-{case.title}")
def test_says_what_is_written(case: casebook.Case) -> None:
    assert case.said() == case.expected


def test_titles_are_unique() -> None:
    names = [(case.book, case.title) for case in CASES]
    assert len(names) == len(set(names)) > 80

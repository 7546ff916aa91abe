"""docs/reference/cli.md names every verb, and what it says of them is there."""

from __future__ import annotations

from pathlib import Path

from haman.cli import VERBS
from haman.director.report import document
from tests.director.test_report import view

PAGE = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text()


def test_every_verb_has_its_section() -> None:
    sections = [line.removeprefix("## haman ") for line in PAGE.splitlines() if line.startswith("## haman ")]
    assert sections == list(VERBS)


def test_every_field_of_the_status_is_described() -> None:
    shown = document(view())
    described = PAGE.partition("## haman status")[2].partition("## haman lab")[0]
    for name in (*shown, *shown["routers"][0], *shown["services"][0], *shown["services"][0]["servers"][0]):
        assert f"`{name}" in described, name

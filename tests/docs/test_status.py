"""docs/reference/cli.md names every field of `haman status --json` and of `haman plan --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from haman.cli import plan
from haman.director.foresee import Foreseen
from haman.director.report import document
from tests.director.test_report import view
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")


def section(verb: str) -> str:
    return PAGE.partition(f"\n## haman {verb}\n")[2].partition("\n## ")[0]


def fields(value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            for key, below in each.items():
                yield key
                if key not in ("roles", "waiting", "connections", "sync_daemons"):  # by name
                    yield from fields(below)


@pytest.mark.parametrize(("verb", "answer"), [("status", document(view())), ("plan", plan.plain(Foreseen(), "lb1"))])
def test_every_field_is_named(verb: str, answer: dict[str, Any]) -> None:
    words = section(verb)
    assert [field for field in fields(answer) if f"`{field}`" not in words and f"`{field}[]`" not in words] == []

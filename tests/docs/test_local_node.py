"""What docs/how-to/local-node.md says is refused is refused, in the words that stand there."""

from __future__ import annotations

import json

import pytest

from tests.docs.pages import ROOT
from tests.docs.test_configurations import mistakes, value

PAGE = ROOT / "docs/how-to/local-node.md"
EXAMPLE = ROOT / "etc/examples/local-node.yaml"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text().partition("## What is refused")[2].splitlines()
    if line.startswith("| `")
]


def test_there_are_four() -> None:
    assert len(ROWS) == 4


@pytest.mark.parametrize(("written", "words"), ROWS)
def test_it_is_refused_with_its_reason(written: str, words: str) -> None:
    file = value(EXAMPLE.read_text())
    file["services"]["web"]["servers"] |= value(written.strip("`"))
    (said,) = mistakes(json.dumps(file))
    assert words in said

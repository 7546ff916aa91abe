"""docs/reference/exit-codes.md says of each verb the codes that the verb says of itself."""

from __future__ import annotations

import re

import pytest

from haman.cli import VERBS, parsers
from tests.docs.pages import ROOT

TABLE = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8").partition("## By verb")[2]
ROWS = dict(re.findall(r"^\| `haman ([\w -]+)` \|(.*)\|$", TABLE, re.MULTILINE))


def test_every_verb_has_its_row() -> None:
    assert list(ROWS) == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_its_codes_are_those_of_its_help(verb: str) -> None:
    described = {code for code, words in enumerate(ROWS[verb].split("|")) if words.strip()}
    _, known = parsers([verb])
    said = re.search(r"Exit codes?: (.*)", known[verb].epilog or "")
    assert said, f"haman {verb} --help says nothing of exit codes"
    assert {int(code) for code in re.findall(r"(?:^|, |; )([0-3])\b", said[1])} == described

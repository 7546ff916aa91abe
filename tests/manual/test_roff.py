"""Text and Markdown as roff."""

from __future__ import annotations

import pytest

from haman.manual.roff import inline, markdown


@pytest.mark.parametrize(
    ("text", "roff"),
    [
        ("a-b", "a\\-b"),
        ("C:\\n", "C:\\en"),
        (".TH is no request", "\\&.TH is no request"),
        ("'tis", "\\&'tis"),
        ("`--json`, **all** and *some*", "\\fB\\-\\-json\\fR, \\fBall\\fR and \\fIsome\\fR"),
        ("see [`a.b`](#ab) or [the file](../x.yaml)", "see \\fBa.b\\fR or the file"),
        ("`*a*`", "\\fB*a*\\fR"),
    ],
)
def test_text(text: str, roff: str) -> None:
    assert inline(text) == roff


def test_blocks() -> None:
    page = """\
# Title

<!-- Not for readers. -->

## How it is

Two
lines.

**`key`** (must be given)  
What it is.  
*Example:* `key: 1`

- one
  thing
- another

    a  b
    .c

## `a.b`
"""  # noqa: W291 - two blanks are a line break of Markdown
    assert markdown(page) == [
        '.SH "HOW IT IS"',
        ".PP",
        "Two lines.",
        ".TP",
        "\\fBkey\\fR (must be given)",
        "What it is.",
        ".br",
        "\\fIExample:\\fR \\fBkey: 1\\fR",
        ".IP \\(bu 2",
        "one thing",
        ".IP \\(bu 2",
        "another",
        ".PP",
        ".RS 4",
        ".nf",
        "a  b",
        "\\&.c",
        ".fi",
        ".RE",
        '.SH "a.b"',
    ]

"""The pages of README.md and docs/, and what stands in them: links, code blocks, code in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Found:
    """Some text, and where: `docs/tutorial.md:12`."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def links(page: Path) -> list[Found]:
    """The targets of links that stand outside of code."""
    return _found(page, _LINK, _text(page))


def blocks(page: Path) -> list[Found]:
    """Code blocks, indented by four or fenced, without their indentation."""
    text = page.read_text(encoding="utf-8")
    fenced = [Found(page, _line(text, each.start(2)), each[2]) for each in _FENCED.finditer(text)]
    rest = _FENCED.sub(_blank, text)
    indented = [
        Found(page, _line(text, each.start()), re.sub("^ {4}", "", each[0], flags=re.MULTILINE))
        for each in _INDENTED.finditer(rest)
    ]
    return fenced + indented


def words(page: Path) -> list[Found]:
    """What stands in backticks within the text."""
    return _found(page, _CODE, _text(page))


def _text(page: Path) -> str:
    """The page without its code blocks; lines keep their numbers."""
    return _INDENTED.sub(_blank, _FENCED.sub(_blank, page.read_text(encoding="utf-8")))


def _blank(block: re.Match[str]) -> str:
    return "\n" * block[0].count("\n")


def _found(page: Path, pattern: re.Pattern[str], text: str) -> list[Found]:
    return [Found(page, _line(text, each.start()), each[1]) for each in pattern.finditer(text)]


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1

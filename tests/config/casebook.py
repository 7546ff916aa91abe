"""Cases of broken files in a form that a person reads: `cases/*.txt`.

A case is a title line (`== title`), lines of YAML, `-->`, and what haman says about it, each mistake with its
source line and caret. Unless the title ends with `(whole)`, the YAML follows the BASE below, so its first line is
line 4. With REWRITE=1 in the environment the expected parts are written anew: review the diff, and commit it only
if every change is understood and wanted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from haman.config import examine, source
from haman.errors import ConfigError

CASES = Path(__file__).parent / "cases"
NAME = "haman.yaml"
BASE = """\
cluster: web
directors: {lb1: {address: 10.0.0.1, priority: 2}, lb2: {address: 10.0.0.2, priority: 1}}
routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], standby_address: loopback}}
"""


@dataclass
class Case:
    book: str
    title: str
    lines: str
    expected: str

    @property
    def yaml(self) -> str:
        return self.lines if self.title.endswith("(whole)") else BASE + self.lines

    def said(self) -> str:
        try:
            found = examine(source.from_text(self.yaml, NAME))
        except ConfigError as error:
            return str(error) + "\n"
        parts = [f"{mistake}\n{mistake.picture()}" for mistake in (*found.mistakes, *found.warnings)]
        return "".join(f"{part.strip()}\n" for part in parts) or "fine\n"


def read(book: Path) -> tuple[str, list[Case]]:
    """The head of the file, and its cases."""
    head, *parts = book.read_text(encoding="utf-8").split("\n== ")
    cases = []
    for part in parts:
        title, _, rest = part.partition("\n")
        lines, _, expected = rest.partition("-->\n")
        cases.append(Case(book.stem, title, lines, expected.removesuffix("\n") + "\n" if expected.strip() else ""))
    return head, cases


def rewrite(book: Path) -> None:
    head, cases = read(book)
    text = head + "".join(f"\n== {case.title}\n{case.lines}-->\n{case.said()}" for case in cases)
    book.write_text(text, encoding="utf-8")


def every() -> list[Case]:
    """All cases of all books, after rewriting them if that is wanted."""
    books = sorted(CASES.glob("*.txt"))
    if os.environ.get("REWRITE"):
        for book in books:
            rewrite(book)
    return [case for book in books for case in read(book)[1]]

"""Every example with any one line broken: it is either still valid, or the error says where and what to do.

Where: at the broken line, or where something is missed now: what the line had was needed there. Never a traceback,
never a mistake without a place and a cure.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from haman.config import examine, source
from haman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

ETC = Path(__file__).parents[2] / "etc"
EXAMPLES = [ETC / "haman.yaml", *sorted((ETC / "examples").glob("*.yaml"))]
_PLACE = re.compile(r"^file:(\d+):(\d+): (?:[\w.\[\]-]+: )?\S")


def _renamed(line: str) -> str:
    return re.sub(r"([A-Za-z_]\w*):", lambda found: f"{found[1]}x:", line, count=1)


def _swapped(line: str) -> str:
    return re.sub(r":(\s+)\S.*", r":\1{}", line, count=1)


GARBLE: dict[str, Callable[[str], str]] = {
    "gone": lambda line: "",
    "twice": lambda line: f"{line}\n{line}",
    "misspelt": _renamed,
    "another kind": _swapped,
    "no colon": lambda line: line.replace(":", "", 1),
    "shallower": lambda line: line[1:] if line.startswith(" ") else f" {line}",
    "open bracket": lambda line: f"{line} [",
    "open quote": lambda line: line.replace(": ", ': "', 1),
    "closing bracket": lambda line: re.sub(r"^(\s*(?:- )?)", r"\1]", line),
    "cut": lambda line: line[: len(line) * 2 // 3],
    "binary": lambda line: f"{line}\x07",
}


ALWAYS_WRONG = {"closing bracket", "binary"}
"""No file with one of these is YAML."""

AT_THE_LINE = {"misspelt", "binary", "twice"}
"""Ways to break a line that leave something wrong on it, or, where its key is a name, at those who use the name."""


@pytest.mark.parametrize("how", GARBLE)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_broken_line_has_a_located_error(path: Path, how: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    broken = 0
    for number, line in enumerate(lines):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        garbled = GARBLE[how](line)
        if garbled == line:
            continue
        text = "\n".join([*lines[:number], garbled, *lines[number + 1 :], ""])
        mistakes, warnings = _findings(text)
        broken += bool(mistakes)
        assert mistakes or how not in ALWAYS_WRONG, f"line {number + 1} {how}: not noticed"
        assert all(_PLACE.match(each) for each in warnings), f"line {number + 1} {how}: {warnings}"
        for mistake in mistakes:
            first = mistake.splitlines()[0]
            found = _PLACE.match(first)
            assert found, f"line {number + 1} {how}: {mistake}"
            assert 1 <= int(found[1]) <= text.count("\n") + 1, mistake
            assert int(found[2]) <= len(text.split("\n")[int(found[1]) - 1]) + 1, mistake
            assert "; " in first, f"no cure: {mistake}"
        if mistakes and how in AT_THE_LINE:
            key = line.strip(" -{").partition(":")[0]
            used = any(f"'{key}'" in each or f"'{key}x'" in each for each in mistakes)
            assert used or _speaks_of(number + 1, mistakes), f"line {number + 1} {how}: {mistakes}"
    assert broken, "nothing was broken by this"


def _findings(text: str) -> tuple[list[str], list[str]]:
    """Mistakes and warnings."""
    try:
        found = examine(source.from_text(text, "file"))
    except ConfigError as error:
        return [*error.mistakes], []
    return [str(each) for each in found.mistakes], [str(each) for each in found.warnings]


def _speaks_of(line: int, mistakes: list[str]) -> bool:
    """A mistake at the line itself, or at the next one, where YAML notices it."""
    return any(line <= int(found[1]) <= line + 1 for each in mistakes if (found := _PLACE.match(each)))

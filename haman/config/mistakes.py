"""What is wrong, where, and what to do about it: one value, printed in one line or with the line it is in.

Nothing here knows YAML, pydantic or the rules; they produce Findings, `located` turns those into Mistakes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.config.source import Source

Path = tuple[str | int, ...]
"""From the top of the file: names of keys, positions in lists (from 0)."""

_WINDOW = 110
"""Of a longer source line only so many characters around the word are shown."""


_LONGEST = 160
"""Of a longer path only the beginning."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a piece of text is: line and column from 1, counted in characters. width 0: to the end of the line."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a rule found. at_key: it is the key that is wrong, not what stands behind it. certain: it holds
    whatever the other keys of the same entry say, so it may be told even while some of those are wrong."""

    path: Path
    what: str
    cure: str
    at_key: bool = False
    warning: bool = False
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Mistake:
    """A finding with its place. `warning`: nothing is wrong with the file, but it may surprise."""

    source: Source
    spot: Spot
    path: Path
    what: str
    cure: str
    warning: bool = False

    def __str__(self) -> str:
        """`file:line:column: path.to.key: what is wrong; what to do`."""
        place = f"{self.source.name}:{self.spot.line}:{self.spot.column}"
        where = f"{dotted(self.path)}: " if self.path else ""
        return f"{place}: {'warning: ' if self.warning else ''}{where}{self.what}; {self.cure}"

    def picture(self) -> str:
        """The source line with a caret under the word; empty where the file has no such line."""
        text = self.source.line(self.spot.line)
        if not text.strip():
            return ""
        start = min(self.spot.column - 1, len(text))
        end = min(start + self.spot.width, len(text)) if self.spot.width else len(text.rstrip())
        crop = max(0, start - _WINDOW // 2) if len(text) > _WINDOW else 0
        before, word, after = text[crop:start], text[start:end], text[end : crop + _WINDOW]
        gap = "".join("\t" if letter == "\t" else " " * _columns(letter) for letter in before)
        carets = "^" * max(1, min(sum(map(_columns, word)), _WINDOW))
        number = str(self.spot.line).rjust(5)
        return f"{number} | {before}{(word + after)[:_WINDOW]}\n{' ' * len(number)} | {gap}{carets}"


def dotted(path: Path) -> str:
    """`services.web.ports[1]`; a name with dots of its own is quoted, so that the parts stay visible."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = quoted(part, '"') if not part or "." in part or not part.isprintable() else part[:60]
            text += f".{name}" if text else name
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def quoted(text: str, mark: str = "'") -> str:
    """Text from the file, in quotes and fit for a terminal: escapes made visible, long ones cut."""
    plain = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
    return f"{mark}{plain if len(plain) <= 60 else plain[:57] + '...'}{mark}"


def shown(value: object) -> str:
    """A value of the file in an operator's words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return str(value)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1

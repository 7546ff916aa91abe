"""One sentence of an explanation, and what all of them need."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.director.report import View
    from haman.model.transition import Kind
    from haman.observe.history import History

EARLIER = 3
"""So many earlier transitions of an object end its explanation."""


class Line(NamedTuple):
    """at: since when it holds, or when it happened: wall clock. depth: a line explains the last one above it that is
    less deep."""

    text: str
    depth: int = 0
    at: float | None = None


def wall(view: View, monotonic: float) -> float:
    return view.at - (view.now - monotonic)


def earlier(history: History, kind: Kind, who: str, depth: int = 1) -> Iterator[Line]:
    """What happened to this object, newest first."""
    past = history.last(EARLIER, lambda each: each.kind is kind and each.who == who)
    for each in reversed(past):
        change = each.transition
        yield Line(f"{change.before} -> {change.after}: {change.why}", depth, change.at)


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

"""What happened: the last transitions of each kind, numbered, kept in memory and in a file, and told to followers.

Each kind has room of its own, so a thousand flapping servers push no change of role out. The numbers grow by one from
transition to transition and go on where an earlier director process ended: who has read up to one can ask for the
rest, and sees from them what it missed.
"""

from __future__ import annotations

from collections import deque
from heapq import merge
from typing import TYPE_CHECKING, Any, NamedTuple

from haman.model.transition import Kind, Transition
from haman.observe.feed import Feed
from haman.observe.journal import fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LENGTH = 1000
"""Transitions of one kind."""


class Entry(NamedTuple):
    number: int
    transition: Transition

    def plain(self) -> dict[str, Any]:
        """For JSON: the fields of a transition and `number`."""
        return {"number": self.number, **fields(self.transition)}


def entry(plain: Any) -> Entry | None:
    """The Entry that `plain` was made from; None if it was made from something else."""
    try:
        words = {name: plain[name] for name in ("who", "before", "after", "why", "cause")}
        if not all(isinstance(word, str) for word in words.values()):
            return None
        return Entry(int(plain["number"]), Transition(kind=Kind(plain["kind"]), at=float(plain["at"]), **words))
    except (KeyError, TypeError, ValueError):
        return None


class History:
    """earlier: what an earlier process wrote down, in any order. write: keeps each new entry for a later one."""

    def __init__(
        self,
        earlier: Iterable[Entry] = (),
        write: Callable[[Entry], None] = lambda _: None,
        length: int = LENGTH,
    ) -> None:
        self._rings: dict[Kind, deque[Entry]] = {kind: deque(maxlen=length) for kind in Kind}
        self._number = 0
        for each in sorted(earlier, key=lambda each: each.number):
            self._rings[each.transition.kind].append(each)
            self._number = each.number
        self._write = write
        self.feed: Feed[Entry] = Feed()

    @property
    def number(self) -> int:
        """Of the newest entry; 0 for none."""
        return self._number

    def record(self, transition: Transition) -> None:
        self._number += 1
        new = Entry(self._number, transition)
        self._rings[transition.kind].append(new)
        self._write(new)
        self.feed.publish(new)

    def entries(self, wanted: Callable[[Transition], bool] = lambda _: True, *, after: int = 0) -> Iterator[Entry]:
        """Oldest first; those with a number above `after`."""
        every = merge(*self._rings.values(), key=lambda each: each.number)
        return (each for each in every if each.number > after and wanted(each.transition))

    def last(self, count: int, wanted: Callable[[Transition], bool] = lambda _: True) -> list[Entry]:
        """At most `count`, oldest first."""
        return list(deque(self.entries(wanted), maxlen=max(0, count)))

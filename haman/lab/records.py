"""What the clients of the lab write down, as data: one kind of line per client, and a reader that follows the file.

All times are CLOCK_MONOTONIC seconds of the lab's kernel, one clock for every host.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Request(NamedTuple):
    """A UDP request. answered None: lost. Even numbers belong to the one steady flow, odd ones are new flows."""

    number: int
    sent: float
    answered: float | None
    server: str

    @property
    def began(self) -> float:
        return self.sent


class Short(NamedTuple):
    """A short TCP request, written when it ended. outcome: ok, refused, reset, timeout, unreachable, closed, bad."""

    port: int
    begun: float
    ended: float
    outcome: str
    server: str

    @property
    def began(self) -> float:
        return self.begun


class Chunk(NamedTuple):
    """One more piece of a download (event `data`), or its end: reset, refused, closed, hole, hang. chunks: how many
    it had by then."""

    stream: int
    at: float
    chunks: int
    event: str

    @property
    def began(self) -> float:
        return self.at


class Claim(NamedTuple):
    """Somebody said that the VIP is his: kind `answer` to a question, or `announcement`. asked: how many questions had
    been sent by then."""

    at: float
    mac: str
    kind: str
    asked: int = 0

    @property
    def began(self) -> float:
        return self.at


Record = TypeVar("Record", Request, Short, Chunk, Claim)


class Recording(Generic[Record]):
    """The growing file of one client.

    head, tail: its first and last line, {} until they are there. marks: what the client says of itself a few times a
    second; `covered`: everything that began before this time is in `records`.
    """

    def __init__(self, path: Path, kind: Callable[..., Record]) -> None:
        self.path = path
        self._kind: Callable[..., Record] = kind
        self._offset = 0
        self._rest = ""
        self.head: dict[str, Any] = {}
        self.tail: dict[str, Any] = {}
        self.marks: list[dict[str, Any]] = []
        self.records: list[Record] = []

    @property
    def covered(self) -> float:
        return float(self.marks[-1]["covered"]) if self.marks else 0.0

    def read(self) -> None:
        """Take in what was added since the last time. A file that does not exist yet has nothing in it."""
        try:
            with self.path.open() as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return
        self._offset += len(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            value = json.loads(line)
            if isinstance(value, list):
                self.records.append(self._kind(*value))
            elif "covered" in value:
                self.marks.append(value)
            elif "ended" in value:
                self.tail = value
            else:
                self.head = value

    def drop_before(self, time: float) -> None:
        """Forget what a later question will not be about: `time` is where the oldest one begins."""
        self.records = [record for record in self.records if record.began >= time]

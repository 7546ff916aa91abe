"""Clients that run through a whole story, and what they noticed of each act: how long nobody answered TCP, how long
nobody answered UDP, and what became of downloads. It is told, not judged: a machine's pace is no proof.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from haman.lab import measure
from haman.lab.stories import callers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.lab.records import Chunk
    from haman.lab.stories.callers import Caller
    from haman.lab.stories.scene import Scene

RATE = 100
"""UDP requests a second."""

SOURCES = "198.18.0.0/24"
"""Where half of the UDP requests come from, each from another address: who answers needs a route to it."""

STREAMS = 10


class Clients:
    """Begin once everything answers: 20 short TCP requests a second on port `web`; where there is a port `echo`, UDP
    requests, and where there is one `files`, endless downloads, which are begun anew when they are lost."""

    def __init__(self, host: Host, work: Path, address: str, *, web: int, echo: int = 0, files: int = 0) -> None:
        self._shorts = callers.shorts(host, work, address, web)
        self._requests = callers.requests(host, work, address, echo, SOURCES, RATE) if echo else None
        self._streams = callers.streams(host, work, address, files, STREAMS) if files else None

    @property
    def streams(self) -> Caller[Chunk]:
        """The downloads, where there are any."""
        assert self._streams is not None
        return self._streams

    @contextlib.contextmanager
    def act(self, scene: Scene, words: str) -> Iterator[None]:
        """As the scene's; at its end it is noted what the clients saw."""
        begin = time.monotonic()
        with scene.act(words):
            yield
            end = time.monotonic()
            scene.note(f"{words}: {'; '.join(self._noticed(begin, end))}")

    def _noticed(self, begin: float, end: float) -> Iterator[str]:
        answered = [short.ended for short in self._shorts.covered(end) if short.outcome == "ok"]
        yield f"nobody answered TCP for {measure.gap(answered, begin, end):.2f} s"
        if self._requests is not None:
            yield f"UDP for {measure.answered(self._requests.covered(end), begin, end).gap:.2f} s"
        if self._streams is not None:
            became = measure.downloads(self._streams.covered(end), begin, begin)
            fates = {"went on": became.kept, **dict(sorted(became.lost.items())), "silent": len(became.silent)}
            told = ", ".join(f"{count} {how}" for how, count in fates.items() if count) or "none"
            yield f"of {became.running} downloads {told}"

"""What hooks were last told of each object: a file that outlives this process but not the machine.

Written a moment after it changed, once for many changes. If the process dies in that moment, or the file is
unreadable, hooks are told something twice: the harmless mistake.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from haman import files, paths
from haman.director.news import Sort, Subject, event_of, usual
from haman.observe.journal import log

if TYPE_CHECKING:
    from collections.abc import Iterator

SOON = 0.1
"""Seconds."""


class Told:
    """By object, the state told last. Of services and servers only those that are not up are kept: of ten thousand
    servers most are fine."""

    def __init__(self) -> None:
        self._states = load()
        self._timer: asyncio.TimerHandle | None = None

    def get(self, subject: Subject) -> str | None:
        return self._states.get(subject, usual(subject))

    def __iter__(self) -> Iterator[Subject]:
        return iter(list(self._states))

    def set(self, subject: Subject, state: str) -> None:
        if state == usual(subject):
            self._states.pop(subject, None)
        else:
            self._states[subject] = state
        self._changed()

    def forget(self, subject: Subject) -> None:
        if self._states.pop(subject, None) is not None:
            self._changed()

    def save(self) -> None:
        """Now, if anything has changed since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._write()

    def _changed(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SOON, self.save)

    def _write(self) -> None:
        target = paths.hooks_told()
        by_sort: dict[str, dict[str, str]] = {}
        for subject, state in self._states.items():
            by_sort.setdefault(subject.sort.value, {})[subject.name] = state
        try:
            files.replace(target, json.dumps(by_sort))
        except OSError as error:
            log.warning("%s: %s; after a restart of the director hooks may run again", target, error.strerror)


def load() -> dict[Subject, str]:
    """What the file says and is understood."""
    try:
        by_sort = json.loads(paths.hooks_told().read_text())
        return {
            Subject(sort, name): state
            for sort in Sort
            for name, state in by_sort.get(sort.value, {}).items()
            if event_of(sort, state) is not None
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}

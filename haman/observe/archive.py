"""The history's file: why something happened can still be asked after the director was started again.

One file per kind under `/run/haman/history`, a line of JSON each, and one older generation of it: bounded, and gone
with the machine's uptime like everything the transitions speak of. What must last longer is the log.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from haman.observe.history import Entry, entry
from haman.observe.journal import log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from haman.model.transition import Kind

LARGEST = 256 << 10
"""Bytes of one file. With its older generation some 1,000 to 2,000 transitions."""


class Archive:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[Kind, BinaryIO] = {}
        self._complained = False

    def read(self) -> list[Entry]:
        """What earlier processes wrote, as far as it can be read: a line cut off by a crash is passed over."""
        return [found for file in sorted(self._directory.glob("*.jsonl*")) for found in _lines(file)]

    def write(self, new: Entry) -> None:
        """A few microseconds: /run is memory. A full or read-only one costs the history's future, and nothing else."""
        kind = new.transition.kind
        line = json.dumps(new.plain(), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            file = self._file(kind)
            if file.tell() + len(line) > LARGEST:
                file = self._turn(kind)
            file.write(line)
        except OSError as error:
            if not self._complained:
                self._complained = True
                log.warning("%s: %s; history will not outlive this process", self._directory, error.strerror)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, kind: Kind) -> BinaryIO:
        if kind not in self._files:
            self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            file = self._files[kind] = self._path(kind).open("ab", buffering=0)
            if file.tell():
                file.write(b"\n")  # an earlier process may have ended within a line; empty ones are nothing
        return self._files[kind]

    def _turn(self, kind: Kind) -> BinaryIO:
        self._files.pop(kind).close()
        path = self._path(kind)
        path.replace(path.with_suffix(".jsonl.old"))
        return self._file(kind)

    def _path(self, kind: Kind) -> Path:
        return self._directory / f"{kind.value}.jsonl"


def _lines(file: Path) -> Iterator[Entry]:
    try:
        text = file.read_bytes()
    except OSError:
        return
    for line in text.splitlines():
        try:
            found = entry(json.loads(line))
        except ValueError:
            continue
        if found is not None:
            yield found

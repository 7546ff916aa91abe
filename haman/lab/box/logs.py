"""What programs of the cluster have written, to somebody outside: the ends of the logs, then what comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from haman.lab.box.frames import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from haman.lab.box.calls import Channel
    from haman.lab.box.running import Running

EVERY: Final = 0.2
"""Seconds between looks at files that grow."""

TAIL: Final = 1 << 20
"""Bytes of a log's end that are looked at for its last lines."""


class Log:
    """One file, read on from where it was left; a line is told when it is whole."""

    def __init__(self, path: Path, mark: str) -> None:
        self._path = path
        self._mark = mark
        self._at = 0
        self._rest = b""

    def last(self, count: int) -> bytes:
        """The last lines, marked; what comes is read from there."""
        size = self._path.stat().st_size if self._path.exists() else 0
        self._at = max(0, size - TAIL)
        lines = self.more().splitlines(keepends=True)
        return b"".join(lines[len(lines) - min(count, len(lines)) :])

    def more(self) -> bytes:
        """What has come since, marked."""
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read(TAIL)
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return b"".join(self._mark.encode() + line + b"\n" for line in lines)


def tell(running: Running, call: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
    """call: `hosts` (none: all that have logs), `last` lines of each, `follow` until the caller hangs up.
    Errors: LabError for a host there is not. Hangup."""
    names = [str(name) for name in call["hosts"]] or list(running.hosts)
    paths: dict[str, Path] = {}
    for name in names:
        running.host(name)
        paths |= {path.stem: path for path in _files(running, name)}
    width = max((len(name) for name in paths), default=0)
    logs = [Log(path, f"{name:<{width}} | " if len(paths) > 1 else "") for name, path in paths.items()]
    for log in logs:
        channel.send(Kind.OUT, log.last(int(call["last"])))
    while call["follow"] and not channel.gone:
        for log in logs:
            channel.send(Kind.OUT, log.more())
        time.sleep(EVERY)
    return {}


def _files(running: Running, name: str) -> list[Path]:
    """A director's haman, and what the host serves with."""
    files = [running.nodes[name].log] if name in running.nodes else []
    return [*files, running.log(name)] if name in running.layout.serving else files

"""Running programs, counted by name in haman's own network namespace: a proxy in another one cannot listen on our VIPs.

Found by reading /proc. The end of one that was found is told at once by its process descriptor (pidfd_open(2)); that a
new one has begun nobody tells without a privilege that is worth having, so it is seen at the next look.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from haman.director.trackers.bell import Bell
from haman.director.trackers.judge import Look

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from haman.model.trackers import ProcessWatch, Tracker

HELD = 64
"""Processes of one tracker whose end is seen at once; of more, the rest is seen at the next look."""

_SHORT = 15
"""Characters of a name that the kernel keeps (TASK_COMM_LEN, less the zero at its end)."""


async def looks(tracker: Tracker, watch: ProcessWatch) -> AsyncGenerator[Look, None]:
    """At once after the end of one, and every `interval`."""
    held: dict[int, int] = {}
    with Bell() as bell:
        try:
            while True:
                found = await asyncio.to_thread(find, watch)
                for pid in held.keys() - found:
                    _let_go(bell, held.pop(pid))
                for pid in sorted(found - held.keys())[: HELD - len(held)]:
                    _hold(bell, held, pid)
                yield judged(watch, len(found))
                await bell.wait(tracker.interval)
        finally:
            for descriptor in held.values():
                _let_go(bell, descriptor)


def judged(watch: ProcessWatch, count: int) -> Look:
    many = f"{count} process{'' if count == 1 else 'es'} of {' '.join((watch.name, *watch.arguments))} run"
    wanted = "" if count >= watch.quorum else f", at least {watch.quorum} wanted"
    return Look(count >= watch.quorum, many + wanted)


def find(watch: ProcessWatch, proc: Path = Path("/proc")) -> set[int]:
    """The pids. A process that has ended and not been reaped has no command line any more, so it is none."""
    here = _namespace(proc / "thread-self")
    found = set()
    for entry in os.scandir(proc):
        if entry.name.isdigit() and _matches(proc / entry.name, watch) and _namespace(proc / entry.name) == here:
            found.add(int(entry.name))
    return found


def _matches(process: Path, watch: ProcessWatch) -> bool:
    try:
        if (process / "comm").read_text(errors="replace").rstrip("\n") != watch.name[:_SHORT]:
            return False
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:  # it has just ended
        return False
    if not words[0] or (len(watch.name) > _SHORT and os.path.basename(words[0]) != watch.name):
        return False
    return all(word in words[1:] for word in watch.arguments)


def _namespace(process: Path) -> int | None:
    """A number that only processes of one network namespace share: that of a file which every such namespace has anew.
    The namespace itself (`ns/net`) may be seen by those alone who may trace the process, and we have given that up."""
    try:
        return (process / "net/dev").stat().st_ino
    except OSError:
        return None


def _hold(bell: Bell, held: dict[int, int], pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:  # it has just ended, or there are no descriptors left: the interval must do
        return
    held[pid] = descriptor
    # A descriptor of one that has ended stays readable for ever: it rings once.
    bell.listen(descriptor, lambda: bell.ignore(descriptor))


def _let_go(bell: Bell, descriptor: int) -> None:
    bell.ignore(descriptor)
    os.close(descriptor)

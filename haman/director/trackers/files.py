"""A file with a whole number in it. Changes are noticed by inotify(7) on its directory, since programs that write
safely put a new file in the old one's place."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from haman.director.trackers.bell import Bell
from haman.director.trackers.judge import Look

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from haman.model.trackers import FileWatch, Tracker

LONGEST = 64
"""Bytes that are looked at: no number that counts is longer."""

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x8, 0x40, 0x80, 0x200, 0x400, 0x800
_CHANGES = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE | _DELETE_SELF | _MOVE_SELF
"""Not each write: between opening a file anew and the first byte of its number it is empty."""


async def looks(tracker: Tracker, watch: FileWatch) -> AsyncGenerator[Look, None]:
    """At once after each change, and every `interval`."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    last = 0
    with Bell() as bell:
        try:
            if descriptor >= 0:  # else the limit fs.inotify.max_user_instances is reached: the interval must do
                bell.listen(descriptor, lambda: _drain(descriptor))
            while True:
                # Each time anew: the directory may have been missing, or be another one under the old name.
                library.inotify_add_watch(descriptor, os.fsencode(Path(watch.path).parent), _CHANGES)
                look = read(watch.path, last)
                last = look.number
                yield look
                await bell.wait(tracker.interval)
        finally:
            if descriptor >= 0:
                bell.ignore(descriptor)
                os.close(descriptor)


def read(path: str, last: int) -> Look:
    """What the file says now; `last` counts while it says nothing that can be understood."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, LONGEST).decode("utf-8", "replace").strip()
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return Look(True, f"there is no {path}, which counts as 0")
        return Look(last == 0, f"{path} cannot be read ({error.strerror}), {last} still counts", last)
    try:
        number = int(text or "0")
    except ValueError:
        shown = text.splitlines()[0][:20]
        return Look(last == 0, f"{path} holds {shown!r}, which is no whole number; {last} still counts", last)
    return Look(number == 0, f"{path} holds {number}", number)


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 1 << 16):
            pass
    except BlockingIOError:
        pass

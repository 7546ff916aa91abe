"""What every client of the lab shares: its lines in a file, its pace, its end.

The file can be read while it is written: a head `{...}`, then a line `[...]` for every thing that happened (their
fields: `lab.records`), a few times a second a mark `{"covered": t, ...}` (all that began before t is written), at the
end a tail `{...}` with the client's own counters. A client that is killed loses at most the last quarter of a second.
All times are CLOCK_MONOTONIC, one clock for all hosts of the lab's kernel.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import struct
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

FLUSH_EVERY = 0.25
_ABSOLUTE = 1  # TFD_TIMER_ABSTIME


class Recorder:
    """Collects lines and writes them every FLUSH_EVERY seconds; `stopping` turns true on SIGTERM or SIGINT."""

    def __init__(self, path: str, **head: Any) -> None:
        self.stopping = False
        self._out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        self._lines: list[str] = []
        self._flushed = self.began = time.monotonic()
        self._write([json.dumps({"began": self.began, **head})])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _write(self, lines: Iterable[str]) -> None:
        os.write(self._out, ("\n".join(lines) + "\n").encode())

    def add(self, line: str) -> None:
        self._lines.append(line)

    def due(self, now: float) -> bool:
        return now - self._flushed >= FLUSH_EVERY

    def flush(self, now: float, covered: float, **mark: int) -> None:
        """covered: everything that began before is among the lines. mark: counters that a reader watches meanwhile."""
        self._flushed = now
        self._write([*self._lines, json.dumps({"covered": covered, **mark})])
        self._lines.clear()

    def end(self, **tail: Any) -> None:
        """The last line: the client's counters and the CPU seconds it took."""
        now = time.monotonic()
        self.flush(now, now)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._write([json.dumps({"ended": now, "cpu": round(usage.ru_utime + usage.ru_stime, 3), **tail})])
        os.close(self._out)


class Pace:
    """Absolute deadlines, `interval` seconds apart, kept by a kernel timer: waiting costs one system call.

    A client that wakes too late does not make up for it with a burst, which would be another traffic than the one
    promised: deadlines that have passed meanwhile are skipped, and their numbers stay unused, so that a reader sees
    how many there were.
    """

    def __init__(self, rate: float) -> None:
        self.interval = 1.0 / rate
        self.started = time.monotonic() + self.interval
        libc = ctypes.CDLL(None, use_errno=True)
        self._timer = libc.timerfd_create(time.CLOCK_MONOTONIC, 0)
        setting = struct.pack("@qqqq", *_timespec(self.interval), *_timespec(self.started))
        if self._timer < 0 or libc.timerfd_settime(self._timer, _ABSOLUTE, setting, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd")
        self._number = -1

    def wait(self) -> int:
        """Sleep until the next deadline. Returns its number; number n is due at `started` + n * `interval`."""
        self._number += int.from_bytes(os.read(self._timer, 8), sys.byteorder)
        return self._number


def _timespec(seconds: float) -> tuple[int, int]:
    nanoseconds = round(seconds * 1e9)
    return nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000


def real_time(priority: int) -> None:
    """Run as SCHED_FIFO: an instrument has to go on while the thing it measures is busy. 0 leaves it as it is."""
    if priority:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))

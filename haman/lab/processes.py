"""Programs that run on a host of the laboratory."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING

from haman.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


class Process:
    """A running program; `pid` is its own, no shell or helper stands between."""

    def __init__(self, process: subprocess.Popen[bytes], what: str, log: Path | None) -> None:
        self._process = process
        self.what = what
        self.log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """For a program that has ended or been killed: reap it, close our ends of its pipes. Idempotent."""
        self._process.wait()
        for pipe in (self.stdin, self.stdout):
            if pipe:
                pipe.close()

    @property
    def stdin(self) -> IO[bytes] | None:
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes] | None:
        return self._process.stdout

    def running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when the program has ended."""
        self._process.send_signal(number)

    def wait(self, timeout: float = 10.0) -> int:
        """Its exit status, negative for a signal. Errors: LabError when it still runs after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.what} (pid {self.pid}) still runs after {timeout:g} s") from None

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM, and its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self._process.wait()


def end_all(living: Callable[[], Iterable[int]], patience: float = 5.0) -> None:
    """SIGKILL what `living` finds, again and again, until it finds nothing: a process may fork while it is killed.

    Errors: LabError when something still lives after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while pids := list(living()):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(pid)
                try:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    select.select([handle], [], [], max(deadline - time.monotonic(), 0))
                finally:
                    os.close(handle)
        if time.monotonic() > deadline:
            raise LabError(f"processes that cannot be killed: {pids}")


def in_network(inode: int) -> list[int]:
    """Every process whose network namespace has this inode number, whoever started it."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{entry}/ns/net").st_ino == inode:
                    found.append(int(entry))
    return found

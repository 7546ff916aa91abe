"""haman and keepalived as processes on a host, under one face: started, found, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Protocol

from bench import clusters
from bench.processor import command_line, family
from haman.errors import LabError
from haman.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.model.cluster import Cluster

START = 60.0
"""Seconds a program may take until it is all there: with ten thousand servers, on a slow processor."""


class Program(Protocol):
    """name: as in the tables."""

    name: str

    def command(self, model: Cluster, file: Path, director: str) -> list[str]:
        """Its argv. file: haman's configuration; what else it needs is written beside it."""

    def elector(self, pid: int) -> int | None:
        """The process that sends advertisements, `pid` being what was started; None while there is none."""

    def checker(self, pid: int) -> int | None:
        """The process that checks servers and writes the IPVS table."""


class Haman:
    name = "haman"

    def command(self, model: Cluster, file: Path, director: str) -> list[str]:
        return [sys.executable, "-m", "haman", "run", "--config", str(file), "--node", director]

    def elector(self, pid: int) -> int | None:
        return pid

    def checker(self, pid: int) -> int | None:
        return next((each for each in family(pid)[1:] if "haman.director" in command_line(each)), None)


class Keepalived:
    """only: `--vrrp` or `--check` starts that half of it alone. real_time: with the scheduling class haman takes."""

    def __init__(self, *, only: str = "", real_time: bool = False) -> None:
        self._only = [only] if only else []
        self._real_time = real_time
        self.name = "keepalived, FIFO" if real_time else "keepalived"

    def command(self, model: Cluster, file: Path, director: str) -> list[str]:
        own = file.with_name(f"{director}-{'fifo-' if self._real_time else ''}keepalived.conf")
        own.write_text(clusters.keepalived_text(model, director, real_time=self._real_time))
        pid = file.with_name(f"{director}-keepalived.pid")
        return [
            "keepalived", "--dont-fork", "--log-console", *self._only, "--use-file", str(own),
            "--pid", str(pid), "--vrrp_pid", f"{pid}.vrrp", "--checkers_pid", f"{pid}.checkers",
        ]  # fmt: skip

    def elector(self, pid: int) -> int | None:
        return self._child(pid, ".vrrp")

    def checker(self, pid: int) -> int | None:
        return self._child(pid, ".checkers")

    def _child(self, pid: int, kind: str) -> int | None:
        words = command_line(pid)
        with contextlib.suppress(OSError, ValueError):
            from pathlib import Path

            return int(Path(words[words.index("--pid") + 1] + kind).read_text())
        return None


@contextlib.contextmanager
def running(program: Program, host: Host, model: Cluster, file: Path, director: str = "d1") -> Iterator[Process]:
    """The program on `host` while inside; ended afterwards by SIGTERM, and with all it started by SIGKILL."""
    log = file.with_name(f"{director}-{program.name.split(',')[0]}.log")
    process = host.spawn(*program.command(model, file, director), log=log)
    try:
        yield process
        if not process.running():
            tail = log.read_text().splitlines()[-15:]
            raise LabError("\n".join([f"{program.name} ended by itself; its log ends with", *tail]))
    finally:
        with contextlib.suppress(LabError):
            process.stop(timeout=20)
        for pid in host.processes():
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.kill()


def pid_of(program: Program, process: Process, which: str) -> int:
    """The pid of its `elector` or `checker`, waited for. Errors: LabError."""
    find = {"elector": program.elector, "checker": program.checker}[which]
    return until(f"{program.name}: its {which}", lambda: find(process.pid), START) or 0

"""What runs on the directors: haman, or keepalived as the peer that benchmarks and drills compare with.

A Software knows how its program is configured, started and asked; drills know only this face of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from haman.errors import LabError
from haman.lab.waiting import until

if TYPE_CHECKING:
    from haman.lab.cluster import Cluster
    from haman.lab.hosts import Host
    from haman.lab.processes import Process


class Software(Protocol):
    name: str

    def command(self, cluster: Cluster, director: str, work: Path) -> list[str]:
        """The program's argv for one director; writes what configuration it needs into `work`."""

    def ready(self, node: Node) -> str:
        """What is still missing before a drill may begin, in words; empty when nothing is."""


class Node:
    """One director: its host and the software on it."""

    def __init__(self, name: str, cluster: Cluster, software: Software, work: Path) -> None:
        self.name = name
        self.cluster = cluster
        self.host: Host = cluster.directors[name]
        self.software = software
        self.work = work
        self.process: Process | None = None

    @property
    def log(self) -> Path:
        return self.work / f"{self.name}.log"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.running()

    def start(self) -> None:
        self.process = self.host.spawn(*self.software.command(self.cluster, self.name, self.work), log=self.log)

    def stop(self) -> int:
        """The orderly stop: SIGTERM, and its exit status."""
        assert self.process is not None
        return self.process.stop(timeout=30)

    def crash(self) -> None:
        """kill -9 for everything on the host."""
        for pid in self.host.processes():
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.kill()

    def children(self) -> list[int]:
        """The pids of the main process's children, in the order they were started."""
        if self.process is None:
            return []
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in text.split()]

    def require_running(self) -> None:
        if not self.running:
            tail = "\n".join(self.log.read_text().splitlines()[-15:]) if self.log.exists() else ""
            raise LabError(f"{self.software.name} on {self.name} ended by itself; its log ends with\n{tail}")

    def settle(self, within: float) -> None:
        """Wait until the software says that it is ready for a drill."""
        missing = ""

        def ready() -> bool:
            nonlocal missing
            self.require_running()
            missing = self.software.ready(self)
            return not missing

        try:
            until(f"{self.name} to be ready", ready, within, every=0.1)
        except LabError as error:
            raise LabError(f"{error} ({missing})") from None


class Haman:
    """`haman run`, from the file as it is."""

    name = "haman"

    def __init__(self, plant: str = "") -> None:
        self._plant = plant

    def command(self, cluster: Cluster, director: str, work: Path) -> list[str]:
        module = ["haman.lab.planted", self._plant] if self._plant else ["haman"]
        return [sys.executable, "-m", *module, "run", "--config", str(cluster.config)]

    def ready(self, node: Node) -> str:
        return ""

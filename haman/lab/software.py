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

from haman.director.ask import ask
from haman.errors import LabError, Unreachable

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.model.cluster import Cluster

STOP = 30.0
"""Seconds an orderly stop may take: longer than a hook's default timeout."""

LAST_WORDS = 12
"""Lines of a director's log that go into an error."""


class Site(Protocol):
    """A cluster as far as its directors' programs are concerned: the file, what it says, and the hosts by director."""

    config: Path
    model: Cluster
    directors: dict[str, Host]


class Software(Protocol):
    name: str

    def configure(self, cluster: Site, director: str, work: Path) -> Path:
        """Writes the configuration file for one director, into `work` if it is not there already."""

    def command(self, cluster: Site, director: str, work: Path) -> list[str]:
        """The program's argv for one director; writes what configuration it needs into `work`."""

    def ready(self, node: Node) -> str:
        """What is still missing before a drill may begin, in words; empty when nothing is."""


class Node:
    """One director: its host and the software on it."""

    def __init__(self, name: str, cluster: Site, software: Software, work: Path) -> None:
        self.name = name
        self.host: Host = cluster.directors[name]
        self._cluster = cluster
        self._software = software
        self._work = work
        self._process: Process | None = None

    @property
    def log(self) -> Path:
        return self._work / f"{self.name}.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running()

    @property
    def process(self) -> Process | None:
        """The main process, also after its end; None before its first start."""
        return self._process

    def start(self) -> None:
        """Start the software. What an earlier life left running (a crash leaves children) ends first."""
        self.crash()
        self.launch()

    def launch(self) -> None:
        """Start the software on a host where other programs run too, which it leaves alone."""
        self._process = self.host.spawn(*self._software.command(self._cluster, self.name, self._work), log=self.log)

    def become(self, software: Software) -> None:
        """From now on another program: what runs is stopped in good order, then that one is started."""
        self.terminate()
        self.ended()
        self._software = software
        self.start()

    def reconfigure(self, software: Software) -> None:
        """The same program with another configuration, which it reads anew."""
        assert self._process is not None, "a node is reconfigured after it was started"
        software.configure(self._cluster, self.name, self._work)
        self._process.signal(signal.SIGHUP)

    def missing(self) -> str:
        """What the software still lacks before a drill may begin, in words; empty when nothing."""
        return self._software.ready(self)

    def crash(self) -> None:
        """kill -9 for everything on the host."""
        if self._process is not None:
            self._process.kill()
        for pid in self.host.processes():
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to stop in good order, and do not wait for it."""
        assert self._process is not None, "a node is stopped after it was started"
        self._process.signal(signal.SIGTERM)

    def ended(self) -> int:
        """Wait for the end; its exit status."""
        assert self._process is not None, "a node is stopped after it was started"
        return self._process.wait(STOP)

    def require_running(self) -> None:
        """Errors: LabError with the end of its log when it ended by itself."""
        if not self.running:
            raise LabError(f"{self._software.name} on {self.name} ended by itself\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of the log, under a line that says whose it is."""
        return "\n".join([f"the log of {self.name} ends with", *self.lines()[-LAST_WORDS:]])

    def lines(self) -> list[str]:
        """Its whole log."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def elector(self) -> int:
        """The pid of the main process."""
        assert self._process is not None, "a node is asked after it was started"
        return self._process.pid

    def director(self) -> int | None:
        """The pid of the director process, None while there is none."""
        own = self.elector()
        return next((pid for pid in self.host.processes() if _parent(pid) == own), None)


def _parent(pid: int) -> int:
    """proc(5): the fourth field of stat; the second is in parentheses and may hold anything."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class Haman:
    """`haman run` from the file as it is; with a planted fault where `faulty` says (see planted)."""

    name = "haman"

    def __init__(self, fault: str = "", faulty: frozenset[str] = frozenset()) -> None:
        self._fault = fault
        self._faulty = faulty

    def configure(self, cluster: Site, director: str, work: Path) -> Path:
        return cluster.config

    def command(self, cluster: Site, director: str, work: Path) -> list[str]:
        planted = self._fault and (director in self._faulty or not self._faulty)
        module = ["haman.lab.planted", self._fault] if planted else ["haman"]
        return [sys.executable, "-m", *module, "run", "--config", str(cluster.config)]

    def ready(self, node: Node) -> str:
        """By its own account: roles, readiness, health of all servers."""
        try:
            status = node.host.call(ask, "status")
        except Unreachable as error:
            return str(error)
        waiting = [f"{router['name']}: {router['waiting']}" for router in status["routers"] if router["waiting"]]
        services = [f"{each['name']}: {each['why']}" for each in status["services"] if each["state"] != "up"]
        return "; ".join([*waiting, *services, *status["problems"]])

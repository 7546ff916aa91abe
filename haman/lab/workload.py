"""The traffic of a failover cluster: servers on the real servers, clients on the client, and what they recorded."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from haman.lab.cluster import INTERFACE, SOURCES
from haman.lab.records import Chunk, Claim, Recording, Request, Short
from haman.lab.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.cluster import Cluster
    from haman.lab.hosts import Host
    from haman.lab.processes import Process

UDP, MH, WLC, FILES = "requests", "web", "shop", "files"
"""The services of failover.yaml, by what the lab sends them."""

STREAMS = 20
REAL_TIME = 1
"""The 1 kHz clients' real-time priority: before all ordinary programs, so that they keep their pace while a director
works, and behind the electors (50), so that they do not delay what they measure."""

START = 60.0
"""Seconds a lab program may take to start: half a second, but on a starved machine no error comes of patience."""


def program(name: str, *arguments: str | int | float) -> list[str]:
    return [sys.executable, "-m", f"haman.lab.traffic.{name}", *map(str, arguments)]


class Servers:
    """The programs of the real servers."""

    def __init__(self, cluster: Cluster, work: Path) -> None:
        self._cluster = cluster
        self._work = work
        self._running: dict[str, dict[str, Process]] = {name: {} for name in cluster.servers}
        self.left_out: frozenset[str] = frozenset()

    def start(self, name: str) -> None:
        """Start what is not running on one server, but for what is `left_out`. The checked one comes last: when it
        answers, all do."""
        cluster, host = self._cluster, self._cluster.servers[name]
        commands = {
            "udp": program("udp_server", "--address", cluster.vip, "--port", cluster.port(UDP)),
            "files": program("download_server", "--port", cluster.port(FILES)),
            "web": program("tcp_server", "--port", cluster.port(MH), "--port", cluster.port(WLC)),
        }
        listening = {
            "udp": ("udp", cluster.port(UDP)),
            "files": ("tcp", cluster.port(FILES)),
            "web": ("tcp", cluster.port(MH)),
        }
        for kind, command in commands.items():
            if kind not in self.left_out and kind not in self._running[name]:
                self._running[name][kind] = host.spawn(*command, log=self._work / f"{name}-{kind}.log")
                until(f"{name}: {kind} server", lambda kind=kind: listens(host, *listening[kind]), START)  # type: ignore[misc]

    def start_all(self) -> None:
        for name in self._running:
            self.start(name)

    def restore(self) -> None:
        """All of them running, thawed and well."""
        for name, processes in self._running.items():
            for kind in [kind for kind, process in processes.items() if not process.running()]:
                del processes[kind]
            self.thaw(name)
            self.start(name)
        self.mend_health()

    def kill(self, name: str) -> None:
        """kill -9 for each of them."""
        for process in self._running[name].values():
            process.kill()
        self._running[name].clear()

    def signal(self, name: str, number: int, kind: str | None = None) -> None:
        for each, process in self._running[name].items():
            if kind in (None, each):
                os.kill(process.pid, number)

    def freeze(self, name: str) -> None:
        self.signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self.signal(name, signal.SIGCONT)

    def break_health(self) -> None:
        """`/healthz` says 503 on all servers, while they serve everything else as before."""
        for name in self._running:
            self.signal(name, signal.SIGUSR1, "web")

    def mend_health(self) -> None:
        for name in self._running:
            self.signal(name, signal.SIGUSR2, "web")


def listens(host: Host, protocol: str, port: int) -> bool:
    """Is anything bound to this port on the host? (TCP: in LISTEN, state 0A.)"""
    for line in host.read(f"/proc/thread-self/net/{protocol}").splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and (protocol.startswith("udp") or fields[3] == "0A"):
            return True
    return False


class Traffic:
    """The clients and their recordings. They run through a whole session: a drill looks at its stretch of time."""

    def __init__(self, cluster: Cluster, work: Path) -> None:
        self._cluster = cluster
        self._work = work
        self._processes: dict[str, Process] = {}
        self._prober: Process | None = None
        self._renewals = 0
        self._open()

    def _open(self) -> None:
        """Begin with empty recordings; files of an earlier start must not be read as this one's."""
        self.udp = Recording(self._work / "udp.records", Request)
        self.tcp = Recording(self._work / "tcp.records", Short)
        self.files = Recording(self._work / "files.records", Chunk)
        self.arp = Recording(self._work / "arp.records", Claim)
        for recording in (*self._recordings(), self.arp):
            recording.path.unlink(missing_ok=True)

    def start(self, rate: float = 1000, short_rate: float = 20, streams: int = STREAMS) -> None:
        self._open()
        self._renewals = 0
        cluster, client = self._cluster, self._cluster.client
        to = ("--address", cluster.vip, "--port")
        commands = {
            "udp_client": (
                *(*to, cluster.port(UDP), "--rate", rate, "--sources", SOURCES),
                *("--real-time", REAL_TIME, "--out", self.udp.path),
            ),
            "tcp_client": (
                *(*to, cluster.port(MH), "--port", cluster.port(WLC)),
                *("--rate", short_rate, "--patience", 5, "--out", self.tcp.path),
            ),
            "download_client": (*to, cluster.port(FILES), "--streams", streams, "--out", self.files.path),
        }
        for name, arguments in commands.items():
            log = self._work / f"{name}.log"
            self._processes[name] = client.spawn(*program(name, *map(str, arguments)), log=log)
        until("the clients to start", lambda: self.read() and all(r.marks for r in self._recordings()), START)

    def start_prober(self) -> None:
        """Ask the segment a thousand times a second who has the VIP, until `stop_prober`."""
        self.arp = Recording(self._work / "arp.records", Claim)
        self.arp.path.unlink(missing_ok=True)
        arguments = ("--interface", INTERFACE, "--own", self._cluster.watch_address, "--vip", self._cluster.vip)
        self._prober = self._cluster.watch.spawn(
            *program("arp_prober", *arguments, "--real-time", REAL_TIME, "--out", str(self.arp.path)),
            log=self._work / "arp_prober.log",
        )
        until("the ARP prober to hear an owner", lambda: self.read() and self.arp.records, START)

    def stop_prober(self) -> None:
        if self._prober:
            self._prober.stop()
            self._prober = None
            self.arp.read()

    def stop(self) -> None:
        """End the clients; their tails are in the recordings then."""
        self.stop_prober()
        for process in self._processes.values():
            process.signal(signal.SIGTERM)
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        self.read()

    def renew(self) -> None:
        """Replace all downloads by new ones, and wait until the client has done so."""
        self._renewals += 1
        self._processes["download_client"].signal(signal.SIGUSR1)

        def renewed() -> bool:
            self.files.read()
            return bool(self.files.marks) and self.files.marks[-1].get("renewals") == self._renewals

        until("the downloads to be renewed", renewed, START)

    def _recordings(self) -> tuple[Recording[Request], Recording[Short], Recording[Chunk]]:
        return self.udp, self.tcp, self.files

    def read(self) -> bool:
        for recording in self._recordings():
            recording.read()
        if self._prober:
            self.arp.read()
        return True

    def settled(self, time: float, within: float = 20.0) -> None:
        """Wait until the fate of everything that began before `time` is on record."""
        recordings = (*self._recordings(), self.arp) if self._prober else self._recordings()
        until("the clients' records", lambda: self.read() and all(r.covered >= time for r in recordings), within)

    def forget(self, before: float) -> None:
        for recording in self._recordings():
            recording.drop_before(before)

    def streams(self) -> int:
        """How many downloads are running now."""
        self.files.read()
        return int(self.files.marks[-1]["streams"]) if self.files.marks else 0

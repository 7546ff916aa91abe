"""A running cluster as drills need it: directors, servers and traffic, whole before each drill and put back after it.

What "whole" means is the configuration file, so no drill cleans up by itself: `prepare` heals, thaws and starts
whatever is not as the file says, and waits until all is well again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from haman.errors import LabError
from haman.lab import instruments, tables
from haman.lab.cluster import CLIENT, INTERFACE, Cluster
from haman.lab.software import Node
from haman.lab.waiting import EVERY, happens, until
from haman.lab.watch import SegmentWatch
from haman.lab.workload import FILES, STREAMS, Servers, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from haman.lab.hosts import Network
    from haman.lab.instruments import Drops
    from haman.lab.software import Software

WHOLE = 60.0
"""Seconds the cluster may take to be whole again, programs started included."""

SERVERS = 20.0
"""Seconds the directors may take until their tables hold the servers they should."""

ANSWERED_IN_A_ROW = 50
KEPT = 10.0
"""Seconds of records that are kept from before a drill."""


class Stage:
    """without_table: directors whose IPVS table is not waited for (a planted fault)."""

    def __init__(self, network: Network, config: Path, software: Software, work: Path) -> None:
        self.cluster = Cluster(network, config)
        self.software = software
        self.nodes = {name: Node(name, self.cluster, software, work) for name in self.cluster.directors}
        self.servers = Servers(self.cluster, work)
        self.traffic = Traffic(self.cluster, work)
        self.watch = SegmentWatch(self.cluster)
        self.advert = self.cluster.router_model.advert_interval
        self.without_table: frozenset[str] = frozenset()

    def close(self) -> None:
        self.watch.close()

    # -- who is who ------------------------------------------------------------------------------------------------

    @property
    def ranking(self) -> list[Node]:
        """The directors, the one that should be active first."""
        members = self.cluster.router_model.members
        return sorted(self.nodes.values(), key=lambda node: -members[node.name].priority)

    def owner(self) -> str:
        """Who answers for the VIP, in words: `lb1`, `lb1+lb2`, `none`."""
        return "+".join(self.watch.owners()) or "none"

    def table(self) -> str:
        """The IPVS table of the director that answers for the VIP; empty when that is not exactly one."""
        owner = self.owner()
        return tables.readable(self.nodes[owner].host) if owner in self.nodes else ""

    def takeover_time(self, standby: Node) -> float:
        """Seconds from the last advertisement to `standby`'s takeover: 3 adverts and its skew (RFC 9568, 6.1)."""
        priority = self.cluster.router_model.members[standby.name].priority
        return 3 * self.advert + (256 - priority) / 256 * self.advert

    # -- whole again -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything from nothing."""
        self.servers.start_all()
        for node in self.nodes.values():
            node.start()
        self._wait(self._directors_missing, WHOLE)
        self.traffic.start()
        self.prepare()

    def prepare(self, within: float = WHOLE) -> None:
        """As the file says: nothing cut, nothing frozen, everything running and known to all.
        Errors: LabError naming what does not come back."""
        for host in (*self.cluster.directors.values(), *self.cluster.servers.values()):
            host.heal(INTERFACE)
        self.servers.restore()
        for node in self.nodes.values():
            if not node.running:
                node.start()
        self._wait(self._directors_missing, within)
        self.traffic.renew()
        self._wait(self._downloads_missing, within)
        self.traffic.forget(time.monotonic() - KEPT)

    def _wait(self, missing: Callable[[], str], within: float) -> None:
        words = ""

        def nothing_missing() -> bool:
            nonlocal words
            words = missing()
            return not words

        if not happens(nothing_missing, within, every=0.1):
            logs = "\n".join(node.last_words() for node in self.nodes.values())
            raise LabError(f"the cluster is not whole after {within:g} s: {words}\n{logs}")

    def _directors_missing(self) -> str:
        """What the directors lack, in words; empty when nothing."""
        for node in self.nodes.values():
            node.require_running()
            if words := node.missing():
                return f"{node.name}: {words}"
            if node.name not in self.without_table and not self._holds_servers(node):
                return f"{node.name}: servers are missing in its table"
        wanted, owner = self.ranking[0].name, self.owner()
        return "" if owner == wanted else f"the VIP belongs to {wanted}, but who answers for it is {owner}"

    def _downloads_missing(self) -> str:
        if (running := self.traffic.streams()) < STREAMS:
            return f"{running} of {STREAMS} downloads are running"
        if self.cluster.model.sync:
            standby = self.ranking[1]
            unknown = self._downloads() - tables.connections(standby.host, self.cluster.port(FILES))
            if unknown:
                return f"{standby.name} does not know {len(unknown)} of the downloads"
        return ""

    def _downloads(self) -> set[tuple[str, str]]:
        """The client's established download connections, written as /proc/net/ip_vs_conn does."""
        port = f"{self.cluster.port(FILES):04X}"
        address = "".join(f"{int(part):02X}" for part in CLIENT.split("."))
        lines = (line.split() for line in self.cluster.client.read("/proc/thread-self/net/tcp").splitlines()[1:])
        return {
            (address, fields[1].rpartition(":")[2])
            for fields in lines
            if fields[2].endswith(":" + port) and fields[3] == "01"
        }

    # -- what drills wait for --------------------------------------------------------------------------------------

    def owned_by(self, node: Node, within: float) -> bool:
        """Wait until this director alone answers for the VIP. False when it does not come to that."""
        return happens(lambda: self.owner() == node.name, within, EVERY)

    def need_ready(self, node: Node) -> None:
        """Wait until the software on a director lacks nothing. Errors: LabError saying what it lacks."""

        def missing() -> str:
            node.require_running()
            return node.missing() or ("" if self._holds_servers(node) else "servers are missing in its table")

        self._wait(missing, WHOLE)

    def need_owner(self, node: Node) -> None:
        """The same for a drill that begins there. Errors: LabError."""
        within = 1.5 * self.takeover_time(node) + 5
        until(f"{node.name} to have the VIP", lambda: self.owned_by(node, 0.0), within)

    def has_servers(self, within: float, without: str = "") -> bool:
        """Wait until every running director's table holds all real servers, but for `without`."""
        nodes = [node for node in self.nodes.values() if node.running]
        return happens(lambda: all(self._holds_servers(node, without) for node in nodes), within)

    def need_servers(self, without: str = "") -> None:
        """The same for a drill that begins there. Errors: LabError."""
        until("the tables to hold what they should", lambda: self.has_servers(0.0, without), SERVERS)

    def _holds_servers(self, node: Node, without: str = "") -> bool:
        expected = [
            str(server.address)
            for service in self.cluster.model.services.values()
            for server in service.servers.values()
            if server.name != without
        ]
        return tables.servers(node.host) == sorted(expected)

    def served(self, after: float, within: float) -> bool:
        """Wait until requests sent after this time are answered again, one after the other. False if not."""

        def answered() -> bool:
            self.traffic.udp.read()
            last = self.traffic.udp.records[-ANSWERED_IN_A_ROW:]
            return len(last) == ANSWERED_IN_A_ROW and all(
                request.sent > after and request.answered is not None for request in last
            )

        return happens(answered, within, every=0.05)

    def requests_since(self, begin: float, count: int) -> None:
        """Wait until so many requests have been sent since `begin`. Errors: LabError when the client is too slow."""

        def enough() -> bool:
            self.traffic.udp.read()
            return sum(request.sent >= begin for request in self.traffic.udp.records) >= count

        until(f"{count} requests", enough, within=count / 1000 * 3 + 10, every=0.1)

    def drops(self) -> Drops:
        """Every counter of packets lost inside hosts, now."""
        self.traffic.udp.read()
        marks = self.traffic.udp.marks
        return instruments.drops(self.cluster, int(marks[-1].get("dropped", 0)) if marks else 0)

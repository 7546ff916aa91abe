"""Planted faults: each must turn the line of its drills red, or the drill would not notice the real one either.

Three ways to plant one: in the configuration (`change`), in haman itself (`patch`: the directors named there are run by
`haman.lab.planted`, which exchanges one function), or from outside while the drill acts (`during`).
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from haman.lab.cluster import INTERFACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from haman.lab.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """patch: which directors run with the fault of this name in haman itself. without_table: which of them will have
    no IPVS table, however long one waits for it."""

    name: str
    words: str
    change: Callable[[dict[str, Any]], None] | None = None
    patch: frozenset[str] = frozenset()
    during: Callable[[Stage], AbstractContextManager[None]] | None = None
    without_table: frozenset[str] = frozenset()

    @property
    def from_the_start(self) -> bool:
        """The directors have to be started with it."""
        return self.change is not None or bool(self.patch)


# -- in the configuration -----------------------------------------------------------------------------------------


def _sync_off(file: dict[str, Any]) -> None:
    file["sync"] = False


def _unheard(file: dict[str, Any]) -> None:
    file["sync"]["wait"] = "0s"


def _blind_checks(file: dict[str, Any]) -> None:
    for service in file["services"].values():
        service["check"] = False


def _connect_checks(file: dict[str, Any]) -> None:
    for service in file["services"].values():
        service["check"] = "connect"
    file["checks"]["connect"]["port"] = file["checks"].pop("web")["port"]


def _no_channel(file: dict[str, Any]) -> None:
    file["channel"] = False


def _wrong_checksum(file: dict[str, Any]) -> None:
    for router in file["routers"].values():
        router["checksum"] = "rfc9568"


def _no_minimum(file: dict[str, Any]) -> None:
    for service in file["services"].values():
        del service["minimum_up"]


# -- from outside -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _no_announcement(stage: Stage) -> Iterator[None]:
    """The router hears no gratuitous ARP for the VIP, and no question that comes from it, by which it would be told as
    well; answers to its own questions still come through."""
    rule = f"arp saddr ip {stage.cluster.vip} arp operation request drop"
    chain = f"chain in {{\ntype filter hook input priority 0;\n{rule}\n}}"
    stage.cluster.router.run("nft", "-f", "-", input=f"table arp planted {{\n{chain}\n}}\n")
    try:
        yield
    finally:
        stage.cluster.router.run("nft", "delete", "table", "arp", "planted")


@contextlib.contextmanager
def _lossy_link(stage: Stage) -> Iterator[None]:
    """The router loses one packet in a hundred on its way in."""
    router = stage.cluster.router
    router.run("tc", "qdisc", "add", "dev", INTERFACE, "root", "netem", "loss", "1%")
    try:
        yield
    finally:
        router.run("tc", "qdisc", "del", "dev", INTERFACE, "root")


@contextlib.contextmanager
def _empty_table(stage: Stage) -> Iterator[None]:
    """Somebody clears the returning director's IPVS table faster than it is repaired."""
    over = threading.Event()
    host = stage.ranking[0].host

    def clear() -> None:
        while not over.is_set():
            host.run("ipvsadm", "-C")

    thread = threading.Thread(target=clear)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _half_restored(stage: Stage) -> Iterator[None]:
    """The server that comes back answers its check, but not the service."""
    stage.servers.left_out = frozenset({"udp"})
    try:
        yield
    finally:
        stage.servers.left_out = frozenset()


STANDBY = frozenset({"lb2"})
WORST = frozenset({"lb3"})
ALL = frozenset({"lb1", "lb2", "lb3"})
PLANTS = {
    plant.name: plant
    for plant in (
        Plant(
            name="no-announcement",
            words="the router hears no gratuitous ARP, and no question from the VIP",
            during=_no_announcement,
        ),
        Plant(name="lossy-link", words="the network loses 1 packet in 100", during=_lossy_link),
        Plant(name="empty-table", words="the returning director's table is kept empty", during=_empty_table),
        Plant(name="half-restored", words="the server answers its check before it serves", during=_half_restored),
        Plant(name="sync-off", words="connections are not synchronised", change=_sync_off),
        Plant(name="unheard", words="a director that comes up does not wait for connections", change=_unheard),
        Plant(name="blind-checks", words="servers are not checked", change=_blind_checks),
        Plant(name="connect-checks", words="a check is content with a connection", change=_connect_checks),
        Plant(name="wrong-checksum", words="the checksum that keepalived does not believe", change=_wrong_checksum),
        Plant(name="no-minimum", words="no minimum_up", change=_no_minimum),
        Plant(name="no-channel", words="directors do not talk to each other", change=_no_channel),
        Plant(name="standby-unloaded", words="the standby's table is not loaded", patch=STANDBY, without_table=STANDBY),
        Plant(name="no-skew", words="the worst standby has no more patience than the best", patch=WORST),
        Plant(name="abrupt-stop", words="SIGTERM takes the VIP away at once, without a word", patch=ALL),
        Plant(name="director-is-all", words="the elector ends with its director", patch=ALL),
        Plant(name="no-withdrawal", words="the director leaves the VIP of a dead elector", patch=ALL),
        Plant(name="no-drift-repair", words="nobody looks whether the kernel still holds what it should", patch=ALL),
        Plant(name="unscreened", words="a director balances what the other one has sent it too", patch=ALL),
        Plant(name="open-standby", words="a standby schedules what the active one has sent it, too", patch=ALL),
        Plant(name="no-probes", words="nobody asks who else has the VIP", patch=ALL),
        Plant(name="no-second-chance", words="nobody asks the director that served before", patch=ALL),
        Plant(name="hook-forgotten", words="nobody is told of a split brain", patch=ALL),
        Plant(name="arbiter-ignored", words="a standby takes over without asking the arbiter", patch=ALL),
        Plant(name="greedy", words="every IPVS service is taken for haman's own", patch=ALL),
    )
}

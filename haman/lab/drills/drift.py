"""Somebody changes the active director's kernel behind haman's back: what is haman's comes back, the rest is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from haman.lab import tables
from haman.lab.address_watch import AddressWatch
from haman.lab.cluster import INTERFACE
from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import came_true
from haman.lab.results import Limit
from haman.lab.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Host
    from haman.lab.stage import Stage

PATIENCE = 3.0
VIP_BACK, TABLE_BACK = 0.1, 1.0
"""Seconds within which a deleted VIP, and a changed IPVS table, must be as they were."""

FOREIGN = "192.0.2.77:7777"
"""A service that is nobody's but the operator's: no router has its address."""


def _with_prefix(host: Host, vip: str) -> str:
    """The VIP on the NIC as it has to be named to delete it: with the prefix length it was added with."""
    shown = host.run("ip", "-oneline", "-4", "address", "show", "dev", INTERFACE, "to", vip).stdout.split()
    return shown[shown.index("inet") + 1]


class VipDeleted(Drill):
    name = "vip-deleted"
    title = "VIP deleted on the active"
    plants = ("no-drift-repair",)

    def act(self, stage: Stage, course: Course) -> None:
        host, vip = stage.ranking[0].host, stage.cluster.vip
        address = _with_prefix(host, vip)
        with AddressWatch(host) as changes:
            course.faulted()
            host.del_address(INTERFACE, address)
            course.facts["back"] = changes.absence(vip, INTERFACE, PATIENCE)

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield Limit(name="VIP back after", bound=VIP_BACK, measured=seen.course.facts["back"], unit="ms")


class TableCleared(Drill):
    name = "table-cleared"
    title = "ipvsadm -C on the active"
    plants = ("no-drift-repair",)

    def act(self, stage: Stage, course: Course) -> None:
        host = stage.ranking[0].host
        before = tables.table(host)
        course.faulted()
        host.run("ipvsadm", "-C")
        cleared = time.monotonic()
        back = happens(lambda: tables.table(host) == before, PATIENCE, every=0.01)
        course.facts["back"] = time.monotonic() - cleared if back else None

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield Limit(name="table back after", bound=TABLE_BACK, measured=seen.course.facts["back"], unit="ms")


class ForeignService(Drill):
    """A service of the operator's own, and one on the VIP, which is ours: so a repair does take place beside it."""

    name = "foreign-service"
    title = "foreign IPVS service added"
    plants = ("greedy",)

    def act(self, stage: Stage, course: Course) -> None:
        host, cluster = stage.ranking[0].host, stage.cluster
        course.faulted()
        try:
            host.run("ipvsadm", "-A", "-t", FOREIGN, "-s", "rr")
            with_foreign = tables.table(host)
            host.run("ipvsadm", "-A", "-t", f"{cluster.vip}:7777", "-s", "rr")
            course.facts["repaired"] = happens(lambda: tables.table(host) == with_foreign, PATIENCE, every=0.05)
            stage.requests_since(course.fault, self.requests)
            course.facts["left"] = tables.table(host) == with_foreign
        finally:
            host.run("ipvsadm", "-D", "-t", FOREIGN, check=False)

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield came_true("repaired beside it", seen.course.facts["repaired"])
        yield came_true("foreign service left alone", seen.course.facts["left"])

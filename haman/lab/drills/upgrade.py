"""haman is restarted on one director after the other, as an upgrade in place does it: the standby first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from haman.lab import tables
from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import RETURN, came_true, downloads_kept, nothing_lost
from haman.lab.results import Limit
from haman.lab.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.software import Node
    from haman.lab.stage import Stage

LO = ("ip", "-4", "-brief", "address", "show", "dev", "lo")

STARTED = 60.0
"""Seconds a director may take to start, to ask all servers and to learn the connections, on one slow processor."""


class Upgrade(Drill):
    name = "upgrade"
    title = "restart of the standby, then of the active"
    plants = ("abrupt-stop", "sync-off")
    requests = 10_000

    def act(self, stage: Stage, course: Course) -> None:
        active, standby = stage.ranking[:2]
        before = tables.table(standby.host)
        changed = 0

        def look() -> None:
            nonlocal changed
            silent = f" {stage.cluster.vip}/32" in standby.host.run(*LO).stdout
            changed += tables.table(standby.host) != before or not silent

        def back(node: Node) -> bool:
            return node.running and not stage.software.ready(node)

        def standby_ended() -> bool:
            look()
            return not standby.running

        def standby_back() -> bool:
            look()
            return back(standby)

        course.faulted()
        course.over = course.fault  # requests are counted here, nothing is timed: a start holds the one processor up
        standby.terminate()
        happens(standby_ended, STARTED, every=0.02)
        standby.start()
        course.facts["standby back"] = happens(standby_back, STARTED, every=0.05)
        course.facts["changes seen on the standby"] = changed
        active.terminate()
        course.facts["taken over"] = stage.owned_by(standby, RETURN)
        course.moved = time.monotonic()
        active.ended()
        active.start()
        course.facts["active back"] = happens(
            lambda: back(active) and stage.owner() == active.name, STARTED, every=0.05
        )

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        facts = seen.course.facts
        yield nothing_lost(seen)
        yield downloads_kept(seen)
        yield Limit(name="changes seen on the standby", bound=0, measured=facts["changes seen on the standby"])
        for what in ("standby back", "taken over", "active back"):
            yield came_true(what, facts[what])

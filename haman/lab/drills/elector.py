"""The elector of the active node dies or freezes: its peer takes over in its time, and what is left of the node takes
the VIP off the NIC, so that two owners stand on the segment for no longer than at a planned move."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import RETURN, SLACK, came_true, one_owner, taken_over
from haman.lab.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.results import Limit
    from haman.lab.stage import Stage

FROZEN = 10.0


def _taken_over(stage: Stage, course: Course) -> None:
    standby = stage.ranking[1]
    patience = 1.5 * stage.takeover_time(standby) + 2
    stage.owned_by(standby, patience)
    stage.served(course.fault, patience)


class ElectorKilled(Drill):
    name = "elector-killed"
    title = "kill -9 elector of the active"
    plants = ("no-withdrawal",)
    asks_arp = True

    def act(self, stage: Stage, course: Course) -> None:
        active = stage.ranking[0]
        stage.watch.next_advert(active.name, within=2 * stage.advert + 1)
        os.kill(active.elector(), signal.SIGKILL)
        course.faulted()
        _taken_over(stage, course)

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield taken_over(stage, seen, stage.ranking[1])
        yield one_owner(stage.cluster.router_model.linger + SLACK, seen)


class ElectorFrozen(Drill):
    """SIGSTOP for ten seconds. Thawed, it must first listen: its idea of who is active is ten seconds old."""

    name = "elector-frozen"
    title = "elector of the active frozen for 10 s"
    plants = ("no-withdrawal",)
    asks_arp = True

    def act(self, stage: Stage, course: Course) -> None:
        active = stage.ranking[0]
        pid = active.elector()
        stage.watch.next_advert(active.name, within=2 * stage.advert + 1)
        os.kill(pid, signal.SIGSTOP)
        course.faulted()
        try:
            _taken_over(stage, course)
            course.over = time.monotonic()
            happens(lambda: time.monotonic() >= course.fault + FROZEN, FROZEN)
        finally:
            os.kill(pid, signal.SIGCONT)
        course.facts["back"] = stage.owned_by(active, RETURN)

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield taken_over(stage, seen, stage.ranking[1])
        yield one_owner(stage.cluster.router_model.linger + SLACK, seen)
        yield came_true("preempted back", seen.course.facts["back"])

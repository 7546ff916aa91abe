"""kill -9 for the director process of the active node: the elector keeps the role, the kernel goes on forwarding."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from haman.errors import LabError
from haman.lab import tables
from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import came_true, downloads_kept, nothing_lost
from haman.lab.results import Limit
from haman.lab.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.stage import Stage


RESTART = 60.0
"""Seconds a director process may take to start, on one slow processor, and to have asked all servers."""

UNANSWERED = 0.2
"""Seconds that nobody may answer for the VIP: more than any pause of the machine that is let pass, less than a takeover
takes."""


GIVES_WAY = 30.0
"""Seconds: six starts with their back-off take nine, and each one the time that Python takes."""


class DirectorKilled(Drill):
    name = "director-killed"
    title = "kill -9 director process of the active"
    plants = ("director-is-all",)
    asks_arp = True

    def act(self, stage: Stage, course: Course) -> None:
        active = stage.ranking[0]
        before, killed = tables.table(active.host), active.director()
        if killed is None:
            raise LabError(f"{active.name} has no director process to kill")
        wrong_tables = 0

        def restarted() -> bool:
            nonlocal wrong_tables
            wrong_tables += tables.table(active.host) != before
            return active.running and active.director() not in (None, killed) and not stage.software.ready(active)

        course.faulted()
        os.kill(killed, signal.SIGKILL)
        course.over = course.fault + 1.0
        course.facts["restarted"] = happens(restarted, RESTART, every=0.05)
        course.facts["wrong tables"] = wrong_tables

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        assert seen.ownership is not None
        yield nothing_lost(seen)
        yield Limit(name="owners of the VIP", bound=1, measured=len(seen.ownership.first))
        yield Limit(name="VIP unanswered", bound=UNANSWERED, measured=seen.ownership.nobody, unit="ms")
        yield Limit(name="wrong tables seen", bound=0, measured=seen.course.facts["wrong tables"])
        yield came_true("restarted", seen.course.facts["restarted"])


class DirectorGone(Drill):
    """Whoever starts dies: nobody programs this node's table or checks its servers any more."""

    name = "director-gone"
    title = "director process killed again and again"
    plants = ("no-channel",)
    requests = 10_000

    def act(self, stage: Stage, course: Course) -> None:
        active, standby = stage.ranking[:2]
        if active.director() is None:
            raise LabError(f"{active.name} has no director process to kill")

        def gave_way() -> bool:
            if (pid := active.director()) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return stage.owner() == standby.name

        course.faulted()
        course.facts["gave way"] = happens(gave_way, GIVES_WAY, every=0.02)
        course.moved = time.monotonic()

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield nothing_lost(seen)
        yield downloads_kept(seen)
        yield came_true("taken over", seen.course.facts["gave way"])

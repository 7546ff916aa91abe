"""The active director is stopped in good order: it goes on serving until its peer has taken over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import RETURN, came_true, downloads_kept, no_short_failed, nothing_lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.results import Limit
    from haman.lab.stage import Stage


class OrderlyStop(Drill):
    name = "stop"
    title = "orderly stop of the active"
    plants = ("abrupt-stop", "sync-off")
    requests = 10_000

    def act(self, stage: Stage, course: Course) -> None:
        active, standby = stage.ranking[:2]
        course.faulted()
        active.terminate()
        course.facts["taken over"] = stage.owned_by(standby, RETURN)
        course.moved = time.monotonic()
        course.notes.append(f"{active.name} ended with exit status {active.ended()}")

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield nothing_lost(seen)
        yield downloads_kept(seen)
        yield from no_short_failed(stage, seen)
        yield came_true("taken over", seen.course.facts["taken over"])

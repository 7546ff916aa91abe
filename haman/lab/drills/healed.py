"""The lost network comes back, and with it the better director: a planned move, which nobody may notice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from haman.lab.cluster import INTERFACE
from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import RETURN, came_true, downloads_kept, nothing_lost
from haman.lab.results import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Host
    from haman.lab.stage import Stage


class CableHealed(Drill):
    """Carrier returns; the better director preempts as soon as it is ready. foreseen: whoever takes over has prepared
    for connections too young for it to know."""

    name = "cable-healed"
    title = "cable healed, preempted back"
    plants = ("empty-table",)
    requests = 10_000
    foreseen: ClassVar = True

    def cut(self, host: Host) -> None:
        host.cut(INTERFACE)

    def arrange(self, stage: Stage) -> None:
        active, standby = stage.ranking[:2]
        self.cut(active.host)
        stage.need_owner(standby)

    def act(self, stage: Stage, course: Course) -> None:
        best = stage.ranking[0]
        course.faulted()
        best.host.heal(INTERFACE)
        course.facts["back"] = stage.owned_by(best, RETURN)
        course.moved = time.monotonic()

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield nothing_lost(seen)
        yield downloads_kept(seen)
        yield came_true("preempted back", seen.course.facts["back"])
        if self.foreseen:
            yield Limit(name="short TCP failed", bound=0, measured=len(seen.shorts.failed))


class SwitchHealed(CableHealed):
    """Two active directors meet again: the worse one yields, and the better one has to announce itself anew, though
    from where it stands nothing has happened."""

    name = "switch-healed"
    title = "switch healed, two actives meet"
    foreseen: ClassVar = False

    def cut(self, host: Host) -> None:
        host.unplug_switch(INTERFACE)

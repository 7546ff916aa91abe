"""The active director loses its network: its standby has to notice the silence, take over, and tell the router."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from haman.lab.cluster import INTERFACE
from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import downloads_kept, gap_of_a_takeover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Host
    from haman.lab.results import Limit
    from haman.lab.stage import Stage


class CableCut(Drill):
    """Carrier lost: the director knows it, but can tell nobody. Cut right after an advertisement, so that the standby
    has its whole patience still before it."""

    name = "cable-cut"
    title = "cable of the active cut"
    plants: ClassVar[tuple[str, ...]] = ("no-announcement", "standby-unloaded", "sync-off")

    def cut(self, host: Host) -> None:
        host.cut(INTERFACE)

    def act(self, stage: Stage, course: Course) -> None:
        active, standby = stage.ranking[:2]
        stage.watch.next_advert(active.name, within=2 * stage.advert + 1)
        self.cut(active.host)
        course.faulted()
        patience = 1.5 * stage.takeover_time(standby) + 2
        stage.owned_by(standby, patience)
        stage.served(course.fault, patience)

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield gap_of_a_takeover(stage, seen, stage.ranking[1])
        yield downloads_kept(seen)


class SwitchCut(CableCut):
    """A switch that swallows its frames: carrier stays, and the cut-off director goes on as the active one."""

    name = "switch-cut"
    title = "switch swallows frames of the active"

    def cut(self, host: Host) -> None:
        host.unplug_switch(INTERFACE)

"""A pair of keepalived becomes a pair of haman, one director after the other, under traffic.

The steps are those of docs/how-to/migrate-from-keepalived.md, in its order.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import RETURN, came_true, downloads_kept, nothing_lost
from haman.lab.keepalived import Keepalived
from haman.lab.software import Haman

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.results import Limit
    from haman.lab.stage import Stage


class Migration(Drill):
    name = "migrate"
    title = "keepalived replaced by haman"
    plants = ("wrong-checksum", "no-announcement")
    beside_keepalived = True

    def arrange(self, stage: Stage) -> None:
        for node in reversed(stage.ranking):
            node.become(Keepalived())
        stage.prepare()

    def act(self, stage: Stage, course: Course) -> None:
        active, standby = stage.ranking[:2]
        # On the standby: systemctl stop keepalived; systemctl start haman. Nothing moves.
        standby.become(Haman())
        stage.need_ready(standby)
        course.facts["unmoved"] = stage.owner() == active.name
        # On the active one: sysctl -w, so that its kernel tells every connection again within 3 s.
        active.host.sysctl("net/ipv4/vs/sync_threshold", "3 0")
        active.host.sysctl("net/ipv4/vs/sync_refresh_period", 3)
        course.faulted()
        # There too: priority 1 in keepalived.conf; systemctl reload keepalived. haman preempts.
        active.reconfigure(Keepalived(priority=1))
        course.facts["moved"] = stage.owned_by(standby, RETURN)
        course.moved = course.over = time.monotonic()
        # On the same: systemctl stop keepalived; systemctl start haman. It preempts in its turn.
        active.become(Haman())
        course.facts["back"] = stage.owned_by(active, RETURN)

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield nothing_lost(seen)
        yield downloads_kept(seen)
        for what in ("unmoved", "moved", "back"):
            yield came_true(what, seen.course.facts.get(what))

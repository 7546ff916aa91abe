"""Nothing happens: the lab's own instruments, under the same traffic as everywhere else, must see no loss at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import downloads_kept, no_short_failed, nothing_lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.results import Limit
    from haman.lab.stage import Stage


class NothingHappens(Drill):
    name = "nothing"
    title = "nothing happens"
    plants = ("lossy-link",)
    requests = 5000

    def act(self, stage: Stage, course: Course) -> None:
        course.faulted()

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield nothing_lost(seen)
        yield downloads_kept(seen)
        yield from no_short_failed(stage, seen)

"""Two standbys wait for one role: their priorities set them apart in time (skew), so that one alone takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.lab.drills.cut import CableCut
from haman.lab.drills.limits import gap_of_a_takeover, one_owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.drills.base import Seen
    from haman.lab.results import Limit
    from haman.lab.stage import Stage


class TwoStandbys(CableCut):
    name = "two-standbys"
    title = "cable cut, two standbys wait"
    plants = ("no-skew",)
    directors = 3
    asks_arp = True

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield gap_of_a_takeover(stage, seen, stage.ranking[1])
        yield one_owner(0.0, seen)

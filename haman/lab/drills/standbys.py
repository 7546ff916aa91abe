"""Two standbys wait for one role: their priorities set them apart in time (skew), so that one alone takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.lab.cluster import INTERFACE
from haman.lab.drills.cut import CableCut
from haman.lab.drills.limits import gap_of_a_takeover, one_owner
from haman.lab.results import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.drills.base import Seen
    from haman.lab.stage import Stage


class TwoStandbys(CableCut):
    name = "two-standbys"
    title = "cable cut, two standbys wait"
    plants = ("no-skew",)
    directors = 3
    asks_arp = True

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        assert seen.ownership is not None, "a drill about owners asks for them"
        worst = stage.ranking[-1]
        claimed = worst.host.mac(INTERFACE) in seen.ownership.first
        yield gap_of_a_takeover(stage, seen, stage.ranking[1])
        yield one_owner(0.0, seen)
        yield Limit(name=f"{worst.name} had it too", bound=0, measured=float(claimed))

"""All drills, in the order of a session: those of one cluster together, the gentlest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.lab.drills.cut import CableCut, SwitchCut
from haman.lab.drills.director import DirectorKilled
from haman.lab.drills.drift import ForeignService, TableCleared, VipDeleted
from haman.lab.drills.elector import ElectorFrozen, ElectorKilled
from haman.lab.drills.healed import CableHealed, SwitchHealed
from haman.lab.drills.quiet import NothingHappens
from haman.lab.drills.servers import CheckBroken, ServerFrozen, ServerKilled, ServerRestored, ServerUnplugged
from haman.lab.drills.standbys import TwoStandbys
from haman.lab.drills.stop import OrderlyStop

if TYPE_CHECKING:
    from haman.lab.drills.base import Drill

EVERY_INTERVAL = ("100ms", "1s", "10ms")


@dataclass(frozen=True, slots=True)
class Entry:
    """A drill, and the advertisement intervals it is done with."""

    drill: type[Drill]
    adverts: tuple[str, ...] = ("100ms",)


TABLE = (
    Entry(NothingHappens),
    Entry(VipDeleted),
    Entry(TableCleared),
    Entry(ForeignService),
    Entry(DirectorKilled),
    Entry(CheckBroken),
    Entry(ServerKilled),
    Entry(ServerFrozen),
    Entry(ServerUnplugged),
    Entry(ServerRestored),
    Entry(CableHealed),
    Entry(SwitchHealed),
    Entry(ElectorKilled),
    Entry(ElectorFrozen),
    Entry(OrderlyStop),
    Entry(CableCut, EVERY_INTERVAL),
    Entry(SwitchCut, EVERY_INTERVAL),
    Entry(TwoStandbys),
)

"""All drills, in the order of a session: those of one cluster together, the gentlest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.lab.drills.cut import CableCut, SwitchCut
from haman.lab.drills.director import DirectorGone, DirectorKilled
from haman.lab.drills.drift import ForeignService, TableCleared, VipDeleted
from haman.lab.drills.elector import ElectorFrozen, ElectorKilled
from haman.lab.drills.healed import CableHealed, SwitchHealed
from haman.lab.drills.migrate import Migration
from haman.lab.drills.quiet import NothingHappens
from haman.lab.drills.servers import CheckBroken, ServerFrozen, ServerKilled, ServerRestored, ServerUnplugged
from haman.lab.drills.standbys import TwoStandbys
from haman.lab.drills.stop import OrderlyStop
from haman.lab.drills.switchover import TenSwitchovers
from haman.lab.drills.upgrade import Upgrade

if TYPE_CHECKING:
    from haman.lab.drills.base import Drill

USUAL = ("100ms",)
EVERY_INTERVAL = ("100ms", "1s", "10ms")


@dataclass(frozen=True, slots=True)
class Entry:
    """A drill, and the advertisement intervals it is done with. sliced: those of every change; the others are for a
    release."""

    drill: type[Drill]
    adverts: tuple[str, ...] = USUAL
    sliced: tuple[str, ...] = ()


TABLE = (
    Entry(NothingHappens),
    Entry(VipDeleted, sliced=USUAL),
    Entry(TableCleared, sliced=USUAL),
    Entry(ForeignService),
    Entry(DirectorKilled, sliced=USUAL),
    Entry(CheckBroken),
    Entry(ServerKilled, sliced=USUAL),
    Entry(ServerFrozen),
    Entry(ServerUnplugged),
    Entry(ServerRestored, sliced=USUAL),
    Entry(CableHealed, sliced=USUAL),
    Entry(SwitchHealed),
    Entry(DirectorGone),
    Entry(ElectorKilled, sliced=USUAL),
    Entry(ElectorFrozen),
    Entry(OrderlyStop, sliced=USUAL),
    Entry(TenSwitchovers, sliced=USUAL),
    Entry(Upgrade, sliced=USUAL),
    Entry(CableCut, EVERY_INTERVAL, sliced=("100ms", "10ms")),
    Entry(SwitchCut, EVERY_INTERVAL, sliced=USUAL),
    Entry(TwoStandbys),
    Entry(Migration),
)

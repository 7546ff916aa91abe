"""Everything that can happen to a virtual router. The counterpart, what it can do, is `effects`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.election.gate import Ruling
    from haman.model.addresses import Address
    from haman.model.elector import RouterConfig
    from haman.wire.advertisement import Advertisement


@dataclass(frozen=True, slots=True)
class Start:
    """The process is up and listens."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The operator wants this router to leave, in good order."""


@dataclass(frozen=True, slots=True)
class Offer:
    """This node serves on, but a peer should rather have the role; if none takes it, it stays here."""

    why: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A valid advertisement of another router for our VRID, from `source`. own: the address that we advertise from in
    the same family, None while there is none: the other side of a tie. leads: a tie may be settled by these two, since
    all directors would settle it alike; so it is in the leading family alone."""

    advertisement: Advertisement
    source: Address
    own: Address | None
    leads: bool = True


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has come: the deadline passed, and everything that had arrived by then has been handled BEFORE."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """What tracking says. fault: why this node may not be active, or None. deaf: nobody can hear us either, so
    there is nobody to say goodbye to. penalty: what the priority is lowered by. pending: the fault is only that
    something is not known yet."""

    fault: str | None
    penalty: int = 0
    deaf: bool = False
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Readiness:
    """waiting: what must still happen before this node may take the role from a living peer; None when ready. eager:
    it serves as well as any other already, so it need not let others go first when nobody is active."""

    waiting: str | None
    eager: bool = False


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """The same election with other settings: another name, or even another place (VRID, interface), are settings."""

    config: RouterConfig


@dataclass(frozen=True, slots=True)
class Ruled:
    """An answer for the arbiter has come."""

    ruling: Ruling


Event = Start | Stop | Offer | Heard | Tick | Assessed | Readiness | Reconfigured | Ruled

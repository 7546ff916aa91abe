"""Everything that can happen to a virtual router. The counterpart, what it can do, is `effects`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from haman.model.elector import RouterConfig
    from haman.wire.vrrp import Advertisement


@dataclass(frozen=True, slots=True)
class Start:
    """The process is up and listens."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The operator wants this router to leave, in good order."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A valid advertisement of another router for our VRID, from `source`."""

    advertisement: Advertisement
    source: IPv4Address


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has come: the deadline passed, and everything that had arrived by then has been handled BEFORE."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """What tracking says. fault: why this node may not be active, or None. deaf: nobody can hear us either, so
    there is nobody to say goodbye to. penalty: what the priority is lowered by."""

    fault: str | None
    penalty: int = 0
    deaf: bool = False


@dataclass(frozen=True, slots=True)
class Readiness:
    """waiting: what must still happen before this node may take the role from a living peer; None when ready."""

    waiting: str | None


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """The same virtual router (VRID, interface) with other settings."""

    config: RouterConfig


Event = Start | Stop | Heard | Tick | Assessed | Readiness | Reconfigured

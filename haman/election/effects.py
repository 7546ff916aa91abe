"""Everything a virtual router can do that has no level of its own.

Addresses are not here: they follow from `Router.holds` by plan and diff, so a lost effect cannot lose a VIP.
Effects are to be carried out in the order given; an Announce only AFTER the addresses are on the NIC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.addresses import Address
    from haman.model.transition import Role


@dataclass(frozen=True, slots=True)
class Advertise:
    """Send one advertisement with this priority now."""

    priority: int


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the neighbours where the addresses are now, and again later as configured."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The role changed. `cause` is a stable code for metrics, `why` is words for the operator."""

    before: Role
    after: Role
    cause: str
    why: str


@dataclass(frozen=True, slots=True)
class Rivalled:
    """Another router speaks as active, with `priority`, and this one stays active beside it. Told as often as the
    rival is answered with an announcement, not for each of its advertisements."""

    rival: Address
    priority: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the arbiter whether this standby may take the role. at: the question's name in the Ruling. interval: seconds
    between two advertisements of whoever was active; an answer is wanted sooner than two of them. living: that one is
    heard, and is worse than this router, which may preempt."""

    at: float
    interval: float
    living: bool = False


Effect = Advertise | Announce | Changed | Rivalled | Ask

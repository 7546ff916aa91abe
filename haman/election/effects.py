"""Everything a virtual router can do that has no level of its own.

Addresses are not here: they follow from `Router.holds` by plan and diff, so a lost effect cannot lose a VIP.
Effects are to be carried out in the order given; an Announce only AFTER the addresses are on the NIC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


Effect = Advertise | Announce | Changed

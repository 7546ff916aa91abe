"""The sites that may serve a service: its own real servers (local), and its backups elsewhere, in order. Seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.model.addresses import Network
    from haman.model.checks import Check
    from haman.model.relay import Terms
    from haman.model.services import Server

LOCAL = 0
"""The number of the service's own servers; its backups are 1, 2, ... in the operator's order."""


class AllDown(Enum):
    """What is done when neither a local server nor a backup is up. REFUSE: clients are told at once that nobody
    serves. LAST_KNOWN: the site that served last goes on, with its servers that ever were up. FAIL_OPEN: all local
    servers are used, whatever their checks say."""

    REFUSE = "refuse"
    LAST_KNOWN = "last-known"
    FAIL_OPEN = "fail-open"


class Order(Enum):
    """What the operator wants at the moment. AUTO: as health says."""

    AUTO = "auto"
    LOCAL = "local"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """When a backup serves, and when no more. below, above: shares 0..1 of the local servers' weight.

    A backup serves once no local server is up, or less than `below` of their weight, for `hold` seconds; the local
    servers serve again once at least `above` was up for `after` seconds, or (manual) when the operator says so.
    spill_over: local servers that are up go on serving, and the backup takes what the others would have.
    """

    below: float = 0.0
    hold: float = 0.0
    above: float = 0.5
    after: float = 30.0
    manual: bool = False
    all_down: AllDown = AllDown.REFUSE
    spill_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """Another site. servers: its VIP, or several. check None: taken for healthy for ever. origins: where that site's
    own packets come from, besides the addresses of `servers`: such packets are never sent to another backup. relay:
    where that is the way there."""

    name: str
    servers: Mapping[str, Server]
    check: Check | None = None
    origins: tuple[Network, ...] = field(default=())
    relay: Terms | None = None

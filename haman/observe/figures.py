"""Everything a scrape of the metrics shows, as one value that is taken on the loop and rendered in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from haman.model.cluster import Target
    from haman.model.elector import RoleReport
    from haman.observe.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Seconds throughout; `loaded_at` is wall-clock time.

    counters: the elector's, by router or `interface NAME`. waiting: routers that are not ready.
    services: name and state. servers: target, is it up, weight. refused: operations refused at present.
    """

    cluster: str
    node: str
    generation: int
    loaded_at: float
    roles: Sequence[RoleReport]
    waiting: Mapping[str, str]
    counters: Mapping[str, Mapping[str, int]]
    services: Sequence[tuple[str, str]]
    servers: Sequence[tuple[Target, bool, int | None]]
    in_flight: int
    check_lateness: float
    refused: int
    ipvs_available: bool
    lag: Mapping[str, float]
    heartbeat_age: float
    tally: Tally

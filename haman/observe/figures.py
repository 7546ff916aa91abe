"""Everything a scrape of the metrics shows, as one value that is taken on the loop and rendered in a thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from haman.model.elector import RoleReport
    from haman.model.routers import Router
    from haman.model.services import Target
    from haman.observe.tally import Tally


class Counted(Protocol):
    """What the kernel counts of one service or destination since it was made: see kernel.ipvs.decode.Traffic."""

    @property
    def connections(self) -> int: ...
    @property
    def packets_in(self) -> int: ...
    @property
    def packets_out(self) -> int: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def active(self) -> int: ...
    @property
    def inactive(self) -> int: ...
    @property
    def persistent(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Traffic:
    """services: by name and port (0 for a firewall mark). servers: by service, its port, and server."""

    services: Mapping[tuple[str, int], Counted]
    servers: Mapping[tuple[str, int, str], Counted]


class ServerFigures(NamedTuple):
    """reason: why it is up or down: a stable code. weight None: not in the kernel's table."""

    target: Target
    up: bool
    weight: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Seconds throughout; `loaded_at` and `reloaded_at` (of the last attempt) are wall-clock time.

    counters: the elector's, by router or `interface NAME`. waiting: routers that are not ready.
    services: name and state. sites: service, site, whether it serves. differing: by service, how many servers have the
    weight that the active director gives them where this one would give another. refused: operations refused at
    present. daemons: by sync daemon that is wanted, whether the kernel runs it. maintenance: ordered by the operator.
    channel_refused: by director and reason. connections: by router, how many established ones are held here, and what
    another director that is active says it has. traffic: None where the kernel does not tell. routers: this node's, by
    name. splits: by router, is another director active beside this one. arbiter: reached; None: there is
    none, or it was not looked at yet. relays: by the name of a backup's service, what relay.account tells.
    """

    cluster: str
    node: str
    generation: int
    loaded_at: float
    reload_ok: bool
    reloaded_at: float
    roles: Sequence[RoleReport]
    waiting: Mapping[str, str]
    maintenance: bool
    counters: Mapping[str, Mapping[str, int]]
    services: Sequence[tuple[str, str]]
    differing: Mapping[str, int]
    servers: Sequence[ServerFigures]
    sites: Sequence[tuple[str, str, bool]]
    in_flight: int
    check_lateness: float
    refused: int
    ipvs_available: bool
    lag: Mapping[str, float]
    heartbeat_age: float
    hooks_waiting: int
    daemons: Mapping[str, bool]
    channel_refused: Mapping[tuple[str, str], int]
    connections: Mapping[str, tuple[int, int | None]]
    traffic: Traffic | None
    routers: Mapping[str, Router]
    trackers: Sequence[tuple[str, bool]]
    splits: Mapping[str, bool]
    arbiter: bool | None
    relays: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tally: Tally

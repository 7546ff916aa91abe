"""What passes between the two processes: the elector's slice of the configuration, and what each tells the other.

The elector has no YAML and no configuration code: everything it needs for one node is in an ElectorConfig,
and it goes on with the last one it got while the director is away. `wire.link` turns these into frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from haman.model.cluster import (
    Announce,
    ChecksumForm,
    LogFormat,
    Preempt,
    StandbyAddress,
    TrackedInterface,
    VirtualAddress,
)
from haman.model.transition import Role, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterConfig:
    """One virtual router as this node plays it. peers: empty for multicast. Seconds throughout."""

    name: str
    vrid: int
    priority: int
    interface: str
    source: IPv4Address
    advert_interval: float
    addresses: tuple[VirtualAddress, ...]
    peers: tuple[IPv4Address, ...] = ()
    minimum_ttl: int = 255
    checksum: ChecksumForm = ChecksumForm.RFC9568
    preempt: Preempt = field(default_factory=Preempt)
    track: tuple[TrackedInterface, ...] = ()
    announce: Announce = field(default_factory=Announce)
    standby_address: StandbyAddress = StandbyAddress.LOOPBACK
    linger: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectorConfig:
    """generation: counts the director's configurations; an answer about an older one is refused."""

    generation: int
    node: str
    routers: tuple[RouterConfig, ...]
    log_format: LogFormat = LogFormat.TEXT
    log_level: str = "info"


# -- director to elector -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    config: ElectorConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """May this node take a router's role from a living peer? `waiting` says in words, by router name, what is
    still missing; a router that is not named there is ready."""

    generation: int
    waiting: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The director ends on purpose: exit code for the whole program when no configuration was ever accepted."""

    code: int


# -- elector to director -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleReport:
    """since: monotonic seconds. holds: the VIPs are on the NIC (a standby that lingers still holds them).
    peer: source address of the active router last heard, None if there is none."""

    router: str
    role: Role
    priority: int
    holds: bool
    since: float
    why: str
    peer: IPv4Address | None = None
    peer_priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Every router's role. epoch grows with each change and across restarts; an older one is refused."""

    epoch: int
    roles: tuple[RoleReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    transition: Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverDone:
    """seconds: from the election's decision to the last first-round announcement sent."""

    router: str
    seconds: float
    addresses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Growing counts since the elector started: by router name, then by counter name
    (`adverts_sent`, `adverts_received`, `priority_zero_sent`, `announcements_sent`, `refused_<reason>`...).
    lag: worst lateness of the elector's loop since the last report, seconds."""

    routers: dict[str, dict[str, int]]
    lag: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """The elector was asked to stop and has released every role; the director finishes its hooks and ends."""


# -- both ways ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """sent: the sender's monotonic clock (one clock for both processes). patience: how long the receiver
    may wait for the next one before it must call the sender dead, seconds."""

    sent: float
    patience: float


ToElector = Configure | Readiness | Goodbye | Heartbeat
ToDirector = Roles | Happened | TakeoverDone | Counters | Stopping | Heartbeat
Message = ToElector | ToDirector

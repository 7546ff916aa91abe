"""What passes between the two processes: the elector's slice of the configuration, and what each tells the other.

The elector has no YAML and no configuration code: everything it needs for one node is in an ElectorConfig,
and it goes on with the last one it got while the director is away. `wire.link` turns these into frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from haman.model.addresses import Address
from haman.model.arbiter import Arbitration
from haman.model.authentication import Credentials
from haman.model.cluster import LogFormat
from haman.model.confirmation import Confirm, Confirmation
from haman.model.routers import Announce, ChecksumForm, Preempt, StandbyAddress, VirtualAddress
from haman.model.routing import Diversion, VirtualRoute, VirtualRule
from haman.model.trackers import Track, TrackedInterface, Verdict
from haman.model.transition import Role, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterConfig:
    """One virtual router as this node plays it. Seconds throughout.

    source: what advertisements over IPv4 come from. source6: the same over IPv6; None: the interface's link-local
    address, which the elector finds. peers: where they go, of both families; empty for multicast. credentials: how they
    are signed and judged; None: not at all. confirm: how a takeover is asked about; None: it is not."""

    name: str
    vrid: int
    priority: int
    interface: str
    source: IPv4Address | None
    advert_interval: float
    addresses: tuple[VirtualAddress, ...]
    source6: IPv6Address | None = None
    peers: tuple[Address, ...] = ()
    version: int = 3
    password: str | None = None
    credentials: Credentials | None = None
    minimum_ttl: int = 255
    checksum: ChecksumForm = ChecksumForm.RFC9568
    preempt: Preempt = field(default_factory=Preempt)
    track: tuple[TrackedInterface, ...] = ()
    watch: tuple[Track, ...] = ()
    routes: tuple[VirtualRoute, ...] = ()
    rules: tuple[VirtualRule, ...] = ()
    announce: Announce = field(default_factory=Announce)
    confirm: Confirm | None = None
    standby_address: StandbyAddress = StandbyAddress.LOOPBACK
    linger: float = 0.05
    arbiter: Arbitration | None = None

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions that it is elected over, the leading one first: IPv4 if it has IPv4 addresses. Addresses that
        are excluded from advertisements are no reason to advertise."""
        return tuple(sorted({address.ip.version for address in self.addresses if not address.excluded}))

    def advertised(self, family: int) -> tuple[Address, ...]:
        """What an advertisement lists: link-local addresses first, as RFC 9568, section 5.2.9, wants it."""
        ours = [each.ip for each in self.addresses if each.ip.version == family and not each.excluded]
        return tuple(sorted(ours, key=lambda ip: not ip.is_link_local)) if family == 6 else tuple(ours)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """A sync group as this node plays it: routers by name, the first one leads. aliases: every director's address in
    any of the routers, as text, with its address in the first one, by which ties are settled."""

    name: str
    routers: tuple[str, ...]
    aliases: dict[str, Address]
    track: tuple[TrackedInterface, ...] = ()
    watch: tuple[Track, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """An address whose owner need not be told where a VIP is: another director, or a server that has the VIPs itself
    and would answer no question that comes from one."""

    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectorConfig:
    """generation: counts the director's configurations; an answer about an older one is refused. opens: the routers
    with whose VIPs on a NIC IPVS schedules; without any of them it leaves every packet alone. Empty: it always does."""

    generation: int
    node: str
    routers: tuple[RouterConfig, ...]
    groups: tuple[GroupConfig, ...] = ()
    diversions: tuple[Diversion, ...] = ()
    opens: tuple[str, ...] = ()
    kin: tuple[Kin, ...] = ()
    log_format: LogFormat = LogFormat.TEXT
    log_level: str = "info"


# -- director to elector -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    config: ElectorConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """May this node take a router's role from a living peer? `waiting` says in words, by router name, what is
    still missing; a router that is not named there is ready. eager: those of them that lack nothing but the active
    director's connections: from a dead one they are taken without hesitation, as there is nobody left to hear of."""

    generation: int
    waiting: dict[str, str]
    eager: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What tracking has found out, by tracker name: every tracker that was judged so far. The elector keeps the last
    verdict about one that is not named here, and knows nothing yet of one that never was."""

    generation: int
    trackers: dict[str, Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """The answer to an AskArbiter: may this node take the router? asked: which question's."""

    router: str
    asked: float
    granted: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """By router, the directors that could serve it at once, as the directors' channel has it."""

    by: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """The operator's order that this node be active nowhere, in words; None: there is none. It holds until another is
    told, over reloads and the director's restarts."""

    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveAway:
    """Routers are to be offered to other directors: the operator wants it, or this one cannot serve them. to: by
    router, who could serve it."""

    to: dict[str, tuple[str, ...]]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloading:
    """The director begins to read its file again: asked to by the elector, or over the control socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """It has ended; a Configure came before, if anything is new for the elector. words: the outcome, one line."""

    ok: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The director ends on purpose: exit code for the whole program when no configuration was ever accepted."""

    code: int


# -- elector to director -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleReport:
    """since: monotonic seconds. holds: the VIPs are on the NIC (a standby that lingers still holds them).
    peer: source address of the active router last heard, None if there is none. complaints: what was wrong in the
    last minute with what others said to it, in words, with the cure. confirmation: of an active one, what came of
    asking whether it took over; None while that is being asked, or is not to be. rival: another one that is heard
    speaking as active beside this one, for longer than a role takes to change hands. held: why the arbiter keeps it
    from becoming active, though its time has come."""

    router: str
    role: Role
    priority: int
    holds: bool
    since: float
    why: str
    peer: Address | None = None
    peer_priority: int = 0
    complaints: tuple[str, ...] = ()
    confirmation: Confirmation | None = None
    rival: Address | None = None
    held: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Every router's role. epoch grows with each change and across restarts; an older one is refused."""

    epoch: int
    roles: tuple[RoleReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    transition: Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class AskArbiter:
    """A standby has not heard the active director when it should have, and may be about to take the router. asked: now,
    monotonic seconds, which the answer repeats. interval: seconds between advertisements; an answer that comes within
    1.5 of them delays nothing. priority: its own, for arbiters who are asked by several. living: the active director
    is heard, and is to be preempted: that it is active is no reason to say no."""

    router: str
    asked: float
    interval: float
    priority: int
    living: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverDone:
    """seconds: from the election's decision to the last first-round announcement sent."""

    router: str
    seconds: float
    addresses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverConfirmed:
    """seconds: from the election's decision to the last thing that was still to be seen."""

    router: str
    seconds: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """The operator asked for it (SIGHUP): read the file again."""


# -- both ways ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """sent: the sender's monotonic clock (one clock for both processes). patience: how long the receiver
    may wait for the next one before it must call the sender dead, seconds."""

    sent: float
    patience: float


ToElector = (
    Configure
    | Readiness
    | Verdicts
    | Ruled
    | Covered
    | Maintenance
    | GiveAway
    | Reloading
    | Reloaded
    | Goodbye
    | Heartbeat
)
ToDirector = Roles | Happened | AskArbiter | TakeoverDone | TakeoverConfirmed | Counters | Reload | Stopping | Heartbeat
Message = ToElector | ToDirector

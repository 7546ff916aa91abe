"""What the operator wants: the configuration as nouns, after all defaults and per-director overrides are known.

Frozen and comparable with `==`. All durations are seconds as float, all addresses are `ipaddress` objects,
nothing here is optional only because YAML left it out: `config/` fills every default in. The same Cluster is
built on every director; what differs per node is asked for with the node's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface


# ---------------------------------------------------------------------------------------------- election


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualAddress:
    """One VIP of a router. `interface` carries the prefix of its subnet (see plan.desired.on_nic for the one it is
    programmed with; on `lo` it is always /32, /128).

    pinned: the operator named `device`, so it is the same on every director; else it is each director's own
    interface for the router (see `Router.addresses_on`)."""

    interface: Interface
    device: str
    pinned: bool = False

    @property
    def ip(self) -> Address:
        return self.interface.ip


class Transport(Enum):
    MULTICAST = "multicast"
    UNICAST = "unicast"


class ChecksumForm(Enum):
    """How the VRRPv3 IPv4 checksum is sent; both forms are accepted."""

    RFC9568 = "rfc9568"
    PSEUDO_HEADER = "pseudo-header"


class StandbyAddress(Enum):
    """Where a standby keeps the VIP. LOOPBACK: on `lo`, silent by arp_ignore/arp_announce. NOWHERE: not at all."""

    LOOPBACK = "loopback"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preempt:
    """Whether a better router takes the role from a living, worse one, and how long it waits first (seconds)."""

    allowed: bool = False
    after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedInterface:
    """Carrier of an interface. penalty None: its loss is a fault; else it lowers the priority by so much."""

    interface: str
    penalty: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Gratuitous ARP: `count` per address and round, `spacing` s between the rounds' copies, one round at once
    and one more after each of `repeat` (seconds since the takeover)."""

    count: int = 2
    spacing: float = 0.0
    repeat: tuple[float, ...] = (0.1, 1.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What one director brings to one router: everything that may differ between nodes."""

    director: str
    priority: int
    interface: str
    address: IPv4Address  # primary address on `interface`: the source of advertisements


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A VRRP virtual router. advert_interval, linger and the preemption delay are seconds."""

    name: str
    vrid: int
    advert_interval: float
    addresses: tuple[VirtualAddress, ...]
    members: Mapping[str, Member]  # by director name
    transport: Transport = Transport.MULTICAST
    minimum_ttl: int = 255
    checksum: ChecksumForm = ChecksumForm.RFC9568
    preempt: Preempt = field(default_factory=Preempt)
    track: tuple[TrackedInterface, ...] = ()
    announce: Announce = field(default_factory=Announce)
    standby_address: StandbyAddress = StandbyAddress.LOOPBACK
    linger: float = 0.05

    @property
    def vips(self) -> frozenset[Address]:
        return frozenset(address.ip for address in self.addresses)

    def addresses_on(self, director: str) -> tuple[VirtualAddress, ...]:
        """The VIPs with the devices they lie on there: directors may call the router's interface differently."""
        device = self.members[director].interface
        return tuple(address if address.pinned else replace(address, device=device) for address in self.addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Director:
    name: str
    address: IPv4Address
    hostnames: tuple[str, ...] = ()


# ------------------------------------------------------------------------------------------------ checks


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbe:
    """Healthy when a TCP connection is established."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    """Healthy when GET `path` answers with a status inside one of `statuses` (inclusive ranges)."""

    path: str = "/"
    host: str | None = None
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)


Probe = TcpProbe | HttpProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """When and how a server is asked. interval, fast_interval (used while in doubt), timeout: seconds;
    jitter: share of the interval, 0..0.5; rise and fall: results in a row that change the verdict."""

    name: str
    probe: Probe
    interval: float = 2.0
    fast_interval: float = 0.5
    timeout: float = 1.0
    rise: int = 2
    fall: int = 3
    jitter: float = 0.05
    port: int | None = None  # None: the server's own port


# ---------------------------------------------------------------------------------------------- services


class Protocol(Enum):
    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


class Forward(Enum):
    DR = "dr"
    NAT = "nat"
    TUN = "tun"


class TunnelType(Enum):
    IPIP = "ipip"
    GUE = "gue"
    GRE = "gre"


class TunnelChecksum(Enum):
    NONE = "none"
    FULL = "full"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    type: TunnelType = TunnelType.IPIP
    port: int = 0  # GUE only
    checksum: TunnelChecksum = TunnelChecksum.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """Clients stick to a server for `timeout` seconds; `prefix` groups clients (IPv4 0..32, IPv6 1..128)."""

    timeout: int
    prefix: int
    engine: str | None = None


class OnFailure(Enum):
    """REMOVE: the kernel forgets the server (established flows move or are reset). QUIESCE: weight 0."""

    REMOVE = "remove"
    QUIESCE = "quiesce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A real server of one service. port None means the service's own port."""

    name: str
    address: Address
    weight: int = 1
    port: int | None = None
    forward: Forward = Forward.DR
    tunnel: Tunnel | None = None
    upper_threshold: int = 0
    lower_threshold: int = 0
    director: str | None = None  # the director this server is, if it is one


class Target(NamedTuple):
    """One (server, port) of one service: what has a health and a weight of its own. port: where the service's
    traffic goes on the server (0 for a firewall mark that keeps the client's port)."""

    service: str
    server: str
    port: int

    def __str__(self) -> str:
        return f"{self.service}/{self.server}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """`minimum_up`: how many servers a service never goes below, as a count or as a share 0..1 of all."""

    count: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A virtual service: (protocol, address, ports) or a firewall mark; exactly one of the two.

    One IPVS service is programmed per port. `check` None: servers are taken as healthy for ever.
    """

    name: str
    servers: Mapping[str, Server]
    scheduler: str
    flags: frozenset[str] = frozenset()  # scheduler flags: mh-port, mh-fallback, sh-port, sh-fallback, flag-1..3
    protocol: Protocol | None = None
    address: Address | None = None
    ports: tuple[int, ...] = ()
    fwmark: int | None = None
    fwmark_ipv6: bool = False
    persistence: Persistence | None = None
    one_packet: bool = False
    check: Check | None = None
    minimum_up: Floor = field(default_factory=Floor)
    on_failure: OnFailure = OnFailure.REMOVE

    @property
    def fronts(self) -> tuple[int, ...]:
        """The ports of the IPVS services this service becomes, one each; (0,) for a firewall mark."""
        return self.ports or (0,)

    def target(self, server: Server, front: int) -> Target:
        """What carries the health and weight of `server` behind the IPVS service on port `front`."""
        return Target(self.name, server.name, front if server.port is None else server.port)

    def targets(self) -> Iterator[tuple[Target, Server]]:
        """Every target once: servers with a port of their own have one for all fronts."""
        for server in self.servers.values():
            for target in dict.fromkeys(self.target(server, front) for front in self.fronts):
                yield target, server


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """Connection synchronisation. interface is per director. Both daemons run on every director for ever."""

    interfaces: Mapping[str, str]  # by director name
    sync_id: int
    group: Address
    port: int = 8848
    ttl: int = 1
    max_length: int = 0  # bytes; 0: the kernel's choice (the interface's MTU)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """IPVS connection timeouts in whole seconds; 0 leaves the kernel's value alone."""

    tcp: int = 0
    tcp_fin: int = 0
    udp: int = 0


# ------------------------------------------------------------------------------------------- around them


class HookEvent(Enum):
    ACTIVE = "active"
    STANDBY = "standby"
    FAULT = "fault"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An operator's program. argv[0] is absolute; never passed through a shell."""

    on: frozenset[HookEvent]
    argv: tuple[str, ...]
    timeout: float = 10.0
    user: str | None = None
    routers: frozenset[str] = frozenset()  # empty: every router


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    host: str
    port: int


class LogFormat(Enum):
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One whole cluster, the same on every director."""

    name: str
    directors: Mapping[str, Director]
    routers: Mapping[str, Router]
    services: Mapping[str, Service] = field(default_factory=dict)
    sync: Sync | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    hooks: tuple[Hook, ...] = ()
    metrics: Listen | None = None
    log_format: LogFormat = LogFormat.TEXT
    log_level: str = "info"

    def routers_of(self, node: str) -> Iterator[Router]:
        """The routers that `node` takes part in."""
        return (router for router in self.routers.values() if node in router.members)

    def services_of(self, node: str) -> Iterator[Service]:
        """The services whose packets come to `node`: on a VIP of one of its routers, or by firewall mark."""
        for service in self.services.values():
            router = self.router_of(service)
            if router is None or node in router.members:
                yield service

    def router_of(self, service: Service) -> Router | None:
        """The router that carries a service's address; None for a firewall mark."""
        for router in self.routers.values():
            if service.address in router.vips:
                return router
        return None

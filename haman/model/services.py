"""What IPVS balances: virtual services, and the real servers behind them. Durations are whole seconds, as in IPVS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import ip_network
from typing import TYPE_CHECKING, NamedTuple

from haman.model.addresses import Address, Network
from haman.model.checks import Check
from haman.model.sites import Backup, Failover

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Protocol(Enum):
    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


class Forward(Enum):
    """FULLNAT: NAT that gives packets a source of the director's as well, so that answers come back whatever the
    server's routes are. RELAY: a process of the director's takes them and makes connections of its own; to backups
    only."""

    DR = "dr"
    NAT = "nat"
    TUN = "tun"
    FULLNAT = "fullnat"
    RELAY = "relay"


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
    """A real server of one service. port None means the service's own port. source: with FULLNAT or RELAY, the
    addresses that its packets come from, of its own family; empty is the one that the director's interface has.
    relay: with RELAY, which of the service's backups it belongs to, counted from 1: all servers of one are one place in
    the kernel's table."""

    name: str
    address: Address
    weight: int = 1
    port: int | None = None
    forward: Forward = Forward.DR
    tunnel: Tunnel | None = None
    upper_threshold: int = 0
    lower_threshold: int = 0
    director: str | None = None  # the director this server is, if it is one
    source: tuple[Address, ...] = ()
    relay: int = 0


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
class Match:
    """Packets that haman marks for a service: those that fit everything that is not empty. All of one family.

    addresses: where they go; excluded: where they do not. sources, incoming: where they come from, and over which
    interface. protocols: never empty. ports: of the destination, inclusive ranges. diverted: they are addressed to
    others, and pass this machine as a router."""

    protocols: tuple[Protocol, ...]
    addresses: tuple[Network, ...] = ()
    excluded: tuple[Network, ...] = ()
    sources: tuple[Network, ...] = ()
    incoming: str = ""
    ports: tuple[tuple[int, int], ...] = ()
    diverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A virtual service: (protocol, address, ports) or a firewall mark; exactly one of the two.

    One IPVS service is programmed per port. `check` None: servers are taken as healthy for ever.

    match: what haman marks for it; empty for a mark that the operator's own rules set. masquerade: packets get a source
    of the director's although their destination stays (a gateway). screens: by front, the mark by which haman tells
    clients' packets from those that a peer director has balanced already; empty where no two directors could send
    a packet to and fro. screened: the same for a service that has a `fwmark` anyway.

    backups: other sites, in the order in which they are used. visits: by front, the mark of packets that another site
    sends here because its own servers are down: they are balanced to local servers, and never sent on to a backup.
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
    match: tuple[Match, ...] = ()
    masquerade: bool = False
    screens: Mapping[int, int] = field(default_factory=dict)
    screened: bool = False
    backups: tuple[Backup, ...] = ()
    failover: Failover = field(default_factory=Failover)
    visits: Mapping[int, int] = field(default_factory=dict)

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

    def pools(self) -> Iterator[Service]:
        """Each backup as a service of its own, which is how it is checked. No service is called like one of these, as
        `@` is in no name."""
        for backup in self.backups:
            yield replace(
                self,
                name=f"{self.name}@{backup.name}",
                servers=backup.servers,
                check=backup.check,
                minimum_up=Floor(),
                on_failure=OnFailure.REMOVE,
                backups=(),
                visits={},
            )

    def checked(self) -> Iterator[Service]:
        """Itself, and its backups: each is checked by itself."""
        yield self
        yield from self.pools()

    def visiting(self) -> Service | None:
        """What packets of other sites are balanced by: the same local servers, under a name of its own."""
        return replace(self, name=f"{self.name}@", backups=()) if self.visits else None

    def origins(self) -> tuple[Network, ...]:
        """Where packets come from that a backup site has sent: its VIP, as it sends with it, and what is written."""
        version = 6 if self.fwmark_ipv6 or (self.address is not None and self.address.version == 6) else 4
        written = [network for each in self.backups for network in each.origins]
        written += [ip_network(server.address) for each in self.backups for server in each.servers.values()]
        return tuple(dict.fromkeys(network for network in written if network.version == version))

    def everywhere(self) -> Iterator[Service]:
        """Itself, and all that is in the kernel's table because of it."""
        yield from self.checked()
        if (visiting := self.visiting()) is not None:
            yield visiting

"""What haman wants of the packet filter, as nouns: marks that feed IPVS services, new sources for full NAT, and a way
to the director that served before.

They say what is to hold; the language they are written in is `wire.nftables`, the table they end in `kernel.nftables`.
Every noun is of one address family.
"""

from __future__ import annotations

from dataclasses import dataclass

from haman.model.addresses import Address, Network
from haman.model.services import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Packets that get a firewall mark: those that fit everything that is not empty.

    destinations, sources: networks. excluded: destinations that do not count. ports: of the destination, inclusive
    ranges. protocols: never empty, IPVS balances only these. diverted: the packets are on their way through this
    machine; what is for itself is left alone. screened: frames that a peer director sent are left alone.
    """

    mark: int
    version: int
    protocols: tuple[Protocol, ...]
    destinations: tuple[Network, ...] = ()
    excluded: tuple[Network, ...] = ()
    sources: tuple[Network, ...] = ()
    incoming: str = ""
    ports: tuple[tuple[int, int], ...] = ()
    diverted: bool = False
    screened: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNat:
    """Connections that IPVS has sent on, and that are to bear another source address than the client's.

    Known by what the client called: (protocol, vip, ports), or a mark. servers: their destination by now; empty is
    any, as for a gateway, where IPVS leaves the destination as it is. to: the new sources, chosen by the client's
    address; empty is the address that the packet's interface has.
    """

    version: int
    vip: Address | None = None
    protocol: Protocol | None = None
    ports: tuple[int, ...] = ()
    mark: int = 0
    servers: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondChance:
    """TCP packets of a service for which IPVS here knows no connection are sent, as they are, to the director `to` on
    `interface`, which has served it until now and may know one.

    Known by what the client called: (vip, ports), no port being any; or a mark. macs: what the frames of the other
    directors bear; what they send is left alone, so nothing goes round.
    """

    version: int
    to: Address
    interface: str
    macs: tuple[str, ...]
    vip: Address | None = None
    ports: tuple[int, ...] = ()
    mark: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """marks: of several that fit a packet the last one counts. peers: MAC addresses (`02:00:00:00:00:01`) of the other
    directors."""

    marks: tuple[Mark, ...] = ()
    nats: tuple[SourceNat, ...] = ()
    peers: tuple[str, ...] = ()
    chances: tuple[SecondChance, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.marks or self.nats or self.chances)

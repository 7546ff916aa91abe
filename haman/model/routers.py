"""What the operator wants to be elected: directors, and the virtual routers they play.

Durations are seconds. Nothing is optional only because YAML left it out: `config/` fills every default in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from haman.model.addresses import Address, Interface
from haman.model.confirmation import Confirm
from haman.model.routing import VirtualRoute, VirtualRule
from haman.model.trackers import Track, TrackedInterface

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualAddress:
    """One VIP of a router. `interface` carries the prefix of its subnet (see plan.desired.on_nic for the one it is
    programmed with; on `lo` it is always /32, /128).

    excluded: it follows the role like any other, but no advertisement lists it. label: what comes after the device's
    name and a colon where the address is shown; IPv4 only, empty for none.
    pinned: the operator named `device`, so it is the same on every director; else it is each director's own
    interface for the router (see `Router.addresses_on`)."""

    interface: Interface
    device: str
    pinned: bool = False
    excluded: bool = False
    label: str = ""

    @property
    def ip(self) -> Address:
        return self.interface.ip


class Transport(Enum):
    MULTICAST = "multicast"
    UNICAST = "unicast"


class ChecksumForm(Enum):
    """How the VRRPv3 checksum is sent over IPv4; both forms are accepted. Version 2 and IPv6 have one form each."""

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
class Announce:
    """Gratuitous ARP and unsolicited neighbour advertisements: `count` per address and round, `spacing` s between the
    rounds' copies, one round at once and one more after each of `repeat` (seconds since the takeover)."""

    count: int = 2
    spacing: float = 0.0
    repeat: tuple[float, ...] = (0.1, 1.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What one director brings to one router: everything that may differ between nodes.

    address, address6: its own addresses on `interface`. Advertisements over IPv4 come from `address`; those over IPv6
    from `address6` with unicast, else from the interface's link-local address, which no configuration knows. None: it
    has none, and the router needs none."""

    director: str
    priority: int
    interface: str
    address: IPv4Address | None
    address6: IPv6Address | None = None

    def has(self, address: Address) -> bool:
        return address in (self.address, self.address6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A VRRP virtual router: one election, whatever the families of its addresses. advert_interval, linger and the
    preemption delay are seconds. version: of VRRP, 2 or 3; only 2 knows a password.
    authenticated: its advertisements are signed and judged by the cluster's Authentication."""

    name: str
    vrid: int
    advert_interval: float
    addresses: tuple[VirtualAddress, ...]
    members: Mapping[str, Member]  # by director name
    version: int = 3
    password: str | None = None
    authenticated: bool = False
    transport: Transport = Transport.MULTICAST
    minimum_ttl: int = 255
    checksum: ChecksumForm = ChecksumForm.RFC9568
    preempt: Preempt = field(default_factory=Preempt)
    track: tuple[TrackedInterface, ...] = ()
    watch: tuple[Track, ...] = ()
    routes: tuple[VirtualRoute, ...] = ()
    rules: tuple[VirtualRule, ...] = ()
    announce: Announce = field(default_factory=Announce)
    confirm: Confirm | None = field(default_factory=Confirm)
    standby_address: StandbyAddress = StandbyAddress.LOOPBACK
    linger: float = 0.05

    @property
    def vips(self) -> frozenset[Address]:
        return frozenset(address.ip for address in self.addresses)

    def place_on(self, director: str) -> tuple[str, int]:
        """Interface and VRID: what the election's peers know it by."""
        return self.members[director].interface, self.vrid

    def addresses_on(self, director: str) -> tuple[VirtualAddress, ...]:
        """The VIPs with the devices they lie on there: directors may call the router's interface differently."""
        device = self.members[director].interface
        return tuple(address if address.pinned else replace(address, device=device) for address in self.addresses)

    def routes_on(self, director: str) -> tuple[VirtualRoute, ...]:
        """The same for routes: one without a gateway needs a device."""
        device = self.members[director].interface
        return tuple(
            replace(route, device=device) if route.via is None and route.device is None else route
            for route in self.routes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Director:
    """address: of either family. address6: its IPv6 address where `address` is IPv4. macs: as far as the operator
    wrote them, in lower case with colons."""

    name: str
    address: Address
    address6: IPv6Address | None = None
    hostnames: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[Address, ...]:
        return (self.address,) if self.address6 is None else (self.address, self.address6)

    def between(self, other: Director) -> tuple[Address, Address] | None:
        """Our address and the other's in a family that both have, IPv4 if they have both; None without a common one."""
        ours, theirs = ({each.version: each for each in one.addresses} for one in (self, other))
        common = sorted(ours.keys() & theirs.keys())
        return (ours[common[0]], theirs[common[0]]) if common else None

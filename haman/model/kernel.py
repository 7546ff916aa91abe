"""What a kernel holds, as far as haman could change it: desired states and dumps have this one shape.

Every kernel object is split in two: its Key is its identity, its Config is what may be updated in place.
`plan.diff` then is set algebra on keys. A Kernel is a plain value: `==` says whether two kernels agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, NamedTuple

from haman.model.addresses import Address
from haman.model.routing import MAIN
from haman.model.services import Forward, Protocol, Tunnel

if TYPE_CHECKING:
    from collections.abc import Mapping

SENTINEL_FWMARK = 0x68616D61
"""The firewall mark of the empty service that keeps the IPVS table from ever being empty ("hama")."""

_FLAG_WORDS = {"sh": ("sh-fallback", "sh-port", "flag-3"), "mh": ("mh-fallback", "mh-port", "flag-3")}


def flag_words(scheduler: str) -> tuple[str, str, str]:
    """What a scheduler's three flags are called, in the order of the kernel's bits (uapi/linux/ip_vs.h,
    IP_VS_SVC_F_SCHED1 to 3). `flag-1` with scheduler `mh` is `mh-fallback`: a ServiceConfig holds the latter."""
    return _FLAG_WORDS.get(scheduler, ("flag-1", "flag-2", "flag-3"))


# -- owned by the elector: addresses and their ARP sysctls ------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class AddressKey:
    """An address on a device. The prefix belongs to the identity: the kernel deletes only by exact prefix."""

    device: str
    ip: Address
    prefix: int

    def __str__(self) -> str:
        return f"{self.ip}/{self.prefix} on {self.device}"


class AddressState(Enum):
    """What the kernel lets an IPv6 address do (RFC 4862, section 5.4; linux/if_addr.h); an IPv4 one is always usable.

    TENTATIVE: duplicate address detection is under way, or waits for the link. DUPLICATE: it found another machine
    that has the address (`dadfailed`). Neither is answered for."""

    USABLE = "usable"
    TENTATIVE = "tentative"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class AddressConfig:
    """Nothing of an address is updated in place: one that is not usable, because somebody else made it, or has another
    label, is made anew. IPv6 VIPs are `nodad` and never preferred as source. label: of an IPv4 address, in full
    (`eth0:web`); empty where it is the device's own name."""

    state: AddressState = AddressState.USABLE
    label: str = ""


@dataclass(frozen=True, slots=True)
class RouteKey:
    """Where the kernel keeps one route apart from another. metric: for IPv6 never 0, the kernel takes 1024 for that."""

    destination: IPv4Network | IPv6Network
    table: int
    metric: int

    def __str__(self) -> str:
        table = f" in table {self.table}" if self.table != MAIN else ""
        return f"route to {self.destination}{table}{f' metric {self.metric}' if self.metric else ''}"


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """device None: the kernel chooses the gateway's; see plan.diff.fits. source None: none preferred. local: what it
    leads to is this machine."""

    via: Address | None = None
    device: str | None = None
    source: Address | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class RuleKey:
    """A rule is nothing but what identifies it."""

    version: int
    priority: int
    table: int
    source: IPv4Network | IPv6Network | None = None
    destination: IPv4Network | IPv6Network | None = None
    fwmark: int = 0
    incoming: str = ""

    def __str__(self) -> str:
        parts = [f"from {self.source}" if self.source else "", f"to {self.destination}" if self.destination else ""]
        parts += [f"fwmark {self.fwmark}" if self.fwmark else "", f"iif {self.incoming}" if self.incoming else ""]
        selector = " ".join(filter(None, parts))
        return f"IPv{self.version} rule {self.priority}: {selector} table {self.table}"


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """Nothing of a rule is updated in place."""


@dataclass(frozen=True, slots=True)
class SysctlKey:
    """Path below /proc/sys, with slashes (interface names may hold dots): `net/ipv4/conf/all/arp_ignore`."""

    path: str

    def __str__(self) -> str:
        return self.path


BACKUP_ONLY = SysctlKey("net/ipv4/vs/backup_only")
"""1, beside a running backup daemon, makes IPVS leave every packet alone (net/netfilter/ipvs/ip_vs_core.c)."""


@dataclass(frozen=True, slots=True)
class SysctlConfig:
    """Fields as the kernel prints them, single tabs or spaces normalised to one space: `3 0`."""

    value: str


# -- owned by a real server: what unwraps tunnels ------------------------------------------------------------


class Unwrapper(Enum):
    """Kinds of tunnel devices, by what they unwrap, as rtnetlink calls them: an IPv4 packet in IPv4, GRE in IPv4, an
    IPv6 packet in IPv4, either in IPv6, GRE in IPv6."""

    IPIP = "ipip"
    GRE = "gre"
    SIT = "sit"
    IP6TNL = "ip6tnl"
    IP6GRE = "ip6gre"


@dataclass(frozen=True, slots=True, order=True)
class DeviceKey:
    """A tunnel device, by name."""

    name: str

    def __str__(self) -> str:
        return f"tunnel device {self.name}"


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """Unwraps what anybody sends to `local`. kind, local and checksum (GRE: packets bear one) cannot be changed in
    place. loose: reverse path filter 2, whatever `all` says: the sender inside is no way this device leads to."""

    kind: Unwrapper
    local: Address
    checksum: bool = False
    up: bool = True
    loose: bool = True


@dataclass(frozen=True, slots=True, order=True)
class GuePortKey:
    """A UDP port on which the kernel takes GUE apart; what was inside then goes to a tunnel device."""

    version: int
    port: int

    def __str__(self) -> str:
        return f"GUE on IPv{self.version} port {self.port}"


@dataclass(frozen=True, slots=True)
class GuePortConfig:
    """There is nothing to set."""


# -- owned by the director: IPVS and the packet filter -----------------------------------------------------


class ServiceKey(NamedTuple):
    """Identity of an IPVS service: (protocol, address, port) or (fwmark, family).

    A tuple, like DestinationKey, since tens of thousands of them are made, hashed and compared in one turn of a loop.
    """

    protocol: Protocol | None
    address: Address | None
    port: int
    fwmark: int = 0
    ipv6: bool = False

    @classmethod
    def at(cls, protocol: Protocol, address: Address, port: int) -> ServiceKey:
        return cls(protocol, address, port, 0, isinstance(address, IPv6Address))

    @classmethod
    def marked(cls, fwmark: int, *, ipv6: bool = False) -> ServiceKey:
        return cls(None, None, 0, fwmark, ipv6)

    def __str__(self) -> str:
        if self.protocol is None:
            return f"fwmark {self.fwmark}{' ipv6' if self.ipv6 else ''}"
        host = f"[{self.address}]" if self.ipv6 else str(self.address)
        return f"{self.protocol.value} {host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """persistence: seconds, 0 is none; prefix: length of the client mask (32/128 when not grouped)."""

    scheduler: str
    flags: frozenset[str] = frozenset()
    persistence: int = 0
    prefix: int = 32
    engine: str = ""
    one_packet: bool = False


class DestinationKey(NamedTuple):
    service: ServiceKey
    address: Address
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if isinstance(self.address, IPv6Address) else str(self.address)
        return f"{self.service} -> {host}:{self.port}"


@dataclass(frozen=True, slots=True)
class DestinationConfig:
    """`local`: the kernel found the address to be its own and ignores `forward` (LocalNode). It is read, never
    written, and does not take part in equality of desired and held (see plan.diff)."""

    forward: Forward
    weight: int
    upper_threshold: int = 0
    lower_threshold: int = 0
    tunnel: Tunnel | None = None
    local: bool = False


class DaemonRole(Enum):
    MASTER = "master"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True)
class DaemonKey:
    """A connection sync daemon; the kernel runs at most one of each role per network namespace."""

    role: DaemonRole

    def __str__(self) -> str:
        return f"sync daemon {self.role.value}"


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """Cannot be updated: a difference is stop, then start."""

    interface: str
    sync_id: int
    group: IPv4Address | IPv6Address
    port: int
    ttl: int
    max_length: int


@dataclass(frozen=True, slots=True)
class TimeoutsKey:
    def __str__(self) -> str:
        return "ipvs timeouts"


@dataclass(frozen=True, slots=True)
class TimeoutsConfig:
    """Whole seconds, all three always set."""

    tcp: int
    tcp_fin: int
    udp: int


@dataclass(frozen=True, slots=True, order=True)
class TableKey:
    """haman's own table of the packet filter: there is one, and all of it is ours."""

    def __str__(self) -> str:
        return "packet-filter table inet haman"


@dataclass(frozen=True, slots=True)
class TableConfig:
    """text: the file that makes it, in nftables' language (`wire.nftables`). Of a dump: the file that made it; empty if
    somebody has changed it since."""

    text: str


Key = (
    AddressKey
    | RouteKey
    | RuleKey
    | SysctlKey
    | DeviceKey
    | GuePortKey
    | ServiceKey
    | DestinationKey
    | DaemonKey
    | TimeoutsKey
    | TableKey
)
Config = (
    AddressConfig
    | RouteConfig
    | RuleConfig
    | SysctlConfig
    | DeviceConfig
    | GuePortConfig
    | ServiceConfig
    | DestinationConfig
    | DaemonConfig
    | TimeoutsConfig
    | TableConfig
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A desired state or a dump. Kinds a process does not own stay empty in its own values.

    destinations: those of one service in the order in which they were added, as far as that is known. ordered: said of
    a desired state only: the services whose destinations' order matters; no difference between two kernels. first: the
    same of daemons that must run before any service is there.
    """

    addresses: Mapping[AddressKey, AddressConfig] = field(default_factory=dict)
    routes: Mapping[RouteKey, RouteConfig] = field(default_factory=dict)
    rules: Mapping[RuleKey, RuleConfig] = field(default_factory=dict)
    sysctls: Mapping[SysctlKey, SysctlConfig] = field(default_factory=dict)
    devices: Mapping[DeviceKey, DeviceConfig] = field(default_factory=dict)
    gue_ports: Mapping[GuePortKey, GuePortConfig] = field(default_factory=dict)
    services: Mapping[ServiceKey, ServiceConfig] = field(default_factory=dict)
    destinations: Mapping[DestinationKey, DestinationConfig] = field(default_factory=dict)
    daemons: Mapping[DaemonKey, DaemonConfig] = field(default_factory=dict)
    timeouts: Mapping[TimeoutsKey, TimeoutsConfig] = field(default_factory=dict)
    tables: Mapping[TableKey, TableConfig] = field(default_factory=dict)
    ordered: frozenset[ServiceKey] = field(default=frozenset(), compare=False)
    first: frozenset[DaemonKey] = field(default=frozenset(), compare=False)

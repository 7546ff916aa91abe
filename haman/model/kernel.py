"""What a kernel holds, as far as haman could change it: desired states and dumps have this one shape.

Every kernel object is split in two: its Key is its identity, its Config is what may be updated in place.
`plan.diff` then is set algebra on keys. A Kernel is a plain value: `==` says whether two kernels agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, NamedTuple

from haman.model.cluster import Address, Forward, Protocol, Tunnel

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


@dataclass(frozen=True, slots=True)
class AddressConfig:
    """Nothing of an IPv4 VIP can be updated in place; IPv6 ones are `nodad` and never preferred as source."""


@dataclass(frozen=True, slots=True, order=True)
class SysctlKey:
    """Path below /proc/sys, with slashes (interface names may hold dots): `net/ipv4/conf/all/arp_ignore`."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class SysctlConfig:
    """Fields as the kernel prints them, single tabs or spaces normalised to one space: `3 0`."""

    value: str


# -- owned by the director: IPVS ---------------------------------------------------------------------------


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


Key = AddressKey | SysctlKey | ServiceKey | DestinationKey | DaemonKey | TimeoutsKey
Config = AddressConfig | SysctlConfig | ServiceConfig | DestinationConfig | DaemonConfig | TimeoutsConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A desired state or a dump. Kinds a process does not own stay empty in its own values."""

    addresses: Mapping[AddressKey, AddressConfig] = field(default_factory=dict)
    sysctls: Mapping[SysctlKey, SysctlConfig] = field(default_factory=dict)
    services: Mapping[ServiceKey, ServiceConfig] = field(default_factory=dict)
    destinations: Mapping[DestinationKey, DestinationConfig] = field(default_factory=dict)
    daemons: Mapping[DaemonKey, DaemonConfig] = field(default_factory=dict)
    timeouts: Mapping[TimeoutsKey, TimeoutsConfig] = field(default_factory=dict)

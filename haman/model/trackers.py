"""What a virtual router depends on beside its own interface, and what it costs when that is missing.

A Tracker is the thing that is watched, and how; a Track is what one router or group makes of it. Interfaces are watched
by the elector itself, since it hears of them from the kernel anyway; everything else takes time to find out, so the
director does that, and tells the elector a Verdict. Frozen, seconds as float.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

HEAVIEST = 253
"""What one track may add to or take from a priority; a file's number beyond it is a fault, as for keepalived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedInterface:
    """Carrier of an interface. penalty None: its loss is a fault; else it lowers the priority by so much.
    reverse: not its loss counts, but its presence. down_after, up_after: how long it must have been so (seconds)."""

    interface: str
    penalty: int | None = None
    reverse: bool = False
    down_after: float = 0.0
    up_after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A tracker by name. At most one of penalty and weight; neither: its failure is a fault.

    penalty: a failure lowers the priority by so much. weight: the tracker's number times this is added to the
    priority (files only). reverse: not its failure counts, but its success; with weight, the sum is taken off.
    """

    tracker: str
    penalty: int | None = None
    weight: int | None = None
    reverse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PingWatch:
    """Up while `address` answers ICMP echo. interface None: by whatever way the routing table has."""

    address: IPv4Address | IPv6Address
    interface: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpWatch:
    """Up while `address` answers ARP. interface None: the one on whose network it is."""

    address: IPv4Address
    interface: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptWatch:
    """Up while a program ends with exit status 0. user None: see haman.accounts."""

    argv: tuple[str, ...]
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWatch:
    """Up while the whole number in a file is 0; no file, or an empty one, is a 0 as well."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessWatch:
    """Up while at least `quorum` processes called `name` run in haman's network namespace. arguments: all of these
    words must be on the command line too."""

    name: str
    arguments: tuple[str, ...] = ()
    quorum: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteWatch:
    """Up while exactly this route is in the table; via and interface None: whatever they are."""

    destination: IPv4Network | IPv6Network
    via: IPv4Address | IPv6Address | None = None
    interface: str | None = None
    table: int = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceWatch:
    """Up while a virtual service of the configuration has a server; kept up by its floor counts as up."""

    service: str


Watched = PingWatch | ArpWatch | ScriptWatch | FileWatch | ProcessWatch | RouteWatch | ServiceWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """interval: how often it is looked at; what the kernel tells by itself is seen at once. timeout: seconds until no
    answer is a failure. rise, fall: results in a row that change the verdict."""

    name: str
    watched: Watched
    interval: float = 1.0
    timeout: float = 1.0
    rise: int = 1
    fall: int = 1


class Standing(Enum):
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the director found out about one tracker. number: of a file, else 0. why: words for an operator, which go
    on after the tracker's name: "3 of 3 failed: no answer within 500 ms"."""

    standing: Standing
    why: str
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A sync group: routers that are elected as one. track, watch: what all of them depend on together."""

    name: str
    routers: tuple[str, ...]
    track: tuple[TrackedInterface, ...] = ()
    watch: tuple[Track, ...] = ()

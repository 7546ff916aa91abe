"""Routes and rules that follow a virtual router's role: they are in the kernel of the active director alone."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

MAIN = 254
"""The kernel's number for the table `main`."""


IPV6_METRIC = 1024
"""What the kernel makes of an IPv6 route's metric of 0 (IP6_RT_PRIO_USER)."""

DIVERSION = 10400
"""Number of our own routing table for packets that are taken out of those passing by, and the priority of the rules
that lead there: after the table `local`, before `main`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diversion:
    """Packets with this mark are taken for this machine's own, whatever their address: IPVS sees no others. Standbys
    have it too, like the VIPs on `lo`."""

    mark: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualRoute:
    """via None: its destination is on the network of `device`. device None: the one on which the gateway is, or without
    one each director's own interface for the router. source: the preferred source address."""

    destination: IPv4Network | IPv6Network
    via: IPv4Address | IPv6Address | None = None
    device: str | None = None
    source: IPv4Address | IPv6Address | None = None
    metric: int = 0
    table: int = MAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualRule:
    """Packets that fit all that is not None or 0 are routed by `table`."""

    priority: int
    table: int
    version: int
    source: IPv4Network | IPv6Network | None = None
    destination: IPv4Network | IPv6Network | None = None
    fwmark: int = 0
    incoming: str = ""

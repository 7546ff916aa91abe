"""Routes: is this one there, and which way leads to an address? Over our own netlink, so that a full table of a router
(a million routes) is looked through in seconds and not in minutes.

Sources: include/uapi/linux/rtnetlink.h of Linux 6.12.
"""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from haman.errors import KernelRefused
from haman.kernel.netlink import NETLINK_ROUTE, DumpInterrupted, Netlink, Request, attribute, attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.model.addresses import Address
    from haman.model.trackers import RouteWatch

_RTM_GETROUTE = 26
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_MULTIPATH, _RTA_TABLE, _RTA_VIA = 1, 4, 5, 7, 9, 15, 18
_RTMGRP_LINK, _RTMGRP_IPV4_ROUTE, _RTMGRP_IPV6_ROUTE = 0x1, 0x40, 0x400
_DEAD, _LINKDOWN, _CLONED = 0x1, 0x10, 0x200
_UNICAST = 1

_ROUTE = struct.Struct("=BBBBBBBBI")  # family, dst length, src length, tos, table, protocol, scope, type, flags
_HOP = struct.Struct("=HBBi")  # length, flags, hops, index of the interface
_UNSIGNED32 = struct.Struct("=I")

ATTEMPTS = 5
"""How often a dump that the kernel calls inconsistent is begun anew."""


@dataclass(frozen=True, slots=True)
class Way:
    """How this machine reaches an address. gateway None: directly."""

    interface: str
    source: Address | None
    gateway: Address | None


def watch() -> socket.socket:
    """A socket that becomes readable when routes or links change: read it empty, and look again. Its messages need not
    be understood, nor be complete. Raises OSError."""
    opened = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, NETLINK_ROUTE
    )
    opened.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_ROUTE | _RTMGRP_IPV6_ROUTE))
    return opened


def present(netlink: Netlink, wanted: RouteWatch) -> bool:
    """Whether exactly this route is in its table, and leads somewhere: one over an interface without carrier does not.

    Raises KernelRefused.
    """
    for _ in range(ATTEMPTS):
        try:
            return _present(netlink, wanted)
        except DumpInterrupted:
            continue
    raise KernelRefused(f"look for the route to {wanted.destination}: the table never stands still", errno.EAGAIN)


def way(netlink: Netlink, address: Address) -> Way:
    """Raises KernelRefused where there is none."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_DST, address.packed)
    answer = netlink.ask(Request(_RTM_GETROUTE, 0, body))
    found = attributes(answer, _ROUTE.size, len(answer))
    start, _ = found[_RTA_OIF]
    return Way(
        socket.if_indextoname(_UNSIGNED32.unpack_from(answer, start)[0]),
        _address(answer, found.get(_RTA_PREFSRC)),
        _address(answer, found.get(_RTA_GATEWAY)),
    )


def _present(netlink: Netlink, wanted: RouteWatch) -> bool:
    network = wanted.destination
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    index = None if wanted.interface is None else _index(wanted.interface)
    via = None if wanted.via is None else wanted.via.packed
    destination = network.network_address.packed
    request = Request(_RTM_GETROUTE, 0, _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
    hit = False
    for buffer, spans in netlink.dump(request):
        for start, end in spans:
            _, length, _, _, table, _, _, kind, flags = _ROUTE.unpack_from(buffer, start)
            if hit or length != network.prefixlen or kind != _UNICAST or flags & _CLONED:
                continue
            found = attributes(buffer, start + _ROUTE.size, end)
            if _RTA_TABLE in found:
                (table,) = _UNSIGNED32.unpack_from(buffer, found[_RTA_TABLE][0])
            at, end = found.get(_RTA_DST, (0, 0))
            if table != wanted.table or (bytes(buffer[at:end]) or bytes(len(destination))) != destination:
                continue
            hit = any(
                not hop_flags & (_DEAD | _LINKDOWN) and index in (None, hop_index) and via in (None, gateway)
                for hop_index, gateway, hop_flags in _hops(buffer, found, flags)
            )
    return hit


def _hops(
    buffer: bytearray, found: dict[int, tuple[int, int]], flags: int
) -> Iterator[tuple[int | None, bytes | None, int]]:
    """The interface, gateway and flags of each way that a route leads."""
    if _RTA_MULTIPATH not in found:
        oif = found.get(_RTA_OIF)
        yield _UNSIGNED32.unpack_from(buffer, oif[0])[0] if oif else None, _gateway(buffer, found), flags
        return
    start, end = found[_RTA_MULTIPATH]
    while start + _HOP.size <= end:
        length, hop_flags, _, index = _HOP.unpack_from(buffer, start)
        if length < _HOP.size:
            return
        inside = attributes(buffer, start + _HOP.size, start + length)
        yield index, _gateway(buffer, inside), hop_flags
        start += (length + 3) & ~3


def _gateway(buffer: bytearray, found: dict[int, tuple[int, int]]) -> bytes | None:
    if _RTA_GATEWAY in found:
        start, end = found[_RTA_GATEWAY]
        return bytes(buffer[start:end])
    if _RTA_VIA in found:  # of another family than the route: two bytes of family come first
        start, end = found[_RTA_VIA]
        return bytes(buffer[start + 2 : end])
    return None


def _address(buffer: bytes, at: tuple[int, int] | None) -> Address | None:
    if at is None:
        return None
    data = buffer[at[0] : at[1]]
    return IPv4Address(data) if len(data) == 4 else ip_address(data)


def _index(interface: str) -> int:
    """-1, which no interface has, for one that does not exist."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return -1

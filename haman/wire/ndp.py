"""Neighbour discovery for IPv6 over Ethernet: unsolicited advertisements (RFC 4861, sections 4.4 and 7.2.6; RFC 9568,
6.4.2), solicitations (4.3, 7.2.2) and the advertisements that answer them (4.4, 7.1.2)."""

from __future__ import annotations

import struct
from ipaddress import IPv6Address
from typing import NamedTuple

from haman.wire import checksum

ETHERTYPE = 0x86DD
ALL_NODES = IPv6Address("ff02::1")
_ALL_NODES_MAC = bytes.fromhex("333300000001")  # RFC 2464, section 7
_ICMPV6 = 58
_NEIGHBOUR_SOLICITATION, _NEIGHBOUR_ADVERTISEMENT = 135, 136
_ROUTER, _SOLICITED, _OVERRIDE = 0x80000000, 0x40000000, 0x20000000
_SOURCE_LINK_LAYER_ADDRESS, _TARGET_LINK_LAYER_ADDRESS = 1, 2
_HOP_LIMIT = 255
_SOLICITED_NODE = IPv6Address("ff02::1:ff00:0").packed[:13]
_ETHERNET, _IPV6, _MESSAGE = 14, 40, 24  # bytes of headers, and of an advertisement without its options


class Advertised(NamedTuple):
    """target is at hardware (6 bytes), and that is told to the address `to`."""

    hardware: bytes
    target: IPv6Address
    to: IPv6Address


def unsolicited(hardware: bytes, address: IPv6Address, *, router: bool) -> bytes:
    """One frame to all nodes: `address` is at `hardware` (6 bytes), whatever you knew before.

    router: this node forwards IPv6. A neighbour that routes by us and is told otherwise drops the route.
    """
    flags = _OVERRIDE | (_ROUTER if router else 0)
    option = struct.pack("!BB", _TARGET_LINK_LAYER_ADDRESS, 1) + hardware
    body = struct.pack("!I", flags) + address.packed + option
    ends = address, ALL_NODES
    return _ethernet(hardware, _ALL_NODES_MAC) + _packet(_NEIGHBOUR_ADVERTISEMENT, body, *ends)


def solicitation(hardware: bytes, source: IPv6Address, target: IPv6Address, *, to: bytes | None = None) -> bytes:
    """One frame: "who has `target`? tell `source`, at `hardware`". to: the hardware address of the neighbour that has
    `target`, which alone is asked then; None: whoever listens for it.

    Who is asked puts `hardware` into its entry for `source` before it answers (RFC 4861, section 7.2.3).
    """
    option = struct.pack("!BB", _SOURCE_LINK_LAYER_ADDRESS, 1) + hardware
    body = bytes(4) + target.packed + option
    group = IPv6Address(_SOLICITED_NODE + target.packed[13:])
    destination = target if to is not None else group
    mac = to if to is not None else b"\x33\x33" + group.packed[12:]  # RFC 2464, section 7
    return _ethernet(hardware, mac) + _packet(_NEIGHBOUR_SOLICITATION, body, source, destination)


def advertised(frame: bytes) -> Advertised | None:
    """None for a frame that is no neighbour advertisement, or one that RFC 4861, section 7.1.2, drops. Without the
    option that names it, the hardware address is the one the frame came from."""
    if len(frame) < _ETHERNET + _IPV6 + _MESSAGE or frame[12:14] != struct.pack("!H", ETHERTYPE):
        return None
    first, length, following, hops = struct.unpack_from("!IHBB", frame, _ETHERNET)
    start = _ETHERNET + _IPV6
    message = frame[start : start + length]
    if (first >> 28, following, hops) != (6, _ICMPV6, _HOP_LIMIT) or not _MESSAGE <= length == len(message):
        return None
    source, to = IPv6Address(frame[22:38]), IPv6Address(frame[38:54])
    kind, code, _, flags = struct.unpack_from("!BBHI", message)
    if (kind, code) != (_NEIGHBOUR_ADVERTISEMENT, 0) or (to.is_multicast and flags & _SOLICITED):
        return None
    if checksum.internet(checksum.pseudo_header(source, to, _ICMPV6, length) + message) != 0:
        return None
    target = IPv6Address(message[8:24])
    options = _options(message[_MESSAGE:])
    if target.is_multicast or options is None:
        return None
    return Advertised(options.get(_TARGET_LINK_LAYER_ADDRESS, frame[6:12])[:6], target, to)


def _options(data: bytes) -> dict[int, bytes] | None:
    """By type; None if one has no length."""
    found = {}
    while data:
        size = data[1] * 8 if len(data) > 1 else 0
        if not 0 < size <= len(data):
            return None
        found[data[0]] = data[2:size]
        data = data[size:]
    return found


def _ethernet(hardware: bytes, to: bytes) -> bytes:
    return to + hardware + struct.pack("!H", ETHERTYPE)


def _packet(kind: int, body: bytes, source: IPv6Address, destination: IPv6Address) -> bytes:
    """An ICMPv6 message (type, code, checksum, body) in an IPv6 packet."""
    length = 4 + len(body)
    bare = struct.pack("!BBH", kind, 0, 0) + body
    total = checksum.internet(checksum.pseudo_header(source, destination, _ICMPV6, length) + bare)
    ipv6 = struct.pack("!IHBB", 6 << 28, length, _ICMPV6, _HOP_LIMIT) + source.packed + destination.packed
    return ipv6 + struct.pack("!BBH", kind, 0, total) + body

"""Gratuitous ARP for IPv4 over Ethernet (RFC 826; RFC 5227, section 3; RFC 9568, section 6.4.2 with erratum 7947)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address

ETHERTYPE = 0x0806
BROADCAST = b"\xff" * 6
_ETHERNET_IPV4 = struct.pack("!HHBB", 1, 0x0800, 6, 4)
_REQUEST = 1


def gratuitous(hardware: bytes, address: IPv4Address) -> bytes:
    """One broadcast frame: "who has `address`? tell `address`, at `hardware`" (6 bytes).

    The request form: neighbours of every kind take it, and Linux takes either form alike.
    """
    ethernet = BROADCAST + hardware + struct.pack("!H", ETHERTYPE)
    sender = hardware + address.packed
    target = BROADCAST + address.packed
    return ethernet + _ETHERNET_IPV4 + struct.pack("!H", _REQUEST) + sender + target

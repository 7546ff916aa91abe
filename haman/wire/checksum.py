"""The Internet checksum (RFC 1071), and the IPv4 pseudo-header that some VRRP speakers put before it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address


def internet(data: bytes) -> int:
    """The 16-bit one's complement of the one's complement sum; 0 over data whose checksum field is right."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(source: IPv4Address, destination: IPv4Address, protocol: int, length: int) -> bytes:
    """RFC 793, section 3.1; `length` is that of the message in bytes."""
    return source.packed + destination.packed + struct.pack("!BBH", 0, protocol, length)

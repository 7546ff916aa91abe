"""The Internet checksum (RFC 1071), and the pseudo-headers that it covers beside a message."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.addresses import Address


def internet(data: bytes) -> int:
    """The 16-bit one's complement of the one's complement sum; 0 over data whose checksum field is right."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(source: Address, destination: Address, protocol: int, length: int) -> bytes:
    """IPv4: RFC 793, section 3.1; IPv6: RFC 8200, section 8.1. `length` is that of the message in bytes."""
    addresses = source.packed + destination.packed
    if source.version == 4:
        return addresses + struct.pack("!BBH", 0, protocol, length)
    return addresses + struct.pack("!II", length, protocol)

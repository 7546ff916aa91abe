"""The IPv4 header around a VRRP message, as a raw socket gives and takes it (RFC 791)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

from haman.wire.packet import PRECEDENCE, PROTOCOL_VRRP, Packet

_MINIMUM_HEADER = 20


def split(data: bytes) -> Packet | None:
    """Header and payload of a received packet; None when it is no whole IPv4 packet.

    The payload ends where the header says, not where the buffer does: short frames come up padded.
    """
    if len(data) < _MINIMUM_HEADER or data[0] >> 4 != 4:
        return None
    header = (data[0] & 0x0F) * 4
    (total,) = struct.unpack_from("!H", data, 2)
    if not _MINIMUM_HEADER <= header <= total <= len(data):
        return None
    return Packet(IPv4Address(data[12:16]), IPv4Address(data[16:20]), data[8], data[header:total])


def wrap(packet: Packet) -> bytes:
    """For a socket with IP_HDRINCL; the kernel fills in identification and header checksum (raw(7))."""
    return (
        struct.pack(
            "!BBHHHBBH",
            0x45,
            PRECEDENCE,
            _MINIMUM_HEADER + len(packet.payload),
            0,
            0,
            packet.ttl,
            PROTOCOL_VRRP,
            0,
        )
        + packet.source.packed
        + packet.destination.packed
        + packet.payload
    )

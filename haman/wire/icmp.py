"""Echo requests and replies of ICMP (RFC 792) and ICMPv6 (RFC 4443, section 4): what a ping is made of."""

from __future__ import annotations

import struct
from typing import NamedTuple

from haman.wire.checksum import internet

REPLY = 0
REPLY6 = 129
_REQUEST = 8
_REQUEST6 = 128
_HEADER = struct.Struct("!BBHHH")


class Echo(NamedTuple):
    """identifier, sequence: 0..65535."""

    identifier: int
    sequence: int
    payload: bytes


def request(echo: Echo, *, six: bool) -> bytes:
    """An echo request. The checksum of ICMPv6 covers addresses too and is left to the kernel, which always sets it."""
    kind = _REQUEST6 if six else _REQUEST
    bare = _HEADER.pack(kind, 0, 0, echo.identifier, echo.sequence) + echo.payload
    return bare if six else bare[:2] + struct.pack("!H", internet(bare)) + bare[4:]


def requested(packet: bytes, *, six: bool) -> Echo | None:
    """The echo request that begins `packet`, which an error message may have cut short; None for anything else."""
    return _echo(packet, _REQUEST6 if six else _REQUEST)


def replied(packet: bytes, *, six: bool) -> Echo | None:
    """The echo reply that `packet` is, None for anything else. The kernel has checked its checksum."""
    return _echo(packet, REPLY6 if six else REPLY)


def _echo(packet: bytes, kind: int) -> Echo | None:
    if len(packet) < _HEADER.size:
        return None
    found, code, _, identifier, sequence = _HEADER.unpack_from(packet)
    return Echo(identifier, sequence, packet[_HEADER.size :]) if (found, code) == (kind, 0) else None

"""The trailer that signs a VRRP advertisement (draft-cassen-vrrp-auth-hmac, as keepalived speaks it from 2.4.2 on).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 1    |    Key ID     |         Reserved = 0          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                   Sequence: seconds since 1970                |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Sequence: fraction          |   Sequence: counter           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          HMAC: the first 16 bytes of HMAC-SHA256              |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

The HMAC is over: 4 or 6, the version, the VRID, a zero byte, and the source address in 16 bytes (IPv4 first, then
zeros); the message with its checksum as zero; the trailer with its HMAC as zeros. So it binds a packet to its sender
and to its virtual router, and is the same for every destination.
"""

from __future__ import annotations

import hmac
import struct
from typing import TYPE_CHECKING

from haman.errors import BadPacket
from haman.wire import freshness
from haman.wire.advertisement import Refusal

if TYPE_CHECKING:
    from collections.abc import Hashable

    from haman.model.addresses import Address
    from haman.model.authentication import Credentials, Key

_TRAILER = struct.Struct("!BBHQ16s")
_HMAC_SHA256 = 1
_HMAC_LENGTH = 16
_NOTHING = bytes(_HMAC_LENGTH)

LENGTH = _TRAILER.size
"""Bytes of a trailer."""


def trailer(message: bytes, source: Address, key: Key, sequence: int) -> bytes:
    """What is to follow `message`, an advertisement without IP header. Its checksum makes no difference."""
    unsigned = _TRAILER.pack(_HMAC_SHA256, key.number, 0, sequence, _NOTHING)
    return unsigned[:-_HMAC_LENGTH] + _hmac(message, source, key, unsigned)


def check(
    message: bytes,
    tail: bytes,
    source: Address,
    credentials: Credentials,
    marks: freshness.Marks,
    sender: Hashable,
    wall: float,
) -> int:
    """`tail`: all that followed the message. `sender`: what `marks` knows it by. Returns by how many seconds our clock
    is ahead of the sender's; raises BadPacket. What costs nothing is looked at first: nothing but a true signature
    moves a mark."""
    if not tail:
        raise BadPacket(Refusal.UNSIGNED, f"from {source}, without authentication")
    if len(tail) != LENGTH:
        raise BadPacket(Refusal.TRAILER, f"{len(tail)} bytes behind the message from {source}, {LENGTH} wanted")
    kind, number, reserved, sequence, signature = _TRAILER.unpack(tail)
    if kind != _HMAC_SHA256 or reserved != 0:
        raise BadPacket(Refusal.TRAILER, f"authentication of type {kind} from {source}; only HMAC-SHA256 is known")
    ahead = freshness.skew(sequence, wall)
    if credentials.window is not None and abs(ahead) > credentials.window:
        side = "ahead of" if ahead < 0 else "behind"
        words = f"{source} signed it by a clock {abs(ahead)} s {side} ours: a recording, or clocks that differ"
        raise BadPacket(Refusal.STALE, words)
    key = credentials.key(number)
    if key is None:
        raise BadPacket(Refusal.UNKNOWN_KEY, f"{source} signs with key {number}, which is not among ours")
    if not hmac.compare_digest(signature, _hmac(message, source, key, tail)):
        raise BadPacket(Refusal.SIGNATURE, f"the signature of {source} with key {number} is wrong: another secret")
    if not marks.take(sender, sequence, wall, credentials.window):
        raise BadPacket(Refusal.REPLAY, f"{source} said this before, or somebody plays it back")
    return ahead


def _hmac(message: bytes, source: Address, key: Key, trailing: bytes) -> bytes:
    pseudo = bytes((source.version, message[0] >> 4, message[1], 0)) + source.packed.ljust(16, b"\0")
    covered = b"".join(
        (pseudo, message[:6], b"\0\0", message[8:], trailing[:-_HMAC_LENGTH], _NOTHING),
    )
    return hmac.digest(key.octets, covered, "sha256")[:_HMAC_LENGTH]

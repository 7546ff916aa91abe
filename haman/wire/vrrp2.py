"""VRRP version 2 for IPv4 (RFC 3768, section 5; passwords: RFC 2338, section 5.3.6), as keepalived speaks it.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |Version| Type  | Virtual Rtr ID|   Priority    | Count IP Addrs|
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Auth Type   |   Adver Int   |          Checksum             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         IP Address(es)                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |             Authentication Data: 8 bytes, always              |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

The checksum covers all of it and no pseudo-header. The password is readable by everybody on the segment: it keeps
two clusters with one VRID apart, and keeps nobody out.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from haman.errors import BadPacket
from haman.wire import checksum
from haman.wire.advertisement import ADVERTISEMENT, Advertisement, Refusal

if TYPE_CHECKING:
    from haman.model.addresses import Address

VERSION = 2
PASSWORD_LENGTH = 8
"""Bytes; keepalived cuts a longer one off there."""

_NO_AUTHENTICATION, _SIMPLE_PASSWORD = 0, 1
_FIXED = struct.Struct("!BBBBBBH")


def encode(advertisement: Advertisement) -> bytes:
    """Raises ValueError for an interval or a password that has no encoding."""
    seconds = round(advertisement.interval)
    if seconds != advertisement.interval or not 1 <= seconds <= 255:
        raise ValueError(f"advertisement interval of {advertisement.interval} s does not fit one byte of whole seconds")
    password = (advertisement.password or "").encode("latin-1")
    if len(password) > PASSWORD_LENGTH:
        raise ValueError(f"a password of {len(password)} bytes does not fit {PASSWORD_LENGTH}")
    kind = _NO_AUTHENTICATION if advertisement.password is None else _SIMPLE_PASSWORD
    tail = b"".join(address.packed for address in advertisement.addresses) + password.ljust(PASSWORD_LENGTH, b"\0")

    def message(checksum_field: int) -> bytes:
        first = VERSION << 4 | ADVERTISEMENT
        count = len(advertisement.addresses)
        head = (first, advertisement.vrid, advertisement.priority, count, kind, seconds, checksum_field)
        return _FIXED.pack(*head) + tail

    return message(checksum.internet(message(0)))


def decode(payload: bytes, source: Address) -> Advertisement:
    """`payload` has at least 8 bytes and says version 2. Raises BadPacket; the order of the checks is that of
    RFC 3768, section 7.1. Whether password and interval are ours is for others to judge."""
    first, vrid, priority, count, kind, seconds, _ = _FIXED.unpack_from(payload)
    if first & 0x0F != ADVERTISEMENT:
        raise BadPacket(Refusal.TYPE, f"type {first & 0x0F} from {source}")
    end = _FIXED.size + 4 * count
    length = end + PASSWORD_LENGTH
    if len(payload) < length:
        raise BadPacket(Refusal.TOO_SHORT, f"{len(payload)} bytes for {count} addresses and a password from {source}")
    if checksum.internet(payload[:length]) != 0:
        raise BadPacket(Refusal.CHECKSUM, f"wrong checksum from {source}")
    if count == 0:
        raise BadPacket(Refusal.NO_ADDRESSES, f"no addresses from {source}")
    if seconds == 0:
        raise BadPacket(Refusal.INTERVAL, f"an interval of zero from {source}")
    if vrid == 0:
        raise BadPacket(Refusal.VRID, "virtual router 0 does not exist")
    if kind not in (_NO_AUTHENTICATION, _SIMPLE_PASSWORD):
        raise BadPacket(Refusal.AUTHENTICATION, f"authentication type {kind} from {source}; haman knows only passwords")
    password = payload[end:length].rstrip(b"\0").decode("latin-1") if kind == _SIMPLE_PASSWORD else None
    addresses = tuple(IPv4Address(payload[at : at + 4]) for at in range(_FIXED.size, end, 4))
    return Advertisement(vrid, priority, float(seconds), addresses, VERSION, password)

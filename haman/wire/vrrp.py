"""VRRPv3 advertisements for IPv4: bytes to Advertisement and back (RFC 9568, section 5).

Centiseconds end here. The message layout:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |Version| Type  | Virtual Rtr ID|   Priority    |  IPvX Count   |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |(reserve)| Max Advertise Interval |          Checksum          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       IPvX Address(es)                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address

from haman.errors import BadPacket
from haman.model.cluster import ChecksumForm
from haman.wire import checksum
from haman.wire.ipv4 import PROTOCOL_VRRP

GROUP = IPv4Address("224.0.0.18")
VERSION = 3
ADVERTISEMENT = 1
PRIORITY_LEAVING = 0
PRIORITY_OWNER = 255

_FIXED = struct.Struct("!BBBBHH")
_MAXIMUM_CENTISECONDS = 0x0FFF


class Refusal(Enum):
    """Why a packet was not believed; the value is a metric label, so it never changes."""

    IP_HEADER = "ip_header"
    TTL = "ttl"
    TOO_SHORT = "too_short"
    VERSION = "version"
    TYPE = "type"
    CHECKSUM = "checksum"
    VRID = "vrid"  # nobody here plays this virtual router on this interface
    NO_ADDRESSES = "no_addresses"
    INTERVAL = "interval"
    OWN_ADDRESS = "own_address"  # our own source address came back: a loop, or another node that has our address
    NOT_A_PEER = "not_a_peer"
    TRANSPORT = "transport"  # unicast where multicast is spoken, or the reverse


@dataclass(frozen=True, slots=True)
class Advertisement:
    """interval: the sender's Max Advertise Interval, seconds."""

    vrid: int
    priority: int
    interval: float
    addresses: tuple[IPv4Address, ...]


def encode(
    advertisement: Advertisement,
    source: IPv4Address,
    destination: IPv4Address,
    form: ChecksumForm = ChecksumForm.RFC9568,
) -> bytes:
    """The message without IP header. Raises ValueError for what has no encoding (our own mistake)."""
    if not 1 <= advertisement.vrid <= 255 or not 0 <= advertisement.priority <= 255:
        raise ValueError(f"VRID {advertisement.vrid} or priority {advertisement.priority} does not fit its byte")
    centiseconds = round(advertisement.interval * 100)
    if not 1 <= centiseconds <= _MAXIMUM_CENTISECONDS:
        raise ValueError(f"advertisement interval of {advertisement.interval} s does not fit 12 bits of centiseconds")
    if not 1 <= len(advertisement.addresses) <= 255:
        raise ValueError(f"{len(advertisement.addresses)} addresses do not fit one advertisement")
    addresses = b"".join(address.packed for address in advertisement.addresses)

    def message(checksum_field: int) -> bytes:
        first = VERSION << 4 | ADVERTISEMENT
        count = len(advertisement.addresses)
        head = (first, advertisement.vrid, advertisement.priority, count, centiseconds, checksum_field)
        return _FIXED.pack(*head) + addresses

    covered = message(0)
    if form is ChecksumForm.PSEUDO_HEADER:
        covered = checksum.pseudo_header(source, destination, PROTOCOL_VRRP, len(covered)) + covered
    return message(checksum.internet(covered))


def decode(payload: bytes, source: IPv4Address, destination: IPv4Address) -> Advertisement:
    """Reads one message; raises BadPacket with a Refusal.

    The checks are those of RFC 9568, section 7.1, in its order, with errata 8299 and 8301 (no addresses, an
    interval of zero). Both checksum forms are taken (with and without the IPv4 pseudo-header, which RFC 5798
    left unclear). Bytes after the last address are not part of the message (section 5.2.5 gives its length) and
    are left alone: newer keepalived puts its authentication there.
    """
    if len(payload) < _FIXED.size:
        raise BadPacket(Refusal.TOO_SHORT, f"{len(payload)} bytes")
    first, vrid, priority, count, interval, _ = _FIXED.unpack_from(payload)
    if first >> 4 != VERSION:
        raise BadPacket(Refusal.VERSION, f"version {first >> 4}, this router speaks {VERSION}")
    if first & 0x0F != ADVERTISEMENT:
        raise BadPacket(Refusal.TYPE, f"type {first & 0x0F}")
    length = _FIXED.size + 4 * count
    if len(payload) < length:
        raise BadPacket(Refusal.TOO_SHORT, f"{len(payload)} bytes for {count} addresses")
    message = payload[:length]
    if checksum.internet(message) != 0:
        pseudo = checksum.pseudo_header(source, destination, PROTOCOL_VRRP, length)
        if checksum.internet(pseudo + message) != 0:
            raise BadPacket(Refusal.CHECKSUM)
    if count == 0:
        raise BadPacket(Refusal.NO_ADDRESSES)
    centiseconds = interval & _MAXIMUM_CENTISECONDS
    if centiseconds == 0:
        raise BadPacket(Refusal.INTERVAL, "an interval of zero")
    if vrid == 0:
        raise BadPacket(Refusal.VRID, "virtual router 0 does not exist")
    addresses = tuple(IPv4Address(message[at : at + 4]) for at in range(_FIXED.size, length, 4))
    return Advertisement(vrid, priority, centiseconds / 100, addresses)

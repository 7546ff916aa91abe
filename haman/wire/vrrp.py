"""VRRP advertisements: bytes to Advertisement and back. Version 3 (RFC 9568, section 5), for IPv4 and IPv6, is here;
`vrrp2` has version 2.

Seconds inside; what the wire counts in ends here. Version 3:

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
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from haman.errors import BadPacket
from haman.model.routers import ChecksumForm
from haman.wire import authentication, checksum, vrrp2
from haman.wire.advertisement import ADVERTISEMENT, Advertisement, Refusal
from haman.wire.packet import PROTOCOL_VRRP

if TYPE_CHECKING:
    from haman.model.addresses import Address

VERSION = 3
_FIXED = struct.Struct("!BBBBHH")
_MAXIMUM_CENTISECONDS = 0x0FFF


def encode(
    advertisement: Advertisement,
    source: Address,
    destination: Address,
    form: ChecksumForm = ChecksumForm.RFC9568,
) -> bytes:
    """The message without IP header, in the advertisement's version. `form` is a question of version 3 over IPv4 alone.
    Raises ValueError for what has no encoding (our own mistake)."""
    if not 1 <= advertisement.vrid <= 255 or not 0 <= advertisement.priority <= 255:
        raise ValueError(f"VRID {advertisement.vrid} or priority {advertisement.priority} does not fit its byte")
    if not 1 <= len(advertisement.addresses) <= 255:
        raise ValueError(f"{len(advertisement.addresses)} addresses do not fit one advertisement")
    if {address.version for address in advertisement.addresses} != {source.version}:
        raise ValueError(f"these addresses do not fit an advertisement from {source}")
    if advertisement.version == vrrp2.VERSION:
        return vrrp2.encode(advertisement)
    centiseconds = round(advertisement.interval * 100)
    if not 1 <= centiseconds <= _MAXIMUM_CENTISECONDS:
        raise ValueError(f"advertisement interval of {advertisement.interval} s does not fit 12 bits of centiseconds")
    addresses = b"".join(address.packed for address in advertisement.addresses)

    def message(checksum_field: int) -> bytes:
        first = VERSION << 4 | ADVERTISEMENT
        count = len(advertisement.addresses)
        head = (first, advertisement.vrid, advertisement.priority, count, centiseconds, checksum_field)
        return _FIXED.pack(*head) + addresses

    covered = message(0)
    if source.version == 6 or form is ChecksumForm.PSEUDO_HEADER:
        covered = checksum.pseudo_header(source, destination, PROTOCOL_VRRP, len(covered)) + covered
    return message(checksum.internet(covered))


def signed(message: bytes, source: Address, destination: Address, trailer: bytes) -> bytes:
    """The message with its trailer. Over IPv6 the checksum covers both, as keepalived's does."""
    if source.version == 4:
        return message + trailer
    whole = message[:6] + b"\0\0" + message[8:] + trailer
    pseudo = checksum.pseudo_header(source, destination, PROTOCOL_VRRP, len(whole))
    return message[:6] + checksum.internet(pseudo + whole).to_bytes(2, "big") + message[8:] + trailer


def split(payload: bytes, version: int) -> tuple[bytes, bytes]:
    """A message of VRRP version 3 that `decode` has taken, and what follows it. version: of IP."""
    length = _FIXED.size + (16 if version == 6 else 4) * payload[3]
    return payload[:length], payload[length:]


def decode(payload: bytes, source: Address, destination: Address) -> Advertisement:
    """Reads one message; raises BadPacket with a Refusal.

    The checks are those of RFC 9568, section 7.1, in its order, with errata 8299 and 8301 (no addresses, an
    interval of zero). Over IPv4 both checksum forms are taken (with and without pseudo-header, which RFC 5798 left
    unclear); over IPv6 there is one, with. Bytes after the last address are not part of the message (section 5.2.5
    gives its length) and are for others to read (`split`); only the checksum over IPv6 may cover a trailer.
    """
    if len(payload) < _FIXED.size:
        raise BadPacket(Refusal.TOO_SHORT, f"{len(payload)} bytes from {source}")
    first, vrid, priority, count, interval, _ = _FIXED.unpack_from(payload)
    version, ipv6 = first >> 4, source.version == 6
    if version == vrrp2.VERSION and not ipv6:
        return vrrp2.decode(payload, source)
    if version != VERSION:
        raise BadPacket(Refusal.VERSION, f"{source} speaks VRRP version {version} over IPv{source.version}")
    if first & 0x0F != ADVERTISEMENT:
        raise BadPacket(Refusal.TYPE, f"type {first & 0x0F} from {source}")
    size = 16 if ipv6 else 4
    length = _FIXED.size + size * count
    if len(payload) < length:
        raise BadPacket(Refusal.TOO_SHORT, f"{len(payload)} bytes for {count} addresses from {source}")
    message = payload[:length]
    if ipv6 or checksum.internet(message) != 0:
        covered = [message]
        if ipv6 and len(payload) == length + authentication.LENGTH:
            covered.append(payload)  # keepalived has the kernel compute it, over all there is
        if all(
            checksum.internet(checksum.pseudo_header(source, destination, PROTOCOL_VRRP, len(each)) + each) != 0
            for each in covered
        ):
            raise BadPacket(Refusal.CHECKSUM, f"wrong checksum from {source}")
    if count == 0:
        raise BadPacket(Refusal.NO_ADDRESSES, f"no addresses from {source}")
    centiseconds = interval & _MAXIMUM_CENTISECONDS
    if centiseconds == 0:
        raise BadPacket(Refusal.INTERVAL, f"an interval of zero from {source}")
    if vrid == 0:
        raise BadPacket(Refusal.VRID, "virtual router 0 does not exist")
    kind = IPv6Address if ipv6 else IPv4Address
    addresses = tuple(kind(message[at : at + size]) for at in range(_FIXED.size, length, size))
    return Advertisement(vrid, priority, centiseconds / 100, addresses)

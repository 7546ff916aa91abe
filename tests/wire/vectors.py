"""Advertisements as bytes and as values: one list, read by the tests of decoding and of encoding.

Two origins. "keepalived": keepalived 2.2.7 of Debian 12 sent them over a veth pair, tcpdump 4.99.3 took them down;
it knows only the checksum with pseudo-header. "RFC 9568": laid out by hand after section 5.1, the words added and
folded with a pencil; that is the form without pseudo-header, which section 5.2.8 asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from haman.model.cluster import ChecksumForm
from haman.wire.vrrp import Advertisement, Refusal

SOURCE = IPv4Address("10.0.0.1")
GROUP = IPv4Address("224.0.0.18")
PEER = IPv4Address("10.0.0.2")


@dataclass(frozen=True)
class Vector:
    name: str
    message: bytes
    advertisement: Advertisement
    form: ChecksumForm = ChecksumForm.RFC9568
    destination: IPv4Address = GROUP
    source: IPv4Address = SOURCE


def _advertisement(vrid: int, priority: int, interval: float, *addresses: str) -> Advertisement:
    return Advertisement(vrid, priority, interval, tuple(IPv4Address(address) for address in addresses))


_TWO = ("10.0.0.100", "10.0.0.101")

VECTORS = (
    Vector(
        "RFC 9568, one second, two addresses",
        bytes.fromhex("3133 9602 0064 239d 0a000064 0a000065"),
        _advertisement(51, 150, 1.0, *_TWO),
    ),
    Vector(
        "RFC 9568, goodbye",
        bytes.fromhex("3133 0002 0064 b99d 0a000064 0a000065"),
        _advertisement(51, 0, 1.0, *_TWO),
    ),
    Vector(
        "RFC 9568, the default priority, one address",
        bytes.fromhex("3101 6401 0064 a7f2 c0a801fe"),
        _advertisement(1, 100, 1.0, "192.168.1.254"),
    ),
    Vector(
        "RFC 9568, every field at its highest: owner, 40.95 s",
        bytes.fromhex("31ff ff01 0fff beff ffffffff"),
        _advertisement(255, 255, 40.95, "255.255.255.255"),
    ),
    Vector(
        "RFC 9568, the shortest interval",
        bytes.fromhex("3133 fe01 0001 c665 0a000064"),
        _advertisement(51, 254, 0.01, "10.0.0.100"),
    ),
    Vector(
        "RFC 9568, a checksum that comes out as zero",
        bytes.fromhex("3133 fe01 0001 0000 d0c90000"),
        _advertisement(51, 254, 0.01, "208.201.0.0"),
    ),
    Vector(
        "keepalived, multicast, 0.1 s",
        bytes.fromhex("3133 9602 000a 3963 0a000064 0a000065"),
        _advertisement(51, 150, 0.1, *_TWO),
        ChecksumForm.PSEUDO_HEADER,
    ),
    Vector(
        "keepalived, multicast, 0.1 s, goodbye",
        bytes.fromhex("3133 0002 000a cf63 0a000064 0a000065"),
        _advertisement(51, 0, 0.1, *_TWO),
        ChecksumForm.PSEUDO_HEADER,
    ),
    Vector(
        "keepalived, multicast, 1 s",
        bytes.fromhex("3133 9602 0064 3909 0a000064 0a000065"),
        _advertisement(51, 150, 1.0, *_TWO),
        ChecksumForm.PSEUDO_HEADER,
    ),
    Vector(
        "keepalived, unicast, 10 ms",
        bytes.fromhex("3133 fe02 0001 a77c 0a000064 0a000065"),
        _advertisement(51, 254, 0.01, *_TWO),
        ChecksumForm.PSEUDO_HEADER,
        PEER,
    ),
    Vector(
        "keepalived, unicast, 10 ms, goodbye",
        bytes.fromhex("3133 0002 0001 a57d 0a000064 0a000065"),
        _advertisement(51, 0, 0.01, *_TWO),
        ChecksumForm.PSEUDO_HEADER,
        PEER,
    ),
)


@dataclass(frozen=True)
class Malformed:
    """What is wrong, the bytes (from SOURCE to GROUP), and why they are refused. Checksums are right unless said."""

    name: str
    message: bytes
    refusal: Refusal


MALFORMED = (
    Malformed("nothing at all", b"", Refusal.TOO_SHORT),
    Malformed("seven bytes of eight", bytes.fromhex("31339602006423"), Refusal.TOO_SHORT),
    Malformed("one address of two", bytes.fromhex("3133 9602 0064 239d 0a000064"), Refusal.TOO_SHORT),
    Malformed("255 addresses announced, one there", bytes.fromhex("3133 96ff 0064 0000 0a000064"), Refusal.TOO_SHORT),
    Malformed(
        "version 2 (keepalived 2.2.7, its default)",
        bytes.fromhex("2133 c801 0001 0c66 0a000064 0000000000000000"),
        Refusal.VERSION,
    ),
    Malformed("version 4", bytes.fromhex("4133 9601 0064 0000 0a000064"), Refusal.VERSION),
    Malformed("version 0", bytes.fromhex("0133 9601 0064 0000 0a000064"), Refusal.VERSION),
    Malformed("type 0", bytes.fromhex("3033 9601 0064 0000 0a000064"), Refusal.TYPE),
    Malformed("type 2", bytes.fromhex("3233 9601 0064 2d03 0a000064"), Refusal.TYPE),
    Malformed("checksum one too high", bytes.fromhex("3133 9602 0064 239e 0a000064 0a000065"), Refusal.CHECKSUM),
    Malformed("checksum left at zero", bytes.fromhex("3133 9602 0064 0000 0a000064 0a000065"), Refusal.CHECKSUM),
    Malformed(
        "pseudo-header of another destination", bytes.fromhex("3133 fe02 0001 a77c 0a000064 0a000065"), Refusal.CHECKSUM
    ),
    Malformed("no addresses (erratum 8299)", bytes.fromhex("3133 9600 0064 3868"), Refusal.NO_ADDRESSES),
    Malformed("an interval of zero (erratum 8301)", bytes.fromhex("3133 9601 0000 2e67 0a000064"), Refusal.INTERVAL),
    Malformed("reserved bits are no interval", bytes.fromhex("3133 9601 f000 3e66 0a000064"), Refusal.INTERVAL),
    Malformed("virtual router 0", bytes.fromhex("3100 9601 0064 2e36 0a000064"), Refusal.VRID),
)

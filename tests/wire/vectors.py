"""Advertisements as bytes and as values: one list, read by the tests of decoding and of encoding.

Two origins. "keepalived": keepalived 2.2.7 of Debian 12 sent them over a veth pair, where they were taken down;
it knows only the checksum with pseudo-header. "RFC 9568": laid out by hand after section 5.1, the words added and
folded with a pencil; that is the form without pseudo-header, which section 5.2.8 asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from haman.model.routers import ChecksumForm
from haman.wire.advertisement import Advertisement, Refusal

if TYPE_CHECKING:
    from haman.model.addresses import Address

SOURCE = IPv4Address("10.0.0.1")
GROUP = IPv4Address("224.0.0.18")
PEER = IPv4Address("10.0.0.2")
GROUP6 = ip_address("ff02::12")
LINK_LOCAL = ip_address("fe80::ff:fe00:1")
SOURCE6 = ip_address("2001:db8::1")
PEER6 = ip_address("2001:db8::2")


@dataclass(frozen=True)
class Vector:
    name: str
    message: bytes
    advertisement: Advertisement
    form: ChecksumForm = ChecksumForm.RFC9568
    destination: Address = GROUP
    source: Address = SOURCE


def _advertisement(vrid: int, priority: int, interval: float, *addresses: str) -> Advertisement:
    return Advertisement(vrid, priority, interval, tuple(ip_address(address) for address in addresses))


def _two(vrid: int, priority: int, interval: int, *addresses: str, password: str | None = None) -> Advertisement:
    known = tuple(ip_address(address) for address in addresses)
    return Advertisement(vrid, priority, float(interval), known, 2, password)


_TWO = ("10.0.0.100", "10.0.0.101")
_SIX = ("fe80::100", "2001:db8::100")

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
    Vector(
        "keepalived, IPv6, multicast, 0.1 s",
        bytes.fromhex("31359602000a0d55 fe800000000000000000000000000100 20010db8000000000000000000000100"),
        _advertisement(53, 150, 0.1, *_SIX),
        destination=GROUP6,
        source=LINK_LOCAL,
    ),
    Vector(
        "keepalived, IPv6, multicast, 0.1 s, goodbye",
        bytes.fromhex("31350002000aa355 fe800000000000000000000000000100 20010db8000000000000000000000100"),
        _advertisement(53, 0, 0.1, *_SIX),
        destination=GROUP6,
        source=LINK_LOCAL,
    ),
    Vector(
        "keepalived, IPv6, unicast, 0.1 s",
        bytes.fromhex("31369601000aae06 20010db8000000000000000000000101"),
        _advertisement(54, 150, 0.1, "2001:db8::101"),
        destination=PEER6,
        source=SOURCE6,
    ),
)

VERSION_2 = (
    Vector(
        "keepalived, version 2, 1 s, two addresses, a password",
        bytes.fromhex("213396020101f6b3 0a000064 0a000065 7365637265740000"),
        _two(51, 150, 1, *_TWO, password="secret"),
    ),
    Vector(
        "keepalived, version 2, goodbye with a password",
        bytes.fromhex("2133000201018cb4 0a000064 0a000065 7365637265740000"),
        _two(51, 0, 1, *_TWO, password="secret"),
    ),
    Vector(
        "keepalived, version 2, 2 s, no authentication",
        bytes.fromhex("2134960100023e62 0a000066 0000000000000000"),
        _two(52, 150, 2, "10.0.0.102"),
    ),
    Vector(
        "keepalived, version 2, unicast, auth_pass longpassword",
        bytes.fromhex("213764010101b0b3 0a000067 6c6f6e6770617373"),
        _two(55, 100, 1, "10.0.0.103", password="longpass"),
        destination=PEER,
    ),
)


@dataclass(frozen=True)
class Malformed:
    """What is wrong, the bytes (from SOURCE to GROUP unless said), and why they are refused. Checksums are right unless
    said."""

    name: str
    message: bytes
    refusal: Refusal
    source: Address = SOURCE
    destination: Address = GROUP


MALFORMED = (
    Malformed("nothing at all", b"", Refusal.TOO_SHORT),
    Malformed("seven bytes of eight", bytes.fromhex("31339602006423"), Refusal.TOO_SHORT),
    Malformed("one address of two", bytes.fromhex("3133 9602 0064 239d 0a000064"), Refusal.TOO_SHORT),
    Malformed("255 addresses announced, one there", bytes.fromhex("3133 96ff 0064 0000 0a000064"), Refusal.TOO_SHORT),
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
    Malformed("version 2, no password field", bytes.fromhex("213496010002d462 0a000066"), Refusal.TOO_SHORT),
    Malformed(
        "version 2, a password turned",
        bytes.fromhex("213396020101f6b3 0a000064 0a000065 7365637265740001"),
        Refusal.CHECKSUM,
    ),
    Malformed("version 2, type 2", bytes.fromhex("223496010002 3d62 0a000066 0000000000000000"), Refusal.TYPE),
    Malformed("version 2, no addresses", bytes.fromhex("213496000001 48ca 0000000000000000"), Refusal.NO_ADDRESSES),
    Malformed("version 2, 0 s", bytes.fromhex("213496010000 3e64 0a000066 0000000000000000"), Refusal.INTERVAL),
    Malformed("version 2, router 0", bytes.fromhex("210096010002 3e96 0a000066 0000000000000000"), Refusal.VRID),
    Malformed(
        "version 2, authentication header",
        bytes.fromhex("213496010202 3c62 0a000066 0000000000000000"),
        Refusal.AUTHENTICATION,
    ),
    Malformed(
        "version 2 over IPv6",
        bytes.fromhex("213496010002 3e62 0a000066 0000000000000000"),
        Refusal.VERSION,
        SOURCE6,
        GROUP6,
    ),
    Malformed(
        "IPv6, the addresses of one sender in the packet of another",
        bytes.fromhex("31369601000aae06 20010db8000000000000000000000101"),
        Refusal.CHECKSUM,
        LINK_LOCAL,
        GROUP6,
    ),
    Malformed(
        "IPv6, a checksum without pseudo-header",
        bytes.fromhex("31369601000a 0a04 20010db8000000000000000000000101"),
        Refusal.CHECKSUM,
        SOURCE6,
        PEER6,
    ),
    Malformed(
        "IPv6, one address of two",
        bytes.fromhex("31369602000aae06 20010db8000000000000000000000101"),
        Refusal.TOO_SHORT,
        SOURCE6,
        PEER6,
    ),
)

"""What a director's frames say, as a machine on the segment reads them: behind 14 bytes of Ethernet ARP (RFC 826), or
40 of IPv6 and 8 of ICMPv6. They are made by haman's own code, so nothing of them is checked here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.addresses import Address

_ARP = b"\x08\x06"
_ADVERTISEMENT = 136  # RFC 4861, section 4.4
_GROUP = b"\x33\x33"


@dataclass(frozen=True, slots=True)
class Announcement:
    """To everybody: the VIP is here."""

    vip: Address


@dataclass(frozen=True, slots=True)
class Probe:
    """To everybody: who has the VIP? The answer goes to `to`."""

    vip: Address
    to: Address


@dataclass(frozen=True, slots=True)
class Question:
    """To one neighbour, from the VIP."""

    vip: Address
    neighbour: Address


@lru_cache(maxsize=4096)  # they are said again and again
def read(frame: bytes) -> Announcement | Probe | Question:
    if frame[12:14] == _ARP:
        sender, target = IPv4Address(frame[28:32]), IPv4Address(frame[38:42])
        if sender == target:
            return Announcement(sender)
        return Probe(target, sender) if int(sender) == 0 else Question(sender, target)
    target6, source = IPv6Address(frame[62:78]), IPv6Address(frame[22:38])
    if frame[54] == _ADVERTISEMENT:
        return Announcement(target6)
    return Probe(target6, source) if frame[:2] == _GROUP else Question(source, target6)

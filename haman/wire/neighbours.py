"""Questions to the neighbours of a VIP and their answers, whatever its IP version: `arp` or `ndp` underneath.

There are two. A probe asks everybody who has the VIP, in a form that changes nobody's entry for it: ARP's with sender
0.0.0.0 (RFC 5227), over IPv6 one from the interface's own link-local address. (Not the one of duplicate address
detection, from `::`: its answer goes to all nodes and overrides, so asking would do the damage that it asks about.)
A question to one neighbour comes from the VIP, at our hardware address, which the neighbour writes down before it
answers (RFC 826; RFC 4861, section 7.2.3).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, NamedTuple

from haman.wire import arp, ndp

if TYPE_CHECKING:
    from haman.model.addresses import Address


class Answer(NamedTuple):
    """address is at hardware (6 bytes), says who has it; to: whom it was told."""

    address: Address
    hardware: bytes
    to: Address


def ethertype(vip: Address) -> int:
    return arp.ETHERTYPE if vip.version == 4 else ndp.ETHERTYPE


def announcement(hardware: bytes, vip: Address, *, router: bool) -> bytes:
    """To everybody: the VIP is at `hardware`. router: see `ndp.unsolicited`."""
    if isinstance(vip, IPv4Address):
        return arp.gratuitous(hardware, vip)
    return ndp.unsolicited(hardware, vip, router=router)


def probe(hardware: bytes, vip: Address, own: IPv6Address | None) -> bytes | None:
    """own: the interface's link-local address; None where an IPv6 probe lacks it."""
    if isinstance(vip, IPv4Address):
        return arp.probe(hardware, vip)
    return None if own is None else ndp.solicitation(hardware, own, vip)


def question(hardware: bytes, vip: Address, neighbour: Address, at: bytes) -> bytes | None:
    """From the VIP to the neighbour at the hardware address `at`; None if they are of two IP versions."""
    if isinstance(vip, IPv4Address) and isinstance(neighbour, IPv4Address):
        return arp.request(hardware, vip, neighbour, to=at)
    if isinstance(vip, IPv6Address) and isinstance(neighbour, IPv6Address):
        return ndp.solicitation(hardware, vip, neighbour, to=at)
    return None


def answer(frame: bytes) -> Answer | None:
    """None for a frame that answers neither."""
    told = arp.reply(frame)
    if told is not None:
        return Answer(told.address, told.hardware, told.to)
    advertised = ndp.advertised(frame)
    return None if advertised is None else Answer(advertised.target, advertised.hardware, advertised.to)

"""ARP for IPv4 over Ethernet: gratuitous (RFC 5227, section 3; RFC 9568, section 6.4.2 with erratum 7947), probes
(RFC 5227, section 1.1), and question and answer (RFC 826)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

ETHERTYPE = 0x0806
BROADCAST = b"\xff" * 6
_ETHERNET_IPV4 = struct.pack("!HHBB", 1, 0x0800, 6, 4)
_REQUEST, _REPLY = 1, 2
_FRAME = struct.Struct("!6s6sH6sH6s4s6s4s")


def gratuitous(hardware: bytes, address: IPv4Address) -> bytes:
    """One broadcast frame: "who has `address`? tell `address`, at `hardware`" (6 bytes).

    The request form: neighbours of every kind take it, and Linux takes either form alike.
    """
    ethernet = BROADCAST + hardware + struct.pack("!H", ETHERTYPE)
    sender = hardware + address.packed
    target = BROADCAST + address.packed
    return ethernet + _ETHERNET_IPV4 + struct.pack("!H", _REQUEST) + sender + target


class Reply(NamedTuple):
    """address is at hardware (6 bytes), and that is told to whom the frame names as asking."""

    hardware: bytes
    address: IPv4Address
    to: IPv4Address


def request(hardware: bytes, sender: IPv4Address, target: IPv4Address, *, to: bytes = BROADCAST) -> bytes:
    """One frame: "who has `target`? tell `sender`, at `hardware`". to: one neighbour's hardware address, or everybody.

    Who is asked and has an entry for `sender` puts `hardware` into it before it answers (RFC 826, "merge flag").
    """
    ethernet = to + hardware + struct.pack("!H", ETHERTYPE)
    question = hardware + sender.packed + bytes(6) + target.packed
    return ethernet + _ETHERNET_IPV4 + struct.pack("!H", _REQUEST) + question


def probe(hardware: bytes, target: IPv4Address) -> bytes:
    """One broadcast frame that asks who has `target` and tells nobody anything: its sender is 0.0.0.0."""
    return request(hardware, IPv4Address(0), target)


def reply(frame: bytes) -> Reply | None:
    """None for a frame that is no ARP reply."""
    if len(frame) < _FRAME.size:
        return None
    _, _, ethertype, kind, operation, hardware, sender, _, target = _FRAME.unpack_from(frame)
    if (ethertype, kind, operation) != (ETHERTYPE, _ETHERNET_IPV4, _REPLY):
        return None
    return Reply(hardware, IPv4Address(sender), IPv4Address(target))


def replied(frame: bytes) -> IPv4Address | None:
    """Whose address a reply tells; None for a frame that is no ARP reply."""
    found = reply(frame)
    return None if found is None else found.address

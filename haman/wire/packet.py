"""An IP packet with a VRRP message, of either family, as the elector's sockets give and take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.addresses import Address

PROTOCOL_VRRP = 112
TTL = 255
"""What VRRP is sent with (RFC 9568, sections 5.1.1.3 and 5.1.2.3). A router on the way takes one off, so a packet that
arrives with it was sent on this segment."""

PRECEDENCE = 0xC0
"""Internetwork control: the IPv4 type of service, the IPv6 traffic class."""


@dataclass(frozen=True, slots=True)
class Packet:
    """`ttl`: the hop limit in IPv6. `source` and `destination` are of one family."""

    source: Address
    destination: Address
    ttl: int
    payload: bytes

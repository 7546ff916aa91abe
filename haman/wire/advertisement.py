"""What an advertisement says, whatever its version, and why one is not believed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.model.addresses import Address

GROUPS: Final[Mapping[int, Address]] = {4: IPv4Address("224.0.0.18"), 6: IPv6Address("ff02::12")}
"""By IP version (RFC 9568, sections 5.1.1.2 and 5.1.2.2)."""

ADVERTISEMENT = 1
"""The one type of message there is."""

PRIORITY_LEAVING = 0
PRIORITY_OWNER = 255


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
    INTERVAL = "interval"  # zero, or in VRRPv2 another one than ours
    AUTHENTICATION = "authentication"  # VRRPv2: another type or password than ours
    FAMILY = "family"  # IPv4 or IPv6, of which this virtual router has no address
    OWN_ADDRESS = "own_address"  # our own source address came back: a loop, or another node that has our address
    NOT_A_PEER = "not_a_peer"
    TRANSPORT = "transport"  # unicast where multicast is spoken, or the reverse
    UNSIGNED = "unsigned"  # there are keys here, and no trailer there
    TRAILER = "trailer"  # one that cannot be read
    STALE = "stale"  # signed at another time than now
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "signature"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Advertisement:
    """interval: the sender's Max Advertise Interval, seconds. addresses: all of one family, that of the packet.
    password: VRRPv2 alone has one; None without authentication."""

    vrid: int
    priority: int
    interval: float
    addresses: tuple[Address, ...]
    version: int = 3
    password: str | None = None

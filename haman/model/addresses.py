"""What an address is, of either family."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


Address = IPv4Address | IPv6Address


Interface = IPv4Interface | IPv6Interface


Network = IPv4Network | IPv6Network


def of_version(version: int, addresses: Iterable[Address | None]) -> Address | None:
    """The first IPv4 (4) or IPv6 (6) address of several."""
    return next((address for address in addresses if address is not None and address.version == version), None)

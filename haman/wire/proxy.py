"""The PROXY protocol: the line or header that tells a server for which client a connection was made.

Encoding only: haman tells others and believes nobody. (HAProxy's doc/proxy-protocol.txt, 2.1 for version 1, 2.2 for 2.)
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from haman.model.relay import Proxy
from haman.model.services import Protocol

if TYPE_CHECKING:
    from haman.model.addresses import Address

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
"""Of version 2: no text, and no start of any protocol."""

_PROXY = 0x21
"""Version 2, command PROXY."""

_FAMILY = {4: 0x10, 6: 0x20}
_TRANSPORT = {Protocol.TCP: 0x1, Protocol.UDP: 0x2}


def header(
    version: Proxy,
    protocol: Protocol,
    client: tuple[Address, int],
    called: tuple[Address, int],
) -> bytes:
    """What comes before a connection's first byte, or at the head of a datagram. client, called: address and port, of
    one family. Version 1 has words for TCP alone: ValueError for anything else."""
    (source, source_port), (destination, destination_port) = client, called
    if source.version != destination.version:
        raise ValueError(f"{source} and {destination} are of two families")
    if version is Proxy.V1:
        if protocol is not Protocol.TCP:
            raise ValueError("version 1 of the PROXY protocol is for TCP")
        return f"PROXY TCP{source.version} {source} {destination} {source_port} {destination_port}\r\n".encode()
    addresses = source.packed + destination.packed + struct.pack("!HH", source_port, destination_port)
    kind = _FAMILY[source.version] | _TRANSPORT[protocol]
    return SIGNATURE + struct.pack("!BBH", _PROXY, kind, len(addresses)) + addresses

"""Which server of a backup takes a new session. Pure.

The one with the fewest sessions for its weight; with `persistence` the same one for the same clients, whichever
director is asked, by the highest of each server's hash (rendezvous hashing): only the clients of a server that goes
move.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from haman.model.addresses import Address


@dataclass(slots=True, kw_only=True)
class Server:
    """source: where its sessions come from; None is left to the kernel. up: by its check. sessions: those it has."""

    name: str
    address: Address
    port: int
    source: Address | None = None
    weight: int = 0
    up: bool = False
    sessions: int = field(default=0)

    @property
    def place(self) -> tuple[str, int]:
        return str(self.address), self.port


class Pool:
    """prefix: of the clients that stay together, for a service with persistence; None without."""

    def __init__(self, servers: Iterable[Server], prefix: int | None = None) -> None:
        self.servers = {server.name: server for server in servers}
        self.prefix = prefix

    @property
    def serves(self) -> bool:
        return any(server.weight for server in self.servers.values())

    def weigh(self, weights: Mapping[str, tuple[int, bool]]) -> None:
        """By name, the weight and whether it is up. Who is not named has no weight and is down."""
        for name, server in self.servers.items():
            server.weight, server.up = weights.get(name, (0, False))

    def choose(self, client: str, tried: Collection[str] = ()) -> Server | None:
        """Of those that have a weight, else of those that are up: a connection may come before the word that this
        backup serves. None if there is none that was not tried."""
        left = [server for server in self.servers.values() if server.name not in tried]
        found = [server for server in left if server.weight] or [server for server in left if server.up]
        if len(found) < 2:
            return found[0] if found else None
        if self.prefix is None:
            return min(found, key=lambda server: (server.sessions + 1) / (server.weight or 1))
        clients = str(ip_network((ip_address(client), self.prefix), strict=False).network_address)
        return max(found, key=lambda server: _score(clients, server))


def _score(clients: str, server: Server) -> float:
    """Weighted rendezvous hashing: -weight / ln(hash in 0..1)."""
    digest = blake2b(f"{clients} {server.address} {server.port}".encode(), digest_size=8).digest()
    return -(server.weight or 1) / math.log((int.from_bytes(digest) + 1) / (2**64 + 2))

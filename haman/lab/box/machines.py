"""Which machines a cluster's file speaks of beside its directors: real servers, each once however often it is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.addresses import Address
    from haman.model.cluster import Cluster
    from haman.model.services import Forward, Server, Service


@dataclass(slots=True)
class Machine:
    """name: the first one the file has for it, or the director it is. entries: every server entry that means it."""

    name: str
    director: bool
    addresses: list[Address] = field(default_factory=list)
    entries: list[tuple[Service, Server]] = field(default_factory=list)

    @property
    def forwards(self) -> set[Forward]:
        return {server.forward for _, server in self.entries}


def machines(cluster: Cluster) -> list[Machine]:
    """All that serve. Server entries of one name or one address are one machine; with a director's address, or a
    loopback address, they are that director, or each."""
    found: list[Machine] = []
    directors = {name: Machine(name, True) for name in cluster.directors}
    for service in cluster.services.values():
        for server in service.servers.values():
            if server.address.is_loopback:
                for machine in directors.values():
                    machine.entries.append((service, server))
                continue
            owner = server.director or _owner(cluster, server.address)
            if owner:
                directors[owner].entries.append((service, server))
            else:
                _enter(found, service, server)
    return [*(machine for machine in directors.values() if machine.entries), *found]


def _owner(cluster: Cluster, address: Address) -> str | None:
    return next((name for name, director in cluster.directors.items() if address in director.addresses), None)


def _enter(found: list[Machine], service: Service, server: Server) -> None:
    """One entry can show that two machines known so far are one."""
    same = [
        machine
        for machine in found
        if machine.name == server.name
        or server.address in machine.addresses
        or any(other.name == server.name for _, other in machine.entries)
    ]
    machine = same[0] if same else Machine(server.name, False)
    for other in same[1:]:
        machine.addresses += other.addresses
        machine.entries += other.entries
        found.remove(other)
    if not same:
        found.append(machine)
    machine.entries.append((service, server))
    machine.addresses += [] if server.address in machine.addresses else [server.address]

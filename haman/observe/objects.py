"""By what words an operator may ask for the objects that transitions are about. Pure.

`web/rs1:80` is found by `web/rs1:80`, `web/rs1`, `web`, `rs1:80`, `rs1`, `server` and `server web/rs1:80`; an IPVS
object `tcp 10.0.0.100:80 -> 10.0.0.11:80` by its addresses, with or without port.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from haman.model.transition import Kind

if TYPE_CHECKING:
    from haman.model.cluster import Cluster
    from haman.model.transition import Transition


def about(transition: Transition, word: str) -> bool:
    """Is this transition about what the operator calls `word`?"""
    return word in names(transition.kind.value, transition.who)


@lru_cache(maxsize=20000)
def names(kind: str, who: str) -> frozenset[str]:
    found = {kind, who, f"{kind} {who}"}
    for part in (who, *who.split(" ")):
        for piece in (part, *part.split("/")):
            host, _, port = piece.rpartition(":")
            found |= {piece, host, host.strip("[]")} if port.isdigit() else {piece}
    return frozenset(found - {"", "->", "on"})


def known(cluster: Cluster, node: str) -> list[str]:
    """Every object whose state can be asked for, most general first: what a mistyped word is compared with."""
    services = list(cluster.checked_of(node))
    servers = [target for service in services for target, _ in service.targets()]
    found = [router.name for router in cluster.routers_of(node)]
    found += [group.name for group in cluster.groups_of(node)]
    found += [service.name for service in services]
    found += [str(address.ip) for router in cluster.routers_of(node) for address in router.addresses]
    found += [f"{target.service}/{target.server}" for target in servers]
    found += [target.server for target in servers]
    found += [str(server.address) for service in services for server in service.servers.values()]
    found += map(str, servers)
    return list(dict.fromkeys(found))


def told_of(cluster: Cluster, node: str) -> list[str]:
    """The same for every object that a history may tell of, though nothing has happened to it yet; and kinds."""
    found = known(cluster, node)
    found += [tracker.name for tracker in cluster.trackers_of(node)]
    found += [name for name in cluster.directors if name != node]
    found += [kind.value for kind in Kind]
    return list(dict.fromkeys(found))

"""Which real servers of the cluster is this machine? By `--node`, else by local address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.node import is_local
from haman.config.suggest import meant_or_known
from haman.errors import NodeUnknown
from haman.plan import realserver

if TYPE_CHECKING:
    from haman.model.cluster import Cluster
    from haman.plan.realserver import Part


def find(cluster: Cluster, override: str | None = None) -> list[Part]:
    """The server entries that are this machine, in all services and their backups; never empty.

    override: what `--node` says, a server's name (with all entries that share its address: services may name one
    machine differently). Loopback addresses are everybody's, so they tell nothing.
    Raises NodeUnknown, with what is known.
    """
    servers = [server for service in realserver.served(cluster) for server in service.servers.values()]
    if override is not None:
        names = {server.name for server in servers}
        if override not in names:
            cure = meant_or_known(override, names, "servers")
            raise NodeUnknown(f"--node {override}: cluster '{cluster.name}' has no such real server; {cure}")
        addresses = {server.address for server in servers if server.name == override}
        return realserver.parts(cluster, {override}, {each for each in addresses if not each.is_loopback})
    local = {each for each in {server.address for server in servers} if not each.is_loopback and is_local(each)}
    found = realserver.parts(cluster, (), local)
    if not found:
        known = sorted({f"{server.name} ({server.address})" for server in servers})
        raise NodeUnknown(
            f"this machine is no real server of cluster '{cluster.name}': it has none of their addresses;"
            f" known are {', '.join(known) or 'none'}; correct one, or say which it is by --node"
        )
    return found

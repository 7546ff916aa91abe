"""Which director is this machine? By `--node`, else by host name, else by local address."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from haman.config.suggest import meant_or_known
from haman.errors import NodeUnknown

if TYPE_CHECKING:
    from haman.model.addresses import Address
    from haman.model.cluster import Cluster
    from haman.model.routers import Director

_DISCARD = 9
"""Any port will do: nothing is sent."""


def find(cluster: Cluster, override: str | None = None) -> str:
    """The name of the director that this machine is. override: what `--node` says.

    A host name counts before an address, because addresses may come late at boot. But a machine that bears one
    director's name and another's address (a copied disk) is told so, before two of them play the same part.
    Raises NodeUnknown, with what was tried and what is known.
    """
    if override is not None:
        if override in cluster.directors:
            return override
        cure = meant_or_known(override, cluster.directors, "directors")
        raise NodeUnknown(f"--node {override}: cluster '{cluster.name}' has no such director; {cure}")
    host = socket.gethostname()
    named = _by_host_name(cluster, host)
    local = [director.name for director in cluster.directors.values() if any(map(is_local, director.addresses))]
    if named and local and named not in local:
        raise NodeUnknown(
            f"the host name '{host}' is director '{named}', but this machine has the address of director"
            f" '{local[0]}'; correct one of them, or say who it is by --node"
        )
    if named:
        return named
    if len(local) == 1:
        return local[0]
    known = ", ".join(_described(director) for director in cluster.directors.values())
    addresses = "it has the addresses of several" if local else "none of its addresses is one's"
    raise NodeUnknown(
        f"this machine is no director of cluster '{cluster.name}': its host name is '{host}', and {addresses};"
        f" known are {known}; add its name to a director's 'hostnames', or say who it is by --node"
    )


def is_local(address: Address) -> bool:
    """Whether this machine (this network namespace) has `address`.

    The kernel is asked for a route: to an address of its own it goes from that very address. Binding a socket
    would say yes to everything where net.ipv4.ip_nonlocal_bind is set, as it is beside many proxies.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        probe = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:  # a kernel without IPv6
        return False
    with probe:
        try:
            probe.connect((str(address), _DISCARD))
        except OSError:
            return False
        return bool(probe.getsockname()[0] == str(address))


def _by_host_name(cluster: Cluster, host: str) -> str | None:
    """The director that `host` names: in full, else by its first part if that fits one director only."""
    names = [
        (name.lower(), director.name)
        for director in cluster.directors.values()
        for name in (director.name, *director.hostnames)
    ]
    full = host.lower()
    for name, director in names:
        if name == full:
            return director
    first = full.split(".")[0]
    # Two names in full that differ are two machines; one of the two must be short for the parts to say anything.
    short = {director for name, director in names if name.split(".")[0] == first and first in (name, full)}
    return short.pop() if len(short) == 1 else None


def _described(director: Director) -> str:
    names = "/".join((director.name, *director.hostnames))
    return f"{names} ({', '.join(map(str, director.addresses))})"

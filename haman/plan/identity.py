"""Which IPVS service an operator's service becomes, and which of its destinations a server."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from haman.model.kernel import DestinationKey, ServiceKey
from haman.model.services import Forward

if TYPE_CHECKING:
    from haman.model.services import Server, Service

HERE = {4: ip_address("127.0.0.1"), 6: ip_address("::1")}
"""What direct routing to a loopback address means: the packet is left as it is, and comes to the socket on VIP and port
that is here (`ip_vs_dr_xmit`)."""


def service_key(service: Service, front: int) -> ServiceKey:
    """On one of its fronts. One whose packets must be told from a peer director's is known by a mark, whatever address
    clients call (see `Service.screens`); so is what serves the visits of other sites (`Service.visiting`)."""
    if service.name.endswith("@"):
        return ServiceKey.marked(service.visits[front], ipv6=service.fwmark_ipv6)
    if front in service.screens:
        return ServiceKey.marked(service.screens[front], ipv6=service.fwmark_ipv6)
    if service.protocol is not None and service.address is not None:
        return ServiceKey.at(service.protocol, service.address, front)
    return ServiceKey.marked(service.fwmark or 0, ipv6=service.fwmark_ipv6)


def place(service: Service, key: ServiceKey, front: int, server: Server) -> DestinationKey:
    """Where `server` is in the table of the IPVS service `key`, which is `service` on `front`.

    All servers of a backup that is relayed to are in one place: this machine, where the relay listens. By the port,
    which direct routing never looks at, the table tells one such backup from another.
    """
    if server.forward is Forward.RELAY:
        return DestinationKey(key, HERE[6 if key.ipv6 else 4], server.relay)
    return DestinationKey(key, server.address, service.target(server, front).port)

"""May this node take a router from a living peer? Only with its table loaded and every server asked. Pure.

An answer in words per router that is not ready; the elector preempts nobody with one of those. A dead peer's
router is taken all the same: an incomplete table is better than none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.kernel import DestinationKey, ServiceKey, TableKey

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from haman.health.hysteresis import Health
    from haman.kernel.refusal import Refusal
    from haman.model.cluster import Cluster
    from haman.model.routers import Router
    from haman.model.services import Service, Target

NAMED = 3
"""So many examples are named in the words."""


def waiting(
    cluster: Cluster,
    node: str,
    *,
    health: Mapping[Target, Health],
    unavailable: str | None,
    loaded: bool,
    refused: Sequence[Refusal],
) -> dict[str, str]:
    """By router name, what is missing; ready routers are left out.

    unavailable: why there is no IPVS. loaded: the whole table was programmed once. refused: of that, what the
    kernel refuses now. A service by firewall mark belongs to no router, so every router waits for it.
    """
    found = {}
    for router in cluster.routers_of(node):
        services = list(_behind(cluster, node, router))
        if not services:
            continue
        words = unavailable or _table(router, loaded, refused) or _unchecked(services, health)
        if words:
            found[router.name] = words
    return found


def services_of(cluster: Cluster, node: str, routers: Container[str]) -> set[str]:
    """The names of the services behind these routers, and of their backups."""
    return {
        each.name
        for router in cluster.routers_of(node)
        if router.name in routers
        for service in _behind(cluster, node, router)
        for each in service.checked()
    }


def _behind(cluster: Cluster, node: str, router: Router) -> Iterator[Service]:
    for service in cluster.services_of(node):
        if cluster.router_of(service) in (router, None):
            yield service


def _table(router: Router, loaded: bool, refused: Sequence[Refusal]) -> str | None:
    if not loaded:
        return "the IPVS table is not loaded yet"
    ours = [refusal for refusal in refused if _concerns(refusal, router)]
    return f"the kernel refuses {_some([str(refusal.error) for refusal in ours])}" if ours else None


def _concerns(refusal: Refusal, router: Router) -> bool:
    key = refusal.op.key
    if isinstance(key, TableKey):
        return True  # which services need it is more than is worth finding out: haman status has the reason
    service = key.service if isinstance(key, DestinationKey) else key
    return isinstance(service, ServiceKey) and (service.address is None or service.address in router.vips)


def _unchecked(services: Sequence[Service], health: Mapping[Target, Health]) -> str | None:
    targets = [target for service in services for target, _ in service.targets()]
    left = [str(target) for target in targets if target not in health or not health[target].checked]
    return f"{len(left)} of {len(targets)} servers not checked yet: {_some(left)}" if left else None


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more

"""From weights to operations on the IPVS table: for all of it, or for the few services whose weights changed. Pure.

Planning ten thousand servers takes some hundred milliseconds, more than a loop that has to notice the elector's death
may be held: for a large table that is done in a thread. A part is planned on the loop, by the same functions on a
cluster of those services alone, and takes as long as these services are large.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from haman.director.believed import merged
from haman.model.cluster import Timeouts
from haman.model.kernel import DaemonKey, DaemonRole, Kernel
from haman.model.services import OnFailure
from haman.model.sites import LOCAL
from haman.plan import desired
from haman.plan.diff import diff
from haman.plan.identity import place, service_key
from haman.plan.ownership import owned

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from haman.model.cluster import Cluster
    from haman.model.kernel import DestinationConfig, DestinationKey, Key
    from haman.model.services import Service, Target
    from haman.plan.desired import Order
    from haman.plan.ops import Op
    from haman.plan.ownership import Ownership

_LISTENER = DaemonKey(DaemonRole.BACKUP)


def whole(
    cluster: Cluster,
    node: str,
    weights: Mapping[Target, int | None],
    held: Kernel,
    ownership: Ownership,
    order: Mapping[str, Order] | None = None,
    macs: Mapping[str, tuple[str, ...]] | None = None,
    listening: bool = True,
    taken: Mapping[str, str] | None = None,
) -> tuple[Kernel, tuple[Op, ...]]:
    """What is wanted, and the operations that lead there from `held`. Without services nothing is wanted, not even
    the sentinel: a director that balances nothing leaves IPVS alone.

    listening: False while servers have not been checked yet, and so are not in the table. The sync daemon that is told
    connections is not started then; one that runs is left alone, and one that keeps a standby closed does not wait.
    (See 11 in `plan.ops`.)"""
    balances = any(True for _ in cluster.services_of(node))
    want = desired.ipvs(cluster, node, weights, order, macs, taken) if balances else Kernel()
    if not listening and _LISTENER not in held.daemons and _LISTENER not in want.first:
        want = replace(want, daemons={key: config for key, config in want.daemons.items() if key != _LISTENER})
    return want, diff(want, held, ownership)


def part(
    cluster: Cluster,
    node: str,
    names: Collection[str],
    weights: Mapping[Target, int | None],
    held: Kernel,
    ownership: Ownership,
    order: Mapping[str, Order] | None = None,
) -> tuple[Op, ...]:
    """The operations for the services called `names`, as far as their configured servers go. Whatever else lies
    in their places in the kernel is found by a look at all of it."""
    some = replace(cluster, services={name: cluster.services[name] for name in names}, sync=None, timeouts=Timeouts())
    want = desired.ipvs(some, node, weights, order)
    places = desired.ipvs(
        some,
        node,
        {target: 1 for each in some.services.values() for part in each.everywhere() for target, _ in part.targets()},
    )
    return diff(
        Kernel(services=want.services, destinations=want.destinations, ordered=want.ordered),
        Kernel(
            services={key: held.services[key] for key in want.services if key in held.services},
            destinations=_held(places, want, held),
        ),
        ownership,
    )


def _held(places: Kernel, want: Kernel, held: Kernel) -> dict[DestinationKey, DestinationConfig]:
    """What is in those places; in the order it was added where that matters, for which all others have to be passed."""
    if want.ordered:
        return {key: config for key, config in held.destinations.items() if key in places.destinations}
    return {key: held.destinations[key] for key in places.destinations if key in held.destinations}


def compare(
    known: Kernel, dump: Kernel, touched: Collection[Key], ownership: Ownership
) -> tuple[Kernel, tuple[Op, ...]]:
    """What the kernel holds, given a dump and what was believed when it came; and what somebody else's changes would
    take to repair."""
    actual = merged(dump, known, touched)
    return actual, () if actual == known else diff(owned(known, ownership), actual, ownership)


def served(cluster: Cluster, node: str, held: Kernel) -> dict[Target, int]:
    """Targets that get new connections from this kernel, with their weights. Where a weight of 0 is configured, may be
    what the check asked for, or is what a site has that waits, presence alone counts."""
    found = {}
    waiting = {
        each.name
        for service in cluster.services_of(node)
        if service.backups and service.on_failure is OnFailure.REMOVE
        for each in service.checked()
    }
    for service in cluster.checked_of(node):
        asks = (service.check is not None and service.check.sets_weight) or service.name in waiting
        for front in service.fronts:
            key = service_key(service, front)
            for server in service.servers.values():
                target = service.target(server, front)
                there = held.destinations.get(place(service, key, front, server))
                if there is not None and (there.weight > 0 or server.weight == 0 or asks):
                    # Of a relay's place the weight is that of several, and is theirs to be told apart by checks.
                    found[target] = server.weight if server.relay else there.weight
    return found


def serving(cluster: Cluster, node: str, held: Kernel) -> dict[str, int]:
    """By service that has backups, the site that gets new connections from this kernel."""
    found = {}
    for service in cluster.services_of(node):
        if service.backups:
            sites = (number for number, pool in enumerate(service.pools(), 1) if _fed(pool, held))
            found[service.name] = next(sites, LOCAL)
    return found


def _fed(pool: Service, held: Kernel) -> bool:
    places = (
        held.destinations.get(place(pool, service_key(pool, front), front, server))
        for front in pool.fronts
        for server in pool.servers.values()
    )
    return any(there is not None and there.weight > 0 for there in places)

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
from haman.model.kernel import DestinationKey, Kernel
from haman.plan import desired
from haman.plan.diff import diff
from haman.plan.ownership import owned

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from haman.model.cluster import Cluster, Target
    from haman.model.kernel import Key
    from haman.plan.ops import Op
    from haman.plan.ownership import Ownership


def whole(
    cluster: Cluster, node: str, weights: Mapping[Target, int | None], held: Kernel, ownership: Ownership
) -> tuple[Kernel, tuple[Op, ...]]:
    """What is wanted, and the operations that lead there from `held`. Without services nothing is wanted, not even
    the sentinel: a director that balances nothing leaves IPVS alone."""
    balances = any(True for _ in cluster.services_of(node))
    want = desired.ipvs(cluster, node, weights) if balances else Kernel()
    return want, diff(want, held, ownership)


def part(
    cluster: Cluster,
    node: str,
    names: Collection[str],
    weights: Mapping[Target, int | None],
    held: Kernel,
    ownership: Ownership,
) -> tuple[Op, ...]:
    """The operations for the services called `names`, as far as their configured servers go. Whatever else lies
    in their places in the kernel is found by a look at all of it."""
    some = replace(cluster, services={name: cluster.services[name] for name in names}, sync=None, timeouts=Timeouts())
    want = desired.ipvs(some, node, weights)
    places = desired.ipvs(some, node, {target: 1 for each in some.services.values() for target, _ in each.targets()})
    return diff(
        Kernel(services=want.services, destinations=want.destinations),
        Kernel(
            services={key: held.services[key] for key in want.services if key in held.services},
            destinations={key: held.destinations[key] for key in places.destinations if key in held.destinations},
        ),
        ownership,
    )


def compare(
    known: Kernel, dump: Kernel, touched: Collection[Key], ownership: Ownership
) -> tuple[Kernel, tuple[Op, ...]]:
    """What the kernel holds, given a dump and what was believed when it came; and what somebody else's changes would
    take to repair."""
    actual = merged(dump, known, touched)
    return actual, () if actual == known else diff(owned(known, ownership), actual, ownership)


def served(cluster: Cluster, node: str, held: Kernel) -> frozenset[Target]:
    """Targets that get new connections from this kernel. A configured weight of 0 asks for presence alone."""
    found = set()
    for service in cluster.services_of(node):
        for front in service.fronts:
            key = desired.service_key(service, front)
            for server in service.servers.values():
                target = service.target(server, front)
                there = held.destinations.get(DestinationKey(key, server.address, target.port))
                if there is not None and (there.weight > 0 or server.weight == 0):
                    found.add(target)
    return frozenset(found)

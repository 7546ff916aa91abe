"""Take the routers' VIPs off the NICs, with their routes and rules, when nobody is left who owns them.

For the moment when the elector is dead or frozen: a peer takes over in its time, and this node must not answer for
the VIPs beside it. What lies on `lo` stays, silent: packets that still arrive are forwarded on. The same step is what a
unit's ExecStopPost needs, hence it asks for no running director.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from haman.errors import KernelRefused, KernelUnavailable
from haman.kernel import remembered, sysctls
from haman.kernel.routing import Routing
from haman.model.elector import ElectorConfig
from haman.model.kernel import BACKUP_ONLY, AddressKey, SysctlConfig
from haman.plan import desired
from haman.plan.diff import diff
from haman.plan.ops import Remove, Set
from haman.plan.ownership import of_elector

if TYPE_CHECKING:
    from haman.kernel.addresses import Addresses
    from haman.kernel.refusal import Refusal
    from haman.model.kernel import Kernel

NOTHING = ElectorConfig(generation=0, node="", routers=())
"""For want of a readable configuration: then only what is remembered as ours goes."""


async def withdraw(addresses: Addresses, config: ElectorConfig) -> tuple[list[Remove], list[Refusal]]:
    """Removes them at once, in one pass. `addresses` is open. Returns what was removed and what the kernel refused; an
    address that was gone already counts as done. Where a director that holds no VIP schedules nothing, IPVS leaves
    packets alone from then on."""
    ops = removals(config, await addresses.snapshot())
    refused = await addresses.apply(ops)
    if BACKUP_ONLY in remembered.load("addresses"):
        refused += sysctls.apply([Set(BACKUP_ONLY, SysctlConfig("1"))])
    # The VIPs were first: a route leads somewhere else at worst, an address answers beside its new owner.
    with contextlib.suppress(KernelRefused, KernelUnavailable), contextlib.closing(Routing()) as routing:
        ours = routing.snapshot()
        ways = [*map(Remove, ours.rules), *map(Remove, ours.routes)]
        refused += routing.apply(ways)
        ops += ways
    return ops, refused


def removals(config: ElectorConfig, actual: Kernel) -> list[Remove]:
    """No router holds: of the plan for that, only what leaves a NIC."""
    ownership = of_elector(config, remembered.load("addresses"))
    return [
        op
        for op in diff(desired.addresses(config, {}), actual, ownership)
        if isinstance(op, Remove) and isinstance(op.key, AddressKey) and op.key.device != "lo"
    ]

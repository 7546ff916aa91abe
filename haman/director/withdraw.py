"""Take the routers' VIPs off the NICs when nobody is left who owns them.

For the moment when the elector is dead or frozen: a peer takes over in its time, and this node must not answer for
the VIPs beside it. What lies on `lo` stays, silent: packets that still arrive are forwarded on. The same step is what a
unit's ExecStopPost needs, hence it asks for no running director.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.kernel import remembered
from haman.model.elector import ElectorConfig
from haman.model.kernel import AddressKey
from haman.plan import desired
from haman.plan.diff import diff
from haman.plan.ops import Remove
from haman.plan.ownership import of_elector

if TYPE_CHECKING:
    from haman.kernel.addresses import Addresses
    from haman.kernel.refusal import Refusal
    from haman.model.kernel import Kernel

NOTHING = ElectorConfig(generation=0, node="", routers=())
"""For want of a readable configuration: then only what is remembered as ours goes."""


async def withdraw(addresses: Addresses, config: ElectorConfig) -> tuple[list[Remove], list[Refusal]]:
    """Removes them at once, in one pass. `addresses` is open. Returns what was asked of the kernel and what it
    refused; an address that was gone already counts as done."""
    ops = removals(config, await addresses.snapshot())
    return ops, await addresses.apply(ops)


def removals(config: ElectorConfig, actual: Kernel) -> list[Remove]:
    """No router holds: of the plan for that, only what leaves a NIC."""
    ownership = of_elector(config, remembered.load("addresses"))
    return [
        op
        for op in diff(desired.addresses(config, {}), actual, ownership)
        if isinstance(op, Remove) and isinstance(op.key, AddressKey) and op.key.device != "lo"
    ]

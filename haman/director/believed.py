"""What we believe the kernel to hold, between two looks at it: the last dump and our own operations since. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from haman.model.kernel import (
    AddressKey,
    DaemonKey,
    DestinationKey,
    Kernel,
    Key,
    ServiceKey,
    SysctlKey,
    TableKey,
    TimeoutsKey,
)
from haman.plan.ops import Remove

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from haman.plan.ops import Op

_FIELD: dict[type[Any], str] = {
    AddressKey: "addresses",
    SysctlKey: "sysctls",
    ServiceKey: "services",
    DestinationKey: "destinations",
    DaemonKey: "daemons",
    TimeoutsKey: "timeouts",
    TableKey: "tables",
}


def carried_out(ops: Iterable[Op], kernel: Kernel) -> Kernel:
    """`kernel` after operations that the kernel accepted. Like `plan.ops.simulate`, for thousands at once: each kind is
    copied once, and nothing is checked, as the real kernel did."""
    changed: dict[str, Any] = {}

    def of(field: str) -> Any:
        if field not in changed:
            changed[field] = dict(getattr(kernel, field))
        return changed[field]

    for op in ops:
        objects = of(_FIELD[type(op.key)])
        if not isinstance(op, Remove):
            objects[op.key] = op.config
            continue
        objects.pop(op.key, None)
        if isinstance(op.key, ServiceKey):
            destinations = of("destinations")
            for key in [key for key in destinations if key.service == op.key]:
                del destinations[key]
    return replace(kernel, **changed)


def merged(dump: Kernel, believed: Kernel, touched: Collection[Key]) -> Kernel:
    """A dump that took a while, and what we did meanwhile: for keys we touched (and the destinations of services we
    touched) the dump may be older than our operation, so there we know better."""
    if not touched:
        return dump
    fields: dict[str, Any] = {field: dict(getattr(dump, field)) for field in _FIELD.values()}
    services = {key for key in touched if isinstance(key, ServiceKey)}
    if services:
        everywhere = {*dump.destinations, *believed.destinations}
        touched = {*touched, *(key for key in everywhere if key.service in services)}
    for key in touched:
        field = _FIELD[type(key)]
        known = getattr(believed, field).get(key)
        if known is None:
            fields[field].pop(key, None)
        else:
            fields[field][key] = known
    return Kernel(**fields)

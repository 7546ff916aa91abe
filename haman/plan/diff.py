"""From what the kernel holds to what it must hold: set algebra on keys, put in the order of the contract (plan.ops)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from haman.model.kernel import (
    BACKUP_ONLY,
    AddressKey,
    Config,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationKey,
    DeviceKey,
    Kernel,
    Key,
    RouteConfig,
    ServiceKey,
    SysctlConfig,
    TimeoutsConfig,
)
from haman.plan.desired import is_sentinel
from haman.plan.ops import Add, Op, Remove, Set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from haman.plan.ownership import Ownership

SMALLEST_BACKUP_MESSAGE = 1024
"""The kernel raises a backup daemon's smaller max_length to this (net/netfilter/ipvs/ip_vs_sync.c)."""

K = TypeVar("K", bound=Key)
C = TypeVar("C", bound=Config)


def diff(desired: Kernel, actual: Kernel, ownership: Ownership) -> tuple[Op, ...]:
    """The operations that make what is ours of `actual` equal to `desired`, in contract order.

    Everything in `desired` must be ours by `ownership`. Nothing that is not ours is named by any operation.
    Equal inputs give equal operations: objects of one kind are handled in the order of their keys, whatever the
    order of the mappings, so directors that load the same table load it in the same order (Maglev hashing
    gives every server the same flows on all of them only then). Where a service is `ordered`, the order of its
    destinations in `desired` is also made that of the kernel.
    """
    services = _changes(desired.services, actual.services, ownership, _service_order)
    destinations = _changes(desired.destinations, actual.destinations, ownership, _order_of(desired))
    addresses = _changes(desired.addresses, actual.addresses, ownership, _address_order)
    routes = _changes(desired.routes, actual.routes, ownership, str)
    tables = _changes(desired.tables, actual.tables, ownership, str)
    rules = _changes(desired.rules, actual.rules, ownership, str)
    devices = _changes(desired.devices, actual.devices, ownership, str)
    gue_ports = _changes(desired.gue_ports, actual.gue_ports, ownership, str)
    leaving = {key: None for key in services.gone if not is_sentinel(key)}
    unwanted_daemons = [key for key in actual.daemons if key in ownership and key not in desired.daemons]
    settings = [Set(key, wanted) for key, wanted in desired.sysctls.items() if not _held(key, wanted, actual.sysctls)]
    early = [key for key in desired.daemons if key in desired.first]
    return (
        *(op for op in settings if not closes(op)),
        *(Set(key, wanted) for key, wanted in desired.timeouts.items() if not _held(key, wanted, actual.timeouts)),
        *(Add(key, desired.tables[key]) for key in tables.added),
        *(Set(key, desired.tables[key]) for key in tables.changed),
        *_coming_services(services, desired, sentinels=True),
        *(Remove(key) for key in unwanted_daemons),
        *_starting_daemons(early, desired, actual),
        *_coming_services(services, desired, sentinels=False),
        *_coming_destinations(destinations, desired),
        *(Add(key, desired.gue_ports[key]) for key in gue_ports.added),
        *_coming_devices(devices, desired, actual),
        *(Remove(key) for key in rules.gone),
        *(Remove(key) for key in routes.gone),
        *_moving_addresses(addresses, desired),
        *(Add(key, desired.routes[key]) for key in routes.added),
        *(Set(key, desired.routes[key]) for key in routes.changed),
        *(Add(key, desired.rules[key]) for key in rules.added),
        *(Remove(key) for key in devices.gone if not _gives_way(key, actual, desired)),
        *(Remove(key) for key in gue_ports.gone),
        *(Remove(key) for key in destinations.gone if key.service not in leaving),
        *_moving_destinations(destinations, desired, actual),
        *(Remove(key) for key in leaving),
        *(Remove(key) for key in tables.gone),
        *_starting_daemons([key for key in desired.daemons if key not in desired.first], desired, actual),
        *(Remove(key) for key in services.gone if is_sentinel(key)),
        *(op for op in settings if closes(op)),
    )


def closes(op: Op) -> bool:
    """It makes IPVS leave packets alone, which is done AFTER everything that brings some has gone."""
    return isinstance(op, Set) and op.key == BACKUP_ONLY and op.config == SysctlConfig("1")


def fits(key: Key, wanted: Config, held: Config) -> bool:
    """Does what the kernel holds do for what is wanted? Equality, but for what the kernel is free to choose: a timeout
    of 0 leaves the kernel's value, and a sync daemon's max_length of 0 means the interface's."""
    if wanted == held:
        return True
    match wanted, held:
        case RouteConfig(), RouteConfig():
            same = (wanted.via, wanted.source, wanted.local) == (held.via, held.source, held.local)
            return same and wanted.device in (None, held.device)
        case TimeoutsConfig(), TimeoutsConfig():
            pairs = ((wanted.tcp, held.tcp), (wanted.tcp_fin, held.tcp_fin), (wanted.udp, held.udp))
            return all(want in (0, have) for want, have in pairs)
        case DaemonConfig(), DaemonConfig():
            return _daemon_but_length(wanted) == _daemon_but_length(held) and _length_fits(key, wanted, held)
    return False


def _daemon_but_length(config: DaemonConfig) -> tuple[Any, ...]:
    return (config.interface, config.sync_id, config.group, config.port, config.ttl)


def _length_fits(key: Key, wanted: DaemonConfig, held: DaemonConfig) -> bool:
    if wanted.max_length == 0:
        return True
    backup = isinstance(key, DaemonKey) and key.role is DaemonRole.BACKUP
    return held.max_length == (max(wanted.max_length, SMALLEST_BACKUP_MESSAGE) if backup else wanted.max_length)


def _held(key: K, wanted: C, actual: Mapping[K, C]) -> bool:
    held = actual.get(key)
    return held is not None and fits(key, wanted, held)


class _Changes(NamedTuple, Generic[K]):
    added: list[K]
    changed: list[K]
    gone: list[K]


def _changes(
    wanted: Mapping[K, C], actual: Mapping[K, C], ownership: Ownership, order: Callable[[K], Any]
) -> _Changes[K]:
    added, changed = [], []
    for key, config in wanted.items():
        held = actual.get(key)
        if held is None:
            added.append(key)
        elif not fits(key, config, held):
            changed.append(key)
    gone = [key for key in actual if key not in wanted and key in ownership]
    return _Changes(sorted(added, key=order), sorted(changed, key=order), sorted(gone, key=order))


def _service_order(key: ServiceKey) -> tuple[Any, ...]:
    address = 0 if key.address is None else int(key.address)
    return (key.ipv6, "" if key.protocol is None else key.protocol.value, address, key.port, key.fwmark)


def _destination_order(key: DestinationKey) -> tuple[Any, ...]:
    return (_service_order(key.service), key.address.version, int(key.address), key.port)


def _order_of(desired: Kernel) -> Callable[[DestinationKey], tuple[Any, ...]]:
    """By key; where a service is ordered, by the place in it."""
    if not desired.ordered:
        return _destination_order
    places = {key: place for place, key in enumerate(desired.destinations) if key.service in desired.ordered}

    def order(key: DestinationKey) -> tuple[Any, ...]:
        place = places.get(key)
        return _destination_order(key) if place is None else (_service_order(key.service), 0, place)

    return order


def _address_order(key: AddressKey) -> tuple[Any, ...]:
    return (key.ip.version, int(key.ip), key.device, key.prefix)


def _coming_services(services: _Changes[ServiceKey], desired: Kernel, *, sentinels: bool) -> Iterator[Op]:
    for key in services.added:
        if is_sentinel(key) == sentinels:
            yield Add(key, desired.services[key])
    for key in services.changed:
        if is_sentinel(key) == sentinels:
            yield Set(key, desired.services[key])


def _coming_destinations(destinations: _Changes[DestinationKey], desired: Kernel) -> Iterator[Op]:
    for key in destinations.added:
        yield Add(key, desired.destinations[key])

    def quiesced(key: DestinationKey) -> bool:
        return desired.destinations[key].weight == 0

    for key in sorted(destinations.changed, key=quiesced):  # a stable sort: those that fall to 0 come last
        yield Set(key, desired.destinations[key])


def _moving_destinations(destinations: _Changes[DestinationKey], desired: Kernel, actual: Kernel) -> Iterator[Op]:
    """Whatever was added sooner than it should is added anew, behind all others: the kernel knows no other way."""
    if not desired.ordered:
        return
    wanted: dict[ServiceKey, list[DestinationKey]] = {key: [] for key in desired.ordered}
    for key in desired.destinations:
        if key.service in wanted:
            wanted[key.service].append(key)
    held = {key: place for place, key in enumerate(actual.destinations)}
    held |= {key: len(held) + place for place, key in enumerate(destinations.added)}
    for keys in wanted.values():
        last = -1
        in_place = 0
        for key in keys:
            if held[key] < last:
                break
            last, in_place = held[key], in_place + 1
        for key in keys[in_place:]:
            yield Remove(key)
            yield Add(key, desired.destinations[key])


def _moving_addresses(addresses: _Changes[AddressKey], desired: Kernel) -> Iterator[Op]:
    """Adds, then removals; but first what cannot be changed and must: an IPv6 address that is not usable, because
    somebody made it with duplicate address detection, and another prefix length just before the one that replaces it.
    """
    for key in addresses.changed:
        yield Remove(key)
        yield Add(key, desired.addresses[key])
    added = {(key.device, key.ip) for key in addresses.added if key.ip.version == 6}
    replaced = {(key.device, key.ip): key for key in addresses.gone if (key.device, key.ip) in added}
    for key in addresses.added:
        other = replaced.get((key.device, key.ip))
        if other is not None:
            yield Remove(other)
        yield Add(key, desired.addresses[key])
    yield from (Remove(key) for key in addresses.gone if key not in replaced.values())


def _coming_devices(devices: _Changes[DeviceKey], desired: Kernel, actual: Kernel) -> Iterator[Op]:
    """What unwraps something else under its old name is made anew, and so is what stands in the way of another: the
    kernel has one device of a kind for each address."""
    for key in devices.gone:
        if _gives_way(key, actual, desired):
            yield Remove(key)
    for key in devices.changed:
        wanted, held = desired.devices[key], actual.devices[key]
        if replace(wanted, up=held.up, loose=held.loose) == held:
            yield Set(key, wanted)
        else:
            yield Remove(key)
            yield Add(key, wanted)
    yield from (Add(key, desired.devices[key]) for key in devices.added)


def _gives_way(key: DeviceKey, actual: Kernel, desired: Kernel) -> bool:
    held = actual.devices[key]
    return any((held.kind, held.local) == (wanted.kind, wanted.local) for wanted in desired.devices.values())


def _starting_daemons(keys: Iterable[DaemonKey], desired: Kernel, actual: Kernel) -> Iterator[Op]:
    for key in keys:
        wanted = desired.daemons[key]
        if _held(key, wanted, actual.daemons):
            continue
        if key in actual.daemons:
            yield Remove(key)
        yield Add(key, wanted)

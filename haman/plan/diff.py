"""From what the kernel holds to what it must hold: set algebra on keys, put in the order of the contract (plan.ops)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from haman.model.kernel import (
    AddressKey,
    Config,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationKey,
    Kernel,
    Key,
    ServiceKey,
    TimeoutsConfig,
)
from haman.plan.desired import is_sentinel
from haman.plan.ops import Add, Op, Remove, Set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    gives every server the same flows on all of them only then).
    """
    services = _changes(desired.services, actual.services, ownership, _service_order)
    destinations = _changes(desired.destinations, actual.destinations, ownership, _destination_order)
    addresses = _changes(desired.addresses, actual.addresses, ownership, _address_order)
    leaving = {key: None for key in services.gone if not is_sentinel(key)}
    unwanted_daemons = [key for key in actual.daemons if key in ownership and key not in desired.daemons]
    return (
        *(Set(key, wanted) for key, wanted in desired.sysctls.items() if not _held(key, wanted, actual.sysctls)),
        *(Set(key, wanted) for key, wanted in desired.timeouts.items() if not _held(key, wanted, actual.timeouts)),
        *_coming_services(services, desired, sentinels=True),
        *(Remove(key) for key in unwanted_daemons),
        *_coming_services(services, desired, sentinels=False),
        *_coming_destinations(destinations, desired),
        *_moving_addresses(addresses, desired),
        *(Remove(key) for key in destinations.gone if key.service not in leaving),
        *(Remove(key) for key in leaving),
        *_starting_daemons(desired, actual),
        *(Remove(key) for key in services.gone if is_sentinel(key)),
    )


def fits(key: Key, wanted: Config, held: Config) -> bool:
    """Does what the kernel holds do for what is wanted? Equality, but for what the kernel is free to choose: a timeout
    of 0 leaves the kernel's value, and a sync daemon's max_length of 0 means the interface's."""
    if wanted == held:
        return True
    match wanted, held:
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


def _moving_addresses(addresses: _Changes[AddressKey], desired: Kernel) -> Iterator[Op]:
    """Adds, then removals; the other prefix length of an IPv6 address just before the one that replaces it."""
    added = {(key.device, key.ip) for key in addresses.added if key.ip.version == 6}
    replaced = {(key.device, key.ip): key for key in addresses.gone if (key.device, key.ip) in added}
    for key in addresses.added:
        other = replaced.get((key.device, key.ip))
        if other is not None:
            yield Remove(other)
        yield Add(key, desired.addresses[key])
    yield from (Remove(key) for key in addresses.gone if key not in replaced.values())


def _starting_daemons(desired: Kernel, actual: Kernel) -> Iterator[Op]:
    for key, wanted in desired.daemons.items():
        if _held(key, wanted, actual.daemons):
            continue
        if key in actual.daemons:
            yield Remove(key)
        yield Add(key, wanted)

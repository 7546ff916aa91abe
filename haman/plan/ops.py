"""The three things that can be done to a kernel object, the order they are done in, and a kernel made of paper.

The order contract. `plan.diff` emits operations in this order and `haman.kernel` carries them out in the order
given; nobody in between sorts.

 1. Sysctls are set BEFORE everything else. `arp_ignore` and `arp_announce` must stand BEFORE the address they
    silence appears, or the neighbours learn a MAC that is wrong; the `net/ipv4/vs/*` settings must stand BEFORE the
    first connection of a service is scheduled, and a sync daemon reads some only when it starts.
    One exception: `backup_only` becomes 1 AFTER everything else, as it becomes 0 BEFORE: IPVS schedules for as long as
    an address brings packets. A director that left them alone would answer those of others' connections with a reset.
 2. The connection timeouts are set BEFORE services: a connection keeps the timeout it was given until its next packet.
 3. The sentinel services are added BEFORE every other service and removed AFTER everything else. When the last
    service of an address family goes, the kernel lets go of its packet hooks and live streams are reset.
 4. A sync daemon that is no longer wanted is stopped BEFORE destinations are added: while one runs the kernel
    refuses a destination of another address family than its service's.
 5. A service is added or changed BEFORE its destinations: they cannot exist without it.
 6. New destinations come BEFORE old ones lose their weight, and those BEFORE old ones leave: a service that has a
    server on both sides of a change has one at every step between.
 7. An address is added AFTER the services behind it are loaded, since it brings the packets.
 7a. Tunnel devices and GUE ports are added BEFORE the addresses inside: until these are there, what was unwrapped is
    dropped, and a packet that arrives wrapped with nobody to unwrap it is refused to the director. They are removed
    AFTER them.
 8. An address is added BEFORE it is removed from anywhere else: in between it is on two devices, which is legal and
    silent on `lo`; the other way round it is nowhere, and packets for it are forwarded to whoever had it before.
    One exception: the kernel holds an IPv6 address once per device, so another prefix length on the same
    device, or an address that is there and not usable, means remove, then add, with nothing in between.
    A rule is removed BEFORE the routes of its table and these BEFORE the address they prefer as source; they are added
    in the reverse order AFTER it: a packet that a rule sends into a table finds its routes there.
 9. An address is removed BEFORE the services behind it, for the reason of 7.
    A destination that was added in the wrong place (Maglev hashing minds) is removed, then added, with nothing in
    between and AFTER all others have come and gone.
10. A service is removed AFTER destinations have come and gone elsewhere, and takes its own destinations with it: for
    those there is no operation, as there would be nothing left to remove. (A sentinel has none, unless somebody
    put them there: these are removed like any other.)
11. A sync daemon is started AFTER destinations are in place: an entry that arrives finds its server at once. (The
    kernel binds it later too, but only when that connection is told again: never, once this director is active. One
    that is bound to nothing goes on to its server even after that was removed, see docs/explanation/synchronisation.md.
    So the listening one waits until every server was checked once, see `director.planning`.) A daemon cannot be
    changed: a difference is stop, then start, with nothing in between, so that as few messages as possible are missed.
    One exception: where a standby is closed by `backup_only` its backup daemon is started BEFORE services, since
    without one it is open, and would send back what the active director has sent it.
12. The packet-filter table is written BEFORE services and removed AFTER them: a mark brings a service its packets,
    and a connection that full NAT has given no new source is lost. It changes as a whole, in one transaction, so what
    leaves a table that stays goes a moment before the service it was for; connections that began keep what they got.

Sysctls and timeouts have no absence: they know Set only, and nothing puts them back when they are not wanted any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from haman.model.kernel import (
    AddressKey,
    Config,
    DaemonKey,
    DestinationConfig,
    DestinationKey,
    DeviceConfig,
    DeviceKey,
    GuePortKey,
    Kernel,
    Key,
    RouteKey,
    RuleKey,
    ServiceKey,
    SysctlKey,
    TableKey,
    TimeoutsKey,
)
from haman.model.services import Forward
from haman.plan.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Add:
    """Make an object that is not there. See the order contract in this module's docstring."""

    key: Key
    config: Config

    def __str__(self) -> str:
        return f"add {self.key}{words(self.config)}"


@dataclass(frozen=True, slots=True)
class Set:
    """Change an object in place; nothing that uses it notices more than the change itself."""

    key: Key
    config: Config

    def __str__(self) -> str:
        return f"set {self.key}{words(self.config)}"


@dataclass(frozen=True, slots=True)
class Remove:
    """Take an object away, a service together with its destinations."""

    key: Key

    def __str__(self) -> str:
        return f"remove {self.key}"


Op = Add | Set | Remove

K = TypeVar("K", bound=Key)
C = TypeVar("C", bound=Config)


def simulate(ops: Iterable[Op], kernel: Kernel) -> Kernel:
    """What `kernel` holds after `ops`. Refuses what a real kernel refuses.

    Raises ValueError, naming the operation, for an object added twice, changed or removed without being there, a
    destination without its service, an IPv6 address twice on one device, an address or daemon changed in place, a
    setting removed, and a destination of another family than its service's beside a sync daemon or without a tunnel.
    """
    for op in ops:
        kernel = step(op, kernel)
    return kernel


def step(op: Op, kernel: Kernel) -> Kernel:
    """`simulate` for one operation."""
    match op.key:
        case SysctlKey():
            return replace(kernel, sysctls=_setting(op, op.key, kernel.sysctls))
        case TimeoutsKey():
            return replace(kernel, timeouts=_setting(op, op.key, kernel.timeouts))
        case TableKey() as key:
            return replace(kernel, tables=_changed(op, key, kernel.tables))
        case AddressKey() as key:
            _refuse(op, isinstance(op, Set), "an address cannot be changed, only added and removed")
            twice = isinstance(op, Add) and key.ip.version == 6 and _held_on(key, kernel.addresses)
            _refuse(op, twice, "the device holds this IPv6 address with another prefix length")
            return replace(kernel, addresses=_changed(op, key, kernel.addresses))
        case RouteKey() as key:
            return replace(kernel, routes=_changed(op, key, kernel.routes))
        case RuleKey() as key:
            _refuse(op, isinstance(op, Set), "a rule cannot be changed, only added and removed")
            return replace(kernel, rules=_changed(op, key, kernel.rules))
        case DeviceKey() as key:
            other = isinstance(op, Set) and key in kernel.devices and not _same_device(op.config, kernel.devices[key])
            _refuse(op, other, "what a tunnel device unwraps cannot be changed")
            return replace(kernel, devices=_changed(op, key, kernel.devices))
        case GuePortKey() as key:
            _refuse(op, isinstance(op, Set), "a GUE port cannot be changed, only added and removed")
            return replace(kernel, gue_ports=_changed(op, key, kernel.gue_ports))
        case DaemonKey() as key:
            _refuse(op, isinstance(op, Set), "a sync daemon cannot be changed, only stopped and started")
            mixed = isinstance(op, Add) and any(map(_mixed, kernel.destinations))
            _refuse(op, mixed, "a destination of another address family than its service's is there")
            return replace(kernel, daemons=_changed(op, key, kernel.daemons))
        case ServiceKey() as key:
            services = _changed(op, key, kernel.services)
            if isinstance(op, Remove):
                left = {held: config for held, config in kernel.destinations.items() if held.service != key}
                return replace(kernel, services=services, destinations=left)
            return replace(kernel, services=services)
        case DestinationKey() as key:
            _refuse(op, key.service not in kernel.services, "its service is not there")
            if not isinstance(op, Remove) and _mixed(key):
                _refuse(op, bool(kernel.daemons), "its address family is not its service's, and a sync daemon runs")
                _refuse(op, not _tunnelled(op.config), "another address family is reached by tunnel only")
            return replace(kernel, destinations=_changed(op, key, kernel.destinations))


def _setting(op: Op, key: K, held: Mapping[K, C]) -> dict[K, C]:
    _refuse(op, not isinstance(op, Set), "a setting can only be set")
    return {**held, key: op.config}  # type: ignore[union-attr,dict-item]


def _changed(op: Op, key: K, held: Mapping[K, C]) -> dict[K, C]:
    _refuse(op, isinstance(op, Add) and key in held, "it is there already")
    _refuse(op, not isinstance(op, Add) and key not in held, "it is not there")
    after = dict(held)
    if isinstance(op, Remove):
        del after[key]
    else:
        after[key] = op.config  # type: ignore[assignment]
    return after


def _held_on(key: AddressKey, addresses: Iterable[AddressKey]) -> bool:
    return any((held.device, held.ip) == (key.device, key.ip) and held != key for held in addresses)


def _mixed(key: DestinationKey) -> bool:
    return (key.address.version == 6) != key.service.ipv6


def _tunnelled(config: Config) -> bool:
    return isinstance(config, DestinationConfig) and config.forward is Forward.TUN


def _same_device(one: Config, other: DeviceConfig) -> bool:
    """But for what can be changed in place."""
    return isinstance(one, DeviceConfig) and replace(one, up=other.up, loose=other.loose) == other


def _refuse(op: Op, wrong: bool, why: str) -> None:
    if wrong:
        raise ValueError(f"{op}: {why}")

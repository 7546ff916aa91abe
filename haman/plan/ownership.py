"""Which of a kernel's objects are ours. Everything else is somebody's: it is never touched, nor looked at twice.

Ours is what the configuration gives us a claim to, wanted at the moment or not (a VIP that is on the NIC of a
standby is ours, and goes), and what we once made and have not removed yet (`remembered`): a service whose VIP
has left the configuration while haman was stopped is in no configuration any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from haman.model.kernel import (
    SENTINEL_FWMARK,
    AddressKey,
    DaemonKey,
    DestinationKey,
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
from haman.plan import desired

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from haman.model.addresses import Address
    from haman.model.cluster import Cluster
    from haman.model.elector import ElectorConfig

K = TypeVar("K", bound=Key)
C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What is ours, by kind.

    addresses: (device, ip), whatever the prefix length. vips: every service on them, whatever protocol and port, so
    that a leftover of an earlier program on our VIP does not stay beside ours. fwmarks: of both address families.
    services: single services, on addresses that are not a router's. sysctls: only while they are wanted, as they are
    never removed. tables: of the packet filter. remembered: what we once made (addresses, services, daemons, GUE ports,
    tables).
    """

    addresses: frozenset[tuple[str, Address]] = frozenset()
    vips: frozenset[Address] = frozenset()
    fwmarks: frozenset[int] = frozenset()
    services: frozenset[ServiceKey] = frozenset()
    sysctls: frozenset[SysctlKey] = frozenset()
    daemons: frozenset[DaemonKey] = frozenset()
    timeouts: bool = False
    tables: frozenset[TableKey] = frozenset()
    remembered: frozenset[Key] = frozenset()

    @property
    def filters(self) -> bool:
        """Whether there may be something of ours in the packet filter."""
        return bool(self.tables) or TableKey() in self.remembered

    def __contains__(self, key: Key) -> bool:
        match key:
            case AddressKey():
                return (key.device, key.ip) in self.addresses or key in self.remembered
            case GuePortKey():
                return key in self.remembered
            case RouteKey() | RuleKey() | DeviceKey():
                # Those of others are never read: ours bear our protocol number (kernel.routing), or prefix (devices).
                return True
            case SysctlKey():
                return key in self.sysctls
            case ServiceKey():
                claimed = key.fwmark in self.fwmarks if key.protocol is None else key.address in self.vips
                return claimed or key in self.services or key in self.remembered
            case DestinationKey():
                return key.service in self
            case DaemonKey():
                return key in self.daemons or key in self.remembered
            case TimeoutsKey():
                return self.timeouts
            case TableKey():
                return True  # by its name; see `filters` for whether it is looked for


def of_elector(config: ElectorConfig, remembered: Collection[Key]) -> Ownership:
    """The addresses of the node's routers on their devices and on `lo`, and the sysctls that silence them."""
    vips = [address for router in config.routers for address in router.addresses]
    return Ownership(
        addresses=frozenset((device, vip.ip) for vip in vips for device in (vip.device, "lo")),
        sysctls=frozenset(desired.addresses(config, {}).sysctls),
        remembered=frozenset(remembered),
    )


def of_director(cluster: Cluster, node: str, remembered: Collection[Key]) -> Ownership:
    """The services on the VIPs of the node's routers and on configured firewall marks, the sync daemons and
    timeouts if the configuration speaks of them, and the `net/ipv4/vs/*` settings it needs."""
    # What rules there are depends on which directors are known; that they are ours does not.
    known = dict.fromkeys(cluster.directors, ("",))
    wanted = desired.ipvs(cluster, node, {}, macs=known)
    return Ownership(
        vips=frozenset(vip for router in cluster.routers_of(node) for vip in router.vips),
        fwmarks=frozenset(key.fwmark for key in wanted.services if key.fwmark) | {SENTINEL_FWMARK},
        services=frozenset(wanted.services),
        sysctls=frozenset(wanted.sysctls),
        daemons=frozenset(wanted.daemons),
        timeouts=bool(wanted.timeouts),
        tables=frozenset(wanted.tables),
        remembered=frozenset(remembered),
    )


def owned(kernel: Kernel, ownership: Ownership) -> Kernel:
    """The part of `kernel` that is ours."""
    return _part(kernel, ownership.__contains__)


def foreign(kernel: Kernel, ownership: Ownership) -> Kernel:
    """The part of `kernel` that is somebody else's."""
    return _part(kernel, lambda key: key not in ownership)


def _part(kernel: Kernel, wanted: Callable[[Key], bool]) -> Kernel:
    def of(kind: Mapping[K, C]) -> dict[K, C]:
        return {key: config for key, config in kind.items() if wanted(key)}

    services = of(kernel.services)
    ours = services.keys()
    return Kernel(
        addresses=of(kernel.addresses),
        routes=of(kernel.routes),
        rules=of(kernel.rules),
        sysctls=of(kernel.sysctls),
        devices=of(kernel.devices),
        gue_ports=of(kernel.gue_ports),
        services=services,
        destinations={key: config for key, config in kernel.destinations.items() if key.service in ours},
        daemons=of(kernel.daemons),
        timeouts=of(kernel.timeouts),
        tables=of(kernel.tables),
    )

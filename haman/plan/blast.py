"""What operations do to the clients of now: VIPs that move, connections that break, servers that are left. Pure.

It looks at what the operations take away. What they leave alone, or change in place (a weight, a threshold, a way of
forwarding), breaks nobody's connection: IPVS asks for these when a connection begins.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from haman.model.kernel import AddressKey, DestinationConfig, DestinationKey, ServiceKey
from haman.plan.desired import is_sentinel
from haman.plan.ops import Add, Remove

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from haman.model.addresses import Address
    from haman.model.kernel import Kernel, Key
    from haman.model.services import Protocol
    from haman.plan.ops import Op

LIVE = frozenset({"ESTABLISHED", "UDP"})
"""States in which somebody would notice: a connection that is just beginning or ending is begun anew, or over."""


class Connection(NamedTuple):
    """One entry of the kernel's connection table."""

    protocol: Protocol
    vip: Address
    port: int
    server: Address
    server_port: int
    state: str


@dataclass(frozen=True, slots=True)
class Move:
    """A VIP that comes to a NIC of this node (coming), or leaves it. On `lo` it is silent, so that is no move."""

    ip: Address
    device: str
    coming: bool


@dataclass(frozen=True, slots=True)
class Toll:
    """What one IPVS service pays. servers and weight: those that get new connections, before and after. live, broken:
    established connections, and those of them whose server or service goes. here: its packets come to this node now; if
    not, its connections are copies that the active director has told.
    """

    service: ServiceKey
    servers: tuple[int, int]
    weight: tuple[int, int]
    live: int
    broken: int
    here: bool = True

    @property
    def left(self) -> float:
        """The share of the weight that serves on; 1.0 where there was none before."""
        before, after = self.weight
        return after / before if before else 1.0


@dataclass(frozen=True, slots=True)
class Blast:
    """tolls: of services that lose a server, weight or connections, or go. elsewhere: live connections of services that
    are left as they are."""

    moves: tuple[Move, ...] = ()
    tolls: tuple[Toll, ...] = ()
    elsewhere: int = 0

    @property
    def broken(self) -> int:
        return sum(toll.broken for toll in self.tolls)


def blast(ops: Sequence[Op], actual: Kernel, connections: Iterable[Connection]) -> Blast:
    """actual: what the kernel holds before `ops`, addresses and IPVS."""
    gone = {op.key for op in ops if isinstance(op, Remove)}
    before = {key: config.weight for key, config in actual.destinations.items()}
    after = {key: weight for key, weight in before.items() if key not in gone and key.service not in gone}
    for op in ops:
        if not isinstance(op, Remove) and isinstance(op.key, DestinationKey):
            assert isinstance(op.config, DestinationConfig)
            after[op.key] = op.config.weight
    live, broken = _count(gone, actual, connections)
    was, will = _serving(before), _serving(after)
    on_nic = {key.ip for key in actual.addresses if key.device != "lo"}
    tolls = []
    for service in actual.services:
        servers, weight = was[service]
        servers_left, weight_left = will[service]
        poorer = servers_left < servers or weight_left < weight
        if not is_sentinel(service) and (service in gone or broken[service] or poorer):
            here = service.address is None or service.address in on_nic
            numbers = ((servers, servers_left), (weight, weight_left), live[service], broken[service])
            tolls.append(Toll(service, *numbers, here=here))
    paid = {toll.service for toll in tolls}
    elsewhere = sum(number for service, number in live.items() if service not in paid)
    return Blast(_moves(ops), tuple(tolls), elsewhere)


def _serving(weights: Mapping[DestinationKey, int]) -> defaultdict[ServiceKey, tuple[int, int]]:
    """By service, how many servers get new connections, and their weight together."""
    found: defaultdict[ServiceKey, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for key, weight in weights.items():
        if weight > 0:
            servers, together = found[key.service]
            found[key.service] = (servers + 1, together + weight)
    return found


def _count(
    gone: Collection[Key], actual: Kernel, connections: Iterable[Connection]
) -> tuple[Counter[ServiceKey], Counter[ServiceKey]]:
    """Live connections by service, and those that break."""
    live: Counter[ServiceKey] = Counter()
    broken: Counter[ServiceKey] = Counter()
    marked = {
        (key.address, key.port): key.service for key in actual.destinations if key.service.protocol is None
    }  # of these a connection shows nothing but its server
    for each, number in Counter(each for each in connections if each.state in LIVE).items():
        service: ServiceKey | None = ServiceKey.at(each.protocol, each.vip, each.port)
        if service not in actual.services:
            service = marked.get((each.server, each.server_port)) or marked.get((each.server, 0))
        if service is None:
            continue
        live[service] += number
        places = [DestinationKey(service, each.server, port) for port in (each.server_port, 0)]
        if service in gone or any(place in gone for place in places):
            broken[service] += number
    return live, broken


def _moves(ops: Sequence[Op]) -> tuple[Move, ...]:
    """An address that is only set anew (another prefix length) stays where it is."""
    on_nic = [op for op in ops if isinstance(op.key, AddressKey) and op.key.device != "lo"]
    came = {(op.key.ip, op.key.device) for op in on_nic if isinstance(op, Add) and isinstance(op.key, AddressKey)}
    went = {(op.key.ip, op.key.device) for op in on_nic if isinstance(op, Remove) and isinstance(op.key, AddressKey)}
    moves = [Move(ip, device, coming=False) for ip, device in went - came]
    moves += [Move(ip, device, coming=True) for ip, device in came - went]
    return tuple(sorted(moves, key=lambda move: (move.ip.version, int(move.ip), move.device, move.coming)))

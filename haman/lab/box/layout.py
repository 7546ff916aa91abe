"""From a cluster's file to hosts: what each is called, its cards, addresses and routes. Nothing is made here.

                  client
                    |
      192.0.2.1   router   one address in every network that clients, or answers to them, come through
                    |
    --- segment ----+---- segment --- ...
     directors, real servers

What the file does not say is chosen: an address of a director in a network where it has none, the router's addresses
(those that the file pings or routes by, else the last ones), the clients' network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab.box.machines import Machine, machines
from haman.lab.box.wiring import Wiring
from haman.model.services import Forward
from haman.model.trackers import ArpWatch, PingWatch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from haman.model.addresses import Address, Network
    from haman.model.cluster import Cluster

_OUTSIDE: Final = {
    4: ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "100.64.0.0/24"),
    6: ("2001:db8:ffff::/64", "2001:db8:fffe::/64", "fd00:ffff::/64"),
}
"""Networks for the client; the first one that the file does not use."""


class Kind(Enum):
    DIRECTOR = "director"
    SERVER = "real server"
    ROUTER = "router"
    CLIENT = "client"


@dataclass(slots=True)
class Card:
    """One interface. segment: its number. addresses: each with the network it is in."""

    segment: int
    addresses: list[tuple[Address, Network]] = field(default_factory=list)

    def texts(self) -> list[str]:
        """ "10.0.0.1/24" """
        return [f"{address}/{network.prefixlen}" for address, network in self.addresses]


@dataclass(slots=True)
class Laid:
    """A host. routes: gateway by family."""

    name: str
    kind: Kind
    cards: dict[str, Card] = field(default_factory=dict)
    gateways: dict[int, Address] = field(default_factory=dict)
    forward: bool = False

    def addresses(self) -> Iterator[tuple[Address, Network]]:
        for card in self.cards.values():
            yield from card.addresses


@dataclass(frozen=True, slots=True)
class Layout:
    """hosts: in the order of the file, then router and client. segments: their numbers. serving: the machines that are
    real servers, by host."""

    hosts: dict[str, Laid]
    segments: tuple[int, ...]
    serving: dict[str, Machine]

    def of(self, kind: Kind) -> list[Laid]:
        return [host for host in self.hosts.values() if host.kind is kind]

    @property
    def client(self) -> Laid:
        (client,) = self.of(Kind.CLIENT)
        return client


def lay_out(cluster: Cluster) -> Layout:
    """Errors: LabError with everything by which this file cannot be a cluster on one machine."""
    return _Draft(cluster).layout()


class _Draft:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._wiring = Wiring(cluster)
        self._machines = machines(cluster)
        self._hosts: dict[str, Laid] = {}
        self._problems: list[str] = []
        self._vips = {vip for router in cluster.routers.values() for vip in router.vips}
        self._taken: set[Address] = set(self._vips)
        for director in cluster.directors.values():
            self._taken.update(director.addresses)
        for router in cluster.routers.values():
            for member in router.members.values():
                self._taken.update(each for each in (member.address, member.address6) if each is not None)
        for machine in self._machines:
            self._taken.update(machine.addresses)
        self._gateways = _gateways(cluster) - self._taken

    def layout(self) -> Layout:
        for service in self._cluster.services.values():
            if service.masquerade or any(match.diverted for match in service.match):
                self._problems.append(
                    f"service {service.name} is a gateway: what lies behind its servers is in no file, so it cannot be"
                    " laid out; `haman lab outbound-gateway` plays one"
                )
        if self._problems:
            raise LabError("\n".join(self._problems))
        for machine in self._machines:
            if not machine.director:
                self._server(machine)
        for name in self._cluster.directors:
            self._director(name)
        self._router_and_client()
        for machine in self._machines:
            if not machine.director:
                self._way_back(machine)
        if self._problems:
            raise LabError("\n".join(self._problems))
        order = {name: self._hosts[name] for name in (*self._cluster.directors, *self._hosts)}
        segments = sorted({card.segment for host in order.values() for card in host.cards.values()})
        serving = {machine.name: machine for machine in self._machines}
        if not self._cluster.services:  # addresses alone: what they stand before runs beside haman
            serving = {name: Machine(name, True) for name in self._cluster.directors}
        return Layout(order, tuple(segments), serving)

    def _server(self, machine: Machine) -> None:
        if machine.name in self._cluster.directors:
            self._problems.append(f"server {machine.name} has a director's name, and another address")
            return
        networks = [self._wiring.network_of(address) for address in machine.addresses]
        self._wiring.together(networks)
        host = self._hosts[machine.name] = Laid(machine.name, Kind.SERVER)
        by_segment: dict[int, list[tuple[Address, Network]]] = {}
        for address, network in zip(machine.addresses, networks, strict=True):
            by_segment.setdefault(self._wiring.segment(network), []).append((address, network))
            if network in self._wiring.far and machine.forwards & {Forward.DR, Forward.NAT}:
                self._problems.append(
                    f"server {machine.name} ({address}) is in no network of the directors, which `forward: dr` and"
                    " `nat` need; `tun` and `fullnat` do not"
                )
        for number, (segment, addresses) in enumerate(by_segment.items()):
            host.cards[f"eth{number}"] = Card(segment, addresses)

    def _director(self, name: str) -> None:
        host = self._hosts[name] = Laid(name, Kind.DIRECTOR)
        director = self._cluster.directors[name]
        members = [router.members[name] for router in self._cluster.routers_of(name)]
        own = {*director.addresses, *(each for m in members for each in (m.address, m.address6) if each is not None)}
        ports = [port for port in self._wiring.ports() if port.director == name]
        for port in ports:
            card = host.cards[port.device] = Card(self._wiring.segment(port))
            for network in self._wiring.networks_of(port):
                here = sorted((address for address in own if address in network), key=int)
                card.addresses += [(address, network) for address in here or [self._free(network, director.address)]]
            if not card.addresses:
                link = ip_network(f"169.254.{card.segment}.0/24")
                card.addresses.append((self._free(link, director.address), link))
        if not ports:
            self._problems.append(f"director {name} takes part in no router, so it has no network")
        forwards = {
            server.forward for service in self._cluster.services.values() for server in service.servers.values()
        }
        host.forward = bool(forwards & {Forward.NAT, Forward.FULLNAT})

    def _free(self, network: Network, like: Address | None = None) -> Address:
        """An address nobody has, and now somebody: with the last byte of this one if possible, else from the end."""
        last = min(network.num_addresses, 0x10000) - 2
        wanted = [int(like) & 0xFF] if like is not None and 0 < int(like) & 0xFF < last else []
        for offset in (*wanted, *range(last, 0, -1)):
            address = network[offset]
            if address not in self._taken and address not in self._gateways:
                self._taken.add(address)
                return address
        raise LabError(f"every address of {network} is taken, and the laboratory needs one more")

    def _router_and_client(self) -> None:
        router = Laid(self._name("router"), Kind.ROUTER, forward=True)
        client = Laid(self._name("client"), Kind.CLIENT)
        own = {address for director in self._cluster.directors.values() for address in director.addresses}
        services = self._cluster.services.values()
        public = own | self._gateways | {service.address for service in services if service.address is not None}
        if not services or any(service.address is None for service in services):
            public |= self._vips  # any of them may be what clients ask
        for machine in self._machines:
            public.update(machine.addresses if machine.forwards - {Forward.NAT} else ())
        cards: dict[int, Card] = {}
        for host in list(self._hosts.values()):
            for card in host.cards.values():
                networks = [network for _, network in card.addresses]
                if card.segment not in cards and any(address in network for address in public for network in networks):
                    cards[card.segment] = Card(card.segment, list(self._router_addresses(networks)))
        for number, card in enumerate(cards.values()):
            router.cards[f"eth{number}"] = card
        outside = max((self._wiring.segment(port) for port in self._wiring.ports()), default=0)
        outside = max([outside, *(card.segment for host in self._hosts.values() for card in host.cards.values())]) + 1
        near, far = Card(outside), Card(outside)
        families = {network.version for card in cards.values() for _, network in card.addresses}
        for network in self._unused(families):
            near.addresses.append((network[1], network))
            far.addresses.append((network[10], network))
            client.gateways[network.version] = network[1]
        router.cards[f"eth{len(cards)}"], client.cards["eth0"] = near, far
        for host in self._hosts.values():
            ways: dict[int, Address] = {
                version: address
                for address, network in reversed(list(router.addresses()))
                for version in (address.version,)
                if any(network == other for _, other in host.addresses())
            }
            host.gateways.update(ways)
        self._hosts |= {router.name: router, client.name: client}

    def _router_addresses(self, networks: Sequence[Network]) -> Iterator[tuple[Address, Network]]:
        for network in dict.fromkeys(networks):
            wanted = sorted((address for address in self._gateways if address in network), key=int)
            for address in wanted or [self._free(network)]:
                yield address, network

    def _unused(self, families: Collection[int]) -> Iterator[Network]:
        """One network of each of these families that overlaps nothing."""
        used = [network for host in self._hosts.values() for _, network in host.addresses()]
        for family in families:
            for text in _OUTSIDE[family]:
                network = ip_network(text)
                if not any(network.version == other.version and network.overlaps(other) for other in used):
                    yield network
                    break

    def _way_back(self, machine: Machine) -> None:
        """With NAT the answers go back by way of the active director: by a VIP in the server's own network."""
        if Forward.NAT not in machine.forwards:
            return
        if machine.forwards & {Forward.DR, Forward.TUN}:
            self._problems.append(
                f"server {machine.name} is reached by nat and by dr or tun: its answers would need two default routes"
            )
            return
        host = self._hosts[machine.name]
        for address, network in host.addresses():
            found = sorted((vip for vip in self._vips if vip in network), key=int)
            if found:
                host.gateways[address.version] = found[0]
            else:
                self._problems.append(
                    f"server {machine.name} ({address}) is reached by nat, and no VIP is in its network {network}:"
                    " its answers could not go back by way of the active director; give a router one there"
                )

    def _name(self, name: str) -> str:
        return name if name not in self._hosts else f"lab-{name}"


def _gateways(cluster: Cluster) -> set[Address]:
    """What the file takes for routers of others: addresses that trackers ask and routes go by."""
    found: set[Address] = set()
    for tracker in cluster.trackers.values():
        if isinstance(tracker.watched, (PingWatch, ArpWatch)):
            found.add(tracker.watched.address)
    for router in cluster.routers.values():
        found.update(route.via for route in router.routes if route.via is not None)
    return found

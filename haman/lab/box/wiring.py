"""Which networks a cluster's file speaks of, and which of them are one segment.

A device of a director is on one segment with every network that a VIP on it brings along, and with the directors' own
addresses there; a network is on one segment wherever it is. What no director is connected to lies behind a router.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from haman.model.addresses import Address, Network
    from haman.model.cluster import Cluster
    from haman.model.routers import Director

ASSUMED = {4: 24, 6: 64}
"""Prefix length of a network that the file names only an address of."""


class Port(NamedTuple):
    director: str
    device: str


class Device(NamedTuple):
    """One that carries no network on any director: those of one name are wired to each other."""

    name: str


Thing = Port | Device | IPv4Network | IPv6Network


class Wiring:
    """What is on one segment: ports of directors and networks. Segments are numbered in the order of the file."""

    def __init__(self, cluster: Cluster) -> None:
        self._next: dict[Thing, Thing] = {}
        self.far: list[Network] = []
        for director in cluster.directors.values():
            self._director(cluster, director)
        for port in self.ports():
            if not self.networks_of(port):
                self._join(port, Device(port.device))

    def _director(self, cluster: Cluster, director: Director) -> None:
        for router in cluster.routers_of(director.name):
            member = router.members[director.name]
            self._add(Port(director.name, member.interface))
            for vip in router.addresses_on(director.name):
                if vip.device != "lo":
                    self._connect(Port(director.name, vip.device), vip.interface.network)
            for own in (member.address, member.address6):
                if own is not None:
                    self._place(Port(director.name, member.interface), own)
        first = next(iter(cluster.routers_of(director.name)), None)
        if first is not None:
            for own in director.addresses:
                self._place(Port(director.name, first.members[director.name].interface), own)
        for device in _devices(cluster, director.name):
            self._add(Port(director.name, device))

    def _place(self, port: Port, address: Address) -> None:
        """A director's own address is on the device whose network it is in; else on this one."""
        if not any(port.director == other.director and self._carries(other, address) for other in self.ports()):
            self._connect(port, assumed(address))

    def _carries(self, port: Port, address: Address) -> bool:
        return any(address in network for network in self.networks_of(port))

    def _connect(self, port: Port, network: Network) -> None:
        self._add(port)
        if network.num_addresses > 1:
            self._join(port, network)

    def network_of(self, address: Address) -> Network:
        """The smallest known network with this address; a new one, far from the directors, where there is none."""
        fitting = [network for network in self._networks() if address in network]
        if fitting:
            return max(fitting, key=lambda network: network.prefixlen)
        network = assumed(address)
        self.far.append(network)
        self._add(network)
        return network

    def together(self, networks: Iterable[Network]) -> None:
        """These are on one segment, if they are far: a server's IPv4 and IPv6."""
        far = [network for network in networks if network in self.far]
        for other in far[1:]:
            self._join(far[0], other)

    def segment(self, thing: Thing) -> int:
        roots = list(dict.fromkeys(self._root(each) for each in self._next))
        return roots.index(self._root(thing)) + 1

    def ports(self) -> list[Port]:
        return [thing for thing in self._next if isinstance(thing, Port)]

    def networks_of(self, thing: Thing) -> list[Network]:
        """Those on its segment."""
        root = self._root(thing)
        return [network for network in self._networks() if self._root(network) == root]

    def _networks(self) -> list[Network]:
        return [thing for thing in self._next if isinstance(thing, (IPv4Network, IPv6Network))]

    def _add(self, thing: Thing) -> None:
        self._next.setdefault(thing, thing)

    def _root(self, thing: Thing) -> Thing:
        while (above := self._next[thing]) != thing:
            thing = above
        return thing

    def _join(self, one: Thing, other: Thing) -> None:
        self._add(one)
        self._add(other)
        self._next[self._root(other)] = self._root(one)


def assumed(address: Address) -> Network:
    return ip_network((address, ASSUMED[address.version]), strict=False)


def _devices(cluster: Cluster, director: str) -> Iterator[str]:
    """Those that the file names beside the routers' own."""
    if cluster.sync is not None and director in cluster.sync.interfaces:
        yield cluster.sync.interfaces[director]
    for router in cluster.routers_of(director):
        yield from (track.interface for track in router.track)
        yield from (route.device for route in router.routes_on(director) if route.device is not None)
    for group in cluster.groups_of(director):
        yield from (track.interface for track in group.track)
    for service in cluster.services_of(director):
        yield from (match.incoming for match in service.match if match.incoming)
        if service.check is not None and service.check.source is not None and service.check.source.interface:
            yield service.check.source.interface

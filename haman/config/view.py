"""The file with its references followed: who sits in which router, which VIP belongs to whom, what a server inherits.

Used by the rules and by `build`, so that both see the same. Nothing here judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_network
from itertools import chain
from typing import TYPE_CHECKING

from haman.config import sync
from haman.config.shape.services import Family, Scheduler, SchedulerFlag
from haman.config.shape.tunnels import Tunnel
from haman.health.agreement import COMPUTED
from haman.model.services import Forward, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from haman.config.mistakes import Path
    from haman.config.shape.checks import Check
    from haman.config.shape.file import File
    from haman.config.shape.routers import Director, Router, RouterOverride
    from haman.config.shape.services import Match, Server, Service
    from haman.config.shape.sites import Backup, Failover
    from haman.model.addresses import Address, Interface, Network


@dataclass(frozen=True, slots=True)
class Seat:
    """One director in one router, overrides applied. interface None: nothing in the file says which. address,
    address6: its IPv4 and IPv6 address, None where it has none; the paths are those of what is written, else of the
    director's `address`."""

    director: str
    priority: int
    interface: str | None
    address: IPv4Address | None
    address6: IPv6Address | None
    address_path: Path
    address6_path: Path


@dataclass(frozen=True, slots=True)
class Vip:
    """One address of a router; dev None: it follows the router's interface."""

    router: str
    interface: Interface
    dev: str | None
    path: Path
    excluded: bool = False
    label: str | None = None


@dataclass(frozen=True)
class View:
    """names: by section, every name in the file, also of entries that were taken out because they are wrong; a
    section that is no mapping is not in it. broken: the sections that lost something; what is not found there may
    yet exist."""

    file: File
    names: Mapping[str, frozenset[str]]
    broken: frozenset[str] = frozenset()

    def lacks(self, section: str, name: str) -> bool:
        """Whether there is surely no such name in the section."""
        return section in self.names and name not in self.names[section]

    def seats(self, name: str) -> dict[str, Seat]:
        """Who takes part in router `name`, by director."""
        return self._seats[name]

    @cached_property
    def _seats(self) -> dict[str, dict[str, Seat]]:
        return {name: dict(self._seated(name, router)) for name, router in self.file.routers.items()}

    def _seated(self, name: str, router: Router) -> Iterator[tuple[str, Seat]]:
        for director, entry in self.file.directors.items():
            if router.directors is None or director in router.directors:
                yield director, _seat(name, router, director, entry)

    def authenticated(self, router: str) -> bool:
        """Whether the router's advertisements are signed."""
        return self.file.authentication is not None and self.file.routers[router].authenticate is not False

    def vips_of(self, router: str) -> tuple[Vip, ...]:
        return self._vips[router]

    @property
    def vips(self) -> Iterator[Vip]:
        """Every VIP of the file, in its order."""
        return chain.from_iterable(self._vips.values())

    @cached_property
    def _vips(self) -> dict[str, tuple[Vip, ...]]:
        return {name: tuple(_vips(name, router)) for name, router in self.file.routers.items()}

    @cached_property
    def router_by_vip(self) -> dict[Address, str]:
        """A VIP's router; of several the first."""
        return {vip.interface.ip: vip.router for vip in reversed([*self.vips])}

    def router_of(self, service: Service) -> str | None:
        """The router that carries a service's address."""
        return self.router_by_vip.get(service.address) if service.address else None

    def marked_addresses(self, match: Match, *, ipv6: bool) -> tuple[Network, ...]:
        """Where marked packets go, in one family; empty is anywhere."""
        written: list[Network] = list(match.addresses or ())
        if match.router is not None and match.router in self.file.routers:
            written += [ip_network(vip.interface.ip) for vip in self.vips_of(match.router)]
        return tuple(network for network in written if (network.version == 6) == ipv6)

    def served_routers(self) -> set[str]:
        """Routers whose VIPs are those of a service, by address or by mark."""
        found = {router for service in self.file.services.values() if (router := self.router_of(service))}
        for service in self.file.services.values():
            for match in service.match or ():
                to = [*self.marked_addresses(match, ipv6=False), *self.marked_addresses(match, ipv6=True)]
                found |= {router for ip, router in self.router_by_vip.items() if ip_network(ip) in to}
        return found

    def checks(self) -> Iterator[tuple[Path, Check]]:
        """Every check with its place, named or written into a service."""
        for name, check in self.file.checks.items():
            yield ("checks", name), check
        for name, service in self.file.services.items():
            if service.check and not isinstance(service.check, str):
                yield ("services", name, "check"), service.check
            for index, backup in enumerate(service.backup or ()):
                if backup.check and not isinstance(backup.check, str):
                    yield ("services", name, "backup", index, "check"), backup.check

    def check_of(self, service: Service) -> Check | None:
        """The service's check; None if it has none or names one that does not exist."""
        if isinstance(service.check, str):
            return self.file.checks.get(service.check)
        return service.check or None

    def address_of(self, service: Service, server: Server) -> Address | None:
        """A server's address, a director's in the family of the service if it has one; None if that of its director is
        not known."""
        if server.director is not None and server.address is None:
            director = self.file.directors.get(server.director)
            if director is None:
                return None
            return director.address6 if is_ipv6(service) and director.address6 else director.address
        return server.address

    @cached_property
    def director_by_address(self) -> dict[Address, str]:
        return {
            address: name
            for name, director in self.file.directors.items()
            for address in (director.address, director.address6)
            if address is not None
        }


def ports(service: Service) -> dict[int, Path]:
    """The service's ports, and where each is written below it."""
    if service.ports is not None:
        return {port: ("ports", index) for index, port in reversed([*enumerate(service.ports)])}
    return {} if service.port is None else {service.port: ("port",)}


def protocol(service: Service) -> Protocol | None:
    """None for a firewall mark."""
    return None if service.fwmark is not None else service.protocol or Protocol.TCP


def is_ipv6(service: Service) -> bool:
    return service.family is Family.IPV6 if service.address is None else service.address.version == 6


def flags(service: Service) -> tuple[SchedulerFlag, ...]:
    """The scheduler's flags: as written, else the scheduler's default."""
    if service.flags is not None:
        return tuple(service.flags)
    # Without the fallback the kernel keeps the share of a server whose weight has become 0, and refuses it.
    return (SchedulerFlag.MH_PORT, SchedulerFlag.MH_FALLBACK) if service.scheduler is Scheduler.MH else ()


def forward(service: Service, server: Server) -> Forward:
    return server.forward or service.forward


def translates(service: Service, server: Server) -> bool:
    """Does IPVS give packets to this server the server's address, and port?"""
    return forward(service, server) in (Forward.NAT, Forward.FULLNAT)


def may_circle(view: View, service: Service) -> bool:
    """Two directors are its servers, and each would choose anew for a packet that the other one sent it."""
    if sync.closes(view.file):
        return False  # only the active one chooses
    directors = {
        view.director_by_address[address]
        for server in service.servers.values()
        if (address := view.address_of(service, server)) in view.director_by_address
        and not translates(service, server)
        and server.weight
    }
    return len(directors) > 1 and service.scheduler.value not in COMPUTED


def source(service: Service, server: Server) -> tuple[Address, ...]:
    """The addresses it sees of the director, of both families; empty is the interface's own."""
    written = server.source if server.source is not None else service.source
    return tuple(written or ())


def backup_name(backup: Backup, index: int) -> str:
    return backup.name or f"backup{index + 1}"


def backup_servers(backup: Backup, index: int) -> dict[str, tuple[Address, int | None, int]]:
    """Address, port and weight, by name."""
    if backup.servers is None:
        return {} if backup.address is None else {backup_name(backup, index): (backup.address, backup.port, 1)}
    return {name: (each.address, each.port or backup.port, each.weight) for name, each in backup.servers.items()}


def below(failover: Failover) -> float:
    """The share of local weight below which a backup serves; 0 is when none is left."""
    if failover.when_below is not None:
        return failover.when_below
    return 1.0 if failover.spill_over else 0.0


RELAYED = ("proxy", "sessions", "memory", "idle", "drain", "connect")
"""Keys of a backup that are about a relay."""


def way(service: Service, backup: Backup, index: int) -> Forward:
    """As written, else the first that fits. NAT does not cross the families; a tunnel does, and a relay, to which
    nobody need be a counterpart."""
    if backup.forward is not None:
        return Forward(backup.forward.value)
    if any(getattr(backup, key) is not None for key in RELAYED):
        return Forward.RELAY
    versions = {address.version for address, _, _ in backup_servers(backup, index).values()}
    if versions <= {6 if is_ipv6(service) else 4}:
        return Forward.FULLNAT
    return Forward.TUN if backup.tunnel is not None or service.protocol is Protocol.SCTP else Forward.RELAY


def tunnel(service: Service, server: Server) -> Tunnel | None:
    """The tunnel to a server; None unless it is reached by one."""
    if forward(service, server) is not Forward.TUN:
        return None
    return server.tunnel or service.tunnel or Tunnel.model_validate({})


def _seat(name: str, router: Router, director: str, entry: Director) -> Seat:
    override = entry.routers.get(name)
    here: Path = ("directors", director)
    own = {address.version: (address, path) for address, path in _written(entry, here)}
    if override is not None:
        own |= {address.version: (address, path) for address, path in _written(override, (*here, "routers", name))}
    four, four_path = own.get(4, (None, (*here, "address")))
    six, six_path = own.get(6, (None, (*here, "address")))
    return Seat(
        director=director,
        priority=(override and override.priority) or entry.priority,
        interface=(override and override.interface) or router.interface,
        address=four if isinstance(four, IPv4Address) else None,
        address6=six if isinstance(six, IPv6Address) else None,
        address_path=four_path,
        address6_path=six_path,
    )


def _written(entry: Director | RouterOverride, path: Path) -> Iterator[tuple[Address, Path]]:
    if entry.address is not None:
        yield entry.address, (*path, "address")
    if entry.address6 is not None:
        yield entry.address6, (*path, "address6")


def _vips(name: str, router: Router) -> Iterator[Vip]:
    for index, entry in enumerate(router.addresses):
        path: Path = ("routers", name, "addresses", index)
        if isinstance(entry, IPv4Interface | IPv6Interface):
            yield Vip(name, entry, None, path)
        else:
            yield Vip(name, entry.address, entry.dev, (*path, "address"), entry.excluded, entry.label)

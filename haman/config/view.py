"""The file with its references followed: who sits in which router, which VIP belongs to whom, what a server inherits.

Used by the rules and by `build`, so that both see the same. Nothing here judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Interface
from itertools import chain
from typing import TYPE_CHECKING

from haman.config.shape.services import Family, Scheduler, SchedulerFlag, Tunnel
from haman.model.cluster import Forward, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ipaddress import IPv4Address

    from haman.config.mistakes import Path
    from haman.config.shape.checks import Check
    from haman.config.shape.file import File
    from haman.config.shape.routers import Director, Router
    from haman.config.shape.services import Server, Service
    from haman.model.cluster import Address


@dataclass(frozen=True, slots=True)
class Seat:
    """One director in one router, overrides applied. interface None: nothing in the file says which."""

    director: str
    priority: int
    interface: str | None
    address: IPv4Address
    address_path: Path


@dataclass(frozen=True, slots=True)
class Vip:
    """One address of a router; dev None: it follows the router's interface."""

    router: str
    interface: IPv4Interface
    dev: str | None
    path: Path


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

    def checks(self) -> Iterator[tuple[Path, Check]]:
        """Every check with its place, named or written into a service."""
        for name, check in self.file.checks.items():
            yield ("checks", name), check
        for name, service in self.file.services.items():
            if service.check and not isinstance(service.check, str):
                yield ("services", name, "check"), service.check

    def check_of(self, service: Service) -> Check | None:
        """The service's check; None if it has none or names one that does not exist."""
        if isinstance(service.check, str):
            return self.file.checks.get(service.check)
        return service.check or None

    def address_of(self, server: Server) -> Address | None:
        """A server's address; None if that of its director is not known."""
        if server.director is not None and server.address is None:
            director = self.file.directors.get(server.director)
            return director.address if director else None
        return server.address

    @cached_property
    def director_by_address(self) -> dict[Address, str]:
        return {director.address: name for name, director in self.file.directors.items()}


def ports(service: Service) -> dict[int, Path]:
    """The service's ports, and where each is written below it."""
    if service.ports is not None:
        return {port: ("ports", index) for index, port in reversed([*enumerate(service.ports)])}
    return {} if service.port is None else {service.port: ("port",)}


def protocol(service: Service) -> Protocol | None:
    """None for a firewall mark."""
    return None if service.fwmark is not None else service.protocol or Protocol.TCP


def is_ipv6(service: Service) -> bool:
    return service.family is Family.IPV6


def flags(service: Service) -> tuple[SchedulerFlag, ...]:
    """The scheduler's flags: as written, else the scheduler's default."""
    if service.flags is not None:
        return tuple(service.flags)
    return (SchedulerFlag.MH_PORT,) if service.scheduler is Scheduler.MH else ()


def forward(service: Service, server: Server) -> Forward:
    return server.forward or service.forward


def tunnel(service: Service, server: Server) -> Tunnel | None:
    """The tunnel to a server; None unless it is reached by one."""
    if forward(service, server) is not Forward.TUN:
        return None
    return server.tunnel or service.tunnel or Tunnel.model_validate({})


def _seat(name: str, router: Router, director: str, entry: Director) -> Seat:
    override = entry.routers.get(name)
    address = override.address if override else None
    return Seat(
        director=director,
        priority=(override and override.priority) or entry.priority,
        interface=(override and override.interface) or router.interface,
        address=address or entry.address,
        address_path=("directors", director, *(("routers", name, "address") if address else ("address",))),
    )


def _vips(name: str, router: Router) -> Iterator[Vip]:
    for index, entry in enumerate(router.addresses):
        path: Path = ("routers", name, "addresses", index)
        if isinstance(entry, IPv4Interface):
            yield Vip(name, entry, None, path)
        else:
            yield Vip(name, entry.address, entry.dev, (*path, "address"))

"""What real servers run: a command of the developer's, or the lab's own answerer on the ports that the file names."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.model.checks import HttpProbe, TcpProbe, UdpProbe
from haman.model.services import Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from haman.lab.box.layout import Layout
    from haman.lab.box.machines import Machine
    from haman.model.addresses import Address
    from haman.model.cluster import Cluster
    from haman.model.services import Match, Server, Service

RANGE: Final = 100
"""So many ports of a range of a firewall mark are answered at, from its first on."""

DOORS: Final = 4
"""So many ways into one service are tried by the client before the cluster counts as serving."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where clients come in. answered: by the lab's answerer, so that a UDP request has an answer too."""

    service: str
    protocol: Protocol
    address: Address
    port: int
    answered: bool

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else self.address
        return f"{self.service} ({self.protocol.value} {host}:{self.port})"


def commands(serve: Sequence[str], layout: Layout) -> dict[str, list[str]]:
    """What `--serve` says: the words of a command by host, none for a host where nothing is to run; hosts that are not
    named here have the answerer. `{host}` and `{address}` become the host's.

    Errors: LabError.
    """
    general: list[str] | None = None
    own: dict[str, list[str]] = {}
    for text in serve:
        name, sign, rest = text.partition("=")
        if sign and name in layout.serving:
            own[name] = _words(rest)
        elif sign and name in layout.hosts:
            raise LabError(f"--serve {text}: {name} is no real server; there are {', '.join(layout.serving) or 'none'}")
        elif general is not None:
            raise LabError(f"--serve {text}: a second command for all; write --serve HOST=COMMAND for one")
        else:
            general = _words(text)
    if general is not None:
        own = {name: own.get(name, general) for name in layout.serving}
    return {name: [_filled(word, name, layout) for word in words] for name, words in own.items()}


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise LabError(f"--serve {text}: {error}") from None


def _filled(word: str, name: str, layout: Layout) -> str:
    address = next((str(address) for address, _ in layout.hosts[name].addresses()), "")
    return word.replace("{host}", name).replace("{address}", address)


def answerer(machine: Machine) -> list[tuple[str, int]]:
    """("tcp" or "udp", port) of all that the answerer listens on, to serve and to be checked."""
    found = [each for service, server in machine.entries for each in _ports(service, server)]
    return sorted(dict.fromkeys(found))


def _ports(service: Service, server: Server) -> Iterator[tuple[str, int]]:
    if service.protocol in (Protocol.TCP, Protocol.UDP):
        for port in [server.port] if server.port is not None else service.ports:
            yield service.protocol.value, port
    for match in service.match:
        yield from _matched(match)
    if service.check is not None and service.check.port is not None:
        if isinstance(service.check.probe, (TcpProbe, HttpProbe)):
            yield "tcp", service.check.port
        elif isinstance(service.check.probe, UdpProbe):
            yield "udp", service.check.port


def _matched(match: Match) -> Iterator[tuple[str, int]]:
    for protocol in match.protocols:
        if protocol is not Protocol.SCTP:
            for first, last in match.ports:
                for port in range(first, min(last, first + RANGE - 1) + 1):
                    yield protocol.value, port


def doors(cluster: Cluster, own: Collection[str]) -> list[Door]:
    """The ways in that a client can try: of each service the first few. own: hosts with the developer's commands."""
    return [
        door
        for service in cluster.services.values()
        for door in _doors(cluster, service, answered=not {server.name for server in service.servers.values()} & {*own})
    ]


def _doors(cluster: Cluster, service: Service, *, answered: bool) -> list[Door]:
    if service.address is not None and service.protocol is not None:
        found = [Door(service.name, service.protocol, service.address, port, answered) for port in service.ports]
    else:
        version = 6 if service.fwmark_ipv6 else 4
        vips = sorted((vip for r in cluster.routers.values() for vip in r.vips if vip.version == version), key=int)
        found = [
            Door(service.name, protocol, vip, first, answered)
            for match in service.match
            for protocol in match.protocols
            for first, _ in match.ports
            for vip in vips
            if _fits(match, vip)
        ]
    return [door for door in found if door.protocol is Protocol.TCP or (door.protocol is Protocol.UDP and answered)][
        :DOORS
    ]


def _fits(match: Match, vip: Address) -> bool:
    """Whether any client's packet to this VIP is marked: not only those from some networks, or by some device."""
    inside = not match.addresses or any(vip in network for network in match.addresses)
    return inside and not any(vip in network for network in match.excluded) and not match.sources and not match.incoming

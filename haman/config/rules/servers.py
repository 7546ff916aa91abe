"""Real servers: each can be reached the way its service says, and nothing is sent round in circles."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman.config import sync
from haman.config import view as viewed
from haman.config.mistakes import Finding
from haman.config.suggest import meant_or_known
from haman.model.routers import StandbyAddress
from haman.model.services import Forward, TunnelChecksum, TunnelType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.services import Server, Service
    from haman.config.shape.tunnels import Tunnel
    from haman.config.view import View
    from haman.model.addresses import Address

CHECKSUMS = {
    TunnelType.IPIP: (TunnelChecksum.NONE,),
    TunnelType.GRE: (TunnelChecksum.NONE, TunnelChecksum.FULL),
    TunnelType.GUE: tuple(TunnelChecksum),
}
"""Which tunnel has room for which checksum (ip_vs_tunnel_xmit in net/netfilter/ipvs/ip_vs_xmit.c)."""


def findings(view: View) -> Iterator[Finding]:
    for name, service in view.file.services.items():
        taken: dict[tuple[Address, int, int], str] = {}
        path: Path = ("services", name)
        if service.tunnel:
            yield from tunnel_itself((*path, "tunnel"), service.tunnel)
        for server_name, server in service.servers.items():
            below: Path = (*path, "servers", server_name)
            yield from _identity(view, below, server)
            yield from _method(view, below, service, server)
            yield from _thresholds(below, server)
            address = view.address_of(service, server)
            if address is None:
                continue
            yield from _address(view, below, service, server, address)
            yield from _sources(view, below, service, server, address)
            places = [(address, port, server.port or port) for port in viewed.ports(service) or (0,)]
            others = {taken.setdefault(place, server_name) for place in places} - {server_name}
            if others:
                what = f"server '{min(others)}' of this service has the same address and port"
                yield Finding((*below, "address" if server.address else "director"), what, "remove one", certain=True)
        yield from _circles(view, path, service)


def _identity(view: View, path: Path, server: Server) -> Iterator[Finding]:
    if server.director is None and server.address is None:
        yield Finding(path, "there is neither an 'address' nor a 'director'", "add 'address: 10.0.0.11'", at_key=True)
    if server.director is not None and server.address is not None:
        what = "a server has either an 'address' or is a 'director'"
        yield Finding((*path, "address"), what, "remove the address: the director has its own", at_key=True)
    if server.director is not None and view.lacks("directors", server.director):
        cure = meant_or_known(server.director, view.names["directors"], "directors")
        yield Finding((*path, "director"), f"there is no director '{server.director}'", cure, certain=True)


def _method(view: View, path: Path, service: Service, server: Server) -> Iterator[Finding]:
    forward = viewed.forward(service, server)
    if server.port is not None and not viewed.translates(service, server):
        what = f"with 'forward: {forward.value}' packets arrive as they were sent, so the kernel ignores this port"
        address = view.address_of(service, server)
        if address is not None and (address.is_loopback or address in view.director_by_address):
            # With NAT it would be another mistake: see _answers_astray.
            cure = "remove it, and have the program listen on the service's port; a check has a port of its own"
        else:
            cure = "remove it, or write 'forward: nat'; a check has a port of its own"
        yield Finding((*path, "port"), what, cure)
    if server.source is not None and forward is not Forward.FULLNAT:
        what = f"with 'forward: {forward.value}' the server sees the client's address"
        yield Finding((*path, "source"), what, "remove it, or write 'forward: fullnat'", at_key=True)
    if server.tunnel and forward is Forward.TUN:
        yield from tunnel_itself((*path, "tunnel"), server.tunnel)
    elif server.tunnel:
        what = f"there is a tunnel, but the server is reached by 'forward: {forward.value}'"
        yield Finding((*path, "tunnel"), what, "add 'forward: tun', or remove the tunnel", at_key=True)


def _sources(view: View, path: Path, service: Service, server: Server, address: Address) -> Iterator[Finding]:
    """What a server answers to must come back to the director that asked."""
    if viewed.forward(service, server) is not Forward.FULLNAT:
        return
    written = viewed.source(service, server)
    below: Path = (*path, "source") if server.source is not None else (*path[:2], "source")
    if written and not any(each.version == address.version for each in written):
        what = f"the server is reached over IPv{address.version}, and there is no such source"
        yield Finding(below, what, "add one, or write 'masquerade'", at_key=True)
    for each in written:
        if each not in view.router_by_vip and len(view.file.directors) > 1 and "routers" not in view.broken:
            what = f"{each} is not a VIP: it is on one director at most, and the servers' answers go there"
            yield Finding(below, what, "write a VIP, or 'masquerade'", at_key=True, warning=True)


def tunnel_itself(path: Path, tunnel: Tunnel) -> Iterator[Finding]:
    if tunnel.type is TunnelType.GUE and tunnel.port is None:
        yield Finding(path, "a GUE tunnel needs a port", "add 'port: 6080', on which the server unwraps", at_key=True)
    if tunnel.type is not TunnelType.GUE and tunnel.port is not None:
        what = f"a tunnel of type {tunnel.type.value} has no port"
        yield Finding((*path, "port"), what, "remove it, or write 'type: gue'", at_key=True)
    if tunnel.checksum not in CHECKSUMS[tunnel.type]:
        allowed = " or ".join(f"'{checksum.value}'" for checksum in CHECKSUMS[tunnel.type])
        what = f"a tunnel of type {tunnel.type.value} has no checksum '{tunnel.checksum.value}'"
        yield Finding((*path, "checksum"), what, f"write {allowed}")


def _thresholds(path: Path, server: Server) -> Iterator[Finding]:
    if server.lower_threshold and server.lower_threshold >= server.upper_threshold:
        if server.upper_threshold:
            what = f"the lower threshold is not below the upper one, {server.upper_threshold}"
            yield Finding(
                (*path, "lower_threshold"), what, f"write less than {server.upper_threshold}, or leave it out"
            )
        else:
            what = "there is a lower threshold, but no upper one"
            yield Finding((*path, "lower_threshold"), what, "add 'upper_threshold:'", at_key=True)


def _address(view: View, path: Path, service: Service, server: Server, address: Address) -> Iterator[Finding]:
    where: Path = (*path, "address" if server.address else "director")
    forward = viewed.forward(service, server)
    if address in view.router_by_vip:
        what = f"{address} is a VIP of router '{view.router_by_vip[address]}'"
        yield Finding(where, what, "write the server's own address: the VIP would be balanced to itself", certain=True)
    if address.is_loopback and forward is not Forward.DR:
        lost = viewed.translates(service, server)
        what = "what comes over a network is not let through to" if lost else "nothing is wrapped on its way to"
        cure = "write 'forward: dr', with which the program gets the packets on the VIP"
        yield Finding(where, f"{what} {address}", cure)
    else:
        yield from _answers_astray(view, where, service, server, address)
    if isinstance(address, IPv6Address) == viewed.is_ipv6(service):
        return
    families = ("IPv6", "IPv4") if isinstance(address, IPv6Address) else ("IPv4", "IPv6")
    what = f"{address} is an {families[0]} address behind an {families[1]} service"
    if forward is not Forward.TUN:
        yield Finding(where, what, "only 'forward: tun' can cross the families")
    elif view.file.sync is not False:
        yield Finding(where, what, "the kernel cannot synchronise such connections: write 'sync: false'")


def _answers_astray(view: View, where: Path, service: Service, server: Server, address: Address) -> Iterator[Finding]:
    """By NAT a director serves itself, and no other: what it answers to the other one's clients goes straight to them,
    from an address that they have not called."""
    director = view.director_by_address.get(address)
    if viewed.forward(service, server) is not Forward.NAT or director is None:
        return
    name = view.router_of(service)
    others = [each for each in (view.seats(name) if name else view.file.directors) if each != director]
    router = view.file.routers.get(name or "")
    if others and server.weight and (router is None or router.standby_address is not StandbyAddress.NOWHERE):
        what = f"answers of director '{director}' do not come back through '{others[0]}', which 'forward: nat' needs"
        yield Finding(where, what, "write 'forward: dr', and have the program listen on the VIP's port there")


def _circles(view: View, path: Path, service: Service) -> Iterator[Finding]:
    """A director that gets a packet as a server has the VIP and the table too, and schedules it once more."""
    own = [
        (name, view.director_by_address[address])
        for name, server in service.servers.items()
        if (address := view.address_of(service, server)) in view.director_by_address
        and not viewed.translates(service, server)
        and server.weight
    ]
    for name, director in own:
        router = view.file.routers.get(view.router_of(service) or "")
        if router and router.standby_address is StandbyAddress.NOWHERE:
            what = f"director '{director}' can serve only if it has the VIP while it is a standby"
            cure = "write 'standby_address: loopback' in the router, or remove the server"
            yield Finding((*path, "servers", name), what, cure, at_key=True)
    closed = sync.closes(view.file)  # then only the active director chooses
    if len({director for _, director in own}) > 1 and not closed and not viewed.may_circle(view, service):
        yield from _limited(path, service, [name for name, _ in own])
    if not viewed.may_circle(view, service):
        return
    if service.fwmark is not None and service.match is None:
        what = (
            f"with scheduler '{service.scheduler.value}' two directors that are servers send a packet to and fro until"
            " its TTL ends"
        )
        cure = "add a 'match', so that haman marks only what no director has sent, or write 'scheduler: mh'"
        yield Finding((*path, "scheduler"), what, cure)
    elif view.file.channel is False and not all(director.macs for director in view.file.directors.values()):
        what = (
            f"with scheduler '{service.scheduler.value}' each director must know the others' MAC addresses, and"
            " there is no channel on which they could tell them"
        )
        cure = "remove 'channel: false', write 'macs' for each director, or write 'scheduler: mh'"
        yield Finding((*path, "scheduler"), what, cure)


def _limited(path: Path, service: Service, names: Iterable[str]) -> Iterator[Finding]:
    """Two directors that are servers choose the same one by hashing, until one of them finds it over its limit."""
    for name in names:
        if service.servers[name].upper_threshold:
            what = (
                "each director counts its own connections, so two directors that are servers would not be over this"
                " limit at the same time, and send a packet to and fro"
            )
            yield Finding((*path, "servers", name, "upper_threshold"), what, "remove it", at_key=True)

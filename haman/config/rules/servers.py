"""Real servers: each can be reached the way its service says, and nothing is sent round in circles."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman.config import view as viewed
from haman.config.mistakes import Finding
from haman.config.shape.services import Scheduler
from haman.config.suggest import meant_or_known
from haman.model.cluster import Forward, StandbyAddress, TunnelChecksum, TunnelType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.services import Server, Service, Tunnel
    from haman.config.view import View
    from haman.model.cluster import Address

REPEATABLE = (Scheduler.MH, Scheduler.SH, Scheduler.DH)
"""Schedulers that choose by hashing: with equal tables two directors choose the same server for a packet."""

CHECKSUMS = {
    TunnelType.IPIP: (TunnelChecksum.NONE,),
    TunnelType.GRE: (TunnelChecksum.NONE, TunnelChecksum.FULL),
    TunnelType.GUE: tuple(TunnelChecksum),
}
"""Which tunnel has room for which checksum (ip_vs_tunnel_xmit in net/netfilter/ipvs/ip_vs_xmit.c)."""


def findings(view: View) -> Iterator[Finding]:
    for name, service in view.file.services.items():
        taken: dict[tuple[Address, int | None], str] = {}
        path: Path = ("services", name)
        if service.tunnel:
            yield from _tunnel_itself((*path, "tunnel"), service.tunnel)
        for server_name, server in service.servers.items():
            below: Path = (*path, "servers", server_name)
            yield from _identity(view, below, server)
            yield from _method(below, service, server)
            yield from _thresholds(below, server)
            address = view.address_of(server)
            if address is None:
                continue
            yield from _address(view, below, service, server, address)
            other = taken.setdefault((address, server.port), server_name)
            if other != server_name:
                what = f"server '{other}' of this service has the same address and port"
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


def _method(path: Path, service: Service, server: Server) -> Iterator[Finding]:
    forward = viewed.forward(service, server)
    if server.port is not None and forward is not Forward.NAT:
        what = f"with 'forward: {forward.value}' packets arrive as they were sent, so the kernel ignores this port"
        yield Finding((*path, "port"), what, "remove it, or write 'forward: nat'; a check has a port of its own")
    if server.tunnel and forward is Forward.TUN:
        yield from _tunnel_itself((*path, "tunnel"), server.tunnel)
    elif server.tunnel:
        what = f"there is a tunnel, but the server is reached by 'forward: {forward.value}'"
        yield Finding((*path, "tunnel"), what, "add 'forward: tun', or remove the tunnel", at_key=True)


def _tunnel_itself(path: Path, tunnel: Tunnel) -> Iterator[Finding]:
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
        what = f"with 'forward: {forward.value}' packets to {address} are lost"
        yield Finding(where, what, "write 'forward: dr', or the machine's own address")
    if isinstance(address, IPv6Address) == viewed.is_ipv6(service):
        return
    families = ("IPv6", "IPv4") if isinstance(address, IPv6Address) else ("IPv4", "IPv6")
    what = f"{address} is an {families[0]} address behind an {families[1]} service"
    if forward is not Forward.TUN:
        yield Finding(where, what, "only 'forward: tun' can cross the families")
    elif view.file.sync is not False:
        yield Finding(where, what, "the kernel cannot synchronise such connections: write 'sync: false'")


def _circles(view: View, path: Path, service: Service) -> Iterator[Finding]:
    """A director that gets a packet as a server has the VIP and the table too, and schedules it once more."""
    own = [
        (name, view.director_by_address[address])
        for name, server in service.servers.items()
        if (address := view.address_of(server)) in view.director_by_address
        and viewed.forward(service, server) is not Forward.NAT
        and server.weight
    ]
    for name, director in own:
        router = view.file.routers.get(view.router_of(service) or "")
        if router and router.standby_address is StandbyAddress.NOWHERE:
            what = f"director '{director}' can serve only if it has the VIP while it is a standby"
            cure = "write 'standby_address: loopback' in the router, or remove the server"
            yield Finding((*path, "servers", name), what, cure, at_key=True)
    if len({director for _, director in own}) > 1 and service.scheduler not in REPEATABLE:
        what = (
            f"with scheduler '{service.scheduler.value}' two directors that are servers send a packet to and fro until"
            " its TTL ends"
        )
        cure = "write 'scheduler: mh', with which both choose the same server"
        yield Finding((*path, "scheduler"), what, cure)

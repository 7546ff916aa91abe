"""Backups of services: another site that can be reached, is not this one, and is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import view as viewed
from haman.config.mistakes import Finding
from haman.config.rules.servers import tunnel_itself
from haman.config.shape.sites import Return
from haman.config.suggest import meant_or_known
from haman.failover.choice import HERE
from haman.model.relay import Proxy
from haman.model.services import Forward, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.services import Service
    from haman.config.shape.sites import Backup
    from haman.config.view import View
    from haman.model.addresses import Address


def findings(view: View) -> Iterator[Finding]:
    for name, service in view.file.services.items():
        path: Path = ("services", name)
        if service.failover is not None:
            yield from _failover(path, service)
        if service.backup is None:
            continue
        if service.fwmark is not None:
            what = "what a mark leads to has no one address and port that another site could answer for"
            yield Finding((*path, "backup"), what, "write a service with an 'address', or remove it", at_key=True)
            continue
        names: set[str] = set()
        taken = {view.address_of(service, server): f"server '{key}'" for key, server in service.servers.items()}
        for index, backup in enumerate(service.backup):
            below: Path = (*path, "backup", index)
            called = viewed.backup_name(backup, index)
            if called in names or called == HERE:
                what = "this service's own servers are called so" if called == HERE else "another backup is called so"
                yield Finding((*below, "name") if backup.name else below, f"'{called}': {what}", "write another name")
            names.add(called)
            yield from _itself(view, below, service, backup, index)
            yield from _addresses(view, below, service, backup, index, taken)
            yield from _check(view, below, service, backup)


def _failover(path: Path, service: Service) -> Iterator[Finding]:
    failover = service.failover
    assert failover is not None
    if service.backup is None:
        yield Finding((*path, "failover"), "there is no 'backup' to fail over to", "add one, or remove it", at_key=True)
    home = failover.return_
    below = viewed.below(failover)
    if isinstance(home, Return) and home.above is not None and home.above < below:
        what = "local servers would serve again while they are still too few"
        cure = f"write at least {below:.0%}, as in 'when_below'"
        if failover.when_below is None:
            cure = "leave it out, or write a 'when_below': without one a backup takes a share while any server is down"
        yield Finding((*path, "failover", "return", "above"), what, cure)


def _itself(view: View, path: Path, service: Service, backup: Backup, index: int) -> Iterator[Finding]:
    if backup.address is None and backup.servers is None:
        yield Finding(path, "there is neither an 'address' nor 'servers'", "add 'address: 203.0.113.10'", at_key=True)
    if backup.address is not None and backup.servers is not None:
        what = "there are both an 'address' and 'servers'"
        yield Finding((*path, "address"), what, "put it among the servers", at_key=True)
    forward = viewed.way(service, backup, index)
    if forward is Forward.RELAY:
        yield from _relayed(view, path, service, backup, index)
    else:
        for key in viewed.RELAYED:
            if getattr(backup, key) is not None:
                what = f"'{key}' is for a relay, but the backup is reached by 'forward: {forward.value}'"
                yield Finding((*path, key), what, "write 'forward: relay', or remove it", at_key=True)
    if forward is Forward.TUN:
        for key in ("port", "source"):
            if getattr(backup, key) is not None:
                what = f"with 'forward: tun' packets arrive as they were sent, so there is no other {key}"
                yield Finding((*path, key), what, "remove it, or write 'forward: fullnat'", at_key=True)
        for name, server in (backup.servers or {}).items():
            if server.port is not None:
                what = "with 'forward: tun' packets arrive as they were sent, so there is no other port"
                yield Finding(
                    (*path, "servers", name, "port"), what, "remove it, or write 'forward: fullnat'", at_key=True
                )
        if backup.tunnel is not None:
            yield from tunnel_itself((*path, "tunnel"), backup.tunnel)
        return
    if backup.tunnel is not None:
        what = f"there is a tunnel, but the backup is reached by 'forward: {forward.value}'"
        yield Finding((*path, "tunnel"), what, "add 'forward: tun', or remove the tunnel", at_key=True)
    for source in backup.source or ():
        if source not in view.router_by_vip and len(view.file.directors) > 1 and "routers" not in view.broken:
            what = f"{source} is not a VIP: it is on one director at most, and the backup's answers go there"
            yield Finding((*path, "source"), what, "write a VIP, or 'masquerade'", at_key=True, warning=True)


def _relayed(view: View, path: Path, service: Service, backup: Backup, index: int) -> Iterator[Finding]:
    at = next((key for key in ("forward", *viewed.RELAYED) if getattr(backup, key) is not None), None)
    where: Path = path if at is None else (*path, at)
    if service.protocol is Protocol.SCTP:
        yield Finding(where, "a relay takes TCP and UDP, and no SCTP", "write 'forward: fullnat'")
    if service.protocol is Protocol.UDP and backup.proxy is Proxy.V1:
        yield Finding((*path, "proxy"), "version 1 of the PROXY protocol has no words for UDP", "write 'v2'")
    for key, server in service.servers.items():
        address = view.address_of(service, server)
        if server.director is not None or address in view.director_by_address or (address and address.is_loopback):
            what = f"server '{key}' is this machine itself, and answers on the port on which the relay would listen"
            yield Finding(where, what, "write 'forward: fullnat', or let the server be another machine")
            break
    for address, _, _ in viewed.backup_servers(backup, index).values():
        if backup.source and not any(source.version == address.version for source in backup.source):
            what = f"none of these is of the family of {address}"
            yield Finding((*path, "source"), what, "add one that is, or remove it for the director's own", at_key=True)


def _addresses(
    view: View, path: Path, service: Service, backup: Backup, index: int, taken: dict[Address | None, str]
) -> Iterator[Finding]:
    forward = viewed.way(service, backup, index)
    ipv6 = viewed.is_ipv6(service)
    for name, (address, _, _) in viewed.backup_servers(backup, index).items():
        where: Path = (*path, "address") if backup.servers is None else (*path, "servers", name, "address")
        if address == service.address:
            yield Finding(where, "a service cannot be its own backup", "write the VIP of another site", certain=True)
        elif address in view.router_by_vip:
            what = f"{address} is a VIP of router '{view.router_by_vip[address]}', here and not at another site"
            yield Finding(where, what, "write the VIP of another site, or add the servers to 'servers'", certain=True)
        elif address in view.director_by_address:
            what = f"{address} is director '{view.director_by_address[address]}', here and not at another site"
            yield Finding(where, what, "write the VIP of another site, or add it to 'servers'", certain=True)
        elif address in taken:
            what = f"{taken[address]} of this service has this address"
            yield Finding(where, what, "write it in one place", certain=True)
        taken.setdefault(address, f"backup '{viewed.backup_name(backup, index)}'")
        if (address.version == 6) == ipv6:
            continue
        families = ("IPv4", "IPv6") if ipv6 else ("IPv6", "IPv4")
        what = f"{address} is an {families[0]} address behind an {families[1]} service"
        if forward is Forward.FULLNAT:
            yield Finding(where, what, "only 'forward: relay' and 'tun' can cross the families")
        elif forward is Forward.RELAY:
            continue  # it makes connections of its own
        elif view.file.sync is not False:
            yield Finding(where, what, "the kernel cannot synchronise such connections: write 'sync: false'")


def _check(view: View, path: Path, service: Service, backup: Backup) -> Iterator[Finding]:
    if isinstance(backup.check, str) and view.lacks("checks", backup.check):
        cure = meant_or_known(backup.check, view.names["checks"], "checks")
        yield Finding((*path, "check"), f"there is no check '{backup.check}'", cure, certain=True)
    if backup.check is False or (backup.check is None and not service.check):
        what = "nobody checks this backup, so it is used also when it is down"
        where, at_key = ((*path, "check"), True) if backup.check is False else (path, False)
        yield Finding(where, what, "add a 'check'", at_key=at_key, warning=True)

"""Which rules of the packet filter the services of one director need. Pure; configuration and the directors' MAC
addresses decide, no health: a server that comes and goes changes no rule.

A director that is a real server gets packets from two kinds of senders: clients, whose packets are to be balanced, and
the active director, which has balanced them already. Balanced once more they may go back, and forth, until their TTL
ends. A scheduler that hashes chooses the same server again; for every other one the frame's source tells the two apart,
and only clients' packets get the mark that leads to the service.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from haman.model.filter import Mark, Ruleset, SecondChance, SourceNat
from haman.model.kernel import ServiceKey
from haman.model.routers import StandbyAddress
from haman.model.services import Forward, Protocol
from haman.plan.identity import service_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from haman.model.addresses import Address
    from haman.model.cluster import Cluster
    from haman.model.services import Server, Service


def ruleset(
    cluster: Cluster, node: str, macs: Mapping[str, tuple[str, ...]], taken: Mapping[str, str] | None = None
) -> Ruleset:
    """macs: by director, the MAC addresses its frames may bear. taken: by router that this node is taking over, or has
    just taken over, in agreement with the director that served it, that director."""
    here = list(cluster.services_of(node))
    peers = tuple(sorted({mac for name, theirs in macs.items() if name != node for mac in theirs}))
    known = {router: before for router, before in (taken or {}).items() if macs.get(before)}
    return Ruleset(
        marks=tuple(
            mark for service in here if not strangers(cluster, service, node, macs) for mark in _marks(service, node)
        ),
        nats=tuple(nat for service in here for nat in _nats(service)),
        peers=peers,
        chances=tuple(_second_chances(cluster, node, known, peers)),
    )


def gives_second_chances(cluster: Cluster, node: str, router: str, before: str) -> bool:
    """Would `node` have anything to send on to director `before` after it has taken the router over from it?"""
    return any(True for _ in _second_chances(cluster, node, {router: before}, ()))


def strangers(cluster: Cluster, service: Service, node: str, macs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The directors that may send `node` what they have balanced, and whose MAC addresses are not known. While there is
    one nothing is marked for the service here: no packet can go round in circles, and this director answers alone
    what reaches it."""
    if not _screens(service, node):
        return ()
    router = cluster.router_of(service)
    others = cluster.directors if router is None else router.members
    return tuple(sorted(name for name in others if name != node and not macs.get(name)))


def _screens(service: Service, node: str) -> bool:
    """A director that serves nothing gets nothing from the others."""
    serves = any(server.director == node for server in service.servers.values())
    return serves and bool(service.screens or service.screened)


def _marks(service: Service, node: str) -> Iterator[Mark]:
    version = 6 if service.fwmark_ipv6 else 4
    screened = _screens(service, node)
    for front, mark in service.screens.items():
        assert service.protocol is not None
        yield Mark(
            mark=mark,
            version=version,
            protocols=(service.protocol,),
            destinations=(ip_network(str(service.address)),),
            ports=((front, front),),
            screened=screened,
        )
    for match in service.match:
        yield Mark(
            mark=service.fwmark or 0,
            version=version,
            protocols=match.protocols,
            destinations=match.addresses,
            excluded=match.excluded,
            sources=match.sources,
            incoming=match.incoming,
            ports=match.ports,
            diverted=match.diverted,
            screened=screened,
        )
    yield from _visits(service, screened=screened)


def _visits(service: Service, *, screened: bool) -> Iterator[Mark]:
    """AFTER the others, since the last mark counts. What a backup site sends here it sends because its own servers are
    down: led to local servers alone, it cannot be sent on, to that site or any other. A site of the other family,
    with no address of this one written, sends nothing that could be told from clients' packets."""
    origins = service.origins()
    for front, mark in service.visits.items() if origins else ():
        assert service.address is not None
        assert service.protocol is not None
        yield Mark(
            mark=mark,
            version=service.address.version,
            protocols=(service.protocol,),
            destinations=(ip_network(str(service.address)),),
            sources=origins,
            ports=((front, front),),
            screened=screened,
        )


def _nats(service: Service) -> Iterator[SourceNat]:
    """One for each IPVS service and new source."""
    there = [*service.servers.values(), *(server for each in service.backups for server in each.servers.values())]
    for front in service.fronts:
        key = service_key(service, front)
        if service.masquerade:
            yield SourceNat(version=6 if key.ipv6 else 4, mark=key.fwmark)
        yield from _readdressed(key, there)
    for mark in service.visits.values():
        yield from _readdressed(ServiceKey.marked(mark, ipv6=service.fwmark_ipv6), service.servers.values())


def _second_chances(
    cluster: Cluster, node: str, taken: Mapping[str, str], peers: tuple[str, ...]
) -> Iterator[SecondChance]:
    """Connections that are too young for connection sync to have told of them: only the director that served until now
    knows them, and can go on serving them if it still has the VIP, silently, and if answers do not come back through
    here."""
    here = list(cluster.services_of(node))
    if taken and not _computed(here, node):
        for service in here:
            yield from _second_chance(cluster, service, node, taken, peers)


def _computed(services: Iterable[Service], node: str) -> bool:
    """Directors that serve have the same table, and `mh` finds a connection's server again, with `sloppy_tcp` also from
    the middle on: nobody need be asked. One other scheduler needs that setting off, for the whole machine."""
    tcp = [service for service in services if service.protocol in (Protocol.TCP, None)]
    served = any(server.director == node for service in tcp for server in service.servers.values())
    return served and all(service.scheduler == "mh" for service in tcp)


def _second_chance(
    cluster: Cluster, service: Service, node: str, taken: Mapping[str, str], peers: tuple[str, ...]
) -> Iterator[SecondChance]:
    router = cluster.router_of(service)
    before = taken.get(router.name) if router is not None else None
    if router is None or before is None or node not in router.members or before not in router.members:
        return
    if service.protocol not in (Protocol.TCP, None) or router.standby_address is not StandbyAddress.LOOPBACK:
        return
    servers = [server for part in service.everywhere() for server in part.servers.values()]
    if cluster.sync is not None and cluster.sync.backup_only and all(server.director != before for server in servers):
        return  # whoever is not active passes nothing on: what it serves itself is all that it could save
    if any(server.forward in (Forward.NAT, Forward.FULLNAT) for server in servers):
        return
    if any(server.forward is Forward.RELAY for server in servers):
        return  # it listens on the VIP itself, and such a listener cannot be told from a connection (`wire.nftables`)
    ports: dict[tuple[Address | None, int, int], list[int]] = {}
    for front in service.fronts:
        key = service_key(service, front)
        ports.setdefault((key.address, key.fwmark, 6 if key.ipv6 else 4), []).extend([key.port] if key.port else [])
    for (vip, mark, version), numbers in ports.items():
        member = router.members[before]
        to = member.address if version == 4 else member.address6
        if to is not None:
            yield SecondChance(
                version=version,
                to=to,
                interface=router.members[node].interface,
                macs=peers,
                vip=vip,
                ports=tuple(numbers),
                mark=mark,
            )


def _readdressed(key: ServiceKey, servers: Iterable[Server]) -> Iterator[SourceNat]:
    version = 6 if key.ipv6 else 4
    by_source: dict[tuple[Address, ...], set[Address]] = {}
    for server in servers:
        if server.forward is Forward.FULLNAT:
            by_source.setdefault(server.source, set()).add(server.address)
    for source, addresses in by_source.items():
        yield SourceNat(
            version=version,
            vip=key.address,
            protocol=key.protocol,
            ports=(key.port,) if key.port else (),
            mark=key.fwmark,
            servers=tuple(sorted(addresses, key=int)),
            to=source,
        )

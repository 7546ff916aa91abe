"""The elector's part of the configuration, for one node. A pure function: the elector reads no YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.arbiter import TRACKER, Arbitration
from haman.model.elector import ElectorConfig, GroupConfig, Kin, RouterConfig
from haman.model.routers import Transport
from haman.model.routing import Diversion
from haman.model.services import Forward
from haman.model.trackers import Track

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.model.addresses import Address
    from haman.model.arbiter import Arbiter
    from haman.model.authentication import Credentials
    from haman.model.cluster import Cluster
    from haman.model.routers import Router
    from haman.model.trackers import Group


def slice_for(cluster: Cluster, node: str, generation: int, credentials: Credentials | None = None) -> ElectorConfig:
    """The routers `node` takes part in, as it plays them; generation counts the director's configurations.
    credentials: what was read for the cluster's authentication; left out by who sends nothing."""
    return ElectorConfig(
        generation=generation,
        node=node,
        routers=tuple(
            _router(router, node, credentials if router.authenticated else None, cluster.arbiter)
            for router in cluster.routers_of(node)
        ),
        groups=tuple(_group(cluster, group) for group in cluster.groups_of(node)),
        diversions=tuple(dict.fromkeys(_diversions(cluster, node))),
        opens=_opens(cluster, node),
        kin=tuple(Kin(address=address) for address in dict.fromkeys(_kin(cluster, node))),
        log_format=cluster.log_format,
        log_level=cluster.log_level,
    )


def _opens(cluster: Cluster, node: str) -> tuple[str, ...]:
    if cluster.sync is None or not cluster.sync.backup_only or not any(True for _ in cluster.services_of(node)):
        return ()
    return tuple(router.name for router in cluster.routers_of(node))


def _kin(cluster: Cluster, node: str) -> Iterator[Address]:
    """The other directors, all VIPs, and the servers that are sent packets to a VIP as they are."""
    for name, director in cluster.directors.items():
        if name != node:
            yield from director.addresses
    for router in cluster.routers.values():
        yield from (address.ip for address in router.addresses)
        for name, member in router.members.items():
            if name != node:
                yield from (address for address in (member.address, member.address6) if address is not None)
    for service in cluster.services_of(node):
        yield from (each.address for each in service.servers.values() if each.forward in (Forward.DR, Forward.TUN))


def _diversions(cluster: Cluster, node: str) -> Iterator[Diversion]:
    for service in cluster.services_of(node):
        if service.fwmark is not None and any(match.diverted for match in service.match):
            yield Diversion(mark=service.fwmark, version=6 if service.fwmark_ipv6 else 4)


def _group(cluster: Cluster, group: Group) -> GroupConfig:
    first, *others = (cluster.routers[name].members for name in group.routers)
    aliases = {
        str(address): known
        for members in (*others, first)
        for name, member in members.items()
        for address in (member.address, member.address6)
        if address is not None and (known := first[name].address or first[name].address6) is not None
    }
    return GroupConfig(name=group.name, routers=group.routers, aliases=aliases, track=group.track, watch=group.watch)


def _router(router: Router, node: str, credentials: Credentials | None, arbiter: Arbiter | None) -> RouterConfig:
    """A strict arbiter is one thing more that the router depends on.

    With unicast the peers are the other members' own addresses in the families of the VIPs, in the order of their
    names."""
    me = router.members[node]
    others = [member for name, member in sorted(router.members.items()) if name != node]
    families = {address.ip.version for address in router.addresses}
    unicast = router.transport is Transport.UNICAST
    peers = [address for member in others for address in (member.address, member.address6) if address is not None]
    return RouterConfig(
        name=router.name,
        vrid=router.vrid,
        priority=me.priority,
        interface=me.interface,
        source=me.address,
        advert_interval=router.advert_interval,
        addresses=router.addresses_on(node),
        source6=me.address6 if unicast else None,
        peers=tuple(address for address in peers if address.version in families) if unicast else (),
        version=router.version,
        password=router.password,
        credentials=credentials,
        minimum_ttl=router.minimum_ttl,
        checksum=router.checksum,
        preempt=router.preempt,
        track=router.track,
        watch=(*router.watch, Track(tracker=TRACKER)) if arbiter is not None and arbiter.strict else router.watch,
        routes=router.routes_on(node),
        rules=router.rules,
        announce=router.announce,
        confirm=router.confirm,
        standby_address=router.standby_address,
        linger=router.linger,
        arbiter=Arbitration(strict=arbiter.strict) if arbiter is not None else None,
    )

"""The elector's part of the configuration, for one node. A pure function: the elector reads no YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.cluster import Transport
from haman.model.elector import ElectorConfig, RouterConfig

if TYPE_CHECKING:
    from haman.model.cluster import Cluster, Router


def slice_for(cluster: Cluster, node: str, generation: int) -> ElectorConfig:
    """The routers `node` takes part in, as it plays them; generation counts the director's configurations."""
    return ElectorConfig(
        generation=generation,
        node=node,
        routers=tuple(_router(router, node) for router in cluster.routers_of(node)),
        log_format=cluster.log_format,
        log_level=cluster.log_level,
    )


def _router(router: Router, node: str) -> RouterConfig:
    """With unicast the peers are the other members' own addresses, in the order of their names."""
    me = router.members[node]
    others = sorted((name, member.address) for name, member in router.members.items() if name != node)
    unicast = router.transport is Transport.UNICAST
    return RouterConfig(
        name=router.name,
        vrid=router.vrid,
        priority=me.priority,
        interface=me.interface,
        source=me.address,
        advert_interval=router.advert_interval,
        addresses=router.addresses_on(node),
        peers=tuple(address for _, address in others) if unicast else (),
        minimum_ttl=router.minimum_ttl,
        checksum=router.checksum,
        preempt=router.preempt,
        track=router.track,
        announce=router.announce,
        standby_address=router.standby_address,
        linger=router.linger,
    )

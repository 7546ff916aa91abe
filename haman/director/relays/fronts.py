"""What the relay is to do, as a function of configuration, weights and health. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.health.hysteresis import Verdict
from haman.model.services import Protocol
from haman.relay.orders import Front, Server, Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from haman.health.hysteresis import Health
    from haman.model.cluster import Cluster
    from haman.model.services import Service, Target
    from haman.relay.orders import Weights


def fronts(cluster: Cluster, node: str) -> dict[str, Front]:
    """By name (`web:80`), the ports on which the relay listens here."""
    return {front.name: front for service in cluster.services_of(node) for front in _fronts(service)}


def weights(
    cluster: Cluster, node: str, weighed: Mapping[Target, int | None], health: Mapping[Target, Health]
) -> dict[str, Weights]:
    """By front. weighed: what each server is to have in the table, which is what it has in the relay."""
    return {
        f"{service.name}:{port}": {
            pool.name: {
                server.name: (weighed.get(target) or 0, target in health and health[target].verdict is Verdict.UP)
                for server in pool.servers.values()
                for target in (pool.target(server, port),)
            }
            for pool in _relayed(service)
        }
        for service in cluster.services_of(node)
        for port in service.ports
        if any(backup.relay is not None for backup in service.backups)
    }


def _relayed(service: Service) -> list[Service]:
    return [pool for backup, pool in zip(service.backups, service.pools(), strict=True) if backup.relay is not None]


def _fronts(service: Service) -> Iterator[Front]:
    terms = {f"{service.name}@{backup.name}": backup.relay for backup in service.backups}
    pools = _relayed(service)
    for port in service.ports if pools else ():
        assert service.address is not None
        ways = []
        for pool in pools:
            found = terms[pool.name]
            assert found is not None
            servers = tuple(
                Server(each.name, each.address, each.port or port, next(iter(each.source), None))
                for each in pool.servers.values()
            )
            prefix = service.persistence.prefix if service.persistence is not None else None
            ways.append(Way(pool.name, found, servers, prefix))
        yield Front(
            f"{service.name}:{port}",
            service.protocol or Protocol.TCP,
            service.address,
            port,
            tuple(ways),
            service.origins(),
        )

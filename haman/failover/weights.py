"""From the site that serves to the weights in the table: who gets new connections, who ends old ones, who goes.

The site that does not serve gets nothing new. What becomes of the connections that it has:

* A server that is down leaves the table: the next packet of its clients finds no server, and they are told at once
  (TCP) or sent to the site that serves (UDP). Nobody hangs on a dead one, whatever `on_failure` says.
* One that is up keeps its TCP connections until they end: weight 0. A backup lies in the table like that from its
  first good check on, so that a switch changes weights and nothing else.
* UDP has no end of a connection: a client that keeps its port and goes on sending would stay for ever. So for UDP, and
  for schedulers that go on choosing servers of weight 0 and then refuse the client, the site that does not serve leaves
  the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.failover.choice import Level
from haman.health.hysteresis import Verdict
from haman.model.services import Protocol
from haman.model.sites import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from haman.failover.choice import Choice
    from haman.health.hysteresis import Health
    from haman.model.services import Service, Target

REFUSING = {"dh": "", "sh": "sh-fallback", "mh": "mh-fallback"}
"""Schedulers that leave a server of weight 0 its place among the others, and refuse whom they send there, unless with
this flag (net/netfilter/ipvs/ip_vs_dh.c, ip_vs_sh.c, ip_vs_mh.c)."""

HEAVIEST = 65535
"""As in a configuration."""

Weights = dict["Target", int | None]
"""None: not in the table. 0: no new connections."""


def level(service: Service, weights: Mapping[Target, int | None], health: Mapping[Target, Health]) -> Level:
    """weights: by the checks, as if every site served."""
    fronts = [_front(service, front, weights, health) for front in service.fronts]
    asked = [target for target, server in service.targets() if server.weight > 0]
    share = min(up / total if total else 0.0 for up, total in fronts)
    up_somewhere = any(health[target].verdict is Verdict.UP for target in asked)
    return Level(
        share=share,
        known=up_somewhere or all(health[target].checked for target in asked),
        up=tuple(_usable(pool, health) for pool in service.pools()),
    )


def weighed(
    service: Service, choice: Choice, weights: Mapping[Target, int | None], health: Mapping[Target, Health]
) -> Weights:
    """Of all the service's servers, local and of backups, given what their checks say by themselves; and of those that
    serve what other sites send here, which are the local ones whichever site serves."""
    rules = service.failover
    pools = list(service.pools())
    found: Weights = {}
    if choice.serving == LOCAL:
        found |= _serving(service, weights, health, open_=choice.open)
    elif rules.spill_over:
        found |= {target: weights[target] if _up(health[target]) else None for target, _ in service.targets()}
    else:
        found |= _waiting(service, health)
    for number, pool in enumerate(pools, 1):
        if number != choice.serving:
            found |= _waiting(pool, health)
            continue
        serving = _serving(pool, weights, health, open_=choice.open)
        found |= _spilled(service, pool, found, serving) if rules.spill_over else serving
    if (visiting := service.visiting()) is not None:
        found |= {target: weights[target._replace(service=service.name)] for target, _ in visiting.targets()}
    return found


def _serving(
    service: Service, weights: Mapping[Target, int | None], health: Mapping[Target, Health], *, open_: bool
) -> Weights:
    """open_: though none is up. Of those that ever were, all are used, and if none ever was, simply all."""
    if not open_:
        return {target: weights[target] for target, _ in service.targets()}
    proven = any(health[target].proven for target, _ in service.targets())
    return {
        target: server.weight if health[target].proven or not proven else None for target, server in service.targets()
    }


def idle(service: Service) -> int | None:
    """The weight of what is up at a site that does not serve."""
    refuses = service.scheduler in REFUSING and REFUSING[service.scheduler] not in service.flags
    return 0 if service.protocol is not Protocol.UDP and not refuses else None


def _waiting(service: Service, health: Mapping[Target, Health]) -> Weights:
    quiet = idle(service)
    return {target: quiet if _up(health[target]) else None for target, _ in service.targets()}


def _spilled(service: Service, pool: Service, local: Weights, serving: Weights) -> Weights:
    """The backup gets the weight that is missing locally, shared out among its servers as they are weighed.

    Local weights change with it where whole numbers ask for it, and shrink where they would get too large.
    """
    factor = sum(server.weight for server in pool.servers.values()) or 1
    missing = {
        front: sum(server.weight for server in service.servers.values())
        - sum(local[service.target(server, front)] or 0 for server in service.servers.values())
        for front in service.fronts
    }
    gap = max(0, *missing.values())
    wanted: Weights = {target: weight and weight * factor for target, weight in local.items()}
    wanted |= {target: weight and weight * gap for target, weight in serving.items()}
    shrink = max(1.0, max((weight or 0 for weight in wanted.values()), default=0) / HEAVIEST)
    return {target: weight and max(1, int(weight / shrink)) for target, weight in wanted.items()}


def _front(
    service: Service, front: int, weights: Mapping[Target, int | None], health: Mapping[Target, Health]
) -> tuple[int, int]:
    """The weight that is up, and all there may be."""
    up = total = 0
    for server in service.servers.values():
        target = service.target(server, front)
        total += server.weight
        if _up(health[target]):
            up += min(weights[target] or 0, server.weight)
    return up, total


def _usable(pool: Service, health: Mapping[Target, Health]) -> bool | None:
    fronts: Iterable[list[Health]] = (
        [health[pool.target(server, front)] for server in pool.servers.values() if server.weight > 0]
        for front in pool.fronts
    )
    found = [(any(map(_up, each)), all(health.checked for health in each)) for each in fronts]
    if all(up for up, _ in found):
        return True
    return False if any(not up and checked for up, checked in found) else None


def _up(health: Health) -> bool:
    return health.verdict is Verdict.UP

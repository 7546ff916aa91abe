"""What haman would do to this kernel with a configuration, and to whom: planned as ever, carried out by nobody.

Roles, weights and health are those of the haman that runs here, as its status tells them. Where none runs, or it does
not know a router or server yet, something has to be assumed, and is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from haman.director import planning
from haman.director.frames import Frames
from haman.director.slice import slice_for
from haman.election.group import place
from haman.election.succession import match
from haman.failover import weights as failover_weights
from haman.kernel import remembered, sysctls
from haman.kernel.addresses import Addresses
from haman.kernel.ipvs import Ipvs
from haman.kernel.ipvs.connections import connections
from haman.kernel.nftables import PacketFilter
from haman.model.kernel import Kernel, TableKey
from haman.model.services import Forward, OnFailure, Target
from haman.plan import desired
from haman.plan.blast import Blast, blast
from haman.plan.diff import diff
from haman.plan.ownership import of_director, of_elector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from haman.election.succession import Succession
    from haman.model.cluster import Cluster
    from haman.model.elector import ElectorConfig
    from haman.model.services import Server, Service
    from haman.plan.ops import Op


@dataclass(frozen=True, slots=True)
class Foreseen:
    """assumed: sentences. moves: of the election, in sentences: what no operation of this plan shows. ways: how backups
    are reached."""

    ops: tuple[Op, ...] = ()
    blast: Blast = field(default_factory=Blast)
    assumed: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.ops or self.moves)


async def foresee(cluster: Cluster, node: str, status: Mapping[str, Any] | None) -> Foreseen:
    """status: the document of `haman status`, None where no haman runs. Raises KernelUnavailable, KernelRefused, and
    OSError where this process may not look."""
    config = slice_for(cluster, node, generation=0)
    owner = of_elector(config, remembered.load("addresses"))
    reader = Addresses()
    await reader.open()
    dump = await reader.snapshot()
    held = replace(dump, sysctls=sysctls.read(owner.sysctls))
    holding, assumed = roles(config, held, status)
    ops = diff(desired.addresses(config, holding), held, owner)
    weights, more = weigh(cluster, node, status)
    table, changes = await _ipvs(cluster, node, weights, second_chances(status))
    whole = (*changes, *ops)
    actual = replace(table, addresses=held.addresses)
    toll = blast(whole, actual, connections() if table.services else ())
    return Foreseen(whole, toll, (*assumed, *more), tuple(elections(config, status)), tuple(ways(cluster, node)))


async def _ipvs(
    cluster: Cluster, node: str, weights: Mapping[Target, int | None], taken: Mapping[str, str]
) -> tuple[Kernel, tuple[Op, ...]]:
    known = remembered.load("ipvs")
    owner = of_director(cluster, node, known)
    if not known and not any(True for _ in cluster.services_of(node)):
        return Kernel(), ()
    table = Ipvs()
    try:
        held = replace(await table.snapshot(), sysctls=sysctls.read(owner.sysctls))
    finally:
        table.close()
    if owner.tables or TableKey() in known:
        reader = PacketFilter()
        try:
            held = replace(held, tables=await reader.snapshot())
        finally:
            reader.close()
    _, ops = planning.whole(cluster, node, weights, held, owner, macs=Frames().known(cluster), taken=taken)
    return held, ops


def second_chances(status: Mapping[str, Any] | None) -> dict[str, str]:
    """By router that is just being taken over, the director that is asked about what is unknown here: rules for some
    seconds, which no configuration shows. An older haman tells of none."""
    routers = status["routers"] if status is not None else ()
    return {each["name"]: each["second_chance"] for each in routers if each.get("second_chance")}


def roles(config: ElectorConfig, held: Kernel, status: Mapping[str, Any] | None) -> tuple[dict[str, bool], list[str]]:
    """By router, whether its VIPs are to be on the NIC; and what was assumed."""
    running = {each["name"]: bool(each["holds"]) for each in status["routers"]} if status is not None else {}
    goes_on = _heirs(config, status).goes_on if status is not None else {}
    holding, assumed = {}, []
    for router in config.routers:
        if router.name in goes_on:
            holding[router.name] = running[goes_on[router.name]]
            continue
        here = any(desired.on_nic(router, vip) in held.addresses for vip in router.addresses)
        holding[router.name] = here
        found = "has its VIPs on the NIC, so it is taken as active" if here else "is taken as standby"
        reason = "is new" if status is not None else "is in no running haman"
        assumed.append(f"router {router.name} {reason} and {found}")
    return holding, assumed


def weigh(cluster: Cluster, node: str, status: Mapping[str, Any] | None) -> tuple[dict[Target, int | None], list[str]]:
    """By target, its weight; and what was assumed."""
    running = {
        Target(service["name"], server["name"], server["port"]): server
        for service in (status["services"] if status is not None else ())
        for server in service["servers"]
    }
    running |= {
        Target(backup["called"], server["name"], server["port"]): server
        for service in (status["services"] if status is not None else ())
        for backup in service.get("backups", ())  # an older haman tells of none
        for server in backup["servers"]
    }
    weights: dict[Target, int | None] = {}
    fresh = []
    for service in cluster.services_of(node):
        weights |= _of_backups(service, running)
        out = None if service.on_failure is OnFailure.REMOVE else 0
        for target, server in service.targets():
            known = _known(running, target, server)
            if known is None:
                weights[target] = server.weight
                fresh.append(str(target))
            elif known["configured_weight"] == server.weight:
                weights[target] = known["weight"]
            elif known["state"] == "up" or known["kept_by_minimum_up"]:
                weights[target] = server.weight
            else:
                weights[target] = out if known["state"] == "down" else None
    if not fresh:
        return weights, []
    names = ", ".join(fresh[:5]) + (f" and {len(fresh) - 5} more" if len(fresh) > 5 else "")
    if status is None:
        return weights, [f"no haman runs here, so every server is taken as up: {names}"]
    return weights, [f"new, and taken as up: they are served once their first check has passed: {names}"]


def _known(running: Mapping[Target, Any], target: Target, server: Server) -> Any:
    """At another address it is another server, whatever it is called: None."""
    known = running.get(target)
    return known if known is not None and known["address"] == str(server.address) else None


def _of_backups(service: Service, running: Mapping[Target, Any]) -> dict[Target, int | None]:
    """Of the other sites, and of what they send here. One that is new waits."""
    found: dict[Target, int | None] = {}
    for pool in service.pools():
        for target, server in pool.targets():
            known = _known(running, target, server)
            found[target] = failover_weights.idle(service) if known is None else known["weight"]
    if (visiting := service.visiting()) is not None:
        for target, server in visiting.targets():
            known = _known(running, Target(service.name, target.server, target.port), server)
            found[target] = server.weight if known is None else known.get("checked_weight", server.weight)
    return found


def ways(cluster: Cluster, node: str) -> Iterator[str]:
    """How each backup is reached."""
    for service in cluster.services_of(node):
        for backup in service.backups:
            for server in backup.servers.values():
                seen = "the client's address is kept"
                if server.forward in (Forward.FULLNAT, Forward.RELAY):
                    seen = f"it sees {', '.join(map(str, server.source)) or 'the address of this director'}"
                if backup.relay is not None and backup.relay.proxy is not None:
                    seen += f", and is told the client by the PROXY protocol {backup.relay.proxy.value}"
                port = f":{server.port}" if server.port else ""
                where = f"{server.address}{port}, by {server.forward.value}"
                yield f"service {service.name}: backup {backup.name} is {where}: {seen}"


def elections(config: ElectorConfig, status: Mapping[str, Any] | None) -> list[str]:
    """Routers that are renamed, move, leave or begin: what no operation of the plan shows."""
    if status is None:
        return []
    wanted = {router.name: router for router in config.routers}
    running = {each["name"]: each for each in status["routers"]}
    heirs = _heirs(config, status)
    said = []
    for name, old in heirs.goes_on.items():
        router, here = wanted[name], f"({running[old]['role']} here)"
        if name != old:
            said.append(f"router {old} {here} is renamed to {name}: its election goes on")
        elif name in heirs.moved:
            device, vrid = heirs.moved[name]
            said.append(
                f"router {name} {here} moves from VRID {vrid} on {device} to VRID {router.vrid} on {router.interface}:"
                " its election goes on; reload the active director last"
            )
    said += [
        f"router {name} ({running[name]['role']} here) leaves the configuration"
        for name in running
        if name not in heirs.goes_on.values()
    ]
    said += [f"router {name} begins: it listens before it speaks" for name in wanted if name not in heirs.goes_on]
    return said


def _heirs(config: ElectorConfig, status: Mapping[str, Any]) -> Succession:
    """Which running router goes on as which. The routers of a sync group have one role, so that each may be looked at
    by itself."""
    running = {}
    for each in status["routers"]:
        # What has left the configuration, and waits for its successor, is nobody's any more.
        running[each["name"]] = [(each["interface"] or "", each["vrid"] or 0)]
    return match(running, {router.name: [place(router)] for router in config.routers})

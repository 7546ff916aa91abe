"""What this director knows at one moment, as values: for `haman status` (plain JSON) and for metrics (Figures).

`document` is an interface: its fields are described in docs/reference/cli.md, and only ever added to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from haman import __version__
from haman.health.hysteresis import Verdict
from haman.health.weights import State
from haman.model.transition import Role
from haman.observe.figures import Figures
from haman.observe.journal import fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from haman.health.board import Board
    from haman.kernel.refusal import Refusal
    from haman.model.cluster import Cluster, Service, Target
    from haman.model.elector import Counters, RoleReport
    from haman.model.transition import Transition
    from haman.observe.tally import Tally
    from haman.probes.outcome import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """now: monotonic, at: wall clock, both of this moment; every other time is on one of the two as it says.

    waiting: routers that are not ready, and why. latest: the last check result by target. lag: seconds by process.
    heartbeat_age: since the elector was last heard; trouble with it ends this process, so it is never long.
    """

    now: float
    at: float
    cluster: Cluster
    node: str
    file: str
    generation: int
    loaded_at: float  # wall clock
    started_at: float  # wall clock
    pid: int
    roles: Sequence[RoleReport]
    waiting: Mapping[str, str]
    counters: Counters | None
    board: Board
    latest: Mapping[Target, Result]
    in_flight: int
    check_lateness: float
    unavailable: str | None
    loaded: bool
    refused: Sequence[Refusal]
    lag: Mapping[str, float]
    heartbeat_age: float
    hooks_waiting: int
    transitions: Sequence[Transition]
    tally: Tally


def document(view: View) -> dict[str, Any]:
    """Plain JSON values. Times are wall-clock seconds since the epoch unless a name ends in `_seconds`."""
    routers = [_router(view, report) for report in view.roles]
    services = [_service(view, service) for service in view.cluster.services_of(view.node)]
    return {
        "version": __version__,
        "now": view.at,
        "cluster": view.cluster.name,
        "node": view.node,
        "pid": view.pid,
        "started": view.started_at,
        "config": {"file": view.file, "generation": view.generation, "loaded": view.loaded_at},
        "elector": {"heartbeat_age_seconds": view.heartbeat_age, "lag_seconds": view.lag.get("elector", 0.0)},
        "director": {
            "lag_seconds": view.lag.get("director", 0.0),
            "checks_in_flight": view.in_flight,
            "checks_late_seconds": view.check_lateness,
            "hooks_waiting": view.hooks_waiting,
        },
        "routers": routers,
        "services": services,
        "kernel": {
            "ipvs": view.unavailable or "ok",
            "loaded": view.loaded,
            "refused": [{"operation": str(each.op), "why": str(each.error)} for each in view.refused],
        },
        "problems": list(_problems(view)),
        "transitions": [fields(transition) for transition in view.transitions],
    }


def figures(view: View) -> Figures:
    """The same moment in numbers."""
    services = list(view.cluster.services_of(view.node))
    weights = view.board.weights
    return Figures(
        cluster=view.cluster.name,
        node=view.node,
        generation=view.generation,
        loaded_at=view.loaded_at,
        roles=view.roles,
        waiting=view.waiting,
        counters=view.counters.routers if view.counters is not None else {},
        services=[(service.name, view.board.service(service.name).state.value) for service in services],
        servers=[
            (target, health.verdict is Verdict.UP, weights[target]) for target, health in view.board.health.items()
        ],
        in_flight=view.in_flight,
        check_lateness=view.check_lateness,
        refused=len(view.refused),
        ipvs_available=view.unavailable is None,
        lag=view.lag,
        heartbeat_age=view.heartbeat_age,
        tally=view.tally.copy(),
    )


def _router(view: View, report: RoleReport) -> dict[str, Any]:
    router = view.cluster.routers.get(report.router)
    addresses = router.addresses_on(view.node) if router is not None and view.node in router.members else ()
    return {
        "name": report.router,
        "role": report.role.value,
        "since": _wall(view, report.since),
        "why": report.why,
        "priority": report.priority,
        "vrid": router.vrid if router is not None else None,
        "holds": report.holds,
        "addresses": [f"{address.interface} on {address.device}" for address in addresses],
        "active_peer": _peer(view, report),
        "waiting": view.waiting.get(report.router),
    }


def _peer(view: View, report: RoleReport) -> dict[str, Any] | None:
    if report.peer is None:
        return None
    router = view.cluster.routers.get(report.router)
    members = router.members.values() if router is not None else ()
    name = next((member.director for member in members if member.address == report.peer), None)
    return {"address": str(report.peer), "director": name, "priority": report.peer_priority}


def _service(view: View, service: Service) -> dict[str, Any]:
    weighing = view.board.service(service.name)
    if service.protocol is not None:
        where = f"{service.protocol.value} {service.address}:{','.join(map(str, service.ports))}"
    else:
        where = f"fwmark {service.fwmark}"
    return {
        "name": service.name,
        "where": where,
        "scheduler": service.scheduler,
        "state": weighing.state.value,
        "since": _wall(view, view.board.service_since(service.name)),
        "why": weighing.why,
        "check": service.check.name if service.check is not None else None,
        "servers": [
            _server(view, target, str(server.address), server.weight, kept=target in weighing.kept)
            for target, server in service.targets()
        ],
    }


def _server(view: View, target: Target, address: str, weight: int, *, kept: bool) -> dict[str, Any]:
    health = view.board.health[target]
    latest = view.latest.get(target)
    return {
        "name": target.server,
        "address": address,
        "port": target.port,
        "state": health.verdict.value,
        "since": _wall(view, health.since),
        "why": health.why,
        "in_doubt": health.in_doubt,
        "weight": view.board.weights[target],
        "configured_weight": weight,
        "kept_by_minimum_up": kept,
        "last_check": None
        if latest is None
        else {"outcome": latest.outcome.value, "words": latest.words, "latency_seconds": latest.latency},
    }


def _problems(view: View) -> Iterator[str]:
    """What makes `haman status` exit 3: a service or a router that does not do its work here."""
    if view.unavailable is not None:
        yield f"IPVS: {view.unavailable}"
    for report in view.roles:
        if report.role is Role.FAULT:
            yield f"router {report.router} is in fault: {report.why}"
    for service in view.cluster.services_of(view.node):
        weighing = view.board.service(service.name)
        if weighing.state in (State.DOWN, State.FLOOR):
            yield f"service {service.name}: {weighing.why}"
    for refusal in view.refused:
        yield f"the kernel refuses: {refusal.error}"


def _wall(view: View, monotonic: float) -> float:
    return view.at - (view.now - monotonic)

"""What this director knows at one moment, as values: for `haman status` (plain JSON) and for metrics (Figures).

`document` is an interface: its fields are described in docs/reference/cli.md, and only ever added to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from haman import __version__
from haman.health import expiry
from haman.health.hysteresis import Verdict
from haman.health.weights import State
from haman.model.checks import HttpProbe
from haman.model.sites import LOCAL
from haman.model.trackers import Standing
from haman.model.transition import Role
from haman.observe.figures import Figures, ServerFigures
from haman.observe.journal import fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from haman.director.orders import Orders
    from haman.director.peers import Peer, Peers
    from haman.director.sites import Sites
    from haman.director.splits import Split
    from haman.director.state import Configured
    from haman.health.agreement import Agreement
    from haman.health.board import Board
    from haman.kernel.refusal import Refusal
    from haman.model.addresses import Address
    from haman.model.checks import Check
    from haman.model.cluster import Cluster
    from haman.model.elector import Counters, RoleReport
    from haman.model.services import Server, Service, Target
    from haman.model.standing import Connections
    from haman.model.trackers import Verdict as TrackerVerdict
    from haman.model.transition import Transition
    from haman.observe.figures import Traffic
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
    configured: Configured
    modified: float | None  # the file's time stamp now
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
    strangers: Mapping[str, Sequence[str]]  # by service, directors whose frames it cannot tell from clients'
    lag: Mapping[str, float]
    heartbeat_age: float
    hooks_waiting: int
    peers: Peers
    connections: Mapping[str, Connections]  # by router: what the table holds of those that are synchronised
    arbiter: TrackerVerdict | None  # of the last looks at it
    splits: Mapping[str, Split]  # by router that is active here and elsewhere
    taken: Mapping[str, str]  # by router, the director that is asked about connections unknown here
    agreement: Agreement
    weights: Mapping[Target, int | None]  # as they are to be in the kernel's table
    own: Mapping[Target, int | None]  # the same by this director's own checks
    sites: Sites
    relays: Mapping[str, Mapping[str, Any]]  # by the name of a backup's service, what relay.account tells
    relay_problems: Sequence[str]
    daemons: Mapping[str, bool]  # by sync daemon that is wanted: does the kernel run it
    trackers: Mapping[str, TrackerVerdict]
    unjudged: Sequence[str]
    orders: Orders
    transitions: Sequence[Transition]
    tally: Tally

    def differing(self, service: Service) -> list[Target]:
        """Servers with the weight that the active director gives them, where this one's own checks say another."""
        return self.agreement.differing(service.name, self.own)


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
        "config": view.configured.plain(view.modified),
        "elector": {"heartbeat_age_seconds": view.heartbeat_age, "lag_seconds": view.lag.get("elector", 0.0)},
        "director": {
            "lag_seconds": view.lag.get("director", 0.0),
            "checks_in_flight": view.in_flight,
            "checks_late_seconds": view.check_lateness,
            "hooks_waiting": view.hooks_waiting,
        },
        "orders": view.orders.plain(),
        "directors": [_director(view, peer) for peer in view.peers.all.values()],
        "routers": routers,
        "services": services,
        "trackers": list(_trackers(view)),
        "arbiter": _arbiter(view),
        "kernel": {
            "ipvs": view.unavailable or "ok",
            "loaded": view.loaded,
            "sync_daemons": dict(view.daemons),
            "refused": [{"operation": str(each.op), "why": str(each.error)} for each in view.refused],
        },
        "problems": list(_problems(view)),
        "transitions": [fields(transition) for transition in view.transitions],
    }


def figures(view: View, traffic: Traffic | None = None) -> Figures:
    """The same moment in numbers. traffic: what the kernel counted."""
    services = list(view.cluster.services_of(view.node))
    return Figures(
        cluster=view.cluster.name,
        node=view.node,
        generation=view.configured.generation,
        loaded_at=view.configured.loaded_at,
        reload_ok=view.configured.ok,
        reloaded_at=view.configured.attempted_at,
        roles=view.roles,
        waiting=view.waiting,
        maintenance=view.orders.maintenance is not None,
        counters=view.counters.routers if view.counters is not None else {},
        services=[(service.name, view.board.service(service.name).state.value) for service in services],
        differing={service.name: len(view.differing(service)) for service in services},
        servers=[each for service in services for part in service.checked() for each in _server_figures(view, part)],
        sites=[
            (name, view.sites.name_of(name, number), choice.serving == number)
            for name, choice in view.sites.choices.items()
            for number in range(len(choice.seen) + 1)
        ],
        in_flight=view.in_flight,
        check_lateness=view.check_lateness,
        refused=len(view.refused),
        ipvs_available=view.unavailable is None,
        lag=view.lag,
        heartbeat_age=view.heartbeat_age,
        hooks_waiting=view.hooks_waiting,
        daemons=view.daemons,
        channel_refused=dict(view.peers.refusals),
        connections={
            router: (own.established, None if (active := view.peers.serving(router)) is None else active[1].established)
            for router, own in view.connections.items()
        },
        traffic=traffic,
        routers={router.name: router for router in view.cluster.routers_of(view.node)},
        relays=view.relays,
        trackers=[(name, verdict.standing is Standing.UP) for name, verdict in view.trackers.items()],
        arbiter=None if view.arbiter is None else view.arbiter.standing is Standing.UP,
        splits={report.router: report.router in view.splits for report in view.roles},
        tally=view.tally.copy(),
    )


def _server_figures(view: View, service: Service) -> Iterator[ServerFigures]:
    kept = view.board.service(service.name).kept
    for target, _ in service.targets():
        health, latest = view.board.health[target], view.latest.get(target)
        if target in kept:
            reason = "minimum_up"
        elif latest is not None and health.checked:
            reason = latest.outcome.value
        else:
            reason = "not_checked" if health.cause == "start" else health.cause
        yield ServerFigures(target, health.verdict is Verdict.UP, view.weights[target], reason)


def _router(view: View, report: RoleReport) -> dict[str, Any]:
    router = view.cluster.routers.get(report.router)
    addresses = router.addresses_on(view.node) if router is not None and view.node in router.members else ()
    return {
        "name": report.router,
        "role": report.role.value,
        "since": _wall(view, report.since),
        "why": report.why,
        "group": next((group.name for group in view.cluster.groups.values() if report.router in group.routers), None),
        "priority": report.priority,
        "vrid": router.vrid if router is not None else None,
        "interface": router.members[view.node].interface if addresses and router is not None else None,
        "holds": report.holds,
        "addresses": [f"{address.interface} on {address.device}" for address in addresses],
        "active_peer": _peer(view, report),
        "takeover": _takeover(report),
        "complaints": list(report.complaints),
        "split_brain": _split(view, report),
        "held": report.held,
        "waiting": view.waiting.get(report.router),
        "second_chance": view.taken.get(report.router),
        "connections": _connections(view, report),
    }


def _takeover(report: RoleReport) -> dict[str, Any] | None:
    """What came of asking about it; None while it is being asked, or is not."""
    found = report.confirmation
    if found is None:
        return None
    return {
        "verdict": found.verdict.value,
        "seconds": found.seconds,
        "why": found.why,
        "second_owners": list(found.owners),
    }


def _arbiter(view: View) -> dict[str, Any] | None:
    settings = view.cluster.arbiter
    if settings is None:
        return None
    state = "unknown" if view.arbiter is None else view.arbiter.standing.value
    why = "not looked at yet" if view.arbiter is None else view.arbiter.why
    return {"state": state, "why": why, "quorum": settings.quorum, "strict": settings.strict}


def _split(view: View, report: RoleReport) -> dict[str, Any] | None:
    split = view.splits.get(report.router)
    if split is None:
        return None
    return {"since": _wall(view, split.since), "rivals": list(split.rivals), "words": split.words}


def _connections(view: View, report: RoleReport) -> dict[str, Any] | None:
    """Established ones, here and, on a standby, there."""
    own = view.connections.get(report.router)
    if own is None:
        return None
    active = view.peers.serving(report.router) if report.role is Role.STANDBY else None
    return {
        "held": own.established,
        "director": None if active is None else active[0],
        "of": None if active is None else active[1].established,
    }


def _trackers(view: View) -> Iterator[dict[str, Any]]:
    for name, verdict in view.trackers.items():
        yield {"name": name, "state": verdict.standing.value, "why": verdict.why, "number": verdict.number}
    for name in view.unjudged:
        yield {"name": name, "state": "unknown", "why": "not judged yet", "number": 0}


def _peer(view: View, report: RoleReport) -> dict[str, Any] | None:
    if report.peer is None:
        return None
    name = director_at(view.cluster, report.peer)
    return {"address": str(report.peer), "director": name, "priority": report.peer_priority}


def director_at(cluster: Cluster, address: Address) -> str | None:
    """The peer of a sync group is known by its address in the group's first router, for all of them."""
    members = [member for router in cluster.routers.values() for member in router.members.values()]
    return next((member.director for member in members if member.has(address)), None)


def _director(view: View, peer: Peer) -> dict[str, Any]:
    """Another director, as the directors' channel has it."""
    standing = peer.standing
    return {
        "name": peer.name,
        "heard": not peer.silent,
        "heard_seconds_ago": view.now - peer.heard if peer.heard is not None else None,
        "same_configuration": view.peers.same_config(peer),
        "refused": peer.refused or None,
        "doubted": peer.doubted or None,
        "roles": dict(standing.roles) if standing is not None else {},
        "waiting": dict(standing.waiting) if standing is not None else {},
        "connections": {router: each.established for router, each in standing.connections.items()} if standing else {},
        "reaches_arbiter": standing.arbiter if standing is not None else None,
    }


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
        "follows": view.agreement.follows(service.name),
        "servers": [
            _server(view, service.check, target, server, kept=target in weighing.kept)
            for target, server in service.targets()
        ],
        "site": _site(view, service),
        "backups": [_backup(view, service, number, pool) for number, pool in enumerate(service.pools(), 1)],
    }


def _site(view: View, service: Service) -> dict[str, Any] | None:
    """None without backups."""
    choice = view.sites.choices.get(service.name)
    if choice is None:
        return None
    return {
        "serves": view.sites.name_of(service.name, choice.serving),
        "although_down": choice.open,
        "since": _wall(view, choice.since),
        "why": choice.why,
        "order": choice.order.value,
        "follows": view.sites.followed(service.name),
        "spill_over": service.failover.spill_over,
    }


def _backup(view: View, service: Service, number: int, pool: Service) -> dict[str, Any]:
    weighing = view.board.service(pool.name)
    choice = view.sites.choices[service.name]
    return {
        "name": service.backups[number - 1].name,
        "called": pool.name,
        "serves": choice.serving == number,
        "state": weighing.state.value,
        "since": _wall(view, view.board.service_since(pool.name)),
        "why": weighing.why,
        "check": pool.check.name if pool.check is not None else None,
        "forward": next(iter(pool.servers.values())).forward.value,
        "relay": view.relays.get(pool.name),
        "servers": [_server(view, pool.check, target, server, kept=False) for target, server in pool.targets()],
    }


def _server(view: View, check: Check | None, target: Target, server: Server, *, kept: bool) -> dict[str, Any]:
    health = view.board.health[target]
    latest = view.latest.get(target)
    return {
        "name": target.server,
        "address": str(server.address),
        "port": target.port,
        "state": health.verdict.value,
        "since": _wall(view, health.since),
        "why": health.why,
        "in_doubt": health.in_doubt,
        "weight": view.weights[target],
        "own_weight": view.own[target],
        "checked_weight": view.board.weights[target],
        "configured_weight": server.weight,
        "kept_by_minimum_up": kept,
        "last_check": None
        if latest is None
        else {
            "outcome": latest.outcome.value,
            "words": latest.words,
            "latency_seconds": latest.latency,
            "certificate_ends": latest.certificate_ends,
            "certificate": _certificate(view, check, latest),
        },
    }


def _certificate(view: View, check: Check | None, latest: Result) -> str | None:
    """In words, if the server's certificate ends sooner than its check tolerates in silence."""
    ends = latest.certificate_ends
    if ends is None or check is None or not isinstance(check.probe, HttpProbe) or check.probe.tls is None:
        return None
    is_ending = expiry.state(ends, view.at, check.probe.tls.warn_before) == expiry.ENDING
    return expiry.words(ends - view.at) if is_ending else None


def _problems(view: View) -> Iterator[str]:
    """What makes `haman status` exit 3: a service or a router that does not do its work here."""
    yield from view.configured.problems()
    if view.unavailable is not None:
        yield f"IPVS: {view.unavailable}"
    yield from view.relay_problems
    for report in view.roles:
        if report.role is Role.FAULT:
            yield f"router {report.router} is in fault: {report.why}"
        if report.held is not None:
            yield f"router {report.router} is not taken: {report.held}"
        if (split := view.splits.get(report.router)) is not None:
            yield f"router {report.router}: split brain, two directors are active: {split.words}"
        yield from (f"router {report.router}: {words}" for words in report.complaints)
    if view.arbiter is not None and view.arbiter.standing is Standing.DOWN:
        yield f"the arbiter is lost, so nothing is taken over from a silent director: {view.arbiter.why}"
    for service in view.cluster.services_of(view.node):
        weighing = view.board.service(service.name)
        site = _elsewhere(view, service)
        if weighing.state in (State.DOWN, State.FLOOR):
            yield f"service {service.name}: {weighing.why}{f'; {site}' if site else ''}"
        elif site:
            yield f"service {service.name}: {site}"
    for peer in view.peers.all.values():
        if peer.refused:
            yield f"messages from director {peer.name} are refused: {peer.refused}"
        elif peer.doubted:
            yield f"messages from director {peer.name} are believed without proof: {peer.doubted}"
        elif view.peers.same_config(peer) is False:
            yield f"director {peer.name} runs another configuration than this one"
    for name, directors in view.strangers.items():
        yield f"service {name}: {alone(directors)}"
    for refusal in view.refused:
        yield f"the kernel refuses: {refusal.error}"


def _elsewhere(view: View, service: Service) -> str:
    """Where a service with backups is served; empty if that is as it should be."""
    choice = view.sites.choices.get(service.name)
    if choice is None:
        return ""
    name = view.sites.name_of(service.name, choice.serving)
    if choice.open:
        return f"no backup is up either, {'all local servers are' if choice.serving == LOCAL else name + ' is'} used"
    if choice.serving == LOCAL:
        return ""
    if view.board.service(f"{service.name}@{name}").state is not State.UP:
        return f"its backup {name} serves, and is not up"
    return f"its backup {name} serves: {choice.why}"


def alone(directors: Sequence[str]) -> str:
    """What follows when their frames cannot be told from clients'."""
    names = ", ".join(directors)
    return (
        f"the MAC addresses of director {names} are not known, so no packet is balanced here, and this director answers"
        " alone what reaches it; they are told on the directors' channel, or written as 'macs'"
    )


def _wall(view: View, monotonic: float) -> float:
    return view.at - (view.now - monotonic)

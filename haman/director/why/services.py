"""Why a service is in its state, and a server has its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.director import report
from haman.director.why.line import Line, earlier, wall
from haman.director.why.routers import role_of
from haman.health.hysteresis import Verdict
from haman.model.kernel import DestinationKey, ServiceKey, TableKey
from haman.model.services import Forward, OnFailure
from haman.model.sites import Order
from haman.model.transition import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.director.report import View
    from haman.model.checks import Check
    from haman.model.kernel import Key
    from haman.model.relay import Terms
    from haman.model.services import Server, Service, Target
    from haman.observe.history import History


def service(view: View, history: History, service: Service) -> Iterator[Line]:
    weighing = view.board.service(service.name)
    since = wall(view, view.board.service_since(service.name))
    where = f"fwmark {service.fwmark}"
    if service.protocol is not None:
        where = f"{service.protocol.value} {service.address}:{','.join(map(str, service.ports))}"
    yield Line(f"service {service.name} ({where}) is {weighing.state.value}", at=since)
    yield Line(f"because: {weighing.why}", 1)
    floor = service.minimum_up
    if floor.count or floor.share:
        least = f"{floor.share:.0%}" if floor.share else str(floor.count)
        yield Line(f"`minimum_up` keeps {least} of its servers, whatever checks say", 1)
    yield from _traffic(view, service)
    if (leader := view.agreement.follows(service.name)) is not None:
        yield Line(f"its weights are those of director {leader}, so that both choose the same server for a packet", 1)
    yield from _site(view, history, service)
    yield from _kernel(view, service)
    for target, server in service.targets():
        health = view.board.health[target]
        weight = _weight(view.weights[target])
        text = (
            f"server {target.server}:{target.port} ({server.address}) is {health.verdict.value}, {weight}: {health.why}"
        )
        yield Line(text, 1, wall(view, health.since))
    yield Line("its last changes here:", 1)
    yield from earlier(history, Kind.SERVICE, service.name, 2)


def server(view: View, history: History, service: Service, target: Target, server: Server) -> Iterator[Line]:
    health = view.board.health[target]
    yield Line(f"server {target} ({server.address}) is {health.verdict.value}", at=wall(view, health.since))
    yield Line(f"because: {health.why}", 1)
    latest = view.latest.get(target)
    if latest is not None:
        yield Line(f"its last check took {latest.latency * 1000:.1f} ms: {latest.words}", 1)
    if service.check is not None:
        yield Line(_rule(service.check), 1)
        if health.streak:
            needed = service.check.fall if health.verdict is not Verdict.DOWN else service.check.rise
            yield Line(f"in doubt: {health.streak} of the {needed} results in a row that would change the verdict", 1)
    weight = view.weights[target]
    yield Line(f"it has {_weight(weight)}", 1)
    leader = view.agreement.follows(service.name)
    if leader is not None:
        yield Line(f"because director {leader}, which is active, has it so; by this one's own checks", 2)
        yield Line(f"it would have {_weight(view.own[target])}:", 2)
    yield Line(_because(view, service, target, server.weight), 2)
    weighing = view.board.service(service.name)
    yield Line(f"its service {service.name} is {weighing.state.value}: {weighing.why}", 1)
    yield from _traffic(view, service)
    yield Line("its last changes here:", 1)
    yield from earlier(history, Kind.SERVER, str(target), 2)


def _traffic(view: View, service: Service) -> Iterator[Line]:
    """Do clients' packets come here at all?"""
    router = view.cluster.router_of(service)
    if router is None:
        yield Line("packets come by firewall mark, from wherever the packet filter marks them", 1)
        return
    played = role_of(view, router.name)
    if played is None:
        return
    if played.role is Role.ACTIVE:
        yield Line(f"its packets come here: router {router.name} is active", 1, wall(view, played.since))
        return
    elsewhere = ""
    if played.peer is not None:
        elsewhere = f"; active is {report.director_at(view.cluster, played.peer) or played.peer}"
    text = f"its packets do not come here: router {router.name} is {played.role.value}{elsewhere}"
    yield Line(text, 1, wall(view, played.since))
    yield Line(f"because: {played.why}", 2)


def _kernel(view: View, service: Service) -> Iterator[Line]:
    if view.unavailable is not None:
        yield Line(f"the kernel has no table for it: {view.unavailable}", 1)
    for refusal in view.refused:
        if _concerns(refusal.op.key, service):
            yield Line(f"the kernel refuses: {refusal.error}", 1)
    if directors := view.strangers.get(service.name):
        yield Line(report.alone(directors), 1)


def _site(view: View, history: History, service: Service) -> Iterator[Line]:
    choice = view.sites.choices.get(service.name)
    if choice is None:
        return
    name = view.sites.name_of(service.name, choice.serving)
    who = "its local servers serve" if name == "local" else f"its backup {name} serves"
    although = ", although none of them is up" if choice.open else ""
    yield Line(f"{who}{although}: {choice.why}", 1, wall(view, choice.since))
    if choice.order is not Order.AUTO:
        yield Line(f"the operator wants it so (haman site use {choice.order.value} {service.name})", 2)
    for backup, pool in zip(service.backups, service.pools(), strict=True):
        weighing = view.board.service(pool.name)
        since = wall(view, view.board.service_since(pool.name))
        yield Line(f"backup {backup.name} is {weighing.state.value}: {weighing.why}", 2, since)
        if backup.relay is not None:
            yield Line(_relay(view, pool.name, backup.relay), 3)
    if any(backup.relay is not None for backup in service.backups):
        yield from (Line(problem, 2) for problem in view.relay_problems)
    yield from earlier(history, Kind.SITE, service.name, 2)


def _relay(view: View, name: str, terms: Terms) -> str:
    told = view.relays.get(name)
    if told is None:
        return "by relay, which has not told yet what it does"
    refused = ", ".join(f"{count} {reason}" for reason, count in told["refused"].items() if count)
    return (
        f"by relay: {told['sessions']} of at most {terms.sessions} sessions,"
        f" {told['held']} of {terms.memory} bytes wait for slow receivers"
        f"{f'; refused or ended early: {refused}' if refused else ''}"
    )


def _concerns(key: Key, service: Service) -> bool:
    key = key.service if isinstance(key, DestinationKey) else key
    if isinstance(key, TableKey):
        full = any(server.forward is Forward.FULLNAT for server in service.servers.values())
        return full or bool(service.match or service.screens or service.visits)
    if not isinstance(key, ServiceKey):
        return False
    if key.protocol is None:
        return key.fwmark in (service.fwmark, *service.screens.values(), *service.visits.values())
    return (key.protocol, key.address) == (service.protocol, service.address) and key.port in service.ports


def _weight(weight: int | None) -> str:
    return "no place in the kernel's table" if weight is None else f"weight {weight} in the kernel"


def _because(view: View, service: Service, target: Target, configured: int) -> str:
    verdict = view.board.health[target].verdict
    owner, _, backup = service.name.partition("@")
    if (choice := view.sites.choices.get(owner)) is not None:
        serves = view.sites.name_of(owner, choice.serving)
        if serves != (backup or "local") and not view.cluster.services[owner].failover.spill_over:
            return f"its site does not serve: {serves} does"
        if choice.open:
            return "although it is not up: nothing is, and this site is used all the same"
    if target in view.board.service(service.name).kept:
        return f"although it fails: `minimum_up` keeps it, with its configured weight {configured}"
    if verdict is Verdict.UP:
        return f"it is up, and {configured} is its configured weight"
    if verdict is Verdict.UNKNOWN:
        return "no check has answered yet, and a server is down until it has answered once"
    if service.on_failure is OnFailure.QUIESCE:
        return "it is down, and `on_failure: quiesce` leaves it to its old connections"
    return "it is down, and `on_failure: remove` takes it out"


def _rule(check: Check) -> str:
    kind = type(check.probe).__name__.removesuffix("Probe").lower()
    pace = f"every {_time(check.interval)}, in doubt every {_time(check.fast_interval)}"
    verdict = f"out after {check.fall} in a row that fail, back after {check.rise} that pass"
    return f"check {check.name} ({kind}) asks {pace}, and waits {_time(check.timeout)}: {verdict}"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"

"""Why a virtual router, a sync group or a VIP is where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.director.report import director_at
from haman.director.why.line import Line, count, earlier, wall
from haman.model.routers import StandbyAddress
from haman.model.transition import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.director.report import View
    from haman.model.elector import RoleReport
    from haman.model.routers import Router, VirtualAddress
    from haman.model.trackers import Group
    from haman.observe.history import History


def role_of(view: View, name: str) -> RoleReport | None:
    return next((report for report in view.roles if report.router == name), None)


def router(view: View, history: History, router: Router) -> Iterator[Line]:
    report = role_of(view, router.name)
    if report is None:
        yield Line(f"router {router.name}: the elector has not reported yet")
        return
    yield Line(f"router {router.name} is {report.role.value} on {view.node}", at=wall(view, report.since))
    yield Line(f"because: {report.why}", 1)
    if report.held is not None:
        yield Line(f"it is not active: {report.held}", 1)
    elif view.cluster.arbiter is not None and view.arbiter is not None:
        standing = "answers this director" if view.arbiter.standing.value == "up" else "is lost"
        yield Line(f"the arbiter {standing}: {view.arbiter.why}", 1)
    if (split := view.splits.get(router.name)) is not None:
        yield Line(f"split brain: {split.words}", 1, wall(view, split.since))
    yield from _peer(view, router, report)
    if report.confirmation is not None:
        yield Line(f"its takeover: {report.confirmation.why}", 1)
    yield from _priority(view, router, report)
    yield from _packets(view, router)
    yield from _addresses(view, router, report)
    for group in view.cluster.groups_of(view.node):
        if router.name in group.routers:
            others = ", ".join(name for name in group.routers if name != router.name)
            yield Line(f"it is in group {group.name} with {others}: they have one election", 1)
    behind = [each for each in view.cluster.services_of(view.node) if view.cluster.router_of(each) is router]
    for service in behind:
        weighing = view.board.service(service.name)
        yield Line(f"service {service.name} is behind it: {weighing.state.value}, {weighing.why}", 1)
    yield Line("its last changes here:", 1)
    yield from earlier(history, Kind.ROUTER, router.name, 2)
    yield from earlier(history, Kind.SPLIT, router.name, 2)


def group(view: View, history: History, group: Group) -> Iterator[Line]:
    roles = {name: report for name in group.routers if (report := role_of(view, name)) is not None}
    held = {report.role.value for report in roles.values()}
    if len(held) == 1:
        yield Line(f"group {group.name} is {held.pop()} on {view.node}: its routers have one election")
    else:
        yield Line(f"group {group.name} is changing: its routers do not have one role yet")
    for name in group.routers:
        for each in router(view, history, view.cluster.routers[name]):
            yield Line(each.text, each.depth + 1, each.at)


def vip(view: View, history: History, carrier: Router, address: VirtualAddress) -> Iterator[Line]:
    report = role_of(view, carrier.name)
    holds = report is not None and report.holds
    where = f"on {address.device} of {view.node}" if holds else f"not on a NIC of {view.node}"
    yield Line(f"{address.interface} is a VIP of router {carrier.name}, and {where}")
    for each in router(view, history, carrier):
        yield Line(each.text, each.depth + 1, each.at)


def _peer(view: View, router: Router, report: RoleReport) -> Iterator[Line]:
    if report.peer is None:
        return
    name = director_at(view.cluster, report.peer)
    who = f"{name} ({report.peer})" if name else str(report.peer)
    if report.role is Role.STANDBY:
        yield Line(f"active is {who} with priority {report.peer_priority}", 1)
        if report.priority > report.peer_priority > 0:
            yield from _no_preemption(view, router, report)
    else:
        yield Line(f"the last other one heard as active is {who} with priority {report.peer_priority}", 1)


def _no_preemption(view: View, router: Router, report: RoleReport) -> Iterator[Line]:
    """A better router that stays standby owes an explanation."""
    if not router.preempt.allowed:
        yield Line(
            f"our priority {report.priority} is higher, but `preempt` is off: it stays until the other one goes", 2
        )
    elif waiting := view.waiting.get(router.name):
        yield Line(f"our priority {report.priority} is higher, but we are not ready: {waiting}", 2)
    elif router.preempt.after:
        yield Line(
            f"our priority {report.priority} is higher, and takes over {router.preempt.after:g} s after we are ready", 2
        )


def _priority(view: View, router: Router, report: RoleReport) -> Iterator[Line]:
    configured = router.members[view.node].priority
    lowered = f", lowered from {configured} by what it tracks" if report.priority < configured else ""
    yield Line(f"our priority is {report.priority}{lowered}", 1)
    if waiting := view.waiting.get(router.name):
        yield Line(f"it would preempt nobody yet: {waiting}", 1)


def _packets(view: View, router: Router) -> Iterator[Line]:
    counts = view.counters.routers.get(router.name, {}) if view.counters is not None else {}
    sent, received = counts.get("adverts_sent", 0), counts.get("adverts_received", 0)
    yield Line(f"{count(sent, 'advertisement')} sent and {received:,} received since the elector started", 1)
    for name, number in sorted(counts.items()):
        if name.startswith("refused_"):
            yield Line(f"{count(number, 'packet')} refused: {name.removeprefix('refused_')}", 2)
        elif name.startswith("mismatch_"):
            what = name.removeprefix("mismatch_")
            yield Line(f"{count(number, 'advertisement')} taken although not ours in: {what}", 2)
        elif name == "rivals_heard":
            yield Line(f"another one was heard speaking as active beside us {count(number, 'time')}", 2)


def _addresses(view: View, router: Router, report: RoleReport) -> Iterator[Line]:
    addresses = router.addresses_on(view.node)
    on = ", ".join(f"{address.interface} on {address.device}" for address in addresses)
    if report.holds:
        yield Line(f"its VIPs are on the NIC: {on}", 1)
    elif router.standby_address is StandbyAddress.LOOPBACK:
        yield Line(f"its VIPs lie silent on lo here: {', '.join(str(address.ip) for address in addresses)}", 1)
    else:
        yield Line("its VIPs are not on this machine", 1)

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from haman.director import planning
from haman.director.believed import carried_out
from haman.model.cluster import Sync, Timeouts
from haman.model.kernel import (
    DaemonKey,
    DaemonRole,
    DestinationConfig,
    DestinationKey,
    Kernel,
    ServiceConfig,
    ServiceKey,
)
from haman.model.services import Forward, Protocol, Target
from haman.plan.ops import Remove, Set
from haman.plan.ownership import of_director
from tests.director.support import cluster, service

SERVICES = {
    "web": replace(service("web"), ports=(80, 443)),
    "shop": service("shop", "10.0.1.100", 8080),
    "marked": replace(service("marked"), protocol=None, address=None, ports=(), fwmark=7),
}
CLUSTER = cluster(
    services=SERVICES,
    sync=Sync(interfaces={"lb1": "eth0"}, sync_id=1, group=IPv4Address("224.0.0.81")),
    timeouts=Timeouts(tcp=900),
)
OURS = of_director(CLUSTER, "lb1", ())
TARGETS = [target for each in SERVICES.values() for target, _ in each.targets()]
WEB = ServiceKey.at(Protocol.TCP, IPv4Address("10.0.0.100"), 80)


def level(weights: dict[Target, int | None]) -> Kernel:
    want, ops = planning.whole(CLUSTER, "lb1", weights, Kernel(), OURS, {})
    assert carried_out(ops, Kernel()) == want
    return want


weightings = st.fixed_dictionaries({target: st.sampled_from([None, 0, 1, 5]) for target in TARGETS})


@given(weightings, weightings)
def test_parts_lead_where_the_whole_does(before: dict[Target, int | None], after: dict[Target, int | None]) -> None:
    """Planning the services whose weights changed, all of them in any number of parts, equals planning everything."""
    held = level(before)
    changed = {target.service for target in TARGETS if before[target] != after[target]}
    for name in sorted(changed):
        held = carried_out(planning.part(CLUSTER, "lb1", [name], after, held, OURS), held)
    assert held == level(after)
    together = carried_out(planning.part(CLUSTER, "lb1", changed, after, level(before), OURS), level(before))
    assert together == held


def test_a_part_names_nothing_but_its_services() -> None:
    weights: dict[Target, int | None] = dict.fromkeys(TARGETS, 1)
    held = level(weights)
    weights[Target("web", "rs1", 80)] = None
    weights[Target("web", "rs2", 80)] = 9
    weights[Target("shop", "rs1", 8080)] = 9
    ops = planning.part(CLUSTER, "lb1", ["web"], weights, held, OURS)
    on_rs1, on_rs2 = (DestinationKey(WEB, IPv4Address(f"127.0.0.{n}"), 80) for n in (1, 2))
    assert ops == (Set(on_rs2, DestinationConfig(Forward.DR, 9)), Remove(on_rs1))


def test_without_services_nothing_is_wanted() -> None:
    empty = cluster(services={})
    want, ops = planning.whole(empty, "lb1", {}, Kernel(services={WEB: ServiceConfig("rr")}), OURS, {})
    assert want == Kernel()
    assert ops == (Remove(WEB),)


def test_nobody_is_listened_to_before_the_servers_are_checked() -> None:
    """A connection that is told before its server is in the table is bound to none. A daemon that runs already is kept:
    what it was told while it was stopped would be missing."""
    master, backup = DaemonKey(DaemonRole.MASTER), DaemonKey(DaemonRole.BACKUP)
    weights: dict[Target, int | None] = dict.fromkeys(TARGETS, 1)
    want, ops = planning.whole(CLUSTER, "lb1", {}, Kernel(), OURS, {}, listening=False)
    assert [op.key for op in ops if isinstance(op.key, DaemonKey)] == [master]
    assert want.daemons.keys() == {master}
    held = carried_out(ops, Kernel())
    want, ops = planning.whole(CLUSTER, "lb1", weights, held, OURS, {})
    assert [op.key for op in ops][-1] == backup, "after all servers"
    held = carried_out(ops, held)
    want, ops = planning.whole(CLUSTER, "lb1", weights, held, OURS, {}, listening=False)
    assert (want, ops) == (held, ())


def test_compare_finds_what_others_did_and_not_what_we_did() -> None:
    known = level(dict.fromkeys(TARGETS, 1))
    ours, theirs = (DestinationKey(WEB, IPv4Address(f"127.0.0.{n}"), 80) for n in (1, 2))
    dump = carried_out([Remove(ours), Remove(theirs)], known)
    actual, repairs = planning.compare(known, dump, {ours}, OURS)
    assert [op.key for op in repairs] == [theirs]
    assert actual == carried_out([Remove(theirs)], known)
    assert planning.compare(known, known, (), OURS) == (known, ())

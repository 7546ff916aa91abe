"""The diff reaches what is wanted, leaves alone what is not ours, and keeps the order contract at every step."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haman.model.kernel import (
    SENTINEL_FWMARK,
    AddressConfig,
    AddressKey,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationConfig,
    DestinationKey,
    Kernel,
    RouteConfig,
    RouteKey,
    RuleConfig,
    RuleKey,
    ServiceConfig,
    ServiceKey,
    SysctlConfig,
    SysctlKey,
    TableKey,
    TimeoutsConfig,
    TimeoutsKey,
)
from haman.model.services import Forward, Protocol
from haman.plan.desired import is_sentinel
from haman.plan.diff import diff, fits
from haman.plan.ops import Add, Remove, Set, simulate, step
from haman.plan.ownership import Ownership, foreign, owned
from tests.plan.worlds import World, worlds

VIP = ip_address("10.0.0.100")
WEB = ServiceKey.at(Protocol.TCP, VIP, 80)
SENTINEL = ServiceKey.marked(SENTINEL_FWMARK)
RR = ServiceConfig("rr")
OURS = Ownership(
    addresses=frozenset((device, VIP) for device in ("lo", "eth0")),
    vips=frozenset({VIP}),
    fwmarks=frozenset({SENTINEL_FWMARK}),
    daemons=frozenset(map(DaemonKey, DaemonRole)),
)
GATE = SysctlKey("net/ipv4/vs/backup_only")
CLOSE = Set(GATE, SysctlConfig("1"))
DAEMON = DaemonConfig("eth1", 7, ip_address("224.0.0.81"), 8848, 1, 0)


def server(last: int, service: ServiceKey = WEB) -> DestinationKey:
    return DestinationKey(service, ip_address(f"10.0.0.{last}"), 80)


def dr(weight: int) -> DestinationConfig:
    return DestinationConfig(Forward.DR, weight)


def assert_agrees(held: Kernel, wanted: Kernel) -> None:
    for kind in (
        "addresses",
        "routes",
        "rules",
        "sysctls",
        "services",
        "destinations",
        "daemons",
        "timeouts",
        "tables",
    ):
        have, want = getattr(held, kind), getattr(wanted, kind)
        assert have.keys() == want.keys(), kind
        for key in want:
            assert fits(key, want[key], have[key]), (key, want[key], have[key])


@given(worlds())
@settings(max_examples=200)
def test_what_is_ours_becomes_what_is_wanted_and_what_is_foreign_stays(world: World) -> None:
    ops = diff(world.desired, world.actual, world.ownership)
    after = simulate(ops, world.actual)
    assert_agrees(owned(after, world.ownership), world.desired)
    assert foreign(after, world.ownership) == foreign(world.actual, world.ownership)
    assert all(op.key in world.ownership for op in ops)
    assert diff(world.desired, after, world.ownership) == ()
    assert diff(backwards(world.desired), backwards(world.actual), world.ownership) == ops


def backwards(kernel: Kernel) -> Kernel:
    """The same kernel, its objects listed in another order."""
    kinds = ("addresses", "services", "destinations")
    return replace(kernel, **{kind: dict(reversed(getattr(kernel, kind).items())) for kind in kinds})


@given(worlds())
@settings(max_examples=200)
def test_the_order_contract_holds_at_every_step(world: World) -> None:
    held, ops = world.actual, diff(world.desired, world.actual, world.ownership)
    for number, op in enumerate(ops):
        after = step(op, held)
        assert_table_not_emptied(world, after)
        assert_services_served(world, after)
        assert_vips_somewhere(world, after, ops[number + 1 :])
        assert_prerequisites(world, op, held, ops[number + 1 :])
        held = after


def assert_table_not_emptied(world: World, now: Kernel) -> None:
    """3: a family that has services before and after has one at every step."""
    end = {key.ipv6 for key in (*world.desired.services, *foreign(world.actual, world.ownership).services)}
    assert {key.ipv6 for key in world.actual.services} & end <= {key.ipv6 for key in now.services}


def assert_services_served(world: World, now: Kernel) -> None:
    """6: a service that has a server with weight before and after has one at every step."""

    def served(kernel: Kernel) -> set[ServiceKey]:
        return {key.service for key, config in kernel.destinations.items() if config.weight}

    assert served(world.actual) & served(world.desired) <= served(now)


def assert_vips_somewhere(world: World, now: Kernel, rest: tuple[Add | Set | Remove, ...]) -> None:
    """8: an address that is held before and after is held at every step, but for an IPv6 address's own exception."""
    lost = {key.ip for key in world.actual.addresses} & {key.ip for key in world.desired.addresses}
    lost -= {key.ip for key in now.addresses}
    for ip in lost:
        assert ip.version == 6
        assert isinstance(rest[0], Add)
        assert rest[0].key in world.desired.addresses


def assert_prerequisites(
    world: World, op: Add | Set | Remove, held: Kernel, rest: tuple[Add | Set | Remove, ...]
) -> None:
    later = [type(op.key) for op in rest if op != CLOSE]
    if CLOSE in rest:  # 1: after everything else
        rest = tuple(op for op in rest if op != CLOSE)
    match op:
        case Set(SysctlKey()):
            assert op != CLOSE or not rest
        case _:  # 1: sysctls before everything else
            assert SysctlKey not in later
    match op:
        case Add(ServiceKey() as key) if key.fwmark != SENTINEL_FWMARK:  # 2, 3
            assert TimeoutsKey not in later
            assert {key for key in world.desired.services if key.fwmark == SENTINEL_FWMARK} <= held.services.keys()
        case Remove(ServiceKey() as key) if key.fwmark == SENTINEL_FWMARK:  # 3
            assert all(isinstance(op, Remove) and isinstance(op.key, ServiceKey) for op in rest)
        case Add(AddressKey()):  # 7
            assert world.desired.services.keys() <= held.services.keys()
            assert world.desired.destinations.keys() <= held.destinations.keys()
        case Remove(AddressKey() as key) if key.ip.version == 4:  # 8, 9
            assert world.desired.addresses.keys() <= held.addresses.keys()
            assert (world.actual.services.keys() | world.desired.services.keys()) <= held.services.keys()
        case Add(DestinationKey()) | Set(DestinationKey()):  # 12
            assert all(held.tables.get(key) == config for key, config in world.desired.tables.items())
        case Remove(TableKey()):  # 12
            assert world.desired.services.keys() == owned(held, world.ownership).services.keys() - {
                key for key in held.services if is_sentinel(key)
            } | {key for key in world.desired.services if is_sentinel(key)}
        case Remove(DestinationKey() as key):  # 10
            assert key.service in world.desired.services or is_sentinel(key.service)
        case Add(DaemonKey()):  # 11
            assert world.desired.destinations.keys() == owned(held, world.ownership).destinations.keys()


def test_a_replaced_server_leaves_last_and_a_quiesced_one_is_quiesced_after_the_new_one_came() -> None:
    before = Kernel(services={WEB: RR}, destinations={server(11): dr(1), server(12): dr(1)})
    wanted = Kernel(services={WEB: RR}, destinations={server(12): dr(0), server(13): dr(2)})
    assert diff(wanted, before, OURS) == (
        Add(server(13), dr(2)),
        Set(server(12), dr(0)),
        Remove(server(11)),
    )


def test_two_servers_that_change_places_are_raised_before_they_are_quiesced() -> None:
    before = Kernel(services={WEB: RR}, destinations={server(11): dr(1), server(12): dr(0)})
    wanted = Kernel(services={WEB: RR}, destinations={server(11): dr(0), server(12): dr(1)})
    assert diff(wanted, before, OURS) == (Set(server(12), dr(1)), Set(server(11), dr(0)))


def test_from_nothing_to_a_whole_director_and_back() -> None:
    sysctl, backup = SysctlKey("net/ipv4/conf/all/arp_ignore"), DaemonKey(DaemonRole.BACKUP)
    timeouts = (TimeoutsKey(), TimeoutsConfig(900, 0, 0))
    on_lo, on_nic = AddressKey("lo", VIP, 32), AddressKey("eth0", VIP, 24)
    wanted = Kernel(
        addresses={on_lo: AddressConfig(), on_nic: AddressConfig()},
        sysctls={sysctl: SysctlConfig("1")},
        services={WEB: RR, SENTINEL: ServiceConfig("none")},
        destinations={server(12): dr(1), server(11): dr(1)},
        daemons={backup: DAEMON},
        timeouts=dict([timeouts]),
    )
    ops = diff(wanted, Kernel(), OURS)
    assert [str(op) for op in ops] == [
        "set net/ipv4/conf/all/arp_ignore = 1",
        "set ipvs timeouts (tcp 900 s)",
        "add fwmark 1751215457 (none)",
        "add tcp 10.0.0.100:80 (rr)",
        "add tcp 10.0.0.100:80 -> 10.0.0.11:80 (dr, weight 1)",
        "add tcp 10.0.0.100:80 -> 10.0.0.12:80 (dr, weight 1)",
        "add 10.0.0.100/24 on eth0",
        "add 10.0.0.100/32 on lo",
        "add sync daemon backup (eth1, id 7, 224.0.0.81 port 8848 ttl 1)",
    ]
    held = simulate(ops, Kernel())
    assert [str(op) for op in diff(Kernel(), held, OURS)] == [
        "remove sync daemon backup",
        "remove 10.0.0.100/24 on eth0",
        "remove 10.0.0.100/32 on lo",
        "remove tcp 10.0.0.100:80",
        "remove fwmark 1751215457",
    ]


def test_another_prefix_length_is_added_first_in_ipv4_and_removed_first_in_ipv6() -> None:
    vip6 = ip_address("2001:db8::100")
    ours = replace(OURS, addresses=OURS.addresses | {("eth0", vip6)})
    held = [AddressKey("eth0", VIP, 32), AddressKey("eth0", vip6, 128)]
    wanted = [AddressKey("eth0", VIP, 24), AddressKey("eth0", vip6, 64)]
    ops = diff(
        Kernel(addresses=dict.fromkeys(wanted, AddressConfig())),
        Kernel(addresses=dict.fromkeys(held, AddressConfig())),
        ours,
    )
    assert ops == (
        Add(wanted[0], AddressConfig()),
        Remove(held[1]),
        Add(wanted[1], AddressConfig()),
        Remove(held[0]),
    )


def test_a_daemon_that_differs_is_stopped_and_started() -> None:
    master = DaemonKey(DaemonRole.MASTER)
    other = replace(DAEMON, sync_id=8)
    assert diff(Kernel(daemons={master: other}), Kernel(daemons={master: DAEMON}), OURS) == (
        Remove(master),
        Add(master, other),
    )


@pytest.mark.parametrize(
    ("role", "wanted", "held", "fit"),
    [
        (DaemonRole.MASTER, 0, 1472, True),  # 0: what the interface gives
        (DaemonRole.MASTER, 1, 1, True),
        (DaemonRole.MASTER, 1, 1024, False),
        (DaemonRole.BACKUP, 1, 1024, True),  # the kernel's lower bound
        (DaemonRole.BACKUP, 1400, 1400, True),
        (DaemonRole.BACKUP, 1400, 1472, False),
    ],
)
def test_a_daemons_length_is_what_the_kernel_makes_of_it(role: DaemonRole, wanted: int, held: int, fit: bool) -> None:
    assert fits(DaemonKey(role), replace(DAEMON, max_length=wanted), replace(DAEMON, max_length=held)) is fit


def test_a_timeout_of_zero_leaves_the_kernels_value_alone() -> None:
    held = Kernel(timeouts={TimeoutsKey(): TimeoutsConfig(900, 120, 300)})
    ours = replace(OURS, timeouts=True)
    assert diff(Kernel(timeouts={TimeoutsKey(): TimeoutsConfig(900, 0, 300)}), held, ours) == ()
    assert diff(Kernel(timeouts={TimeoutsKey(): TimeoutsConfig(900, 0, 60)}), held, ours) != ()


def test_a_service_of_somebody_else_on_another_address_is_left_alone() -> None:
    theirs = ServiceKey.at(Protocol.TCP, ip_address("10.0.0.200"), 80)
    held = Kernel(services={theirs: RR}, destinations={server(11, theirs): dr(1)})
    assert diff(Kernel(), held, OURS) == ()


ROUTE = RouteKey(ip_network("10.9.0.0/16"), 100, 0)
RULE = RuleKey(4, 1000, 100, source=ip_network("10.0.0.100/32"))
ON_NIC = AddressKey("eth0", VIP, 24)


def test_routes_and_rules_come_after_their_address_and_go_before_it() -> None:
    config = RouteConfig(ip_address("10.0.0.254"), None, VIP)
    all_of_it = Kernel(addresses={ON_NIC: AddressConfig()}, routes={ROUTE: config}, rules={RULE: RuleConfig()})
    assert diff(all_of_it, Kernel(), OURS) == (
        Add(ON_NIC, AddressConfig()),
        Add(ROUTE, config),
        Add(RULE, RuleConfig()),
    )
    assert diff(Kernel(), all_of_it, OURS) == (Remove(RULE), Remove(ROUTE), Remove(ON_NIC))


def test_a_route_is_changed_in_place_and_a_device_that_is_not_asked_for_is_the_kernels() -> None:
    held = RouteConfig(ip_address("10.0.0.254"), "eth0", None)
    with_kernel = Kernel(routes={ROUTE: held})
    assert diff(Kernel(routes={ROUTE: RouteConfig(ip_address("10.0.0.254"))}), with_kernel, OURS) == ()
    other = RouteConfig(ip_address("10.0.0.253"))
    assert diff(Kernel(routes={ROUTE: other}), with_kernel, OURS) == (Set(ROUTE, other),)


def test_another_label_is_another_address() -> None:
    labelled = AddressConfig(label="eth0:web")
    assert diff(Kernel(addresses={ON_NIC: labelled}), Kernel(addresses={ON_NIC: AddressConfig()}), OURS) == (
        Remove(ON_NIC),
        Add(ON_NIC, labelled),
    )


@given(st.data())
def test_an_ordered_service_gets_its_destinations_in_order(data: st.DataObject) -> None:
    """From whatever there was, and nothing is added anew that is in its place already."""
    keys = [server(last) for last in range(1, 7)]
    held = data.draw(st.lists(st.sampled_from(keys), unique=True))
    wanted = data.draw(st.lists(st.sampled_from(keys), unique=True))
    plain = {WEB: ServiceConfig("mh"), SENTINEL: ServiceConfig("none")}
    actual = Kernel(services=plain, destinations={key: dr(1) for key in held})
    desired = Kernel(services=plain, destinations={key: dr(1) for key in wanted}, ordered=frozenset({WEB}))
    ops = diff(desired, actual, OURS)
    after = simulate(ops, actual)
    assert list(after.destinations) == wanted
    assert diff(desired, after, OURS) == ()
    if held == wanted[: len(held)]:
        assert not any(isinstance(op, Remove) for op in ops)


ON_NIC = AddressKey("eth0", VIP, 32)


def gate(value: str) -> dict[SysctlKey, SysctlConfig]:
    return {GATE: SysctlConfig(value)}


def test_ipvs_is_opened_before_the_address_comes_and_closed_after_it_has_gone() -> None:
    held, free = Kernel(addresses={ON_NIC: AddressConfig()}), Kernel()
    ours = replace(OURS, sysctls=frozenset({GATE}))
    opening = diff(replace(held, sysctls=gate("0")), replace(free, sysctls=gate("1")), ours)
    assert opening == (Set(GATE, SysctlConfig("0")), Add(ON_NIC, AddressConfig()))
    closing = diff(replace(free, sysctls=gate("1")), replace(held, sysctls=gate("0")), ours)
    assert closing == (Remove(ON_NIC), CLOSE)


@pytest.mark.parametrize(("first", "place"), [(frozenset({DaemonKey(DaemonRole.BACKUP)}), 0), (frozenset(), 2)])
def test_a_daemon_that_keeps_a_standby_closed_starts_before_there_is_a_service(
    first: frozenset[DaemonKey], place: int
) -> None:
    backup = DaemonKey(DaemonRole.BACKUP)
    wanted = Kernel(services={WEB: RR}, destinations={server(11): dr(1)}, daemons={backup: DAEMON}, first=first)
    assert [op.key for op in diff(wanted, Kernel(), OURS)].index(backup) == place

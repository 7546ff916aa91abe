"""The engine between the election and the world: what it sends, tells, and asks the keeper to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

import pytest

from haman.elector.barred import REFUSED_HOLD
from haman.elector.engine import Engine
from haman.elector.tally import Tally
from haman.model.confirmation import Confirmation, TakeoverVerdict
from haman.model.elector import ElectorConfig, GroupConfig, Happened, RoleReport, Roles, RouterConfig
from haman.model.kernel import AddressConfig, AddressKey
from haman.model.routers import ChecksumForm, Preempt, VirtualAddress
from haman.model.trackers import Standing, Track, TrackedInterface, Verdict
from haman.model.transition import Kind, Role
from haman.wire import vrrp
from haman.wire.advertisement import GROUPS, Advertisement
from haman.wire.packet import Packet

OURS, PEER, THIRD = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), IPv4Address("10.0.0.3")
VIP = IPv4Address("10.0.0.100")
ROUTER = RouterConfig(
    name="public",
    vrid=51,
    priority=150,
    interface="eth0",
    source=OURS,
    advert_interval=1.0,
    addresses=(VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),),
    preempt=Preempt(allowed=True),
)


@dataclass
class FakeWorld:
    """Remembers; `now` is its clock."""

    now: float = 100.0
    errno: int = 0
    sent: list[tuple[str, Packet]] = field(default_factory=list)
    told: list[Roles | Happened] = field(default_factory=list)
    woken: int = 0
    deadline: float | None = None

    def send(self, interface: str, packet: Packet) -> int:
        self.sent.append((interface, packet))
        return self.errno

    def wake_at(self, when: float | None) -> None:
        self.deadline = when

    def wake_keeper(self) -> None:
        self.woken += 1

    def tell(self, message: Roles | Happened) -> None:
        self.told.append(message)

    def priorities(self) -> list[int]:
        return [packet.payload[2] for _, packet in self.sent]

    def transitions(self) -> list[tuple[str, str, str]]:
        happened = [message.transition for message in self.told if isinstance(message, Happened)]
        return [(t.before, t.after, t.cause) for t in happened if t.kind is Kind.ROUTER]

    def role(self) -> Role:
        return next(m for m in reversed(self.told) if isinstance(m, Roles)).roles[0].role


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def engine(world: FakeWorld, tally: Tally) -> Engine:
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True})
    engine.configure(ElectorConfig(generation=1, node="lb1", routers=(ROUTER,)), adopting=False)
    engine.readiness({})
    return engine


def run_until_deadline(engine: Engine, world: FakeWorld) -> None:
    assert world.deadline is not None
    world.now = world.deadline
    engine.tick()


def advert(priority: int, source: IPv4Address = PEER, **changes: object) -> Packet:
    addresses, vrid = changes.pop("addresses", (VIP,)), changes.pop("vrid", 51)
    message = Advertisement(vrid, priority, 1.0, addresses)  # type: ignore[arg-type]
    return Packet(source, GROUPS[4], 255, vrrp.encode(message, source, GROUPS[4], ChecksumForm.RFC9568))


def test_silence_makes_it_active_and_the_neighbours_are_told_once_the_keeper_has_the_address(
    engine: Engine, world: FakeWorld
) -> None:
    assert world.deadline == pytest.approx(100.0 + 3 + 106 / 256)
    run_until_deadline(engine, world)
    assert world.role() is Role.ACTIVE
    assert world.priorities() == [150]
    assert engine.holding() == {"public": True}
    assert world.woken > 0
    assert engine.due_announcements() == {"public": world.now}
    assert engine.due_announcements() == {}


def test_an_announcement_against_a_rival_is_no_takeover(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    engine.due_announcements()
    engine.packet("eth0", advert(100))
    assert engine.due_announcements() == {"public": None}
    rivals = [m.transition for m in world.told if isinstance(m, Happened) and m.transition.kind is Kind.RIVAL]
    assert [each.why for each in rivals] == [
        "10.0.0.2 advertises priority 100 as active too; we stay, and told the neighbours again"
    ]


def test_a_packet_of_a_better_router_takes_the_role_and_the_address_lingers(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    engine.packet("eth0", advert(200))
    engine.settle()
    assert world.role() is Role.STANDBY
    assert engine.holding() == {"public": True}
    run_until_deadline(engine, world)
    assert world.now == pytest.approx(100.0 + 3 + 106 / 256 + 0.05)
    assert engine.holding() == {"public": False}


def test_each_role_report_has_a_newer_epoch(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    engine.packet("eth0", advert(200))
    engine.settle()
    epochs = [message.epoch for message in world.told if isinstance(message, Roles)]
    assert epochs == sorted(set(epochs))


def test_a_restarted_engine_begins_with_a_newer_epoch(engine: Engine, world: FakeWorld) -> None:
    later = Engine(FakeWorld(), Tally())
    assert later.roles().epoch >= engine.roles().epoch - 10


@pytest.mark.parametrize(
    ("packet", "counter"),
    [
        (None, "refused_ip_header"),
        (replace(advert(200), ttl=254), "refused_ttl"),
        (replace(advert(200), payload=advert(200).payload[:-1]), "refused_too_short"),
        (replace(advert(200), payload=advert(200).payload[:-1] + b"\x65"), "refused_checksum"),
    ],
)
def test_a_bad_packet_changes_nothing_and_is_counted(
    engine: Engine, world: FakeWorld, tally: Tally, packet: Packet | None, counter: str
) -> None:
    run_until_deadline(engine, world)
    engine.packet("eth0", packet)
    engine.settle()
    assert world.role() is Role.ACTIVE
    assert tally.report().routers["interface eth0"] == {counter: 1}


def test_our_own_address_coming_back_is_refused_under_the_router_name(
    engine: Engine, world: FakeWorld, tally: Tally
) -> None:
    engine.packet("eth0", advert(255, source=OURS))
    assert tally.report().routers["public"]["refused_own_address"] == 1


def test_a_flood_of_bad_packets_is_noted_once_a_minute(engine: Engine, world: FakeWorld) -> None:
    def notes() -> int:
        return sum(isinstance(m, Happened) and m.transition.kind is Kind.PACKET for m in world.told)

    for _ in range(1000):
        engine.packet("eth0", None)
    assert notes() == 1
    world.now += 60
    engine.packet("eth0", None)
    assert notes() == 2


def test_other_addresses_and_intervals_are_taken_counted_and_noted(
    engine: Engine, world: FakeWorld, tally: Tally
) -> None:
    engine.packet("eth0", advert(200, addresses=(IPv4Address("10.0.0.99"),)))
    engine.settle()
    assert tally.report().routers["public"] == {"adverts_received": 1, "mismatch_addresses": 1}
    assert world.deadline == pytest.approx(100.0 + 3 + 106 / 256)


def test_unicast_is_refused_where_multicast_is_spoken_and_the_reverse(world: FakeWorld, tally: Tally) -> None:
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True})
    unicast = replace(ROUTER, peers=(PEER,))
    engine.configure(ElectorConfig(generation=1, node="lb1", routers=(unicast,)), adopting=False)
    engine.packet("eth0", advert(200))
    payload = vrrp.encode(Advertisement(51, 200, 1.0, (VIP,)), THIRD, OURS)
    engine.packet("eth0", Packet(THIRD, OURS, 255, payload))
    assert tally.report().routers["public"] == {"refused_transport": 1, "refused_not_a_peer": 1}
    world.now = 200.0
    engine.tick()  # a standby this late listens again before it speaks
    run_until_deadline(engine, world)
    assert [packet.destination for _, packet in world.sent] == [PEER]


def test_lost_carrier_is_a_fault_at_once_and_its_return_listens_first(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    world.now += 0.5
    engine.links({"eth0": False})
    assert world.role() is Role.FAULT
    assert engine.holding() == {"public": False}
    assert world.deadline is None
    engine.links({"eth0": True})
    assert world.role() is Role.STANDBY


def test_a_refused_address_is_a_fault_for_a_while(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    engine.refused("public", "add 10.0.0.100/24 on eth0: No such device (errno 19)")
    assert world.priorities()[-1] == 0
    for _ in range(4):
        run_until_deadline(engine, world)
        if world.role() is Role.FAULT:
            break
    assert world.role() is Role.FAULT
    run_until_deadline(engine, world)
    assert world.now == pytest.approx(100.0 + 3 + 106 / 256 + REFUSED_HOLD)
    assert world.role() is Role.STANDBY


def test_stop_says_goodbye_serves_until_the_successor_speaks_and_then_is_stopped(
    engine: Engine, world: FakeWorld
) -> None:
    run_until_deadline(engine, world)
    engine.stop()
    assert world.priorities() == [150, 0]
    assert engine.holding() == {"public": True}
    assert not engine.stopped
    engine.packet("eth0", advert(100))
    engine.settle()
    run_until_deadline(engine, world)
    assert engine.stopped
    assert engine.holding() == {"public": False}


def test_an_unchanged_configuration_changes_nothing(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    told, sent = len(world.told), len(world.sent)
    engine.configure(ElectorConfig(generation=2, node="lb1", routers=(ROUTER,)), adopting=False)
    assert len(world.told) == told
    assert len(world.sent) == sent
    assert world.role() is Role.ACTIVE


def slice_of(*routers: RouterConfig) -> ElectorConfig:
    return ElectorConfig(generation=2, node="lb1", routers=routers)


def test_a_router_that_left_the_configuration_serves_until_its_successor_speaks(
    engine: Engine, world: FakeWorld
) -> None:
    run_until_deadline(engine, world)
    engine.configure(slice_of(), adopting=False)
    assert world.priorities()[-1] == 0
    assert engine.holding() == {"public": True}
    assert engine.playing() == slice_of(ROUTER)
    engine.packet("eth0", advert(100))
    engine.settle()
    run_until_deadline(engine, world)
    assert world.transitions()[-1] == ("active", "stopped", "stop")
    assert engine.holding() == {}
    assert engine.playing() == slice_of()
    assert next(m for m in reversed(world.told) if isinstance(m, Roles)).roles == ()


def test_a_router_that_comes_back_before_it_has_left_serves_on(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    engine.configure(slice_of(), adopting=False)
    world.now += 0.1
    engine.configure(slice_of(ROUTER), adopting=False)
    assert world.priorities()[-2:] == [0, 150]
    assert engine.holding() == {"public": True}
    world.now += 10
    assert engine.playing() == slice_of(ROUTER)


def test_a_renamed_router_keeps_its_role_under_the_new_name(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    engine.configure(slice_of(replace(ROUTER, name="front")), adopting=False)
    assert world.priorities() == [150, 150]
    assert engine.holding() == {"front": True}
    assert [report.router for report in engine.roles().roles] == ["front"]
    assert engine.due_announcements().keys() == {"front"}
    engine.packet("eth0", advert(200))
    engine.settle()
    assert world.role() is Role.STANDBY


def second(vip: str = "10.0.0.101", **changes: object) -> RouterConfig:
    address = VirtualAddress(interface=IPv4Interface(f"{vip}/24"), device="eth0")
    return replace(ROUTER, name="inner", vrid=52, addresses=(address,), **changes)  # type: ignore[arg-type]


def test_swapped_vrids_take_their_elections_along(engine: Engine, world: FakeWorld) -> None:
    """Active in 51, standby in 52: after the swap what is called public is standby, and inner active."""
    engine.configure(slice_of(ROUTER, second()), adopting=False)
    world.now += 1
    engine.packet("eth0", advert(200, vrid=52, addresses=(IPv4Address("10.0.0.101"),)))
    engine.settle()
    run_until_deadline(engine, world)
    assert engine.holding() == {"public": True, "inner": False}
    engine.configure(slice_of(replace(ROUTER, vrid=52), replace(second(), vrid=51)), adopting=False)
    assert engine.holding() == {"public": False, "inner": True}
    assert [(report.router, report.role) for report in engine.roles().roles] == [
        ("public", Role.STANDBY),
        ("inner", Role.ACTIVE),
    ]
    assert world.priorities() == [150, 150]


def test_a_new_vrid_goes_on_in_its_role_and_listens_to_the_old_one_until_the_new_is_heard(
    engine: Engine, world: FakeWorld
) -> None:
    engine.packet("eth0", advert(200))
    engine.settle()
    engine.configure(slice_of(replace(ROUTER, vrid=53)), adopting=False)
    for _ in range(10):  # the active peer still speaks in 51
        world.now += 1.0
        engine.packet("eth0", advert(200))
        engine.tick()
    assert world.role() is Role.STANDBY
    engine.packet("eth0", advert(200, vrid=53))
    engine.settle()
    before = world.deadline
    world.now += 0.5
    engine.packet("eth0", advert(200))  # 51 is nobody's any more
    engine.settle()
    assert world.deadline == before


def test_a_new_interface_is_listened_to_beside_the_old_one(engine: Engine, world: FakeWorld) -> None:
    engine.links({"eth0": True, "eth1": True})
    run_until_deadline(engine, world)
    elsewhere = VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth1")
    engine.configure(slice_of(replace(ROUTER, interface="eth1", addresses=(elsewhere,))), adopting=False)
    assert engine.ears == {("eth0", 4), ("eth1", 4)}
    assert engine.holding() == {"public": True}
    assert world.sent[-1][0] == "eth1"


def test_a_failed_send_is_counted_as_such(engine: Engine, world: FakeWorld, tally: Tally) -> None:
    world.errno = 100
    run_until_deadline(engine, world)
    assert tally.report().routers["public"] == {"adverts_send_failed": 1}


# -- tracking -------------------------------------------------------------------------------------------------------

BAD = Verdict(standing=Standing.DOWN, why="3 of 3 failed: no answer")
GOOD = Verdict(standing=Standing.UP, why="answered")


def tracking(world: FakeWorld, tally: Tally, *watch: Track, adopting: bool = False) -> Engine:
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True, "eth1": True})
    routers = (replace(ROUTER, watch=watch),)
    engine.configure(ElectorConfig(generation=1, node="lb1", routers=routers), adopting=adopting)
    engine.readiness({})
    return engine


def test_a_bad_verdict_hands_the_role_over_and_a_good_one_lets_it_listen_again(world: FakeWorld, tally: Tally) -> None:
    engine = tracking(world, tally, Track(tracker="gateway"))
    engine.verdicts({"gateway": GOOD})
    run_until_deadline(engine, world)
    assert world.role() is Role.ACTIVE
    engine.verdicts({"gateway": BAD})
    assert world.priorities()[-1] == 0
    while world.deadline is not None:
        run_until_deadline(engine, world)
    assert world.role() is Role.FAULT
    assert world.transitions()[-1] == ("active", "fault", "fault")
    engine.verdicts({"gateway": GOOD})
    assert world.role() is Role.STANDBY


def test_what_is_not_judged_yet_is_a_fault_that_leaves_an_adopted_address(world: FakeWorld, tally: Tally) -> None:
    engine = tracking(world, tally, Track(tracker="gateway"), adopting=True)
    assert world.role() is Role.FAULT
    assert engine.holding() == {"public": None}
    engine.verdicts({"gateway": GOOD})
    run_until_deadline(engine, world)
    assert (world.role(), engine.holding()) == (Role.ACTIVE, {"public": True})


def test_a_new_director_that_has_judged_nothing_yet_changes_nothing(world: FakeWorld, tally: Tally) -> None:
    engine = tracking(world, tally, Track(tracker="gateway"))
    engine.verdicts({"gateway": GOOD})
    run_until_deadline(engine, world)
    engine.verdicts({})
    assert world.role() is Role.ACTIVE


def test_a_penalty_is_advertised_at_once(world: FakeWorld, tally: Tally) -> None:
    engine = tracking(world, tally, Track(tracker="gateway", penalty=60))
    engine.verdicts({"gateway": GOOD})
    run_until_deadline(engine, world)
    engine.verdicts({"gateway": BAD})
    assert world.priorities() == [150, 90]


def test_patience_with_an_interface_ends_by_itself(world: FakeWorld, tally: Tally) -> None:
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True, "eth1": True})
    router = replace(ROUTER, track=(TrackedInterface(interface="eth1", down_after=0.5),))
    engine.configure(ElectorConfig(generation=1, node="lb1", routers=(router,)), adopting=False)
    run_until_deadline(engine, world)
    engine.links({"eth0": True, "eth1": False})
    assert world.role() is Role.ACTIVE
    assert world.deadline == pytest.approx(world.now + 0.5)
    run_until_deadline(engine, world)
    assert world.priorities()[-1] == 0


def test_without_its_own_address_it_does_not_speak(world: FakeWorld, tally: Tally) -> None:
    engine = tracking(world, tally)
    engine.addresses({})
    assert world.role() is Role.FAULT
    engine.address(AddressKey("eth0", OURS, 24), AddressConfig())
    assert world.role() is Role.STANDBY


def test_both_families_are_advertised_from_what_the_interface_has(world: FakeWorld, tally: Tally) -> None:
    """Link-local VIPs first, from the link-local address of the interface; without one it waits in fault."""
    six = tuple(
        VirtualAddress(interface=IPv6Interface(text), device="eth0") for text in ("2001:db8::100/64", "fe80::100/64")
    )
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True})
    engine.addresses({AddressKey("eth0", OURS, 24): AddressConfig()})
    both = replace(ROUTER, addresses=(*six, *ROUTER.addresses))
    engine.configure(ElectorConfig(generation=1, node="lb1", routers=(both,)), adopting=False)
    assert engine.ears == {("eth0", 4), ("eth0", 6)}
    assert world.role() is Role.FAULT
    assert "no usable link-local address on eth0 yet" in engine.roles().roles[0].why
    engine.address(AddressKey("eth0", IPv6Address("fe80::1"), 64), AddressConfig())
    assert world.role() is Role.STANDBY
    run_until_deadline(engine, world)
    over4, over6 = (packet for _, packet in world.sent)
    assert (str(over4.source), str(over4.destination)) == ("10.0.0.1", "224.0.0.18")
    assert (str(over6.source), str(over6.destination)) == ("fe80::1", "ff02::12")
    heard = vrrp.decode(over6.payload, over6.source, over6.destination)
    assert [str(address) for address in heard.addresses] == ["fe80::100", "2001:db8::100"]


def test_version_2_is_spoken_with_its_password(world: FakeWorld, tally: Tally) -> None:
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True})
    old = replace(ROUTER, version=2, password="secret")
    engine.configure(ElectorConfig(generation=1, node="lb1", routers=(old,)), adopting=False)
    assert world.deadline == pytest.approx(100.0 + 3 + 106 / 256 + 1), "not ready yet: one interval more"
    run_until_deadline(engine, world)
    ((_, packet),) = world.sent
    assert packet.payload[:6].hex() == "213396010101"
    assert packet.payload[-8:] == b"secret\0\0"


def test_what_peers_say_wrong_is_in_the_report_for_a_minute(engine: Engine, world: FakeWorld) -> None:
    payload = vrrp.encode(Advertisement(51, 200, 1.0, (VIP,), version=2), PEER, GROUPS[4])
    engine.packet("eth0", Packet(PEER, GROUPS[4], 255, payload))
    engine.settle()
    (words,) = engine.roles().roles[0].complaints
    assert "10.0.0.2 speaks VRRP version 2" in words
    world.now += 60
    engine.tick()
    assert engine.roles().roles[0].complaints == ()


# -- groups ---------------------------------------------------------------------------------------------------------

INNER, INNER_PEER = IPv4Address("10.1.0.1"), IPv4Address("10.1.0.2")
INSIDE = replace(
    ROUTER,
    name="inside",
    vrid=52,
    interface="eth1",
    source=INNER,
    addresses=(VirtualAddress(interface=IPv4Interface("10.1.0.100/24"), device="eth1"),),
)
GROUP = GroupConfig(
    name="both",
    routers=("public", "inside"),
    aliases={"10.0.0.1": OURS, "10.0.0.2": PEER, "10.1.0.1": OURS, "10.1.0.2": PEER},
)


@pytest.fixture
def grouped(world: FakeWorld, tally: Tally) -> Engine:
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True, "eth1": True})
    config = ElectorConfig(generation=1, node="lb1", routers=(ROUTER, INSIDE), groups=(GROUP,))
    engine.configure(config, adopting=False)
    engine.readiness({})
    return engine


def inside(priority: int) -> Packet:
    message = Advertisement(52, priority, 1.0, (IPv4Address("10.1.0.100"),))
    payload = vrrp.encode(message, INNER_PEER, GROUPS[4], ChecksumForm.RFC9568)
    return Packet(INNER_PEER, GROUPS[4], 255, payload)


def roles(world: FakeWorld) -> dict[str, Role]:
    latest = next(m for m in reversed(world.told) if isinstance(m, Roles))
    return {report.router: report.role for report in latest.roles}


def test_a_group_takes_over_as_one(grouped: Engine, world: FakeWorld) -> None:
    run_until_deadline(grouped, world)
    assert roles(world) == {"public": Role.ACTIVE, "inside": Role.ACTIVE}
    assert grouped.holding() == {"public": True, "inside": True}
    assert [(interface, packet.payload[1], packet.payload[2]) for interface, packet in world.sent] == [
        ("eth0", 51, 150),
        ("eth1", 52, 150),
    ]
    assert grouped.due_announcements() == {"public": world.now, "inside": world.now}
    told = [m.transition for m in world.told if isinstance(m, Happened)]
    assert [(t.kind, t.who, t.after) for t in told if t.cause == "nobody_active"] == [
        (Kind.ROUTER, "public", "active"),
        (Kind.ROUTER, "inside", "active"),
        (Kind.GROUP, "both", "active"),
    ]


def test_what_is_missing_of_connections_alone_makes_no_group_hesitate(grouped: Engine, world: FakeWorld) -> None:
    at_once = grouped._routers["public"].deadline
    assert at_once is not None
    lacking = {"public": "holds 1 of 9", "inside": "holds 1 of 9"}
    grouped.readiness(lacking, ["public", "inside"])
    assert grouped._routers["public"].deadline == at_once
    grouped.readiness(lacking, ["public"])
    assert grouped._routers["public"].deadline == at_once + ROUTER.advert_interval
    grouped.readiness({})
    assert grouped._routers["public"].deadline == at_once


def test_one_segment_that_carries_the_active_ones_word_is_enough(grouped: Engine, world: FakeWorld) -> None:
    """eth0 is silent all the time: still nobody is active there beside the one that is heard on eth1."""
    for _ in range(20):
        grouped.packet("eth1", inside(200))
        grouped.settle()
        world.now += 1.0
        grouped.tick()
    assert roles(world) == {"public": Role.STANDBY, "inside": Role.STANDBY}
    assert world.sent == []


def test_the_better_one_heard_on_one_segment_wins_on_both(grouped: Engine, world: FakeWorld) -> None:
    run_until_deadline(grouped, world)
    grouped.packet("eth1", inside(200))
    grouped.settle()
    assert roles(world) == {"public": Role.STANDBY, "inside": Role.STANDBY}


def test_a_member_that_loses_its_link_takes_the_other_along_and_says_so_there(
    grouped: Engine, world: FakeWorld
) -> None:
    run_until_deadline(grouped, world)
    grouped.links({"eth0": True, "eth1": False})
    assert [(interface, packet.payload[2]) for interface, packet in world.sent][2:] == [("eth0", 0), ("eth1", 0)]
    grouped.packet("eth0", advert(100))
    grouped.settle()
    run_until_deadline(grouped, world)
    assert roles(world) == {"public": Role.FAULT, "inside": Role.FAULT}
    assert grouped.holding() == {"public": False, "inside": False}


def test_a_refused_address_of_one_is_a_fault_of_both(grouped: Engine, world: FakeWorld) -> None:
    run_until_deadline(grouped, world)
    grouped.refused("inside", "add 10.1.0.100/24 on eth1: No such device (errno 19)")
    assert world.priorities()[-2:] == [0, 0]


def test_a_group_waits_until_all_its_routers_are_ready(grouped: Engine, world: FakeWorld) -> None:
    def worse_is_heard(seconds: int) -> None:
        for _ in range(seconds):
            grouped.packet("eth0", advert(100))
            world.now += 1.0
            grouped.tick()

    grouped.readiness({"inside": "not loaded"})
    worse_is_heard(10)
    assert roles(world)["public"] is Role.STANDBY
    grouped.readiness({})
    worse_is_heard(4)
    assert roles(world) == {"public": Role.ACTIVE, "inside": Role.ACTIVE}


def test_a_group_that_another_router_leads_keeps_its_role(grouped: Engine, world: FakeWorld) -> None:
    run_until_deadline(grouped, world)
    since, said = grouped.roles().roles[0].since, len(world.sent)
    turned = replace(GROUP, routers=("inside", "public"))
    config = ElectorConfig(generation=2, node="lb1", routers=(ROUTER, INSIDE), groups=(turned,))
    grouped.configure(config, adopting=False)
    assert roles(world) == {"inside": Role.ACTIVE, "public": Role.ACTIVE}
    assert grouped.holding() == {"inside": True, "public": True}
    assert {report.since for report in grouped.roles().roles} == {since}
    assert 0 not in world.priorities()[said:], "nobody says goodbye"
    (told,) = [m.transition for m in world.told if isinstance(m, Happened) and m.transition.cause == "group_changed"]
    assert (told.who, told.why) == ("inside", "was elected with public, VRID 51 on eth0; the election goes on")
    grouped.packet("eth1", inside(200))
    grouped.settle()
    assert roles(world) == {"inside": Role.STANDBY, "public": Role.STANDBY}


def test_a_refusal_stays_with_its_router_when_another_one_leads(grouped: Engine, world: FakeWorld) -> None:
    run_until_deadline(grouped, world)
    grouped.refused("inside", "add 10.1.0.100/24 on eth1: No such device (errno 19)")
    config = ElectorConfig(generation=2, node="lb1", routers=(ROUTER, INSIDE))
    grouped.configure(config, adopting=False)
    grouped.packet("eth0", advert(100))
    grouped.packet("eth1", inside(100))
    grouped.settle()
    run_until_deadline(grouped, world)
    assert roles(world)["inside"] is Role.FAULT


def test_an_unchanged_group_goes_on_and_one_that_is_dissolved_goes_on_as_two(grouped: Engine, world: FakeWorld) -> None:
    run_until_deadline(grouped, world)
    config = ElectorConfig(generation=2, node="lb1", routers=(ROUTER, INSIDE), groups=(GROUP,))
    grouped.configure(config, adopting=False)
    assert roles(world) == {"public": Role.ACTIVE, "inside": Role.ACTIVE}
    grouped.configure(replace(config, generation=3, groups=()), adopting=False)
    assert roles(world) == {"public": Role.ACTIVE, "inside": Role.ACTIVE}
    grouped.packet("eth1", inside(200))
    grouped.settle()
    assert roles(world) == {"public": Role.ACTIVE, "inside": Role.STANDBY}


def test_a_group_that_leaves_the_configuration_serves_until_its_successor_speaks(
    grouped: Engine, world: FakeWorld
) -> None:
    run_until_deadline(grouped, world)
    grouped.configure(ElectorConfig(generation=2, node="lb1", routers=()), adopting=False)
    assert world.priorities()[-2:] == [0, 0]
    assert grouped.holding() == {"public": True, "inside": True}
    playing = grouped.playing()
    assert playing is not None
    assert [router.name for router in playing.routers] == ["public", "inside"]
    grouped.packet("eth1", inside(100))
    grouped.settle()
    run_until_deadline(grouped, world)
    assert grouped.holding() == {}


def test_a_router_that_joins_a_group_keeps_its_address_where_the_leader_is_active(
    world: FakeWorld, tally: Tally
) -> None:
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True, "eth1": True})
    alone = ElectorConfig(generation=1, node="lb1", routers=(ROUTER, INSIDE))
    engine.configure(alone, adopting=False)
    run_until_deadline(engine, world)
    assert engine.holding() == {"public": True, "inside": True}
    engine.configure(replace(alone, generation=2, groups=(GROUP,)), adopting=False)
    assert engine.holding() == {"public": True, "inside": True}
    assert roles(world) == {"public": Role.ACTIVE, "inside": Role.ACTIVE}
    packet = next(packet for interface, packet in reversed(world.sent) if interface == "eth1")
    assert packet.payload[2] in (0, 150)


# -- contested addresses --------------------------------------------------------------------------------------------


def test_a_contested_role_is_offered_and_goes_on_when_nobody_takes_it(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    engine.contested("public", "somebody keeps deleting its addresses")
    assert world.priorities()[-1] == 0
    assert engine.holding() == {"public": True}
    while world.priorities()[-1] == 0:
        run_until_deadline(engine, world)
        assert engine.holding() == {"public": True}
    assert world.priorities()[-1] == 150
    assert world.role() is Role.ACTIVE


def test_a_contested_role_that_was_taken_stays_away_for_a_minute(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    begun = world.now
    engine.contested("public", "somebody keeps deleting its addresses")
    world.now += 0.3
    engine.packet("eth0", advert(100))
    engine.settle()
    while world.role() is not Role.FAULT:
        run_until_deadline(engine, world)
    assert engine.holding() == {"public": False}
    while world.role() is Role.FAULT:
        run_until_deadline(engine, world)
    assert world.now - begun == pytest.approx(1.25 + 60.0)


def test_the_keeper_is_woken_when_an_address_that_was_left_as_found_must_go(world: FakeWorld, tally: Tally) -> None:
    """No report shows it: that a router does not hold is said of the one as of the other."""
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True})
    engine.configure(ElectorConfig(generation=1, node="lb1", routers=(ROUTER,)), adopting=True)
    assert engine.holding() == {"public": None}
    engine.packet("eth0", advert(200))
    engine.settle()
    woken = world.woken
    world.now += 0.1
    engine.tick()
    assert engine.holding() == {"public": False}
    assert world.woken == woken + 1


def test_a_deadline_that_has_passed_is_known_before_the_tick(engine: Engine, world: FakeWorld) -> None:
    assert not engine.overdue()
    assert world.deadline is not None
    world.now = world.deadline
    assert engine.overdue()
    engine.tick()
    assert not engine.overdue()


# -- what came of asking about a takeover ------------------------------------------------------------------------------

CONFIRMED = Confirmation(verdict=TakeoverVerdict.CONFIRMED, seconds=0.003, why="confirmed in 3.0 ms")
SECOND = Confirmation(
    verdict=TakeoverVerdict.SECOND_OWNER, seconds=0.7, why="second owner 52:54:..", owners=("52:54:00:aa:bb:02",)
)


def report(world: FakeWorld) -> RoleReport:
    return next(m for m in reversed(world.told) if isinstance(m, Roles)).roles[0]


def takeovers(world: FakeWorld) -> list[tuple[str, str, str]]:
    happened = [message.transition for message in world.told if isinstance(message, Happened)]
    return [(t.before, t.after, t.cause) for t in happened if t.kind is Kind.TAKEOVER]


def test_what_came_of_a_takeover_is_told_once_and_a_second_owner_is_a_complaint(
    engine: Engine, world: FakeWorld
) -> None:
    run_until_deadline(engine, world)
    assert report(world).confirmation is None
    assert [engine.confirmed("public", each) for each in (SECOND, SECOND, CONFIRMED)] == [True, False, True]
    assert takeovers(world) == [
        ("announced", "second_owner", "second_owner"),
        ("second_owner", "confirmed", "takeover_confirmed"),
    ]
    assert (report(world).confirmation, report(world).complaints) == (CONFIRMED, ())
    engine.confirmed("public", SECOND)
    assert report(world).complaints == ("second owner 52:54:..",)


def test_it_is_forgotten_with_the_role(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    engine.confirmed("public", SECOND)
    engine.packet("eth0", advert(200))
    engine.settle()
    assert (report(world).confirmation, report(world).complaints) == (None, ())
    run_until_deadline(engine, world)
    run_until_deadline(engine, world)
    assert report(world).role is Role.ACTIVE
    assert report(world).confirmation is None
    engine.confirmed("public", SECOND)
    assert takeovers(world)[-1] == ("announced", "second_owner", "second_owner")


@pytest.mark.parametrize(("device", "said"), [("eth0", [1]), ("lo", [])])
def test_a_vip_of_an_earlier_life_on_the_nic_is_told_to_the_active_router(
    world: FakeWorld, tally: Tally, device: str, said: list[int]
) -> None:
    """On lo it is a standby's, which nobody has believed."""
    engine = Engine(world, tally, clock=lambda: world.now)
    engine.links({"eth0": True})
    vip = AddressKey(device, VIP, 24 if device == "eth0" else 32)
    engine.addresses({AddressKey("eth0", OURS, 24): AddressConfig(), vip: AddressConfig()})
    engine.configure(slice_of(ROUTER), adopting=True)
    engine.readiness({})
    engine.packet("eth0", advert(100))
    assert world.priorities() == said

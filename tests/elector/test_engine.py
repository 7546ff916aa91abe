"""The engine between the election and the world: what it sends, tells, and asks the keeper to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface

import pytest

from haman.elector.engine import REFUSED_HOLD, Engine
from haman.elector.tally import Tally
from haman.model.cluster import ChecksumForm, Preempt, VirtualAddress
from haman.model.elector import ElectorConfig, Happened, Roles, RouterConfig
from haman.model.transition import Kind, Role
from haman.wire import ipv4, vrrp

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
    sent: list[tuple[str, bytes, IPv4Address]] = field(default_factory=list)
    told: list[Roles | Happened] = field(default_factory=list)
    woken: int = 0
    deadline: float | None = None

    def send(self, interface: str, packet: bytes, destination: IPv4Address) -> int:
        self.sent.append((interface, packet, destination))
        return self.errno

    def wake_at(self, when: float | None) -> None:
        self.deadline = when

    def wake_keeper(self) -> None:
        self.woken += 1

    def tell(self, message: Roles | Happened) -> None:
        self.told.append(message)

    def priorities(self) -> list[int]:
        return [packet[22] for _, packet, _ in self.sent]

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


def advert(priority: int, source: IPv4Address = PEER, **changes: object) -> bytes:
    addresses = changes.pop("addresses", (VIP,))
    message = vrrp.Advertisement(51, priority, 1.0, addresses)  # type: ignore[arg-type]
    payload = vrrp.encode(message, source, vrrp.GROUP, ChecksumForm.RFC9568)
    return ipv4.wrap(payload, source, vrrp.GROUP)


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
        (b"\x45\0", "refused_ip_header"),
        (advert(200)[:-1], "refused_ip_header"),
        (advert(200)[:8] + b"\xfe" + advert(200)[9:], "refused_ttl"),
        (advert(200)[:-1] + b"\x65", "refused_checksum"),
    ],
)
def test_a_bad_packet_changes_nothing_and_is_counted(
    engine: Engine, world: FakeWorld, tally: Tally, packet: bytes, counter: str
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
        engine.packet("eth0", b"")
    assert notes() == 1
    world.now += 60
    engine.packet("eth0", b"")
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
    payload = vrrp.encode(vrrp.Advertisement(51, 200, 1.0, (VIP,)), THIRD, OURS)
    engine.packet("eth0", ipv4.wrap(payload, THIRD, OURS))
    assert tally.report().routers["public"] == {"refused_transport": 1, "refused_not_a_peer": 1}
    world.now = 200.0
    engine.tick()  # a standby this late listens again before it speaks
    run_until_deadline(engine, world)
    assert [destination for _, _, destination in world.sent] == [PEER]


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


def test_a_router_that_left_the_configuration_says_goodbye_and_holds_nothing(engine: Engine, world: FakeWorld) -> None:
    run_until_deadline(engine, world)
    engine.configure(ElectorConfig(generation=2, node="lb1", routers=()), adopting=False)
    assert world.priorities()[-1] == 0
    assert engine.holding() == {}


def test_a_failed_send_is_counted_as_such(engine: Engine, world: FakeWorld, tally: Tally) -> None:
    world.errno = 100
    run_until_deadline(engine, world)
    assert tally.report().routers["public"] == {"adverts_send_failed": 1}

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

from haman.model.kernel import (
    AddressConfig,
    AddressKey,
    DestinationConfig,
    DestinationKey,
    Kernel,
    ServiceConfig,
    ServiceKey,
)
from haman.model.services import Forward, Protocol
from haman.plan.blast import Blast, Connection, Move, Toll, blast
from haman.plan.ops import Add, Op, Remove, Set

VIP = IPv4Address("10.0.0.100")
WEB = ServiceKey.at(Protocol.TCP, VIP, 80)
DNS = ServiceKey.at(Protocol.UDP, VIP, 53)
MARK = ServiceKey.marked(7)
SENTINEL = ServiceKey.marked(0x68616D61)
CONFIG = ServiceConfig("mh")


def to(service: ServiceKey, number: int, port: int = 80) -> DestinationKey:
    return DestinationKey(service, IPv4Address(f"10.0.0.{number}"), port)


def weight(of: int) -> DestinationConfig:
    return DestinationConfig(Forward.DR, of)


RS1, RS2 = to(WEB, 11), to(WEB, 12)
ON_NIC = {AddressKey("eth0", VIP, 32): AddressConfig()}
HELD = Kernel(
    addresses=ON_NIC,
    services={SENTINEL: ServiceConfig("none"), WEB: CONFIG, DNS: CONFIG, MARK: CONFIG},
    destinations={RS1: weight(3), RS2: weight(1), to(DNS, 11, 53): weight(1), to(MARK, 13, 0): weight(1)},
)


def tcp(server: int, port: int = 80, state: str = "ESTABLISHED", vip: str = "10.0.0.100") -> Connection:
    return Connection(Protocol.TCP, IPv4Address(vip), port, IPv4Address(f"10.0.0.{server}"), port, state)


NOW = [
    *[tcp(11)] * 5,
    *[tcp(12)] * 2,
    tcp(11, state="FIN_WAIT"),
    Connection(Protocol.UDP, VIP, 53, IPv4Address("10.0.0.11"), 53, "UDP"),
    tcp(13, 443, vip="192.0.2.7"),
    tcp(99, 443, vip="192.0.2.8"),  # somebody else's
]


def toll(*ops: Op, held: Kernel = HELD) -> Blast:
    return blast(ops, held, NOW)


def test_nothing_done_costs_nobody_anything() -> None:
    assert toll() == Blast((), (), elsewhere=9)


def test_a_server_that_goes_takes_its_connections_with_it() -> None:
    assert toll(Remove(RS1)) == Blast((), (Toll(WEB, (2, 1), (4, 1), 7, 5),), elsewhere=2)
    assert toll(Remove(RS1)).tolls[0].left == 0.25
    assert toll(Remove(RS1)).broken == 5


def test_a_quiesced_server_keeps_its_connections() -> None:
    assert toll(Set(RS2, weight(0))).tolls == (Toll(WEB, (2, 1), (4, 3), 7, 0),)


def test_more_weight_is_no_toll() -> None:
    assert toll(Set(RS2, weight(5)), Add(to(WEB, 14), weight(1))).tolls == ()


def test_a_server_replaced_by_another_breaks_what_it_had() -> None:
    assert toll(Add(to(WEB, 14), weight(3)), Remove(RS1)).tolls == (Toll(WEB, (2, 2), (4, 4), 7, 5),)


def test_a_service_that_goes_takes_all() -> None:
    assert toll(Remove(WEB)).tolls == (Toll(WEB, (2, 0), (4, 0), 7, 7),)
    assert toll(Remove(DNS)).tolls == (Toll(DNS, (1, 0), (1, 0), 1, 1),)


def test_of_a_firewall_mark_the_server_tells_whose_a_connection_is() -> None:
    assert toll(Remove(to(MARK, 13, 0))).tolls == (Toll(MARK, (1, 0), (1, 0), 1, 1),)


def test_on_a_standby_they_are_copies() -> None:
    silent = Kernel(
        addresses={AddressKey("lo", VIP, 32): AddressConfig()},
        services=HELD.services,
        destinations=HELD.destinations,
    )
    assert toll(Remove(RS1), held=silent).tolls[0].here is False


def test_the_sentinel_is_nobodys_service() -> None:
    assert toll(Remove(SENTINEL)).tolls == ()


def test_vips_that_move() -> None:
    other = ip_address("2001:db8::100")
    ops = (
        Add(AddressKey("lo", VIP, 32), AddressConfig()),
        Remove(AddressKey("eth0", VIP, 24)),
        Add(AddressKey("eth1", VIP, 24), AddressConfig()),
        Add(AddressKey("eth0", other, 64), AddressConfig()),
        Remove(AddressKey("eth0", IPv4Address("10.0.0.101"), 24)),
        Add(AddressKey("eth0", IPv4Address("10.0.0.101"), 32), AddressConfig()),
    )
    assert toll(*ops).moves == (
        Move(VIP, "eth0", coming=False),
        Move(VIP, "eth1", coming=True),
        Move(other, "eth0", coming=True),
    )

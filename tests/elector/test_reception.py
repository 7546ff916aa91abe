"""Which packets are believed, over both families and in both versions, and what the operator is told of the others."""

from __future__ import annotations

import time
from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from typing import TYPE_CHECKING, Any

import pytest

from haman.elector.complaints import QUIET
from haman.elector.listed import Listed
from haman.elector.reception import Reception
from haman.elector.sources import Sources
from haman.elector.tally import Tally
from haman.model.elector import RouterConfig
from haman.model.kernel import AddressConfig, AddressKey
from haman.model.routers import VirtualAddress
from haman.wire import vrrp
from haman.wire.advertisement import GROUPS, Advertisement
from haman.wire.packet import Packet

if TYPE_CHECKING:
    from haman.model.addresses import Address

OURS, PEER = ip_address("10.0.0.1"), ip_address("10.0.0.2")
OURS6, PEER6 = ip_address("fe80::1"), ip_address("fe80::2")
VIP, VIP6 = ip_address("10.0.0.100"), ip_address("2001:db8::100")
FOUR = RouterConfig(
    name="public",
    vrid=51,
    priority=150,
    interface="eth0",
    source=OURS,  # type: ignore[arg-type]
    advert_interval=1.0,
    addresses=(VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),),
)
SIX = replace(FOUR, addresses=(VirtualAddress(interface=IPv6Interface("2001:db8::100/64"), device="eth0"),))
BOTH = replace(FOUR, addresses=(*FOUR.addresses, *SIX.addresses))
OLD = replace(FOUR, version=2, password="secret")


class Desk:
    """A reception with its notes; `hear` gives the event, or the counter of the refusal."""

    def __init__(self, router: RouterConfig) -> None:
        self.router = router
        self.tally = Tally()
        self.notes: list[str] = []
        sources = Sources()
        sources.replace({AddressKey("eth0", OURS6, 64): AddressConfig()})
        self.reception = Reception(
            self.tally, sources, Listed(), lambda *words: self.notes.append(words[-1]), time.time
        )

    def hear(self, packet: Packet, now: float = 0.0) -> Any:
        heard = self.reception.read("eth0", packet, {51: self.router}, now)
        return heard or [count for counts in self.counts().values() for count in counts]

    def counts(self) -> dict[str, dict[str, int]]:
        return self.tally.report().routers


def packet(source: Address = PEER, destination: Address | None = None, ttl: int = 255, **changes: Any) -> Packet:
    fields = {"vrid": 51, "priority": 100, "interval": 1.0, "addresses": (VIP if source.version == 4 else VIP6,)}
    destination = destination or GROUPS[source.version]
    message = Advertisement(**{**fields, **changes})
    return Packet(source, destination, ttl, vrrp.encode(message, source, destination))


@pytest.mark.parametrize(
    ("router", "heard", "own"),
    [(FOUR, packet(), OURS), (SIX, packet(PEER6), OURS6), (OLD, packet(version=2, password="secret"), OURS)],
)
def test_what_is_right_is_heard_with_both_ends_of_a_tie(router: RouterConfig, heard: Packet, own: Address) -> None:
    desk = Desk(router)
    event = desk.hear(heard)
    assert (event.source, event.own, event.leads) == (heard.source, own, True)
    assert desk.notes == []


def test_ipv4_leads_where_there_are_both() -> None:
    assert Desk(BOTH).hear(packet()).leads
    assert not Desk(BOTH).hear(packet(PEER6)).leads


@pytest.mark.parametrize(
    ("router", "heard", "count", "cure"),
    [
        (FOUR, packet(version=2), "refused_version", "set the same 'version' everywhere"),
        (OLD, packet(), "refused_version", "set the same 'version' everywhere"),
        (OLD, packet(version=2), "refused_authentication", "10.0.0.2 sends no password; set the same 'auth' every"),
        (OLD, packet(version=2, password="public"), "refused_authentication", "10.0.0.2 sends another password; set"),
        (replace(OLD, password=None), packet(version=2, password="x"), "refused_authentication", "a password, we none"),
        (OLD, packet(version=2, password="secret", interval=2.0), "refused_interval", "every 2 s, we every 1 s"),
        (FOUR, packet(PEER6), "refused_family", "fe80::2 speaks IPv6, of which this router has no address"),
        (SIX, packet(), "refused_family", "10.0.0.2 speaks IPv4, of which this router has no address"),
        (SIX, packet(OURS6), "refused_own_address", "from fe80::1, our own address"),
        (SIX, packet(PEER6, OURS6), "refused_transport", "does not speak multicast, this router does"),
        (replace(SIX, peers=(PEER6,)), packet(PEER6), "refused_transport", "does not speak unicast, this router does"),
        (replace(SIX, peers=(PEER6,)), packet(ip_address("fe80::3"), OURS6), "refused_not_a_peer", "is no director"),
        (replace(SIX, peers=(PEER6,)), packet(PEER6, OURS6, 254), "refused_ttl", "at least 255 wanted"),
    ],
)
def test_what_is_refused_is_counted_and_said_with_its_cure(
    router: RouterConfig, heard: Packet, count: str, cure: str
) -> None:
    desk = Desk(router)
    assert desk.hear(heard) == [count]
    assert cure in desk.notes[0]
    assert desk.reception.complaints.about("public") == tuple(desk.notes)
    assert "secret" not in desk.notes[0]


@pytest.mark.parametrize("heard", [packet(ttl=254), packet(PEER6, ttl=254)])
def test_multicast_that_crossed_a_router_is_refused(heard: Packet) -> None:
    assert Desk(BOTH).hear(heard) == ["refused_ttl"]


def test_a_virtual_router_of_another_interface_is_none_here() -> None:
    """RFC 9568, section 7.1: the VRID must be one of the interface's that heard it."""
    desk = Desk(FOUR)
    assert desk.hear(packet(vrid=52)) == ["refused_vrid"]
    assert "virtual router 52 of 10.0.0.2 is not ours" in desk.notes[0]
    assert desk.reception.read("eth1", packet(), {}, 0.0) is None, "it is eth0's"


def test_another_list_and_another_interval_are_taken_and_said() -> None:
    desk = Desk(FOUR)
    heard = desk.hear(packet(interval=0.5, addresses=(ip_address("10.0.0.99"),)))
    assert heard.advertisement.interval == 0.5
    assert desk.counts()["public"] == {"adverts_received": 1, "mismatch_addresses": 1, "mismatch_interval": 1}
    assert "the list of 10.0.0.2 has 10.0.0.99, lacks 10.0.0.100" in desk.notes[0]
    assert "10.0.0.2 advertises every 0.5 s, we every 1 s" in desk.notes[1]


def test_the_lists_of_the_two_families_are_compared_apart() -> None:
    desk = Desk(BOTH)
    desk.hear(packet())
    desk.hear(packet(PEER6))
    assert desk.notes == []


def test_a_family_that_falls_silent_beside_the_other_is_said() -> None:
    desk = Desk(BOTH)
    for second in range(20):
        desk.hear(packet(), float(second))
        if second < 5:
            desk.hear(packet(PEER6), second + 0.1)
    assert desk.counts()["public"]["mismatch_family"] == 5
    assert "10.0.0.2 is heard, and nothing over IPv6" in desk.notes[0]


def test_after_a_long_silence_both_families_begin_anew() -> None:
    desk = Desk(BOTH)
    for second in (0.0, 3600.0, 7200.0):
        desk.hear(packet(), second)
        desk.hear(packet(PEER6), second + 0.1)
    assert desk.notes == []


def test_a_complaint_is_forgotten_a_minute_after_it_was_heard_last() -> None:
    desk = Desk(FOUR)
    complaints = desk.reception.complaints
    desk.hear(packet(version=2), 0.0)
    desk.hear(packet(version=2), 30.0)
    assert complaints.deadline == 30.0 + QUIET
    assert complaints.expire(89.9) == set()
    assert len(complaints.about("public")) == 1
    assert complaints.expire(90.0) == {"public"}
    assert complaints.about("public") == ()
    assert complaints.deadline is None
    assert len(desk.notes) == 1


def test_what_goes_on_is_said_again_every_minute() -> None:
    desk = Desk(FOUR)
    for second in range(130):
        desk.hear(packet(version=2), float(second))
    assert len(desk.notes) == 3

"""Whose word counts for a server's weight."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.health.agreement import PATIENCE, Agreement, numbered
from haman.model.cluster import Cluster
from haman.model.routers import Director, Member, Router, VirtualAddress
from haman.model.services import Target
from haman.model.standing import Shares
from tests.health.support import service

if TYPE_CHECKING:
    from collections.abc import Mapping

WEB = service(1, 2, 3)
RS1, RS2, RS3 = (Target("web", f"rs{number}", 80) for number in (1, 2, 3))
OWN = {RS1: 1, RS2: 2, RS3: 3}


def cluster(*services: object) -> Cluster:
    directors = {name: Director(name=name, address=IPv4Address(f"10.0.0.10{name[-1]}")) for name in ("lb1", "lb2")}
    members = {
        name: Member(director=name, priority=100, interface="eth0", address=IPv4Address(f"10.0.0.10{name[-1]}"))
        for name in directors
    }
    vip = VirtualAddress(interface=IPv4Interface("192.0.2.1/24"), device="eth0")
    router = Router(name="public", vrid=1, advert_interval=1.0, addresses=(vip,), members=members)
    return Cluster(
        name="web",
        directors=directors,
        routers={"public": router},
        services={each.name: each for each in services or (WEB,)},  # type: ignore[attr-defined]
    )


def told(*servers: tuple[int, int], node: str = "lb1", name: str = "web", front: int = 80) -> Shares:
    """servers: (number among the sorted names, weight)"""
    return Shares(cluster="web", node=node, life=1, number=1, config="same", of={name: {front: servers}})


def standby(*services: object) -> Agreement:
    agreement = Agreement()
    agreement.configure(cluster(*services), "lb2")
    return agreement


def test_alone_the_own_checks_count() -> None:
    agreement = standby()
    assert agreement.follows("web") is None
    assert agreement.weights(OWN) == OWN
    assert agreement.order() == {}


def test_a_standby_takes_what_the_active_one_says() -> None:
    agreement = standby()
    assert agreement.hear(told((2, 3), (0, 1)), 100.0) == {"web"}
    assert agreement.follows("web") == "lb1"
    assert dict(agreement.weights(OWN)) == {RS1: 1, RS2: None, RS3: 3}
    assert agreement.order() == {"web": {80: ("rs3", "rs1")}}
    assert agreement.differing("web", OWN) == [RS2]


def test_what_it_says_again_changes_nothing() -> None:
    agreement = standby()
    agreement.hear(told((0, 1)), 100.0)
    assert agreement.hear(told((0, 1)), 101.0) == set()
    assert agreement.hear(told((0, 1), (1, 0)), 102.0) == {"web"}, "quiesced is not gone"
    assert agreement.weights(OWN)[RS2] == 0


def test_the_active_one_goes_by_its_own_checks() -> None:
    agreement = standby()
    agreement.hear(told((0, 1)), 100.0)
    assert agreement.active(["public"]) == {"web"}
    assert agreement.leads("web")
    assert agreement.follows("web") is None
    assert agreement.weights(OWN) == OWN
    assert agreement.hear(told((1, 2)), 101.0) == set(), "two are active: each by its own"
    assert agreement.active([]) == {"web"}
    assert agreement.weights(OWN)[RS1] is None, "the other's last word, while it is fresh"


def test_who_falls_silent_is_not_followed() -> None:
    agreement = standby()
    agreement.hear(told((0, 1)), 100.0)
    assert agreement.look(100.0 + PATIENCE) == set()
    assert agreement.look(100.1 + PATIENCE) == {"web"}
    assert agreement.follows("web") is None
    assert agreement.weights(OWN) == OWN


def test_a_director_that_serves_has_itself_last_whatever_the_active_one_says() -> None:
    """What it is given is for itself: when the active one adds it, last, both tables are the same at once."""
    both = {name: replace(WEB.servers["rs1"], name=name, director=name) for name in ("lb1", "lb2")}
    agreement = standby(replace(WEB, servers={**WEB.servers, **both}))
    agreement.hear(told((0, 1), (3, 3)), 100.0)  # lb1, rs2
    lb2 = Target("web", "lb2", 80)
    assert agreement.weights(OWN)[lb2] == 1
    assert agreement.order() == {"web": {80: ("lb1", "rs2", "lb2")}}
    assert agreement.hear(told((0, 1), (3, 3), (1, 1)), 101.0) == {"web"}
    assert agreement.order() == {"web": {80: ("lb1", "rs2", "lb2")}}
    assert agreement.hear(told((1, 0)), 102.0) == {"web"}
    assert agreement.weights(OWN)[lb2] == 0, "quiesced is said, and heeded"


def test_another_scheduler_needs_no_agreement() -> None:
    agreement = standby(replace(WEB, scheduler="wlc"))
    assert agreement.hear(told((0, 1)), 100.0) == set()
    assert agreement.follows("web") is None
    assert not agreement.leads("web")


def test_a_mark_is_led_by_whoever_is_active() -> None:
    marked = replace(WEB, protocol=None, address=None, ports=(), fwmark=7)
    agreement = standby(marked)
    assert agreement.hear(told((0, 1), front=0), 100.0) == {"web"}
    assert agreement.active(["public"]) == {"web"}
    assert agreement.leads("web")


@pytest.mark.parametrize(
    "shares",
    [
        told((3, 1)),
        told((0, 1), (0, 2)),
        told((0, 65536)),
        told((0, 1), name="mail"),
        told((0, 1), front=81),
    ],
    ids=["no such server", "a server twice", "too heavy", "no such service", "no such port"],
)
def test_what_cannot_be_is_passed_over(shares: Shares) -> None:
    agreement = standby()
    assert agreement.hear(shares, 100.0) == set()
    assert agreement.weights(OWN) == OWN


def test_another_configuration_forgets_what_was_said_of_the_last_one() -> None:
    agreement = standby()
    agreement.hear(told((0, 1)), 100.0)
    agreement.configure(cluster(service(1, 2)), "lb2")
    assert agreement.follows("web") is None


@given(st.permutations([RS1, RS2, RS3]), st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_what_one_says_the_other_has(there: list[Target], weights: list[int]) -> None:
    """Whatever order the two files have their servers in."""
    table = {80: tuple((target.server, weight) for target, weight in zip(there, weights, strict=True))}
    of: Mapping[int, tuple[tuple[int, int], ...]] = numbered(WEB, table)
    turned = replace(WEB, servers=dict(reversed(WEB.servers.items())))
    agreement = standby(turned)
    agreement.hear(replace(told(), of={"web": of}), 100.0)
    assert dict(agreement.weights(OWN)) == dict(zip(there, weights, strict=True))
    assert agreement.order()["web"][80] == tuple(target.server for target in there)

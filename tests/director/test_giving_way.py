"""A director without IPVS offers what it serves to one that has it, once, and only what needs it."""

from __future__ import annotations

from dataclasses import replace

from haman.director.company import Own
from haman.director.giving_way import GivingWay
from haman.director.peers import Peers
from haman.model.elector import GiveAway
from haman.model.standing import Standing
from haman.model.trackers import Group
from haman.model.transition import Role
from tests.director.support import cluster, report

WORDS = "no IPVS here"


def own(role: Role = Role.ACTIVE, waiting: str = WORDS) -> Own:
    return Own(cluster=cluster(), node="lb1", digest="same", roles=(report(role),), waiting={"public": waiting})


def peers(**waiting: str) -> Peers:
    found = Peers("web", ["lb2"], "same")
    standing = Standing(
        cluster="web", node="lb2", life=1, number=1, config="same", roles={"public": "standby"}, waiting=waiting
    )
    found.take("lb2", standing, 0.0, 0.0)
    return found


OFFER = GiveAway(to={"public": ("lb2",)}, why="this director cannot serve it (no IPVS here)")


def test_it_is_offered_once_it_is_sure_and_again_if_nobody_took_it() -> None:
    way = GivingWay()
    looks = {now: way.look(own(), WORDS, peers(), now) for now in (10.0, 12.9, 13.0, 14.0, 42.9, 43.0)}
    assert [now for now, offer in looks.items() if offer is not None] == [13.0, 43.0]
    assert looks[13.0] == OFFER


def test_what_was_only_a_socket_that_broke_moves_nothing() -> None:
    way = GivingWay()
    assert way.look(own(), WORDS, peers(), 10.0) is None
    assert way.look(own(), None, peers(), 12.0) is None
    assert way.look(own(), WORDS, peers(), 13.0) is None


def test_nothing_is_offered_to_one_that_lacks_something_itself_or_without_need() -> None:
    for mine, theirs in (
        (own(), peers(public="no IPVS either")),
        (own(Role.STANDBY), peers()),
        (own(waiting="1 of 2 servers not checked yet"), peers()),
    ):
        way = GivingWay()
        assert [way.look(mine, WORDS, theirs, now) for now in (10.0, 20.0)] == [None, None]


def test_it_is_offered_as_soon_as_there_is_somebody() -> None:
    way = GivingWay()
    assert [way.look(own(), WORDS, peers(public="starting"), now) for now in (10.0, 20.0)] == [None, None]
    assert way.look(own(), WORDS, peers(), 20.5) == OFFER


def test_a_group_is_offered_to_who_could_serve_all_of_it_and_as_soon_as_it_can() -> None:
    """An offer of one member alone is taken by nobody: they are elected as one."""
    plain = cluster()
    inside = replace(plain.routers["public"], name="inside", vrid=52)
    grouped = replace(
        plain,
        routers={**plain.routers, "inside": inside},
        groups={"both": Group(name="both", routers=("inside", "public"))},
    )
    mine = replace(own(), cluster=grouped, roles=(report(Role.ACTIVE, "inside"), report(Role.ACTIVE, "public")))

    def lb2(**waiting: str) -> Peers:
        found = Peers("web", ["lb2"], "same")
        roles = {"inside": "standby", "public": "standby"}
        standing = Standing(cluster="web", node="lb2", life=1, number=1, config="same", roles=roles, waiting=waiting)
        found.take("lb2", standing, 0.0, 0.0)
        return found

    way = GivingWay()
    assert [way.look(mine, WORDS, lb2(public="listens to connections"), now) for now in (10.0, 13.0)] == [None, None]
    offer = way.look(mine, WORDS, lb2(), 14.0)
    assert offer is not None
    assert offer.to == {"inside": ("lb2",), "public": ("lb2",)}

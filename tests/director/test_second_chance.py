"""How long the director that served before is asked about connections nobody here knows."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from haman.director.chances import Chances
from haman.director.company import Own
from haman.director.peers import Peers
from haman.director.preemption import Preemption
from haman.director.second_chance import LASTS, PREPARED, SecondChances
from haman.model.standing import Standing
from tests.director.support import cluster

LB1 = Standing(cluster="web", node="lb1", life=1, number=1, config="c", roles={"public": "active"})


class Scene:
    def __init__(self) -> None:
        self.peers = Peers("web", ["lb1", "lb3"], "c")
        self.chances = SecondChances("lb2", able=True)
        self.number = 1

    def lb1(self, role: str = "active", to: str | None = None, now: float = 0.0) -> bool:
        """lb1 says something."""
        self.number += 1
        giving = {"public": to} if to else {}
        self.peers.take("lb1", replace(LB1, number=self.number, roles={"public": role}, giving=giving), now, now)
        return self.chances.look(self.peers, now)


def test_from_the_offer_until_the_other_has_been_told_of_all() -> None:
    scene = Scene()
    assert not scene.lb1()
    assert scene.lb1(to="lb2", now=5.0)
    assert scene.chances.taken == scene.chances.offered == {"public": "lb1"}
    assert scene.chances.next == float("inf")
    assert not scene.lb1(role="standby", now=6.0)
    assert (scene.chances.taken, scene.chances.offered) == ({"public": "lb1"}, {})
    assert scene.chances.next == 6.0 + LASTS
    assert not scene.lb1(role="standby", now=7.0), "what it says later makes it no longer"
    assert not scene.chances.look(scene.peers, 15.9)
    assert scene.chances.look(scene.peers, 16.0)
    assert scene.chances.taken == {}


def test_what_is_given_to_somebody_else_is_not_ours() -> None:
    scene = Scene()
    assert not scene.lb1(to="lb3")
    assert not scene.lb1(role="standby", to="lb2"), "nobody gives what it has not"


def test_prepared_is_what_the_kernel_has_and_nothing_where_it_cannot() -> None:
    scene = Scene()
    scene.lb1(to="lb2")
    assert scene.chances.expecting({}) == ()
    assert scene.chances.expecting({"public": "lb3"}) == ()
    assert scene.chances.expecting({"public": "lb1"}) == ("public",)
    scene = Scene()
    scene.chances.able = False
    assert not scene.lb1(to="lb2")
    assert scene.chances.taken == {}
    assert scene.chances.expecting({}) == ("public",), "nobody is to wait for what will not come"


def test_who_has_left_is_asked_no_more() -> None:
    for role in ("fault", "stopped"):
        scene = Scene()
        assert scene.lb1(to="lb2")
        assert scene.lb1(role=role, now=1.0)
        assert scene.chances.taken == {}
    scene = Scene()
    assert scene.lb1(to="lb2")
    scene.peers.look(60.0, 60.0)
    assert scene.chances.look(scene.peers, 60.0), "it is silent"


def test_back_again_within_the_time_is_a_new_move() -> None:
    scene = Scene()
    assert scene.lb1(to="lb2")
    assert not scene.lb1(role="standby", now=1.0)
    assert not scene.lb1(role="active", now=3.0)
    assert not scene.lb1(role="active", to="lb2", now=4.0)
    assert scene.chances.next == float("inf")


# -- preemption -------------------------------------------------------------------------------------------------------


AT_ONCE = Preemption("lb1", begins=0.0, takes=0.4, held=True)


def wishing(scene: Scene, wanted: Preemption | None, now: float) -> bool:
    scene.chances.wish({"public": wanted} if wanted else {}, now)
    return scene.chances.look(scene.peers, now)


def test_a_preemption_waits_for_its_rules_a_moment_at_most() -> None:
    scene = Scene()
    scene.lb1()
    assert wishing(scene, AT_ONCE, 5.0)
    assert scene.chances.taken == {"public": "lb1"}
    assert scene.chances.unprepared({}, 5.0) == {"public": "prepares to send on to lb1 what it does not know"}
    assert scene.chances.next == 5.0 + PREPARED
    assert scene.chances.unprepared({"public": "lb1"}, 5.0) == {}
    assert scene.chances.unprepared({}, 5.0 + PREPARED) == {}, "it serves all the same"
    assert not wishing(scene, AT_ONCE, 5.2), "the time does not begin anew"
    assert scene.chances.unprepared({}, 5.0 + PREPARED) == {}
    assert not wishing(scene, None, 5.5), "it is active"
    assert scene.chances.next == 5.5 + LASTS
    assert wishing(scene, None, 15.5)
    assert scene.chances.taken == {}


def test_a_preemption_with_a_delay_is_prepared_shortly_before() -> None:
    scene = Scene()
    scene.lb1()
    later = Preemption("lb1", begins=27.0, takes=30.4, held=False)
    assert not wishing(scene, later, 100.0)
    assert scene.chances.unprepared({}, 100.0) == {}, "the delay is time enough"
    assert scene.chances.next == 127.0
    assert not scene.chances.look(scene.peers, 126.9)
    assert scene.chances.look(scene.peers, 127.0)
    assert scene.chances.taken == {"public": "lb1"}


def test_a_preemption_that_does_not_come_is_given_up() -> None:
    scene = Scene()
    scene.lb1()
    assert wishing(scene, AT_ONCE, 0.0)
    assert not wishing(scene, AT_ONCE, 10.5)
    assert scene.chances.next == 10.5 + LASTS
    assert wishing(scene, AT_ONCE, 20.5)
    assert scene.chances.taken == {}


def test_nothing_is_prepared_where_the_kernel_cannot() -> None:
    scene = Scene()
    scene.chances.able = False
    scene.lb1()
    assert not wishing(scene, AT_ONCE, 0.0)
    assert scene.chances.unprepared({}, 0.0) == {}


@pytest.mark.parametrize("offered", [None, "lb2"], ids=["preemption", "planned move"])
def test_one_that_fell_silent_is_not_asked(offered: str | None) -> None:
    """With rules that lead to a dead director `mh` would lose what it could have taken up itself."""
    scene = Scene()
    scene.lb1(to=offered)
    wishing(scene, AT_ONCE if offered is None else None, 1.0)
    assert scene.chances.taken == {"public": "lb1"}
    scene.chances.silent("public")
    assert wishing(scene, AT_ONCE if offered is None else None, 2.0), "whatever is still believed of it"
    assert scene.chances.taken == {}
    assert not wishing(scene, AT_ONCE if offered is None else None, 2.1)
    scene.lb1(role="standby", now=3.0)
    wishing(scene, None, 3.0)
    assert wishing(scene, AT_ONCE, 9.0), "the next time is another one"


def test_what_is_offered_to_a_director_that_was_renamed() -> None:
    scene = Scene()
    own = Own(cluster=cluster(), node="lb2", digest="c", roles=(), waiting={})

    async def scenario() -> None:
        nonlocal own
        chances = Chances(
            own=lambda: own,
            peers=lambda: scene.peers,
            asked=lambda: {"public": "lb1"},
            reconsider=lambda: None,
            due=lambda: None,
        )
        scene.lb1(to="web-b")
        chances.look()
        assert chances.expecting == ()
        own = replace(own, node="web-b")
        chances.look()
        assert chances.expecting == ("public",)

    asyncio.run(scenario())

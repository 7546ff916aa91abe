"""Orders to give a router away: who gets it, what is told in which order, and what is left when it fails."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from haman.director import maintenance, moves, switchover
from haman.director.changing import Changing
from haman.director.company import Own
from haman.director.orders import Book, Given, Orders, Planned
from haman.director.peers import Peers
from haman.director.switchover import Switchover
from haman.model.cluster import Sync
from haman.model.elector import GiveAway
from haman.model.routers import Member
from haman.model.standing import Standing
from haman.model.trackers import Group
from haman.model.transition import Role
from tests.director.support import cluster, report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from haman.model.cluster import Cluster
    from haman.model.elector import ToElector
    from haman.model.transition import Transition


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(switchover, "ROOM", 0.2)
    monkeypatch.setattr(switchover, "BEYOND", 0.2)


def three(**routers: int) -> Cluster:
    """Directors lb1, lb2, lb3, the best first; routers of them all, by VRID."""
    plain = cluster()
    (router,) = plain.routers.values()
    member = next(iter(router.members.values()))
    members = {
        f"lb{number}": replace(
            member, director=f"lb{number}", priority=200 - number, address=IPv4Address(f"10.0.0.{number}")
        )
        for number in (1, 2, 3)
    }
    assert all(isinstance(each, Member) for each in members.values())
    made = {name: replace(router, name=name, vrid=vrid, members=members) for name, vrid in routers.items()}
    directors = {name: replace(next(iter(plain.directors.values())), name=name) for name in members}
    return replace(plain, routers=made, directors=directors)


class Scene:
    """Director lb1, active for every router, and what the others say of themselves."""

    def __init__(self, of: Cluster | None = None) -> None:
        self.cluster = of or three(public=51)
        self.roles = dict.fromkeys(self.cluster.routers, Role.ACTIVE)
        self.peers = Peers(self.cluster.name, ["lb2", "lb3"], "same")
        self.giving_told: list[dict[str, str]] = []
        self.sent: list[ToElector] = []
        self.recorded: list[Transition] = []
        self.told_before: list[Orders] = []
        self.number = 0
        self.book = Book(lambda: None)
        self.changing = Changing()
        self.on_offer: Callable[[GiveAway], None] = self.taken
        for name in ("lb2", "lb3"):
            self.say(name)

    def say(
        self,
        name: str,
        waiting: Mapping[str, str] | None = None,
        role: str = "standby",
        expecting: tuple[str, ...] | None = (),
        hearing: tuple[str, ...] = (),
    ) -> None:
        self.number += 1
        standing = Standing(
            cluster=self.cluster.name,
            node=name,
            life=1,
            number=self.number,
            config="same",
            roles=dict.fromkeys(self.cluster.routers, role),
            waiting=waiting or {},
            hearing=hearing,
            expecting=expecting,
        )
        self.peers.take(name, standing, 0.0, 0.0)
        self.changing.happened()

    def own(self) -> Own:
        roles = tuple(report(role, router=name) for name, role in self.roles.items())
        return Own(cluster=self.cluster, node="lb1", digest="same", roles=roles, waiting={})

    # the company's side
    def giving(self, to: Mapping[str, str]) -> None:
        self.giving_told.append(dict(to))
        for name in ("lb2", "lb3"):
            self.say(
                name,
                {router: "makes room" for router, heir in to.items() if heir != name},
                expecting=self.prepares(name, to),
            )

    def prepares(self, name: str, to: Mapping[str, str]) -> tuple[str, ...] | None:
        return tuple(router for router, heir in to.items() if heir == name)

    # the elector's side
    def send(self, message: ToElector) -> None:
        self.sent.append(message)
        self.told_before.append(self.book.orders)
        assert isinstance(message, GiveAway)
        self.on_offer(message)

    def taken(self, offer: GiveAway) -> None:
        for name in offer.to:
            self.roles[name] = Role.STANDBY
        self.kept(offer)

    def kept(self, offer: GiveAway) -> None:
        self.switchover.roles()
        self.changing.happened()

    def run(self, scenario: Callable[[], Awaitable[Any]]) -> Any:
        async def inside() -> Any:
            self.switchover = Switchover(
                own=self.own,
                company=self,  # type: ignore[arg-type]
                book=self.book,
                changing=self.changing,
                send=self.send,
                record=self.recorded.append,
            )
            async with asyncio.timeout(60):
                return await scenario()

        return asyncio.run(inside())

    def ask(self, **asked: Any) -> dict[str, Any]:
        return self.run(lambda: self.switchover.answer({"by": "anna", **asked}))  # type: ignore[no-any-return]


def test_the_best_that_can_serve_it_gets_it_and_keeps_it() -> None:
    scene = Scene()
    answer = scene.ask()
    assert answer["ok"] is True
    assert answer["lines"][0].startswith("public: lb2 serves, after ")
    assert scene.sent == [GiveAway(to={"public": ("lb2",)}, why="anna gives it away")]
    assert scene.told_before[0].given["public"].to == "lb2", "BEFORE it is offered"
    assert scene.book.orders.given["public"].to == "lb2"
    assert [(each.who, each.before, each.after, each.cause) for each in scene.recorded] == [
        ("public", "lb1", "lb2", "switchover")
    ]


def test_the_one_that_is_named_goes_first_since_others_make_room() -> None:
    scene = Scene()
    assert scene.ask(to="lb3")["ok"] is True
    assert scene.giving_told == [{"public": "lb3"}, {}]
    assert scene.sent == [GiveAway(to={"public": ("lb3",)}, why="anna gives it away")]


@pytest.mark.parametrize(("says", "waits"), [((), True), (None, False)], ids=["will not", "too old to say"])
def test_an_heir_that_does_not_prepare_gets_it_after_a_while(
    monkeypatch: pytest.MonkeyPatch, says: tuple[str, ...] | None, waits: bool
) -> None:
    scene = Scene()
    scene.prepares = lambda name, to: says  # type: ignore[method-assign]
    waited: list[float] = []
    until = scene.changing.until

    async def counted(holds: Callable[[], bool], seconds: float) -> bool:
        if not holds():
            waited.append(seconds)
        return await until(holds, 0.01)

    monkeypatch.setattr(scene.changing, "until", counted)
    assert scene.ask()["ok"] is True
    assert waited == ([switchover.PREPARED] if waits else [])


@pytest.mark.parametrize("force", [False, True])
def test_it_is_offered_once_the_heir_has_prepared(force: bool) -> None:
    """A force that wins over what the heir lacks is no reason to reset connections."""
    scene = Scene()
    prepared: list[int] = []

    def giving(to: Mapping[str, str]) -> None:
        def later() -> None:
            prepared.append(len(scene.sent))
            scene.say("lb2", expecting=tuple(to))

        scene.giving_told.append(dict(to))
        scene.say("lb3", dict.fromkeys(to, "makes room"))
        scene.say("lb2")
        if to:
            asyncio.get_running_loop().call_later(0.05, later)

    scene.giving = giving  # type: ignore[method-assign]
    assert scene.ask(force=force)["ok"] is True
    assert (prepared, len(scene.sent)) == ([0], 1)


def test_one_that_does_not_make_room_stops_it_unless_forced() -> None:
    scene = Scene()
    scene.giving = lambda to: scene.giving_told.append(dict(to))  # type: ignore[method-assign]
    assert scene.ask(to="lb3")["lines"][0].startswith("lb2 has not made room")
    assert (scene.sent, scene.book.orders, scene.giving_told[-1]) == ([], Orders(), {})
    assert scene.ask(to="lb3", force=True)["ok"] is True


def test_room_that_is_made_late_is_waited_for() -> None:
    scene = Scene()
    at_once = scene.giving

    def late(to: Mapping[str, str]) -> None:
        scene.giving_told.append(dict(to))
        asyncio.get_running_loop().call_soon(at_once, to)

    scene.giving = late  # type: ignore[method-assign]
    assert scene.ask(to="lb3")["ok"] is True


def test_one_that_nobody_took_stays_and_is_not_given_away() -> None:
    scene = Scene()
    scene.on_offer = scene.kept
    answer = scene.ask()
    assert answer["ok"] is False
    assert "so it stays here" in answer["lines"][0]
    assert scene.book.orders == Orders()
    assert scene.recorded == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"routers": ["pubic"]}, "there is no router 'pubic' on this director; did you mean public?"),
        ({"to": "lb1"}, "router public: 'lb1' is no other director of it; there is lb2, lb3"),
        ({"routers": "public"}, "routers are a list of names"),
        ({"to": 3}, "to is a director's name, and at a number of seconds"),
        ({"at": 1.0}, "that time is over"),
        ({"back": True, "routers": ["public"]}, "router public was not given away; none was"),
        ({"cancel": True}, "no such move is planned"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(asked: dict[str, Any], words: str) -> None:
    scene = Scene()
    assert scene.ask(**asked) == {"ok": False, "moves": [], "lines": [words]}
    assert (scene.sent, scene.book.orders) == ([], Orders())


HEARS: dict[str, Any] = {"waiting": {"public": "holds 812 of 1,034 connections of lb1"}, "hearing": ("public",)}


def test_one_that_is_being_told_the_connections_is_waited_for() -> None:
    scene = Scene(replace(three(public=51), sync=Sync(interfaces={}, sync_id=1, group=IPv4Address("224.0.0.81"))))
    scene.say("lb3", role="fault")
    scene.say("lb2", **HEARS)

    async def scenario() -> None:
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(scene.switchover.answer({"by": "anna"}))
            await asyncio.sleep(0.1)
            assert (asked.done(), scene.giving_told) == (False, [])
            scene.say("lb2")
            assert (await asked)["ok"] is True

    scene.run(scenario)
    assert scene.sent == [GiveAway(to={"public": ("lb2",)}, why="anna gives it away")]


def test_but_not_for_ever_nor_by_force_nor_if_another_is_able(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchover, "PREPARED", 0.1)
    scene = Scene()
    scene.say("lb3", role="fault")
    scene.say("lb2", **HEARS)
    assert scene.ask()["lines"][0].startswith(
        "router public stays here: lb2 could not serve it at once: holds 812 of 1,034 connections of lb1;"
    )
    assert scene.ask(force=True)["moves"][0]["to"] == "lb2"
    scene = Scene()
    scene.say("lb2", **HEARS)
    assert scene.ask()["moves"][0]["to"] == "lb3"


def test_a_plan_may_be_made_while_they_are_told() -> None:
    scene = Scene()
    scene.say("lb3", role="fault")
    scene.say("lb2", **HEARS)
    assert scene.ask(at=time.time() + 3600)["ok"] is True


def test_every_reason_why_nobody_can() -> None:
    scene = Scene()
    scene.say("lb2", {"public": "3 of 4 servers not checked yet"})
    scene.say("lb3", role="fault")
    assert scene.ask()["lines"] == [
        "router public stays here: lb2 could not serve it at once: 3 of 4 servers not checked yet; lb3 could not"
        " serve it at once: it is fault there (--force moves it all the same)"
    ]
    scene.peers.look(100.0, 0.0)
    assert "lb2 is not heard on the directors' channel" in scene.ask()["lines"][0]
    assert scene.ask(force=True)["moves"][0]["to"] == "lb2"


def test_a_standby_says_where_the_order_belongs() -> None:
    scene = Scene()
    scene.roles["public"] = Role.STANDBY
    words = "router public is standby here: give the order on the director that serves it"
    assert scene.ask(routers=["public"])["lines"] == [words]
    assert scene.ask()["lines"] == ["no router is active here, so there is nothing to give away"]


def test_a_group_moves_as_one() -> None:
    of = three(public=51, inside=52, other=53)
    scene = Scene(replace(of, groups={"gate": Group(name="gate", routers=("public", "inside"))}))
    answer = scene.ask(routers=["inside"])
    assert answer["moves"][0]["routers"] == ["public", "inside"]
    assert scene.sent == [GiveAway(to={"public": ("lb2",), "inside": ("lb2",)}, why="anna gives it away")]


def test_when_it_comes_back_because_nobody_served_it_the_order_is_over() -> None:
    scene = Scene()
    scene.ask()
    scene.roles["public"] = Role.ACTIVE

    async def told() -> None:
        scene.switchover.roles()

    scene.run(told)
    assert scene.book.orders == Orders()


def test_taken_back_by_order() -> None:
    scene = Scene()
    scene.ask()
    assert scene.ask(back=True)["lines"] == ["public: may be taken again, as the configuration says"]
    assert scene.book.orders == Orders()


def test_planned_and_done_when_its_time_has_come() -> None:
    scene = Scene()

    async def scenario() -> None:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(scene.switchover.run())
            assert (await scene.switchover.answer({"at": time.time() + 0.1, "by": "anna"}))["ok"]
            while not scene.sent or scene.switchover._moving:
                await asyncio.sleep(0.01)
            task.cancel()

    scene.run(scenario)
    assert scene.book.orders.planned == ()
    assert scene.book.orders.given["public"].to == "lb2"


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0, "that time is over"),
        (1e15, "that is more than a year away"),
        (math.inf, "that is more than a year away"),
        (math.nan, "that is more than a year away"),
        ("02:30", "to is a director's name, and at a number of seconds"),
    ],
)
def test_no_time_for_a_plan(at: object, words: str) -> None:
    scene = Scene()
    assert scene.ask(at=at)["lines"] == [words]
    assert scene.book.orders.planned == ()


def test_planned_and_cancelled() -> None:
    scene = Scene()
    scene.ask(at=time.time() + 3600)
    scene.ask(at=time.time() + 7200, routers=["public"])
    assert len(scene.book.orders.planned) == 2
    assert scene.ask(cancel=True, routers=["public"])["lines"] == ["cancelled: 1"]
    assert scene.ask(cancel=True)["lines"] == ["cancelled: 1"]
    assert scene.book.orders.planned == ()


def test_a_move_of_all_is_not_cancelled_by_name_and_it_is_said_how() -> None:
    scene = Scene()
    scene.ask(at=time.time() + 3600)
    (said,) = scene.ask(cancel=True, routers=["public"])["lines"]
    assert said.startswith("no such move is planned; one of all that are active then is: haman switchover --cancel")
    assert len(scene.book.orders.planned) == 1


def test_what_was_due_while_nobody_was_there_is_not_made_up_for() -> None:
    scene = Scene()
    late = Planned(routers=("public",), to=None, force=False, by="anna", at=time.time() - 1000)
    scene.book.change(Orders(planned=(late,)))

    async def look() -> None:
        await scene.switchover._do_due()

    scene.run(look)
    assert (scene.sent, scene.book.orders) == ([], Orders())
    (said,) = scene.recorded
    assert (said.who, said.cause) == ("public", "switchover_refused")
    assert "when haman did not run here" in said.why


def test_another_candidate_makes_room_for_the_one_that_is_named() -> None:
    scene = Scene()
    standing = scene.peers.all["lb2"].standing
    assert standing is not None
    scene.peers.take(
        "lb2", replace(standing, number=99, roles={"public": "active"}, giving={"public": "lb3"}), 0.0, 0.0
    )
    assert scene.peers.making_room("lb1") == {"public": "lb2 gives it to lb3"}
    assert scene.peers.making_room("lb3") == {}


def test_nobody_is_in_the_way_of_the_only_one() -> None:
    scene = Scene()
    scene.say("lb3", role="fault")
    wanted = moves.moves(scene.own(), scene.peers, ["public"], None, force=False)
    assert [move.to for move in wanted] == ["lb2"]
    assert moves.in_the_way(scene.peers, wanted) == []


# -- maintenance ------------------------------------------------------------------------------------------------------


def told(scene: Scene, **asked: Any) -> dict[str, Any]:
    async def leave() -> dict[str, Any]:
        answer = asyncio.ensure_future(
            maintenance.answer(
                {"by": "anna", **asked}, scene.own, scene.peers, scene.book, scene.changing, scene.recorded.append
            )
        )
        await asyncio.sleep(0)
        if scene.book.orders.maintenance is not None:
            scene.roles["public"] = Role.FAULT
            scene.changing.happened()
        return await answer

    return asyncio.run(leave())


def test_what_is_told_with_an_order_can_be_shown_and_given_to_hooks() -> None:
    scene = Scene()
    told(scene, on=True, why="disk\nrouter public: active -> standby\0\ud800", by="x" * 60000)
    (said,) = scene.recorded
    assert said.why == f"ordered by {'x' * 500}: disk?router public: active -> standby??"


def test_maintenance_is_written_down_and_waits_until_all_is_left() -> None:
    scene = Scene()
    answer = told(scene, on=True, why="new kernel")
    assert answer == {
        "ok": True,
        "lines": ["public: left, to lb2", "on: this director takes no VIP until haman maintenance off"],
    }
    order = Book(lambda: None).orders.maintenance
    assert order is not None
    assert (order.why, order.by) == ("new kernel", "anna")
    (said,) = scene.recorded
    assert (said.who, said.before, said.after, said.why) == ("lb1", "off", "on", "ordered by anna: new kernel")


def test_what_is_said_with_an_order_is_printable_and_one_line() -> None:
    scene = Scene()
    told(scene, on=True, why="f\udcfcr\nnew \x1b[31mdisks", by=["anna"])
    order = scene.book.orders.maintenance
    assert order is not None
    assert (order.why, order.by) == ("f?r?new ?[31mdisks", "somebody")


def test_maintenance_off() -> None:
    scene = Scene()
    told(scene, on=True)
    assert told(scene, on=False)["lines"] == ["off: this director takes part again"]
    assert scene.book.orders == Orders()
    assert told(scene, on=False)["lines"] == ["it is off"]


def test_maintenance_that_would_leave_nobody_is_refused_unless_forced() -> None:
    scene = Scene()
    for name in ("lb2", "lb3"):
        scene.say(name, role="fault")
    answer = told(scene, on=True)
    assert answer["ok"] is False
    assert "router public stays here" in answer["lines"][0]
    assert scene.book.orders == Orders()
    assert told(scene, on=True, force=True)["ok"] is True


def test_what_was_given_away_stays_so_in_maintenance() -> None:
    scene = Scene()
    scene.book.change(Orders(given={"public": Given(to="lb2", by="ben", at=1.0)}))
    told(scene, on=True)
    assert scene.book.orders.given.keys() == {"public"}

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from haman.director.assessment import Assessment
from haman.director.company import Own
from haman.director.orders import Book
from haman.director.peers import Peers
from haman.health.board import Board
from haman.model.sites import Backup
from haman.model.standing import Connections, Standing
from haman.model.transition import Role
from tests.director.support import CHECK, cluster, report, service

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path


class Scene:
    """Director lb1, standby of `public`, with one service behind it."""

    def __init__(self) -> None:
        self.cluster = cluster(services={"web": service(port=80)})
        self.told: list[tuple[dict[str, str], tuple[str, ...]]] = []
        self.unprepared: dict[str, str] = {}
        self.looks = 0
        self.reconciler: Any = SimpleNamespace(
            loaded=False, refused=(), unavailable=None, daemons={}, reconsider=lambda: None
        )
        self.peers = Peers(self.cluster.name, (), "")
        self.assessment = Assessment(
            self.cluster,
            own=self.own,
            reconciler=lambda: self.reconciler,
            peers=lambda: self.peers,
            book=Book(lambda: None),
            prepares=self._prepares,
            looked=self._looked,
            tell=lambda: self.told.append((dict(self.assessment.waiting), self.assessment.hears)),
            record=lambda transition: None,
        )

    def own(self) -> Own:
        return Own(cluster=self.cluster, node="lb1", digest="same", roles=(report(Role.STANDBY),), waiting=None)

    def _prepares(self, unready: Container[str]) -> dict[str, str]:
        return {name: words for name, words in self.unprepared.items() if name not in unready}

    def _looked(self) -> None:
        self.looks += 1

    def board(self) -> Board:
        return Board(dict(self.cluster.services), {}, time.monotonic())


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_STATE_DIR", str(tmp_path / "state"))


NOT_LOADED = {"public": "the IPVS table is not loaded yet"}


def test_what_is_lacked_is_told_when_it_changes() -> None:
    scene = Scene()
    scene.assessment.look()
    scene.assessment.look()
    assert (scene.told, scene.looks) == ([(NOT_LOADED, ())], 0)
    scene.reconciler.loaded = True
    scene.assessment.begin(scene.board())
    (words,) = scene.told[-1][0].values()
    assert words.startswith("2 of 2 servers not checked yet")
    assert (scene.assessment.checked, scene.looks) == (False, 1)


def test_a_fault_that_is_over_before_the_checks_have_begun_is_told_anew() -> None:
    scene = Scene()
    scene.assessment.look()
    scene.assessment.doubt({"public"})
    assert scene.told == [(NOT_LOADED, ()), (NOT_LOADED, ())]


def test_after_a_fault_backups_count_as_checked_no_more_than_servers() -> None:
    async def scenario() -> None:
        scene = Scene()
        far = replace(service(port=80).servers["rs1"], name="far")
        backup = Backup(name="east", servers={"far": far}, check=CHECK)
        scene.cluster = cluster(services={"web": replace(service(port=80), backups=(backup,))})
        board = Board({each.name: each for each in scene.cluster.checked_of("lb1")}, {}, time.monotonic())
        for target in board.health:
            for _ in range(CHECK.fall):
                board.result(target, passed=False, words="no route", now=1.0, at=1.0)
        scene.assessment.begin(board)
        assert {health.checked for health in board.health.values()} == {True}
        scene.assessment.doubt({"public"})
        assert {health.checked for health in board.health.values()} == {False}

    asyncio.run(scenario())


def test_many_changes_of_a_moment_are_one_look() -> None:
    async def scenario() -> None:
        scene = Scene()
        scene.assessment.begin(scene.board())
        before = scene.looks
        for _ in range(5):
            scene.assessment.soon()
        while scene.looks == before:
            await asyncio.sleep(0.01)
        assert scene.looks == before + 1

    asyncio.run(scenario())


def test_who_waits_for_connections_makes_room_for_the_heir_all_the_same() -> None:
    """Who lacks connections alone takes over from silence, and a goodbye, as soon as anybody: not from the heir."""
    scene = Scene()
    scene.cluster = cluster(services={})
    scene.reconciler.loaded, scene.reconciler.daemons = True, {"backup": True}
    own = replace(scene.own(), cluster=scene.cluster, connections={"public": Connections(0, 0)})
    scene.own = lambda: own  # type: ignore[method-assign]
    scene.assessment._own = scene.own
    scene.assessment.hearing.configure(6.0, 60.0)
    scene.assessment.begin(Board({}, {}, time.monotonic()))
    assert scene.assessment.hears == ("public",)
    scene.peers.configure(scene.cluster.name, ["lb2"], "same")
    roles = {"public": "active"}
    giving = Standing(cluster="web", node="lb2", life=1, number=1, config="same", roles=roles, giving={"public": "lb3"})
    scene.peers.take("lb2", giving, time.monotonic(), time.time())
    scene.assessment.look()
    assert scene.assessment.waiting == {"public": "lb2 gives it to lb3"}
    assert scene.assessment.hears == ()

"""Sites at work: on a board's health, across a restart of the process, led by another director."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from haman.director import planning
from haman.director.orders import Book, Orders
from haman.director.sites import Sites
from haman.errors import HamanError
from haman.failover.choice import Said
from haman.health.board import Board
from haman.model.kernel import DestinationConfig, DestinationKey, Kernel
from haman.model.services import Forward, Server, Service, Target
from haman.model.sites import Backup, Failover, Order
from haman.plan.identity import service_key
from tests.director.support import CHECK, cluster, service

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from haman.model.transition import Transition

RS1, RS2, EAST = Target("web", "rs1", 80), Target("web", "rs2", 80), Target("web@east", "east", 80)
VISIT = Target("web@", "rs1", 80)


@pytest.fixture(autouse=True)
def _run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path))


def backed(**rules: Any) -> Service:
    server = Server(name="east", address=IPv4Address("203.0.113.10"), forward=Forward.FULLNAT)
    backup = Backup(name="east", servers={"east": server}, check=CHECK)
    flags = frozenset({"mh-port", "mh-fallback"})
    return replace(service(), flags=flags, backups=(backup,), visits={80: 0x68000001}, failover=Failover(**rules))


class Bench:
    """A board and its sites, on a running loop."""

    def __init__(self, each: Service, serving: int = 0) -> None:
        self.each = each
        self.reweighed: list[Collection[str]] = []
        self.recorded: list[Transition] = []
        self.chosen = 0
        self.board = Board({part.name: part for part in (each, *each.pools())}, {}, time.monotonic())
        self.book = Book(lambda: None)
        self.sites = Sites(self.reweighed.append, self._choose, self.recorded.append, self.book)
        self.sites.configure([each], self.board, {"web": serving})

    def _choose(self) -> None:
        self.chosen += 1

    def result(self, target: Target, *, passed: bool, times: int = 1) -> set[str]:
        for _ in range(times):
            self.board.result(target, passed=passed, words="said the test", now=time.monotonic(), at=0.0)
        return self.sites.judged(self.board.take_reweighed())

    def all_local(self, *, passed: bool) -> None:
        for target in (RS1, RS2):
            self.result(target, passed=passed, times=CHECK.fall)

    def weights(self, *targets: Target) -> list[int | None]:
        return [self.sites.weights[target] for target in targets]


def test_the_last_local_server_falls_and_the_table_is_asked_for_in_the_same_call() -> None:
    async def scenario() -> None:
        bench = Bench(backed())
        bench.all_local(passed=True)
        assert bench.result(EAST, passed=True) == {"web"}
        assert bench.weights(RS1, RS2, EAST, VISIT) == [1, 2, 0, 1]
        bench.all_local(passed=False)
        assert bench.weights(RS1, RS2, EAST, VISIT) == [None, None, 1, None]
        assert [(each.before, each.after, each.cause) for each in bench.recorded] == [("local", "east", "local_down")]
        assert bench.chosen == 1
        bench.sites.close()

    asyncio.run(scenario())


def test_the_hold_time_rings_by_itself() -> None:
    async def scenario() -> None:
        bench = Bench(backed(hold=0.05))
        bench.result(EAST, passed=True)
        bench.all_local(passed=True)
        bench.all_local(passed=False)
        assert not bench.recorded
        async with asyncio.timeout(30):
            while not bench.reweighed:
                await asyncio.sleep(0.01)
        assert bench.sites.choices["web"].serving == 1
        bench.sites.close()

    asyncio.run(scenario())


def test_the_operators_wish_survives_the_process_and_ends_with_auto() -> None:
    async def scenario() -> None:
        bench = Bench(backed())
        bench.all_local(passed=True)
        bench.result(EAST, passed=True)
        assert bench.sites.use("web", "backup", "anna")["serves"] == "east"
        assert bench.reweighed == [{"web"}]
        said = [(each.kind.value, each.before, each.after, each.why) for each in bench.recorded]
        assert said[0] == ("order", "auto", "backup", "ordered by anna")
        assert [each[:3] for each in said[1:]] == [("site", "local", "east")]
        assert bench.book.orders.sites["web"].by == "anna"
        again = Bench(backed(), serving=1)
        assert again.sites.choices["web"].order is Order.BACKUP
        again.sites.use("web", "auto", "ben")
        assert Book(lambda: None).orders == Orders()
        assert Bench(backed()).sites.choices["web"].order is Order.AUTO
        with pytest.raises(HamanError, match="there is no service 'wob' with a backup here; with one: web"):
            again.sites.use("wob", "auto", "ben")

    asyncio.run(scenario())


def test_who_follows_has_the_leaders_site_and_goes_on_with_it() -> None:
    async def scenario() -> None:
        bench = Bench(backed())
        bench.all_local(passed=True)
        bench.result(EAST, passed=True)
        bench.sites.follow({"web": Said("lb1", 1, open=False, order=Order.BACKUP)})
        assert bench.weights(RS1, EAST) == [0, 1]
        with pytest.raises(HamanError, match="director lb1 is active for service 'web'"):
            bench.sites.use("web", "local", "anna")
        assert Book(lambda: None).orders.sites["web"].by == "director lb1"
        bench.sites.follow({})
        assert bench.weights(RS1, EAST) == [0, 1]
        assert bench.sites.choices["web"].order is Order.BACKUP
        bench.sites.follow({"web": Said("lb1", 7, open=False, order=Order.AUTO)})  # of another configuration
        assert bench.sites.choices["web"].serving in (0, 1)
        bench.sites.close()

    asyncio.run(scenario())


def test_a_new_process_reads_from_the_table_which_site_serves() -> None:
    whole = cluster(services={"web": backed()})
    key = service_key(whole.services["web"], 80)
    east = DestinationKey(key, IPv4Address("203.0.113.10"), 80)
    rs1 = DestinationKey(key, IPv4Address("127.0.0.1"), 80)
    idle, fed = DestinationConfig(Forward.NAT, 0), DestinationConfig(Forward.NAT, 1)
    assert planning.serving(whole, "lb1", Kernel(destinations={east: fed, rs1: idle})) == {"web": 1}
    assert planning.serving(whole, "lb1", Kernel(destinations={east: idle, rs1: fed})) == {"web": 0}
    assert planning.served(whole, "lb1", Kernel(destinations={east: fed, rs1: idle})).keys() == {RS1, EAST}


def test_a_reload_goes_on_with_the_backup_of_the_same_name() -> None:
    async def scenario() -> None:
        bench = Bench(backed())
        bench.all_local(passed=True)
        bench.result(EAST, passed=True)
        bench.all_local(passed=False)
        each = backed()
        server = replace(each.servers["rs1"], name="far", address=IPv4Address("198.51.100.1"))
        west = Backup(name="west", servers={"far": server}, check=CHECK)
        more = replace(each, backups=(west, *each.backups))
        now = time.monotonic()
        health = {target: bench.board.health[target] for target in (RS1, RS2)}
        bench.board.replace(more, health, now, 0.0)
        for pool in more.pools():
            fresh = {target: bench.board.health.get(target, bench.board.health[EAST]) for target, _ in pool.targets()}
            bench.board.replace(pool, fresh, now, 0.0)
        bench.sites.configure([more], bench.board, {})
        assert bench.sites.name_of("web", bench.sites.choices["web"].serving) == "east"
        bench.sites.close()

    asyncio.run(scenario())


def test_after_a_reboot_a_backup_serves_what_does_not_return_by_itself() -> None:
    async def scenario() -> None:
        bench = Bench(backed(manual=True))
        bench.all_local(passed=True)
        bench.result(EAST, passed=True)
        bench.all_local(passed=False)
        bench.all_local(passed=True)
        booted = Bench(backed(manual=True))  # its kernel's table was empty
        assert booted.sites.choices["web"].serving == 1
        booted.all_local(passed=True)
        assert booted.weights(RS1, EAST) == [0, None]  # nobody knows yet how it is there
        booted.result(EAST, passed=True)
        assert booted.weights(RS1, EAST) == [0, 1]
        booted.sites.use("web", "local", "anna")
        booted.sites.use("web", "auto", "anna")
        assert Bench(backed(manual=True)).sites.choices["web"].serving == 0
        assert Bench(backed()).sites.choices["web"].serving == 0

    asyncio.run(scenario())


def test_one_that_returns_by_itself_is_not_held_after_a_reboot() -> None:
    async def scenario() -> None:
        bench = Bench(backed())
        bench.all_local(passed=True)
        bench.result(EAST, passed=True)
        bench.all_local(passed=False)
        assert bench.sites.choices["web"].serving == 1
        assert Bench(backed()).sites.choices["web"].serving == 0

    asyncio.run(scenario())


def test_a_wish_for_a_service_that_is_gone_is_said_and_dropped() -> None:
    async def scenario() -> None:
        bench = Bench(backed())
        bench.sites.use("web", "backup", "anna")
        bench.recorded.clear()
        bench.sites.configure([replace(backed(), backups=(), visits={})], bench.board, {})
        (said,) = bench.recorded
        assert (said.who, said.before, said.after, said.cause) == ("web", "backup", "auto", "site_gone")
        assert said.why == "no service 'web' with a backup is configured any more: what anna wanted of it is dropped"
        assert Book(lambda: None).orders == Orders()

    asyncio.run(scenario())


def test_a_wish_that_cannot_be_written_down_is_refused_and_does_not_count(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(backed())
        (tmp_path / "state").write_text("a file in the directory's place")
        with pytest.raises(HamanError, match="cannot be written down"):
            bench.sites.use("web", "backup", "anna")
        assert bench.sites.choices["web"].order is Order.AUTO
        assert not bench.recorded

    asyncio.run(scenario())


def test_a_wish_that_is_none_is_refused() -> None:
    async def scenario() -> None:
        bench = Bench(backed())
        with pytest.raises(HamanError, match="'remote' is no wish: say backup, local or auto"):
            bench.sites.use("web", "remote", "anna")
        assert bench.sites.choices["web"].order is Order.AUTO

    asyncio.run(scenario())

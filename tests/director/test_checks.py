from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from haman.director.checks import Checks
from haman.health.board import Board
from haman.model.checks import HttpProbe, Tls
from haman.model.services import Service, Target
from haman.observe import journal
from haman.observe.tally import Tally
from haman.probes.budget import Budget
from haman.probes.outcome import Outcome, Result
from tests.director.support import CHECK, service

if TYPE_CHECKING:
    import pytest

    from haman.model.transition import Transition


class Bench:
    def __init__(self, *services: Service) -> None:
        self.named = {each.name: each for each in services}
        self.board = Board(self.named, frozenset(), 0.0)
        self.tally = Tally()
        self.events: list[str] = []
        self.checks = Checks(
            self.board,
            self.tally,
            self._record,
            lambda services: self.events.append(f"weights of {', '.join(sorted(services))}"),
            lambda: self.events.append("checked"),
        )
        self.questions = self.checks.add(services)

    def _record(self, transition: Transition) -> None:
        self.events.append(f"{transition.who} {transition.after}")

    def answer(self, number: int, result: Result, due: float = 100.0) -> float:
        question = list(self.checks._asked)[number]
        return self.checks.answered(question, due, result, time.monotonic())


GOOD = Result(Outcome.CONNECTED, 0.01)
BAD = Result(Outcome.REFUSED, 0.01)


def test_services_that_ask_the_same_share_the_answer() -> None:
    bench = Bench(service("web"), service("shop", "10.0.0.101", check=replace(CHECK, fall=9)))
    assert bench.questions == 2, "two servers, however many services"
    bench.answer(0, GOOD)
    assert {target: weight for target, weight in bench.board.weights.items() if weight} == {
        Target("web", "rs1", 80): 1,
        Target("shop", "rs1", 80): 1,
    }
    assert bench.events[0] == "weights of shop, web"
    assert bench.tally.checks["front", "127.0.0.1", "80", "tcp"].outcomes["connected"] == 1


def test_metrics_are_of_what_is_asked_and_go_with_it() -> None:
    web, shop = service("web"), service("shop", "10.0.0.101")
    bench = Bench(web, shop)
    bench.answer(0, GOOD)
    assert set(bench.tally.latencies) == {"web", "shop"}
    bench.checks.remove(shop)
    bench.answer(0, GOOD)
    assert set(bench.tally.latencies) == {"web"}
    assert bench.tally.checks["front", "127.0.0.1", "80", "tcp"].outcomes["connected"] == 2
    other = replace(web, check=replace(CHECK, timeout=0.2))
    bench.checks.add([other])
    bench.checks.remove(web)
    assert bench.tally.checks["front", "127.0.0.1", "80", "tcp"].outcomes["connected"] == 2, (
        "another question, the same labels"
    )
    assert set(bench.tally.latencies) == {"web"}
    bench.checks.remove(other)
    assert not bench.tally.latencies
    assert not bench.tally.checks


def test_a_question_that_is_asked_under_two_names_counts_for_each() -> None:
    web, shop = service("web"), service("shop", "10.0.0.101", check=replace(CHECK, name="cart"))
    bench = Bench(web, shop)
    bench.answer(0, GOOD)
    counted = {labels[0]: asked.outcomes["connected"] for labels, asked in bench.tally.checks.items()}
    assert counted == {"front": 1, "cart": 1}
    bench.checks.remove(web)
    bench.answer(0, GOOD)
    counted = {labels[0]: asked.outcomes["connected"] for labels, asked in bench.tally.checks.items()}
    assert counted == {"cart": 2}


def test_certificates_of_two_names_on_one_server_are_told_apart() -> None:
    checks = (
        replace(CHECK, name=name, probe=HttpProbe(host=name, tls=Tls(server_name=name, warn_before=60.0)))
        for name in ("a.example", "b.example")
    )
    bench = Bench(*(service(check.name, f"10.0.0.{100 + n}", check=check) for n, check in enumerate(checks)))
    soon = GOOD._replace(certificate_ends=time.time() + 30.0)
    for question in range(0, bench.questions, 2):  # rs1's
        bench.answer(question, soon)
    told = [event for event in bench.events if event.endswith("ending")]
    assert told == ["127.0.0.1:80 (a.example) ending", "127.0.0.1:80 (b.example) ending"]


def test_the_kernel_is_told_before_the_log() -> None:
    bench = Bench(service())
    bench.answer(0, GOOD)
    assert bench.events == ["weights of web", "web/rs1:80 up", "web up", "checked"]
    bench.events.clear()
    bench.answer(0, GOOD)
    assert bench.events == []


def test_a_server_is_checked_once_failures_have_reached_a_verdict_and_no_weight_changes() -> None:
    bench = Bench(service())
    for _ in range(CHECK.fall):
        assert bench.events == []
        bench.answer(0, BAD)
    assert bench.events == ["web/rs1:80 down", "checked"]


def test_what_says_nothing_about_the_server_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(service())
    bench.answer(0, GOOD)
    bench.events.clear()
    journal.log.propagate = True
    for _ in range(5):
        bench.answer(0, Result(Outcome.NO_DESCRIPTORS, 0.0))
        bench.answer(1, Result(Outcome.NO_DESCRIPTORS, 0.0))
    assert bench.events == []
    assert bench.board.weights[Target("web", "rs1", 80)] == 1
    assert not bench.board.health[Target("web", "rs2", 80)].checked
    assert [record.message for record in caplog.records] == [
        "checks: not checked: this machine has no free file descriptors"
    ], "said once, not with every check"


def test_how_often_it_is_asked() -> None:
    """interval 0.2 s, fast 0.1 s, counted from when it was due; far in the future, so that `now` does not matter."""
    bench = Bench(service())
    due = 1e12
    assert due <= bench.answer(0, GOOD, due) <= due + 0.2, "after the first check they spread over the interval"
    assert round(bench.answer(0, GOOD, due) - due, 3) == 0.2
    assert round(bench.answer(0, Result(Outcome.NO_RESOURCES, 0.0), due) - due, 3) == 0.1, "not answered at all"
    assert round(bench.answer(0, BAD, due) - due, 3) == 0.1, "in doubt"
    assert round(bench.answer(0, BAD, due) - due, 3) == 0.2, "down, no doubt any more"


def test_a_question_is_asked_fast_as_long_as_one_service_doubts() -> None:
    bench = Bench(service("web"), service("shop", "10.0.0.101", check=replace(CHECK, fall=3)))
    due = 1e12
    bench.answer(0, GOOD, due)
    bench.answer(0, BAD, due)
    assert round(bench.answer(0, BAD, due) - due, 3) == 0.1, "web has made up its mind, shop has not"
    assert round(bench.answer(0, BAD, due) - due, 3) == 0.2


def test_the_last_answer_is_kept_for_people() -> None:
    bench = Bench(service())
    bench.answer(1, BAD)
    assert bench.checks.latest == {Target("web", "rs2", 80): BAD}


def test_services_without_a_check_are_not_asked() -> None:
    assert Bench(service(check=None)).questions == 0


def test_real_servers_real_checks() -> None:
    """127.0.0.1 and 127.0.0.2, both on the port of one listener bound to the first alone."""

    async def scenario(port: int) -> None:
        bench = Bench(service(port=port))
        loop = asyncio.get_running_loop()
        bench.checks.start(loop, Budget(4))
        up, down = Target("web", "rs1", port), Target("web", "rs2", port)
        async with asyncio.timeout(60):
            while bench.board.health[down].verdict.value != "down":
                await asyncio.sleep(0.01)
        bench.checks.close()
        assert bench.board.weights == {up: 1, down: None}
        assert bench.board.health[down].why == "2 of 2 checks failed: connection refused"
        assert bench.checks.in_flight == 0
        assert bench.checks.lateness() == 0.0

    with socket.create_server(("127.0.0.1", 0)) as listener:
        asyncio.run(scenario(listener.getsockname()[1]))

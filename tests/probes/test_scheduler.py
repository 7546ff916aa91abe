from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from haman.probes.budget import Budget
from haman.probes.outcome import Outcome, Result
from haman.probes.scheduler import Scheduler
from tests.probes.support import HTTP, answering, question, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.probes.question import Question


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield listener.getsockname()[1]


class CountingScheduler(Scheduler):
    ticks = 0

    def _tick(self) -> None:
        self.ticks += 1
        super()._tick()


def test_each_question_is_asked_again_when_its_answer_says(open_port: int) -> None:
    async def scenario() -> list[float]:
        loop = asyncio.get_running_loop()
        enough: asyncio.Future[None] = loop.create_future()
        starts: list[float] = []

        def answered(asked: Question, due: float, result: Result, now: float) -> float:
            starts.append(loop.time() - result.latency - due)
            dues.append(due)
            if len(starts) == 5:
                enough.set_result(None)
            return due + 0.1

        dues: list[float] = []
        scheduler = Scheduler(loop, Budget(10), answered)
        first = loop.time()
        scheduler.add(question(open_port), first)
        await asyncio.wait_for(enough, 5)
        scheduler.close()
        assert [round(due - first, 6) for due in dues] == [0.0, 0.1, 0.2, 0.3, 0.4]
        return starts

    late = asyncio.run(scenario())
    assert min(late) >= 0, "never before it is due"
    assert min(late) < 0.04, "in the next slot of 20 ms; a busy machine may be later, but not every time"


def test_who_is_asked_again_at_once_does_not_wait_for_a_slot() -> None:
    """Ten refused checks in a row, each due when the one before ended: with slots they would take 0.2 s."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        enough: asyncio.Future[float] = loop.create_future()
        answers = 0

        def answered(asked: Question, due: float, result: Result, now: float) -> float:
            nonlocal answers
            answers += 1
            if answers == 10:
                enough.set_result(now)
            return now if answers < 10 else now + 60.0

        scheduler = Scheduler(loop, Budget(10), answered)
        begun = loop.time()
        scheduler.add(question(1), begun)
        ended = await asyncio.wait_for(enough, 5)
        scheduler.close()
        assert ended - begun < 0.12

    asyncio.run(scenario())


def test_the_budget_is_never_exceeded_and_nobody_starves() -> None:
    """Twelve hanging servers, four descriptors: they take turns."""

    async def scenario(ports: list[int]) -> None:
        loop = asyncio.get_running_loop()
        enough: asyncio.Future[None] = loop.create_future()
        seen: dict[int, Outcome] = {}
        most = 0

        def answered(asked: Question, due: float, result: Result, now: float) -> float:
            nonlocal most
            seen[asked.port] = result.outcome
            most = max(most, budget.used + 1)
            if len(seen) == len(ports) and not enough.done():
                enough.set_result(None)
            return due + 60.0

        budget = Budget(4)
        scheduler = CountingScheduler(loop, budget, answered)
        for port in ports:
            scheduler.add(question(port, HTTP, timeout=0.1), loop.time())
        await asyncio.sleep(0.05)
        assert scheduler.ticks == 1, "who waits for a descriptor does not spin"
        assert (scheduler.in_flight, budget.used) == (4, 4)
        assert scheduler.lateness() > 0.04
        await asyncio.wait_for(enough, 5)
        scheduler.close()
        assert set(seen.values()) == {Outcome.TIMEOUT_RESPONSE}
        assert most == 4
        assert budget.used == 0

    def nested(ports: list[int]) -> None:
        if len(ports) == 12:
            asyncio.run(scenario(ports))
            return
        with serving(answering()) as port:
            nested([*ports, port])

    nested([])


def test_an_idle_scheduler_does_not_tick(open_port: int) -> None:
    """Due in 0.3 s and in 0.5 s: two ticks, in their time."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        started: dict[int, float] = {}

        def answered(asked: Question, due: float, result: Result, now: float) -> float:
            started[asked.port] = loop.time() - result.latency - begun
            return due + 60.0

        scheduler = CountingScheduler(loop, Budget(10), answered)
        begun = loop.time()
        scheduler.add(question(open_port), begun + 0.5)
        scheduler.add(question(1), begun + 0.3)
        await asyncio.sleep(0.7)
        scheduler.close()
        assert scheduler.ticks <= 2
        assert started[1] >= 0.3
        assert started[open_port] >= 0.5

    asyncio.run(scenario())


def test_many_due_checks_leave_the_loop_free(open_port: int) -> None:
    """200 checks due at once are started 32 at a time; between two such bursts the loop does other things."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        answers: list[Outcome] = []

        def answered(asked: Question, due: float, result: Result, now: float) -> float:
            answers.append(result.outcome)
            return due + 600.0

        scheduler = Scheduler(loop, Budget(1000), answered)
        now = loop.time()
        for number in range(200):
            scheduler.add(question(open_port, interval=float(number + 1), timeout=5.0), now)
        bursts, before = [], 0
        while len(answers) < 200:
            await asyncio.sleep(0)
            begun = scheduler.in_flight + len(answers)
            bursts.append(begun - before)
            before = begun
        scheduler.close()
        assert set(answers) == {Outcome.CONNECTED}
        assert max(bursts) == 32

    asyncio.run(scenario())


def test_close_abandons_what_is_in_flight() -> None:
    async def scenario(port: int) -> None:
        loop = asyncio.get_running_loop()
        answers: list[Result] = []

        def answered(asked: Question, due: float, result: Result, now: float) -> float:
            answers.append(result)
            return due + 1.0

        scheduler = Scheduler(loop, Budget(10), answered)
        scheduler.add(question(port, HTTP, timeout=0.2), loop.time())
        await asyncio.sleep(0.1)
        assert scheduler.in_flight == 1
        scheduler.close()
        await asyncio.sleep(0.3)
        assert (scheduler.in_flight, answers) == (0, [])

    with serving(answering()) as port:
        asyncio.run(scenario(port))


def test_what_is_removed_is_not_asked_again(open_port: int) -> None:
    """One that waits its turn, one whose check is in flight: neither is heard of again, and nothing is held."""

    async def scenario(silent: int) -> None:
        loop = asyncio.get_running_loop()
        answered: list[int] = []

        def again(asked: Question, due: float, result: Result, now: float) -> float:
            answered.append(asked.port)
            return now + 0.05

        budget = Budget(10)
        scheduler = Scheduler(loop, budget, again)
        flying, waiting = question(silent, HTTP, timeout=0.3), question(1)
        scheduler.add(flying, loop.time())
        scheduler.add(waiting, loop.time() + 0.1)
        scheduler.add(question(open_port), loop.time() + 0.1)
        await asyncio.sleep(0.05)
        assert scheduler.in_flight == 1
        scheduler.remove(flying)
        scheduler.remove(waiting)
        assert (scheduler.in_flight, budget.used) == (0, 0)
        await asyncio.sleep(0.5)
        scheduler.close()
        assert set(answered) == {open_port}
        assert budget.used == 0

    with serving(answering()) as port:
        asyncio.run(scenario(port))

"""The arbiter is asked at once, of all at the same time, and its loss shows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from haman.director.arbiter import Asking
from haman.model.arbiter import Arbiter
from haman.model.ballot import Vote, Wanted
from haman.model.elector import AskArbiter, Ruled
from haman.model.trackers import Standing

if TYPE_CHECKING:
    from haman.model.transition import Transition

HERE, NOWHERE = IPv4Address("127.0.0.1"), IPv4Address("255.255.255.255")
"""One that answers, and one that the kernel does not even send to."""

QUESTION = AskArbiter(router="public", asked=12.5, interval=0.1, priority=100)


class Voter:
    """What each director says; one that is not named says nothing."""

    def __init__(self, says: dict[str, tuple[bool, str]]) -> None:
        self.says = says
        self.asked: list[tuple[str, Wanted, str, int, float]] = []

    async def ask(
        self, name: str, wanted: Wanted, timeout: float, router: str = "", priority: int = 0, interval: float = 0.0
    ) -> Vote | None:
        assert timeout <= 0.5
        self.asked.append((name, wanted, router, priority, interval))
        yes, why = self.says.get(name, (None, ""))
        return None if yes is None else Vote(cluster="web", node=name, number=1, yes=yes, why=why)


class Stage:
    def __init__(self, arbiter: Arbiter | None, *, alone: bool = False, voting: Voter | None = None) -> None:
        self.rulings: asyncio.Queue[Ruled] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.recorded: list[Transition] = []
        self.asking = Asking(
            arbiter,
            send=self.rulings.put_nowait,
            changed=self.changed.set,
            record=self.recorded.append,
            alone=lambda: alone,
            voting=voting or Voter({}),  # type: ignore[arg-type]
        )

    async def ruling(self, *, after_looks: bool = True) -> Ruled:
        """The answer to a question; after the first look, so that what is known of the arbiter is known."""
        running = asyncio.create_task(self.asking.run())
        try:
            async with asyncio.timeout(60):
                if after_looks and self.asking.verdict is None:
                    await self.changed.wait()
                await asyncio.sleep(0)
                self.asking.asked(QUESTION)
                return await self.rulings.get()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def asked(arbiter: Arbiter, *, alone: bool = False, voting: Voter | None = None) -> Ruled:
    async def ask() -> Ruled:
        return await Stage(arbiter, alone=alone, voting=voting).ruling()

    return asyncio.run(ask())


def test_one_that_answers_says_yes() -> None:
    ruling = asked(Arbiter(ping=(HERE,)))
    assert (ruling.router, ruling.asked, ruling.granted) == ("public", 12.5, True)
    assert ruling.why == "ping 127.0.0.1 answers"


def test_it_is_asked_through_its_interface() -> None:
    assert asked(Arbiter(ping=(HERE,), interface="lo")).granted
    assert not asked(Arbiter(ping=(HERE,), interface="nowhere0")).granted


@pytest.mark.parametrize("quorum", [1, 2])
def test_a_quorum_of_those_asked_decides(quorum: int) -> None:
    ruling = asked(Arbiter(ping=(HERE, NOWHERE), quorum=quorum))
    assert ruling.granted is (quorum == 1)
    if quorum == 2:
        assert ruling.why == "ping 255.255.255.255 does not answer, 2 must"


@pytest.mark.parametrize(
    ("strict", "alone", "granted"), [(False, False, False), (False, True, True), (True, True, False)]
)
def test_one_that_answers_no_director_tells_nothing_unless_strict(strict: bool, alone: bool, granted: bool) -> None:
    ruling = asked(Arbiter(ping=(NOWHERE,), strict=strict), alone=alone)
    assert ruling.granted is granted
    assert ruling.why.startswith("it answers no director") is granted


def test_its_loss_and_its_return_are_told() -> None:
    async def look() -> tuple[Stage, list[str]]:
        stage = Stage(Arbiter(ping=(NOWHERE,), interval=60.0))
        running = asyncio.create_task(stage.asking.run())
        states = []
        async with asyncio.timeout(60):
            for arbiter in (None, Arbiter(ping=(HERE,), interval=60.0)):
                if arbiter is not None:
                    stage.asking.configure(arbiter)
                await stage.changed.wait()
                stage.changed.clear()
                assert stage.asking.verdict is not None
                states.append(stage.asking.verdict.standing.value)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return stage, states

    stage, states = asyncio.run(look())
    assert states == ["down", "up"]
    assert stage.asking.verdict is not None
    assert stage.asking.verdict.standing is Standing.UP
    assert [(each.who, each.before, each.after) for each in stage.recorded] == [
        ("the arbiter", "unknown", "down"),
        ("the arbiter", "unknown", "up"),
    ]


def test_without_one_there_is_nothing_to_know_and_nobody_is_kept_waiting() -> None:
    async def ask() -> Ruled:
        stage = Stage(None)
        assert stage.asking.verdict is None
        assert stage.asking.reached is None
        return await stage.ruling(after_looks=False)

    assert asyncio.run(ask()).granted


def test_directors_are_asked_for_their_votes_and_say_why_not() -> None:
    voter = Voter({"lb1": (False, "lb3 says that it is active"), "lb2": (True, "")})
    arbiter = Arbiter(directors=("lb1", "lb2", "lb3"), quorum=2)
    ruling = asked(arbiter, voting=voter)
    assert not ruling.granted
    assert ruling.why == "director lb3 does not answer, director lb1 says no: lb3 says that it is active, 2 must"
    assert ("lb2", Wanted.THERE, "", 0, 0.0) in voter.asked, "a look wants nobody's vote"
    assert ("lb2", Wanted.VOTE, "public", 100, 0.1) in voter.asked


def test_votes_and_machines_count_alike() -> None:
    arbiter = Arbiter(ping=(HERE,), directors=("lb1", "lb2"), quorum=2)
    ruling = asked(arbiter, voting=Voter({"lb2": (True, "")}))
    assert ruling.granted
    assert ruling.why == "director lb2, ping 127.0.0.1 answer"


def test_for_a_preemption_directors_are_asked_for_an_answer_alone() -> None:
    """The one that is to be preempted is active, so nobody would vote."""
    voter = Voter({"lb1": (True, "it is there"), "lb2": (True, "it is there")})
    stage = Stage(Arbiter(directors=("lb1", "lb2"), quorum=2), voting=voter)

    async def ask() -> Ruled:
        running = asyncio.create_task(stage.asking.run())
        try:
            async with asyncio.timeout(60):
                await stage.changed.wait()
                stage.asking.asked(replace(QUESTION, living=True))
                return await stage.rulings.get()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    assert asyncio.run(ask()).granted
    assert {wanted for _, wanted, *_ in voter.asked} == {Wanted.THERE}


def test_a_director_that_says_no_is_heard_though_nobody_reaches_enough() -> None:
    voter = Voter({"lb3": (False, "lb1 says that it is active")})
    ruling = asked(Arbiter(ping=(NOWHERE,), directors=("lb3",), quorum=2), alone=True, voting=voter)
    assert not ruling.granted
    assert "director lb3 says no: lb1 says that it is active" in ruling.why

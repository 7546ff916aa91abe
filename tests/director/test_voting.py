"""Three directors that vote: who is asked, who answers, and what a cut between two of them leaves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from haman.director import voting
from haman.director.company import Own
from haman.director.voting import Voting
from haman.election import ballot
from haman.model.ballot import Poll, Vote, Wanted
from haman.model.routers import Director
from haman.model.transition import Role
from tests.director.support import cluster, report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NAMES = ("lb1", "lb2", "lb3")
LIVES = {"lb1": 10, "lb2": 20, "lb3": 30}
CLUSTER = cluster(directors={name: Director(name=name, address=IPv4Address(f"10.0.0.{name[-1]}")) for name in NAMES})


@pytest.fixture(autouse=True)
def grown_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """These have begun long ago."""
    monkeypatch.setattr(voting, "Ballots", lambda began: ballot.Ballots(began - 60))


@dataclass
class Trio:
    """cut: pairs of directors between which nothing passes."""

    roles: dict[str, Role]
    cut: set[frozenset[str]] = field(default_factory=set)
    said: list[Poll | Vote] = field(default_factory=list)
    waiting: dict[str, dict[str, str]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)  # these do not reach the arbiter
    number: int = 5  # of what each has said last, and the others have heard

    def begin(self) -> dict[str, Voting]:
        self.voting = {
            name: Voting(
                self._own(name),
                self._post(name),
                heard_of=lambda other: (LIVES[other], self.number),
                said_lately=self._said_lately(name),
            )
            for name in NAMES
        }
        return self.voting

    def _said_lately(self, name: str) -> Callable[[int, int], bool]:
        return lambda life, number: (life, number) == (LIVES[name], self.number)

    def _own(self, name: str) -> Callable[[], Own]:
        def own() -> Own:
            roles = (replace(report(self.roles[name]), priority=100),)
            waiting, arbiter = self.waiting.get(name, {}), name not in self.lost
            return Own(cluster=CLUSTER, node=name, digest="same", roles=roles, waiting=waiting, arbiter=arbiter)

        return own

    def _post(self, name: str) -> Callable[[str, Poll | Vote], None]:
        def post(to: str, said: Poll | Vote) -> None:
            self.said.append(said)
            if frozenset((name, to)) not in self.cut:
                asyncio.get_running_loop().call_soon(self.voting[to].heard, name, said)

        return post


def play(trio: Trio, scenario: Callable[[dict[str, Voting]], Awaitable[None]]) -> None:
    async def inside() -> None:
        everybody = trio.begin()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(each.run()) for each in everybody.values()]
            await asyncio.sleep(0)
            await scenario(everybody)
            for task in running:
                task.cancel()

    asyncio.run(inside())


def lost(trio: Trio, name: str) -> None:
    trio.cut |= {frozenset((name, other)) for other in NAMES if other != name}


def standbys(**changes: Role) -> dict[str, Role]:
    return dict.fromkeys(NAMES, Role.STANDBY) | changes


async def vote(of: Voting, asked: str, priority: int = 100) -> Vote | None:
    return await of.ask(asked, Wanted.VOTE, 30.0, "public", priority)


def test_a_dead_ones_role_is_voted_for() -> None:
    trio = Trio(standbys(lb1=Role.ACTIVE))
    lost(trio, "lb1")

    async def scenario(everybody: dict[str, Voting]) -> None:
        for asked in ("lb3", "lb2"):
            said = await vote(everybody["lb2"], asked)
            assert said is not None
            assert (said.yes, said.why, said.node) == (True, "nobody it reaches is active", asked)

    play(trio, scenario)


def test_one_that_only_its_peer_does_not_reach_is_not_taken_for_dead() -> None:
    trio = Trio(standbys(lb1=Role.ACTIVE), cut={frozenset(("lb1", "lb2"))})

    async def scenario(everybody: dict[str, Voting]) -> None:
        said = await vote(everybody["lb2"], "lb3")
        assert said is not None
        assert (said.yes, said.why) == (False, "lb1 says that it is active")

    play(trio, scenario)


def test_a_voter_that_is_active_itself_says_so() -> None:
    async def scenario(everybody: dict[str, Voting]) -> None:
        said = await vote(everybody["lb2"], "lb3")
        assert said is not None
        assert (said.yes, said.why) == (False, "lb3 says that it is active")

    play(Trio(standbys(lb3=Role.ACTIVE)), scenario)


def test_two_that_ask_at_once_do_not_both_get_it_and_the_better_one_does() -> None:
    trio = Trio(standbys(lb1=Role.ACTIVE))
    lost(trio, "lb1")

    async def scenario(everybody: dict[str, Voting]) -> None:
        asked = [vote(everybody["lb3"], "lb2", 50), vote(everybody["lb2"], "lb2", 100)]
        worse, better = await asyncio.gather(*asked)
        assert worse is not None
        assert better is not None
        assert (worse.yes, better.yes) == (False, True)
        assert worse.why.startswith("its vote is lb2's for ")

    play(trio, scenario)


def test_one_that_is_not_ready_goes_after_one_that_is() -> None:
    trio = Trio(standbys(lb1=Role.ACTIVE), waiting={"lb2": {"public": "the IPVS table is not loaded yet"}})
    lost(trio, "lb1")

    async def scenario(everybody: dict[str, Voting]) -> None:
        ready, unready = await asyncio.gather(vote(everybody["lb3"], "lb3", 50), vote(everybody["lb2"], "lb3", 100))
        assert ready is not None
        assert unready is not None
        assert (ready.yes, unready.yes) == (True, False)

    play(trio, scenario)


def test_one_that_does_not_reach_the_arbiter_goes_after_one_that_does() -> None:
    """Where a gateway has to say yes too: the best director would get all votes, and never the gateway's yes."""
    trio = Trio(standbys(lb1=Role.ACTIVE), lost={"lb2"})
    lost(trio, "lb1")

    async def scenario(everybody: dict[str, Voting]) -> None:
        reaching, lost = await asyncio.gather(vote(everybody["lb3"], "lb3", 50), vote(everybody["lb2"], "lb3", 100))
        assert reaching is not None
        assert lost is not None
        assert (reaching.yes, lost.yes) == (True, False)

    play(trio, scenario)


def test_a_vote_lapses_by_the_interval_of_who_asks_and_not_by_the_voters() -> None:
    """5 s against the voter's own 100 ms: 40.5 s, and not 1.3."""
    trio = Trio(standbys(lb1=Role.ACTIVE))
    lost(trio, "lb1")

    async def scenario(everybody: dict[str, Voting]) -> None:
        slow = await everybody["lb3"].ask("lb2", Wanted.VOTE, 30.0, "public", 50, 5.0)
        hasty = await everybody["lb2"].ask("lb2", Wanted.VOTE, 30.0, "public", 100, 0.1)
        assert slow is not None
        assert hasty is not None
        assert (slow.yes, hasty.yes) == (True, False)
        assert hasty.why == "its vote is lb3's for 40 s more"

    play(trio, scenario)


def test_a_question_played_back_binds_nobodys_vote() -> None:
    """To whom it was asked, at once and later, and to another director."""
    trio = Trio(standbys(lb1=Role.ACTIVE))
    lost(trio, "lb1")

    async def scenario(everybody: dict[str, Voting]) -> None:
        said = await vote(everybody["lb2"], "lb3")
        assert said is not None
        assert said.yes
        asked = next(each for each in trio.said if isinstance(each, Poll) and each.wanted is Wanted.VOTE)
        words = len(trio.said)
        everybody["lb3"].heard("lb2", asked)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(trio.said) == words, "it was answered, and nobody is asked anew"
        everybody["lb1"].heard("lb2", asked)
        trio.number += 1
        everybody["lb3"].heard("lb2", asked)
        answers = [(each.node, each.yes, each.why) for each in trio.said[words:] if isinstance(each, Vote)]
        old = "it was asked by who has not heard it lately"
        assert answers == [("lb1", False, old), ("lb3", False, old)]

    play(trio, scenario)


def test_who_is_cut_off_has_its_own_vote_alone() -> None:
    trio = Trio(standbys(lb1=Role.ACTIVE))
    lost(trio, "lb2")

    async def scenario(everybody: dict[str, Voting]) -> None:
        own = await vote(everybody["lb2"], "lb2")
        assert own is not None
        assert own.yes
        assert await everybody["lb2"].ask("lb3", Wanted.VOTE, 0.3, "public") is None
        assert await everybody["lb2"].ask("lb1", Wanted.THERE, 0.1) is None

    play(trio, scenario)


def test_a_look_gets_an_answer_at_once_and_nobodys_vote() -> None:
    trio = Trio(standbys(lb1=Role.ACTIVE))

    async def scenario(everybody: dict[str, Voting]) -> None:
        there = await everybody["lb2"].ask("lb3", Wanted.THERE, 30.0)
        assert there is not None
        assert there.yes
        assert len(trio.said) == 2

    play(trio, scenario)


def test_an_answer_to_another_question_or_of_another_director_is_none() -> None:
    trio = Trio(standbys())

    async def scenario(everybody: dict[str, Voting]) -> None:
        trio.cut.add(frozenset(("lb2", "lb3")))
        asking = asyncio.ensure_future(everybody["lb2"].ask("lb3", Wanted.THERE, 0.3))
        await asyncio.sleep(0)
        (poll,) = trio.said
        forged = Vote(cluster="web", node="lb1", number=poll.number, yes=True)
        everybody["lb2"].heard("lb1", forged)
        everybody["lb2"].heard("lb3", replace(forged, number=poll.number + 1))
        assert await asking is None

    play(trio, scenario)


def test_a_router_that_the_voter_does_not_know_is_none_of_its() -> None:
    async def scenario(everybody: dict[str, Voting]) -> None:
        said = await everybody["lb2"].ask("lb3", Wanted.VOTE, 30.0, "other")
        assert said is not None
        assert (said.yes, said.why) == (False, "it knows no router other")

    play(Trio(standbys()), scenario)

"""Votes over the directors' channel: asked for when this node may be about to take a router, and given to others.

To whom a vote is given is `election.ballot`'s to decide. What is added here: while a ballot is open every other
director is asked whether it is active for the router. So one that only its peer does not hear, and this director does,
is not taken for dead: that is what a gateway cannot tell. And a question that was recorded binds nobody's vote when it
is played back, whether the channel is signed by sequence numbers, by a key alone, or not at all.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

from haman.election.ballot import Ballots, Candidate, open_for
from haman.model.ballot import Poll, Vote, Wanted
from haman.model.transition import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.director.company import Own

REMEMBERED = 4096
"""Questions of which a repetition is told; an older one shows that it is old."""

NUMBERS = 8
"""Questions of one candidate that one ballot answers; it asks once in an interval, so these are the last ones."""

BITS = 62
"""Of the number of a question."""

TIMEOUT = 0.5
"""Seconds that count where this director has no arbiter, and another one has."""


class Voting:
    """own: how this node stands. post: sends to a director, by name. Questions that are asked of this node itself are
    answered as those of others are. heard_of: the life and the number of what a director said last on the channel.
    said_lately: whether these are of what this node has said lately."""

    def __init__(
        self,
        own: Callable[[], Own],
        post: Callable[[str, Poll | Vote], None],
        *,
        heard_of: Callable[[str], tuple[int, int]],
        said_lately: Callable[[int, int], bool],
    ) -> None:
        self._own = own
        self._post = post
        self._heard_of = heard_of
        self._said_lately = said_lately
        self._counted: dict[int, None] = {}  # numbers of the last questions for a vote
        self._ballots = Ballots(time.monotonic())
        self._group: asyncio.TaskGroup | None = None
        self._asked: dict[int, tuple[str, asyncio.Future[Vote]]] = {}
        # By router with an open ballot: who asks, in which questions.
        self._asking: dict[str, dict[str, list[int]]] = {}

    async def run(self) -> None:
        """For ever."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await asyncio.Event().wait()
        finally:
            self._group = None

    async def ask(
        self, name: str, wanted: Wanted, timeout: float, router: str = "", priority: int = 0, interval: float = 0.0
    ) -> Vote | None:
        """What the director of this name says; None: nothing within so many seconds. interval: as in Poll."""
        own = self._own()
        # Who does not reach enough of those that are asked gets no quorum, and is not to keep a vote from who could.
        ready = own.arbiter is not False and own.waiting is not None and router not in own.waiting
        number = secrets.randbits(BITS)
        life, heard = self._heard_of(name)
        answer: asyncio.Future[Vote] = asyncio.get_running_loop().create_future()
        self._asked[number] = name, answer
        poll = Poll(
            cluster=own.cluster.name,
            node=own.node,
            number=number,
            wanted=wanted,
            router=router,
            priority=priority,
            ready=ready,
            interval=interval,
            life=life,
            heard=heard,
        )
        try:
            if name == own.node:
                self.heard(name, poll)
            else:
                self._post(name, poll)
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def heard(self, name: str, said: Poll | Vote) -> None:
        """From director `name`, which may be this one."""
        if isinstance(said, Vote):
            asked, answer = self._asked.get(said.number, ("", None))
            if answer is not None and asked == name and not answer.done():
                answer.set_result(said)
            return
        match said.wanted:
            case Wanted.THERE:
                self._say(name, said.number, True, "it is there")
            case Wanted.ACTIVE:
                self._say(name, said.number, self._active(said.router), "its role")
            case Wanted.VOTE:
                self._want(name, said)

    def _want(self, name: str, poll: Poll) -> None:
        own = self._own()
        router = own.cluster.routers.get(poll.router)
        if router is None:
            self._say(name, poll.number, False, f"it knows no router {poll.router}")
            return
        if name != own.node and not self._said_lately(poll.life, poll.heard):
            self._say(name, poll.number, False, "it was asked by who has not heard it lately")
            return
        if self._group is None or poll.number in self._counted:
            return  # it is about to be answered no more, or not yet, or was
        self._counted[poll.number] = None
        if len(self._counted) > REMEMBERED:
            del self._counted[next(iter(self._counted))]
        numbers = self._asking.setdefault(poll.router, {}).setdefault(name, [])
        numbers.append(poll.number)
        del numbers[:-NUMBERS]
        interval = poll.interval or router.advert_interval  # an older haman tells none
        if self._ballots.enter(poll.router, Candidate(name, poll.priority, poll.ready, interval)):
            self._group.create_task(self._hold(poll.router, interval, name))

    async def _hold(self, router: str, interval: float, opener: str) -> None:
        """The ballot for a router, from its first candidate, who is patient by `interval`, to the answers."""
        arbiter = self._own().cluster.arbiter
        active = await self._who_is_active(router, opener, open_for(interval, arbiter.timeout if arbiter else TIMEOUT))
        outcome = self._ballots.close(router, active, time.monotonic())
        for name, numbers in self._asking.pop(router).items():
            for number in numbers:
                self._say(name, number, *outcome[name])

    async def _who_is_active(self, router: str, opener: str, within: float) -> str:
        """The first that says so; empty: nobody has within so many seconds."""
        own = self._own()
        if self._active(router):
            return own.node
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        others = [name for name in own.cluster.directors if name not in (own.node, opener)]
        async with asyncio.TaskGroup() as group:
            left = {group.create_task(self.ask(name, Wanted.ACTIVE, within, router)): name for name in others}
            found = ""
            while left and not found:
                done, _ = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    name, said = left.pop(task), task.result()
                    found = name if said is not None and said.yes else found
            for task in left:
                task.cancel()
        if not found:
            await asyncio.sleep(until - loop.time())
        return found

    def _active(self, router: str) -> bool:
        return any(report.router == router and report.role is Role.ACTIVE for report in self._own().roles)

    def _say(self, name: str, number: int, yes: bool, why: str) -> None:
        own = self._own()
        vote = Vote(cluster=own.cluster.name, node=own.node, number=number, yes=yes, why=why)
        if name == own.node:
            self.heard(name, vote)
        else:
            self._post(name, vote)

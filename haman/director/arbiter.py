"""The arbiter, asked: at once when a standby is about to take over, and now and then so that its loss shows.

Each question is asked anew, of every voice at the same time: an answer to an earlier one proves nothing about now. As
soon as a quorum has said yes, or cannot any more, the elector is told.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from haman.director.trackers import arp
from haman.director.trackers.asked import echo
from haman.director.trackers.judge import Judge, Look
from haman.errors import KernelUnavailable
from haman.kernel.netlink import NETLINK_ROUTE, Netlink
from haman.model.arbiter import TRACKER
from haman.model.ballot import Wanted
from haman.model.elector import Ruled
from haman.model.trackers import ArpWatch, Standing, Verdict
from haman.model.transition import Kind, Transition
from haman.probes import kinds
from haman.probes.equipment import Equipment

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from haman.director.voting import Voting
    from haman.model.addresses import Address
    from haman.model.arbiter import Arbiter
    from haman.model.elector import AskArbiter
    from haman.probes.outcome import Result

RISE, FALL = 1, 3
"""Looks in a row after which the arbiter counts as back, or as lost, where nobody asks."""

SILENT = "no answer"
"""Why most that say no do so."""

SHORTEST = 0.1
"""Seconds that an answer to a question is waited for at least."""


class Asking:
    """send: takes the ruling. changed: called when the arbiter is lost or back. record: takes transitions. alone:
    whether every other director says that it does not reach the arbiter either. voting: how directors are asked."""

    def __init__(
        self,
        arbiter: Arbiter | None,
        *,
        send: Callable[[Ruled], None],
        changed: Callable[[], None],
        record: Callable[[Transition], None],
        alone: Callable[[], bool],
        voting: Voting,
    ) -> None:
        self._voting = voting
        self._send = send
        self._changed = changed
        self._record = record
        self._alone = alone
        self._group: asyncio.TaskGroup | None = None
        self._equipment: Equipment | None = None
        self._reconfigured = asyncio.Event()
        self._arbiter: Arbiter | None = None
        self.configure(arbiter)

    @property
    def verdict(self) -> Verdict | None:
        """None before the first look, and without an arbiter."""
        return self._judge.verdict if self._arbiter is not None else None

    @property
    def reached(self) -> bool | None:
        verdict = self.verdict
        return None if verdict is None else verdict.standing is Standing.UP

    def configure(self, arbiter: Arbiter | None) -> None:
        """From now on this one. Until it was looked at, nothing is known of it."""
        if arbiter == self._arbiter:
            return
        self._arbiter = arbiter
        self._judge = Judge(rise=RISE, fall=FALL)
        self._reconfigured.set()

    def asked(self, question: AskArbiter) -> None:
        """By the elector. The answer comes by `send`."""
        if self._group is not None:
            self._group.create_task(self._answer(question))

    async def run(self) -> None:
        """For ever."""
        self._equipment = Equipment(asyncio.get_running_loop())
        try:
            async with asyncio.TaskGroup() as self._group:
                while True:
                    await self._look()
        finally:
            self._group = None
            self._equipment.close()

    async def _look(self) -> None:
        self._reconfigured.clear()
        arbiter = self._arbiter
        if arbiter is None:
            await self._reconfigured.wait()
            return
        loop = asyncio.get_running_loop()
        begun = loop.time()
        granted, words, _ = await self._ask(arbiter, arbiter.timeout)
        if arbiter == self._arbiter:
            before = self._judge.verdict
            if self._judge.take(Look(granted, words)):
                self._tell(before, self._judge.verdict)
        try:
            async with asyncio.timeout_at(begun + arbiter.interval):
                await self._reconfigured.wait()
        except TimeoutError:
            pass

    async def _answer(self, question: AskArbiter) -> None:
        arbiter = self._arbiter
        if arbiter is None:
            granted, words = True, "there is none any more"
        else:
            timeout = min(arbiter.timeout, max(SHORTEST, 2 * question.interval))
            granted, words, silent = await self._ask(arbiter, timeout, question)
            if not granted and silent and not arbiter.strict and self.reached is False and self._alone():
                granted, words = True, f"it answers no director, so it tells nothing: {words}"
        self._send(Ruled(router=question.router, asked=question.asked, granted=granted, why=words))

    async def _ask(
        self, arbiter: Arbiter, timeout: float, question: AskArbiter | None = None
    ) -> tuple[bool, str, bool]:
        """Whether a quorum of voices says yes, words about it, and whether whoever did not say yes said nothing: a
        director that says no has its reason, such as another one that is active. question: None at a look, when nobody
        is to vote."""
        voices: dict[asyncio.Task[str], str] = {}
        yes: list[str] = []
        no: dict[str, list[str]] = {}
        async with asyncio.TaskGroup() as tasks:
            for name, voice in self._voices(arbiter, timeout, question):
                voices[tasks.create_task(voice)] = name
            left = set(voices)
            while left and len(yes) < arbiter.quorum and len(yes) + len(left) >= arbiter.quorum:
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    why = task.result()
                    (no.setdefault(why, []) if why else yes).append(voices[task])
            for task in left:
                task.cancel()
        if len(yes) >= arbiter.quorum:
            return True, f"{', '.join(sorted(yes))} {_verb(yes, 'answer')}", True
        silent = sorted(no.pop(SILENT, ()))
        words = [f"{', '.join(silent)} {'does' if len(silent) == 1 else 'do'} not answer"] if silent else []
        words += [f"{name} says no: {why}" for why, names in no.items() for name in names]
        return False, f"{', '.join(words)}, {arbiter.quorum} must", not no

    def _voices(
        self, arbiter: Arbiter, timeout: float, question: AskArbiter | None
    ) -> list[tuple[str, Coroutine[None, None, str]]]:
        """By name, each with why it says no: empty for a yes."""
        dev = arbiter.interface
        pings = [(f"ping {address}", self._ping(address, dev, timeout)) for address in arbiter.ping]
        arps = [(f"ARP {address}", _arp(ArpWatch(address=address, interface=dev), timeout)) for address in arbiter.arp]
        votes = [(f"director {name}", self._vote(name, timeout, question)) for name in arbiter.directors]
        return [*pings, *arps, *votes]

    async def _vote(self, name: str, timeout: float, question: AskArbiter | None) -> str:
        if question is None or question.living:  # VRRP itself moves a role from one that is heard
            said = await self._voting.ask(name, Wanted.THERE, timeout)
        else:
            router, priority, interval = question.router, question.priority, question.interval
            said = await self._voting.ask(name, Wanted.VOTE, timeout, router, priority, interval)
        return SILENT if said is None else "" if said.yes else said.why

    async def _ping(self, address: Address, interface: str | None, timeout: float) -> str:
        assert self._equipment is not None
        heard: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        question = echo(address, interface, timeout, timeout)
        prober = kinds.prober(self._equipment, question, heard.set_result)
        try:
            prober.start()
            return "" if (await heard).passed else SILENT
        finally:
            prober.abandon()

    def _tell(self, before: Verdict | None, after: Verdict | None) -> None:
        assert after is not None
        self._changed()
        if before is not None and before.standing is after.standing:
            return
        was = "unknown" if before is None else before.standing.value
        self._record(
            Transition(
                kind=Kind.TRACKER,
                who=TRACKER,
                before=was,
                after=after.standing.value,
                why=after.why,
                cause=f"arbiter_{after.standing.value}",
                at=time.time(),
            )
        )


async def _arp(watch: ArpWatch, timeout: float) -> str:
    try:
        netlink = Netlink(NETLINK_ROUTE)
    except (OSError, KernelUnavailable):
        return SILENT
    try:
        return "" if (await arp.ask(netlink, watch, timeout)).passed else SILENT
    finally:
        netlink.close()


def _verb(names: list[str], verb: str) -> str:
    return verb if len(names) > 1 else f"{verb}s"

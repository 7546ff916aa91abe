"""Operators' programs on a change: ordered per object, at least once, the newest state last.

State follows from level here too. What each object's hooks were last told is kept in a file (`told`); what the elector
and the checks say of the present is compared with it. So a change that happened while no director was there, or a
hook that was cut off by the director's death, is made good.

While programs run, news of an object queue up; of one object only the newest state is worth telling, and none at all
if it is back where it was. A stop is never left out. Objects do not wait for each other, but only so many
programs run at a time, and those of routers and groups have places of their own: a thousand dead servers
with a slow hook each keep no role's hook waiting.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from haman import accounts, program
from haman.director import news as words
from haman.director.news import STOPPED, News, Sort, Subject
from haman.director.told import Told
from haman.model.transition import Kind, Transition
from haman.observe.journal import fields, log
from haman.program import NOT_STARTED, Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from haman.model.cluster import Hook
    from haman.model.elector import RoleReport
    from haman.observe.tally import Tally

SETTLE = 1.0
"""Seconds a reported role may differ from the queue's before it counts as a change nobody announced."""

ROLES_AT_ONCE = 8
HEALTH_AT_ONCE = 4
"""Programs that run at a time for routers and groups, and for services and servers."""


class _Places:
    """Objects with something to tell, in order, and how many of them are being told."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.busy = 0
        self.ready: dict[Subject, None] = {}  # as a set in order


class Hooks:
    """names: HAMAN_NODE and the like, the same for every run. groups: routers by sync group. record: takes a HOOK
    transition per program run."""

    def __init__(
        self,
        hooks: Sequence[Hook],
        names: Mapping[str, str],
        record: Callable[[Transition], None],
        tally: Tally,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._hooks = tuple(hooks)
        self._names = dict(names)
        self._record = record
        self._tally = tally
        self._groups = dict(groups or {})
        self._told = Told()
        self._latest: dict[Subject, str] = {}
        self._pending: dict[Subject, deque[News]] = {}
        self._running: dict[Subject, News] = {}
        self._places = {True: _Places(ROLES_AT_ONCE), False: _Places(HEALTH_AT_ONCE)}
        self._roles: dict[str, RoleReport] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._check: asyncio.TimerHandle | None = None
        self._tasks: asyncio.TaskGroup | None = None

    def configure(self, hooks: Sequence[Hook], names: Mapping[str, str], groups: Mapping[str, Sequence[str]]) -> None:
        """From now on these. What waits is told to them; what runs is left alone."""
        self._hooks = tuple(hooks)
        self._names = dict(names)
        self._groups = dict(groups)

    def happened(self, transition: Transition) -> None:
        """A change, in the order they came about. Those that no hook is about are passed over."""
        news = words.of(transition)
        if news is None or not self._concerned(news.subject):
            return
        if news.state is None or news.state != self._state(news.subject):
            self._offer(news)

    def roles(self, reports: Sequence[RoleReport]) -> None:
        """The present roles. A difference that nobody announces is told after SETTLE; a group's role is that of its
        members, once they agree."""
        self._roles = {report.router: report for report in reports}
        for name, members in self._groups.items():
            self._group(name, [self._roles[member] for member in members if member in self._roles])
        if self._check is None and (self._unannounced() or self._gone()):
            self._check = asyncio.get_running_loop().call_later(SETTLE, self._level)

    def health(self, state_of: Callable[[Subject], str | None]) -> None:
        """Services and servers of which something else was told than what holds now (None: there is no such thing any
        more). Call it once all are checked: a restart takes over what the kernel serves, without a transition."""
        for subject in {*self._told, *self._latest}:
            if subject.of_election:
                continue
            now = state_of(subject)
            if now is None:
                self._forget(subject)
            elif now != self._state(subject) and self._concerned(subject):
                self._tell_level(subject, Kind(subject.sort.value), now, "it is so since this director started")

    @property
    def waiting(self) -> int:
        """News whose programs have not all ended."""
        return sum(map(len, self._pending.values())) + len(self._running)

    @property
    def running(self) -> int:
        return len(self._running)

    async def run(self) -> None:
        """For ever."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._dispatch()
                await asyncio.get_running_loop().create_future()
        finally:
            self._tasks = None
            self._told.save()

    async def finish(self) -> None:
        """Returns once everything was told. Bound it."""
        self._level()
        await self._idle.wait()
        self._told.save()

    # -- what there is to tell -----------------------------------------------------------------------------------

    def _concerned(self, subject: Subject) -> bool:
        return any(words.concerns(hook, subject) for hook in self._hooks)

    def _state(self, subject: Subject) -> str | None:
        """The state told last when all that waits has been told."""
        return self._latest.get(subject, self._told.get(subject))

    def _unannounced(self) -> list[RoleReport]:
        return [
            report
            for name, report in self._roles.items()
            if report.role.value != self._state(Subject(Sort.ROUTER, name))
            and self._concerned(Subject(Sort.ROUTER, name))
        ]

    def _gone(self) -> list[Subject]:
        """Routers and groups that were told to be something and are no more."""
        here = {Sort.ROUTER: self._roles.keys(), Sort.GROUP: self._groups.keys()}
        return [
            each
            for each in {*self._told, *self._latest}
            if each.sort in here and each.name not in here[each.sort] and self._state(each) != STOPPED
        ]

    def _level(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None
        if not self._roles:
            return
        for report in self._unannounced():
            self._tell_level(Subject(Sort.ROUTER, report.router), Kind.ROUTER, report.role.value, report.why)
        for subject in self._gone():
            why = f"this {subject.sort.value} is not configured here any more"
            self._tell_level(subject, Kind.ROUTER, STOPPED, why)

    def _group(self, name: str, members: Sequence[RoleReport]) -> None:
        subject = Subject(Sort.GROUP, name)
        roles = {report.role for report in members}
        if len(roles) == 1 and self._concerned(subject):
            (role,) = roles
            if role.value != self._state(subject):
                self._tell_level(subject, Kind.ROUTER, role.value, members[0].why)

    def _tell_level(self, subject: Subject, kind: Kind, state: str, why: str) -> None:
        before = self._state(subject) or STOPPED
        transition = Transition(
            kind=kind, who=subject.name, before=before, after=state, why=why, cause="level", at=time.time()
        )
        news = words.state(subject, transition)
        if news is not None:
            self._offer(news)

    def _forget(self, subject: Subject) -> None:
        self._told.forget(subject)
        self._latest.pop(subject, None)
        self._tally.hooks_superseded += len(self._pending.pop(subject, ()))

    def _offer(self, news: News) -> None:
        subject = news.subject
        pending = self._pending.setdefault(subject, deque())
        if news.state is None:
            if any(each.event is news.event for each in pending):
                self._tally.hooks_superseded += 1
            else:
                pending.append(news)
        else:
            superseded = len(pending)
            kept = deque(each for each in pending if each.lasting)
            superseded -= len(kept)
            self._latest[subject] = news.state
            if superseded and news.state == self._before(subject, kept):
                superseded += 1
            else:
                kept.append(news)
            self._pending[subject] = pending = kept
            self._tally.hooks_superseded += superseded
        if pending:
            self._queue(subject)
        else:
            del self._pending[subject]
            if subject not in self._running:
                self._latest.pop(subject, None)
        self._rest()

    def _before(self, subject: Subject, kept: Sequence[News]) -> str | None:
        """What this object's stop in line tells (nothing else stays in line), or what is told now, or was."""
        running = self._running.get(subject)
        for each in (*reversed(kept), running):
            if each is not None and each.state is not None:
                return each.state
        return self._told.get(subject)

    # -- telling it ----------------------------------------------------------------------------------------------

    def _queue(self, subject: Subject) -> None:
        places = self._places[subject.of_roles]
        if subject not in self._running:
            places.ready[subject] = None
        self._dispatch()

    def _dispatch(self) -> None:
        """Begin as much as there are places for."""
        for places in self._places.values() if self._tasks is not None else ():
            while places.ready and places.busy < places.limit:
                subject = next(iter(places.ready))
                del places.ready[subject]
                pending = self._pending.get(subject)
                if not pending:
                    continue  # forgotten, or back where it was
                news = self._running[subject] = pending.popleft()
                if not pending:
                    del self._pending[subject]
                places.busy += 1
                assert self._tasks is not None
                self._tasks.create_task(self._tell(news, places))

    async def _tell(self, news: News, places: _Places) -> None:
        subject = news.subject
        for hook in self._hooks:
            if news.event in hook.on and words.concerns(hook, subject):
                await self._one(hook, news)
        del self._running[subject]
        places.busy -= 1
        if news.state is not None:
            self._told.set(subject, news.state)
            if subject not in self._pending:
                self._latest.pop(subject, None)
        if subject in self._pending:
            places.ready[subject] = None
        self._dispatch()
        self._rest()

    def _rest(self) -> None:
        if self._pending or self._running:
            self._idle.clear()
        else:
            self._idle.set()

    async def _one(self, hook: Hook, news: News) -> None:
        of_router = news.subject.sort in (Sort.ROUTER, Sort.SPLIT)
        report = self._roles.get(news.subject.name) if of_router else None
        priority = report.priority if report is not None else 0
        name = Path(hook.argv[0]).name
        who = f"{news.subject.name}/{name}"
        ended = await self._run(hook, news, priority, who)
        self._tally.hook(name, news.event.value, ended.result, ended.status, ended.seconds)
        after = {"exit": f"exit {ended.status}", "signal": f"signal {-ended.status}"}.get(ended.result, ended.result)
        self._record(
            Transition(
                kind=Kind.HOOK,
                who=who,
                before=news.event.value,
                after=after,
                why=ended.words,
                cause=ended.result,
                at=time.time(),
            )
        )

    async def _run(self, hook: Hook, news: News, priority: int, who: str) -> Ended:
        def output(line: str) -> None:
            log.info("hook %s: %s", who, line)

        try:
            user = accounts.to_run(hook.argv[0], hook.user)
        except accounts.Refused as refused:
            return Ended("not_started", NOT_STARTED, 0.0, f"not started: {refused}")
        extra = words.arguments(news, priority) if hook.arguments else []
        plain = {name.removeprefix("HAMAN_").lower(): value for name, value in self._names.items()}
        told = fields(news.transition) | {"event": news.event.value, "priority": priority} | plain
        return await program.run(
            [*hook.argv, *extra],
            environment={**self._names, **words.environment(news, priority)},
            stdin=json.dumps(told).encode() + b"\n",
            timeout=hook.timeout,
            user=user,
            output=output,
        )

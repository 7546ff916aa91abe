"""Operators' programs on a change of role: one ordered queue, at least once, the newest role last.

State follows from level here too. What each router's hooks were last run for is kept in a file that outlives this
process but not the machine; what the elector reports as the present role is compared with it. So a change that
happened while no director was there, or a hook that was cut off by the director's death, is made good.

While programs run, changes queue up; of one router only the newest is worth telling, and none at all if it is back
where it was. A stop is never left out: it may be the last thing this machine does about a router.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from haman import paths
from haman.director import program
from haman.model.cluster import HookEvent
from haman.model.transition import Kind, Role, Transition
from haman.observe.journal import fields, log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from haman.model.cluster import Hook
    from haman.model.elector import RoleReport
    from haman.observe.tally import Tally

SETTLE = 1.0
"""Seconds a reported role may differ from the queue's before it counts as a change nobody announced."""

_EVENTS = {
    Role.ACTIVE.value: HookEvent.ACTIVE,
    Role.STANDBY.value: HookEvent.STANDBY,
    Role.FAULT.value: HookEvent.FAULT,
    Role.STOPPED.value: HookEvent.STOP,
}

_KEEPALIVED = {
    HookEvent.ACTIVE: "MASTER",
    HookEvent.STANDBY: "BACKUP",
    HookEvent.FAULT: "FAULT",
    HookEvent.STOP: "STOP",
}


class Hooks:
    """names: HAMAN_NODE and the like, the same for every run. record: takes a HOOK transition per program run."""

    def __init__(
        self, hooks: Sequence[Hook], names: Mapping[str, str], record: Callable[[Transition], None], tally: Tally
    ) -> None:
        self._hooks = hooks
        self._names = names
        self._record = record
        self._tally = tally
        self._told = _load()
        self._latest = dict(self._told)
        self._pending: deque[Transition] = deque()
        self._running: Transition | None = None
        self._roles: dict[str, RoleReport] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._check: asyncio.TimerHandle | None = None

    def happened(self, transition: Transition) -> None:
        """A router's change of role, in the order they came about."""
        if self._hooks and transition.after in _EVENTS and transition.after != self._latest.get(transition.who):
            self._offer(transition)

    def roles(self, reports: Sequence[RoleReport]) -> None:
        """The present roles. A difference that nobody announces is told after SETTLE."""
        self._roles = {report.router: report for report in reports}
        if self._hooks and self._check is None and self._unannounced():
            self._check = asyncio.get_running_loop().call_later(SETTLE, self._level)

    @property
    def waiting(self) -> int:
        """Changes whose programs have not all ended."""
        return len(self._pending) + (self._running is not None)

    async def run(self) -> None:
        """For ever: one program after the other."""
        while True:
            while self._pending:
                self._running = transition = self._pending.popleft()
                await self._tell(transition)
                self._running = None
                self._told[transition.who] = transition.after
                _save(self._told)
            self._idle.set()
            await self._wake.wait()
            self._wake.clear()

    async def finish(self) -> None:
        """Returns once everything was told. Bound it."""
        self._level()
        if self._pending or self._running is not None:
            self._idle.clear()
            await self._idle.wait()

    def _unannounced(self) -> list[RoleReport]:
        return [report for name, report in self._roles.items() if report.role.value != self._latest.get(name)]

    def _level(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None
        for report in self._unannounced() if self._hooks else ():
            before = self._latest.get(report.router, Role.STOPPED.value)
            self._offer(
                Transition(
                    kind=Kind.ROUTER,
                    who=report.router,
                    before=before,
                    after=report.role.value,
                    why=report.why,
                    cause="level",
                    at=time.time(),
                )
            )

    def _offer(self, transition: Transition) -> None:
        router = transition.who
        kept = deque(each for each in self._pending if each.who != router or each.after == Role.STOPPED.value)
        superseded = len(self._pending) - len(kept)
        self._pending = kept
        self._latest[router] = transition.after
        if superseded and transition.after == self._before(router):
            superseded += 1
        else:
            self._pending.append(transition)
        self._tally.hooks_superseded += superseded
        self._idle.clear()
        self._wake.set()

    def _before(self, router: str) -> str | None:
        """What this router's stop in line tells (nothing else stays in line), or what is told now, or was."""
        for each in (*self._pending, self._running):
            if each is not None and each.who == router:
                return each.after
        return self._told.get(router)

    async def _tell(self, transition: Transition) -> None:
        event = _EVENTS[transition.after]
        for hook in self._hooks:
            if event in hook.on and (not hook.routers or transition.who in hook.routers):
                await self._one(hook, event, transition)

    async def _one(self, hook: Hook, event: HookEvent, transition: Transition) -> None:
        report = self._roles.get(transition.who)
        priority = report.priority if report is not None else 0
        name = Path(hook.argv[0]).name

        def output(line: str) -> None:
            log.info("hook %s/%s: %s", transition.who, name, line)

        ended = await program.run(
            # keepalived's contract for `notify`, so that its scripts go on working
            [*hook.argv, "INSTANCE", transition.who, _KEEPALIVED[event], str(priority)],
            environment=self._environment(event, transition, priority),
            stdin=json.dumps(fields(transition) | {"priority": priority} | self._plain_names()).encode() + b"\n",
            timeout=hook.timeout,
            user=hook.user,
            output=output,
        )
        self._tally.hook(name, event.value, ended.result, ended.status)
        after = {"exit": f"exit {ended.status}", "signal": f"signal {-ended.status}"}.get(ended.result, ended.result)
        self._record(
            Transition(
                kind=Kind.HOOK,
                who=f"{transition.who}/{name}",
                before=event.value,
                after=after,
                why=ended.words,
                cause=ended.result,
                at=time.time(),
            )
        )

    def _environment(self, event: HookEvent, transition: Transition, priority: int) -> dict[str, str]:
        return {
            **self._names,
            "HAMAN_ROUTER": transition.who,
            "HAMAN_EVENT": event.value,
            "HAMAN_ROLE": transition.after,
            "HAMAN_BEFORE": transition.before,
            "HAMAN_WHY": transition.why,
            "HAMAN_CAUSE": transition.cause,
            "HAMAN_PRIORITY": str(priority),
        }

    def _plain_names(self) -> dict[str, str]:
        return {name.removeprefix("HAMAN_").lower(): value for name, value in self._names.items()}


def _load() -> dict[str, str]:
    """By router, the role last told. Unreadable counts as nothing told: a hook too many is the harmless mistake."""
    try:
        told = json.loads(paths.hooks_told().read_text())
        return {router: role for router, role in told.items() if role in _EVENTS}
    except (OSError, ValueError, AttributeError):
        return {}


def _save(told: Mapping[str, str]) -> None:
    target = paths.hooks_told()
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = target.with_suffix(".new")
        temporary.write_text(json.dumps(told))
        temporary.replace(target)
    except OSError as error:
        log.warning("%s: %s; after a restart of the director hooks may run again", target, error.strerror)

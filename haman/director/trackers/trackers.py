"""All trackers of this node: a task for each, their judges, and the verdicts as a whole."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from haman.director.trackers import arp, asked, files, processes, routing, services
from haman.director.trackers.bell import Bell
from haman.director.trackers.judge import Judge
from haman.errors import KernelUnavailable
from haman.model.trackers import (
    ArpWatch,
    FileWatch,
    PingWatch,
    ProcessWatch,
    RouteWatch,
    ScriptWatch,
    ServiceWatch,
)
from haman.model.transition import Kind, Transition
from haman.observe.journal import log
from haman.probes.equipment import Equipment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

    from haman.director.trackers.judge import Look
    from haman.health.weights import Weighing
    from haman.model.trackers import Tracker, Verdict

AGAIN = 5.0
"""Seconds until a tracker that could not even look (no sockets, no descriptors) tries again."""


class Trackers:
    """record: takes transitions. changed: called when a verdict is another one. weighing: a service's state."""

    def __init__(
        self,
        record: Callable[[Transition], None],
        changed: Callable[[], None],
        weighing: Callable[[str], Weighing | None],
    ) -> None:
        self._record = record
        self._changed = changed
        self._weighing = weighing
        self._wanted: dict[str, Tracker] = {}
        self._judges: dict[str, Judge] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._bells: dict[str, Bell] = {}
        self._judged = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._equipment: Equipment | None = None

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """By name, those that were judged."""
        return {name: judge.verdict for name, judge in self._judges.items() if judge.verdict is not None}

    @property
    def waiting(self) -> tuple[str, ...]:
        """Names of those that were not judged yet."""
        return tuple(name for name, judge in self._judges.items() if judge.verdict is None)

    def take(self, trackers: Iterable[Tracker]) -> None:
        """Look at these from now on. One that is the same as before keeps its verdict and goes on."""
        wanted = {tracker.name: tracker for tracker in trackers}
        for name in list(self._wanted):
            if wanted.get(name) != self._wanted[name]:
                del self._wanted[name], self._judges[name]
                if name in self._tasks:
                    self._tasks.pop(name).cancel()
                self._bells.pop(name, None)
        for name, tracker in wanted.items():
            if name not in self._wanted:
                self._judges[name] = Judge(rise=tracker.rise, fall=tracker.fall)
        self._wanted = wanted
        self._start()

    async def judged(self) -> None:
        """Returns once there is a verdict about every one of them. Bound it: a script may take its time."""
        while self.waiting:
            self._judged.clear()
            await self._judged.wait()

    def services_changed(self) -> None:
        """Some service may be in another state."""
        for bell in self._bells.values():
            bell.ring()

    async def run(self) -> None:
        """For ever."""
        self._equipment = Equipment(asyncio.get_running_loop())
        try:
            async with asyncio.TaskGroup() as self._group:
                self._start()
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._equipment.close()

    def _start(self) -> None:
        if self._group is not None:
            for name, tracker in self._wanted.items():
                if name not in self._tasks:
                    self._tasks[name] = self._group.create_task(self._follow(tracker, self._judges[name]))

    async def _follow(self, tracker: Tracker, judge: Judge) -> None:
        while True:
            looks = self._looks(tracker)
            try:
                async for look in looks:
                    before = judge.verdict
                    if judge.take(look):
                        self._tell(tracker.name, before, judge.verdict)
            except (OSError, KernelUnavailable) as error:
                log.warning("tracker %s cannot look: %s", tracker.name, error)
                await asyncio.sleep(AGAIN)
            finally:
                await looks.aclose()

    def _looks(self, tracker: Tracker) -> AsyncGenerator[Look, None]:
        assert self._equipment is not None
        match tracker.watched:
            case PingWatch() | ScriptWatch():
                return asked.looks(tracker, self._equipment)
            case ArpWatch() as watch:
                return arp.looks(tracker, watch)
            case FileWatch() as watch:
                return files.looks(tracker, watch)
            case ProcessWatch() as watch:
                return processes.looks(tracker, watch)
            case RouteWatch() as watch:
                return routing.looks(tracker, watch)
            case ServiceWatch() as watch:
                bell = self._bells[tracker.name] = Bell()
                return services.looks(tracker, watch, self._weighing, bell)

    def _tell(self, name: str, before: Verdict | None, after: Verdict | None) -> None:
        assert after is not None
        self._changed()
        self._judged.set()
        if before is not None and before.standing is after.standing and before.number == after.number:
            return
        self._record(
            Transition(
                kind=Kind.TRACKER,
                who=name,
                before="unknown" if before is None else before.standing.value,
                after=after.standing.value,
                why=after.why,
                cause=f"tracker_{after.standing.value}",
                at=time.time(),
            )
        )

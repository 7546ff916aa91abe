"""A configured director at work: health, table, hooks, answers, joined. Its life and death are `daemon`'s.

Everything meets here and nothing is decided here: each callback hands on what one part found out to the parts that
live on it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from typing import TYPE_CHECKING

from haman import paths
from haman.director import readiness, report
from haman.director.checks import Checks
from haman.director.control import Control
from haman.director.hooks import Hooks
from haman.director.lag import Lag
from haman.director.reconcile import Reconciler
from haman.director.slice import slice_for
from haman.health.board import Board
from haman.model.elector import Configure, Counters, Happened, Readiness, Roles, TakeoverDone
from haman.model.transition import Kind, Transition
from haman.observe import journal
from haman.observe.history import History
from haman.observe.journal import log
from haman.observe.tally import Tally
from haman.probes.budget import budget_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from haman.director.link import Link
    from haman.director.reconcile import Table
    from haman.model.cluster import Cluster, Target
    from haman.model.elector import Message

SHOWN = 50
"""Transitions in a status."""

SETTLE = 0.05
"""Seconds in which what changes readiness is gathered: at the start every check's first answer does."""


class Duty:
    def __init__(self, cluster: Cluster, node: str, file: Path, link: Link, open_table: Callable[[], Table]) -> None:
        self._cluster = cluster
        self._node = node
        self._file = file
        self._link = link
        self._started_at = time.time()
        self._history = History()
        self._tally = Tally()
        self._lag = Lag()
        self._epoch = 0
        self._roles: Roles = Roles(epoch=0, roles=())
        self._counters: Counters | None = None
        self._waiting: dict[str, str] | None = None
        self._assessing: asyncio.TimerHandle | None = None
        self.slice = slice_for(cluster, node, generation=1)
        self._board = Board({}, frozenset(), time.monotonic())
        self._reconciler = Reconciler(
            cluster,
            node,
            weights=self._weights,
            open_table=open_table,
            record=self._record,
            tally=self._tally,
            changed=self._progress,
        )
        names = {"HAMAN_NODE": node, "HAMAN_CLUSTER": cluster.name}
        self.hooks = Hooks(cluster.hooks, names, self._record, self._tally)
        self._checks: Checks | None = None

    async def run(self) -> None:
        """For ever."""
        self._link.send(Configure(config=self.slice))
        self._note_configuration()
        self._assess()
        adopted = await self._reconciler.adopt()
        self._checks = self._begin(adopted)
        self._assess()
        gc.collect()
        gc.freeze()  # the configuration and the first board live as long as we do; do not walk them again
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lag.run())
                tasks.create_task(self._reconciler.run())
                tasks.create_task(self.hooks.run())
                tasks.create_task(Control(paths.control_socket(), {"status": self._status}).run())
                if self._cluster.metrics is not None:
                    tasks.create_task(self._serve_metrics())
        finally:
            self._checks.close()
            self._reconciler.close()

    def received(self, message: Message) -> None:
        """From the elector. Messages that are for others are passed over."""
        match message:
            case Roles():
                self._take_roles(message)
            case Happened(transition=transition):
                # The elector has written it to the log already.
                self._history.record(transition)
                self._tally.transition(transition)
                if transition.kind is Kind.ROUTER:
                    self.hooks.happened(transition)
            case TakeoverDone():
                self._tally.takeover(message.router, message.seconds)
            case Counters():
                self._counters = message
            case _:
                pass

    def view(self) -> report.View:
        return report.View(
            now=time.monotonic(),
            at=time.time(),
            cluster=self._cluster,
            node=self._node,
            file=str(self._file),
            generation=self.slice.generation,
            loaded_at=self._started_at,
            started_at=self._started_at,
            pid=os.getpid(),
            roles=self._roles.roles,
            waiting=self._waiting or {},
            counters=self._counters,
            board=self._board,
            latest=self._checks.latest if self._checks is not None else {},
            in_flight=self._checks.in_flight if self._checks is not None else 0,
            check_lateness=self._checks.lateness() if self._checks is not None else 0.0,
            unavailable=self._reconciler.unavailable,
            loaded=self._reconciler.loaded,
            refused=self._reconciler.refused,
            lag={
                "director": self._lag.worst,
                "elector": self._counters.lag if self._counters is not None else 0.0,
            },
            heartbeat_age=self._link.heartbeat_age,
            hooks_waiting=self.hooks.waiting,
            transitions=self._history.last(SHOWN),
            tally=self._tally,
        )

    def _begin(self, adopted: Collection[Target]) -> Checks:
        services = {service.name: service for service in self._cluster.services_of(self._node)}
        self._board = Board(services, adopted, time.monotonic())
        checks = Checks(self._board, self._tally, self._record, self._reconciler.kick, self._progress)
        questions = checks.add(services.values())
        if adopted:
            log.info("%d servers are served by the kernel already and count as up until checked", len(adopted))
        checks.start(asyncio.get_running_loop(), budget_for(questions))
        return checks

    def _weights(self) -> Mapping[Target, int | None]:
        return self._board.weights

    def _status(self) -> dict[str, object]:
        return report.document(self.view())

    def _record(self, transition: Transition) -> None:
        """A change that this process found out itself."""
        journal.record(transition)
        self._history.record(transition)
        self._tally.transition(transition)

    def _note_configuration(self) -> None:
        servers = sum(len(service.servers) for service in self._cluster.services.values())
        why = (
            f"this is director {self._node} of cluster {self._cluster.name}: {len(self._cluster.routers)} routers,"
            f" {len(self._cluster.services)} services, {servers} servers"
        )
        self._record(
            Transition(
                kind=Kind.CONFIG,
                who=str(self._file),
                before="none",
                after=f"generation {self.slice.generation}",
                why=why,
                cause="loaded",
                at=time.time(),
            )
        )

    def _take_roles(self, roles: Roles) -> None:
        if roles.epoch < self._epoch:
            log.warning("roles of epoch %d refused: epoch %d was here before", roles.epoch, self._epoch)
            return
        self._epoch = roles.epoch
        self._roles = roles
        self.hooks.roles(roles.roles)

    def _progress(self) -> None:
        """Something that readiness depends on changed."""
        if self._assessing is None:
            self._assessing = asyncio.get_running_loop().call_later(SETTLE, self._assess)

    def _assess(self) -> None:
        if self._assessing is not None:
            self._assessing.cancel()
            self._assessing = None
        waiting = readiness.waiting(
            self._cluster,
            self._node,
            health=self._board.health,
            unavailable=self._reconciler.unavailable,
            loaded=self._reconciler.loaded,
            refused=self._reconciler.refused,
        )
        if waiting == self._waiting:
            return
        for router in (self._waiting or {}).keys() - waiting.keys():
            log.info("router %s is ready", router)
        self._waiting = waiting
        self._link.send(Readiness(generation=self.slice.generation, waiting=waiting))

    async def _serve_metrics(self) -> None:
        from haman.observe import web  # aiohttp is half of this process's memory: only for who wants it

        assert self._cluster.metrics is not None
        source = web.Source(
            figures=lambda: report.figures(self.view()),
            live=self._not_live,
            ready=lambda: self._waiting or {},
        )
        await web.serve(self._cluster.metrics, source)

    def _not_live(self) -> str | None:
        age, patience = self._link.heartbeat_age, self._link.patience
        return None if age <= patience else f"the elector has been silent for {age:.3g} s"

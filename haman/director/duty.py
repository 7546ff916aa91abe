"""A configured director at work: health, table, hooks, answers, joined. Its life and death are `daemon`'s.

Everything meets here and nothing is decided here: each callback hands on what one part found out to the parts that
live on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from haman import paths
from haman.director import condition, loading, maintenance, planning, report, telling, why
from haman.director.arbiter import Asking
from haman.director.assessment import Assessment
from haman.director.chances import Chances
from haman.director.changing import Changing
from haman.director.checks import Checks
from haman.director.company import AS_HEALTH_SAYS, Company, Own
from haman.director.control import Control
from haman.director.exhibit import Exhibit
from haman.director.frames import Frames
from haman.director.giving_way import GivingWay
from haman.director.holding import Holding
from haman.director.hooks import Hooks
from haman.director.lag import Lag
from haman.director.orders import Book, said
from haman.director.reconcile import Reconciler
from haman.director.relays.relays import Relays
from haman.director.rereading import Rereading, Running
from haman.director.sites import Sites
from haman.director.slice import slice_for
from haman.director.splits import Splits
from haman.director.state import Configured
from haman.director.strangers import Strangers
from haman.director.switchover import Switchover
from haman.director.takeup import take_up
from haman.director.trackers.trackers import Trackers
from haman.director.traffic import TrafficReader
from haman.director.voting import Voting
from haman.health.agreement import Agreement
from haman.health.board import Board
from haman.model.arbiter import TRACKER
from haman.model.elector import (
    AskArbiter,
    Configure,
    Counters,
    Covered,
    Happened,
    Maintenance,
    Readiness,
    Reload,
    Roles,
    TakeoverConfirmed,
    TakeoverDone,
    Verdicts,
)
from haman.model.transition import Kind, Role, Transition
from haman.observe import journal
from haman.observe.archive import Archive
from haman.observe.history import History
from haman.observe.journal import log
from haman.observe.listening import Listening
from haman.observe.tally import Tally
from haman.probes.budget import budget_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from haman.director.kernels import Filter, Table
    from haman.director.link import Link
    from haman.director.loading import Change, Loaded
    from haman.director.news import Subject
    from haman.health.weights import Weighing
    from haman.model.ballot import Poll, Vote
    from haman.model.elector import Message
    from haman.model.kernel import ServiceKey
    from haman.model.services import Target

SHOWN = 50
"""Transitions in a status."""

TABLE_FIRST = 5.0
"""Seconds that the addresses of a new configuration wait for its table at most."""


class Duty:
    """override: what `--node` says, for the next reading of the file. begin_anew: called when a configuration
    needs what this process has given up. mistakes: of the file, if `loaded` is what was kept of it."""

    def __init__(
        self,
        loaded: Loaded,
        file: Path,
        link: Link,
        open_table: Callable[[], Table],
        packet_filter: Filter,
        override: str | None = None,
        begin_anew: Callable[[], None] = lambda: None,
        mistakes: tuple[str, ...] = (),
    ) -> None:
        self._loaded = loaded
        self._cluster = cluster = loaded.cluster
        self._node = node = loaded.node
        self._file = file
        self._link = link
        self._started_at = time.time()
        self._packet_filter = packet_filter
        self._archive = Archive(paths.history_directory())
        self._history = History(self._archive.read(), self._archive.write)
        self._listening = Listening(cluster.metrics)
        self._begun = asyncio.Event()
        self._tally = Tally()
        self._lag = Lag()
        self._epoch = 0
        self._roles: Roles = Roles(epoch=0, roles=())
        self._counters: Counters | None = None
        self.slice = slice_for(cluster, node, 1, loaded.credentials)
        self._board = Board({}, {}, time.monotonic())
        self._book = Book(self._ordered)
        self._chances = Chances(
            own=self._own,
            peers=lambda: self._company.peers,
            asked=lambda: self._reconciler.asked,
            reconsider=self._reconsider,
            due=self._readiness_due,
        )
        self._assessment = Assessment(
            cluster,
            own=self._own,
            reconciler=lambda: self._reconciler,
            peers=lambda: self._company.peers,
            book=self._book,
            prepares=self._chances.prepare,
            looked=lambda: self.hooks.health(self._state_of),
            tell=self._tell_readiness,
            record=self._record,
        )
        self._splits = Splits()
        self._voting = Voting(
            self._own,
            self._post,
            heard_of=self._heard_of,
            said_lately=self._said_lately,
        )
        self._arbiter = Asking(
            cluster.arbiter,
            send=link.send,
            changed=self._arbiter_changed,
            record=self._record,
            alone=self._nobody_reaches_it,
            voting=self._voting,
        )
        self._giving_way = GivingWay()
        self._frames = Frames()
        self._agreement = Agreement()
        self._reconciler = Reconciler(
            cluster,
            node,
            weights=self._weights,
            order=self._agreement.order,
            open_table=open_table,
            packet_filter=packet_filter,
            macs=lambda: self._frames.known(self._cluster),
            taken=lambda: self._chances.taken,
            checked=lambda: self._assessment.checked,
            record=self._record,
            tally=self._tally,
            changed=self._kernel_changed,
            disturbed=self._assessment.disturbed,
            asking=self._chances_stand,
            written=self._written,
        )
        self._sites = Sites(
            self._reweighed,
            self._stands,
            self._record,
            self._book,
        )
        self._holding = Holding(self._reconciler.connections, self._assessment.soon)
        self._holding.configure(cluster, node)
        self._company = Company(
            own=self._own,
            agreement=self._agreement,
            held=lambda: self._reconciler.believed,
            covered=lambda by: self._link.send(Covered(by=by)),
            reweighed=self._reweighed,
            met=self._meet,
            record=self._record,
            began=self._started_at,
            asked=self._voting.heard,
        )
        self.relays = Relays(self._weights, lambda: self._board.health, self._kernel_stands, self._record)
        self._traffic = TrafficReader(cluster, node, open_table)
        self.hooks = Hooks(cluster.hooks, self._names(), self._record, self._tally, self._groups())
        self._checks: Checks | None = None
        self._strangers = Strangers()
        self._rereading = Rereading(
            file,
            Configured(
                file=str(file),
                generation=1,
                digest=loaded.digest,
                modified=loaded.modified,
                loaded_at=self._started_at,
                attempted_at=self._started_at,
                mistakes=mistakes,
            ),
            override,
            running=self._running,
            take_up=self._take_up,
            begin_anew=begin_anew,
            send=link.send,
            record=self._record,
        )
        self._changing = Changing()
        self._switchover = Switchover(
            own=self._own,
            company=self._company,
            book=self._book,
            changing=self._changing,
            send=link.send,
            record=self._record,
        )
        self._exhibit = Exhibit(self._listening, self.view, self._traffic, link)
        self._control = self._answers()
        self._trackers = Trackers(self._record, self._tell_verdicts, self._weighing)
        self._trackers.take(cluster.trackers_of(node))

    async def run(self) -> None:
        """For ever."""
        self._rereading.begun(self._summary())
        self._tell_maintenance()  # BEFORE the configuration: with that the elections begin
        await self._link.configure(Configure(config=self.slice))
        self._assessment.look()
        adopted = await self._reconciler.adopt()
        self._checks = self._begin(adopted)
        self._assessment.begin(self._board)
        self._meet()
        self._begun.set()
        gc.collect()
        gc.freeze()  # the configuration and the first board live as long as we do; do not walk them again
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lag.run())
                tasks.create_task(self._chances.learn(self._packet_filter.sends_on))
                tasks.create_task(self._trackers.run())
                tasks.create_task(self._voting.run())
                tasks.create_task(self._arbiter.run())
                tasks.create_task(self._reconciler.run())
                tasks.create_task(self.relays.run())
                tasks.create_task(self.hooks.run())
                tasks.create_task(self._rereading.run())
                tasks.create_task(self._control.run())
                tasks.create_task(self._company.run())
                tasks.create_task(self._switchover.run())
                tasks.create_task(self._holding.run())
                tasks.create_task(self._exhibit.run())
        finally:
            self._checks.close()
            self._sites.close()
            self._reconciler.close()
            self._traffic.close()
            self._archive.close()

    def received(self, message: Message) -> None:
        """From the elector. Messages that are for others are passed over."""
        match message:
            case Roles():
                self._take_roles(message)
            case Happened(transition=transition):
                # The elector has written it to the log already.
                self._history.record(transition)
                self._tally.transition(transition)
                self.hooks.happened(transition)
                self._chances.happened(transition)
            case TakeoverDone():
                self._tally.takeover(message.router, message.seconds)
            case TakeoverConfirmed():
                self._tally.confirmed(message.router, message.seconds)
            case Counters():
                self._counters = message
            case AskArbiter():
                self._arbiter.asked(message)
            case Reload():
                self._rereading.want()
            case _:
                pass

    def view(self) -> report.View:
        return report.View(
            now=time.monotonic(),
            at=time.time(),
            cluster=self._cluster,
            node=self._node,
            configured=self._configuration(),
            modified=loading.state_of(self._file),
            started_at=self._started_at,
            pid=os.getpid(),
            roles=self._roles.roles,
            waiting=self._assessment.waiting,
            counters=self._counters,
            board=self._board,
            latest=self._checks.latest if self._checks is not None else {},
            in_flight=self._checks.in_flight if self._checks is not None else 0,
            check_lateness=self._checks.lateness() if self._checks is not None else 0.0,
            unavailable=self._reconciler.unavailable,
            loaded=self._reconciler.loaded,
            refused=self._reconciler.refused,
            strangers=self._strangers.by_service,
            lag={
                "director": self._lag.worst,
                "elector": self._counters.lag if self._counters is not None else 0.0,
            },
            heartbeat_age=self._link.heartbeat_age,
            hooks_waiting=self.hooks.waiting,
            peers=self._company.peers,
            connections=self._holding.by_router,
            splits=self._splits.current,
            taken=self._chances.taken,
            arbiter=self._arbiter.verdict,
            agreement=self._agreement,
            weights=self._weights(),
            own=self._sites.weights,
            sites=self._sites,
            relays=self.relays.figures,
            relay_problems=self.relays.problems,
            daemons=self._reconciler.daemons,
            trackers=self._trackers.verdicts,
            unjudged=self._trackers.waiting,
            orders=self._book.orders,
            transitions=[each.transition for each in self._history.last(SHOWN)],
            tally=self._tally,
        )

    def _begin(self, adopted: Mapping[Target, int]) -> Checks:
        services = {service.name: service for service in self._cluster.checked_of(self._node)}
        self._board = Board(services, adopted, time.monotonic())
        self._take_sites()
        self.relays.configure(self._cluster, self._node)
        checks = Checks(self._board, self._tally, self._record, self._judged, self._assessment.soon)
        questions = checks.add(services.values())
        if adopted:
            log.info("%d servers are served by the kernel already and count as up until checked", len(adopted))
        checks.start(asyncio.get_running_loop(), budget_for(questions))
        return checks

    def _weights(self) -> Mapping[Target, int | None]:
        return self._agreement.weights(self._sites.weights)

    def _kernel_stands(self) -> bool:
        """Has the kernel a table of ours, if only that of the director before this one?"""
        return self._reconciler.loaded or bool(self._reconciler.remembered)

    def _kernel_changed(self) -> None:
        """It is loaded, or lost, or refuses other things than before."""
        self._assessment.soon()
        self.relays.look()

    def _reweighed(self, services: Collection[str]) -> None:
        """The relay BEFORE the kernel's table, which sends it whom it is to have servers for."""
        self.relays.look()
        self._reconciler.kick(services)

    def _judged(self, services: Collection[str]) -> None:
        """The health of these services, or backups, has changed."""
        self._reweighed(self._sites.judged(services))

    def _take_sites(self) -> None:
        serving = planning.serving(self._cluster, self._node, self._reconciler.believed)
        self._sites.configure(self._cluster.services_of(self._node), self._board, serving)

    def _own(self) -> Own:
        return Own(
            cluster=self._cluster,
            node=self._node,
            digest=self._loaded.digest,
            arbiter=self._arbiter.reached,
            roles=self._roles.roles,
            waiting=self._assessment.missing,
            credentials=self._loaded.credentials,
            sites={
                name: said
                for name, choice in self._sites.choices.items()
                if (said := (choice.serving, choice.open, choice.order.value)) != AS_HEALTH_SAYS
            },
            connections=self._holding.by_router,
            hearing=self._assessment.hears,
            expecting=self._chances.expecting,
        )

    def _stands(self) -> None:
        """Something that the other directors are told of has changed."""
        self._company.stands()

    def _post(self, name: str, said: Poll | Vote) -> None:
        """To another director alone."""
        self._company.post(name, said)

    def _heard_of(self, name: str) -> tuple[int, int]:
        return self._company.heard_of(name)

    def _said_lately(self, life: int, number: int) -> bool:
        return self._company.said_lately(life, number)

    def _written(self, services: Collection[ServiceKey]) -> None:
        self._company.written(services)

    def _weighing(self, service: str) -> Weighing | None:
        """None before its servers are known."""
        return self._board.service(service) if service in self._board else None

    def _nobody_reaches_it(self) -> bool:
        return self._company.peers.all_miss_the_arbiter()

    def _arbiter_changed(self) -> None:
        """Whoever depends on it has to hear, and so have the others: one that answers nobody is no arbiter."""
        self._tell_verdicts()
        self._company.stands()

    def _tell_verdicts(self) -> None:
        arbiter = {} if (reached := self._arbiter.verdict) is None else {TRACKER: reached}
        if verdicts := {**self._trackers.verdicts, **arbiter}:
            self._link.send(Verdicts(generation=self.slice.generation, trackers=verdicts))

    def _status(self) -> dict[str, Any]:
        return report.document(self.view())

    def _answers(self) -> Control:
        return Control(
            paths.control_socket(),
            {
                "status": lambda _: self._status(),
                "reload": lambda _: self.reload(),
                "history": lambda asked: telling.history(asked, self._history, self._cluster, self._node),
                "site": lambda asked: self._sites.use(
                    said(asked.get("service")), said(asked.get("order")), said(asked.get("by"), "somebody")
                ),
                "why": lambda asked: why.answer(asked, self.view(), self._history),
                "switchover": self._switchover.answer,
                "maintenance": lambda asked: maintenance.answer(
                    asked, self._own, self._company.peers, self._book, self._changing, self._record
                ),
            },
            {"events": lambda asked: telling.events(asked, self._history)},
            changing={"reload", "site", "switchover", "maintenance"},
            group=self._cluster.control_group,
        )

    def _record(self, transition: Transition) -> None:
        """A change that this process found out itself."""
        journal.record(transition)
        self._history.record(transition)
        self._tally.transition(transition)
        self.hooks.happened(transition)
        if transition.kind is Kind.SERVICE:
            self._trackers.services_changed()

    def _state_of(self, subject: Subject) -> str | None:
        return condition.of(subject, self._board, self._sites, self._splits)

    def _names(self) -> dict[str, str]:
        return {"HAMAN_NODE": self._node, "HAMAN_CLUSTER": self._cluster.name}

    def _groups(self) -> dict[str, tuple[str, ...]]:
        return {group.name: group.routers for group in self._cluster.groups_of(self._node)}

    def _summary(self) -> str:
        servers = sum(len(service.servers) for service in self._cluster.services.values())
        return (
            f"this is director {self._node} of cluster {self._cluster.name}: {len(self._cluster.routers)} routers,"
            f" {len(self._cluster.services)} services, {servers} servers"
        )

    # -- reading the file again -----------------------------------------------------------------------------------

    async def reload(self) -> dict[str, object]:
        """The outcome as JSON, for `haman reload`."""
        await self._begun.wait()
        words, difference = await self._rereading.now()
        return telling.reloaded(self._configuration(), words, difference)

    def _running(self) -> Running:
        reconciler = self._reconciler
        return Running(
            loaded=self._loaded, slice=self.slice, held=reconciler.believed, remembered=reconciler.remembered
        )

    async def _take_up(self, change: Change) -> None:
        """In this order: health and checks of what is new; the table; only then the addresses, so that no VIP is
        answered before its service is there."""
        assert self._checks is not None
        new = change.loaded
        journal.setup("director", new.cluster.log_format, new.cluster.log_level)
        async for transition in take_up(change, self._board, self._checks):
            self._record(transition)
        self._assessment.configure(new.cluster)
        self._holding.configure(new.cluster, new.node)
        self._loaded, self._cluster, self._node = new, new.cluster, new.node
        self._take_sites()
        self.relays.configure(new.cluster, new.node)
        self._company.reconfigured()
        self._reconciler.reconfigure(new.cluster, new.node, change.ownership)
        self._meet()
        self._board.forget(change.forgotten, change.dropped)
        self._checks.forget(change.forgotten)
        self.hooks.configure(new.cluster.hooks, self._names(), self._groups())
        self._listening.want(new.cluster.metrics)
        self._control.admit(new.cluster.control_group)
        self._trackers.take(new.cluster.trackers_of(new.node))
        self._arbiter.configure(new.cluster.arbiter)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TABLE_FIRST):
                await self._reconciler.level()
                await self._trackers.judged()  # what is new counts as bad until then
        self._tell_verdicts()
        await asyncio.to_thread(self._traffic.learn, new.cluster, new.node)
        await self._link.configure(Configure(config=change.slice))
        self.slice = change.slice
        self._book.note(self._book.orders.renamed(change.difference.renamed))  # BEFORE the elector hears who is ready
        self._tell_verdicts()
        self._assessment.anew()
        await self._chances.learn(self._packet_filter.sends_on)

    def _configuration(self) -> Configured:
        """With what stands in its way now."""
        problem = self._listening.problem
        state = self._rereading.configured
        return state if problem is None else replace(state, warnings=(problem,))

    def _take_roles(self, roles: Roles) -> None:
        if roles.epoch < self._epoch:
            log.warning("roles of epoch %d refused: epoch %d was here before", roles.epoch, self._epoch)
            return
        self._epoch = roles.epoch
        self._assessment.hearing.forget(each.router for each in roles.roles if each.role in (Role.FAULT, Role.STOPPED))
        faulty = {each.router for each in self._roles.roles if each.role is Role.FAULT}
        back = faulty & {each.router for each in roles.roles if each.role is not Role.FAULT}
        self._roles = roles
        if back:
            self._assessment.doubt(back)
        self._sites.follow(self._company.said_of_sites())
        self.hooks.roles(roles.roles)
        self._look_beside()
        self._company.stands()
        self._switchover.roles()
        if self._begun.is_set():
            self._assessment.soon()
        self._changing.happened()

    def _look_beside(self) -> None:
        """Is anybody else active where this director is?"""
        peers, roles = self._company.peers, self._roles.roles
        for transition in self._splits.look(self._cluster, roles, peers, time.monotonic(), time.time()):
            self._record(transition)

    def _give_way(self) -> None:
        """Whoever could serve what this director cannot may be there now."""
        offer = self._giving_way.look(self._own(), self._reconciler.unavailable, self._company.peers, time.monotonic())
        if offer is not None:
            self._link.send(offer)

    def _tell_readiness(self) -> None:
        waiting = self._assessment.waiting
        self._link.send(Readiness(generation=self.slice.generation, waiting=waiting, eager=self._assessment.hears))
        self._company.stands()

    def _ordered(self) -> None:
        """The operator's orders have changed."""
        self._tell_maintenance()
        self._assessment.look()

    def _tell_maintenance(self) -> None:
        order = self._book.orders.maintenance
        self._link.send(Maintenance(why=None if order is None else order.words))

    def _meet(self) -> None:
        """Sites are those of who is active. Frames of directors that were unknown until now are told apart from
        clients' from the next turn on."""
        self._changing.happened()
        self._sites.follow(self._company.said_of_sites())
        self._look_beside()
        self._give_way()
        self._assessment.met()
        self._chances.look()
        told = [
            self._frames.take(peer.name, peer.standing.macs)
            for peer in self._company.peers.all.values()
            if peer.standing is not None
        ]
        if any(told):
            self._reconciler.reconsider()
        self._strangers.look(self._cluster, self._node, self._frames.known(self._cluster))

    def _reconsider(self) -> None:
        """What the kernel is to hold has changed."""
        self._reconciler.reconsider()

    def _readiness_due(self) -> None:
        """The time has come on which it depends."""
        self._assessment.soon()

    def _chances_stand(self) -> None:
        """The packet filter has other rules for second chances: those who wait for that have to hear."""
        self._company.stands()
        self._assessment.soon()

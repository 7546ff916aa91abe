"""The elector as a process: sockets, signals and timers joined to the engine. No rule of any kind is here."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from haman.election.gate import Ruling
from haman.elector.announcer import Announcer
from haman.elector.confirmer import Confirmer
from haman.elector.engine import Engine
from haman.elector.keeper import Keeper
from haman.elector.real import RealMachine
from haman.elector.tally import Tally
from haman.errors import KernelUnavailable
from haman.model.confirmation import Confirmation, TakeoverVerdict
from haman.model.elector import (
    AskArbiter,
    Configure,
    Covered,
    GiveAway,
    Goodbye,
    Happened,
    Heartbeat,
    Maintenance,
    Readiness,
    Reload,
    Reloaded,
    Reloading,
    Roles,
    Ruled,
    Stopping,
    TakeoverConfirmed,
    TakeoverDone,
    Verdicts,
)
from haman.model.transition import Kind, Transition
from haman.observe import journal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from haman.elector.machine import Ear, Machine
    from haman.model.elector import ElectorConfig, Message, RouterConfig
    from haman.model.kernel import AddressConfig, AddressKey
    from haman.wire.packet import Packet

PATIENCE_FLOOR = 0.25
"""The director never calls the elector dead sooner (seconds): a real-time process can be late by a slow disk or a
busy hypervisor, and ending a working elector costs more than a quarter of a second of two owners."""

UNTOLD = 1000
"""Transitions kept for a director that is away, so that its history has no hole."""

GIVE_UP = 6
"""Directors in a row that ended soon after their start (9 s with their back-off), after which the routers are offered
to a peer, and again after as many more: nobody programs this node's table or checks its servers."""

SHOWN = 5
"""Routers named in systemd's status line."""

COUNTERS_EVERY = 1.0
DIRECTOR_FAREWELL = 15.0
"""Seconds the director may take for its last hooks when haman stops."""

ACQUAINTANCE = 5.0
"""Seconds the first configuration may take when haman is stopped before it has come."""


def run(config: Path, node: str | None) -> int:
    """Be the elector until told to stop. Returns the program's exit code."""
    return asyncio.run(Elector(RealMachine(config, node)).run())


@contextlib.contextmanager
def _privileged() -> Iterator[None]:
    """Raises KernelUnavailable where the right to open a raw socket is missing."""
    try:
        yield
    except PermissionError as error:
        raise KernelUnavailable("haman run needs CAP_NET_RAW and CAP_NET_ADMIN: start it as root") from error


def patience(interval: float) -> float:
    """How long the director waits for a heartbeat before it takes the VIP off the NIC, seconds.

    The elector may freeze right before an advertisement is due, one interval after its last. A peer takes over no
    sooner than three intervals after that last one; two intervals of patience end before it.
    """
    return max(PATIENCE_FLOOR, 2 * interval)


def _played(config: ElectorConfig) -> tuple[object, ...]:
    """All of it that elections and addresses follow from: which generation it is and how logs look changes neither."""
    return (config.routers, config.groups, config.diversions)


class Elector:
    """Plays the World of the engine, the Listener of the child, and the Reporter of the keeper."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._notify = machine.manager
        self._refusal = ""  # why the last reload was refused, for systemd
        self._tally = Tally()
        self._segments: dict[tuple[str, int], Ear] = {}
        self._configured: ElectorConfig | None = None
        self._open = False
        self._engine = Engine(self, self._tally, machine.clock)
        self._timer: asyncio.TimerHandle | None = None
        self._heart: asyncio.TimerHandle | None = None
        self._generation = 0
        self._untold: deque[Happened] = deque(maxlen=UNTOLD)
        self._covered: dict[str, tuple[str, ...]] = {}

    async def run(self) -> int:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._broken)
        self._result: asyncio.Future[int] = self._loop.create_future()
        self._stop_wanted, self._released, self._childless = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._acquainted = asyncio.Event()  # configured, or never to be
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload)
        with _privileged():
            port = self._machine.port()
        self._announcer = Announcer(self._loop, port, self._announced, self._announces)
        self._confirmer = Confirmer(
            self._loop,
            self._machine,
            port,
            still=self._announces,
            said=self._confirmed,
            link_local=self._engine.link_local,
            count=self._announced,
        )
        self._keeper = Keeper(self._engine, self, self._announcer, self._machine.kernel)
        self._child = self._machine.director(self._loop, self)
        self._child.start()
        await self._keeper.open()
        self._open = True
        for words in self._machine.prepare():
            self.note(Kind.PROCESS, "elector", "starting", "limited", "no_realtime", words)
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(work)
                for work in (
                    self._keeper.run(),
                    self._keeper.watch(),
                    self._count(),
                    self._leave(),
                    self._ping(),
                )
            ]
            self._beat()
            self._configure()
            code = await self._result
            for task in background:
                task.cancel()
        if self._heart is not None:
            self._heart.cancel()
        self._confirmer.close()
        self._announcer.close()
        return code

    # -- World: what the engine needs done ------------------------------------------------------------------------

    def send(self, interface: str, packet: Packet) -> int:
        segment = self._segments.get((interface, packet.destination.version))
        return errno.ENODEV if segment is None else segment.send(packet)

    def wake_at(self, when: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if when is None else self._loop.call_at(when, self._tick)

    def wake_keeper(self) -> None:
        self._keeper.wake()

    def tell(self, message: Roles | Happened | AskArbiter) -> None:
        if isinstance(message, AskArbiter):
            self._child.send(message)
            return
        if isinstance(message, Happened):
            self._machine.record(message.transition)
            if self._child.pid is None:
                self._untold.append(message)
        else:
            self._show_roles(message)
        self._child.send(message)
        if self._engine.stopped:
            self._released.set()

    # -- Listener: what the director says -------------------------------------------------------------------------

    def child_said(self, message: Message) -> None:
        match message:
            case Configure(config=config):
                self._configured = config
                self._configure()
            case Readiness() if message.generation == self._generation:
                self._engine.readiness(message.waiting, message.eager)
            case Verdicts() if message.generation == self._generation:
                self._engine.verdicts(message.trackers)
            case Ruled():
                self._engine.ruled(message.router, Ruling(message.asked, message.granted, message.why))
            case Covered(by=by):
                self._covered = by
            case Maintenance(why=why):
                self._engine.maintenance(why)
            case GiveAway(to=to, why=why):
                self._engine.offer(to, why)
            case Reloading():
                self._notify.reloading()
            case Reloaded(ok=ok, words=words):
                self._refusal = "" if ok else words
                self._reloaded()
            case Goodbye(code=code) if self._engine.config is None and not self._result.done():
                self._child.retire()
                self._result.set_result(code)
            case _:
                pass

    def child_started(self) -> None:
        while self._untold:
            self._child.send(self._untold.popleft())
        if self._engine.config is not None:
            self._child.send(self._engine.roles())
        self.note(Kind.PROCESS, "director", "stopped", "running", "started", f"started as pid {self._child.pid}")

    def child_gone(self, why: str, code: int | None) -> None:
        self._childless.set()
        self._acquainted.set()
        after = "stopped" if self._engine.stopped else "restarting"
        self.note(Kind.PROCESS, "director", "running", after, "ended", f"the director {why}; roles stay as they are")
        self._engine.unready("the director is being restarted")
        if self._child.failures % GIVE_UP == 0:
            self._engine.offer(self._covered, f"the director has ended {self._child.failures} times in a row")
        if self._engine.config is not None and not self._stop_wanted.is_set():
            self._notify.ready()  # should it have died over a reload

    # -- Reporter: what the keeper says -----------------------------------------------------------------------------

    def note(self, kind: Kind, who: str, before: str, after: str, cause: str, why: str) -> None:
        self.tell(
            Happened(
                transition=Transition(
                    kind=kind, who=who, before=before, after=after, why=why, cause=cause, at=time.time()
                )
            )
        )

    def takeover(self, done: TakeoverDone) -> None:
        self._child.send(done)

    def announced(self, router: RouterConfig, decided: float | None) -> None:
        self._confirmer.begin(router, decided)

    def withheld(self, router: str) -> None:
        self._confirmer.end(router)

    def links(self, carrier: Mapping[str, bool]) -> None:
        """An interface may have been made anew under its old name: listen on what is there now."""
        self._listen()
        self._engine.links(carrier)

    def addresses(self, found: Mapping[AddressKey, AddressConfig]) -> None:
        self._listen()
        self._engine.addresses(found)

    def address(self, key: AddressKey, config: AddressConfig | None) -> None:
        """Where IPv6 was switched off there was nothing to listen on, and an address is how its coming shows."""
        if config is not None:
            self._listen()
        self._engine.address(key, config)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _configure(self) -> None:
        """Takes the latest slice, once links and addresses are known."""
        config = self._configured
        if config is None or not self._open:
            return
        self._generation = config.generation
        self._machine.log(config.log_format, config.log_level)
        self._confirmer.configure(frozenset(kin.address for kin in config.kin))
        held = self._engine.config
        if held is not None and _played(config) == _played(held):
            return
        first = held is None
        wanted = {(router.interface, family) for router in config.routers for family in router.families}
        self._listen(wanted | self._engine.ears)
        self._engine.configure(config, adopting=first)
        self._listen()
        self._beat()
        self._machine.configured()
        self._acquainted.set()
        if first and not self._stop_wanted.is_set():
            self._notify.ready()

    def _listen(self, wanted: Collection[tuple[str, int]] | None = None) -> None:
        if wanted is None:
            wanted = self._engine.ears
        for ear, segment in list(self._segments.items()):
            if ear not in wanted or not segment.alive():
                self._loop.remove_reader(segment)
                segment.close()
                del self._segments[ear]
        for interface, family in set(wanted) - self._segments.keys():
            try:
                with _privileged():
                    segment = self._machine.ear(interface, family)
            except OSError:
                continue  # it does not exist yet: that shows as a fault, and its coming calls this again
            self._segments[interface, family] = segment
            self._loop.add_reader(segment, self._drain, segment)

    def _drain(self, segment: Ear) -> None:
        for packet in segment.receive():
            self._engine.packet(segment.interface, packet)
        self._engine.settle()

    def _tick(self) -> None:
        """Before believing silence, drain the inbox: what arrived while we were late counts first."""
        for segment in self._segments.values():
            for packet in segment.receive():
                self._engine.packet(segment.interface, packet)
        self._engine.tick()

    def _announces(self, router: str) -> bool:
        """For announcements made again later: after a stall their timers may come before that of the election, which
        is what notices the stall. It goes first."""
        if self._engine.overdue():
            self._tick()
        return self._engine.announces(router)

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback raised: a mistake of ours. A router whose timer is lost must not keep the VIP, so this process
        ends, and with it the address leaves the NIC (the director sees to that)."""
        journal.log.error("internal error: %s", context["message"], exc_info=context.get("exception"))
        if "handle" in context and not self._result.done():
            self._result.set_result(1)

    def _announced(self, router: str, frames: int) -> None:
        self._tally.count(router, "announcements_sent", frames)

    def _confirmed(self, router: str, outcome: Confirmation) -> None:
        if self._engine.confirmed(router, outcome) and outcome.verdict is TakeoverVerdict.CONFIRMED:
            self._child.send(TakeoverConfirmed(router=router, seconds=outcome.seconds))

    def _reload(self) -> None:
        if self._child.pid is None:
            why = "asked to reload; the director is being restarted, and reads the file anyhow"
            self.note(Kind.PROCESS, "elector", "running", "running", "reload", why)
        else:
            self._notify.reloading()
            self._child.send(Reload())

    def _reloaded(self) -> None:
        self._notify.ready()
        self._show_roles(self._engine.roles())

    def _show_roles(self, roles: Roles) -> None:
        words = "; ".join(f"{report.router} {report.role.value}" for report in roles.roles[:SHOWN]) or "no routers"
        if len(roles.roles) > SHOWN:
            words += f"; and {len(roles.roles) - SHOWN} more"
        self._notify.status(f"{words}. Reload {self._refusal}" if self._refusal else words)

    async def _ping(self) -> None:
        """systemd's watchdog: this loop turns, and the director's heart beats or it is being started again."""
        while self._notify.watchdog is not None:
            if self._child.in_order:
                self._notify.alive()
            await asyncio.sleep(min(self._notify.watchdog, 1.0))

    def _stop(self) -> None:
        self.note(Kind.PROCESS, "elector", "running", "stopping", "signal", "asked to stop")
        self._notify.stopping()
        self._stop_wanted.set()

    async def _leave(self) -> None:
        """The orderly stop: routers leave while they still serve, addresses go, hooks run, and only then the end.

        Asked right after the start, it waits for the configuration: an earlier life may have left a VIP on a NIC, and
        nothing else says which.
        """
        await self._stop_wanted.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ACQUAINTANCE):
                await self._acquainted.wait()
        self._engine.stop()
        if not self._engine.stopped:
            await self._released.wait()
        self._keeper.wake()
        await self._keeper.level()
        self._child.retire()
        self._child.send(Stopping())
        if self._child.pid is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DIRECTOR_FAREWELL):
                    await self._childless.wait()
        self._child.kill("did not end in time")
        if not self._result.done():
            self._result.set_result(0)

    def _beat(self) -> None:
        """Heartbeats: their absence is how the director learns that this process froze. There are twenty in a second,
        so they are a timer, and no task. With new intervals the next one comes at once, for it says how patient to be.
        """
        if self._heart is not None:
            self._heart.cancel()
        limit = patience(self._engine.shortest_interval())
        self._child.send(Heartbeat(sent=self._loop.time(), patience=limit))
        self._heart = self._loop.call_later(limit / 5, self._beat)

    async def _count(self) -> None:
        while True:
            before = self._loop.time()
            await asyncio.sleep(COUNTERS_EVERY)
            self._tally.late(self._loop.time() - before - COUNTERS_EVERY)
            self._child.send(self._tally.report())
            self._child.watch()

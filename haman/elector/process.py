"""The elector as a process: sockets, signals and timers joined to the engine. No rule of any kind is here."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from haman.elector import child, realtime
from haman.elector.announcer import Announcer
from haman.elector.engine import Engine
from haman.elector.keeper import Keeper
from haman.elector.segment import Segment
from haman.elector.tally import Tally
from haman.errors import KernelUnavailable
from haman.model.elector import Configure, Goodbye, Happened, Heartbeat, Readiness, Roles, Stopping, TakeoverDone
from haman.model.transition import Kind, Transition
from haman.observe import journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ipaddress import IPv4Address
    from pathlib import Path

    from haman.model.elector import ElectorConfig, Message

PATIENCE_FLOOR = 0.25
"""The director never calls the elector dead sooner (seconds): a real-time process can be late by a slow disk or a
busy hypervisor, and ending a working elector costs more than a quarter of a second of two owners."""

UNTOLD = 1000
"""Transitions kept for a director that is away, so that its history has no hole."""

COUNTERS_EVERY = 1.0
DIRECTOR_FAREWELL = 15.0
"""Seconds the director may take for its last hooks when haman stops."""


def run(config: Path, node: str | None) -> int:
    """Be the elector until told to stop. Returns the program's exit code."""
    refused = realtime.prepare()
    return asyncio.run(Elector(config, node, refused).run())


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


class Elector:
    """Plays the World of the engine, the Listener of the child, and the Reporter of the keeper."""

    def __init__(self, config: Path, node: str | None, refused: list[str]) -> None:
        self._argv = child.command(config, node)
        self._realtime_refused = refused
        journal.setup("elector")
        self._tally = Tally()
        self._segments: dict[str, Segment] = {}
        self._configured: ElectorConfig | None = None
        self._open = False
        self._engine = Engine(self, self._tally)
        self._timer: asyncio.TimerHandle | None = None
        self._generation = 0
        self._untold: deque[Happened] = deque(maxlen=UNTOLD)

    async def run(self) -> int:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._broken)
        self._result: asyncio.Future[int] = self._loop.create_future()
        self._stop_wanted, self._released, self._childless = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._no_reload)
        with _privileged():
            self._announcer = Announcer(self._loop, self._announced, self._engine.holds)
        self._keeper = Keeper(self._engine, self, self._announcer)
        self._child = child.Child(self._loop, self._argv, self)
        self._child.start()
        await self._keeper.open()
        self._open = True
        realtime.freeze()
        for words in self._realtime_refused:
            self.note(Kind.PROCESS, "elector", "starting", "limited", "no_realtime", words)
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(work)
                for work in (self._keeper.run(), self._keeper.watch(), self._beat(), self._count(), self._leave())
            ]
            self._configure()
            code = await self._result
            for task in background:
                task.cancel()
        self._announcer.close()
        return code

    # -- World: what the engine needs done ------------------------------------------------------------------------

    def send(self, interface: str, packet: bytes, destination: IPv4Address) -> int:
        segment = self._segments.get(interface)
        return errno.ENODEV if segment is None else segment.send(packet, destination)

    def wake_at(self, when: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if when is None else self._loop.call_at(when, self._tick)

    def wake_keeper(self) -> None:
        self._keeper.wake()

    def tell(self, message: Roles | Happened) -> None:
        if isinstance(message, Happened):
            journal.record(message.transition)
            if self._child.pid is None:
                self._untold.append(message)
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
                self._engine.readiness(message.waiting)
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
        after = "stopped" if self._engine.stopped else "restarting"
        self.note(Kind.PROCESS, "director", "running", after, "ended", f"the director {why}; roles stay as they are")
        self._engine.unready("the director is being restarted")

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

    def links(self, carrier: Mapping[str, bool]) -> None:
        """An interface may have been made anew under its old name: listen on what is there now."""
        self._listen()
        self._engine.links(carrier)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _configure(self) -> None:
        """Takes the latest slice, once links and addresses are known."""
        config = self._configured
        if config is None or not self._open:
            return
        self._generation = config.generation
        journal.setup("elector", config.log_format, config.log_level)
        if config == self._engine.config:
            return
        first = self._engine.config is None
        self._keeper.configure(config)
        self._listen({router.interface for router in config.routers})
        self._engine.configure(config, adopting=first)

    def _listen(self, wanted: set[str] | None = None) -> None:
        if wanted is None:
            wanted = {router.interface for router in self._engine.config.routers} if self._engine.config else set()
        for name, segment in list(self._segments.items()):
            if name not in wanted or not segment.alive():
                self._loop.remove_reader(segment)
                segment.close()
                del self._segments[name]
        for name in wanted - self._segments.keys():
            try:
                with _privileged():
                    segment = Segment(name)
            except OSError:
                continue  # it does not exist yet: tracking shows that as a fault, and its coming calls this again
            self._segments[name] = segment
            self._loop.add_reader(segment, self._drain, segment)

    def _drain(self, segment: Segment) -> None:
        for packet in segment.receive():
            self._engine.packet(segment.interface, packet)
        self._engine.settle()

    def _tick(self) -> None:
        """Before believing silence, drain the inbox: what arrived while we were late counts first."""
        for segment in self._segments.values():
            for packet in segment.receive():
                self._engine.packet(segment.interface, packet)
        self._engine.tick()

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback raised: a mistake of ours. A router whose timer is lost must not keep the VIP, so this process
        ends, and with it the address leaves the NIC (the director sees to that)."""
        journal.log.error("internal error: %s", context["message"], exc_info=context.get("exception"))
        if "handle" in context and not self._result.done():
            self._result.set_result(1)

    def _announced(self, router: str, frames: int) -> None:
        self._tally.count(router, "announcements_sent", frames)

    def _no_reload(self) -> None:
        why = "SIGHUP does not reload: restart haman to take a changed configuration"
        self.note(Kind.PROCESS, "elector", "running", "running", "no_reload", why)

    def _stop(self) -> None:
        self.note(Kind.PROCESS, "elector", "running", "stopping", "signal", "asked to stop")
        self._stop_wanted.set()

    async def _leave(self) -> None:
        """The orderly stop: routers leave while they still serve, addresses go, hooks run, and only then the end."""
        await self._stop_wanted.wait()
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

    async def _beat(self) -> None:
        """Heartbeats: their absence is how the director learns that this process froze."""
        while True:
            limit = patience(self._engine.shortest_interval())
            self._child.send(Heartbeat(sent=time.monotonic(), patience=limit))
            await asyncio.sleep(limit / 5)

    async def _count(self) -> None:
        while True:
            before = self._loop.time()
            await asyncio.sleep(COUNTERS_EVERY)
            self._tally.late(self._loop.time() - before - COUNTERS_EVERY)
            self._child.send(self._tally.report())
            self._child.watch()
